/**
 * Writes as fast as it can, and copies its log into the file at nearly every commit. Prints what was acknowledged:
 * "started <id>", where the same write has started "<id>-twin" too, and "recorded <id>".
 */
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { once } from "node:events"
import { Store } from "perdure/Store"
import { advance, record, start } from "../operations.ts"

const [, , filename, name] = process.argv

const lane = Effect.fnUntraced(function*(lane: number) {
  const store = yield* Store
  for (let index = 0;; index++) {
    const id = `${name}-${lane}-${index}`
    const payload = JSON.stringify("x".repeat(Math.random() * 20_000))
    yield* store.write([start(id, { owner: name!, payload }), start(`${id}-twin`, { owner: null })])
    console.log(`started ${id}`)
    yield* store.write([advance(id, 1, { records: [record(0), record(1)] })])
    console.log(`recorded ${id}`)
  }
})

const program = Effect.gen(function*() {
  const store = yield* Store
  const sql = yield* SqlClient
  yield* sql`PRAGMA wal_autocheckpoint = 10`
  yield* store.join({ incarnation: name!, executorId: "local", version: "1" }, 600_000)
  yield* Effect.forEach([0, 1, 2], lane, { concurrency: "unbounded", discard: true })
})

console.log("ready")
await once(process.stdin, "data")
await Effect.runPromise(Effect.provide(program, SqliteStore.layer({ filename: filename! })))
