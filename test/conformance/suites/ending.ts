import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, block, record, release } from "../builders.ts"
import { claimIds, claimUntil, historyOf, join, recorded, startOwned, submit } from "../verbs.ts"

const done = { _tag: "Recorded", children: [] } as const

export const ending: Suite = (claim) => {
  claim(
    "a released workflow is unowned, due at once, and no recovery attempt is counted",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* join(store, "j")
        yield* startOwned(store, "w", "i")
        yield* recorded(store, advance("w", 1, { records: [record(0)], end: release }))
        const { row, records } = yield* claimUntil(store, "j", "w")
        assert.deepStrictEqual(
          [row.epoch, row.executorId, row.recoveryAttempts, row.status, records],
          [2, "executor of j", 0, "PENDING", [record(0)]]
        )
      })
  )

  claim("a release submitted again is Recorded again", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      const operation = advance("w", 1, { records: [record(0)], end: release })
      assert.deepStrictEqual(yield* submit(store, operation), done)
      assert.deepStrictEqual(yield* submit(store, operation), done)
      assert.deepStrictEqual(yield* historyOf(store, "w"), [record(0)])
      assert.deepStrictEqual(yield* claimIds(store, "i"), ["w"])
    }))

  claim(
    "a release submitted again after another claim does not take the workflow from its new owner",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* join(store, "j")
        yield* startOwned(store, "w", "i")
        const operation = advance("w", 1, { records: [record(0)], end: release })
        yield* recorded(store, operation)
        yield* claimUntil(store, "j", "w")
        assert.include(["Recorded", "Fenced"], (yield* submit(store, operation))._tag)
        assert.deepStrictEqual(yield* claimIds(store, "i"), [])
        assert.deepStrictEqual(yield* submit(store, advance("w", 2, { records: [record(1)] })), done)
      })
  )

  claim("a blocked workflow keeps its reason, is unowned, and never due", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      const operation = advance("w", 1, { records: [record(0)], end: block })
      assert.deepStrictEqual(yield* submit(store, operation), done)
      assert.deepStrictEqual(yield* submit(store, operation), done)
      const row = (yield* store.get("w"))!
      assert.deepStrictEqual(
        [row.status, row.phase, row.wakeAt, row.reason, row.completedAt],
        ["BLOCKED", "run", null, block.reason, null]
      )
      assert.deepStrictEqual(yield* claimIds(store, "i"), [])
      assert.deepStrictEqual((yield* store.outcomes(["w"])).done, [])
      assert.deepStrictEqual(yield* historyOf(store, "w"), [record(0)])
    }))
}
