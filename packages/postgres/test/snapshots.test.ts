/**
 * The class of bug hunted here: a statement that acts on rows which somebody else has changed since its snapshot. It
 * passes over them without a word, or decides from what they were. Each test holds one side open until the other waits
 * for it, or is through.
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { StoreService } from "perdure/Store"
import {
  advance,
  block,
  cancelled,
  childOf,
  deliver,
  record,
  send,
  succeed,
  suspend
} from "../../../test/conformance/builders.ts"
import { enqueue, finish, limits, perKey, queued, takeIds, withQueue } from "../../../test/conformance/queues.ts"
import {
  acknowledge,
  cancel,
  claim,
  claimUntil,
  join,
  lapse,
  recorded,
  startOwned,
  submit,
  sweep
} from "../../../test/conformance/verbs.ts"
import { flushIn, freshSchema, open, session, untilHeld, useDatabase } from "./given.ts"

useDatabase()

const given = Effect.suspend(() => open(freshSchema()))

/** Does `first` in an open transaction, `second` beside it, and ends the transaction once that waits or is through. */
const meeting = Effect.fnUntraced(function*<A, E, R>(
  first: (connection: PgConnection.PgConnection) => Effect.Effect<unknown, unknown>,
  second: Effect.Effect<A, E, R>,
  end: "COMMIT" | "ROLLBACK" = "COMMIT"
) {
  const holding = yield* session
  yield* holding.query("BEGIN")
  yield* first(holding)
  const fiber = yield* Effect.forkChild(second)
  yield* untilHeld(holding, fiber)
  yield* holding.query(end)
  return yield* Fiber.join(fiber)
})

const claimIn =
  (schema: string, incarnation: string, names: string, versions: string) => (connection: PgConnection.PgConnection) =>
    connection.query(`SELECT count(*) FROM ${schema}.claim_1($1::text, $2::text[], $3::text[], NULL, 1000)`, [
      incarnation,
      names,
      versions
    ])

const cancelIn =
  (schema: string, ids: ReadonlyArray<string>, lockMs = 60_000) => (connection: PgConnection.PgConnection) =>
    connection.query(`SELECT count(*) FROM ${schema}.cancel_1($1::integer, $2::text[], $3::text, $4::text, true)`, [
      lockMs,
      ids,
      cancelled("user"),
      cancelled("parent")
    ])

describe("a workflow that somebody changes meanwhile", () => {
  // by the store, and by hand, without any of the locks that the store takes
  for (
    const [how, sql] of [
      ["by its attributes", (schema: string) => `SELECT ${schema}.set_attributes_1(60000, 'w', '{"a":1}')`],
      ["by hand", (schema: string) => `UPDATE ${schema}.workflow SET attributes = '{"a":1}' WHERE workflow_id = 'w'`]
    ] as const
  ) {
    const changeIn = (schema: string) => (connection: PgConnection.PgConnection) => connection.query(sql(schema))

    for (
      const [what, end, status, phase] of [
        ["ends", succeed, "SUCCESS", "done"],
        ["is blocked", block, "BLOCKED", "run"],
        ["goes to sleep", suspend(), "PENDING", "run"]
      ] as const
    ) {
      it.live(`${how} ${what} all the same`, () =>
        Effect.gen(function*() {
          const { schema, store } = yield* given
          yield* join(store, "i")
          yield* startOwned(store, "w", "i")
          const operation = advance("w", 1, { end })
          const [answer] = yield* meeting(changeIn(schema), store.write([operation]))
          if (answer!._tag === "Busy") yield* recorded(store, operation)
          else assert.strictEqual(answer!._tag, "Recorded")
          const row = (yield* store.get("w"))!
          assert.deepStrictEqual([row.status, row.phase, row.attributes], [status, phase, { a: 1 }])
          assert.deepStrictEqual(yield* store.owned("i"), [])
        }))
    }

    it.live(`${how} is cancelled all the same`, () =>
      Effect.gen(function*() {
        const { schema, store } = yield* given
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        assert.deepStrictEqual(yield* meeting(changeIn(schema), cancel(store, ["w"])), [
          { workflowId: "w", result: "cancelled", phase: "done" }
        ])
        const row = (yield* store.get("w"))!
        assert.deepStrictEqual([row.status, row.phase, row.attributes], ["CANCELLED", "done", { a: 1 }])
        assert.isNotNull(row.completedAt)
      }))
  }
})

describe("cancelling", () => {
  it.live("one that ends, is resumed and claimed while another is waited for cancels it, or says that it does not", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const stranger = yield* session
      const cancelling = yield* session
      const claiming = yield* session
      yield* join(store, "i")
      yield* join(store, "j")
      yield* startOwned(store, "a", "i")
      yield* startOwned(store, "b", "i")
      yield* stranger.query("BEGIN")
      yield* stranger.query(`SELECT 1 FROM ${schema}.ownership WHERE workflow_id = 'a' FOR UPDATE`)
      const both = yield* Effect.forkChild(Effect.retry(cancelIn(schema, ["a", "b"])(cancelling), { times: 5 }))
      yield* untilHeld(stranger, both)
      yield* cancel(store, ["b"])
      yield* acknowledge(store, "i")
      yield* store.resume(["b"])
      yield* claiming.query("BEGIN")
      yield* claimIn(schema, "j", "{Order}", "{1}")(claiming)
      yield* stranger.query("ROLLBACK")
      yield* untilHeld(claiming, both)
      yield* claiming.query("COMMIT")
      yield* Fiber.join(both)
      for (const id of ["a", "b"]) {
        const row = (yield* store.get(id))!
        assert.deepStrictEqual([row.status, row.phase], ["CANCELLED", "done"])
      }
    }))
})

