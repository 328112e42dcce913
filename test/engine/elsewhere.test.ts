/**
 * Transactions in another database: once, whatever becomes of the answer to a commit. Each runs against a database of its
 * own; where an answer gets lost, the client's `withTransaction` loses it.
 */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import { setTimeout as after } from "node:timers/promises"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import { type Given, type Live, onBothStores } from "./harness.ts"
import { Log, reasonOf } from "./observing.ts"
import { twiceWell } from "./twice.ts"

class Poor extends Schema.TaggedError<Poor>()("Poor", { missing: Schema.Number }) {}

const Subject = Workflow.make("Subject", { success: Schema.Unknown, error: Poor })

/** A client of another database, with a ledger whose rows nothing keeps unique. */
const ledger = Effect.fnUntraced(function*({ elsewhere }: Given) {
  const sql = Context.get(yield* elsewhere, SqlClient)
  yield* sql`CREATE TABLE ledger (amount INTEGER NOT NULL)`
  return {
    sql,
    add: (amount: number) =>
      Effect.flatMap(SqlClient, (sql) => Effect.asVoid(sql`INSERT INTO ledger (amount) VALUES (${amount})`)),
    amounts: Effect.map(sql<{ amount: number }>`SELECT amount FROM ledger`, (rows) => rows.map(({ amount }) => amount)),
    completions: Effect.map(sql`SELECT id FROM perdure_completion`, (rows) => rows.length)
  }
})

type TransactionOf = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SqlError, R>

/** The client with another `withTransaction`. */
const withTransaction = (sql: SqlClient, make: (real: TransactionOf) => TransactionOf): SqlClient =>
  new Proxy(sql, {
    get: (target, key, receiver) =>
      key === "withTransaction" ? make(sql.withTransaction as TransactionOf) : Reflect.get(target, key, receiver)
  })

const lost = new SqlError({
  reason: new ConnectionError({ cause: new Error("lost"), message: "The connection was lost", operation: "commit" })
})

/** The first so many answers to a commit get lost, after it was made. */
const losing = (sql: SqlClient, times: number): SqlClient => {
  let left = times
  return withTransaction(
    sql,
    (real) => (effect) =>
      Effect.flatMap(real(effect), (value) => left-- > 0 ? Effect.fail(lost) : Effect.succeed(value))
  )
}

/** The first so many commits do not arrive. */
const failing = (sql: SqlClient, times: number): SqlClient => {
  let left = times
  return withTransaction(
    sql,
    (real) => (effect) => real(left-- > 0 ? Effect.tap(effect, () => Effect.fail(lost)) : effect)
  )
}

/** The first so many statements and transactions do not reach it. */
const away = (sql: SqlClient, times: number): SqlClient => {
  let left = times
  return new Proxy(withTransaction(sql, (real) => (effect) => left-- > 0 ? Effect.fail(lost) : real(effect)), {
    apply: (target, self, args) => left-- > 0 ? Effect.fail(lost) : Reflect.apply(target as any, self, args)
  })
}

/** What a second engine ends with, after the first one has committed and its process has done nothing more. */
const takenOver = Effect.fnUntraced(
  function*(given: Given, sql: SqlClient, first: (sql: SqlClient) => Live, then: Live) {
    const log = new Log()
    const stuck = withTransaction(
      sql,
      (real) => (effect) => Effect.andThen(real(effect), Effect.andThen(log.add("committed"), Effect.never))
    )
    const engine = yield* given.engine(first(stuck))
    yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
    yield* log.has("committed")
    yield* engine.close
    const next = yield* given.engine(then)
    return yield* next.use(Subject.handle("w").result)
  }
)

const quick = { maxAttempts: 3, interval: 1 } as const

