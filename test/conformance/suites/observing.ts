import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ListFilter, Span, StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, attempt, fail, record, start, succeed } from "../builders.ts"
import { limits, perKey, queued } from "../queues.ts"
import { cancel, join, recorded, startOwned, submit } from "../verbs.ts"

const span = (more: Partial<Span> = {}): Span => ({
  from: 0,
  to: Number.MAX_SAFE_INTEGER,
  name: null,
  limit: 1000,
  ...more
})

/** Runs it for so long, and ends it. */
const runFor = (store: StoreService, workflowId: string, ms: number, end: typeof succeed | typeof fail) =>
  Effect.gen(function*() {
    yield* submit(store, start({ workflowId, owner: "i", startedAt: yield* store.now }))
    yield* store.adjustClock(ms)
    yield* recorded(store, advance(workflowId, 1, { end }))
  })

/** Six, a second apart, of two versions in turn. */
const sixInTurn = (store: StoreService) =>
  Effect.gen(function*() {
    yield* join(store, "i")
    for (const [index, workflowId] of ["a", "b", "c", "d", "e", "f"].entries()) {
      yield* submit(store, start({ workflowId, version: index % 2 === 0 ? "even" : "odd", owner: "i" }))
      yield* store.adjustClock(1000)
    }
  })

export const observing: Suite = (claim) => {
  claim(
    "a bounded list looks at so many rows, says how far it was, and goes on from there",
    ({ store }) =>
      Effect.gen(function*() {
        yield* sixInTurn(store)
        const page = { versions: ["even"], order: "desc", limit: 10 } as const
        const first = yield* store.listWithin(page, 4)
        assert.deepStrictEqual(first.rows.map(({ workflowId }) => workflowId), ["e", "c"])
        assert.strictEqual(first.lookedTo?.workflowId, "c")
        const second = yield* store.listWithin({ ...page, after: first.lookedTo! }, 4)
        assert.deepStrictEqual(second.rows.map(({ workflowId }) => workflowId), ["a"])
        assert.isNull(second.lookedTo)
        const full = yield* store.listWithin({ ...page, limit: 1 }, 2)
        assert.deepStrictEqual(full, { rows: (yield* store.list(page)).slice(0, 1), lookedTo: null })
        const oldest = yield* store.listWithin({ ...page, order: "asc", versions: ["odd"] }, 1)
        assert.deepStrictEqual([oldest.rows, oldest.lookedTo?.workflowId], [[], "a"])
        assert.isNull((yield* store.listWithin({ ...page, versions: ["odd"] }, 6)).lookedTo)
        const nobody = yield* store.listWithin({ ...page, executorId: "nobody" }, 100)
        assert.deepStrictEqual(nobody, { rows: [], lookedTo: null })
      })
  )

  claim("a bounded count says whether it is all", ({ store }) =>
    Effect.gen(function*() {
      yield* sixInTurn(store)
      const filter = { versions: ["even"], order: "desc", limit: 10 } as const
      assert.deepStrictEqual(yield* store.countWithin(filter, 100), { count: 3, complete: true })
      assert.deepStrictEqual(yield* store.countWithin(filter, 6), { count: 3, complete: true })
      assert.deepStrictEqual(yield* store.countWithin(filter, 4), { count: 2, complete: false })
      assert.deepStrictEqual(yield* store.countWithin({ ...filter, limit: 2 }, 100), { count: 2, complete: false })
    }))

  claim(
    "a bounded look at what indexes find is a list, whatever it may look at",
    ({ store }) =>
      Effect.gen(function*() {
        yield* sixInTurn(store)
        yield* recorded(store, advance("d", 1, { end: fail }))
        const filters: ReadonlyArray<Partial<ListFilter>> = [
          {},
          { names: ["Order"] },
          { ids: ["a", "f"] },
          { idPrefix: "b" },
          { status: ["PENDING"] },
          { status: ["PENDING", "ERROR"] },
          { status: ["ENQUEUED"] },
          { status: ["BLOCKED", "DEAD_LETTER"] },
          { status: ["ERROR"] }
        ]
        for (const one of filters) {
          const filter = { ...one, order: "desc", limit: 100 } as const
          const rows = yield* store.list(filter)
          assert.deepStrictEqual(yield* store.listWithin(filter, 1000), { rows, lookedTo: null })
          assert.deepStrictEqual(yield* store.countWithin(filter, 1000), { count: rows.length, complete: true })
        }
      })
  )

  claim(
    "progress changes with every outcome and every failed attempt; the unknown are left out",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        const look = Effect.map(store.progress(["nobody", "w"]), (rows) => rows)
        assert.deepStrictEqual(yield* look, [{ workflowId: "w", status: "PENDING", steps: 0, attempts: 0 }])
        yield* recorded(store, advance("w", 1, { records: [record(3, { seq: 1 })], attempts: [attempt(5, 0)] }))
        assert.deepStrictEqual(yield* look, [{ workflowId: "w", status: "PENDING", steps: 1, attempts: 1 }])
        yield* recorded(store, advance("w", 1, { records: [record(1, { seq: 2 })], end: succeed }))
        assert.deepStrictEqual(yield* look, [{ workflowId: "w", status: "SUCCESS", steps: 2, attempts: 1 }])
        assert.deepStrictEqual(yield* store.progress([]), [])
      })
  )

  claim(
    "the head of a queue is the first that waits: by priority, then by arrival; there is none where none waits",
    ({ store }) =>
      Effect.gen(function*() {
        yield* store.registerQueue("q", limits())
        assert.isNull(yield* store.queueHead("q"))
        assert.isNull(yield* store.queueHead("nowhere"))
        yield* submit(store, queued("a", { priority: 0 }))
        yield* submit(store, queued("b", { priority: 5 }))
        yield* submit(store, queued("c", { priority: 5 }))
        assert.strictEqual(yield* store.queueHead("q"), "b")
        yield* cancel(store, ["b"])
        assert.strictEqual(yield* store.queueHead("q"), "c")
      })
  )

  claim(
    "the head of a partitioned queue is the first of all partitions' first, before anybody has claimed",
    ({ store }) =>
      Effect.gen(function*() {
        yield* store.registerQueue("q", limits({ partitioned: perKey() }))
        yield* submit(store, queued("a", { priority: 1, partitionKey: "z" }))
        yield* submit(store, queued("b", { priority: 3, partitionKey: "m" }))
        yield* submit(store, queued("c", { priority: 2, partitionKey: "a" }))
        assert.strictEqual(yield* store.queueHead("q"), "b")
      })
  )

  claim(
    "activity counts what was created, by stretch of time and status, of the newest",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        const from = yield* store.now
        yield* runFor(store, "a", 0, succeed)
        yield* store.adjustClock(100_000)
        yield* runFor(store, "b", 0, fail)
        yield* startOwned(store, "c", "i")
        const counted = (more: Partial<Span>) =>
          Effect.map(store.activity(span({ from, ...more }), 100_000), (rows) =>
            [...rows].sort((one, other) =>
              one.bucket - other.bucket || (one.status < other.status ? -1 : 1)
            )
              .map(({ bucket, count, status }) => [bucket, status, count]))
        assert.deepStrictEqual(yield* counted({}), [[0, "SUCCESS", 1], [1, "ERROR", 1], [1, "PENDING", 1]])
        assert.deepStrictEqual(yield* counted({ limit: 2 }), [[1, "ERROR", 1], [1, "PENDING", 1]])
        assert.deepStrictEqual(yield* counted({ to: from + 100_000 }), [[0, "SUCCESS", 1]])
        assert.deepStrictEqual(yield* counted({ name: "Nothing" }), [])
        const [first] = yield* store.activity(span({ from }), 100_000_000)
        assert.isAtLeast(first!.since, from)
      })
  )

  claim(
    "names tells how many ended and failed, and how long they took, with the slowest",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        for (let n = 1; n <= 40; n++) yield* runFor(store, `w${n}`, 60_000 * n, n % 10 === 0 ? fail : succeed)
        yield* startOwned(store, "running", "i")
        const [row, ...more] = yield* store.names(span())
        assert.deepStrictEqual(more, [])
        assert.deepInclude(row, { name: "Order", ended: 40, failed: 4, slowestId: "w40" })
        const minutes = (ms: number) => Math.floor(ms / 60_000)
        assert.deepStrictEqual([row!.meanMs, row!.p95Ms, row!.maxMs].map(minutes), [20, 38, 40])
        assert.deepStrictEqual(yield* store.names(span({ name: "Nothing" })), [])
      })
  )
}
