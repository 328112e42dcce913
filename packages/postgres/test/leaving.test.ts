/** An executor that says farewell and does not get any further. Hunts for work that nobody may have. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { join, startOwned } from "../../../test/conformance/verbs.ts"
import { freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

it.live("is taken for gone soon, however long its lease was", () =>
  Effect.gen(function*() {
    const { schema, store } = yield* open(freshSchema())
    yield* store.join({ incarnation: "i", executorId: "i", version: "1" }, 3_600_000)
    yield* join(store, "j")
    yield* startOwned(store, "w", "i")
    const stranger = yield* session
    yield* stranger.query("BEGIN")
    yield* stranger.query(`SELECT 1 FROM ${schema}.ownership WHERE workflow_id = 'w' FOR UPDATE`)
    const leaving = yield* Effect.forkChild(store.leave("i"))
    yield* Effect.repeat(stranger.queryValues(`SELECT state FROM ${schema}.executor WHERE incarnation = 'i'`, []), {
      until: ([row]) => row![0] === "leaving"
    })
    yield* Fiber.interrupt(leaving)
    yield* stranger.query("ROLLBACK")
    assert.strictEqual((yield* store.sweep(100)).released, 0)
    yield* store.adjustClock(11_000)
    assert.strictEqual((yield* store.sweep(100)).released, 1)
  }))

it.live("gives back all that it has, however much that is", () =>
  Effect.gen(function*() {
    const { schema, sql, store } = yield* open(freshSchema())
    yield* join(store, "i")
    yield* startOwned(store, "w", "i")
    yield* sql.unsafe(
      `INSERT INTO ${schema}.ownership (workflow_id, name, version, epoch, phase, executor)
       SELECT 'w' || n, 'Order', '1', 1, 'run', 'i' FROM generate_series(1, 26000) n`
    )
    yield* store.leave("i")
    assert.lengthOf(yield* store.owned("i"), 0)
  }))
