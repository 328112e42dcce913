import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, childOf, record, release, start, suspend } from "../builders.ts"
import { acknowledge, claimIds, claimUntil, isDue, join, lapse, leaseMs, recorded } from "../verbs.ts"
import { startOwned, submit, sweep } from "../verbs.ts"

const hour = 3_600_000
const twoYears = 2 * 365 * 24 * hour

export const deadlines: Suite = (claim) => {
  claim(
    "what has passed its deadline is cancelled by a sweep, whatever it was doing",
    ({ store }) =>
      Effect.gen(function*() {
        const timeoutMs = leaseMs / 2
        yield* join(store, "i")
        yield* submit(store, start({ workflowId: "enqueued", timeoutMs }))
        for (const id of ["running", "suspended", "released"]) yield* startOwned(store, id, "i", { timeoutMs })
        yield* startOwned(store, "later", "i", { timeoutMs: hour })
        yield* recorded(store, advance("suspended", 1, { end: suspend({ wakeAt: (yield* store.now) + hour }) }))
        yield* recorded(store, advance("released", 1, { end: release }))
        assert.deepStrictEqual((yield* sweep(store)).expired, [])
        yield* store.adjustClock(timeoutMs + 1_000)
        const { expired, released } = yield* sweep(store)
        assert.deepStrictEqual([released, expired.sort()], [0, ["enqueued", "released", "running", "suspended"]])
        for (const id of expired) {
          const row = (yield* store.get(id))!
          assert.deepStrictEqual([row.status, row.phase], ["CANCELLED", "done"])
          assert.deepInclude(JSON.parse(row.reason!), { _tag: "Cancelled", by: "timeout" })
        }
        assert.deepStrictEqual(yield* submit(store, advance("running", 1, { records: [record(0)] })), {
          _tag: "Fenced"
        })
        const { alive, revoked } = yield* store.heartbeat("i", leaseMs, [])
        assert.deepStrictEqual([alive, revoked], [true, [{ workflowId: "running", epoch: 1 }]])
        assert.deepStrictEqual(yield* claimIds(store, "i"), [])
      })
  )

  claim(
    "a child that is out of time with its parent does not end before it, where a stranger holds the parent",
    (given) =>
      Effect.gen(function*() {
        const { store, target } = given
        if (target.kind !== "postgres") return
        const { sql } = yield* given.another
        yield* join(store, "i")
        const deadlineAt = (yield* store.now) + 1_000
        yield* startOwned(store, "p", "i", { deadlineAt })
        yield* startOwned(store, "c", "i", { deadlineAt, parentId: "p" })
        yield* startOwned(store, "alone", "i", { deadlineAt })
        yield* store.adjustClock(2_000)
        yield* sql.withTransaction(Effect.gen(function*() {
          yield* sql.unsafe(`SELECT 1 FROM "${target.schema}".ownership WHERE workflow_id = 'p' FOR UPDATE`)
          assert.deepStrictEqual((yield* store.sweep(100)).expired, ["alone"])
        }))
        assert.sameMembers([...(yield* store.sweep(100)).expired], ["p", "c"])
      }),
    "postgres"
  )

  claim("the deadline of a dead owner's workflow counts too", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i", { timeoutMs: leaseMs / 2 })
      yield* lapse(store)
      assert.deepStrictEqual((yield* sweep(store)).expired, ["w"])
      assert.isFalse(yield* isDue(store, "w"))
    }))

  claim(
    "children expire with their parent, not the detached; whoever awaits them is woken",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "waiter", "i")
        yield* startOwned(store, "p", "i", { timeoutMs: 1_000 })
        yield* recorded(
          store,
          advance("p", 1, { records: [record(0)], children: [childOf("p", 0), childOf("p", 1, { detached: true })] })
        )
        yield* recorded(store, advance("waiter", 1, { end: suspend({ awaiting: ["p-0"] }) }))
        yield* store.adjustClock(2_000)
        assert.deepStrictEqual((yield* sweep(store)).expired.sort(), ["p", "p-0"])
        assert.strictEqual((yield* store.get("p-1"))!.status, "ENQUEUED")
        assert.deepInclude(JSON.parse((yield* store.get("p-0"))!.reason!), { _tag: "Cancelled" })
        assert.isTrue(yield* isDue(store, "waiter"))
      })
  )

  claim(
    "one that has declared rollbacks compensates, and does not expire again while it does",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i", { timeoutMs: 1_000 })
        yield* recorded(store, advance("w", 1, { records: [record(0, { rollback: true })] }))
        yield* store.adjustClock(2_000)
        assert.deepStrictEqual((yield* sweep(store)).expired, ["w"])
        yield* acknowledge(store, "i")
        const { row } = yield* claimUntil(store, "i", "w")
        assert.deepStrictEqual([row.status, row.phase], ["CANCELLED", "compensate"])
        assert.deepStrictEqual((yield* sweep(store)).expired, [])
        assert.strictEqual((yield* store.get("w"))!.epoch, row.epoch)
      })
  )

  claim("many deadlines at once are worked off in batches", ({ store }) =>
    Effect.gen(function*() {
      const ids = Array.from({ length: 25 }, (_, index) => `w${index}`)
      yield* store.write(ids.map((workflowId) => start({ workflowId, timeoutMs: 1_000 })))
      yield* store.adjustClock(2_000)
      const first = yield* store.sweep(10)
      assert.isTrue(first.more)
      const rest = yield* sweep(store, 10)
      assert.deepStrictEqual([...first.expired, ...rest.expired].sort(), ids.sort())
    }))

  claim("the clock moves for every client, so two years pass at once", (given) =>
    Effect.gen(function*() {
      const { store } = given
      const other = yield* given.another
      yield* join(store, "i")
      yield* startOwned(store, "asleep", "i")
      const wakeAt = (yield* store.now) + twoYears
      yield* recorded(store, advance("asleep", 1, { end: suspend({ wakeAt }) }))
      yield* submit(store, start({ workflowId: "late", timeoutMs: twoYears, name: "Late" }))
      yield* store.adjustClock(twoYears + 1_000)
      assert.isAtLeast(yield* other.store.now, wakeAt)
      yield* join(other.store, "j")
      assert.deepStrictEqual(yield* claimIds(other.store, "j"), ["asleep"])
      assert.deepStrictEqual((yield* sweep(other.store)).expired, ["late"])
    }))
}
