/** The rows of the table of bad input that are about what a body does; see badInput.test.ts. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { SqlClient } from "effect/sql/SqlClient"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import { type Given, onBothStores } from "./harness.ts"
import { failureOf, Log, reaches, reasonOf, stepsOf, suspends } from "./observing.ts"
import { twice, twiceWell } from "./twice.ts"

const Subject = Workflow.make("Subject", { success: Schema.String })

/** A table of the application's own. */
const tableOf = Effect.fnUntraced(function*({ number, sql }: Given) {
  const table = sql(`odd_${number}`)
  yield* sql`CREATE TABLE ${table} (id TEXT PRIMARY KEY)`
  return {
    insert: (id: string) => Effect.flatMap(SqlClient, (sql) => sql`INSERT INTO ${table} (id) VALUES (${id})`),
    ids: Effect.map(sql<{ id: string }>`SELECT id FROM ${table} ORDER BY id`, (rows) => rows.map(({ id }) => id))
  }
})

const asks = (...statements: ReadonlyArray<string>) =>
  Effect.flatMap(
    SqlClient,
    (sql) => Effect.forEach(statements, (statement) => sql.unsafe(statement).unprepared, { discard: true })
  )

onBothStores("bad input: what bodies do", (claim) => {
  claim(
    "I25 a step in a schema's decoding is never a record of its own",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const Asking = Schema.String.pipe(Schema.decodeTo(Schema.String, {
        decode: SchemaGetter.transformEffect((text: string) =>
          Effect.orDie(Step.run("decodes", log.effect("ran", text)))
        ),
        encode: SchemaGetter.transform((text: string) => text)
      }))
      const body = Effect.exit(Step.run("price", Effect.succeed("a"), { success: Asking }))
      const { live, replayed, steps } = yield* twiceWell(given, body)
      assert.deepStrictEqual(steps, ["0 step price"])
      assert.deepStrictEqual([live._tag, replayed._tag], [live._tag, live._tag])
    })
  )

  for (
    const [what, statements] of [
      ["commits", ["COMMIT"]],
      ["rolls back", ["ROLLBACK"]],
      ["commits and begins anew", ["COMMIT", "BEGIN"]]
    ] as const
  ) {
    claim(
      `I28 a transaction whose body ${what} by hand is refused, is not recorded as done, and the client is well`,
      Effect.fnUntraced(function*(given) {
        const table = yield* tableOf(given)
        const log = new Log()
        const body = reasonOf(
          Transaction.run("by hand", Effect.as(Effect.andThen(log.add("ran"), asks(...statements)), 1))
        )
        const { live, replayed, steps } = yield* twiceWell(given, body)
        assert.deepInclude(live, { _tag: "TransactionMisused", why: "ended" })
        assert.deepInclude(replayed, { _tag: "TransactionMisused", why: "ended" })
        assert.deepStrictEqual(steps, ["0 transaction by hand"])
        assert.strictEqual(log.count("ran"), 1)
        const { use } = yield* given.engine(
          Subject.toLayer(() => Transaction.run("after", Effect.as(Effect.orDie(table.insert("after")), "after")))
        )
        for (let i = 0; i < 8; i++) assert.lengthOf(yield* given.sql`SELECT 1 AS one`, 1)
        assert.strictEqual(yield* use(Subject.execute()), "after")
        assert.deepStrictEqual(yield* table.ids, ["after"])
      })
    )
  }

  claim(
    "I28 an error in a savepoint that is caught undoes the savepoint; what surrounds it commits",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const body = Transaction.run(
        "outer",
        Effect.gen(function*() {
          const sql = yield* SqlClient
          yield* table.insert("before")
          const inner = yield* Effect.exit(
            sql.withTransaction(Effect.andThen(table.insert("inner"), table.insert("before")))
          )
          const none = yield* Effect.exit(sql.unsafe("RELEASE SAVEPOINT nowhere").unprepared.pipe(sql.withTransaction))
          yield* table.insert("after")
          return [inner._tag, none._tag]
        })
      )
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual([live, replayed], Array(2).fill(["Failure", "Failure"]))
      assert.deepStrictEqual(yield* table.ids, ["after", "before"])
    })
  )

  claim(
    "I28 an error of the database that is caught in the body leaves nothing half done, and does not hang",
    Effect.fnUntraced(function*(given) {
      const table = yield* tableOf(given)
      const caught = Effect.gen(function*() {
        yield* table.insert("a")
        const again = yield* Effect.exit(table.insert("a"))
        return again._tag
      })
      const { live, replayed } = yield* twice(given, Transaction.run("caught", caught))
      // PostgreSQL has given the transaction up by then, SQLite only the statement.
      for (const exit of [live, replayed]) {
        if (given.kind === "sqlite") assert.deepStrictEqual(exit, Exit.succeed("Failure"))
        else assert.deepInclude(failureOf(exit).reason, { _tag: "TransactionMisused", why: "ended" })
      }
      assert.deepStrictEqual(yield* table.ids, given.kind === "sqlite" ? ["a"] : [])
      assert.lengthOf(yield* given.sql`SELECT 1 AS one`, 1)
    })
  )

  claim(
    "I29 a body sleeps no time at all where it is negative or NaN, and for ever where it is infinite",
    Effect.fnUntraced(function*(given) {
      const none = [0, -1, -Infinity, Number.NaN, "-5 minutes"] as const
      const { live, replayed, steps } = yield* twiceWell(
        given,
        Effect.as(
          Effect.forEach(none, (ms) => Effect.andThen(Effect.sleep(ms as never), Workflow.sleep(ms as never))),
          1
        )
      )
      assert.deepStrictEqual([live, replayed, steps], [1, 1, []])
      const { use } = yield* given.engine(Subject.toLayer(() => Effect.as(Workflow.sleep(Infinity), "woke")))
      yield* use(Subject.start(undefined, { workflowId: "w" }))
      assert.deepStrictEqual((yield* use(suspends("w"))).waits, [{ what: "sleep", until: undefined }])
      yield* given.store.adjustClock(1000 * 365 * 86_400_000)
      assert.strictEqual((yield* use(Client.get("w"))).status, "PENDING")
      yield* use(Client.cancel("w"))
      yield* use(reaches("w", "CANCELLED"))
      assert.deepStrictEqual(yield* use(stepsOf("w")), [])
    })
  )

  // Past the last Date, past the integers that a double tells apart, past 64 bits, past the largest double.
  const endless = [8_640_000_000_000_000, Number.MAX_SAFE_INTEGER, 1e19, Number.MAX_VALUE] as const

  claim(
    "I29 a sleep or a timeout whose end no date has is one without end, and keeps no other workflow from running",
    Effect.fnUntraced(function*(given) {
      const Sleeper = Workflow.make("Sleeper", { payload: { ms: Schema.Number }, success: Schema.String })
      const { use } = yield* given.engine(
        Sleeper.toLayer(({ ms }) =>
          Effect.as(
            Effect.timeoutOption(Effect.andThen(Effect.sleep(ms), Step.run("slept", Effect.void)), ms + 1),
            "woke"
          )
        )
      )
      for (const [index, ms] of endless.entries()) {
        const workflowId = `w${index}`
        yield* use(Sleeper.start({ ms }, { workflowId }))
        const wait = { what: "sleep", until: undefined }
        assert.deepStrictEqual((yield* use(suspends(workflowId))).waits, [wait, wait])
        const { text, why } = yield* use(Client.explain(workflowId))
        assert.deepInclude(why, { _tag: "Suspended", wakesAt: undefined })
        assert.include(text, "sleep, or sleep")
      }
      yield* use(Sleeper.start({ ms: 1000 }, { workflowId: "short" }))
      yield* use(suspends("short"))
      yield* given.store.adjustClock(1000)
      assert.strictEqual(yield* use(Sleeper.handle("short").result), "woke")
      for (const index of endless.keys()) {
        yield* use(Client.cancel(`w${index}`))
        yield* use(reaches(`w${index}`, "CANCELLED"))
      }
    })
  )
})
