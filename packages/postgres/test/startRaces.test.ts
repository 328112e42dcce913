/**
 * The class of bug hunted here: a flush that has looked for a workflow before somebody else starts it, and writes what
 * belongs to a new one after it. Each test holds the flush between the two.
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { SqlClient } from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import type { Operation } from "perdure/Store"
import { advance, childOf, start } from "../../../test/conformance/builders.ts"
import { enqueue, place, queued, withQueue } from "../../../test/conformance/queues.ts"
import { cancel, recorded, startOwned, submit } from "../../../test/conformance/verbs.ts"
import { classify } from "../src/internal/errors.ts"
import { flushIn, freshSchema, open, session, untilHeld, useDatabase } from "./given.ts"

useDatabase()

const given = Effect.suspend(() => open(freshSchema()))

const started = { _tag: "Started" } as const

/** A flush that waits for others as long as it takes, and looks again when it is told to. */
const patiently = (connection: PgConnection.PgConnection, schema: string, batch: ReadonlyArray<Operation>) =>
  Effect.retry(flushIn(connection, schema, batch, 60_000), {
    while: (error) => isSqlError(error) && classify(error) === "conflict"
  })

/** Does `late`, which takes the deduplication id `a`, and `meanwhile` while it waits to get it. */
const held = Effect.fnUntraced(function*<A, E, R, E2, R2>(
  schema: string,
  late: Effect.Effect<A, E, R>,
  meanwhile: Effect.Effect<unknown, E2, R2>
) {
  const stranger = yield* session
  yield* stranger.query("BEGIN")
  yield* flushIn(stranger, schema, [queued("stranger", { deduplicationId: "a" })])
  const fiber = yield* Effect.forkChild(late)
  yield* untilHeld(stranger, fiber)
  yield* meanwhile
  yield* stranger.query("ROLLBACK")
  return yield* Fiber.join(fiber)
})

const before = queued("before", { deduplicationId: "a" })
const mine = queued("x", { deduplicationId: "d" })

describe("a deduplication id is free when a workflow was started and has ended", () => {
  for (
    const [whose, other] of [
      ["another client", queued("x", { deduplicationId: "d" })],
      ["an earlier submission", mine],
      ["a client that gives another queue place", queued("x", { deduplicationId: "e" })]
    ] as const
  ) {
    it.live(`by ${whose}, while a flush with the same start waited`, () =>
      Effect.gen(function*() {
        const { schema, store } = yield* given
        const flushing = yield* session
        yield* withQueue(store)
        yield* held(
          schema,
          patiently(flushing, schema, [before, mine]),
          Effect.andThen(enqueue(store, [other]), cancel(store, ["x"]))
        )
        assert.strictEqual((yield* store.get("before"))!.status, "ENQUEUED")
        assert.deepStrictEqual(yield* submit(store, queued("next", { deduplicationId: "d" })), started)
      }))
  }

  it.live("by another client, while an application's transaction with the same start waited", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* given
      yield* withQueue(store)
      const { starts } = yield* held(
        schema,
        Effect.provideService(sql.withTransaction(store.within([before, mine], [])), SqlClient, sql),
        Effect.andThen(
          enqueue(store, [queued("x", { deduplicationId: "d" })]),
          cancel(store, ["x"])
        )
      )
      assert.deepStrictEqual(starts, [started, { _tag: "Exists", same: true, name: "Order" }])
      assert.deepStrictEqual(yield* submit(store, queued("next", { deduplicationId: "d" })), started)
    }))

  it.live("by another client, while its parent waited to start it beside a child that is there", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const flushing = yield* session
      yield* withQueue(store)
      yield* startOwned(store, "p", "i")
      yield* submit(store, start({ workflowId: "p-0", name: "Child" }))
      const operation = advance("p", 1, {
        children: [
          childOf("p", 0),
          childOf("p", 1, { queue: place({ deduplicationId: "d" }) }),
          childOf("p", 2, { queue: place({ deduplicationId: "a" }) })
        ]
      })
      yield* held(
        schema,
        patiently(flushing, schema, [operation]),
        Effect.andThen(
          enqueue(store, [queued("p-1", { deduplicationId: "d" }, { name: "Child" })]),
          cancel(store, ["p-1"])
        )
      )
      const exists = { _tag: "Exists", same: true, name: "Child" } as const
      assert.deepStrictEqual((yield* recorded(store, operation)).children, [exists, exists, started])
      assert.deepStrictEqual(yield* submit(store, queued("next", { deduplicationId: "d" })), started)
    }))
})
