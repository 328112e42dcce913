/** Transactions: the application's rows and the record are one commit. */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import type { InWorkflow } from "perdure/WorkflowContext"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowStream from "perdure/WorkflowStream"
import { type Given, type Needs, onBothStores, storeOf } from "./harness.ts"
import { failureOf, Log, reasonOf, stepsOf } from "./observing.ts"
import { twice, twiceWell } from "./twice.ts"

const Subject = Workflow.make("Subject", { success: Schema.Unknown })
const Line = WorkflowQueue.make("line")
const Said = Message.make("said", { payload: Schema.String })
const Told = WorkflowEvent.make("told", { value: Schema.String })
const Shown = WorkflowStream.make("shown", { value: Schema.String })
class Poor extends Schema.TaggedError<Poor>()("Poor", { missing: Schema.Number }) {}

/** A table of the application's own. */
const tableOf = Effect.fnUntraced(function*({ number, sql }: Given) {
  const table = sql(`account_${number}`)
  yield* sql`CREATE TABLE ${table} (id TEXT PRIMARY KEY, balance INTEGER NOT NULL)`
  return {
    insert: (id: string, balance: number) =>
      Effect.flatMap(
        SqlClient,
        (sql) => Effect.asVoid(sql`INSERT INTO ${table} (id, balance) VALUES (${id}, ${balance})`)
      ),
    lockNow: (id: string) =>
      Effect.flatMap(
        SqlClient,
        (sql) => Effect.asVoid(sql`SELECT id FROM ${table} WHERE id = ${id} FOR UPDATE NOWAIT`)
      ),
    set: (id: string, balance: number) =>
      Effect.flatMap(SqlClient, (sql) => Effect.asVoid(sql`UPDATE ${table} SET balance = ${balance} WHERE id = ${id}`)),
    balance: (id: string) =>
      Effect.flatMap(
        SqlClient,
        (sql) =>
          Effect.map(sql<{ balance: number }>`SELECT balance FROM ${table} WHERE id = ${id}`, (rows) =>
            Number(rows[0]?.balance))
      ),
    ids: Effect.flatMap(
      SqlClient,
      (sql) => Effect.map(sql<{ id: string }>`SELECT id FROM ${table} ORDER BY id`, (rows) => rows.map((row) => row.id))
    )
  }
})

