/**
 * Commits whose answer was lost. Hunts for an outcome that is recorded and never was: a failure written by a run that
 * had no right to decide any more, or one that the body sees and a replay does not.
 */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import * as Step from "perdure/Step"
import * as StepStatus from "perdure/StepStatus"
import { type Operation, type StepRecord, StoreError, StoreUnavailable, TransactionAborted } from "perdure/Store"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import { counters } from "../counters.ts"
import { type Given, onBothStores, storeOf } from "./harness.ts"
import { Log, stepsOf } from "./observing.ts"
import { twice } from "./twice.ts"

const Subject = Workflow.make("Subject", { success: Schema.String })
const hour = 3_600_000

const away = new StoreError({ reason: new StoreUnavailable({ message: "The store is away" }) })
const lost = new TransactionAborted({ why: "unknown", message: "the connection was lost in the commit" })

/** Transactions of the first owner are rolled back when they would commit, and nobody can tell. */
const loseFirst = (given: Given): void => {
  const store = storeOf(given)
  const { transaction } = store
  let first: number | undefined
  store.transaction = (workflowId, epoch, body, record, options) =>
    epoch > (first ??= epoch)
      ? transaction(workflowId, epoch, body, record, options)
      : transaction(
        workflowId,
        epoch,
        body,
        (value) => Effect.andThen(record(value), Effect.fail(lost as any)),
        options
      )
}

/** The commit of an attempt whose answer was lost, when it comes at last. */
const lateCommit = (
  { sql }: Given,
  commit: (record: () => Effect.Effect<StepRecord>) => Effect.Effect<unknown, any, SqlClient>
) =>
(failed: StepRecord): Effect.Effect<unknown, any> =>
  Effect.provideService(
    commit(() => Effect.succeed({ ...failed, outcome: "success", value: "\"done\"" })),
    SqlClient,
    sql
  )

/** The record of a transaction's failure that is about to be written. */
const failureIn = (batch: ReadonlyArray<Operation>): StepRecord | undefined =>
  batch.flatMap((one) => one._tag === "Advance" ? one.records : [])
    .find((record) => record.kind === "transaction" && record.outcome === "failure")

const tableOf = Effect.fnUntraced(function*({ number, sql }: Given) {
  const table = sql(`doubt_${number}`)
  yield* sql`CREATE TABLE ${table} (id TEXT NOT NULL)`
  return {
    insert: Effect.flatMap(SqlClient, (sql) => Effect.asVoid(sql`INSERT INTO ${table} (id) VALUES ('a')`)),
    rows: Effect.map(sql`SELECT id FROM ${table}`, (rows) => rows.length)
  }
})

