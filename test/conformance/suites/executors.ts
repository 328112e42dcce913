import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, record, suspend } from "../builders.ts"
import { cancel, claimIds, claimUntil, isDue, join, lapse, leaseMs, recorded, startOwned, sweep } from "../verbs.ts"

export const executors: Suite = (claim) => {
  claim("joining tells the database's clock", ({ store }) =>
    Effect.gen(function*() {
      const before = yield* store.now
      const joined = yield* store.join({ incarnation: "i", executorId: "e", version: "1" }, leaseMs)
      assert.isAtLeast(joined, before)
      assert.isAtMost(joined, yield* store.now)
    }))

  claim("a heartbeat within the lease renews it", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      for (let beat = 0; beat < 5; beat++) {
        yield* store.adjustClock(leaseMs / 2 + 5_000)
        const { alive, revoked, now } = yield* store.heartbeat("i", leaseMs, [])
        assert.deepStrictEqual([alive, revoked], [true, []])
        assert.isAtMost(now, yield* store.now)
      }
    }))

  claim("a lapsed lease is never alive again, also when nobody has swept it", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* lapse(store)
      assert.isFalse((yield* store.heartbeat("i", leaseMs, [])).alive)
      assert.isFalse((yield* store.heartbeat("i", leaseMs, [])).alive)
      yield* sweep(store)
      assert.isFalse((yield* store.heartbeat("i", leaseMs, [])).alive)
    }))

  claim("an incarnation that never joined or has left is not alive", ({ store }) =>
    Effect.gen(function*() {
      assert.isFalse((yield* store.heartbeat("stranger", leaseMs, [])).alive)
      yield* join(store, "i")
      yield* store.leave("i")
      assert.isFalse((yield* store.heartbeat("i", leaseMs, [])).alive)
    }))

  claim(
    "a heartbeat names the workflows that were taken from the incarnation, until one says that they have ended",
    ({ store }) =>
      Effect.gen(function*() {
        for (const incarnation of ["i", "j"]) yield* join(store, incarnation)
        for (const id of ["a", "b", "c"]) yield* startOwned(store, id, "i")
        yield* startOwned(store, "d", "j")
        yield* cancel(store, ["a", "c", "d"])
        const lost = (yield* store.heartbeat("i", leaseMs, [])).revoked
        assert.deepStrictEqual(lost.map(({ workflowId }) => workflowId).sort(), ["a", "c"])
        const again = (yield* store.heartbeat("i", leaseMs, lost.slice(1))).revoked
        assert.deepStrictEqual(again, lost.slice(0, 1))
        assert.deepStrictEqual((yield* store.heartbeat("i", leaseMs, again)).revoked, [])
        assert.deepStrictEqual((yield* store.heartbeat("j", leaseMs, [])).revoked.map(({ workflowId }) => workflowId), [
          "d"
        ])
      })
  )

  claim("a heartbeat does not name what the incarnation gave back itself", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      for (const id of ["a", "b", "c"]) yield* startOwned(store, id, "i")
      const wakeAt = (yield* store.now) + leaseMs * 10
      yield* recorded(store, advance("a", 1, { end: { _tag: "Release" } }))
      yield* recorded(store, advance("b", 1, { end: suspend({ wakeAt }) }))
      yield* recorded(store, advance("c", 1, { end: { _tag: "Settle", status: "SUCCESS", output: "1" } }))
      assert.deepStrictEqual(yield* store.heartbeat("i", leaseMs, []).pipe(Effect.map(({ revoked }) => revoked)), [])
    }))

  claim(
    "leaving gives every workflow back, due at once, without counting an attempt",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* join(store, "j")
        for (const id of ["a", "b"]) yield* startOwned(store, id, "i", { maxRecoveryAttempts: 0 })
        yield* startOwned(store, "mine", "j")
        yield* recorded(store, advance("a", 1, { records: [record(0)] }))
        yield* store.leave("i")
        assert.isTrue(yield* isDue(store, "a"))
        assert.isFalse(yield* isDue(store, "mine"))
        const { row, records } = yield* claimUntil(store, "j", "a")
        assert.deepStrictEqual([row.epoch > 1, row.recoveryAttempts, records], [true, 0, [record(0)]])
        assert.deepStrictEqual(yield* sweep(store), { released: 0, deadLettered: [], expired: [] })
      })
  )

  claim(
    "an executor whose process has ended lapses at once, and nobody else does",
    ({ store }) =>
      Effect.gen(function*() {
        for (const incarnation of ["i", "j", "left"]) yield* join(store, incarnation)
        yield* startOwned(store, "w", "i", { maxRecoveryAttempts: 0 })
        yield* startOwned(store, "mine", "j")
        yield* store.leave("left")
        assert.deepStrictEqual((yield* store.lapse(["i", "left", "stranger"])).slice().sort(), ["i", "left"])
        assert.deepStrictEqual((yield* store.lapse(["i"])).slice(), ["i"])
        assert.deepStrictEqual(yield* store.lapse([]), [])
        assert.isFalse((yield* store.heartbeat("i", leaseMs, [])).alive)
        assert.isTrue((yield* store.heartbeat("j", leaseMs, [])).alive)
        // Its loss counts, like that of any other.
        assert.deepStrictEqual(yield* sweep(store), { released: 0, deadLettered: ["w"], expired: [] })
        assert.strictEqual((yield* store.get("mine"))!.status, "PENDING")
      })
  )

  claim("leaving leaves a suspended workflow to its time", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      const wakeAt = (yield* store.now) + leaseMs * 10
      yield* recorded(store, advance("w", 1, { end: suspend({ wakeAt }) }))
      yield* store.leave("i")
      yield* store.leave("i")
      yield* store.leave("stranger")
      assert.strictEqual((yield* store.get("w"))!.wakeAt, wakeAt)
      yield* join(store, "j")
      assert.deepStrictEqual(yield* claimIds(store, "j"), [])
    }))

  claim("two incarnations of one executor are two owners", ({ store }) =>
    Effect.gen(function*() {
      for (const incarnation of ["one", "two"]) {
        yield* store.join({ incarnation, executorId: "e", version: "1" }, leaseMs)
        yield* startOwned(store, incarnation, incarnation)
      }
      yield* store.leave("one")
      assert.deepStrictEqual(yield* claimIds(store, "two"), ["one"])
      assert.strictEqual((yield* store.get("two"))!.epoch, 1)
    }))
}
