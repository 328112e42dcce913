/** Queues without partitions: who starts, in which order, and how many at a time. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { QueueLimits } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, block, childOf, record, release, rolledBack, start, succeed, suspend } from "../builders.ts"
import {
  claimQueued,
  drain,
  enqueue,
  executorsOf,
  finish,
  limits,
  perKey,
  place,
  queued,
  takeIds,
  withQueue
} from "../queues.ts"
import { cancel, claim as claimDue, claimIds, claimUntil, join, lapse, recorded, rounds, submit } from "../verbs.ts"
import { sweep, write } from "../verbs.ts"

const depths = Effect.fnUntraced(function*(store: Parameters<typeof claimDue>[0]) {
  const [row] = yield* store.queues(["q"])
  return [row!.delayed, row!.waiting, row!.running]
})

export const queueing: Suite = (claim) => {
  claim("what is enqueued is ENQUEUED, and due at no time: its turn comes", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [queued("w", { priority: 5, deduplicationId: "d" })])
      const row = (yield* store.get("w"))!
      assert.deepStrictEqual(
        [row.status, row.epoch, row.wakeAt, row.queue, row.priority, row.partitionKey, row.deduplicationId],
        ["ENQUEUED", 0, null, "q", 5, null, "d"]
      )
      const { claimed: [claimed] } = yield* claimDue(store, "i")
      assert.deepStrictEqual([claimed!.row.status, claimed!.row.epoch], ["PENDING", 1])
      assert.isNotNull(claimed!.row.startedAt)
      assert.deepStrictEqual(yield* store.get("w"), claimed!.row)
      yield* finish(store, "i", ["w"])
      assert.deepStrictEqual(
        [(yield* store.get("w"))!.queue, (yield* store.get("w"))!.deduplicationId, yield* depths(store)],
        ["q", "d", [0, 0, 0]]
      )
    }))

  claim(
    "with room for one at a time no queue waits for the end of another, to start or to wake",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        const names = ["a", "b", "c"]
        yield* Effect.forEach(names, (name) => store.registerQueue(name, limits()))
        yield* enqueue(
          store,
          names.flatMap((queue) => rounds(60).map((index) => queued(`${queue} ${index}`, { queue })))
        )
        const queueOf = (id: string) => id.slice(0, 1)
        const taken = yield* Effect.forEach(rounds(60), () => takeIds(store, "i", { limit: 1 }))
        assert.sameMembers([...new Set(taken.flat().map(queueOf))], names)
        yield* Effect.forEach(
          taken.flat(),
          (id) => recorded(store, advance(id, 1, { end: suspend({ wakeAt: 1 }) }))
        )
        const woken = yield* Effect.forEach(rounds(60), () => takeIds(store, "i", { limit: 1 }))
        assert.isTrue(woken.flat().slice(0, 20).some((id) => queueOf(id) !== queueOf(woken[0]![0]!)))
      })
  )

  claim(
    "a queue that is not registered takes nothing, and the rest of the batch is written",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, [start({ workflowId: "parent", owner: "i" })])
        const child = childOf("parent", 0, { queue: place({ queue: "nowhere" }) })
        const answers = yield* write(store, [
          queued("lost", { queue: "nowhere", deduplicationId: "d" }),
          queued("kept"),
          advance("parent", 1, { records: [record(0)], children: [childOf("parent", 1), child] })
        ])
        assert.deepStrictEqual(answers, [
          { _tag: "NoQueue", index: 0, queue: "nowhere" },
          { _tag: "Started" },
          { _tag: "NoQueue", index: 1, queue: "nowhere" }
        ])
        assert.deepStrictEqual(
          [yield* store.get("lost"), yield* store.get("parent-1"), yield* store.steps("parent")],
          [null, null, []]
        )
        yield* store.registerQueue("nowhere", limits())
        yield* enqueue(store, [queued("lost", { queue: "nowhere", deduplicationId: "d" })])
      })
  )

  claim("turns come in the order of the enqueueing, whatever the ids", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { concurrency: 100 })
      const ids = ["m", "c", "z", "a", "k", "b"]
      yield* enqueue(store, ids.slice(0, 4).map((id) => queued(id)))
      yield* enqueue(store, [queued("k")])
      yield* enqueue(store, [queued("b")])
      assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 4 }), ids.slice(0, 4))
      assert.deepStrictEqual(yield* takeIds(store, "i"), ids.slice(4))
    }))

  claim("a start is not before the end that made room for it", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { concurrency: 1 })
      const ids = rounds(10).map((index) => `w${index}`)
      yield* enqueue(store, ids.map((id) => queued(id)))
      for (const id of ids) {
        assert.deepStrictEqual(yield* takeIds(store, "i"), [id])
        yield* finish(store, "i", [id])
      }
      const rows = yield* Effect.forEach(ids, (id) => store.get(id))
      for (const [index, row] of rows.slice(1).entries()) assert.isAtLeast(row!.startedAt!, rows[index]!.completedAt!)
    }))

  claim(
    "a claim tells whether anything waits that has no place, and says so of nothing else",
    (given) =>
      Effect.gen(function*() {
        const { store } = given
        yield* withQueue(store, { concurrency: 2 })
        const waits = (queues: ReadonlyArray<string> | null = null) =>
          Effect.map(claimQueued(store, "i", { queues }), ({ waiting }) => waiting)
        assert.isFalse(yield* waits())
        yield* enqueue(store, [queued("a"), queued("b"), start({ workflowId: "c" })])
        assert.deepStrictEqual([yield* waits(), yield* waits(["q"])], [false, false])
        yield* enqueue(store, [queued("d")])
        assert.deepStrictEqual([yield* waits(), yield* waits(["q"]), yield* waits([])], [true, true, false])
        yield* finish(store, "i", ["a"])
        assert.deepStrictEqual([yield* waits(), (yield* store.get("d"))!.status], [false, "PENDING"])
        // Whatever it waits for: others of its key, an operator.
        yield* store.registerQueue("keyed", limits({ partitioned: perKey() }))
        yield* store.registerQueue("still", limits())
        yield* store.setQueue("still", { paused: true })
        yield* enqueue(store, [
          ...["k1", "k2"].map((id) => queued(id, { queue: "keyed", partitionKey: "k" })),
          queued("s", { queue: "still" })
        ])
        for (const queue of ["keyed", "still"]) assert.isTrue(yield* waits([queue]), queue)
      })
  )

  claim("turns come in the order of the enqueueing over all names", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      const served = ["A", "B", "C"].map((name) => ({ name, version: "1" }))
      const ids = rounds(12).map((index) => `${(index * 7) % 12}`)
      yield* enqueue(store, ids.map((id, index) => queued(id, {}, { name: "ABC"[index % 3]! })))
      assert.deepStrictEqual(yield* takeIds(store, "i", { served, limit: 5 }), ids.slice(0, 5))
      assert.deepStrictEqual(yield* takeIds(store, "i", { served }), ids.slice(5))
    }))

  claim(
    "a start that is submitted again is the same start, before its turn, in it and after it",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 1 })
        const one = queued("w", { deduplicationId: "d" })
        for (const _ of rounds(2)) assert.deepStrictEqual(yield* submit(store, one), { _tag: "Started" })
        assert.deepStrictEqual(yield* depths(store), [0, 1, 0])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["w"])
        assert.deepStrictEqual(yield* submit(store, one), { _tag: "Started" })
        assert.deepStrictEqual(yield* depths(store), [0, 0, 1])
        yield* finish(store, "i", ["w"])
        assert.deepStrictEqual(yield* submit(store, one), { _tag: "Started" })
        assert.deepStrictEqual([yield* depths(store), yield* takeIds(store, "i")], [[0, 0, 0], []])
        // and it has not taken its deduplication id once more
        yield* enqueue(store, [queued("next", { deduplicationId: "d" })])
      })
  )

  claim("only what is served starts, and what is not is in nobody's way", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { concurrency: 2 })
      yield* enqueue(store, [
        ...rounds(20).map((index) => queued(`other${index}`, {}, { name: "Other" })),
        ...rounds(20).map((index) => queued(`old${index}`, {}, { version: "0" })),
        queued("mine"),
        queued("too")
      ])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["mine", "too"])
      assert.deepStrictEqual(yield* depths(store), [0, 40, 2])
    }))

  claim(
    "only queues that are named start anything, and only they wake what they have admitted",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* store.registerQueue("r", limits({ concurrency: 1 }))
        yield* enqueue(store, [queued("a"), queued("b", { queue: "r" }), start({ workflowId: "c" })])
        assert.deepStrictEqual(yield* takeIds(store, "i", { queues: [] }), ["c"])
        assert.deepStrictEqual(yield* takeIds(store, "i", { queues: ["r", "unknown"] }), ["b"])
        yield* recorded(store, advance("b", 1, { end: suspend({ wakeAt: (yield* store.now) - 1 }) }))
        assert.deepStrictEqual(yield* takeIds(store, "i", { queues: ["q"] }), ["a"])
        assert.deepStrictEqual(yield* takeIds(store, "i", { queues: ["q"] }), [])
        assert.deepStrictEqual(yield* takeIds(store, "i", { queues: ["r"] }), ["b"])
      })
  )

  claim(
    "what is due outside of queues and what was admitted before come before new turns",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* enqueue(store, [queued("admitted")])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["admitted"])
        yield* enqueue(store, [queued("new"), start({ workflowId: "plain" })])
        yield* recorded(store, advance("admitted", 1, { end: suspend({ wakeAt: (yield* store.now) - 1 }) }))
        assert.deepStrictEqual((yield* takeIds(store, "i", { limit: 2 })).sort(), ["admitted", "plain"])
        assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 2 }), ["new"])
      })
  )

  claim(
    "no more than its concurrency are admitted, in all executors, and a suspended one keeps its place",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 2 })
        yield* join(store, "j")
        yield* enqueue(store, ["a", "b", "c", "d"].map((id) => queued(id)))
        assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 1 }), ["a"])
        assert.deepStrictEqual(yield* takeIds(store, "j"), ["b"])
        yield* recorded(store, advance("a", 1, { end: suspend() }))
        assert.deepStrictEqual([yield* takeIds(store, "i"), yield* takeIds(store, "j")], [[], []])
        assert.deepStrictEqual(yield* depths(store), [0, 2, 2])
        yield* finish(store, "j", ["b"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["c"])
        yield* cancel(store, ["a"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["d"])
      })
  )

  claim(
    "in memory of one executor are no more than its limit; what wakes waits for a place there",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { executorConcurrency: 2 })
        yield* join(store, "j")
        yield* enqueue(store, ["a", "b", "c", "d", "e"].map((id) => queued(id)))
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a", "b"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), [])
        yield* recorded(store, advance("a", 1, { end: suspend({ wakeAt: (yield* store.now) - 1 }) }))
        // it has a place again, and the woken one comes first
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
        yield* recorded(store, advance("a", 2, { end: suspend({ wakeAt: (yield* store.now) - 1 }) }))
        assert.deepStrictEqual(yield* takeIds(store, "j"), ["a", "c"])
        assert.deepStrictEqual([yield* takeIds(store, "i"), yield* takeIds(store, "i")], [["d"], []])
        const { nextDueAt } = yield* claimDue(store, "i")
        assert.isNull(nextDueAt)
      })
  )

  for (
    const [what, given] of [
      ["without limits", {}],
      ["of concurrency 1", { concurrency: 1 }],
      ["of concurrency 5", { concurrency: 5 }],
      ["of executor concurrency 2", { executorConcurrency: 2 }]
    ] as ReadonlyArray<[string, Partial<QueueLimits>]>
  ) {
    claim(
      `four claimers at a queue ${what} start each once, in order, and never exceed its limits`,
      (all) =>
        Effect.gen(function*() {
          yield* all.store.registerQueue("q", limits(given))
          const clients = yield* executorsOf(all, 4)
          const ids = rounds(120).map((index) => `${(index * 77) % 120}`)
          yield* enqueue(all.store, ids.map((id) => queued(id)))
          const began: Array<string> = []
          const running = new Set<string>()
          let most = 0
          yield* drain(clients, ids.length, {
            began: (id) => {
              began.push(id)
              running.add(id)
              most = Math.max(most, running.size)
            },
            ended: (id) => void running.delete(id)
          })
          assert.deepStrictEqual([...began].sort(), [...ids].sort())
          if (given.concurrency === 1) assert.deepStrictEqual(began, ids)
          const most_ = given.concurrency ?? (given.executorConcurrency ?? Infinity) * clients.length
          assert.isAtMost(most, most_)
          assert.deepStrictEqual(yield* depths(all.store), [0, 0, 0])
        })
    )
  }

  claim(
    "two claims of one executor at the same time stay within its limit",
    ({ another, store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { executorConcurrency: 3 })
        const other = (yield* another).store
        for (const round of rounds(10)) {
          yield* enqueue(store, rounds(10).map((index) => queued(`${round}-${index}`)))
          const taken = yield* Effect.all([claimIds(store, "i"), claimIds(other, "i")], { concurrency: "unbounded" })
          const owned = yield* store.owned("i")
          assert.isAtMost(owned.length, 3)
          assert.sameMembers(taken.flat(), owned.map(({ workflowId }) => workflowId))
          yield* cancel(store, rounds(10).map((index) => `${round}-${index}`))
        }
      })
  )

  claim(
    "a lost executor's place is free, and what it ran waits in its old place",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 2 })
        yield* enqueue(store, ["a", "b", "c"].map((id) => queued(id)))
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a", "b"])
        yield* lapse(store)
        yield* join(store, "j")
        assert.deepStrictEqual(yield* takeIds(store, "j"), [])
        assert.strictEqual((yield* sweep(store)).released, 2)
        const row = (yield* store.get("a"))!
        assert.deepStrictEqual([row.status, row.wakeAt, row.recoveryAttempts], ["ENQUEUED", null, 1])
        assert.deepStrictEqual(yield* takeIds(store, "j"), ["a", "b"])
        assert.deepStrictEqual(yield* depths(store), [0, 1, 2])
      })
  )

  claim(
    "what is handed back, or given back by one that leaves, waits in its old place",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 1 })
        yield* enqueue(store, ["a", "b"].map((id) => queued(id)))
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
        yield* recorded(store, advance("a", 1, { records: [record(0)], end: release }))
        assert.strictEqual((yield* store.get("a"))!.status, "ENQUEUED")
        const again = yield* claimUntil(store, "i", "a")
        assert.deepStrictEqual([again.row.epoch, again.records], [2, [record(0)]])
        yield* store.leave("i")
        yield* join(store, "j")
        assert.deepStrictEqual(yield* takeIds(store, "j"), ["a"])
        yield* finish(store, "j", ["a"])
        assert.deepStrictEqual(yield* takeIds(store, "j"), ["b"])
      })
  )

  claim(
    "what was suspended when its executor was lost keeps its place, and wakes elsewhere",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 1 })
        yield* enqueue(store, ["a", "b"].map((id) => queued(id)))
        yield* takeIds(store, "i")
        const wakeAt = (yield* store.now) + 1_000_000
        yield* recorded(store, advance("a", 1, { end: suspend({ wakeAt }) }))
        yield* lapse(store)
        yield* sweep(store)
        yield* join(store, "j")
        assert.deepStrictEqual([yield* takeIds(store, "j"), (yield* claimDue(store, "j")).nextDueAt], [[], wakeAt])
        yield* store.adjustClock(1_000_000)
        yield* join(store, "k")
        assert.deepStrictEqual(yield* takeIds(store, "k"), ["a"])
      })
  )

  claim(
    "a blocked one has no place until it is resumed, and then waits as if enqueued now",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 1 })
        yield* enqueue(store, ["a", "b", "c"].map((id) => queued(id)))
        yield* takeIds(store, "i")
        yield* recorded(store, advance("a", 1, { end: block }))
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["b"])
        assert.strictEqual(yield* store.deleteQueue("q"), "occupied")
        assert.deepStrictEqual(yield* store.resume(["a"]), [{ workflowId: "a", result: "resumed" }])
        assert.deepStrictEqual([(yield* store.get("a"))!.status, yield* takeIds(store, "i")], ["ENQUEUED", []])
        yield* finish(store, "i", ["b"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["c"])
        yield* finish(store, "i", ["c"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
      })
  )

  claim(
    "a cancelled one leaves at once, waiting, running or suspended; its rollbacks wait for no turn",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 2 })
        yield* enqueue(store, ["a", "b", "c", "d", "e"].map((id) => queued(id)))
        yield* takeIds(store, "i")
        yield* recorded(store, advance("a", 1, { records: [record(0, { rollback: true })], end: suspend() }))
        assert.deepStrictEqual(
          (yield* cancel(store, ["a", "b", "c"])).map((answer) => answer.result === "cancelled" && answer.phase),
          ["compensate", "done", "done"]
        )
        assert.deepStrictEqual(yield* depths(store), [0, 2, 0])
        yield* store.setQueue("q", { paused: true })
        const { claimed: [undo] } = yield* claimDue(store, "i", { queues: [] })
        assert.deepStrictEqual([undo!.row.workflowId, undo!.row.status], ["a", "CANCELLED"])
        yield* recorded(store, advance("a", undo!.row.epoch, { end: release }))
        const again = yield* claimUntil(store, "i", "a")
        yield* recorded(store, advance("a", again.row.epoch, { end: rolledBack }))
        yield* store.setQueue("q", { paused: false })
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["d", "e"])
      })
  )

  claim(
    "one that is resumed after a cancel waits in its queue again, as if enqueued now",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 1 })
        yield* enqueue(store, ["a", "b"].map((id) => queued(id, { priority: 1 })))
        yield* cancel(store, ["a"])
        assert.deepStrictEqual(yield* store.resume(["a"]), [{ workflowId: "a", result: "resumed" }])
        const row = (yield* store.get("a"))!
        assert.deepStrictEqual([row.status, row.wakeAt, row.priority], ["ENQUEUED", null, 1])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["b"])
        yield* finish(store, "i", ["b"])
        assert.deepStrictEqual(yield* takeIds(store, "i"), ["a"])
      })
  )

  claim("what passes its deadline, or uses up its attempts, leaves its place", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { concurrency: 1 })
      yield* enqueue(store, [
        queued("poison", {}, { maxRecoveryAttempts: 0 }),
        queued("late", {}, { timeoutMs: 1_000 }),
        queued("next")
      ])
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["poison"])
      yield* lapse(store)
      const { deadLettered, expired } = yield* sweep(store)
      assert.deepStrictEqual([deadLettered, expired], [["poison"], ["late"]])
      yield* join(store, "j")
      assert.deepStrictEqual(yield* takeIds(store, "j"), ["next"])
      assert.deepStrictEqual(yield* depths(store), [0, 0, 1])
      assert.deepStrictEqual(yield* store.resume(["poison"]), [{ workflowId: "poison", result: "resumed" }])
      yield* finish(store, "j", ["next"])
      assert.deepStrictEqual(yield* takeIds(store, "j"), ["poison"])
    }))

  claim("a paused queue starts nothing, and what it has admitted goes on", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [queued("a")])
      yield* takeIds(store, "i")
      assert.isTrue(yield* store.setQueue("q", { paused: true }))
      yield* enqueue(store, [queued("b")])
      yield* recorded(store, advance("a", 1, { end: suspend({ wakeAt: (yield* store.now) - 1 }) }))
      assert.deepStrictEqual([yield* takeIds(store, "i"), yield* takeIds(store, "i")], [["a"], []])
      assert.isTrue((yield* store.queues(null))[0]!.paused)
      yield* store.setQueue("q", { paused: false })
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["b"])
    }))

  claim(
    "a child is enqueued with its parent's record, and its end wakes the parent",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 1 })
        yield* enqueue(store, [queued("other"), start({ workflowId: "p", owner: "i" })])
        yield* takeIds(store, "i")
        const served = [{ name: "Order", version: "1" }, { name: "Child", version: "1" }]
        const children = [childOf("p", 0, { queue: place({ priority: 3 }) }), childOf("p", 1, { queue: place() })]
        const operation = advance("p", 1, {
          records: [record(0, { kind: "child", childId: "p-0" }), record(1, { kind: "child", childId: "p-1" })],
          children
        })
        for (const _ of rounds(2)) {
          assert.deepStrictEqual(yield* submit(store, operation), {
            _tag: "Recorded",
            children: [{ _tag: "Started" }, { _tag: "Started" }]
          })
        }
        yield* recorded(store, advance("p", 1, { end: suspend({ awaiting: ["p-0"] }) }))
        assert.deepStrictEqual(yield* takeIds(store, "i", { served }), [])
        yield* finish(store, "i", ["other"])
        assert.deepStrictEqual(yield* takeIds(store, "i", { served }), ["p-0"])
        yield* finish(store, "i", ["p-0"])
        assert.sameMembers(yield* takeIds(store, "i", { served }), ["p", "p-1"])
      })
  )

  claim(
    "limits that code declares are written once; an operator's stay until they are given up",
    ({ store }) =>
      Effect.gen(function*() {
        const shown = Effect.map(store.queues(["q"]), ([row]) => [row?.limits, row?.overridden])
        assert.isFalse(yield* store.setQueue("q", { paused: true }))
        yield* store.registerQueue("q", limits({ concurrency: 1 }))
        yield* store.registerQueue("q", limits({ concurrency: 2 }))
        assert.deepStrictEqual(yield* shown, [limits({ concurrency: 2 }), false])
        assert.isTrue(yield* store.setQueue("q", { limits: limits({ concurrency: 9, ageingMs: 5 }) }))
        yield* store.registerQueue("q", limits({ concurrency: 3 }))
        assert.deepStrictEqual(yield* shown, [limits({ concurrency: 9, ageingMs: 5 }), true])
        assert.isTrue(yield* store.setQueue("q", { limits: null }))
        assert.deepStrictEqual(yield* shown, [limits({ concurrency: 3 }), false])
      })
  )

  claim("a change of limits holds from the next claim on, for what waits too", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store, { concurrency: 1 })
      yield* enqueue(store, rounds(5).map((index) => queued(`${index}`)))
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["0"])
      yield* store.setQueue("q", { limits: limits({ concurrency: 3 }) })
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["1", "2"])
      yield* store.setQueue("q", { limits: limits({ concurrency: 1 }) })
      yield* finish(store, "i", ["0", "1"])
      assert.deepStrictEqual(yield* takeIds(store, "i"), [])
      yield* store.setQueue("q", { limits: limits() })
      assert.deepStrictEqual(yield* takeIds(store, "i"), ["3", "4"])
    }))

  claim(
    "queues are shown with what is in them, and only an empty one is forgotten",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, { concurrency: 1 })
        yield* store.registerQueue("p", limits())
        yield* enqueue(store, [queued("a"), queued("b"), queued("c"), queued("d", {}, { delayMs: 1_000_000 })])
        const { createdAt } = (yield* store.get("b"))!
        yield* takeIds(store, "i")
        assert.deepStrictEqual((yield* store.queues(null)).map(({ name }) => name), ["p", "q"])
        assert.deepStrictEqual(yield* store.queues(["q", "unknown"]), [{
          name: "q",
          limits: limits({ concurrency: 1 }),
          overridden: false,
          paused: false,
          waiting: 2,
          delayed: 1,
          running: 1,
          oldestAt: createdAt
        }])
        assert.deepStrictEqual(
          [yield* store.deleteQueue("q"), yield* store.deleteQueue("p"), yield* store.deleteQueue("p")],
          ["occupied", "deleted", "unknown"]
        )
        yield* cancel(store, ["a", "b", "c", "d"])
        assert.deepStrictEqual([yield* store.deleteQueue("q"), yield* store.queues(null)], ["deleted", []])
      })
  )

  claim(
    "five thousand starts in one write wait in the order in which they were given",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        const ids = rounds(5_000).map((index) => `${(index * 3_331) % 5_000}`)
        yield* enqueue(store, ids.map((id) => queued(id)))
        const taken: Array<string> = []
        while (taken.length < ids.length) taken.push(...(yield* takeIds(store, "i", { limit: 1_000 })))
        assert.deepStrictEqual(taken, ids)
      })
  )

  claim("a lapsed executor, or one without a place, takes nothing from a queue", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [queued("w")])
      assert.deepStrictEqual(yield* takeIds(store, "i", { limit: 0 }), [])
      assert.deepStrictEqual(yield* takeIds(store, "stranger"), [])
      yield* lapse(store)
      assert.deepStrictEqual(yield* takeIds(store, "i"), [])
      assert.deepStrictEqual(yield* depths(store), [0, 1, 0])
      yield* join(store, "j")
      assert.strictEqual((yield* claimQueued(store, "j")).claimed[0]!.row.epoch, 1)
      yield* recorded(store, advance("w", 1, { end: succeed }))
    }))
}
