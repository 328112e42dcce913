/** The class of bug hunted here: a cancel that was acknowledged, and the workflow or its child goes on. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, childOf, record, succeed } from "../builders.ts"
import { cancel, join, race, recorded, rounds, startOwned, submit } from "../verbs.ts"

export const cancelRaces: Suite = (claim) => {
  claim(
    "a workflow that settles while it is cancelled ends in one of the two, and both are told which",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        yield* join(given.store, "i")
        for (const round of rounds(150)) {
          const id = `w${round}`
          yield* startOwned(given.store, id, "i")
          const [settled, [answer]] = yield* race(
            round,
            submit(given.store, advance(id, 1, { records: [record(0)], end: succeed })),
            cancel(other.store, [id])
          )
          const { status } = (yield* given.store.get(id))!
          const told = [settled._tag, answer!.result, status]
          const expected = settled._tag === "Recorded"
            ? ["Recorded", "done", "SUCCESS"]
            : ["Fenced", "cancelled", "CANCELLED"]
          assert.deepStrictEqual(told, expected)
        }
      })
  )

  claim(
    "a child that is started while its parent is cancelled is cancelled with it, or not started",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        yield* join(given.store, "i")
        for (const round of rounds(150)) {
          const id = `p${round}`
          yield* startOwned(given.store, id, "i")
          const [born] = yield* race(
            round,
            submit(
              given.store,
              advance(id, 1, { records: [record(0)], children: [childOf(id, 0, { owner: "i" }), childOf(id, 1)] })
            ),
            cancel(other.store, [id])
          )
          for (const child of [`${id}-0`, `${id}-1`]) {
            const row = yield* given.store.get(child)
            assert.strictEqual(row?.status, born._tag === "Recorded" ? "CANCELLED" : undefined)
          }
        }
      })
  )

  claim(
    "a grandchild that is started while its grandparent is cancelled is cancelled too, or not started",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        yield* join(given.store, "i")
        for (const round of rounds(100)) {
          const id = `p${round}`
          yield* startOwned(given.store, id, "i")
          const children = [childOf(id, 0, { owner: "i" })]
          yield* recorded(given.store, advance(id, 1, { records: [record(0)], children }))
          const [born] = yield* race(
            round,
            submit(given.store, advance(`${id}-0`, 1, { records: [record(0)], children: [childOf(`${id}-0`, 0)] })),
            cancel(other.store, [id])
          )
          assert.strictEqual((yield* given.store.get(`${id}-0`))!.status, "CANCELLED")
          const row = yield* given.store.get(`${id}-0-0`)
          assert.strictEqual(row?.status, born._tag === "Recorded" ? "CANCELLED" : undefined)
        }
      })
  )

  claim("of two cancels at the same time one cancels and the other finds it done", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* join(given.store, "i")
      for (const round of rounds(50)) {
        const ids = [`a${round}`, `b${round}`]
        for (const id of ids) yield* startOwned(given.store, id, "i")
        const [left, right] = yield* race(round, cancel(given.store, ids), cancel(other.store, ids.toReversed()))
        for (const id of ids) {
          const results = [...left, ...right].flatMap((answer) => answer.workflowId === id ? [answer.result] : [])
          assert.deepStrictEqual(results.sort(), ["cancelled", "done"])
        }
      }
    }))
}
