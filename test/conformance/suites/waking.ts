/** The class of bug hunted here: a wake-up that comes between looking and suspending is lost (write skew). */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, childOf, record, succeed, suspend } from "../builders.ts"
import { cancel, isDue, join, race, recorded, rounds, startOwned, submit, write } from "../verbs.ts"

const family = Effect.fnUntraced(function*(store: StoreService, id: string, count = 1) {
  yield* startOwned(store, id, "i")
  const children = Array.from({ length: count }, (_, step) => childOf(id, step, { owner: "i" }))
  yield* recorded(store, advance(id, 1, { records: children.map((_, step) => record(step)), children }))
  return children.map(({ workflowId }) => workflowId)
})

export const waking: Suite = (claim) => {
  claim(
    "a parent that suspends while its child ends is Stirred or due, never left asleep",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        yield* join(given.store, "i")
        for (const round of rounds(200)) {
          const id = `p${round}`
          const [child] = yield* family(given.store, id)
          const [parent, ended] = yield* race(
            round,
            submit(given.store, advance(id, 1, { end: suspend({ awaiting: [child!] }) })),
            submit(other.store, advance(child!, 1, { end: succeed }))
          )
          assert.strictEqual(ended._tag, "Recorded")
          if (parent._tag !== "Stirred") {
            assert.strictEqual(parent._tag, "Recorded")
            assert.isTrue(yield* isDue(given.store, id), `${id} sleeps although its child is done`)
          }
        }
      })
  )

  claim(
    "a parent that suspends in the batch in which its child ends is Stirred or due",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        for (const round of rounds(20)) {
          const id = `p${round}`
          const [child] = yield* family(store, id)
          const batch = [
            advance(id, 1, { end: suspend({ awaiting: [child!] }) }),
            advance(child!, 1, { end: succeed })
          ]
          const answers = yield* write(store, round % 2 === 0 ? batch : batch.toReversed())
          const parent = answers[round % 2]!
          assert.strictEqual(answers[1 - round % 2]!._tag, "Recorded")
          if (parent._tag !== "Stirred") assert.isTrue(yield* isDue(store, id))
        }
      })
  )

  claim("a parent that suspends while its child is cancelled is Stirred or due", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* join(given.store, "i")
      for (const round of rounds(100)) {
        const id = `p${round}`
        const [child] = yield* family(given.store, id)
        const [parent] = yield* race(
          round,
          submit(given.store, advance(id, 1, { end: suspend({ awaiting: [child!] }) })),
          cancel(other.store, [child!])
        )
        if (parent._tag !== "Stirred") assert.isTrue(yield* isDue(given.store, id))
      }
    }))

  claim(
    "many children that end at once into one parent wake it, and none is refused",
    (given) =>
      Effect.gen(function*() {
        const others = [given, yield* given.another, yield* given.another, yield* given.another]
        yield* join(given.store, "i")
        for (const round of rounds(10)) {
          const id = `p${round}`
          const children = yield* family(given.store, id, 40)
          yield* recorded(given.store, advance(id, 1, { end: suspend({ awaiting: children }) }))
          const answers = yield* Effect.forEach(others, ({ store }, index) =>
            write(
              store,
              children.filter((_, child) => child % others.length === index)
                .map((child) => advance(child, 1, { end: succeed }))
            ), { concurrency: "unbounded" })
          for (const answer of answers.flat()) assert.strictEqual(answer._tag, "Recorded")
          assert.isTrue(yield* isDue(given.store, id))
        }
      })
  )

  claim(
    "two workflows that await each other's children settle and suspend at once without a deadlock",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        yield* join(given.store, "i")
        for (const round of rounds(50)) {
          const ids = [`a${round}`, `b${round}`] as const
          const [childA] = yield* family(given.store, ids[0])
          const [childB] = yield* family(given.store, ids[1])
          const end = suspend({ awaiting: [childA!, childB!] })
          const [left, right] = yield* race(
            round,
            write(given.store, [advance(childA!, 1, { end: succeed }), advance(ids[1], 1, { end })]),
            write(other.store, [advance(childB!, 1, { end: succeed }), advance(ids[0], 1, { end })])
          )
          assert.deepStrictEqual([left[0]!._tag, right[0]!._tag], ["Recorded", "Recorded"])
          for (const [index, answer] of [left[1]!, right[1]!].entries()) {
            if (answer._tag !== "Stirred") assert.isTrue(yield* isDue(given.store, ids[1 - index]!))
          }
        }
      })
  )
}