onBothStores("a commit whose answer was lost", (claim) => {
  claim(
    "is the next owner's to find out when the lease is lost, and not a failure",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      loseFirst(given)
      // The loss is known here for some beats before anybody takes the workflow away.
      const store = storeOf(given)
      const { heartbeat, sweep } = store
      let beats = 0
      store.heartbeat = (...args) =>
        Effect.tap(
          heartbeat(...args),
          ({ alive }) => Effect.sync(() => (beats += beats > 0 || !alive ? 1 : 0))
        )
      store.sweep = (limit) =>
        Effect.suspend(() =>
          beats > 5 ? sweep(limit) : Effect.succeed({ released: 0, deadLettered: [], expired: [], more: false })
        )
      const live = Subject.toLayer(() =>
        Effect.orDie(
          Transaction.run("enter", Effect.as(Effect.andThen(table.insert, log.add("ran")), "done"))
        )
      )
      const engine = yield* given.engine(live, { lease: "1 hour", heartbeat: "100 millis" })
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("ran", 2)
      yield* given.store.adjustClock(2 * hour)
      assert.strictEqual(yield* engine.use(Subject.handle("w").result), "done")
      assert.deepStrictEqual(yield* engine.use(stepsOf("w")), ["0 transaction enter"])
      assert.strictEqual(yield* table.rows, 1)
    })
  )

  claim(
    "is found out by who has it, although its lease had no time left when it asked",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      const store = storeOf(given)
      const { heartbeat, transaction } = store
      let away = false
      store.heartbeat = (...args) => Effect.suspend(() => away ? Effect.never : heartbeat(...args))
      let first = true
      store.transaction = (workflowId, epoch, body, record, options) =>
        Effect.suspend(() => {
          const losing = (value: any) => Effect.andThen(record(value), Effect.fail(lost as any))
          const made = transaction(workflowId, epoch, body, first ? losing : record, options)
          if (!first) return made
          first = false
          away = true
          // No beat is answered for so long that nothing may start any more; the database's clock does not end the lease.
          return Effect.orDie(store.adjustClock(-hour)).pipe(
            Effect.andThen(Effect.exit(made)),
            Effect.tap(() => Effect.andThen(Effect.sleep(1200), log.add("lost"))),
            Effect.flatten
          )
        })
      const live = Subject.toLayer(() =>
        Effect.orDie(Transaction.run("enter", Effect.as(Effect.andThen(table.insert, log.add("ran")), "done")))
      )
      const engine = yield* given.engine(live, { lease: "800 millis", heartbeat: "100 millis" })
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("lost")
      // It asks again meanwhile.
      yield* Effect.sleep(200)
      away = false
      assert.strictEqual(yield* engine.use(Subject.handle("w").result), "done")
      assert.deepStrictEqual(yield* engine.use(stepsOf("w")), ["0 transaction enter"])
    })
  )

  claim(
    "is the next owner's to find out when the engine closes, and not a failure",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      loseFirst(given)
      const live = Subject.toLayer(() =>
        Effect.orDie(
          Transaction.run("enter", Effect.as(Effect.andThen(table.insert, log.add("ran")), "done"))
        )
      )
      const first = yield* given.engine(live)
      yield* first.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("ran", 2)
      yield* first.close
      const second = yield* given.engine(live)
      assert.strictEqual(yield* second.use(Subject.handle("w").result), "done")
      assert.deepStrictEqual(yield* second.use(stepsOf("w")), ["0 transaction enter"])
      assert.strictEqual(yield* table.rows, 1)
    })
  )

  claim(
    "is what the body gets when it was made, although the next attempt dies",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      const store = storeOf(given)
      const { transaction } = store
      store.transaction = (...given) =>
        Effect.flatMap(transaction(...given), () => Effect.andThen(log.add("made"), Effect.fail(lost)))
      const body = Transaction.run(
        "enter",
        Effect.suspend(() => log.count("made") > 0 ? Effect.die(new Error("broken")) : Effect.as(table.insert, "done"))
      )
      const { live, replayed } = yield* twice(given, body)
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(live, Exit.succeed("done"))
      assert.strictEqual(yield* table.rows, 1)
    })
  )

  claim(
    "is what the body gets when it comes while a failure is about to be recorded",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const store = storeOf(given)
      const { transaction, write } = store
      let late: ((record: StepRecord) => Effect.Effect<unknown, any>) | undefined
      store.transaction = (workflowId, epoch, body, record, options) =>
        late !== undefined ? transaction(workflowId, epoch, body, record, options) : Effect.suspend(() => {
          late = lateCommit(given, (record) => transaction(workflowId, epoch, table.insert, record, options))
          return Effect.andThen(record("done" as any), Effect.fail(lost as any))
        })
      store.write = (batch) => {
        const failed = failureIn(batch)
        return failed === undefined ? write(batch) : Effect.andThen(Effect.exit(late!(failed)), write(batch))
      }
      const body = Transaction.run(
        "enter",
        Effect.suspend(() => late === undefined ? Effect.succeed("never") : Effect.die(new Error("broken")))
      )
      const { live, replayed } = yield* twice(given, body)
      assert.deepStrictEqual([live, replayed], [Exit.succeed("done"), Exit.succeed("done")])
      assert.strictEqual(yield* table.rows, 1)
    })
  )

  claim(
    "is what the body gets when it comes at last, and what another branch writes meanwhile is written",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      const contested = yield* Deferred.make<void>()
      const store = storeOf(given)
      const { transaction, write } = store
      let late: ((record: StepRecord) => Effect.Effect<unknown, any>) | undefined
      store.transaction = (workflowId, epoch, _, record, options) => {
        if (late !== undefined) return Effect.die(new Error("broken"))
        late = lateCommit(given, (record) => transaction(workflowId, epoch, table.insert, record, options))
        return Effect.andThen(record("done" as any), Effect.fail(lost as any))
      }
      // The first commit holds the row for some looks more, and comes then.
      let looks = 0
      store.write = (batch) => {
        const failed = failureIn(batch)
        if (failed === undefined) return write(batch)
        Deferred.doneUnsafe(contested, Exit.void)
        if (log.count("failing") === 0 || ++looks < 3) return Effect.succeed(batch.map(() => ({ _tag: "Busy" })))
        return Effect.andThen(Effect.exit(late!(failed)), write(batch))
      }
      const body = Effect.all([
        Transaction.run("enter", Effect.succeed("never")),
        Step.run(
          "beside",
          Effect.flatMap(StepStatus.current, (status) =>
            status!.currentAttempt > 0
              ? Effect.succeed("ended")
              : Deferred.await(contested).pipe(
                Effect.andThen(log.add("failing")),
                Effect.andThen(Effect.fail("once"))
              )),
          { retry: { maxAttempts: 2, interval: 1 } }
        )
      ], { concurrency: "unbounded" })
      const { live, replayed } = yield* twice(given, body)
      assert.deepStrictEqual([live, replayed], [Exit.succeed(["done", "ended"]), Exit.succeed(["done", "ended"])])
      assert.strictEqual(yield* table.rows, 1)
    })
  )

  claim(
    "is a defect for good when it was not made and the next attempt dies",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const log = new Log()
      loseFirst(given)
      const body = Transaction.run(
        "enter",
        Effect.suspend(() =>
          log.count("ran") > 0 ? Effect.die(new Error("broken")) : Effect.andThen(table.insert, log.add("ran"))
        )
      )
      const { live, replayed } = yield* twice(given, body)
      for (const exit of [live, replayed]) assert.match(String(exit), /broken/)
      assert.strictEqual(yield* table.rows, 0)
    })
  )

  claim(
    "counts as a write that failed and was made again, like one that the store refused, and its record counts once",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const store = storeOf(given)
      const { transaction } = store
      let tries = 0
      store.transaction = (...asked) =>
        Effect.suspend(() => {
          switch (++tries) {
            case 1:
              return Effect.fail(away)
            case 2:
              return Effect.andThen(transaction(...asked), Effect.fail(lost))
            default:
              return transaction(...asked)
          }
        })
      const live = Subject.toLayer(() => Effect.orDie(Transaction.run("enter", Effect.as(table.insert, "done"))))
      const engine = yield* given.engine(live)
      const before = yield* counters
      assert.strictEqual(yield* engine.use(Subject.execute(undefined, { workflowId: "w" })), "done")
      const after = yield* counters
      const more = (name: string) => (after[name] ?? 0) - (before[name] ?? 0)
      assert.deepStrictEqual([tries, more("perdure_journal_failures"), more("perdure_steps_recorded")], [3, 2, 1])
      assert.strictEqual(yield* table.rows, 1)
    })
  )
})
