/** What is unknown is submitted again: the connection dies in the middle of anything, and nothing is lost or doubled. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Operation, StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, childOf, record, start, succeed } from "../builders.ts"
import { historyOf, join, write } from "../verbs.ts"

/** As the journal does: the same operations again until they are answered. */
const persistently = (store: StoreService, batch: ReadonlyArray<Operation>) =>
  Effect.retry(write(store, batch), { while: (error) => error.isRetryable, times: 1_000 })

export const outages: Suite = (claim) => {
  claim(
    "sessions that are killed under a writer make it fail retryably; submitted again, each write is there once",
    (given) =>
      Effect.gen(function*() {
        const { store } = given
        const other = yield* given.another
        yield* join(store, "i")
        let failures = 0
        let written = 0
        const persist = (batch: ReadonlyArray<Operation>) =>
          persistently({
            ...store,
            write: (operations) =>
              store.write(operations).pipe(
                Effect.tap(() => Effect.sync(() => written++)),
                Effect.tapError(() => Effect.sync(() => failures++))
              )
          }, batch)
        const kill = Effect.forever(Effect.gen(function*() {
          yield* other.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid()`
          // A new session has been opened and used; then in the middle of anything.
          const before = written
          yield* Effect.repeat(Effect.sleep(1), { until: () => written > before, times: 2_000 })
          yield* Effect.suspend(() => Effect.sleep(20 * Math.random()))
        }))
        const work = Effect.gen(function*() {
          for (let round = 0; round < 60 || failures < 5; round++) {
            const ids = [`a${round}`, `b${round}`]
            const started = yield* persist(ids.map((workflowId) => start({ workflowId, owner: "i" })))
            for (const { _tag } of started) assert.strictEqual(_tag, "Started")
            for (
              const batch of [
                ids.map((id) => advance(id, 1, { records: [record(0)], children: [childOf(id, 0)] })),
                ids.map((id) => advance(id, 1, { records: [record(1)], end: succeed }))
              ]
            ) {
              for (const { _tag } of yield* persist(batch)) assert.strictEqual(_tag, "Recorded")
            }
            for (const id of ids) {
              const steps = yield* Effect.retry(historyOf(store, id), { times: 1_000 })
              assert.deepStrictEqual(steps, [record(0), record(1)])
            }
          }
        })
        yield* Effect.raceFirst(work, kill)
      }),
    "postgres"
  )
}
