/** Deduplication ids: at most one workflow of a queue that is not done has one. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Start, StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, block, childOf, fail, record, start } from "../builders.ts"
import { enqueue, executorsOf, finish, limits, place, queued, takeIds, withQueue } from "../queues.ts"
import { cancel, join, lapse, recorded, rounds, submit, sweep, write } from "../verbs.ts"

const started = { _tag: "Started" } as const
const duplicate = (workflowId: string, name = "Order") => ({ _tag: "Duplicate", workflowId, name }) as const
const one = (workflowId: string, rest: Partial<Start> = {}) => queued(workflowId, { deduplicationId: "d" }, rest)

const isFree = (store: StoreService, workflowId: string) =>
  Effect.map(submit(store, one(workflowId)), ({ _tag }) => _tag === "Started")

export const deduplication: Suite = (claim) => {
  claim(
    "a second start with the id of one that is not done starts nothing and names the first",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* store.registerQueue("r", limits())
        yield* enqueue(store, [one("first")])
        assert.deepStrictEqual(yield* submit(store, one("second")), duplicate("first"))
        assert.deepStrictEqual(yield* submit(store, one("third", { name: "Other" })), duplicate("first"))
        assert.isNull(yield* store.get("second"))
        yield* takeIds(store, "i")
        assert.deepStrictEqual(yield* submit(store, one("fourth")), duplicate("first"))
        yield* enqueue(store, [queued("elsewhere", { queue: "r", deduplicationId: "d" }), queued("without")])
        yield* enqueue(store, [queued("another", { deduplicationId: "D" })])
        yield* finish(store, "i", ["first"])
        assert.isTrue(yield* isFree(store, "second"))
      })
  )

  claim("of one batch the first has it, and the others are told so", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      const batch = [one("z"), queued("m"), one("a"), queued("k", { deduplicationId: "e" }), one("b")]
      assert.deepStrictEqual(yield* write(store, batch), [started, started, duplicate("z"), started, duplicate("z")])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["z", "m", "k"])
      // the same batch again is the same
      assert.deepStrictEqual(yield* write(store, batch), [started, started, duplicate("z"), started, duplicate("z")])
    }))

  claim(
    "it is free again at every end: success, error, cancel, deadline, dead letter; not where it is blocked",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, [one("error")])
        yield* takeIds(store, "i")
        yield* recorded(store, advance("error", 1, { end: fail }))
        yield* enqueue(store, [one("waiting")])
        yield* cancel(store, ["waiting"])
        yield* enqueue(store, [one("undoing")])
        yield* takeIds(store, "i")
        yield* recorded(store, advance("undoing", 1, { records: [record(0, { rollback: true })] }))
        yield* cancel(store, ["undoing"])
        yield* enqueue(store, [one("late", { timeoutMs: 1, delayMs: 1_000_000 })])
        yield* store.adjustClock(2)
        yield* sweep(store)
        yield* enqueue(store, [one("dead", { maxRecoveryAttempts: 0 })])
        yield* takeIds(store, "i")
        yield* lapse(store)
        yield* sweep(store)
        yield* enqueue(store, [one("blocked")])
        yield* join(store, "j")
        yield* takeIds(store, "j")
        yield* recorded(store, advance("blocked", 1, { end: block }))
        assert.isFalse(yield* isFree(store, "next"))
        yield* store.resume(["blocked"])
        assert.isFalse(yield* isFree(store, "next"))
        yield* cancel(store, ["blocked"])
        assert.isTrue(yield* isFree(store, "next"))
      })
  )

  claim(
    "an id that was used before is answered as used, whoever has the deduplication id",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        const first = one("first")
        yield* enqueue(store, [first])
        yield* takeIds(store, "i")
        yield* finish(store, "i", ["first"])
        yield* enqueue(store, [one("second")])
        assert.deepStrictEqual(yield* submit(store, first), started)
        assert.deepStrictEqual(yield* submit(store, one("first")), { _tag: "Exists", same: true, name: "Order" })
        assert.deepStrictEqual(yield* submit(store, one("third")), duplicate("second"))
        // nor has a start that was none taken the id
        yield* takeIds(store, "i")
        yield* finish(store, "i", ["second"])
        assert.deepStrictEqual(yield* submit(store, one("first")), { _tag: "Exists", same: true, name: "Order" })
        assert.isTrue(yield* isFree(store, "third"))
      })
  )

  claim(
    "of four that start with it at the same time exactly one does, and the others name it",
    (given) =>
      Effect.gen(function*() {
        yield* given.store.registerQueue("q", limits())
        const clients = yield* executorsOf(given, 4)
        for (const round of rounds(10)) {
          const ids = ["a", "b", "c", "d"]
          const batches = clients.map(({ store }, client) =>
            write(
              store,
              ids.map((id) => queued(`${round}-${id}-${client}`, { deduplicationId: `${round}-${id}` }))
                .sort(() => (client % 2) - 0.5)
            )
          )
          const answers = (yield* Effect.all(batches, { concurrency: "unbounded" })).flat()
          assert.lengthOf(answers.filter(({ _tag }) => _tag === "Started"), ids.length)
          for (const answer of answers) {
            if (answer._tag === "Duplicate") assert.isNotNull(yield* given.store.get(answer.workflowId))
            else assert.strictEqual(answer._tag, "Started")
          }
        }
      })
  )

  claim(
    "starts and ends with the same id at the same time never have two at a time, and never none",
    (given) =>
      Effect.gen(function*() {
        yield* given.store.registerQueue("q", limits())
        const clients = yield* executorsOf(given, 3)
        let startedCount = 0
        const work = (store: StoreService, client: number) =>
          Effect.forEach(rounds(20), (round) =>
            Effect.gen(function*() {
              const answer = yield* submit(store, one(`${client}-${round}`))
              if (answer._tag === "Started") {
                startedCount++
                yield* cancel(store, [`${client}-${round}`])
              } else assert.strictEqual(answer._tag, "Duplicate")
            }))
        yield* Effect.forEach(clients, ({ store }, client) => work(store, client), { concurrency: "unbounded" })
        assert.isAbove(startedCount, 0)
        assert.isTrue(yield* isFree(given.store, "last"))
      })
  )

  claim(
    "a child whose id is another's is refused, and nothing of its parent's write is there",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, [one("first"), start({ workflowId: "p", owner: "i" })])
        const child = childOf("p", 0, { queue: place({ deduplicationId: "d" }) })
        const operation = advance("p", 1, {
          records: [record(0), record(1)],
          children: [childOf("p", 1, { queue: place({ deduplicationId: "e" }) }), child]
        })
        assert.deepStrictEqual(yield* submit(store, operation), {
          _tag: "ChildDuplicate",
          index: 1,
          workflowId: "first",
          name: "Order",
          movable: false
        })
        assert.deepStrictEqual([yield* store.steps("p"), yield* store.get("p-1")], [[], null])
        yield* cancel(store, ["first"])
        for (const _ of rounds(2)) {
          assert.deepStrictEqual(yield* submit(store, operation), { _tag: "Recorded", children: [started, started] })
        }
        assert.deepStrictEqual(yield* submit(store, one("second")), duplicate("p-0", "Child"))
      })
  )

  claim("all children of one write whose ids are others' are told at once", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [
        one("a", { queue: place({ deduplicationId: "a" }) }),
        one("b", { queue: place({ deduplicationId: "b" }) }),
        start({ workflowId: "p", owner: "i" })
      ])
      const children = ["free", "a", "other", "b"].map((deduplicationId, step) =>
        childOf("p", step, { queue: place({ deduplicationId }) })
      )
      const holder = { name: "Order", movable: false }
      assert.deepStrictEqual(yield* submit(store, advance("p", 1, { children })), {
        _tag: "ChildDuplicate",
        index: 1,
        workflowId: "a",
        ...holder,
        more: [{ index: 3, workflowId: "b", ...holder }]
      })
      assert.isNull(yield* store.get("p-0"))
    }))

  claim("two children of one write with the same id are told apart, too", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [start({ workflowId: "p", owner: "i" })])
      const queue = place({ deduplicationId: "d" })
      assert.deepStrictEqual(
        yield* submit(store, advance("p", 1, { children: [childOf("p", 0, { queue }), childOf("p", 1, { queue })] })),
        { _tag: "ChildDuplicate", index: 1, workflowId: "p-0", name: "Child", movable: false }
      )
      assert.isNull(yield* store.get("p-0"))
    }))

  claim("a resumed one takes its id again, or is told who has it", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [one("a")])
      yield* cancel(store, ["a"])
      yield* enqueue(store, [one("b")])
      assert.deepStrictEqual(yield* store.resume(["a"]), [
        { workflowId: "a", result: "duplicate", status: "CANCELLED", holder: "b" }
      ])
      assert.strictEqual((yield* store.get("a"))!.status, "CANCELLED")
      yield* cancel(store, ["b"])
      assert.deepStrictEqual((yield* store.resume(["a", "b"])).map(({ result }) => result), ["resumed", "duplicate"])
      assert.deepStrictEqual(yield* submit(store, one("c")), duplicate("a"))
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
    }))

  claim(
    "of many that are started at once, those whose id is taken start nothing, or refuse all of them",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, [one("holder"), queued("known")])
        const starts = [queued("a"), one("b"), queued("known"), queued("c", { deduplicationId: "e" })]
        const also = queued("d", { deduplicationId: "e" })
        const many = (refuseDuplicates: boolean) =>
          ({ _tag: "StartMany", starts: [...starts, also], refuseDuplicates }) as const
        assert.deepStrictEqual(yield* store.write([many(true)]), [
          { _tag: "StartRefused", index: 1, answer: duplicate("holder") }
        ])
        assert.isNull(yield* store.get("a"))
        const exists = { _tag: "Exists", same: true, name: "Order" } as const
        for (const _ of rounds(2)) {
          assert.deepStrictEqual(yield* store.write([many(false)]), [
            { _tag: "StartedMany", starts: [started, duplicate("holder"), exists, started, duplicate("c")] }
          ])
        }
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["holder", "known", "a", "c"])
        assert.deepStrictEqual(
          yield* store.write([{
            _tag: "StartMany",
            starts: [queued("e"), start({ workflowId: "known", payload: "{}" })],
            refuseDuplicates: false
          }]),
          [{ _tag: "StartRefused", index: 1, answer: { _tag: "Exists", same: false, name: "Order" } }]
        )
        assert.deepStrictEqual(
          yield* store.write([{
            _tag: "StartMany",
            starts: [queued("e"), queued("f", { queue: "nowhere" })],
            refuseDuplicates: false
          }]),
          [{ _tag: "NoQueue", index: 1, queue: "nowhere" }]
        )
        assert.isNull(yield* store.get("e"))
      })
  )
}
