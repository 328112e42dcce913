/** The class of bug hunted here: messages that wait in the outbox for ever, or that hold up others who wait for nothing of it. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { SqlClient } from "effect/sql/SqlClient"
import * as TestClock from "effect/testing/TestClock"
import { type Answer, type Operation, StoreError, type StoreService, StoreUnavailable } from "perdure/Store"
import { send } from "../../../test/conformance/builders.ts"
import { join, startOwned } from "../../../test/conformance/verbs.ts"
import type { Database, Values } from "../src/internal/database.ts"
import * as Outbox from "../src/internal/outbox.ts"
import { freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

/** A message to `w` that a transaction has sent, and the lease of `gone`, who has another workflow, has lapsed. */
const given = Effect.gen(function*() {
  const all = yield* open(freshSchema())
  const { sql, store } = all
  yield* store.join({ incarnation: "gone", executorId: "gone", version: "1" }, 1_000)
  yield* startOwned(store, "left", "gone")
  yield* join(store, "i")
  yield* startOwned(store, "w", "i")
  yield* store.adjustClock(2_000)
  const post = Effect.provideService(sql.withTransaction(store.within([], [send("w", "m")])), SqlClient, sql)
  const arrived = Effect.repeat(
    Effect.andThen(store.sweep(100), store.messages("w", { topic: null, limit: 1 })),
    { until: ({ length }) => length > 0 }
  )
  return { ...all, post, arrived }
})

it.live("what cannot be read of it keeps no sweep from recovering", () =>
  Effect.gen(function*() {
    const { arrived, post, schema, sql, store } = yield* given
    yield* sql.unsafe(`ALTER TABLE ${schema}.outbox RENAME COLUMN topic TO subject`)
    assert.strictEqual((yield* store.sweep(100)).released, 1)
    yield* sql.unsafe(`ALTER TABLE ${schema}.outbox RENAME COLUMN subject TO topic`)
    yield* post
    yield* arrived
  }))

it.live("who holds it keeps no sweep from recovering", () =>
  Effect.gen(function*() {
    const { arrived, post, schema, store } = yield* given
    const stranger = yield* session
    yield* stranger.query("BEGIN")
    yield* stranger.query(`LOCK TABLE ${schema}.outbox`)
    assert.strictEqual((yield* store.sweep(100)).released, 1)
    yield* stranger.query("ROLLBACK")
    yield* post
    yield* arrived
  }))

it.effect("a database that does not answer is given up, and what waits goes out once it answers again", () =>
  Effect.gen(function*() {
    const delivered: Array<Operation> = []
    const answers: Array<Effect.Effect<Values>> = [
      Effect.never,
      Effect.succeed([["1", "w", "m", "topic", "1", "json", null]]),
      Effect.succeed([])
    ]
    const database = { s: "s", query: () => answers.shift() ?? Effect.succeed([]) } as unknown as Database
    const write: StoreService["write"] = (batch) =>
      Effect.sync(() => {
        delivered.push(...batch)
        return batch.map(() => ({ _tag: "Delivered" as const }))
      })
    const drain = Outbox.make(database, write, () => Effect.void, yield* Effect.scope)
    yield* drain
    yield* TestClock.adjust("29 seconds")
    yield* drain
    assert.lengthOf(answers, 2)
    yield* TestClock.adjust("1 second")
    yield* drain
    yield* TestClock.adjust("1 second")
    assert.lengthOf(delivered, 1)
  }))

/** Drains messages to these into what answers each operation like this. Which were deleted, statement by statement. */
const drained = (destinations: ReadonlyArray<string>, answer: (n: number) => Effect.Effect<Answer>) =>
  Effect.gen(function*() {
    const emptied: Array<unknown> = []
    let rows: Values = destinations.map((to, n) => [String(n), to, `m${n}`, "topic", "1", "json", null])
    const query: Database["query"] = (sql, [of] = []) =>
      Effect.sync(() => {
        if (sql.includes("DELETE")) emptied.push(of)
        const found = rows
        rows = []
        return found
      })
    let written = 0
    const write: StoreService["write"] = (batch) => Effect.forEach(batch, () => answer(written++))
    yield* Outbox.make({ s: "s", query } as Database, write, () => Effect.void, yield* Effect.scope)
    yield* TestClock.adjust("1 minute")
    return { emptied, written }
  })

it.effect("messages to a workflow that has ended are dropped together, not one by one", () =>
  Effect.gen(function*() {
    const ended = (): Effect.Effect<Answer> => Effect.succeed({ _tag: "SendRefused", index: 0, why: "ended" })
    assert.deepStrictEqual(yield* drained(["w", "w", "w"], ended), { emptied: [["0", "1", "2"]], written: 1 })
  }))

it.effect("what was dealt with before the database fell silent is not dealt with again", () =>
  Effect.gen(function*() {
    const conflicts = (n: number): Effect.Effect<Answer> =>
      n < 2 ? Effect.succeed({ _tag: "SendRefused", index: 0, why: "conflict" }) : Effect.never
    assert.deepStrictEqual(yield* drained(["w", "w", "w", "w"], conflicts), { emptied: [["0"], ["1"]], written: 3 })
  }))

it.effect("that it cannot be delivered is told once, until it can", () =>
  Effect.gen(function*() {
    const told: Array<unknown> = []
    let isThere = false
    const down = new StoreError({ reason: new StoreUnavailable({ message: "no connection" }) })
    const query = () => isThere ? Effect.succeed([]) : Effect.fail(down)
    const database = { s: "s", query } as unknown as Database
    const drain = Outbox.make(database, () => Effect.succeed([]), () => Effect.void, yield* Effect.scope).pipe(
      Effect.andThen(Effect.yieldNow),
      Effect.provide(Logger.layer([Logger.make(({ message }) => void told.push(message))]))
    )
    for (const [there, count] of [[false, 1], [false, 1], [true, 1], [false, 2]] as const) {
      isThere = there
      yield* drain
      assert.lengthOf(told, count)
    }
  }))
