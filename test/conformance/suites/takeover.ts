/**
 * The class of bug hunted here: a record that was acknowledged, yet is missing in the history that the next owner was
 * given, so that a finished step runs again.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, record, release, start } from "../builders.ts"
import { cancel, claim as claimDue, claimUntil, historyOf, join, lapse, race, rounds } from "../verbs.ts"
import { startOwned, submit, sweep, write } from "../verbs.ts"

/** Writes one record after another until it is fenced; the ids of those that were acknowledged. */
const writeUntilFenced = Effect.fnUntraced(function*(store: StoreService, workflowId: string) {
  const acknowledged: Array<number> = []
  for (let stepId = 0;; stepId++) {
    const answer = yield* submit(store, advance(workflowId, 1, { records: [record(stepId)] }))
    if (answer._tag === "Fenced") return acknowledged
    assert.strictEqual(answer._tag, "Recorded")
    acknowledged.push(stepId)
  }
})

/** Sweeps until so many are released: one whose owner writes just then is not waited for. */
const releaseAll = Effect.fnUntraced(function*(store: StoreService, count: number) {
  for (let released = 0, tries = 0; released < count; tries++) {
    assert.isBelow(tries, 10_000, "never released")
    released += (yield* sweep(store)).released
  }
})

/** Claims until it has one workflow, whichever. */
const claimAny = Effect.fnUntraced(function*(store: StoreService, incarnation: string) {
  for (let tries = 0; tries < 10_000; tries++) {
    const { claimed } = yield* claimDue(store, incarnation, { limit: 1 })
    if (claimed[0]) return claimed[0]
  }
  return yield* Effect.die(new Error("nothing is due"))
})

export const takeover: Suite = (claim) => {
  claim("each record is in the next owner's history or was answered Fenced", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      for (const round of rounds(40)) {
        const id = `w${round}`
        yield* join(given.store, `old${round}`)
        yield* startOwned(given.store, id, `old${round}`)
        const takeOver = Effect.gen(function*() {
          yield* lapse(other.store)
          yield* join(other.store, `new${round}`)
          yield* releaseAll(other.store, 1)
          return yield* claimUntil(other.store, `new${round}`, id)
        })
        const [acknowledged, next] = yield* race(round, writeUntilFenced(given.store, id), takeOver)
        assert.deepStrictEqual(next.records.map(({ stepId }) => stepId), acknowledged)
        assert.deepStrictEqual((yield* historyOf(other.store, id)).map(({ stepId }) => stepId), acknowledged)
        yield* cancel(given.store, [id])
      }
    }))

  claim(
    "each record of a batch is in the next owner's history or was answered Fenced",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        for (const round of rounds(40)) {
          const ids = Array.from({ length: 20 }, (_, index) => `w${round}-${index}`)
          yield* join(given.store, `old${round}`)
          yield* write(given.store, ids.map((workflowId) => start({ workflowId, owner: `old${round}` })))
          const takeOver = Effect.gen(function*() {
            yield* lapse(other.store)
            yield* join(other.store, `new${round}`)
            yield* releaseAll(other.store, ids.length)
            return yield* Effect.forEach(ids, () => claimAny(other.store, `new${round}`))
          })
          const [answers, claimed] = yield* race(
            round,
            write(given.store, ids.map((id) => advance(id, 1, { records: [record(0)] }))),
            takeOver
          )
          const inHistory = new Map(claimed.map(({ row, records }) => [row.workflowId, records.length]))
          assert.deepStrictEqual(
            ids.map((id) => inHistory.get(id)),
            answers.map(({ _tag }) => _tag === "Recorded" ? 1 : 0)
          )
          yield* cancel(given.store, ids)
        }
      })
  )

  claim("after a hand-over the old epoch writes nothing, whatever it writes", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* join(given.store, "i")
      yield* join(other.store, "j")
      yield* startOwned(given.store, "w", "i")
      yield* submit(given.store, advance("w", 1, { records: [record(0)], end: release }))
      yield* claimUntil(other.store, "j", "w")
      for (const end of [null, release] as const) {
        const late = advance("w", 1, { records: [record(1)], end })
        assert.deepStrictEqual(yield* submit(given.store, late), { _tag: "Fenced" })
      }
      assert.deepStrictEqual(yield* historyOf(given.store, "w"), [record(0)])
    }))

  claim("each record was there before a cancel, or was answered Fenced", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* join(given.store, "i")
      for (const round of rounds(40)) {
        const id = `w${round}`
        yield* startOwned(given.store, id, "i")
        const [acknowledged, atCancel] = yield* race(
          round,
          writeUntilFenced(given.store, id),
          Effect.andThen(cancel(other.store, [id]), historyOf(other.store, id))
        )
        assert.deepStrictEqual(atCancel.map(({ stepId }) => stepId), acknowledged)
      }
    }))
}
