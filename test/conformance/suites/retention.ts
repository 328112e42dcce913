import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Retention, StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, childOf, deliver, record, send, start, succeed } from "../builders.ts"
import { acknowledge, cancel, join, recorded, rounds, startDone, startOwned, submit } from "../verbs.ts"

const retain = (store: StoreService, retention: Partial<Retention>, limit = 100) =>
  store.retain({ name: null, olderThanMs: null, keep: null, ...retention }, limit)

const left = (store: StoreService) =>
  Effect.map(store.list({ order: "asc", limit: 1_000 }), (rows) => rows.map(({ workflowId }) => workflowId).sort())

/** Ends one after the other, a second apart. */
const ended = Effect.fnUntraced(function*(store: StoreService, ...ids: ReadonlyArray<string>) {
  for (const id of ids) {
    yield* startOwned(store, id, "i", { name: id.startsWith("o") ? "Other" : "Order" })
    yield* recorded(store, advance(id, 1, { records: [record(0)], end: succeed }))
    yield* store.adjustClock(1_000)
  }
})

export const retention: Suite = (claim) => {
  claim(
    "what ended longer ago goes, whatever its name, and nothing that is not done",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* submit(store, start({ workflowId: "enqueued" }))
        yield* startOwned(store, "running", "i")
        yield* ended(store, "a", "o1")
        yield* store.adjustClock(20_000)
        yield* ended(store, "b")
        assert.strictEqual(yield* retain(store, { olderThanMs: 15_000 }), 2)
        assert.deepStrictEqual(yield* left(store), ["b", "enqueued", "running"])
        assert.strictEqual(yield* retain(store, { olderThanMs: 15_000 }), 0)
      })
  )

  claim("the age counts from the end, not from the start", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "long", "i")
      yield* store.adjustClock(50_000)
      yield* recorded(store, advance("long", 1, { end: succeed }))
      yield* store.adjustClock(1_000)
      assert.strictEqual(yield* retain(store, { olderThanMs: 10_000 }), 0)
      yield* store.adjustClock(10_000)
      assert.strictEqual(yield* retain(store, { olderThanMs: 10_000 }), 1)
    }))

  claim("only the name that is given is looked at", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* ended(store, "a", "o1", "b", "o2")
      assert.strictEqual(yield* retain(store, { name: "Other" }), 2)
      assert.deepStrictEqual(yield* left(store), ["a", "b"])
      assert.strictEqual(yield* retain(store, { name: "Nobody" }), 0)
      assert.strictEqual(yield* retain(store, {}), 2)
    }))

  claim("of each name the newest by completion stay", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "first", "i")
      yield* ended(store, "a", "b", "o1", "c")
      yield* recorded(store, advance("first", 1, { end: succeed }))
      assert.strictEqual(yield* retain(store, { keep: 2 }), 2)
      assert.deepStrictEqual(yield* left(store), ["c", "first", "o1"])
      assert.strictEqual(yield* retain(store, { keep: 3 }), 0)
      assert.strictEqual(yield* retain(store, { keep: 0 }), 3)
    }))

  claim("what is both older and beyond the newest goes", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* ended(store, "a", "b")
      yield* store.adjustClock(60_000)
      yield* join(store, "i2")
      for (const id of ["c", "d"]) yield* startDone(store, id, "i2")
      assert.strictEqual(yield* retain(store, { keep: 3, olderThanMs: 30_000 }), 1)
      assert.deepStrictEqual(yield* left(store), ["b", "c", "d"])
      assert.strictEqual(yield* retain(store, { keep: 1, olderThanMs: 30_000 }), 1)
      assert.deepStrictEqual(yield* left(store), ["c", "d"])
    }))

  claim("at most so many go at once, and all of them in the end", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* ended(store, ...rounds(5).map((round) => `w${round}`), "o1", "o2")
      const counts = [yield* retain(store, {}, 3), yield* retain(store, {}, 3), yield* retain(store, {}, 3)]
      assert.deepStrictEqual([counts, yield* left(store)], [[3, 3, 1], []])
    }))

  claim("a child stays whose parent has been resumed since it was looked for", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      // of the first name there is
      yield* startOwned(store, "first", "i", { name: "A" })
      yield* recorded(store, advance("first", 1, { end: succeed }))
      yield* startOwned(store, "p", "i")
      yield* recorded(store, advance("p", 1, { records: [record(0)], children: [childOf("p", 0, { owner: "i" })] }))
      yield* recorded(store, advance("p-0", 1, { end: succeed }))
      yield* cancel(store, ["p"])
      yield* store.adjustClock(50_000)
      assert.strictEqual(yield* retain(store, { olderThanMs: 10_000 }, 1), 1)
      yield* acknowledge(store, "i")
      yield* store.resume(["p"])
      yield* retain(store, { olderThanMs: 10_000 })
      assert.deepStrictEqual(yield* left(store), ["p", "p-0"])
    }))

  claim("a child stays while its parent is not done", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "p", "i")
      const children = [childOf("p", 0, { owner: "i" })]
      yield* recorded(store, advance("p", 1, { records: [record(0)], children }))
      yield* recorded(store, advance("p-0", 1, { end: succeed }))
      yield* store.adjustClock(10_000)
      assert.strictEqual(yield* retain(store, { olderThanMs: 1 }), 0)
      yield* recorded(store, advance("p", 1, { end: succeed }))
      yield* store.adjustClock(10_000)
      assert.strictEqual(yield* retain(store, { olderThanMs: 1 }), 2)
    }))

  claim("everything that is stored of them goes", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i", { attributes: { a: true } })
      yield* submit(store, deliver(send("w", "m")))
      yield* recorded(store, advance("w", 1, { records: [record(0)], end: succeed }))
      yield* store.adjustClock(1_000)
      assert.strictEqual(yield* retain(store, { olderThanMs: 1 }), 1)
      assert.deepStrictEqual(yield* store.steps("w"), [])
      assert.deepStrictEqual(yield* store.messages("w", { topic: null, limit: 9 }), [])
    }))
}
