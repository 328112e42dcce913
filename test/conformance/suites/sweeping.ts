import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, attempt, childOf, record, start, suspend } from "../builders.ts"
import { acknowledge, claimIds, claimUntil, isDue, join, lapse, leaseMs, loseOnce, race } from "../verbs.ts"
import { recorded, rounds, startOwned, submit, sweep } from "../verbs.ts"

const nothing = { released: 0, deadLettered: [], expired: [] }

export const sweeping: Suite = (claim) => {
  claim(
    "the workflows of a lapsed executor are given back, due at once, with an attempt counted",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        for (const id of ["a", "b"]) yield* startOwned(store, id, "i")
        yield* recorded(store, advance("a", 1, { records: [record(0)] }))
        yield* lapse(store)
        yield* join(store, "j")
        yield* startOwned(store, "mine", "j")
        assert.deepStrictEqual(yield* sweep(store), { ...nothing, released: 2 })
        assert.deepStrictEqual(yield* sweep(store), nothing)
        assert.isFalse(yield* isDue(store, "mine"))
        const { row, records } = yield* claimUntil(store, "j", "a")
        assert.deepStrictEqual(
          [row.status, row.epoch > 1, row.recoveryAttempts, row.executorId, records],
          ["PENDING", true, 1, "executor of j", [record(0)]]
        )
      })
  )

  claim("the workflows of an executor that never joined are given back", ({ store }) =>
    Effect.gen(function*() {
      yield* startOwned(store, "w", "vanished")
      assert.deepStrictEqual(yield* sweep(store), { ...nothing, released: 1 })
      assert.isTrue(yield* isDue(store, "w"))
    }))

  claim(
    "a live executor, and what is suspended, enqueued or done, are left alone",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        for (const id of ["done", "asleep"]) yield* startOwned(store, id, "i")
        yield* submit(store, start({ workflowId: "enqueued" }))
        yield* recorded(store, advance("done", 1, { end: { _tag: "Settle", status: "SUCCESS", output: "1" } }))
        const wakeAt = (yield* store.now) + leaseMs * 10
        yield* recorded(store, advance("asleep", 1, { end: suspend({ wakeAt }) }))
        yield* lapse(store)
        yield* join(store, "j")
        yield* startOwned(store, "live", "j")
        assert.deepStrictEqual(yield* sweep(store), nothing)
        const row = (yield* store.get("asleep"))!
        assert.deepStrictEqual([row.wakeAt, row.recoveryAttempts, row.epoch], [wakeAt, 0, 1])
      })
  )

  claim(
    "a workflow is given back once for each lease lost, also by sweeps at the same time",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        for (const round of rounds(20)) {
          const ids = Array.from({ length: 10 }, (_, index) => `w${round}-${index}`)
          yield* join(given.store, `i${round}`)
          for (const id of ids) yield* startOwned(given.store, id, `i${round}`)
          yield* lapse(given.store)
          const [left, right] = yield* race(round, sweep(given.store), sweep(other.store))
          yield* sweep(given.store)
          assert.isAtMost(left.released + right.released, ids.length)
          for (const id of ids) assert.strictEqual((yield* given.store.get(id))!.recoveryAttempts, 1)
        }
      })
  )

  claim(
    "a new record sets the recovery attempts back to none; a failed attempt alone does not",
    ({ store }) =>
      Effect.gen(function*() {
        yield* submit(store, start({ workflowId: "w" }))
        yield* loseOnce(store, "w", "i1")
        const { claimed } = yield* loseOnce(store, "w", "i2")
        assert.strictEqual(claimed.row.recoveryAttempts, 1)
        yield* join(store, "i3")
        const { row } = yield* claimUntil(store, "i3", "w")
        assert.strictEqual(row.recoveryAttempts, 2)
        yield* recorded(store, advance("w", row.epoch, { attempts: [attempt(0, 0)] }))
        assert.strictEqual((yield* store.get("w"))!.recoveryAttempts, 2)
        yield* recorded(store, advance("w", row.epoch, { records: [record(0)] }))
        assert.strictEqual((yield* store.get("w"))!.recoveryAttempts, 0)
      })
  )

  claim(
    "a workflow has as many recovery attempts as it was given, then it is a dead letter",
    ({ store }) =>
      Effect.gen(function*() {
        yield* submit(store, start({ workflowId: "w", maxRecoveryAttempts: 2 }))
        for (const loss of [1, 2]) {
          const { swept } = yield* loseOnce(store, "w", `i${loss}`)
          assert.deepStrictEqual(swept.deadLettered, [], `after loss ${loss}`)
        }
        const { swept } = yield* loseOnce(store, "w", "i3")
        assert.deepStrictEqual(swept.deadLettered, ["w"])
        const row = (yield* store.get("w"))!
        assert.deepStrictEqual([row.status, row.phase, row.wakeAt], ["DEAD_LETTER", "done", null])
        assert.deepInclude(JSON.parse(row.reason!), { _tag: "DeadLettered" })
        assert.strictEqual((yield* store.outcomes(["w"])).done[0]!.status, "DEAD_LETTER")
        yield* join(store, "i4")
        assert.deepStrictEqual(yield* claimIds(store, "i4"), [])
        assert.deepStrictEqual(yield* sweep(store), nothing)
      })
  )

  claim(
    "without recovery attempts the first lost lease is the end, and whoever awaits it is woken",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "p", "i")
        const children = [childOf("p", 0, { owner: "i", maxRecoveryAttempts: 0 })]
        yield* recorded(store, advance("p", 1, { records: [record(0)], children }))
        yield* recorded(store, advance("p", 1, { end: suspend({ awaiting: ["p-0"] }) }))
        yield* lapse(store)
        assert.deepStrictEqual((yield* sweep(store)).deadLettered, ["p-0"])
        assert.isTrue(yield* isDue(store, "p"))
      })
  )

  claim("a compensating workflow of a lapsed executor goes on to compensate", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* recorded(store, advance("w", 1, { records: [record(0, { rollback: true })] }))
      yield* store.cancel(["w"], { reason: "{}", childReason: "{}", children: true })
      yield* acknowledge(store, "i")
      yield* claimUntil(store, "i", "w")
      yield* lapse(store)
      assert.strictEqual((yield* sweep(store)).released, 1)
      yield* join(store, "j")
      const { row } = yield* claimUntil(store, "j", "w")
      assert.deepStrictEqual([row.status, row.phase], ["CANCELLED", "compensate"])
    }))

  claim("a sweep works in batches, tells that there is more, and ends", ({ store }) =>
    Effect.gen(function*() {
      const ids = Array.from({ length: 25 }, (_, index) => `w${index}`)
      for (const id of ids) yield* startOwned(store, id, "vanished")
      const first = yield* store.sweep(10)
      assert.isTrue(first.more)
      assert.isAtMost(first.released, 10)
      const rest = yield* sweep(store, 10)
      assert.strictEqual(first.released + rest.released, 25)
      yield* join(store, "j")
      assert.deepStrictEqual((yield* claimIds(store, "j")).sort(), ids.sort())
    }))
}
