import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, event, record, succeed, suspend } from "../builders.ts"
import { cancel, claimUntil, historyOf, isDue, join, race, recorded } from "../verbs.ts"
import { rounds, startDone, startOwned, submit, write } from "../verbs.ts"

const running = Effect.fnUntraced(function*(store: StoreService, ...ids: ReadonlyArray<string>) {
  yield* join(store, "i")
  for (const id of ids) yield* startOwned(store, id, "i")
})

const valuesOf = (store: StoreService, workflowId: string) =>
  Effect.map(store.events(workflowId), (rows) => rows.map(({ key, value }) => [key, value]))

const on = (workflowId: string, key: string) => ({ workflowId, on: "event", key } as const)

export const events: Suite = (claim) => {
  claim("an event has the value that was set last, and when", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w")
      yield* recorded(store, advance("w", 1, { records: [record(0)], events: [event("b", "1"), event("a", "2")] }))
      yield* store.adjustClock(5_000)
      const later = yield* store.now
      yield* recorded(store, advance("w", 1, { records: [record(1)], events: [event("b", "3", 1)] }))
      const [a, b] = yield* store.events("w")
      assert.deepStrictEqual([[a!.key, a!.value, a!.codec], [b!.key, b!.value]], [["a", "2", "json"], ["b", "3"]])
      assert.isTrue(b!.at >= later && a!.at < later)
      assert.deepStrictEqual(yield* store.events("nobody"), [])
    }))

  claim("events come in pages by key, none twice and none left out", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w")
      const keys = ["a", "a b", "b", "é", "\u{1F600}"]
      const sets = keys.flatMap((key) => [event(key, "1"), event(key, "2")])
      yield* recorded(store, advance("w", 1, { records: [record(0)], events: sets }))
      const found: Array<ReadonlyArray<string>> = []
      for (let after: string | null = null;;) {
        const page: ReadonlyArray<string> = (yield* store.events("w", { after, limit: 2 })).map(({ key }) => key)
        if (page.length === 0) break
        found.push(page)
        after = page.at(-1)!
      }
      assert.deepStrictEqual(found, [["a", "a b"], ["b", "é"], ["\u{1F600}"]])
      assert.deepStrictEqual(
        yield* store.events("w", { after: "a c", limit: 1 }),
        (yield* store.events("w")).slice(2, 3)
      )
    }))

  claim(
    "an event that is set to the value that it has keeps the time, whichever step sets it",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        const set = (...events: ReadonlyArray<ReturnType<typeof event>>) =>
          Effect.gen(function*() {
            yield* store.adjustClock(1_000)
            yield* recorded(store, advance("w", 1, { events }))
            return (yield* store.events("w"))[0]!
          })
        const first = yield* set(event("a", "1"))
        assert.deepStrictEqual(yield* set(event("a", "1")), first)
        assert.deepStrictEqual(yield* set(event("a", "1", 1)), first)
        assert.deepStrictEqual(yield* set(event("a", "1", 2), event("a", "1", 3)), first)
        const other = yield* set(event("a", "2", 4), event("a", "1", 5))
        assert.deepStrictEqual([other.value, other.at > first.at], ["1", true])
        const changed = yield* set(event("a", "2", 5))
        assert.isAbove(changed.at, other.at)
        const coded = yield* set({ ...event("a", "2", 5), codec: "other" })
        assert.isAbove(coded.at, changed.at)
      })
  )

  claim("of two values of one key in one write the later one counts", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w")
      yield* recorded(
        store,
        advance("w", 1, { records: [record(0)], events: [event("a", "1"), event("b", "1"), event("a", "2")] })
      )
      yield* recorded(
        store,
        advance("w", 1, { records: [record(1), record(2)], events: [event("b", "2", 2), event("b", "3", 1)] })
      )
      assert.deepStrictEqual(yield* valuesOf(store, "w"), [["a", "2"], ["b", "3"]])
    }))

  claim("a step that is behind may set an event that a step after it has set", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w")
      yield* recorded(store, advance("w", 1, { events: [event("a", "1", 5)] }))
      yield* recorded(store, advance("w", 1, { events: [event("a", "2", 3)] }))
      assert.deepStrictEqual(yield* valuesOf(store, "w"), [["a", "2"]])
      yield* recorded(store, advance("w", 1, { events: [event("a", "3", 5)] }))
      assert.deepStrictEqual(yield* valuesOf(store, "w"), [["a", "3"]])
    }))

  claim(
    "each question for a value is answered, in order: set, open, done, unknown",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w", "v")
        yield* recorded(store, advance("w", 1, { events: [event("a", "1"), event("é", "\"\u{1F600}\"")] }))
        yield* recorded(store, advance("v", 1, { events: [event("a", "2")], end: succeed }))
        const asked = [["w", "a"], ["v", "b"], ["w", "b"], ["nobody", "a"], ["v", "a"], ["w", "é"], ["w", "a"]] as const
        assert.deepStrictEqual(yield* store.eventValues(asked.map(([workflowId, key]) => ({ workflowId, key }))), [
          { _tag: "Set", value: "1" },
          { _tag: "Done" },
          { _tag: "Open" },
          { _tag: "Unknown" },
          { _tag: "Set", value: "2" },
          { _tag: "Set", value: "\"\u{1F600}\"" },
          { _tag: "Set", value: "1" }
        ])
        assert.deepStrictEqual(yield* store.eventValues([]), [])
      })
  )

  claim("events are set with the write's records or not at all", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w")
      const fenced = advance("w", 2, { records: [record(0)], events: [event("a", "1")] })
      assert.deepStrictEqual(yield* submit(store, fenced), { _tag: "Fenced" })
      const stirred = advance("w", 1, { records: [record(0)], events: [event("a", "1")], end: suspend({ inbox: 7 }) })
      assert.strictEqual((yield* submit(store, stirred))._tag, "Stirred")
      assert.deepStrictEqual([yield* valuesOf(store, "w"), yield* historyOf(store, "w")], [[], []])
    }))

  claim("a write with events submitted again is Recorded again", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w", "v", "u")
      for (const [id, end] of [["w", succeed], ["v", suspend()], ["u", null]] as const) {
        const operation = advance(id, 1, { records: [record(0)], events: [event("a", "1"), event("a", "2")], end })
        yield* recorded(store, operation)
        yield* recorded(store, operation)
        assert.deepStrictEqual(yield* valuesOf(store, id), [["a", "2"]])
      }
    }))

  claim(
    "a write with an event that comes late once more does not bring back what it had set",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        const late = advance("w", 1, { records: [record(0)], events: [event("a", "1")] })
        yield* recorded(store, late)
        yield* recorded(store, advance("w", 1, { records: [record(1)], events: [event("a", "2", 1)] }))
        yield* recorded(store, late)
        assert.deepStrictEqual(yield* valuesOf(store, "w"), [["a", "2"]])
      })
  )

  claim("who awaits an event is due as soon as it has a value, once", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w", "one", "two")
      yield* recorded(store, advance("one", 1, { end: suspend({ awaiting: [on("w", "a")] }) }))
      yield* recorded(
        store,
        advance("two", 1, { end: suspend({ awaiting: [on("w", "b")], wakeAt: (yield* store.now) + 1e9 }) })
      )
      assert.deepStrictEqual(yield* store.awaited("one"), [
        { workflowId: "w", on: "event", key: "a", status: "PENDING" }
      ])
      yield* recorded(store, advance("w", 1, { records: [record(0)] }))
      yield* recorded(store, advance("w", 1, { events: [event("A", "1")] }))
      assert.deepStrictEqual([yield* isDue(store, "one"), yield* isDue(store, "two")], [false, false])
      yield* recorded(store, advance("w", 1, { events: [event("a", "1")] }))
      assert.deepStrictEqual([yield* isDue(store, "one"), yield* isDue(store, "two")], [true, false])
      const { inbox } = yield* claimUntil(store, "i", "one")
      yield* recorded(store, advance("w", 1, { events: [event("a", "2", 1)] }))
      assert.strictEqual((yield* store.inboxes(["one"])).get("one"), inbox)
      assert.deepStrictEqual(yield* store.awaited("one"), [])
    }))

  claim(
    "everybody who awaits an event is due, also when the workflow ends without setting it",
    ({ store }) =>
      Effect.gen(function*() {
        const ids = ["a", "b", "c"]
        yield* running(store, "w", "v", "u", ...ids)
        for (const id of ids) {
          yield* recorded(
            store,
            advance(id, 1, { end: suspend({ awaiting: [on("w", "x"), on("v", id), on("u", "x"), on("u", "y"), "u"] }) })
          )
        }
        assert.lengthOf(yield* store.awaited("a"), 5)
        yield* recorded(store, advance("v", 1, { events: [event("b", "1")] }))
        assert.deepStrictEqual(yield* Effect.forEach(ids, (id) => isDue(store, id)), [false, true, false])
        yield* cancel(store, ["u"])
        assert.deepStrictEqual(yield* Effect.forEach(ids, (id) => isDue(store, id)), [true, true, true])
      })
  )

  claim(
    "a suspension is Stirred when the event is set already, or never will be",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w", "v")
        yield* startDone(store, "done", "i")
        yield* recorded(store, advance("v", 1, { events: [event("a", "1")] }))
        for (const one of [on("v", "a"), on("done", "a"), on("nobody", "a")]) {
          const answer = yield* submit(
            store,
            advance("w", 1, { records: [record(0)], end: suspend({ awaiting: [one] }) })
          )
          assert.deepStrictEqual(answer, { _tag: "Stirred", inbox: 0 })
          assert.deepStrictEqual(yield* historyOf(store, "w"), [])
        }
        yield* recorded(store, advance("w", 1, { end: suspend({ awaiting: [on("v", "b")] }) }))
      })
  )

  claim("who suspends while the event is set is Stirred or due", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* join(given.store, "i")
      for (const round of rounds(100)) {
        for (const id of ["w", "v"]) yield* startOwned(given.store, `${id}${round}`, "i")
        const [slept, set] = yield* race(
          round,
          submit(given.store, advance(`w${round}`, 1, { end: suspend({ awaiting: [on(`v${round}`, "a")] }) })),
          submit(other.store, advance(`v${round}`, 1, { events: [event("a", "1")] }))
        )
        assert.strictEqual(set._tag, "Recorded")
        if (slept._tag !== "Stirred") assert.isTrue(yield* isDue(given.store, `w${round}`), `w${round} sleeps`)
      }
    }))

  claim("who suspends in the batch in which the event is set is Stirred or due", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      for (const round of rounds(20)) {
        for (const id of ["w", "v"]) yield* startOwned(store, `${id}${round}`, "i")
        const batch = [
          advance(`w${round}`, 1, { end: suspend({ awaiting: [on(`v${round}`, "a")] }) }),
          advance(`v${round}`, 1, { events: [event("a", "1")] })
        ]
        const answers = yield* write(store, round % 2 === 0 ? batch : batch.toReversed())
        assert.strictEqual(answers[1 - round % 2]!._tag, "Recorded")
        if (answers[round % 2]!._tag !== "Stirred") assert.isTrue(yield* isDue(store, `w${round}`))
      }
    }))
}
