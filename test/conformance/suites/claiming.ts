import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, attempt, records, release, start, suspend } from "../builders.ts"
import { claim as claimDue, claimIds, claimUntil, historyOf, join, lapse, leaseMs, recorded, rounds } from "../verbs.ts"
import { startOwned, write } from "../verbs.ts"

export const claiming: Suite = (claim) => {
  claim(
    "a claim raises the epoch, sets the owner, and returns the row as it then is",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* store.write([start({ workflowId: "w" })])
        const { claimed, now } = yield* claimDue(store, "i")
        assert.lengthOf(claimed, 1)
        const [{ row, records, attempts, more }] = claimed as [typeof claimed[0]]
        assert.deepStrictEqual(
          [row.status, row.epoch, row.executorId, row.wakeAt, records, attempts, more],
          ["PENDING", 1, "executor of i", null, [], [], false]
        )
        assert.deepStrictEqual(yield* store.get("w"), row)
        assert.isAtLeast(now, row.createdAt)
        assert.deepStrictEqual(yield* claimIds(store, "i"), [])
      })
  )

  claim("what an incarnation owns is listed with its epochs, and nothing else", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* join(store, "j")
      yield* startOwned(store, "mine", "i")
      yield* startOwned(store, "theirs", "j")
      yield* store.write([start({ workflowId: "claimed" })])
      yield* claimDue(store, "i")
      yield* startOwned(store, "given back", "i")
      yield* recorded(store, advance("given back", 1, { end: release }))
      assert.deepStrictEqual(yield* store.owned("i"), [
        { workflowId: "claimed", epoch: 1 },
        { workflowId: "mine", epoch: 1 }
      ])
    }))

  claim("only served names and versions are claimed", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* store.write([
        start({ workflowId: "a", name: "A", version: "1" }),
        start({ workflowId: "a2", name: "A", version: "2" }),
        start({ workflowId: "b", name: "B", version: "1" }),
        start({ workflowId: "b2", name: "B", version: "2" }),
        start({ workflowId: "c", name: "C", version: "1" })
      ])
      assert.deepStrictEqual(yield* claimIds(store, "i", { served: [] }), [])
      assert.deepStrictEqual(yield* claimIds(store, "i", { served: [{ name: "A", version: "3" }] }), [])
      const served = [{ name: "A", version: "1" }, { name: "B", version: "2" }]
      assert.deepStrictEqual((yield* claimIds(store, "i", { served })).sort(), ["a", "b2"])
      assert.strictEqual((yield* store.get("c"))!.status, "ENQUEUED")
    }))

  claim("the oldest due come first, over all served names, up to the limit", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      const now = yield* store.now
      const served = [{ name: "A", version: "1" }, { name: "B", version: "1" }]
      for (const [index, late] of [3, 1, 6, 2, 5, 4].entries()) {
        yield* startOwned(store, `w${late}`, "i", { name: index % 2 === 0 ? "A" : "B" })
        yield* recorded(store, advance(`w${late}`, 1, { end: suspend({ wakeAt: now - 100_000 + late * 1_000 }) }))
      }
      assert.deepStrictEqual(yield* claimIds(store, "i", { served, limit: 2 }), ["w1", "w2"])
      const { claimed, nextDueAt } = yield* claimDue(store, "i", { served, limit: 3 })
      assert.deepStrictEqual(claimed.map(({ row }) => row.workflowId), ["w3", "w4", "w5"])
      assert.strictEqual(nextDueAt, now - 100_000 + 6_000)
      assert.deepStrictEqual(yield* claimIds(store, "i", { served, limit: 3 }), ["w6"])
    }))

  claim("what starts first is claimed first", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      const ids = ["m", "c", "z", "a"]
      for (const workflowId of ids) {
        yield* store.write([start({ workflowId })])
        yield* store.adjustClock(10)
      }
      assert.deepStrictEqual(yield* claimIds(store, "i"), ids)
    }))

  claim("a claim tells when the next of the served names is due", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      const now = yield* store.now
      for (
        const [id, name, wakeAt] of [["a", "A", now + 90_000], ["b", "B", now + 80_000], [
          "c",
          "B",
          now + 99_000
        ]] as const
      ) {
        yield* startOwned(store, id, "i", { name })
        yield* recorded(store, advance(id, 1, { end: suspend({ wakeAt }) }))
      }
      const next = (...names: ReadonlyArray<string>) =>
        Effect.map(
          claimDue(store, "i", { served: names.map((name) => ({ name, version: "1" })) }),
          ({ nextDueAt }) => nextDueAt
        )
      assert.strictEqual(yield* next("A"), now + 90_000)
      assert.strictEqual(yield* next("A", "B"), now + 80_000)
      assert.isNull(yield* next("C"))
    }))

  claim(
    "a claim returns the history, and the pages after it are complete and without a gap",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "long", "i")
        yield* startOwned(store, "short", "i")
        for (const page of rounds(5)) {
          yield* recorded(store, advance("long", 1, { records: records(page * 500, page * 500 + 500) }))
        }
        yield* recorded(store, advance("long", 1, { attempts: [attempt(2_500, 0), attempt(2_500, 1)], end: release }))
        yield* recorded(store, advance("short", 1, { records: records(0, 3), end: release }))
        const { claimed } = yield* claimDue(store, "i")
        const long = claimed.find(({ row }) => row.workflowId === "long")!
        const short = claimed.find(({ row }) => row.workflowId === "short")!
        assert.deepStrictEqual([short.records, short.more], [records(0, 3), false])
        const rest = long.more ? yield* historyOf(store, "long", long.records.at(-1)!.stepId) : []
        assert.deepStrictEqual([...long.records, ...rest], records(0, 2_500))
        assert.deepStrictEqual(yield* historyOf(store, "long"), records(0, 2_500))
        const all = [...long.attempts]
        for (let after = long.records.at(-1)!.stepId, more = long.more; more;) {
          const page = yield* store.history("long", after)
          all.push(...page.attempts)
          after = Math.max(after, ...page.records.map(({ stepId }) => stepId))
          more = page.more
        }
        assert.deepStrictEqual(all, [attempt(2_500, 0), attempt(2_500, 1)])
      })
  )

  claim(
    "claimers at the same time never get the same workflow, and together get all",
    (given) =>
      Effect.gen(function*() {
        const clients = [given, yield* given.another, yield* given.another, yield* given.another]
        for (const [index, { store }] of clients.entries()) yield* join(store, `i${index}`)
        for (const round of rounds(5)) {
          const ids = Array.from({ length: 200 }, (_, index) => `w${round}-${index}`)
          yield* write(given.store, ids.map((workflowId) => start({ workflowId })))
          let left = ids.length
          const taken = yield* Effect.forEach(clients, ({ store }, index) =>
            Effect.gen(function*() {
              const mine: Array<string> = []
              for (let empty = 0; left > 0 && empty < 1_000;) {
                const more = yield* claimIds(store, `i${index}`, { limit: 7 })
                mine.push(...more)
                left -= more.length
                empty = more.length === 0 ? empty + 1 : 0
              }
              return mine
            }), { concurrency: "unbounded" })
          assert.deepStrictEqual(taken.flat().sort(), ids.sort())
        }
      })
  )

  claim(
    "an incarnation that never joined, has left or has lapsed claims nothing",
    ({ store }) =>
      Effect.gen(function*() {
        yield* store.write([start({ workflowId: "w" })])
        assert.deepStrictEqual(yield* claimIds(store, "stranger"), [])
        yield* join(store, "left")
        yield* store.leave("left")
        assert.deepStrictEqual(yield* claimIds(store, "left"), [])
        yield* join(store, "lapsed")
        yield* lapse(store)
        assert.deepStrictEqual(yield* claimIds(store, "lapsed"), [])
        assert.strictEqual((yield* store.get("w"))!.epoch, 0)
        yield* join(store, "alive")
        assert.deepStrictEqual(yield* claimIds(store, "alive"), ["w"])
      })
  )

  claim("a renewed lease still claims after the first one would have ended", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* store.adjustClock(leaseMs / 2)
      yield* store.heartbeat("i", leaseMs, [])
      yield* store.adjustClock(leaseMs / 2 + 1_000)
      yield* store.write([start({ workflowId: "w" })])
      assert.strictEqual((yield* claimUntil(store, "i", "w")).row.epoch, 1)
    }))
}
