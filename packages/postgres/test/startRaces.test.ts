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
import { advance, childOf, deliver, send, start, suspend } from "../../../test/conformance/builders.ts"
import { enqueue, place, queued, withQueue } from "../../../test/conformance/queues.ts"
import { cancel, recorded, startOwned, submit } from "../../../test/conformance/verbs.ts"
import { classify } from "../src/internal/errors.ts"
import { flushIn, freshSchema, open, session, unlessTimedOut, untilHeld, useDatabase } from "./given.ts"

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

describe("a message to a child", () => {
  it.live("that somebody else starts and sends to at the same time comes after what is there", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const other = yield* session
      const flushing = yield* session
      yield* startOwned(store, "p", "i")
      const operation = advance("p", 1, { children: [childOf("p", 0)], sends: [send("p-0", "second")] })
      yield* other.query("BEGIN")
      // what a flush reads to tell whether a message is new, after it has looked for its destination
      yield* other.query(`LOCK TABLE ${schema}.message IN ACCESS EXCLUSIVE MODE`)
      yield* flushIn(other, schema, [start({ workflowId: "p-0", name: "Child" })])
      yield* flushIn(other, schema, [deliver(send("p-0", "first"))])
      const late = yield* Effect.forkChild(patiently(flushing, schema, [operation]))
      yield* untilHeld(other, late)
      yield* other.query("COMMIT")
      yield* Fiber.join(late)
      assert.deepStrictEqual((yield* recorded(store, operation)).children, [
        { _tag: "Exists", same: true, name: "Child" }
      ])
      assert.deepStrictEqual(
        (yield* store.messages("p-0", { topic: null, limit: 10 })).map(({ messageId }) => messageId),
        ["first", "second"]
      )
    }))
})

describe("a parent that starts a child and waits for it", () => {
  it.live("does not sleep before it has locked one that somebody else starts at the same time", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const other = yield* session
      const flushing = yield* session
      yield* startOwned(store, "p", "i")
      yield* submit(store, deliver(send("p", "m")))
      const operation = advance("p", 1, {
        children: [childOf("p", 0)],
        end: suspend({ inbox: 1, awaiting: ["p-0"] })
      })
      yield* other.query("BEGIN")
      // what a flush locks after it has looked for what it waits for
      yield* other.query(`SELECT 1 FROM ${schema}.mailbox WHERE workflow_id = 'p' FOR NO KEY UPDATE`)
      yield* flushIn(other, schema, [start({ workflowId: "p-0", name: "Child" })])
      const late = yield* Effect.forkChild(flushIn(flushing, schema, [operation]))
      yield* untilHeld(other, late)
      yield* other.query("COMMIT")
      // it would be in time for an end of the child, and miss it
      const error = yield* Effect.flip(Fiber.join(late))
      if (classify(error) === "busy") return yield* Effect.fail(error)
      assert.strictEqual(classify(error), "conflict")
      yield* cancel(store, ["p-0"])
      assert.strictEqual((yield* submit(store, operation))._tag, "Stirred")
    }).pipe(unlessTimedOut))
})
