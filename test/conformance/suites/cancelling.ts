import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, cancelled, childOf, record, rolledBack, start, succeed, suspend } from "../builders.ts"
import { acknowledge, cancel, claimIds, claimUntil, historyOf, join, recorded, startDone } from "../verbs.ts"
import { startOwned, submit } from "../verbs.ts"

const fenced = { _tag: "Fenced" } as const

export const cancelling: Suite = (claim) => {
  claim("a running workflow is CANCELLED at once and its owner fenced", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* recorded(store, advance("w", 1, { records: [record(0)] }))
      assert.deepStrictEqual(yield* cancel(store, ["w"]), [{ workflowId: "w", result: "cancelled", phase: "done" }])
      const row = (yield* store.get("w"))!
      assert.deepStrictEqual(
        [row.status, row.phase, row.reason, row.output, row.wakeAt],
        ["CANCELLED", "done", cancelled("user"), null, null]
      )
      assert.isAbove(row.epoch, 1)
      assert.isAtLeast(row.completedAt!, row.createdAt)
      const late = advance("w", 1, { records: [record(1)], end: succeed })
      assert.deepStrictEqual(yield* submit(store, late), fenced)
      assert.deepStrictEqual(yield* historyOf(store, "w"), [record(0)])
    }))

  claim("one that waits or is not begun is CANCELLED and not claimed any more", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* submit(store, start({ workflowId: "enqueued" }))
      yield* startOwned(store, "suspended", "i")
      yield* recorded(store, advance("suspended", 1, { end: suspend({ wakeAt: 0 }) }))
      const answers = yield* cancel(store, ["enqueued", "suspended"])
      assert.deepStrictEqual(answers.map(({ result }) => result), ["cancelled", "cancelled"])
      assert.deepStrictEqual(yield* claimIds(store, "i"), [])
    }))

  claim(
    "each id is answered, in order: unknown, done with its status, cancelled",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startDone(store, "done", "i")
        for (const id of ["w", "gone"]) yield* startOwned(store, id, "i")
        yield* cancel(store, ["gone"])
        assert.deepStrictEqual(yield* cancel(store, ["unknown", "w", "done", "gone"]), [
          { workflowId: "unknown", result: "unknown" },
          { workflowId: "w", result: "cancelled", phase: "done" },
          { workflowId: "done", result: "done", status: "SUCCESS" },
          { workflowId: "gone", result: "done", status: "CANCELLED" }
        ])
        assert.strictEqual((yield* store.get("done"))!.status, "SUCCESS")
        assert.deepStrictEqual(yield* cancel(store, []), [])
      })
  )

  claim("a blocked workflow can be cancelled", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* recorded(store, advance("w", 1, { end: { _tag: "Block", reason: "{}" } }))
      assert.deepStrictEqual((yield* cancel(store, ["w"])).map(({ result }) => result), ["cancelled"])
      const row = (yield* store.get("w"))!
      assert.deepStrictEqual([row.status, row.phase, row.reason], ["CANCELLED", "done", cancelled("user")])
    }))

  claim(
    "with rollbacks declared it is claimed again to compensate, keeps its status, and then is done",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        yield* recorded(store, advance("w", 1, { records: [record(0, { rollback: true }), record(1)] }))
        assert.deepStrictEqual(
          yield* cancel(store, ["w"]),
          [{ workflowId: "w", result: "cancelled", phase: "compensate" }]
        )
        assert.deepStrictEqual((yield* store.outcomes(["w"])).done, [])
        assert.deepStrictEqual(yield* submit(store, advance("w", 1, { records: [record(2)] })), fenced)
        yield* acknowledge(store, "i")
        const { row, records } = yield* claimUntil(store, "i", "w")
        assert.deepStrictEqual([row.status, row.phase, records.length], ["CANCELLED", "compensate", 2])
        const undo = record(2, { kind: "rollback" })
        yield* recorded(store, advance("w", row.epoch, { records: [undo] }))
        yield* recorded(store, advance("w", row.epoch, { end: rolledBack }))
        const ended = (yield* store.get("w"))!
        assert.deepStrictEqual(
          [ended.status, ended.phase, ended.output, ended.reason],
          ["CANCELLED", "done", null, cancelled("user")]
        )
        assert.lengthOf(yield* historyOf(store, "w"), 3)
        assert.strictEqual((yield* store.outcomes(["w"])).done[0]!.status, "CANCELLED")
      })
  )

  claim(
    "a rollback declared for a step that failed has nothing to undo: the workflow is done at once",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        yield* recorded(store, advance("w", 1, { records: [record(0, { rollback: true, outcome: "failure" })] }))
        assert.deepStrictEqual(yield* cancel(store, ["w"]), [{ workflowId: "w", result: "cancelled", phase: "done" }])
      })
  )

  claim("a compensating workflow that waits keeps its status and is due again", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* recorded(store, advance("w", 1, { records: [record(0, { rollback: true })] }))
      yield* cancel(store, ["w"])
      yield* acknowledge(store, "i")
      const { row, inbox } = yield* claimUntil(store, "i", "w")
      const wakeAt = (yield* store.now) + 1_000
      yield* recorded(store, advance("w", row.epoch, { end: suspend({ inbox, wakeAt }) }))
      assert.strictEqual((yield* store.get("w"))!.status, "CANCELLED")
      yield* store.adjustClock(1_000)
      const again = yield* claimUntil(store, "i", "w")
      assert.deepStrictEqual([again.row.status, again.row.phase], ["CANCELLED", "compensate"])
      yield* recorded(store, advance("w", again.row.epoch, { end: { _tag: "Block", reason: "{\"why\":1}" } }))
      assert.strictEqual((yield* store.get("w"))!.status, "CANCELLED")
      assert.deepStrictEqual(yield* claimIds(store, "i"), [])
    }))

  claim(
    "children are cancelled too, however deep, with a reason of their own; not the detached",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "p", "i")
        const born = (parent: string, ...children: ReadonlyArray<ReturnType<typeof childOf>>) =>
          recorded(store, advance(parent, 1, { records: children.map((_, step) => record(step)), children }))
        const owner = "i"
        yield* born("p", childOf("p", 0, { owner }), childOf("p", 1, { owner, detached: true }), childOf("p", 2))
        yield* born("p-0", childOf("p-0", 0, { owner }))
        yield* born("p-0-0", childOf("p-0-0", 0))
        yield* born("p-1", childOf("p-1", 0))
        const [answer, ...others] = yield* cancel(store, ["p"])
        assert.deepStrictEqual(answer, { workflowId: "p", result: "cancelled", phase: "done" })
        assert.deepStrictEqual(
          others.toSorted((a, b) => a.workflowId < b.workflowId ? -1 : 1),
          ["p-0", "p-0-0", "p-0-0-0", "p-2"].map((workflowId) => ({ workflowId, result: "cancelled", phase: "done" }))
        )
        const reasonOf = (id: string) => Effect.map(store.get(id), (row) => [row!.status, row!.reason])
        assert.deepStrictEqual(yield* reasonOf("p"), ["CANCELLED", cancelled("user")])
        for (const id of ["p-0", "p-2", "p-0-0", "p-0-0-0"]) {
          assert.deepStrictEqual(yield* reasonOf(id), ["CANCELLED", cancelled("parent")], id)
        }
        assert.deepStrictEqual(yield* reasonOf("p-1"), ["PENDING", null])
        assert.deepStrictEqual(yield* reasonOf("p-1-0"), ["ENQUEUED", null])
        assert.deepStrictEqual(yield* submit(store, advance("p-0-0", 1, { records: [record(5)] })), fenced)
      })
  )

  claim("a child that is done keeps its outcome", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "p", "i")
      yield* recorded(store, advance("p", 1, { records: [record(0)], children: [childOf("p", 0, { owner: "i" })] }))
      yield* recorded(store, advance("p-0", 1, { records: [record(0)], children: [childOf("p-0", 0)], end: succeed }))
      yield* cancel(store, ["p"])
      assert.strictEqual((yield* store.get("p-0"))!.status, "SUCCESS")
    }))

  claim("without children, they go on", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "p", "i")
      yield* recorded(store, advance("p", 1, { records: [record(0)], children: [childOf("p", 0)] }))
      yield* cancel(store, ["p"], false)
      assert.deepStrictEqual(yield* claimIds(store, "i", { served: [{ name: "Child", version: "1" }] }), ["p-0"])
    }))
}