onBothStores("transactions", (claim) => {
  claim(
    "commit with their record, once",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      const body = Effect.gen(function*() {
        const first = yield* Transaction.run(
          "first",
          Effect.as(Effect.andThen(log.add("first"), table.insert("a", 1)), "one")
        )
        const second = yield* Effect.as(table.insert("b", 2), { n: 2 }).pipe(Transaction.run("second"))
        return [first, second.n]
      })
      const { live, replayed, steps } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, ["one", 2])
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(steps, ["0 transaction first", "1 transaction second"])
      assert.deepStrictEqual(log.entries, ["first"])
      const { ids } = table
      assert.deepStrictEqual(yield* Effect.provideService(ids, SqlClient, given.sql), ["a", "b"])
    })
  )

  claim(
    "a typed error rolls back, is recorded, and comes back as itself",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      const poor = Effect.andThen(
        table.insert("a", 1),
        Effect.andThen(log.add("ran"), Effect.fail(new Poor({ missing: 3 })))
      )
      const body = Effect.gen(function*() {
        const own = yield* Effect.flip(Transaction.run("own", poor, { error: Poor }))
        const other: any = yield* Effect.flip(Transaction.run("other", poor))
        return [own instanceof Poor && own.missing, other._tag, other.tag]
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, [3, "StepFailed", "Poor"])
      assert.deepStrictEqual(replayed, live)
      assert.strictEqual(log.entries.length, 2)
      assert.deepStrictEqual(yield* Effect.provideService(table.ids, SqlClient, given.sql), [])
    })
  )

  claim(
    "an error that has the name of one of the store's is the application's",
    Effect.fnUntraced(function*(given) {
      const names = Schema.Literals(["StoreError", "TransactionAborted"])
      const Own = Schema.Struct({ _tag: names, why: Schema.String })
      const body = Effect.forEach(
        names.literals,
        (_tag) => Effect.flip(Transaction.run(_tag, Effect.fail({ _tag, why: "unknown" }), { error: Own }))
      )
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual<unknown>(live, names.literals.map((_tag) => ({ _tag, why: "unknown" })))
      assert.deepStrictEqual(replayed, live)
    })
  )

  claim(
    "a defect rolls back too",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const body = Transaction.run("dies", Effect.andThen(table.insert("a", 1), Effect.die(new Error("broken"))))
      const { live, replayed } = yield* twice(given, body)
      assert.deepStrictEqual([failureOf(live).message, failureOf(replayed).message], ["broken", "broken"])
      assert.deepStrictEqual(yield* Effect.provideService(table.ids, SqlClient, given.sql), [])
    })
  )

  claim(
    "a constraint that is violated is an error of the application's",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const body = Effect.andThen(
        Transaction.run("first", table.insert("a", 1)),
        Effect.flip(Transaction.run("again", table.insert("a", 2)))
      )
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual([live._tag, replayed._tag], ["StepFailed", "StepFailed"])
    })
  )

  claim(
    "a result that cannot be stored rolls back and names the path",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      const body = Effect.flip(
        Transaction.run("odd", Effect.as(Effect.andThen(log.add("ran"), table.insert("a", 1)), { deep: [Number.NaN] }))
      )
      const { live, replayed } = yield* twiceWell(given, body)
      assert.include(live.message, "deep[0]")
      assert.strictEqual(replayed.message, live.message)
      assert.strictEqual(log.entries.length, 1)
      assert.deepStrictEqual(yield* Effect.provideService(table.ids, SqlClient, given.sql), [])
    })
  )

  const misuses: ReadonlyArray<readonly [string, (log: Log) => Effect.Effect<unknown, any, SqlClient>]> = [
    [
      "a Transaction in a Transaction",
      (log) => Transaction.run("outer", Effect.asVoid(Transaction.run("inner", log.add("ran"))))
    ],
    ["a Step in a Transaction", (log) => Transaction.run("outer", Effect.asVoid(Step.run("inner", log.add("ran"))))],
    [
      "a Transaction inside sql.withTransaction",
      (log) => Effect.flatMap(SqlClient, (sql) => sql.withTransaction(Transaction.run("inner", log.add("ran"))))
    ]
  ]
  for (const [what, misuse] of misuses) {
    claim(
      `${what} is refused as nested`,
      Effect.fnUntraced(function*(given) {
        const log = new Log()
        const { live, replayed } = yield* twice(given, misuse(log))
        for (const exit of [live, replayed]) assert.match(JSON.stringify(failureOf(exit)), /TransactionMisused|nested/)
        assert.deepStrictEqual(log.entries, [])
      })
    )
  }

  claim(
    "every durable operation inside sql.withTransaction is refused in a body, live and on a replay, and does nothing",
    Effect.fnUntraced(function*(given) {
      const operations = {
        step: Step.run("step", Effect.succeed(1)),
        transaction: Transaction.run("transaction", Effect.succeed(1)),
        elsewhere: Transaction.runElsewhere("elsewhere", Effect.succeed(1)),
        child: Subject.execute(undefined, { workflowId: "child" }),
        start: Subject.start(undefined, { workflowId: "child" }),
        enqueue: Line.enqueue(Subject, undefined, { workflowId: "child" }),
        "enqueue many": Line.enqueueMany(Subject, [undefined]),
        result: Subject.handle("subject").result,
        send: Said.send("subject", "hello"),
        receive: Said.receive(),
        "receive in time": Said.receive({ timeout: 1 }),
        "set event": Told.set("a"),
        "get event": Told.get("subject"),
        write: Shown.write("a"),
        close: Shown.close,
        read: Stream.runCollect(Shown.read("subject")),
        sleep: Effect.sleep(1),
        "sleep until": Workflow.sleepUntil(Date.now() + 1_000_000),
        select: Workflow.select({ said: Said.receive(), late: Effect.sleep(1) }),
        race: Workflow.race([Effect.succeed(1)]),
        now: Workflow.now(),
        uuid: Workflow.randomUUID(),
        patch: Workflow.patch("change")
      }
      const body = Effect.gen(function*() {
        const sql = yield* SqlClient
        // First: a replay waits for a recorded operation only so long, and what follows is plain asynchronous work.
        yield* Step.run("before", Effect.void)
        return yield* Effect.forEach(
          Object.entries(operations),
          ([name, operation]) =>
            Effect.map(
              Effect.exit(sql.withTransaction(operation as Effect.Effect<unknown, unknown, Needs | InWorkflow>)),
              (
                exit
              ) => [name, Exit.isFailure(exit) && /TransactionMisused|nested/.test(JSON.stringify(failureOf(exit)))]
            )
        )
      })
      const { live, replayed, steps } = yield* twiceWell(given, body)
      const all = Object.keys(operations).map((name) => [name, true])
      assert.deepStrictEqual([live, replayed], [all, all])
      assert.deepStrictEqual(steps, ["0 step before"])
      assert.lengthOf(yield* given.sql`SELECT 1 AS one`, 1)
    })
  )

  claim(
    "what a step writes inside sql.withTransaction is refused where it would wait for that transaction",
    Effect.fnUntraced(function*(given) {
      const operations = {
        send: Said.send("subject", "hello"),
        "set event": Told.set("a"),
        write: Shown.write("a"),
        close: Shown.close,
        result: Subject.handle("subject").result,
        start: Subject.start(undefined, { workflowId: "other" })
      }
      const body = Effect.forEach(Object.entries(operations), ([name, operation]) =>
        Step.run(
          name,
          Effect.flatMap(SqlClient, (sql) =>
            Effect.map(
              Effect.exit(sql.withTransaction(operation as Effect.Effect<unknown, unknown, Needs | InWorkflow>)),
              (exit) => [name, Exit.isFailure(exit) && /TransactionMisused/.test(JSON.stringify(failureOf(exit)))]
            ))
        ))
      const { live } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, Object.keys(operations).map((name) => [name, true]))
      assert.lengthOf(yield* given.store.list({ order: "asc", limit: 10 }), 1)
    }),
    "sqlite"
  )

  claim(
    "a Transaction in a Step is refused or part of the step, never recorded on its own",
    Effect.fnUntraced(
      function*(given) {
        const table = yield* tableOf(given)
        const { steps } = yield* twice(given, Step.run("outer", Transaction.run("inner", table.insert("a", 1))))
        assert.deepStrictEqual(steps, ["0 step outer"])
      }
    )
  )

  claim(
    "a client of another database is refused as foreign, and nothing is run",
    Effect.fnUntraced(function*(given) {
      const other = Context.get(yield* given.elsewhere, SqlClient)
      const log = new Log()
      const body = reasonOf(Effect.provideService(Transaction.run("abroad", log.add("ran")), SqlClient, other))
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual([live._tag, live.why, replayed.why], ["TransactionMisused", "foreign", "foreign"])
      assert.deepStrictEqual(log.entries, [])
    })
  )

  claim(
    "one that takes longer than its timeout rolls back and is told so",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const body = Transaction.run("hangs", Effect.andThen(table.insert("a", 1), Effect.never), {
        timeout: "50 millis"
      })
      const { live } = yield* twice(given, body)
      assert.strictEqual(failureOf(live).reason?._tag, "TransactionMisused")
      assert.strictEqual(failureOf(live).reason?.why, "timeout")
      assert.deepStrictEqual(yield* Effect.provideService(table.ids, SqlClient, given.sql), [])
    })
  )

  claim(
    "one that waits for another's lock gives it up before its time is over, and is tried again",
    Effect.fnUntraced(function*(given) {
      // One writer at a time: there a transaction waits before it begins.
      if (given.store.name === "sqlite") return
      const table = yield* tableOf(given)
      yield* Effect.provideService(table.insert("a", 0), SqlClient, given.sql)
      const log = new Log()
      const locked = yield* Deferred.make<void>()
      const holding = given.sql.withTransaction(
        Effect.gen(function*() {
          yield* Effect.provideService(table.set("a", 1), SqlClient, given.sql)
          yield* Deferred.succeed(locked, undefined)
          // As long as it takes for a first attempt to have given up.
          yield* log.has("tried", 2)
        })
      )
      const body = Transaction.run("set", log.add("tried").pipe(Effect.andThen(table.set("a", 2)), Effect.as("set")), {
        timeout: "10 seconds"
      })
      const { live } = yield* given.engine(Subject.toLayer(() => Effect.orDie(body))).pipe(
        Effect.flatMap((engine) =>
          Effect.all({
            held: holding,
            live: Effect.andThen(
              Deferred.await(locked),
              engine.use(Subject.execute(undefined, { workflowId: "w" }))
            )
          }, { concurrency: "unbounded" })
        )
      )
      assert.strictEqual(live, "set")
      assert.strictEqual(yield* Effect.provideService(table.balance("a"), SqlClient, given.sql), 2)
    })
  )

  claim(
    "one that asks not to wait for a lock is told",
    Effect.fnUntraced(function*(given) {
      if (given.store.name === "sqlite") return
      const table = yield* tableOf(given)
      yield* Effect.provideService(table.insert("a", 0), SqlClient, given.sql)
      const gate = yield* Deferred.make<void>()
      const locked = yield* Deferred.make<void>()
      yield* Effect.forkScoped(given.sql.withTransaction(
        Effect.provideService(table.set("a", 1), SqlClient, given.sql).pipe(
          Effect.andThen(Deferred.succeed(locked, undefined)),
          Effect.andThen(Deferred.await(gate))
        )
      ))
      yield* Deferred.await(locked)
      const body = Transaction.run("ask", Effect.as(table.lockNow("a"), "got it"))
      const { live } = yield* twice(given, body)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(failureOf(live).tag, "SqlError")
    })
  )

  claim(
    "of one workflow may run in parallel",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const body = Workflow.forEach(
        ["a", "b", "c", "d", "e", "f"],
        (id, n) => Transaction.run("insert", Effect.as(table.insert(id, n), n)),
        { concurrency: "unbounded" }
      )
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual([live, replayed], [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]])
      assert.lengthOf(yield* Effect.provideService(table.ids, SqlClient, given.sql), 6)
    })
  )

  claim(
    "beside steps and sleeps, in many workflows at once, all rows are there once",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const Many = Workflow.make("Many", { payload: { n: Schema.Number } })
      const live = Many.toLayer(({ n }) =>
        Effect.orDie(
          Workflow.all([
            Transaction.run("one", table.insert(`${n} one`, n)),
            Effect.andThen(Step.run("step", Effect.void), Transaction.run("two", table.insert(`${n} two`, n))),
            Effect.andThen(Effect.sleep("5 millis"), Step.run("other", Effect.void))
          ], { concurrency: "unbounded" }).pipe(Effect.asVoid)
        )
      )
      const engine = yield* given.engine(live)
      yield* engine.use(
        Effect.forEach(Array.from({ length: 20 }, (_, n) => n), (n) => Many.execute({ n }), {
          concurrency: "unbounded"
        })
      )
      assert.lengthOf(yield* Effect.provideService(table.ids, SqlClient, given.sql), 40)
    })
  )

  claim(
    "one that is cancelled in the middle leaves nothing, and the client is well",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      const live = Subject.toLayer(() =>
        Effect.orDie(
          Transaction.run(
            "held",
            Effect.andThen(table.insert("a", 1), Effect.andThen(log.add("inserted"), Effect.never))
          )
        )
      )
      const engine = yield* given.engine(live)
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("inserted")
      yield* engine.use(Client.cancel("w"))
      assert.strictEqual((yield* reasonOf(engine.use(Subject.handle("w").result)))._tag, "WorkflowCancelled")
      assert.deepStrictEqual(yield* Effect.provideService(table.ids, SqlClient, given.sql), [])
      assert.deepStrictEqual(yield* engine.use(stepsOf("w")), [])
    }),
    "postgres"
  )

  claim(
    "a server that is out of something is waited for, and nothing is recorded of that",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      let tries = 0
      const full = Effect.flatMap(
        SqlClient,
        (sql) => sql.unsafe("DO $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$")
      )
      const body = Transaction.run(
        "insert",
        Effect.andThen(table.insert("a", 1), Effect.suspend(() => ++tries < 3 ? Effect.asVoid(full) : Effect.void))
      )
      yield* twiceWell(given, body)
      assert.strictEqual(tries, 3)
      assert.deepStrictEqual(yield* Effect.provideService(table.ids, SqlClient, given.sql), ["a"])
    }),
    "postgres"
  )

  claim(
    "a serializable conflict between two workflows is run again",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      yield* Effect.provideService(Effect.andThen(table.insert("a", 10), table.insert("b", 10)), SqlClient, given.sql)
      // Write skew: each reads what the other writes. Both read before either writes, the first time; and one writes when
      // the other has committed, so that its second attempt sees it.
      const Skew = Workflow.make("Skew", { payload: { read: Schema.String, write: Schema.String } })
      const live = Skew.toLayer(({ read, write }) =>
        Effect.orDie(
          Transaction.run(
            "skew",
            Effect.gen(function*() {
              const balance = yield* table.balance(read)
              yield* log.add("read")
              yield* log.has("read", 2)
              if (write === "a") yield* log.has("committed b")
              yield* table.set(write, balance - 1)
            }),
            { isolation: "serializable" }
          ).pipe(Effect.andThen(log.add(`committed ${write}`)))
        )
      )
      const engine = yield* given.engine(live)
      yield* engine.use(
        Effect.all([Skew.execute({ read: "a", write: "b" }), Skew.execute({ read: "b", write: "a" })], {
          concurrency: "unbounded"
        })
      )
      const balances = yield* Effect.provideService(
        Effect.all([table.balance("a"), table.balance("b")]),
        SqlClient,
        given.sql
      )
      // One after the other: 10, 9 and then 8. Without the conflict both would be 9.
      assert.deepStrictEqual(balances.toSorted(), [8, 9])
      assert.strictEqual(log.count("read"), 3)
    }),
    "postgres"
  )

  claim(
    "the isolation option is that of the transaction",
    Effect.fnUntraced(function*(given) {
      const shown = (isolation: "read committed" | "repeatable read" | "serializable") =>
        Transaction.run(
          isolation,
          Effect.flatMap(
            SqlClient,
            (sql) =>
              Effect.map(sql<{ transaction_isolation: string }>`SHOW transaction_isolation`, (rows) =>
                rows[0]!.transaction_isolation)
          ),
          { isolation }
        )
      const { live } = yield* twiceWell(
        given,
        Effect.all([shown("read committed"), shown("repeatable read"), shown("serializable")])
      )
      assert.deepStrictEqual(live, ["read committed", "repeatable read", "serializable"])
    }),
    "postgres"
  )

  claim(
    "outside a workflow it is SqlClient.withTransaction",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const plain = <A, E>(effect: Effect.Effect<A, E, SqlClient>) =>
        Effect.provideService(effect, SqlClient, given.sql)
      yield* plain(Transaction.run("well", table.insert("a", 1)))
      const failed = yield* plain(
        Effect.exit(Transaction.run("not", Effect.andThen(table.insert("b", 1), Effect.fail("no"))))
      )
      assert.isTrue(Exit.isFailure(failed))
      assert.deepStrictEqual(yield* plain(table.ids), ["a"])
    })
  )

  claim(
    "one that was under way when the engine closed runs again, once committed",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      let held = true
      const live = Subject.toLayer(() =>
        Effect.orDie(Transaction.run(
          "held",
          Effect.andThen(
            table.insert("a", 1),
            Effect.suspend(() => Effect.andThen(log.add("ran"), held ? Effect.never : Effect.succeed("done")))
          )
        ))
      )
      const first = yield* given.engine(live)
      yield* first.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("ran")
      yield* first.close
      held = false
      const second = yield* given.engine(live)
      assert.strictEqual(yield* second.use(Subject.handle("w").result), "done")
      assert.strictEqual(log.count("ran"), 2)
      assert.deepStrictEqual(yield* Effect.provideService(table.ids, SqlClient, given.sql), ["a"])
    })
  )

  claim(
    "are what the body gets when they are committed, also where their limit passes as they begin",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      // It begins just before the transaction, keeps the process beyond the limit, and is not over then.
      const busy = Effect.andThen(
        Effect.sync(() => {
          for (const until = Date.now() + 400; Date.now() < until;);
        }),
        Effect.sleep(20)
      )
      const { use } = yield* given.engine(Subject.toLayer(() =>
        Effect.map(
          Effect.all([
            Step.run("busy", busy),
            Effect.timeoutOption(Transaction.run("enter", table.insert("a", 1)), "200 millis")
          ], { concurrency: "unbounded" }),
          ([, entered]) => entered._tag
        ).pipe(Effect.orDie)
      ))
      const entered = yield* use(Subject.execute())
      const ids = yield* Effect.provideService(table.ids, SqlClient, given.sql)
      // A slow start may leave it no time at all.
      assert.deepStrictEqual([entered, ids], ids.length === 0 ? ["None", []] : ["Some", ["a"]])
    })
  )

  claim(
    "are undone when the workflow fails, also one that nobody waits for any more when its commit is known",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      const committed = yield* Deferred.make<void>()
      const store = storeOf(given)
      const { transaction } = store
      store.transaction = (...given) =>
        Effect.tap(transaction(...given), () => Effect.andThen(Deferred.succeed(committed, undefined), Effect.never))
      const { use } = yield* given.engine(Subject.toLayer(() =>
        Effect.raceFirst(
          Transaction.run("enter", table.insert("a", 1), { rollback: () => log.add("undone") }),
          Effect.promise(() => Effect.runPromise(Deferred.await(committed)))
        ).pipe(Effect.andThen(Effect.die("failed")), Effect.orDie)
      ))
      yield* reasonOf(use(Subject.execute()))
      assert.deepStrictEqual(log.entries, ["undone"])
    })
  )
})
