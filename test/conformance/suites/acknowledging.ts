/** When the rollbacks of a cancelled workflow may begin: never while a living owner may still run a step of it. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, block, childOf, record, release, suspend } from "../builders.ts"
import { acknowledge, cancel, claimIds, claimUntil, isDue, join, lapse, leaseMs, recorded } from "../verbs.ts"
import { claim as claimDue, startOwned, sweep } from "../verbs.ts"

const undoable = { records: [record(0, { rollback: true })] }

/** Starts a workflow that has something to undo. */
const startUndoable = Effect.fnUntraced(function*(
  store: StoreService,
  workflowId: string,
  owner: string,
  given: Parameters<typeof startOwned>[3] = {}
) {
  yield* startOwned(store, workflowId, owner, given)
  yield* recorded(store, advance(workflowId, 1, undoable))
})

const stateOf = (store: StoreService, workflowId: string) =>
  Effect.map(store.get(workflowId), (row) => [row!.status, row!.phase, row!.epoch])

const compensating = ["CANCELLED", "compensate", 2]

export const acknowledging: Suite = (claim) => {
  claim(
    "with rollbacks it is CANCELLED at once, but due for nobody before its living owner has learned of it",
    ({ store }) =>
      Effect.gen(function*() {
        for (const incarnation of ["i", "j"]) yield* join(store, incarnation)
        yield* startUndoable(store, "w", "i")
        yield* cancel(store, ["w"])
        assert.deepStrictEqual(yield* stateOf(store, "w"), compensating)
        yield* acknowledge(store, "j")
        yield* sweep(store)
        assert.isFalse(yield* isDue(store, "w"))
        for (const incarnation of ["i", "j"]) assert.deepStrictEqual(yield* claimIds(store, incarnation), [])
        assert.deepStrictEqual(yield* stateOf(store, "w"), compensating)
      })
  )

  claim("it is due for everybody as soon as its owner has learned of it", ({ store }) =>
    Effect.gen(function*() {
      for (const incarnation of ["i", "j"]) yield* join(store, incarnation)
      for (const id of ["v", "w"]) yield* startUndoable(store, id, "i")
      yield* cancel(store, ["w", "v"])
      const { alive, revoked } = yield* store.heartbeat("i", leaseMs, [])
      assert.deepStrictEqual([alive, revoked.map(({ epoch, workflowId }) => [workflowId, epoch]).sort()], [
        true,
        [["v", 1], ["w", 1]]
      ])
      assert.deepStrictEqual((yield* store.heartbeat("i", leaseMs, revoked)).revoked, [])
      assert.deepStrictEqual((yield* claimIds(store, "j")).sort(), ["v", "w"])
    }))

  claim(
    "the answer that names it may be lost: it is due only when its owner says that it has ended",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startUndoable(store, "w", "i")
        yield* cancel(store, ["w"])
        const revoked = [{ workflowId: "w", epoch: 1 }]
        for (let times = 0; times < 2; times++) {
          assert.deepStrictEqual((yield* store.heartbeat("i", leaseMs, [])).revoked, revoked)
          assert.isFalse(yield* isDue(store, "w"))
        }
        for (const ended of [[{ workflowId: "w", epoch: 2 }], [{ workflowId: "v", epoch: 1 }]]) {
          assert.deepStrictEqual((yield* store.heartbeat("i", leaseMs, ended)).revoked, revoked)
          assert.isFalse(yield* isDue(store, "w"))
        }
        assert.deepStrictEqual((yield* store.heartbeat("i", leaseMs, revoked)).revoked, [])
        assert.isTrue(yield* isDue(store, "w"))
        assert.deepStrictEqual((yield* store.heartbeat("i", leaseMs, revoked)).revoked, [])
      })
  )

  claim(
    "it is due when the lease of an owner ends that never answers, without a sweep",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startUndoable(store, "w", "i")
        yield* store.adjustClock(leaseMs / 2)
        yield* store.heartbeat("i", leaseMs, [])
        yield* cancel(store, ["w"])
        yield* store.adjustClock(leaseMs - 10_000)
        yield* join(store, "j")
        assert.deepStrictEqual(yield* claimIds(store, "j"), [])
        yield* store.adjustClock(11_000)
        const { row } = yield* claimUntil(store, "j", "w")
        assert.deepStrictEqual([row.status, row.phase, row.recoveryAttempts], ["CANCELLED", "compensate", 0])
      })
  )

  claim("without an owner it is due at once", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      const wakeAt = (yield* store.now) + leaseMs * 10
      const ends = { asleep: suspend({ wakeAt }), blocked: block, released: release }
      for (const [id, end] of Object.entries(ends)) {
        yield* startUndoable(store, id, "i")
        yield* recorded(store, advance(id, 1, { end }))
      }
      yield* cancel(store, Object.keys(ends))
      assert.deepStrictEqual((yield* claimIds(store, "i")).sort(), Object.keys(ends))
    }))

  claim(
    "with an owner that has left, has lapsed, is dead or unknown it is due at once",
    ({ store }) =>
      Effect.gen(function*() {
        for (const incarnation of ["lapsed", "dead"]) yield* join(store, incarnation)
        for (const id of ["given back", "lapsed"]) yield* startUndoable(store, id, id === "lapsed" ? id : "dead")
        yield* lapse(store)
        yield* cancel(store, ["lapsed"])
        assert.isTrue(yield* isDue(store, "lapsed"))
        assert.strictEqual((yield* sweep(store)).released, 1)
        yield* join(store, "left")
        yield* startUndoable(store, "before", "left")
        yield* store.leave("left")
        for (const owner of ["left", "dead", "unknown"]) yield* startUndoable(store, owner, owner)
        yield* cancel(store, ["given back", "before", "left", "dead", "unknown"])
        yield* join(store, "j")
        assert.deepStrictEqual(
          (yield* claimIds(store, "j")).sort(),
          ["before", "dead", "given back", "lapsed", "left", "unknown"]
        )
      })
  )

  claim(
    "an owner that leaves ends its lease: what was cancelled before is due at once",
    ({ store }) =>
      Effect.gen(function*() {
        for (const incarnation of ["i", "j"]) yield* join(store, incarnation)
        for (const id of ["told", "untold"]) {
          yield* startUndoable(store, id, "i")
          yield* cancel(store, [id])
          if (id === "told") yield* store.heartbeat("i", leaseMs, [])
        }
        yield* startUndoable(store, "other's", "j")
        yield* cancel(store, ["other's"])
        yield* store.leave("i")
        assert.deepStrictEqual((yield* claimIds(store, "j")).sort(), ["told", "untold"])
      })
  )

  claim("a deadline that has passed waits for the living owner in the same way", ({ store }) =>
    Effect.gen(function*() {
      for (const incarnation of ["i", "j"]) yield* join(store, incarnation)
      for (const owner of ["i", "j"]) yield* startUndoable(store, `of ${owner}`, owner, { timeoutMs: 1_000 })
      yield* startUndoable(store, "of nobody", "unknown", { timeoutMs: 1_000 })
      yield* store.adjustClock(2_000)
      assert.lengthOf((yield* sweep(store)).expired, 3)
      assert.deepStrictEqual(yield* claimIds(store, "j"), ["of nobody"])
      yield* acknowledge(store, "i")
      assert.deepStrictEqual(yield* claimIds(store, "j"), ["of i"])
      yield* lapse(store)
      yield* join(store, "k")
      assert.deepStrictEqual(yield* claimIds(store, "k"), ["of j"])
    }))

  claim("a child waits for its own owner, not for its parent's", ({ store }) =>
    Effect.gen(function*() {
      for (const incarnation of ["i", "j"]) yield* join(store, incarnation)
      yield* startUndoable(store, "p", "i")
      const children = [childOf("p", 1, { name: "Order" })]
      yield* recorded(store, advance("p", 1, { records: [record(1)], children }))
      const { row } = yield* claimUntil(store, "j", "p-1")
      yield* recorded(store, advance("p-1", row.epoch, undoable))
      yield* cancel(store, ["p"])
      yield* acknowledge(store, "i")
      assert.deepStrictEqual(yield* claimIds(store, "i"), ["p"])
      yield* acknowledge(store, "j")
      assert.deepStrictEqual(yield* claimIds(store, "i"), ["p-1"])
    }))

  claim(
    "under an id that is used again it waits for its own owner, whatever that of the first one says",
    ({ store }) =>
      Effect.gen(function*() {
        for (const incarnation of ["i", "j"]) yield* join(store, incarnation)
        yield* startOwned(store, "w", "i")
        yield* cancel(store, ["w"])
        yield* store.delete(["w"], { children: false })
        yield* startOwned(store, "w", "j", { epoch: 10 })
        yield* recorded(store, advance("w", 10, undoable))
        yield* cancel(store, ["w"])
        yield* acknowledge(store, "i")
        assert.isFalse(yield* isDue(store, "w"))
        yield* acknowledge(store, "j")
        assert.isTrue(yield* isDue(store, "w"))
      })
  )

  claim("who learns of it late does not wake rollbacks that another has begun", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      for (const id of ["asleep", "owned"]) yield* startUndoable(store, id, "i")
      yield* cancel(store, ["asleep", "owned"])
      yield* lapse(store)
      yield* join(store, "j")
      const { claimed } = yield* claimDue(store, "j")
      const { inbox, row } = claimed.find(({ row }) => row.workflowId === "asleep")!
      const wakeAt = (yield* store.now) + leaseMs * 10
      yield* recorded(store, advance("asleep", row.epoch, { end: suspend({ inbox, wakeAt }) }))
      yield* acknowledge(store, "i")
      assert.strictEqual((yield* store.get("asleep"))!.wakeAt, wakeAt)
      assert.isNull((yield* store.get("owned"))!.wakeAt)
      assert.deepStrictEqual(yield* claimIds(store, "j"), [])
    }))
}
