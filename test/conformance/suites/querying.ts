import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ListFilter, StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, attempt, block, cancelled, childOf, fail, record, start, succeed } from "../builders.ts"
import { cancel, join, recorded, startDone, startOwned, submit } from "../verbs.ts"

const idsOf = (store: StoreService, filter: Partial<ListFilter> = {}) =>
  Effect.map(store.list({ order: "asc", limit: 1_000, ...filter }), (rows) => rows.map(({ workflowId }) => workflowId))

/** Enqueued workflows, one after the other on the database's clock. */
const enqueue = (store: StoreService, ...given: ReadonlyArray<Parameters<typeof start>[0]>) =>
  Effect.forEach(given, (one) => Effect.andThen(submit(store, start(one)), store.adjustClock(10)))

export const querying: Suite = (claim) => {
  claim("an unknown workflow has no row, no steps and no history", ({ store }) =>
    Effect.gen(function*() {
      assert.isNull(yield* store.get("nobody"))
      assert.deepStrictEqual(yield* store.steps("nobody"), [])
      assert.deepStrictEqual(yield* store.history("nobody", -1), { records: [], attempts: [], more: false })
    }))

  claim(
    "outcomes are those of the done and of the blocked, with the unknown named, and nothing of the others",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startDone(store, "good", "i")
        for (const id of ["bad", "gone", "running", "stuck"]) yield* startOwned(store, id, "i")
        yield* submit(store, start({ workflowId: "enqueued" }))
        yield* recorded(store, advance("bad", 1, { end: fail }))
        yield* recorded(store, advance("stuck", 1, { end: block }))
        yield* cancel(store, ["gone"])
        const asked = ["bad", "nobody", "running", "good", "enqueued", "gone", "stuck"]
        const { blocked, done, unknown } = yield* store.outcomes(asked)
        assert.deepStrictEqual(blocked.map((outcome) => outcome.workflowId), ["stuck"])
        assert.deepStrictEqual(unknown, ["nobody"])
        const name = "Order"
        assert.deepStrictEqual([...done].sort((a, b) => a.workflowId < b.workflowId ? -1 : 1), [
          { workflowId: "bad", name, status: "ERROR", output: fail.output, reason: null },
          { workflowId: "gone", name, status: "CANCELLED", output: null, reason: cancelled("user") },
          { workflowId: "good", name, status: "SUCCESS", output: succeed.output, reason: null }
        ])
        assert.deepStrictEqual(yield* store.outcomes([]), { done: [], blocked: [], unknown: [] })
      })
  )

  claim("a page of steps begins after an id, and is as long as it may be", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      const records = [0, 1, 3, 6].map((id, i) => record(id, { seq: i + 1 }))
      yield* recorded(
        store,
        advance("w", 1, { attempts: [attempt(2, 0), attempt(2, 1), attempt(4, 0), attempt(9, 0)] })
      )
      yield* recorded(store, advance("w", 1, { records }))
      const pages = Effect.fnUntraced(function*(limit: number) {
        const ids: Array<Array<number>> = []
        for (let after = -1;;) {
          const rows = yield* store.steps("w", { after, limit })
          if (rows.length === 0) return ids
          ids.push(rows.map(({ stepId }) => stepId))
          after = rows.at(-1)!.stepId
        }
      })
      assert.deepStrictEqual(yield* pages(1), [[0], [1], [2], [3], [4], [6], [9]])
      assert.deepStrictEqual(yield* pages(3), [[0, 1, 2], [3, 4, 6], [9]])
      assert.deepStrictEqual(yield* pages(100), [[0, 1, 2, 3, 4, 6, 9]])
      assert.deepStrictEqual((yield* store.steps("w", { after: 1, limit: 1 }))[0]!.failedAttempts.length, 2)
    }))

  claim(
    "steps are listed in the order of their calls, with their attempts and when those were",
    ({ store }) =>
      Effect.gen(function*() {
        const failed = (n: number) => ({ error: `{"failed":${n}}`, at: 1_500 + n, retryAt: 1_600 + n })
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        yield* recorded(store, advance("w", 1, { attempts: [attempt(1, 0), attempt(1, 1), attempt(2, 0)] }))
        yield* recorded(
          store,
          advance("w", 1, { records: [record(1, { attempts: 3, seq: 1 }), record(0, { seq: 2 })] })
        )
        const [first, second, third, ...more] = yield* store.steps("w")
        assert.deepStrictEqual(more, [])
        assert.deepStrictEqual(first, {
          stepId: 0,
          seq: 2,
          key: "step 0",
          name: "step 0",
          kind: "step",
          outcome: "success",
          value: "{\"n\":0}",
          attempts: 1,
          failedAttempts: [],
          startedAt: 1_000,
          completedAt: 2_000,
          childId: null
        })
        assert.deepInclude(second, { stepId: 1, seq: 1, outcome: "success", attempts: 3 })
        assert.deepStrictEqual(second!.failedAttempts, [0, 1].map(failed))
        assert.deepInclude(third, { stepId: 2, seq: null, outcome: null, value: null, attempts: 1, completedAt: null })
        assert.deepStrictEqual(third!.failedAttempts, [failed(0)])
      })
  )

  claim(
    "a list is ordered by creation, either way, and pages without a gap or a repetition",
    ({ store }) =>
      Effect.gen(function*() {
        const ids = ["b", "B", "a", "A", "é", "z", "Z", "10", "9", "a-b", "a_b", "ab", "\u{1F600}"]
        yield* store.write(ids.map((workflowId) => start({ workflowId })))
        yield* store.adjustClock(10)
        yield* enqueue(store, { workflowId: "later" }, { workflowId: "earlier" })
        for (const order of ["asc", "desc"] as const) {
          const all = yield* store.list({ order, limit: 100 })
          assert.lengthOf(all, ids.length + 2)
          const paged: Array<typeof all[0]> = []
          for (let page = yield* store.list({ order, limit: 2 }); page.length > 0;) {
            paged.push(...page)
            const { createdAt, workflowId } = page.at(-1)!
            page = yield* store.list({ order, limit: 2, after: { createdAt, workflowId } })
          }
          assert.deepStrictEqual(paged, all)
        }
        const ascending = yield* idsOf(store)
        assert.deepStrictEqual(ascending.slice(-2), ["later", "earlier"])
        assert.deepStrictEqual(yield* idsOf(store, { order: "desc" }), ascending.toReversed())
      })
  )

  claim("ids of one instant are in the order of their bytes", ({ store }) =>
    Effect.gen(function*() {
      const ids = ["b", "B", "a", "A", "é", "Z", "10", "9", "a-b", "a_b", "ab"]
      yield* store.write(ids.map((workflowId) => start({ workflowId })))
      const rows = yield* store.list({ order: "asc", limit: 100 })
      const bytes = ([, left]: [number, string], [, right]: [number, string]) =>
        Buffer.compare(Buffer.from(left), Buffer.from(right))
      const keys = rows.map(({ createdAt, workflowId }): [number, string] => [createdAt, workflowId])
      assert.deepStrictEqual(keys, [...keys].sort((left, right) => left[0] - right[0] || bytes(left, right)))
    }))

  claim(
    "a prefix is taken literally: wildcards, case and backslashes mean themselves",
    ({ store }) =>
      Effect.gen(function*() {
        yield* enqueue(store, ...["a%b", "a_b", "aXb", "A%b", "a\\b", "b"].map((workflowId) => ({ workflowId })))
        assert.deepStrictEqual(yield* idsOf(store, { idPrefix: "a%" }), ["a%b"])
        assert.deepStrictEqual(yield* idsOf(store, { idPrefix: "a_" }), ["a_b"])
        assert.deepStrictEqual(yield* idsOf(store, { idPrefix: "a\\" }), ["a\\b"])
        assert.deepStrictEqual(yield* idsOf(store, { idPrefix: "A" }), ["A%b"])
        assert.deepStrictEqual(yield* idsOf(store, { idPrefix: "a" }), ["a%b", "a_b", "aXb", "a\\b"])
        assert.deepStrictEqual(yield* idsOf(store, { idPrefix: "" }), ["a%b", "a_b", "aXb", "A%b", "a\\b", "b"])
      })
  )

  claim("filters narrow by status, name, parent and time, and all together", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      const first = yield* store.now
      yield* enqueue(store, { workflowId: "a" }, { workflowId: "b", name: "Other" }, { workflowId: "p", owner: "i" })
      yield* recorded(store, advance("p", 1, { records: [record(0)], children: [childOf("p", 0)], end: succeed }))
      yield* store.adjustClock(10)
      yield* enqueue(store, { workflowId: "c" })
      yield* cancel(store, ["c"])
      assert.deepStrictEqual(yield* idsOf(store, { status: ["ENQUEUED"] }), ["a", "b", "p-0"])
      assert.deepStrictEqual(yield* idsOf(store, { status: ["CANCELLED", "SUCCESS"] }), ["p", "c"])
      assert.deepStrictEqual(yield* idsOf(store, { names: ["Other"] }), ["b"])
      assert.deepStrictEqual(yield* idsOf(store, { parentId: "p" }), ["p-0"])
      const b = (yield* store.get("b"))!.createdAt
      const c = (yield* store.get("c"))!.createdAt
      assert.deepStrictEqual(yield* idsOf(store, { createdFrom: b }), ["b", "p", "p-0", "c"])
      assert.deepStrictEqual(yield* idsOf(store, { createdFrom: b, createdTo: c }), ["b", "p", "p-0"])
      assert.deepStrictEqual(yield* idsOf(store, { createdFrom: b, createdTo: b }), [])
      assert.deepStrictEqual(yield* idsOf(store, { createdTo: first }), [])
      assert.deepStrictEqual(
        yield* idsOf(store, {
          status: ["ENQUEUED"],
          names: ["Order"],
          idPrefix: "a",
          createdFrom: first,
          order: "desc"
        }),
        ["a"]
      )
      assert.deepStrictEqual(yield* idsOf(store, { limit: 2 }), ["a", "b"])
    }))
}
