import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, block, childOf, fail, record, release, rolledBack, start, suspend } from "../builders.ts"
import { enqueue, limits, queued, withQueue } from "../queues.ts"
import {
  acknowledge,
  cancel,
  claim as claimDue,
  claimIds,
  claimUntil,
  historyOf,
  isDue,
  join,
  lapse,
  leaseMs,
  loseOnce,
  recorded,
  startDone,
  startOwned,
  submit,
  sweep
} from "../verbs.ts"

export const resuming: Suite = (claim) => {
  claim(
    "what runs, waits or has ended in SUCCESS or ERROR is refused; each id is answered in order",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* submit(store, start({ workflowId: "enqueued" }))
        for (const id of ["running", "suspended", "failed"]) yield* startOwned(store, id, "i")
        yield* startDone(store, "done", "i")
        yield* recorded(store, advance("suspended", 1, { end: suspend({ wakeAt: (yield* store.now) + 100_000 }) }))
        yield* recorded(store, advance("failed", 1, { end: fail }))
        assert.deepStrictEqual(yield* store.resume(["done", "unknown", "enqueued", "running", "suspended", "failed"]), [
          { workflowId: "done", result: "refused", status: "SUCCESS" },
          { workflowId: "unknown", result: "unknown" },
          { workflowId: "enqueued", result: "refused", status: "ENQUEUED" },
          { workflowId: "running", result: "refused", status: "PENDING" },
          { workflowId: "suspended", result: "refused", status: "PENDING" },
          { workflowId: "failed", result: "refused", status: "ERROR" }
        ])
        assert.deepStrictEqual(yield* store.resume([]), [])
        assert.strictEqual((yield* store.get("running"))!.epoch, 1)
        assert.strictEqual((yield* submit(store, advance("running", 1, { records: [record(0)] })))._tag, "Recorded")
      })
  )

  claim("a cancelled workflow runs again from its records", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* recorded(store, advance("w", 1, { records: [record(0)] }))
      yield* cancel(store, ["w"])
      yield* acknowledge(store, "i")
      assert.deepStrictEqual(yield* store.resume(["w"]), [{ workflowId: "w", result: "resumed" }])
      assert.isTrue(yield* isDue(store, "w"))
      assert.deepStrictEqual((yield* store.outcomes(["w"])).done, [])
      const { row, records } = yield* claimUntil(store, "i", "w")
      assert.deepStrictEqual(
        [row.status, row.phase, row.reason, row.completedAt, row.output, records],
        ["PENDING", "run", null, null, null, [record(0)]]
      )
      assert.deepStrictEqual(yield* submit(store, advance("w", 1, { records: [record(1)] })), { _tag: "Fenced" })
      yield* recorded(store, advance("w", row.epoch, { records: [record(1)] }))
    }))

  claim(
    "what may still run where it was cancelled is held, until its living owner says that it has ended",
    ({ store }) =>
      Effect.gen(function*() {
        yield* withQueue(store)
        yield* join(store, "j")
        yield* startOwned(store, "cancelled", "i")
        yield* startOwned(store, "expired", "i", { timeoutMs: 1_000 })
        yield* startOwned(store, "undoable", "i")
        yield* recorded(store, advance("undoable", 1, { records: [record(0, { rollback: true })] }))
        yield* enqueue(store, [queued("queued", { deduplicationId: "d" })])
        assert.deepStrictEqual(yield* claimIds(store, "i"), ["queued"])
        yield* cancel(store, ["cancelled", "undoable", "queued"])
        yield* store.adjustClock(1_001)
        assert.deepStrictEqual((yield* sweep(store)).expired, ["expired"])
        const ids = ["cancelled", "expired", "undoable", "queued"]
        const held = ids.map((workflowId) => ({ workflowId, result: "held" as const, status: "CANCELLED" as const }))
        const before = yield* Effect.forEach(ids, store.get)
        assert.deepStrictEqual(yield* store.resume(ids), held)
        yield* acknowledge(store, "j")
        const { revoked } = yield* store.heartbeat("i", leaseMs, [])
        assert.deepStrictEqual(yield* store.resume(ids), held)
        assert.deepStrictEqual(yield* Effect.forEach(ids, store.get), before)
        assert.deepStrictEqual(yield* claimIds(store, "j"), [])
        // its deduplication id is free meanwhile
        yield* enqueue(store, [queued("another", { deduplicationId: "d" })])
        yield* cancel(store, ["another"])
        yield* store.heartbeat("i", leaseMs, revoked)
        assert.deepStrictEqual(
          yield* store.resume(ids),
          ids.map((workflowId) => ({ workflowId, result: "resumed" as const }))
        )
        assert.sameMembers(yield* claimIds(store, "j"), ids)
      })
  )

  claim(
    "it is held no longer than the lease of its owner, whether a sweep has come or not",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        yield* cancel(store, ["w"])
        yield* store.adjustClock(leaseMs - 10_000)
        yield* join(store, "j")
        assert.deepStrictEqual((yield* store.resume(["w"])).map(({ result }) => result), ["held"])
        yield* store.adjustClock(11_000)
        assert.deepStrictEqual((yield* store.resume(["w"])).map(({ result }) => result), ["resumed"])
        assert.deepStrictEqual(yield* claimIds(store, "j"), ["w"])
      })
  )

  claim("by whom it was given up, or who has left, is known to run it no more", ({ store }) =>
    Effect.gen(function*() {
      for (const incarnation of ["i", "left", "ended"]) yield* join(store, incarnation)
      const owners = { asleep: "i", released: "i", before: "left", after: "left", ended: "ended", unknown: "vanished" }
      for (const [id, owner] of Object.entries(owners)) yield* startOwned(store, id, owner)
      const wakeAt = (yield* store.now) + leaseMs * 10
      yield* recorded(store, advance("asleep", 1, { end: suspend({ wakeAt }) }))
      yield* recorded(store, advance("released", 1, { end: release }))
      const ids = Object.keys(owners)
      yield* cancel(store, ids.filter((id) => id !== "after"))
      yield* store.leave("left")
      yield* store.lapse(["ended"])
      yield* cancel(store, ["after"])
      assert.deepStrictEqual(
        yield* store.resume(ids),
        ids.map((workflowId) => ({ workflowId, result: "resumed" as const }))
      )
    }))

  claim("one cancelled before it began runs", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* submit(store, start({ workflowId: "w" }))
      yield* cancel(store, ["w"])
      yield* store.resume(["w"])
      assert.strictEqual((yield* claimUntil(store, "i", "w")).row.phase, "run")
    }))

  claim("a blocked workflow is due again, without its reason", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* recorded(store, advance("w", 1, { records: [record(0)], end: block }))
      assert.deepStrictEqual(yield* store.resume(["w"]), [{ workflowId: "w", result: "resumed" }])
      const { row, records } = yield* claimUntil(store, "i", "w")
      assert.deepStrictEqual([row.status, row.reason, records], ["PENDING", null, [record(0)]])
    }))

  claim("a dead letter has its recovery attempts again", ({ store }) =>
    Effect.gen(function*() {
      yield* startOwned(store, "w", "vanished", { maxRecoveryAttempts: 0 })
      assert.deepStrictEqual((yield* sweep(store)).deadLettered, ["w"])
      assert.deepStrictEqual(yield* store.resume(["w"]), [{ workflowId: "w", result: "resumed" }])
      const { claimed, swept } = yield* loseOnce(store, "w", "i")
      assert.deepStrictEqual([claimed.row.recoveryAttempts, claimed.row.status], [0, "PENDING"])
      assert.deepStrictEqual(swept.deadLettered, ["w"])
    }))

  claim("a deadline that has passed is dropped, one that has not is kept", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      const deadlineAt = (yield* store.now) + 1_000_000
      yield* submit(store, start({ workflowId: "passed", timeoutMs: 1_000 }))
      yield* submit(store, start({ workflowId: "ahead", deadlineAt }))
      yield* cancel(store, ["ahead"])
      yield* store.adjustClock(2_000)
      assert.deepStrictEqual((yield* sweep(store)).expired, ["passed"])
      yield* store.resume(["passed", "ahead"])
      assert.isNull((yield* store.get("passed"))!.deadlineAt)
      assert.strictEqual((yield* store.get("ahead"))!.deadlineAt, deadlineAt)
      assert.deepStrictEqual((yield* sweep(store)).expired, [])
      yield* store.adjustClock(1_000_000)
      assert.deepStrictEqual((yield* sweep(store)).expired, ["ahead"])
    }))

  claim("one whose rollbacks nobody has begun runs again from its records", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* recorded(store, advance("w", 1, { records: [record(0, { rollback: true })] }))
      yield* cancel(store, ["w"])
      yield* acknowledge(store, "i")
      assert.deepStrictEqual(yield* store.resume(["w"]), [{ workflowId: "w", result: "resumed" }])
      const { row, records } = yield* claimUntil(store, "i", "w")
      assert.deepStrictEqual([row.status, row.phase, row.reason, records.length], ["PENDING", "run", null, 1])
    }))

  claim(
    "one whose rollbacks are under way, or were when a lease was lost, is refused",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        yield* recorded(store, advance("w", 1, { records: [record(0, { rollback: true })] }))
        yield* cancel(store, ["w"])
        yield* acknowledge(store, "i")
        yield* claimUntil(store, "i", "w")
        const refused = [{ workflowId: "w", result: "refused", status: "CANCELLED" }] as const
        assert.deepStrictEqual(yield* store.resume(["w"]), refused)
        yield* lapse(store)
        assert.strictEqual((yield* sweep(store)).released, 1)
        assert.deepStrictEqual(yield* store.resume(["w"]), refused)
      })
  )

  claim(
    "one that had failed and was rolling back goes on with that when it is resumed: blocked, or a dead letter",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        const rollingBack = [record(0, { rollback: true }), record(1, { kind: "rollback" })]
        yield* startOwned(store, "blocked", "i")
        yield* recorded(store, advance("blocked", 1, { records: rollingBack, end: block }))
        yield* startOwned(store, "dead", "i", { maxRecoveryAttempts: 0 })
        yield* recorded(store, advance("dead", 1, { records: rollingBack }))
        yield* lapse(store)
        assert.deepStrictEqual((yield* sweep(store)).deadLettered, ["dead"])
        const ids = ["blocked", "dead"]
        assert.deepStrictEqual(
          yield* store.resume(ids),
          ids.map((workflowId) => ({ workflowId, result: "resumed" as const }))
        )
        yield* join(store, "j")
        const { claimed } = yield* claimDue(store, "j")
        assert.sameDeepMembers(
          claimed.map(({ row, records }) => [row.workflowId, row.status, row.phase, records]),
          ids.map((id) => [id, "PENDING", "run", rollingBack])
        )
        yield* cancel(store, ids)
        assert.deepStrictEqual(
          yield* store.resume(ids),
          ids.map((workflowId) => ({ workflowId, result: "compensated" as const, status: "CANCELLED" as const }))
        )
      })
  )

  claim("a cancelled one of whose rollbacks has run is never resumed", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      for (const [id, end] of [["going", null], ["ended", rolledBack]] as const) {
        yield* startOwned(store, id, "i")
        yield* recorded(store, advance(id, 1, { records: [record(0, { rollback: true })] }))
        yield* cancel(store, [id])
        yield* acknowledge(store, "i")
        const { row } = yield* claimUntil(store, "i", id)
        yield* recorded(store, advance(id, row.epoch, { records: [record(1, { kind: "rollback" })], end }))
      }
      assert.deepStrictEqual(yield* store.resume(["going", "ended"]), [
        { workflowId: "going", result: "compensated", status: "CANCELLED" },
        { workflowId: "ended", result: "compensated", status: "CANCELLED" }
      ])
    }))

  claim("one that is blocked in its rollbacks goes on with them", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* recorded(store, advance("w", 1, { records: [record(0, { rollback: true })] }))
      yield* cancel(store, ["w"])
      yield* acknowledge(store, "i")
      const { row } = yield* claimUntil(store, "i", "w")
      yield* recorded(store, advance("w", row.epoch, { end: block }))
      assert.deepStrictEqual(yield* store.resume(["w"]), [{ workflowId: "w", result: "resumed" }])
      const again = yield* claimUntil(store, "i", "w")
      assert.deepStrictEqual([again.row.status, again.row.phase], ["CANCELLED", "compensate"])
    }))

  claim("one whose queue is gone is due like one that never had any", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* store.registerQueue("q", limits())
      yield* submit(store, queued("w", { deduplicationId: "d" }))
      yield* cancel(store, ["w"])
      assert.strictEqual(yield* store.deleteQueue("q"), "deleted")
      assert.deepStrictEqual(yield* store.resume(["w"]), [{ workflowId: "w", result: "resumed" }])
      assert.strictEqual((yield* store.get("w"))!.status, "PENDING")
      assert.isTrue(yield* isDue(store, "w"))
      assert.deepStrictEqual(yield* claimIds(store, "i", { queues: ["another"] }), ["w"])
      // nor does it hold its deduplication id
      yield* store.registerQueue("q", limits())
      assert.deepStrictEqual(yield* submit(store, queued("v", { deduplicationId: "d" })), { _tag: "Started" })
      assert.deepStrictEqual(yield* claimIds(store, "i"), ["v"])
    }))

  claim(
    "resuming submitted again, after a lost answer, leaves the workflow to whoever has claimed it",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "p", "i")
        yield* recorded(store, advance("p", 1, { records: [record(0)], children: [childOf("p", 0)] }))
        yield* cancel(store, ["p"])
        yield* acknowledge(store, "i")
        yield* store.resume(["p"])
        const { row } = yield* claimUntil(store, "i", "p")
        assert.deepStrictEqual(yield* store.resume(["p"]), [{ workflowId: "p", result: "refused", status: "PENDING" }])
        yield* recorded(store, advance("p", row.epoch, { records: [record(1)] }))
        assert.lengthOf(yield* historyOf(store, "p"), 2)
        assert.strictEqual((yield* store.get("p-0"))!.status, "CANCELLED")
      })
  )
}
