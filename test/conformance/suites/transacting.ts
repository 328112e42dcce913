import { assert } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { SqlClient } from "effect/sql/SqlClient"
import { type StepRecord, TransactionAborted } from "perdure/Store"
import type { Client, Suite } from "../Backend.ts"
import { advance, record } from "../builders.ts"
import { cancel, historyOf, join, recorded, startOwned, submit } from "../verbs.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly amount: number }> {}

const options = { isolation: undefined, timeoutMs: 30_000 } as const

/** A table of the application, and a workflow that writes to it. */
const shop = Effect.fnUntraced(function*({ sql, store }: Client, ...workflowIds: ReadonlyArray<string>) {
  yield* sql`CREATE TABLE IF NOT EXISTS payment (id TEXT NOT NULL, amount INTEGER NOT NULL)`
  yield* sql`DELETE FROM payment`
  yield* join(store, "i")
  for (const id of workflowIds) yield* startOwned(store, id, "i")
})

const pay = (amount: number) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    yield* sql`INSERT INTO payment (id, amount) VALUES ('p', ${amount})`
    return amount
  })

const payments = ({ sql }: Client) =>
  Effect.map(
    sql<{ amount: number }>`SELECT amount FROM payment ORDER BY amount`,
    (rows) => rows.map(({ amount }) => Number(amount))
  )

const asStep = (stepId: number) => (value: unknown): Effect.Effect<StepRecord> =>
  Effect.succeed(record(stepId, { kind: "transaction", value: JSON.stringify(value) }))

/** Runs it with the client's own `SqlClient`; the reason of a `TransactionAborted`, else its value. */
const run = <A, E>(client: Client, body: Effect.Effect<A, E, SqlClient>, epoch = 1, stepId = 0) =>
  client.store.transaction("w", epoch, body, asStep(stepId), options).pipe(
    Effect.catchIf((error) => error instanceof TransactionAborted, ({ why }) => Effect.succeed(why)),
    Effect.provideService(SqlClient, client.sql)
  )