describe("mailboxes", () => {
  it.live("are free while a cancel waits for one of the children", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      yield* join(store, "i")
      yield* startOwned(store, "p", "i")
      yield* recorded(
        store,
        advance("p", 1, { records: [record(0)], children: [childOf("p", 0)], end: suspend({ awaiting: ["p-0"] }) })
      )
      const holding = yield* session
      yield* holding.query("BEGIN")
      yield* holding.query(`SELECT 1 FROM ${schema}.ownership WHERE workflow_id = 'p-0' FOR NO KEY UPDATE`)
      const cancelling = yield* Effect.forkChild(cancel(store, ["p"]))
      yield* untilHeld(holding, cancelling)
      yield* holding.query(`SELECT 1 FROM ${schema}.mailbox WHERE workflow_id = 'p' FOR NO KEY UPDATE NOWAIT`)
      yield* holding.query("COMMIT")
      assert.deepStrictEqual(yield* Fiber.join(cancelling), [
        { workflowId: "p", result: "cancelled", phase: "done" },
        { workflowId: "p-0", result: "cancelled", phase: "done" }
      ])
    }))

  it.live("are free while a sweep waits for that of one who waits for a dead letter", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      for (const id of ["a", "z"]) yield* startOwned(store, id, "vanished")
      yield* startOwned(store, "dead", "vanished", { maxRecoveryAttempts: 0 })
      yield* recorded(store, advance("a", 1, { end: suspend({ awaiting: ["dead"] }) }))
      yield* submit(store, deliver(send("z", "m")))
      const holding = yield* session
      yield* holding.query("BEGIN")
      yield* holding.query(`SELECT 1 FROM ${schema}.mailbox WHERE workflow_id = 'a' FOR NO KEY UPDATE`)
      const sweeping = yield* Effect.forkChild(sweep(store))
      yield* untilHeld(holding, sweeping)
      yield* holding.query(`SELECT 1 FROM ${schema}.mailbox WHERE workflow_id = 'z' FOR NO KEY UPDATE NOWAIT`)
      yield* holding.query("COMMIT")
      assert.deepStrictEqual((yield* Fiber.join(sweeping)).deadLettered, ["dead"])
      assert.isNotNull((yield* store.get("a"))!.wakeAt)
    }))

  it.live("are free while a resume waits for another one of those that it was asked for", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      yield* join(store, "i")
      for (const id of ["a", "b"]) {
        yield* startOwned(store, id, "i")
        yield* recorded(store, advance(id, 1, { end: block }))
      }
      const holding = yield* session
      yield* holding.query("BEGIN")
      yield* holding.query(`SELECT 1 FROM ${schema}.ownership WHERE workflow_id = 'b' FOR KEY SHARE`)
      const resuming = yield* Effect.forkChild(store.resume(["a", "b"]))
      yield* untilHeld(holding, resuming)
      yield* holding.query(`SELECT 1 FROM ${schema}.mailbox WHERE workflow_id = 'a' FOR NO KEY UPDATE NOWAIT`)
      yield* holding.query("COMMIT")
      assert.deepStrictEqual((yield* Fiber.join(resuming)).map(({ result }) => result), ["resumed", "resumed"])
    }))
})

describe("a start of an id that is being deleted", () => {
  const eraseIn = (schema: string, id: string) => (connection: PgConnection.PgConnection) =>
    connection.queryValues(
      `SELECT group_ FROM ${schema}.erase_1(60000, '{0}', ARRAY[$1::text],
         ARRAY(SELECT w.completed_at FROM ${schema}.workflow w WHERE w.workflow_id = $1::text), true)`,
      [id]
    )
  const deduplicated = (id: string) => queued(id, { deduplicationId: "d" })

  it.live("has its deduplication id", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      yield* withQueue(store)
      yield* enqueue(store, [deduplicated("x")])
      yield* cancel(store, ["x"])
      const again = deduplicated("x")
      assert.deepStrictEqual(yield* meeting(eraseIn(schema, "x"), submit(store, again)), { _tag: "Started" })
      assert.deepStrictEqual(yield* submit(store, deduplicated("y")), {
        _tag: "Duplicate",
        workflowId: "x",
        name: "Order"
      })
    }))

  it.live("does not wait in a queue that is not there", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      yield* withQueue(store)
      yield* enqueue(store, [deduplicated("x")])
      yield* cancel(store, ["x"])
      yield* store.deleteQueue("q")
      assert.deepStrictEqual(yield* meeting(eraseIn(schema, "x"), submit(store, queued("x"))), {
        _tag: "NoQueue",
        index: 0,
        queue: "q"
      })
    }))
})

