/** Debounced starts: the last payload, once it has been quiet for a while. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, childOf, record, start, suspend } from "../builders.ts"
import { enqueue, executorsOf, finish, limits, place, queued, takeIds, withQueue } from "../queues.ts"
import { cancel, rounds, startDone, submit, write } from "../verbs.ts"

const started = { _tag: "Started" } as const
const moved = (workflowId: string) => ({ _tag: "Debounced", workflowId }) as const

/** So long that what the machine is busy with meanwhile does not count. */
const [delayOf, limitOf] = [20_000, 50_000]

const debounced = (workflowId: string, payload: string, delayMs = delayOf, limitMs = limitOf) =>
  queued(
    workflowId,
    { deduplicationId: "d", debounce: { limitMs, expected: null } },
    { delayMs, payload }
  )

export const debouncing: Suite = (claim) => {
  claim(
    "another start gives its payload to the delayed one and moves it, at most to the limit",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        assert.deepStrictEqual(yield* submit(store, debounced("a", "1")), started)
        const { createdAt } = (yield* store.get("a"))!
        yield* store.adjustClock(15_000)
        assert.deepStrictEqual(yield* submit(store, debounced("b", "2")), moved("a"))
        assert.isNull(yield* store.get("b"))
        const row = (yield* store.get("a"))!
        assert.deepStrictEqual([row.status, row.payload, row.deduplicationId], ["DELAYED", "2", "d"])
        assert.isAtLeast(row.wakeAt!, createdAt + 35_000)
        yield* store.adjustClock(15_000)
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
        assert.deepStrictEqual(yield* submit(store, debounced("c", "3")), moved("a"))
        assert.strictEqual((yield* store.get("a"))!.wakeAt, createdAt + 50_000)
        yield* store.adjustClock(20_001)
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
        assert.strictEqual((yield* store.get("a"))!.payload, "3")
      })
  )

  claim("the limit of the first one counts, whatever limits others have", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [debounced("a", "1")])
      const { createdAt } = (yield* store.get("a"))!
      assert.deepStrictEqual(yield* submit(store, debounced("b", "2", 40_000, 10)), moved("a"))
      assert.isAtLeast((yield* store.get("a"))!.wakeAt!, createdAt + 40_000)
      assert.deepStrictEqual(yield* submit(store, debounced("c", "3", 1_000_000, 9_000_000)), moved("a"))
      assert.strictEqual((yield* store.get("a"))!.wakeAt, createdAt + 50_000)
    }))

  claim("a shorter delay moves it nearer", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [debounced("a", "1", 1_000_000, 9_000_000)])
      assert.deepStrictEqual(yield* submit(store, debounced("b", "2", 1)), moved("a"))
      yield* store.adjustClock(2)
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
    }))

  claim(
    "once it is no longer delayed its id is free, and the next one is a new one",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 1 })
        yield* enqueue(store, [debounced("a", "1")])
        yield* store.adjustClock(delayOf + 1)
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
        assert.deepStrictEqual(yield* submit(store, debounced("b", "2")), started)
        yield* store.adjustClock(delayOf + 1)
        // it waits for a place, and is not delayed any more
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
        assert.strictEqual((yield* store.get("b"))!.status, "ENQUEUED")
        assert.deepStrictEqual(yield* submit(store, debounced("c", "3")), started)
        yield* finish(store, "i", ["a"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["b"])
        // the end of one does not free the id of another
        yield* finish(store, "i", ["b"])
        assert.deepStrictEqual(yield* submit(store, debounced("d", "4")), moved("c"))
        yield* cancel(store, ["c"])
        assert.deepStrictEqual(yield* submit(store, debounced("e", "5")), started)
      })
  )

  for (
    const [what, next] of [
      ["another debounced start", debounced("b", "2")],
      ["a start that is not", queued("b", { deduplicationId: "d" })],
      ["one of many", {
        _tag: "StartMany",
        starts: [queued("b", { deduplicationId: "d" })],
        refuseDuplicates: true
      }]
    ] as const
  ) {
    claim(
      `its id is free from the time that it was delayed to, claimed or not: ${what} is a new one`,
      ({ store }) =>
        Effect.gen(function*() {
          yield* withQueue(store)
          yield* enqueue(store, [queued("first", {}, { delayMs: 500 }), debounced("a", "1")])
          yield* store.adjustClock(delayOf + 1)
          const answer = yield* submit(store, next)
          assert.deepStrictEqual(
            answer,
            next._tag === "StartMany" ? { _tag: "StartedMany", starts: [started] } : started
          )
          const row = (yield* store.get("a"))!
          assert.deepStrictEqual([row.status, row.payload], ["ENQUEUED", "1"])
          // whoever it was behind is before it still
          assert.deepStrictEqual((yield* takeIds(store, "i")).filter((id) => id !== "b"), ["first", "a"])
          assert.deepStrictEqual(
            yield* submit(store, debounced("c", "3")),
            next._tag === "Start" && next.delayMs !== null
              ? moved("b")
              : { _tag: "Duplicate", workflowId: "b", name: "Order" }
          )
        })
    )
  }

  claim("from that time on a child and a resumed workflow get its id, too", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [queued("old", { deduplicationId: "d" }), start({ workflowId: "p", owner: "i" })])
      yield* cancel(store, ["old"])
      yield* enqueue(store, [debounced("a", "1")])
      yield* store.adjustClock(delayOf + 1)
      assert.deepStrictEqual(yield* store.resume(["old"]), [{ workflowId: "old", result: "resumed" }])
      yield* cancel(store, ["old"])
      yield* enqueue(store, [debounced("b", "2")])
      yield* store.adjustClock(delayOf + 1)
      const queue = place({ deduplicationId: "d", debounce: { limitMs: limitOf, expected: null } })
      const children = [childOf("p", 0, { name: "Order", delayMs: delayOf, queue })]
      assert.deepStrictEqual(yield* submit(store, advance("p", 1, { children })), {
        _tag: "Recorded",
        children: [started]
      })
      assert.deepStrictEqual(yield* submit(store, debounced("c", "3")), moved("p-0"))
    }))

  claim("a resumed one does not take the id: others are debounced under it", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [debounced("a", "1")])
      yield* cancel(store, ["a"])
      yield* enqueue(store, [debounced("b", "2")])
      assert.deepStrictEqual(yield* store.resume(["a"]), [{ workflowId: "a", result: "resumed" }])
      assert.deepStrictEqual(yield* submit(store, debounced("c", "3")), moved("b"))
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
    }))

  claim(
    "it moves only what is debounced and of its name; anything else is a duplicate",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        const duplicate = { _tag: "Duplicate", workflowId: "a", name: "Order" } as const
        yield* enqueue(store, [queued("a", { deduplicationId: "d" }, { delayMs: delayOf })])
        assert.deepStrictEqual(yield* submit(store, debounced("b", "2")), duplicate)
        yield* cancel(store, ["a"])
        yield* enqueue(store, [{ ...debounced("c", "1"), name: "Other" }])
        assert.deepStrictEqual(yield* submit(store, debounced("d", "2")), {
          ...duplicate,
          workflowId: "c",
          name: "Other"
        })
        assert.deepStrictEqual(
          yield* submit(store, queued("e", { deduplicationId: "d" }, { name: "Other" })),
          { ...duplicate, workflowId: "c", name: "Other" }
        )
        assert.strictEqual((yield* store.get("c"))!.payload, "1")
      })
  )

  claim(
    "a start that is submitted again is the same start: it moves nothing twice and starts nothing",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        const [first, second, third] = [debounced("a", "1"), debounced("b", "2"), debounced("c", "3")]
        assert.deepStrictEqual(yield* write(store, [first, second]), [started, moved("a")])
        assert.deepStrictEqual(yield* write(store, [third, second, first]), [moved("a"), moved("a"), started])
        assert.strictEqual((yield* store.get("a"))!.payload, "3")
        yield* store.adjustClock(limitOf + 1)
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
        assert.deepStrictEqual(yield* write(store, [first, second, third]), [started, moved("a"), moved("a")])
        assert.deepStrictEqual([yield* store.get("b"), yield* store.get("c")], [null, null])
      })
  )

  claim("one whose queue is gone does not count for two of its batch", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* store.registerQueue("r", limits())
      yield* enqueue(store, [debounced("a", "1")])
      const again = debounced("b", "2")
      assert.deepStrictEqual(yield* submit(store, again), moved("a"))
      yield* cancel(store, ["a"])
      yield* store.deleteQueue("q")
      yield* startDone(store, "done", "i")
      const answers = yield* write(store, [again, queued("new", { queue: "r" }), queued("done", { queue: "r" })])
      assert.deepStrictEqual(answers.map(({ _tag }) => _tag), ["NoQueue", "Started", "Exists"])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["new"])
    }))

  claim("of a batch the first is the one, and the last payload counts", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      const batch = ["z", "m", "a", "k"].map((id, index) => debounced(id, `${index}`))
      assert.deepStrictEqual(yield* write(store, batch), [started, moved("z"), moved("z"), moved("z")])
      assert.strictEqual((yield* store.get("z"))!.payload, "3")
    }))

  claim(
    "starts and claims at the same time: every payload that was the last one runs, and no id is kept",
    (given) =>
      Effect.gen(function*() {
        yield* given.store.registerQueue("q", limits())
        const clients = yield* executorsOf(given, 3)
        const started = new Set<string>()
        const work = Effect.fnUntraced(function*(client: number) {
          const { store } = clients[client]!
          for (const round of rounds(15)) {
            const answer = yield* submit(store, debounced(`${client}-${round}`, `${round}`, 1 + (round % 3), 20))
            if (answer._tag === "Started") started.add(`${client}-${round}`)
            else assert.strictEqual(answer._tag, "Debounced")
            yield* takeIds(store, `i${client}`)
          }
        })
        yield* Effect.forEach([0, 1, 2], work, { concurrency: "unbounded" })
        yield* given.store.adjustClock(100)
        yield* takeIds(given.store, "i0")
        for (const id of started) assert.strictEqual((yield* given.store.get(id))!.status, "PENDING", id)
        assert.deepStrictEqual(yield* submit(given.store, debounced("last", "0")), { _tag: "Started" })
      })
  )

  claim(
    "a child is told whom it would move, and moves the one that its parent expects",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, [start({ workflowId: "p", owner: "i" }), start({ workflowId: "r", owner: "i" })])
        const child = (parent: string, payload: string, expected: string | null) =>
          advance(parent, 1, {
            records: [record(0)],
            children: [
              childOf(parent, 0, {
                name: "Order",
                payload,
                delayMs: delayOf,
                queue: place({ deduplicationId: "d", debounce: { limitMs: limitOf, expected } })
              })
            ]
          })
        const refused = (workflowId: string | null, movable: boolean) => ({
          _tag: "ChildDuplicate" as const,
          index: 0,
          workflowId,
          name: workflowId === null ? null : "Order",
          movable
        })
        assert.deepStrictEqual(yield* submit(store, child("p", "1", "nobody")), refused(null, false))
        assert.deepStrictEqual(yield* submit(store, child("p", "1", null)), { _tag: "Recorded", children: [started] })
        assert.deepStrictEqual(yield* submit(store, child("r", "2", null)), refused("p-0", true))
        assert.deepStrictEqual(yield* submit(store, child("r", "2", "nobody")), refused("p-0", true))
        assert.deepStrictEqual(yield* store.steps("r"), [])
        for (const _ of rounds(2)) {
          assert.deepStrictEqual(yield* submit(store, child("r", "2", "p-0")), {
            _tag: "Recorded",
            children: [moved("p-0")]
          })
        }
        assert.deepStrictEqual(
          [(yield* store.get("p-0"))!.payload, yield* store.get("r-0"), (yield* store.steps("r")).length],
          ["2", null, 1]
        )
      })
  )

  claim(
    "a child whose id is taken moves nothing, and its parent, who expects it to, records nothing",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, [
          debounced("a", "1"),
          start({ workflowId: "p", owner: "i" }),
          start({ workflowId: "p-0", payload: "2" })
        ])
        const operation = (expected: string | null) => {
          const queue = place({ deduplicationId: "d", debounce: { limitMs: limitOf, expected } })
          return advance("p", 1, {
            records: [record(0)],
            children: [childOf("p", 0, { name: "Order", payload: "2", delayMs: delayOf, queue })],
            end: suspend()
          })
        }
        assert.deepStrictEqual(yield* submit(store, operation("a")), {
          _tag: "ChildDuplicate",
          index: 0,
          workflowId: null,
          name: null,
          movable: false
        })
        assert.lengthOf(yield* store.steps("p"), 0)
        for (const _ of rounds(2)) {
          assert.deepStrictEqual(yield* submit(store, operation(null)), {
            _tag: "Recorded",
            children: [{ _tag: "Exists", same: true, name: "Order" }]
          })
        }
        assert.strictEqual((yield* store.get("a"))!.payload, "1")
      })
  )
}