export const transacting: Suite = (claim) => {
  claim("the application's rows and the record are committed together", (given) =>
    Effect.gen(function*() {
      yield* shop(given, "w")
      assert.strictEqual(yield* run(given, pay(5)), 5)
      assert.deepStrictEqual(yield* payments(given), [5])
      assert.deepStrictEqual(
        yield* historyOf(given.store, "w"),
        [record(0, { kind: "transaction", value: "5" })]
      )
      yield* recorded(given.store, advance("w", 1, { records: [record(1)] }))
    }))

  claim("a typed error of the body comes back as itself, with nothing committed", (given) =>
    Effect.gen(function*() {
      yield* shop(given, "w")
      const body = Effect.andThen(pay(5), Effect.fail(new Refused({ amount: 5 })))
      const error = yield* Effect.flip(run(given, body))
      assert.instanceOf(error, Refused)
      assert.deepStrictEqual([yield* payments(given), yield* historyOf(given.store, "w")], [[], []])
      assert.strictEqual(yield* run(given, pay(6)), 6)
    }))

  claim("a defect of the body, or a record that cannot be made, commits nothing", (given) =>
    Effect.gen(function*() {
      yield* shop(given, "w")
      const defect = yield* Effect.exit(run(given, Effect.andThen(pay(1), Effect.die(new Error("broken")))))
      assert.isTrue(Exit.isFailure(defect))
      const unrecorded = yield* Effect.exit(
        given.store.transaction("w", 1, Effect.orDie(pay(2)), () => Effect.fail(new Refused({ amount: 2 })), options)
          .pipe(
            Effect.provideService(SqlClient, given.sql)
          )
      )
      assert.isTrue(Exit.isFailure(unrecorded))
      assert.deepStrictEqual([yield* payments(given), yield* historyOf(given.store, "w")], [[], []])
      assert.strictEqual(yield* run(given, pay(3)), 3)
    }))

  claim(
    "a failing statement is an SqlError, with nothing committed, and the session is healthy after it",
    (given) =>
      Effect.gen(function*() {
        yield* shop(given, "w")
        const broken = Effect.andThen(pay(1), Effect.flatMap(SqlClient, (sql) => sql`SELECT * FROM no_such_table`))
        const error = yield* Effect.flip(run(given, broken))
        assert.strictEqual(error._tag, "SqlError")
        for (let again = 0; again < 3; again++) assert.deepStrictEqual(yield* payments(given), [])
        assert.strictEqual(yield* run(given, pay(2)), 2)
      })
  )

  for (const statements of [["COMMIT"], ["ROLLBACK"], ["COMMIT", "BEGIN"]]) {
    claim(
      `a body that ends its transaction by hand (${statements.join("; ")}) is told, and nothing is recorded`,
      (given) =>
        Effect.gen(function*() {
          yield* shop(given, "w")
          const body = Effect.flatMap(
            SqlClient,
            (sql) => Effect.forEach(statements, (statement) => sql.unsafe(statement).unprepared, { discard: true })
          )
          assert.strictEqual(yield* run(given, body), "ended")
          assert.deepStrictEqual(yield* historyOf(given.store, "w"), [])
          // The client is as before, and so is the workflow.
          assert.strictEqual(yield* run(given, pay(5)), 5)
          assert.deepStrictEqual(yield* payments(given), [5])
        })
    )
  }

  claim(
    "a body that goes on after a statement that ended its transaction is told, and nothing is committed",
    (given) =>
      Effect.gen(function*() {
        yield* shop(given, "w")
        const body = Effect.andThen(
          pay(1),
          Effect.exit(Effect.flatMap(SqlClient, (sql) => sql`INSERT INTO nowhere VALUES (1)`))
        )
        assert.strictEqual(yield* run(given, Effect.as(body, 1)), "ended")
        assert.deepStrictEqual([yield* payments(given), yield* historyOf(given.store, "w")], [[], []])
        const within = Effect.flatMap(
          SqlClient,
          (sql) => Effect.exit(sql.withTransaction(sql`INSERT INTO nowhere VALUES (1)`))
        )
        assert.strictEqual(yield* run(given, Effect.andThen(within, pay(5))), 5)
        assert.deepStrictEqual(yield* payments(given), [5])
      }),
    "postgres"
  )

  claim("an interrupted body commits nothing and lets others write", (given) =>
    Effect.gen(function*() {
      yield* shop(given, "w")
      const inside = yield* Deferred.make<void>()
      const body = pay(1).pipe(Effect.andThen(Deferred.succeed(inside, undefined)), Effect.andThen(Effect.never))
      const fiber = yield* Effect.forkChild(run(given, body))
      yield* Deferred.await(inside)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([yield* payments(given), yield* historyOf(given.store, "w")], [[], []])
      assert.strictEqual(yield* run(given, pay(2)), 2)
    }))

  claim("under an epoch that is over it is fenced, with nothing committed", (given) =>
    Effect.gen(function*() {
      yield* shop(given, "w")
      assert.strictEqual(yield* run(given, pay(1), 2), "fenced")
      yield* cancel(given.store, ["w"])
      assert.strictEqual(yield* run(given, pay(1)), "fenced")
      assert.deepStrictEqual([yield* payments(given), yield* historyOf(given.store, "w")], [[], []])
    }))

  claim(
    "when the record is there already it exists, and the application's row is there once",
    (given) =>
      Effect.gen(function*() {
        yield* shop(given, "w")
        assert.strictEqual(yield* run(given, pay(1)), 1)
        assert.strictEqual(yield* run(given, pay(1)), "exists")
        assert.deepStrictEqual(yield* payments(given), [1])
        assert.deepStrictEqual(
          yield* historyOf(given.store, "w"),
          [record(0, { kind: "transaction", value: "1" })]
        )
      })
  )

  claim("of the same transaction twice at the same time one commits", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      for (let round = 0; round < 40; round++) {
        yield* shop(given)
        if (round === 0) yield* startOwned(given.store, "w", "i")
        const results = yield* Effect.all([run(given, pay(1), 1, round), run(other, pay(1), 1, round)], {
          concurrency: "unbounded"
        })
        assert.include(results, 1)
        assert.isTrue(results.includes("exists") || results.includes("conflict"), String(results))
        assert.deepStrictEqual(yield* payments(given), [1])
      }
      assert.lengthOf(yield* historyOf(given.store, "w"), 40)
    }))

  claim(
    "inside a transaction of the application it is refused as nested, and nothing runs",
    (given) =>
      Effect.gen(function*() {
        yield* shop(given, "w")
        const why = yield* given.sql.withTransaction(run(given, pay(1)))
        assert.strictEqual(why, "nested")
        assert.deepStrictEqual([yield* payments(given), yield* historyOf(given.store, "w")], [[], []])
      })
  )

  claim("a client of another database is refused as foreign, and nothing runs", (given) =>
    Effect.gen(function*() {
      const other = yield* Effect.flatMap(given.elsewhere, given.connect)
      yield* shop(given, "w")
      let ran = false
      const why = yield* run({ store: given.store, sql: other.sql }, Effect.sync(() => ran = true))
      assert.deepStrictEqual([why, ran, yield* historyOf(given.store, "w")], ["foreign", false, []])
    }))

  claim("an open transaction does not hold up a cancel, and finds itself fenced", (given) =>
    Effect.gen(function*() {
      yield* shop(given, "w")
      const body = Effect.andThen(pay(1), cancel(given.store, ["w"]))
      assert.strictEqual(yield* run(given, body), "fenced")
      assert.deepStrictEqual([yield* payments(given), yield* historyOf(given.store, "w")], [[], []])
    }), "postgres")

  claim(
    "an open transaction does not hold up the records of its own and other workflows",
    (given) =>
      Effect.gen(function*() {
        yield* shop(given, "w", "v")
        const write = (id: string) => submit(given.store, advance(id, 1, { records: [record(1)] }))
        const body = Effect.andThen(pay(1), Effect.all([write("w"), write("v")]))
        const answers = yield* run(given, Effect.map(body, (all) => all.map(({ _tag }) => _tag)))
        assert.deepStrictEqual(answers, ["Recorded", "Recorded"])
        assert.lengthOf(yield* historyOf(given.store, "w"), 2)
      }),
    "postgres"
  )

  claim(
    "of two serializable transactions that skew each other one is a conflict, and leaves nothing",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        yield* shop(given, "w", "v")
        const bothRead = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
        const body = (mine: 0 | 1) =>
          Effect.gen(function*() {
            const sql = yield* SqlClient
            yield* sql`SELECT count(*) FROM payment`
            yield* Deferred.succeed(bothRead[mine], undefined)
            yield* Deferred.await(bothRead[mine === 0 ? 1 : 0])
            return yield* pay(mine)
          })
        const serializable = (client: Client, id: string, mine: 0 | 1) =>
          client.store.transaction(id, 1, body(mine), asStep(0), { ...options, isolation: "serializable" }).pipe(
            Effect.catchTag("TransactionAborted", ({ why }) => Effect.succeed(why)),
            Effect.provideService(SqlClient, client.sql)
          )
        const results = yield* Effect.all([serializable(given, "w", 0), serializable(other, "v", 1)], {
          concurrency: "unbounded"
        })
        assert.lengthOf(results.filter((result) => result === "conflict"), 1, String(results))
        const winner = results.findIndex((result) => result !== "conflict")
        assert.deepStrictEqual(yield* payments(given), [winner])
        assert.lengthOf(yield* historyOf(given.store, winner === 0 ? "v" : "w"), 0)
      }),
    "postgres"
  )

  claim(
    "a body that takes longer than its limit is ended, commits nothing, and holds no lock",
    (given) =>
      Effect.gen(function*() {
        yield* shop(given, "w")
        const hanging = given.store.transaction("w", 1, Effect.andThen(pay(1), Effect.never), asStep(0), {
          ...options,
          timeoutMs: 50
        })
        const exit = yield* Effect.exit(Effect.provideService(hanging, SqlClient, given.sql))
        assert.isTrue(Exit.isFailure(exit))
        assert.deepStrictEqual([yield* payments(given), yield* historyOf(given.store, "w")], [[], []])
        assert.strictEqual(yield* run(given, pay(2)), 2)
      })
  )
}
