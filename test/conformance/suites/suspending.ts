import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, block, childOf, fail, record, release, succeed, suspend } from "../builders.ts"
import {
  cancel,
  claim as claimDue,
  claimIds,
  claimUntil,
  historyOf,
  isDue,
  join,
  recorded,
  startDone,
  startOwned,
  submit
} from "../verbs.ts"

const hour = 3_600_000
const done = { _tag: "Recorded", children: [] } as const

/** A parent and a child, both owned by `i` at epoch 1. */
const family = Effect.fnUntraced(function*(store: StoreService) {
  yield* join(store, "i")
  yield* startOwned(store, "p", "i")
  yield* recorded(store, advance("p", 1, { records: [record(0)], children: [childOf("p", 0, { owner: "i" })] }))
})

const awaitChild = advance("p", 1, { end: suspend({ awaiting: ["p-0"] }) })

export const suspending: Suite = (claim) => {
  claim(
    "a workflow suspended until a time is PENDING, unowned, and due at that time",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        const wakeAt = (yield* store.now) + hour
        yield* recorded(store, advance("w", 1, { records: [record(0)], end: suspend({ wakeAt, waits: "\"sleep\"" }) }))
        const row = (yield* store.get("w"))!
        assert.deepStrictEqual([row.status, row.phase, row.wakeAt, row.waits], ["PENDING", "run", wakeAt, "\"sleep\""])
        const { claimed, nextDueAt } = yield* claimDue(store, "i")
        assert.deepStrictEqual([claimed, nextDueAt], [[], wakeAt])
        yield* store.adjustClock(hour)
        yield* join(store, "j")
        const again = yield* claimUntil(store, "j", "w")
        assert.deepStrictEqual([again.row.epoch, again.row.waits, again.records], [2, null, [record(0)]])
      })
  )

  claim("a workflow suspended without a time is not due", ({ store }) =>
    Effect.gen(function*() {
      yield* family(store)
      yield* recorded(store, awaitChild)
      assert.isNull((yield* store.get("p"))!.wakeAt)
      const { claimed, nextDueAt } = yield* claimDue(store, "i")
      assert.deepStrictEqual([claimed, nextDueAt], [[], null])
    }))

  for (const [how, end] of Object.entries({ succeeds: succeed, fails: fail })) {
    claim(`a workflow that awaits a child is due as soon as the child ${how}`, ({ store }) =>
      Effect.gen(function*() {
        yield* family(store)
        yield* recorded(store, awaitChild)
        yield* recorded(store, advance("p-0", 1, { end }))
        assert.isTrue(yield* isDue(store, "p"))
        const { row, records } = yield* claimUntil(store, "i", "p")
        assert.deepStrictEqual([row.epoch, records], [2, [record(0)]])
      }))
  }

  claim(
    "a workflow that awaits a child is due as soon as the child is cancelled",
    ({ store }) =>
      Effect.gen(function*() {
        yield* family(store)
        yield* recorded(store, awaitChild)
        yield* cancel(store, ["p-0"])
        assert.isTrue(yield* isDue(store, "p"))
      })
  )

  claim(
    "one of several awaited workflows is enough, and waking does not wait for the time",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        for (const id of ["w", "a", "b", "c"]) yield* startOwned(store, id, "i")
        const wakeAt = (yield* store.now) + hour
        yield* recorded(store, advance("w", 1, { end: suspend({ wakeAt, awaiting: ["a", "b", "c"] }) }))
        yield* recorded(store, advance("b", 1, { end: succeed }))
        assert.deepStrictEqual(yield* claimIds(store, "i"), ["w"])
      })
  )

  claim("everybody who awaits one workflow is woken by its end", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "one", "i")
      const waiters = Array.from({ length: 20 }, (_, index) => `waiter ${index}`)
      for (const id of waiters) {
        yield* startOwned(store, id, "i")
        yield* recorded(store, advance(id, 1, { end: suspend({ awaiting: ["one"] }) }))
      }
      yield* recorded(store, advance("one", 1, { end: succeed }))
      assert.deepStrictEqual((yield* claimIds(store, "i")).sort(), waiters.sort())
    }))

  claim(
    "what is no end does not wake: a block, a hand-over, a record of the awaited",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        for (const id of ["w", "a", "b", "c"]) yield* startOwned(store, id, "i")
        yield* recorded(store, advance("w", 1, { end: suspend({ awaiting: ["a", "b", "c"] }) }))
        yield* recorded(store, advance("a", 1, { end: block }))
        yield* recorded(store, advance("b", 1, { end: release }))
        yield* recorded(store, advance("c", 1, { records: [record(0)] }))
        assert.isFalse(yield* isDue(store, "w"))
      })
  )

  claim(
    "a suspension is Stirred when an awaited workflow is done already, and writes nothing",
    ({ store }) =>
      Effect.gen(function*() {
        yield* family(store)
        yield* startDone(store, "x", "i")
        const answer = yield* submit(
          store,
          advance("p", 1, { records: [record(1)], end: suspend({ awaiting: ["p-0", "x"] }) })
        )
        assert.strictEqual(answer._tag, "Stirred")
        assert.deepStrictEqual(yield* historyOf(store, "p"), [record(0)])
        assert.deepStrictEqual(yield* submit(store, advance("p", 1, { records: [record(1)] })), done)
      })
  )

  claim("a suspension is Stirred when an awaited workflow does not exist", ({ store }) =>
    Effect.gen(function*() {
      yield* family(store)
      const answer = yield* submit(store, advance("p", 1, { end: suspend({ awaiting: ["nobody"] }) }))
      assert.strictEqual(answer._tag, "Stirred")
      assert.strictEqual((yield* submit(store, awaitChild))._tag, "Recorded")
    }))

  claim(
    "a suspension is Stirred, and told the inbox, when the inbox has moved past what it saw",
    ({ store }) =>
      Effect.gen(function*() {
        yield* family(store)
        yield* recorded(store, awaitChild)
        yield* recorded(store, advance("p-0", 1, { end: succeed }))
        const { inbox } = yield* claimUntil(store, "i", "p")
        const wakeAt = (yield* store.now) + hour
        const end = (seen: number) => advance("p", 2, { end: suspend({ inbox: seen, wakeAt }) })
        assert.deepStrictEqual(yield* submit(store, end(inbox - 1)), { _tag: "Stirred", inbox })
        assert.deepStrictEqual(yield* submit(store, end(inbox)), done)
      })
  )

  claim("a workflow awaits the child that it starts in the same advance", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "p", "i")
      const answer = yield* submit(
        store,
        advance("p", 1, {
          records: [record(0)],
          children: [childOf("p", 0, { owner: "i" })],
          end: suspend({ awaiting: ["p-0"] })
        })
      )
      assert.strictEqual(answer._tag, "Recorded")
      assert.isFalse(yield* isDue(store, "p"))
      yield* recorded(store, advance("p-0", 1, { end: succeed }))
      assert.isTrue(yield* isDue(store, "p"))
    }))

  claim(
    "a suspension submitted again is Recorded again, also when it was woken meanwhile",
    ({ store }) =>
      Effect.gen(function*() {
        yield* family(store)
        assert.deepStrictEqual(yield* submit(store, awaitChild), done)
        assert.deepStrictEqual(yield* submit(store, awaitChild), done)
        assert.isFalse(yield* isDue(store, "p"))
        yield* recorded(store, advance("p-0", 1, { end: succeed }))
        assert.deepStrictEqual(yield* submit(store, awaitChild), done)
        assert.isTrue(yield* isDue(store, "p"))
      })
  )

  claim("a suspension under another epoch is Fenced", ({ store }) =>
    Effect.gen(function*() {
      yield* family(store)
      const answer = yield* submit(store, advance("p", 2, { end: suspend({ awaiting: ["p-0"] }) }))
      assert.deepStrictEqual(answer, { _tag: "Fenced" })
    }))
}
