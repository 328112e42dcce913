import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, childOf, record, start, succeed } from "../builders.ts"
import { claimUntil, join, race, recorded, rounds, startOwned, submit } from "../verbs.ts"

export const attributes: Suite = (claim) => {
  claim(
    "attributes are replaced as a whole, of one that runs and of one that is done",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i", { attributes: { a: 1, b: "two" } })
        assert.isTrue(yield* store.setAttributes("w", { b: "three", c: false }))
        assert.deepStrictEqual((yield* store.get("w"))!.attributes, { b: "three", c: false })
        yield* recorded(store, advance("w", 1, { records: [record(0)], end: succeed }))
        assert.isTrue(yield* store.setAttributes("w", { é: -1.5 }))
        const found = (given: Record<string, string | number | boolean>) =>
          Effect.map(store.list({ attributes: given, order: "asc", limit: 9 }), (rows) => rows.length)
        assert.deepStrictEqual([yield* found({ é: -1.5 }), yield* found({ b: "three" })], [1, 0])
        assert.isTrue(yield* store.setAttributes("w", {}))
        assert.deepStrictEqual((yield* store.get("w"))!.attributes, {})
        assert.isFalse(yield* store.setAttributes("nobody", { a: 1 }))
        assert.strictEqual(yield* store.count({ attributes: { a: 1 }, order: "asc", limit: 9 }), 0)
      })
  )

  claim(
    "attributes hold names and values of any kind, and the claimed row has them",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        const given = {
          "__proto__x": "a",
          "": "",
          "a\"b": "\\\"'",
          size: 2 ** 53 - 1,
          tiny: Number.MIN_VALUE,
          huge: Number.MAX_VALUE,
          zero: 0,
          no: false,
          text: "null",
          emoji: "\u{1F600}".repeat(100)
        }
        yield* submit(store, start({ workflowId: "w", attributes: given }))
        assert.deepStrictEqual((yield* claimUntil(store, "i", "w")).row.attributes, given)
        for (const [key, value] of Object.entries(given)) {
          const rows = yield* store.list({ attributes: { [key]: value }, order: "asc", limit: 9 })
          assert.lengthOf(rows, 1, key)
        }
      })
  )

  claim("a child has attributes of its own", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "p", "i", { attributes: { a: 1 } })
      const children = [childOf("p", 0, { attributes: { b: 2 } }), childOf("p", 1)]
      yield* recorded(store, advance("p", 1, { records: [record(0), record(1)], children }))
      assert.deepStrictEqual((yield* store.get("p-0"))!.attributes, { b: 2 })
      assert.deepStrictEqual((yield* store.get("p-1"))!.attributes, {})
    }))

  claim("a start that finds its id taken leaves the attributes of the first", ({ store }) =>
    Effect.gen(function*() {
      yield* submit(store, start({ workflowId: "w", attributes: { a: 1 } }))
      yield* submit(store, start({ workflowId: "w", attributes: { b: 1 } }))
      assert.deepStrictEqual((yield* store.get("w"))!.attributes, { a: 1 })
    }))

  claim("of two that set them at the same time one has all of its own", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* submit(given.store, start({ workflowId: "w" }))
      for (const round of rounds(50)) {
        yield* race(
          round,
          given.store.setAttributes("w", { a: 1, b: 1 }),
          other.store.setAttributes("w", { b: 2, c: 2 })
        )
        const row = (yield* given.store.get("w"))!
        assert.include(["{\"a\":1,\"b\":1}", "{\"b\":2,\"c\":2}"], JSON.stringify(row.attributes))
      }
    }))
}