describe("queues that change while somebody is at their items", () => {
  it.live("what is being cancelled when the queue has no partitions any more waits there when it is not", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      yield* withQueue(store, { partitioned: perKey() })
      yield* enqueue(store, [queued("x", { partitionKey: "x" })])
      yield* store.setQueue("q", { limits: limits() })
      assert.deepStrictEqual(yield* meeting(cancelIn(schema, ["x"]), takeIds(store, "i"), "ROLLBACK"), [])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x"])
    }))

  /** The queue becomes partitioned; then what one claim takes when another one of the key `x` waits. */
  const takesBeside = (store: StoreService) =>
    Effect.gen(function*() {
      yield* store.setQueue("q", { limits: limits({ partitioned: perKey() }) })
      yield* enqueue(store, [queued("x1", { partitionKey: "x" })])
      return (yield* claim(store, "i")).claimed
    })

  it.live("what is ending when the queue becomes partitioned counts there when it does not end", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      yield* withQueue(store)
      yield* enqueue(store, [queued("x0", { partitionKey: "x" })])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x0"])
      const ending = (connection: PgConnection.PgConnection) =>
        flushIn(connection, schema, [advance("x0", 1, { end: succeed })])
      assert.deepStrictEqual(yield* meeting(ending, takesBeside(store), "ROLLBACK"), [])
      assert.deepStrictEqual(yield* takeIds(store, "i"), [])
      yield* finish(store, "i", ["x0"])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x1"])
    }))

  it.live("what is being claimed when the queue becomes partitioned counts there", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      yield* withQueue(store)
      yield* enqueue(store, [queued("x0", { partitionKey: "x" })])
      assert.deepStrictEqual(yield* meeting(claimIn(schema, "i", "{Order}", "{1}"), takesBeside(store)), [])
      assert.deepStrictEqual(yield* takeIds(store, "i"), [])
      yield* finish(store, "i", ["x0"])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["x1"])
    }))

  it.live("what gets a priority while it gets its partition is the first one there", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      yield* withQueue(store)
      yield* enqueue(store, [queued("a", {}, { name: "A" }), queued("b", {}, { name: "B" })])
      yield* store.setQueue("q", { limits: limits({ partitioned: perKey() }), paused: true })
      assert.strictEqual(
        yield* meeting(claimIn(schema, "i", "{A,B}", "{1,1}"), store.setPriority("b", 5)),
        "changed"
      )
      yield* store.setQueue("q", { paused: false })
      assert.deepStrictEqual(yield* takeIds(store, "i", { served: [{ name: "B", version: "1" }] }), ["b"])
    }))

  it.live("what is ordered anew while its partition is made is the first one there", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const operator = yield* session
      yield* withQueue(store, { partitioned: perKey() })
      yield* store.setQueue("q", { paused: true })
      yield* enqueue(store, [queued("a", { partitionKey: "x" }, { name: "A" })])
      yield* store.adjustClock(1_000)
      yield* enqueue(store, [queued("b", { partitionKey: "x", priority: 1 }, { name: "B" })])
      // an operator's change, in its two commits, with a claim between them
      const changed = yield* operator.queryValues(
        `SELECT ${schema}.change_queue_1(60000, 'q', 'set', $1::jsonb, false)`,
        [JSON.stringify(limits({ partitioned: perKey(), ageingMs: 1 }))]
      )
      assert.deepStrictEqual(changed, [[true]])
      yield* meeting(claimIn(schema, "i", "{C}", "{1}"), operator.query(`SELECT ${schema}.rerank_1('q')`))
      assert.deepStrictEqual(yield* takeIds(store, "i", { served: [{ name: "A", version: "1" }] }), ["a"])
    }))

  it.live("what is being enqueued when the ageing changes comes to its place, if not at once", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      yield* withQueue(store, { ageingMs: 1_000 })
      yield* meeting(
        (connection) => flushIn(connection, schema, [queued("a")]),
        store.setQueue("q", { limits: limits() })
      )
      yield* enqueue(store, [queued("b")])
      yield* lapse(store)
      yield* sweep(store)
      yield* join(store, "j")
      assert.deepStrictEqual(yield* takeIds(store, "j", { limit: 1 }), ["a"])
    }))
})

describe("a message to a workflow that somebody is claiming", () => {
  it.live("leaves it to the version that has claimed it", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      yield* withQueue(store)
      yield* enqueue(store, [queued("w", {}, { version: "" })])
      const sent = yield* meeting(claimIn(schema, "i", "{Order}", "{\"\"}"), submit(store, deliver(send("w", "m"))))
      assert.strictEqual(sent._tag, "Delivered")
      yield* recorded(store, advance("w", 1, { end: suspend({ inbox: 1, wakeAt: yield* store.now }) }))
      const { row } = yield* claimUntil(store, "i", "w")
      assert.deepStrictEqual([row.version, row.epoch], ["1", 2])
    }))
})