onBothStores("transactions in another database", (claim) => {
  claim(
    "commit there, once, and replay from the record",
    Effect.fnUntraced(function*(given) {
      const other = yield* ledger(given)
      const body = Transaction.runElsewhere("enter", Effect.as(other.add(5), { entered: 5 })).pipe(
        Effect.provideService(SqlClient, other.sql)
      )
      const { live, replayed, steps } = yield* twiceWell(given, body)
      assert.deepStrictEqual([live, replayed], [{ entered: 5 }, { entered: 5 }])
      assert.deepStrictEqual(steps, ["0 transaction enter"])
      assert.deepStrictEqual([yield* other.amounts, yield* other.completions], [[5], 1])
    })
  )

  for (const [what, fault] of [["made", losing], ["not made", failing]] as const) {
    claim(
      `are run again when the answer to a commit that was ${what} is lost, and commit once`,
      Effect.fnUntraced(function*(given) {
        const other = yield* ledger(given)
        let runs = 0
        const { use } = yield* given.engine(
          Subject.toLayer(() =>
            Transaction.runElsewhere("enter", Effect.andThen(other.add(5), Effect.sync(() => ++runs)), { retry: quick })
              .pipe(
                Effect.provideService(SqlClient, fault(other.sql, 2))
              )
          )
        )
        // The value is that of the commit.
        assert.strictEqual(yield* use(Subject.execute()), fault === losing ? 1 : 3)
        assert.deepStrictEqual([yield* other.amounts, yield* other.completions], [[5], 1])
      })
    )
  }

  claim(
    "do not fail over a commit whose every answer is lost: what is there counts",
    Effect.fnUntraced(function*(given) {
      const other = yield* ledger(given)
      const { use } = yield* given.engine(
        Subject.toLayer(() =>
          Transaction.runElsewhere("enter", Effect.as(other.add(5), "entered"), { retry: { maxAttempts: 1 } }).pipe(
            Effect.provideService(SqlClient, losing(other.sql, 1))
          )
        )
      )
      assert.strictEqual(yield* use(Subject.execute()), "entered")
      assert.deepStrictEqual(yield* other.amounts, [5])
    })
  )

  claim(
    "that fail over a commit of which nobody knows are kept from coming later",
    Effect.fnUntraced(function*(given) {
      const other = yield* ledger(given)
      let late: Effect.Effect<unknown, unknown> = Effect.void
      const client = withTransaction(other.sql, (real) => (effect) =>
        // Sent, and still under way when the sender hears that the connection is gone.
        Effect.flatMap(Effect.context<never>(), (context) => {
          late = Effect.provideContext(real(effect) as Effect.Effect<unknown, unknown>, context)
          return Effect.andThen(real(Effect.tap(effect, () => Effect.fail(lost))), Effect.never)
        }))
      const { use } = yield* given.engine(
        Subject.toLayer(() =>
          Transaction.runElsewhere("enter", Effect.as(other.add(5), "entered"), { retry: { maxAttempts: 1 } }).pipe(
            Effect.provideService(SqlClient, client),
            Effect.catchTag("StepFailed", () => Effect.succeed("failed"))
          )
        )
      )
      assert.strictEqual(yield* use(Subject.execute()), "failed")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(late)), "the late commit is refused")
      assert.deepStrictEqual([yield* other.amounts, yield* other.completions], [[], 1])
    })
  )

  claim(
    "give an executor that takes over the value of the commit that its predecessor made and did not record",
    Effect.fnUntraced(function*(given) {
      const other = yield* ledger(given)
      let runs = 0
      const live = (client: SqlClient) =>
        Subject.toLayer(() =>
          Transaction.runElsewhere("enter", Effect.andThen(other.add(5), Effect.sync(() => ++runs))).pipe(
            Effect.provideService(SqlClient, client)
          )
        )
      assert.strictEqual(yield* takenOver(given, other.sql, live, live(other.sql)), 1)
      assert.deepStrictEqual([yield* other.amounts, runs], [[5], 1])
    })
  )

  claim(
    "give it to one that takes over while their database is away, and gives up",
    Effect.fnUntraced(function*(given) {
      const other = yield* ledger(given)
      const live = (client: SqlClient) =>
        Subject.toLayer(() =>
          Transaction.runElsewhere("enter", Effect.as(other.add(5), "entered"), { retry: quick }).pipe(
            Effect.provideService(SqlClient, client)
          )
        )
      assert.strictEqual(yield* takenOver(given, other.sql, live, live(away(other.sql, 8))), "entered")
      assert.deepStrictEqual(yield* other.amounts, [5])
    })
  )

  claim(
    "that fail for one that takes over, after plain work, are kept from coming later from its predecessor",
    Effect.fnUntraced(function*(given) {
      const other = yield* ledger(given)
      const log = new Log()
      let late: Effect.Effect<unknown, unknown> = Effect.void
      const frozen = withTransaction(
        other.sql,
        (real) => (effect) =>
          Effect.flatMap(Effect.context<never>(), (context) => {
            late = Effect.provideContext(real(effect) as Effect.Effect<unknown, unknown>, context)
            return Effect.andThen(log.add("sent"), Effect.never)
          })
      )
      const live = (client: SqlClient, entering: Effect.Effect<unknown, unknown, SqlClient>) =>
        Subject.toLayer(() =>
          Effect.promise(() => after(100)).pipe(
            Effect.andThen(Transaction.runElsewhere("enter", Effect.as(entering, "entered"))),
            Effect.provideService(SqlClient, client),
            Effect.catchTag("StepFailed", () => Effect.succeed("failed"))
          )
        )
      const first = yield* given.engine(live(frozen, other.add(5)))
      yield* first.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("sent")
      yield* first.close
      const second = yield* given.engine(live(other.sql, Effect.fail("no")))
      assert.strictEqual(yield* second.use(Subject.handle("w").result), "failed")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(late)), "the late commit is refused")
      assert.deepStrictEqual([yield* other.amounts, yield* other.completions], [[], 1])
    })
  )

  claim(
    "give it to one that has the transaction under another name",
    Effect.fnUntraced(function*(given) {
      const other = yield* ledger(given)
      const live = (name: string, renamed?: string) => (client: SqlClient) =>
        Subject.toLayer(() =>
          Transaction.runElsewhere(name, Effect.as(other.add(5), "entered"), { renamed }).pipe(
            Effect.provideService(SqlClient, client)
          )
        )
      const then = live("enter all", "enter")(other.sql)
      assert.strictEqual(yield* takenOver(given, other.sql, live("enter"), then), "entered")
      assert.deepStrictEqual(yield* other.amounts, [5])
    })
  )

  claim(
    "are made again for a workflow that has the id of a deleted one",
    Effect.fnUntraced(function*(given) {
      const other = yield* ledger(given)
      const { use } = yield* given.engine(
        Subject.toLayer(() =>
          Transaction.runElsewhere("enter", Effect.as(other.add(5), "entered")).pipe(
            Effect.provideService(SqlClient, other.sql)
          )
        )
      )
      for (let day = 0; day < 2; day++) {
        yield* use(Subject.execute(undefined, { workflowId: "daily" }))
        yield* use(Client.delete("daily"))
        // A millisecond, by which the two can be told apart.
        yield* given.store.adjustClock(1000)
      }
      assert.deepStrictEqual(yield* other.amounts, [5, 5])
    })
  )

  claim(
    "roll back over a typed error, which comes back as itself",
    Effect.fnUntraced(function*(given) {
      const other = yield* ledger(given)
      const { use } = yield* given.engine(
        Subject.toLayer(() =>
          Transaction.runElsewhere("enter", Effect.andThen(other.add(5), Effect.fail(new Poor({ missing: 3 }))), {
            error: Poor
          }).pipe(Effect.provideService(SqlClient, other.sql))
        )
      )
      assert.deepStrictEqual(yield* Effect.flip(use(Subject.execute())), new Poor({ missing: 3 }))
      assert.deepStrictEqual([yield* other.amounts, yield* other.completions], [[], 0])
    })
  )

  claim(
    "refuse to be within another transaction, to hold a durable operation, and to be cleaned up after by a body",
    Effect.fnUntraced(function*(given) {
      const other = yield* ledger(given)
      const enter = Transaction.runElsewhere("enter", other.add(5))
      const { use } = yield* given.engine(Subject.toLayer(() =>
        Effect.gen(function*() {
          const within = yield* Effect.flip(other.sql.withTransaction(enter))
          const holding = yield* Effect.flip(Transaction.runElsewhere("holds", Step.run("step", other.add(6))))
          const retaining = yield* reasonOf(Transaction.retainElsewhere({ olderThan: 0 }))
          return [within._tag === "WorkflowError" ? within.reason._tag : within._tag, holding._tag, retaining._tag]
        }).pipe(Effect.provideService(SqlClient, other.sql), Effect.orDie)
      ))
      assert.deepStrictEqual(yield* use(Subject.execute()), ["TransactionMisused", "StepFailed", "NotInBody"])
      assert.deepStrictEqual(yield* other.amounts, [])
    })
  )

  claim(
    "leave rows that go with their workflows, and not before",
    Effect.fnUntraced(function*(given) {
      const other = yield* ledger(given)
      const { use } = yield* given.engine(Subject.toLayer(() =>
        Transaction.runElsewhere("enter", other.add(5)).pipe(
          Effect.andThen(Workflow.sleep("1 day")),
          Effect.as(null),
          Effect.provideService(SqlClient, other.sql)
        )
      ))
      const retain = use(
        Transaction.retainElsewhere({ olderThan: 0 }).pipe(Effect.provideService(SqlClient, other.sql))
      )
      assert.strictEqual(yield* retain, 0)
      const handle = yield* use(Subject.start(undefined, { workflowId: "w" }))
      yield* use(Subject.start(undefined, { workflowId: "cancelled" }))
      yield* Effect.repeat(other.completions, { until: (count) => count === 2 })
      yield* use(Client.cancel("cancelled"))
      assert.strictEqual(yield* retain, 0)
      yield* given.store.adjustClock(86_400_000)
      yield* use(handle.result)
      // The clock of this process must have gone on since the row was made.
      yield* Effect.sleep(2)
      assert.deepStrictEqual([yield* retain, yield* other.completions], [1, 1])
    })
  )
})
