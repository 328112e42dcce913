/** The next life of a workflow: what stays, what goes, and who may begin it. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Renew, StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, attempt, childOf, deliver, entry, event, record, send, start, succeed } from "../builders.ts"
import { enqueue, queued, takeIds, withQueue } from "../queues.ts"
import { cancel, claimIds, claimUntil, historyOf, join, lapse, recorded, startOwned, submit, sweep } from "../verbs.ts"

const life = (given: Partial<Renew> = {}): Renew => ({
  workflowId: "w",
  epoch: 1,
  payload: "{\"item\":2}",
  codec: "json",
  firstStepId: 7,
  ...given
})

/** `w`, owned by `i`, with some history. */
const living = Effect.fnUntraced(function*(store: StoreService) {
  yield* join(store, "i")
  yield* startOwned(store, "w", "i")
  yield* recorded(store, advance("w", 1, { records: [record(0), record(1)], attempts: [attempt(2, 0)] }))
})

export const renewing: Suite = (claim) => {
  claim(
    "it is due at once, with its payload, its numbers, and none of its records",
    ({ store }) =>
      Effect.gen(function*() {
        yield* living(store)
        const before = (yield* store.get("w"))!
        yield* store.adjustClock(1_000)
        assert.strictEqual(yield* store.renew(life()), "renewed")
        const now = yield* store.now
        const { epoch, executorId, startedAt, wakeAt, ...row } = (yield* store.get("w"))!
        assert.isAtLeast(startedAt!, before.createdAt + 1_000)
        assert.isAtMost(wakeAt!, now)
        assert.deepStrictEqual([row.status, row.phase, row.waits], ["PENDING", "run", null])
        assert.deepStrictEqual([row.payload, row.continuations, row.firstStepId], ["{\"item\":2}", 1, 7])
        assert.strictEqual(row.createdAt, before.createdAt)
        assert.deepStrictEqual(yield* historyOf(store, "w"), [])
        const { attempts, records, row: claimed } = yield* claimUntil(store, "i", "w")
        assert.deepStrictEqual([records, attempts], [[], []])
        assert.deepStrictEqual([claimed.epoch, claimed.firstStepId, claimed.startedAt], [epoch + 1, 7, startedAt])
        yield* recorded(store, advance("w", 2, { records: [record(7, { seq: 1 })], end: succeed }))
        assert.strictEqual((yield* store.get("w"))!.status, "SUCCESS")
      })
  )

  claim("submitted again it is fenced, and made once", ({ store }) =>
    Effect.gen(function*() {
      yield* living(store)
      assert.strictEqual(yield* store.renew(life()), "renewed")
      assert.strictEqual(yield* store.renew(life()), "fenced")
      assert.deepStrictEqual(yield* claimIds(store, "i"), ["w"])
      yield* recorded(store, advance("w", 2, { records: [record(7, { seq: 1 })] }))
      assert.strictEqual(yield* store.renew(life()), "fenced")
      assert.strictEqual((yield* historyOf(store, "w")).length, 1)
      assert.strictEqual((yield* store.get("w"))!.continuations, 1)
    }))

  claim(
    "it is not for one that was cancelled, lost, has ended or does not exist",
    ({ store }) =>
      Effect.gen(function*() {
        yield* living(store)
        assert.strictEqual(yield* store.renew(life({ epoch: 0 })), "fenced")
        assert.strictEqual(yield* store.renew(life({ workflowId: "x" })), "fenced")
        yield* startOwned(store, "done", "i")
        yield* recorded(store, advance("done", 1, { end: succeed }))
        assert.strictEqual(yield* store.renew(life({ workflowId: "done" })), "fenced")
        yield* startOwned(store, "cancelled", "i")
        yield* cancel(store, ["cancelled"])
        assert.strictEqual(yield* store.renew(life({ workflowId: "cancelled" })), "fenced")
        yield* lapse(store)
        yield* sweep(store)
        assert.strictEqual(yield* store.renew(life()), "fenced")
        assert.deepStrictEqual((yield* historyOf(store, "w")).length, 2)
        assert.strictEqual((yield* store.get("w"))!.continuations, 0)
      })
  )

  claim("a start of its id means the same workflow as before", ({ store }) =>
    Effect.gen(function*() {
      yield* living(store)
      assert.strictEqual(yield* store.renew(life()), "renewed")
      const same = yield* submit(store, start({ workflowId: "w" }))
      assert.deepStrictEqual(same, { _tag: "Exists", same: true, name: "Order" })
      const other = yield* submit(store, start({ workflowId: "w", payload: "{\"item\":2}" }))
      assert.deepStrictEqual(other, { _tag: "Exists", same: false, name: "Order" })
    }))

  claim("a fork is of the present life", ({ store }) =>
    Effect.gen(function*() {
      yield* living(store)
      assert.strictEqual(yield* store.renew(life()), "renewed")
      yield* claimUntil(store, "i", "w")
      yield* recorded(store, advance("w", 2, { records: [record(7, { seq: 1 }), record(8, { seq: 2 })] }))
      const asked = { sourceId: "w", epoch: 0, version: null, payload: null, timeoutMs: null } as const
      yield* store.fork({ ...asked, workflowId: "f", token: "f", fromStep: 8 })
      const forked = (yield* store.get("f"))!
      assert.deepStrictEqual([forked.payload, forked.firstStepId, forked.continuations], ["{\"item\":2}", 7, 0])
      assert.deepStrictEqual((yield* historyOf(store, "f")).map(({ stepId }) => stepId), [7])
    }))

  claim("losses of earlier lives do not count", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* lapse(store)
      yield* sweep(store)
      yield* join(store, "j")
      const { row } = yield* claimUntil(store, "j", "w")
      assert.strictEqual(row.recoveryAttempts, 1)
      assert.strictEqual(yield* store.renew(life({ epoch: row.epoch })), "renewed")
      assert.strictEqual((yield* store.get("w"))!.recoveryAttempts, 0)
    }))

  claim("it keeps its place in its queue, and gives the one in memory back", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { concurrency: 1, executorConcurrency: 1 })
      yield* enqueue(store, [queued("w"), queued("next")])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["w"])
      const { epoch } = (yield* store.get("w"))!
      assert.strictEqual(yield* store.renew(life({ epoch })), "renewed")
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["w"])
      yield* recorded(store, advance("w", epoch + 1, { end: succeed }))
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["next"])
    }))

  claim(
    "values of events, streams, children and what it has not received stay; earlier values go",
    ({ store }) =>
      Effect.gen(function*() {
        yield* living(store)
        yield* submit(store, deliver(send("w", "first"), send("w", "second")))
        yield* recorded(
          store,
          advance("w", 1, {
            records: [record(2, { kind: "event" }), record(3, { kind: "event" })],
            children: [childOf("w", 4)],
            events: [event("state", "1", 2), event("other", "\"x\"", 2)],
            entries: [entry(2)],
            consumes: [{ seq: 1, stepId: 2 }]
          })
        )
        yield* recorded(store, advance("w", 1, { records: [record(4)], events: [event("state", "2", 4)] }))
        assert.strictEqual(yield* store.renew(life()), "renewed")
        assert.deepStrictEqual(
          (yield* store.events("w")).map(({ key, value }) => [key, value]),
          [["other", "\"x\""], ["state", "2"]]
        )
        const unread = yield* store.messages("w", { topic: "t", limit: 10 })
        assert.deepStrictEqual(unread.map(({ messageId }) => messageId), ["second"])
        assert.strictEqual((yield* store.get("w-4"))!.parentId, "w")
        // It is there still, and consumed.
        assert.deepStrictEqual(yield* submit(store, deliver(send("w", "first"))), { _tag: "Delivered" })
        assert.strictEqual((yield* store.messages("w", { topic: "t", limit: 10 })).length, 1)
      })
  )

  claim(
    "messages that were consumed long ago are forgotten by it, and no others",
    ({ store }) =>
      Effect.gen(function*() {
        yield* living(store)
        yield* submit(store, deliver(send("w", "old"), send("w", "kept")))
        yield* recorded(store, advance("w", 1, { records: [record(2)], consumes: [{ seq: 1, stepId: 2 }] }))
        yield* store.adjustClock(23 * 3_600_000)
        yield* sweep(store)
        yield* join(store, "j")
        const lived = yield* claimUntil(store, "j", "w")
        assert.strictEqual(yield* store.renew(life({ epoch: lived.row.epoch })), "renewed")
        yield* submit(store, deliver(send("w", "old")))
        const ids = Effect.map(
          store.messages("w", { topic: "t", limit: 10 }),
          (rows) => rows.map(({ messageId }) => messageId)
        )
        assert.deepStrictEqual(yield* ids, ["kept"])
        yield* store.adjustClock(2 * 3_600_000)
        yield* join(store, "k")
        const again = yield* claimUntil(store, "k", "w")
        assert.strictEqual(yield* store.renew(life({ epoch: again.row.epoch, firstStepId: 9 })), "renewed")
        yield* submit(store, deliver(send("w", "old")))
        assert.deepStrictEqual(yield* ids, ["kept", "old"])
      })
  )

  claim(
    "of those more are forgotten than come, behind however many that nobody receives",
    ({ store }) =>
      Effect.gen(function*() {
        const many = 1_500
        const sent = (topic: string) =>
          submit(store, deliver(...Array.from({ length: many }, (_, n) => send("w", `${topic} ${n}`, { topic }))))
        const owned = (n: number) => Effect.andThen(join(store, `j${n}`), claimUntil(store, `j${n}`, "w"))
        /** Receives all of a topic, whose messages begin behind this one. */
        const receives = (epoch: number, from: number, after: number) =>
          recorded(
            store,
            advance("w", epoch, {
              records: Array.from({ length: many }, (_, n) => record(from + n, { seq: n + 1 })),
              consumes: Array.from({ length: many }, (_, n) => ({ seq: after + n + 1, stepId: from + n }))
            })
          )
        const consumed = Effect.gen(function*() {
          const rows = []
          for (let after = 0;;) {
            const page = yield* store.messages("w", { topic: null, limit: 1_000, consumed: true, after })
            if (page.length === 0) return rows.filter(({ consumedBy }) => consumedBy !== null).length
            rows.push(...page)
            after = page.at(-1)!.seq
          }
        })
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        for (const topic of ["unread", "first"]) yield* sent(topic)
        yield* receives(1, 0, many)
        assert.strictEqual(yield* store.renew(life({ firstStepId: many })), "renewed")
        assert.strictEqual(yield* consumed, many)
        yield* store.adjustClock(25 * 3_600_000)
        // A life that did nothing forgets some; one that received so many forgets as many more.
        const idle = yield* owned(1)
        assert.strictEqual(yield* store.renew(life({ epoch: idle.row.epoch, firstStepId: many })), "renewed")
        assert.strictEqual(yield* consumed, many - 1_000)
        yield* sent("second")
        const busy = yield* owned(2)
        yield* receives(busy.row.epoch, many, 2 * many)
        yield* store.adjustClock(25 * 3_600_000)
        yield* sweep(store)
        const again = yield* owned(3)
        assert.strictEqual(yield* store.renew(life({ epoch: again.row.epoch, firstStepId: 2 * many })), "renewed")
        assert.strictEqual(yield* consumed, 0)
        assert.lengthOf(yield* store.messages("w", { topic: "unread", limit: 9_999 }), many)
      })
  )
}
