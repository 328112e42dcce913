/** Starts of no version yet: one of the latest version claims them, and they are of that version from then on. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, childOf, record, release, start, suspend } from "../builders.ts"
import { enqueue, perKey, place, queued, takeIds, withQueue } from "../queues.ts"
import { claim as claimDue, lapse, leaseMs, recorded, sweep } from "../verbs.ts"

const joinAs = (store: StoreService, incarnation: string, version: string) =>
  store.join({ incarnation, executorId: incarnation, version }, leaseMs)

const only = (...versions: ReadonlyArray<string>) => ({
  served: versions.map((version) => ({ name: "Order", version }))
})

export const unpinned: Suite = (claim) => {
  for (
    const [where, queue] of [
      ["outside of queues", null],
      ["in a queue", place()],
      ["in a partition", place({ partitionKey: "x" })]
    ] as const
  ) {
    const given = queue?.partitionKey ? { partitioned: perKey() } : {}

    claim(
      `${where} who serves no version does not get it; who does gives it its own`,
      ({ store }) =>
        Effect.gen(function*() {
          yield* withQueue(store, given)
          yield* joinAs(store, "two", "2")
          yield* enqueue(store, [start({ workflowId: "w", version: "", queue })])
          assert.deepStrictEqual(yield* takeIds(store, "i", only("1", "2")), [])
          const { claimed: [first] } = yield* claimDue(store, "two", only("2", ""))
          assert.deepStrictEqual([first!.row.workflowId, first!.row.version], ["w", "2"])
          assert.strictEqual((yield* store.get("w"))!.version, "2")
        })
    )

    claim(
      `${where} it is pinned then: waiting again, woken or recovered it is that version's alone`,
      ({ store }) =>
        Effect.gen(function*() {
          yield* withQueue(store, given)
          yield* joinAs(store, "two", "2")
          yield* enqueue(store, [start({ workflowId: "w", version: "", queue })])
          yield* takeIds(store, "two", only(""))
          assert.isTrue(yield* store.setLatestVersion("1"))
          yield* recorded(store, advance("w", 1, { records: [record(0)], end: release }))
          assert.deepStrictEqual(yield* takeIds(store, "i", only("1", "")), [])
          assert.deepStrictEqual(yield* takeIds(store, "two", only("2")), ["w"])
          yield* recorded(store, advance("w", 2, { end: suspend({ wakeAt: (yield* store.now) - 1 }) }))
          assert.deepStrictEqual(yield* takeIds(store, "i", only("1", "")), [])
          assert.deepStrictEqual(yield* takeIds(store, "two", only("2")), ["w"])
          yield* lapse(store)
          yield* sweep(store)
          yield* joinAs(store, "one", "1")
          yield* joinAs(store, "three", "2")
          assert.deepStrictEqual(yield* takeIds(store, "one", only("1", "")), [])
          assert.deepStrictEqual(yield* takeIds(store, "three", only("2")), ["w"])
        })
    )

    claim(
      `${where} only one of the latest version gets it, also while another takes itself for that`,
      ({ store }) =>
        Effect.gen(function*() {
          yield* withQueue(store, given)
          yield* joinAs(store, "two", "2")
          yield* enqueue(store, [start({ workflowId: "w", version: "", queue })])
          const { claimed, nextDueAt } = yield* claimDue(store, "i", only("1", ""))
          assert.deepStrictEqual(claimed, [])
          assert.isNull(nextDueAt, "what it may not take is no reason to look again")
          assert.isTrue(yield* store.setLatestVersion("1"))
          assert.deepStrictEqual(yield* takeIds(store, "two", only("2", "")), [])
          assert.deepStrictEqual(yield* takeIds(store, "i", only("1", "")), ["w"])
          assert.strictEqual((yield* store.get("w"))!.version, "1")
        })
    )

    claim(
      `${where} what is of a version is taken also by one that is not of the latest, and serves none`,
      ({ store }) =>
        Effect.gen(function*() {
          yield* withQueue(store, given)
          yield* joinAs(store, "two", "2")
          yield* enqueue(store, [start({ workflowId: "w", version: "1", queue })])
          assert.deepStrictEqual(yield* takeIds(store, "i", only("1", "")), ["w"])
        })
    )

    claim(`${where} an executor without a version leaves it without one`, ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store, given)
        yield* joinAs(store, "none", "")
        yield* enqueue(store, [start({ workflowId: "w", version: "", queue })])
        assert.deepStrictEqual(yield* takeIds(store, "none", only("")), ["w"])
        yield* recorded(store, advance("w", 1, { end: release }))
        assert.strictEqual((yield* store.get("w"))!.version, "")
        assert.deepStrictEqual(yield* takeIds(store, "none", only("")), ["w"])
      }))
  }

  claim("a child without a version is started like that, too", ({ store }) =>
    Effect.gen(function*() {
      yield* withQueue(store)
      yield* enqueue(store, [start({ workflowId: "p", owner: "i" }), queued("pinned", {}, { version: "1" })])
      yield* recorded(store, advance("p", 1, { children: [childOf("p", 0, { name: "Order", version: "" })] }))
      assert.deepStrictEqual(yield* takeIds(store, "i", only("")), ["p-0"])
      assert.strictEqual((yield* store.get("p-0"))!.version, "1")
      assert.deepStrictEqual(yield* takeIds(store, "i", only("1")), ["pinned"])
    }))
}
