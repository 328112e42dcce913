/**
 * The class of bug hunted here: a fork that is of no moment of its source, because the source went on meanwhile, or that
 * changes it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Fork, StepRecord, StoreService } from "perdure/Store"
import { advance, attempt, record, succeed } from "../../../test/conformance/builders.ts"
import { claimUntil, historyOf, join, recorded, startOwned, submit } from "../../../test/conformance/verbs.ts"
import { freshSchema, open, useDatabase } from "./given.ts"

useDatabase()

const forkOf = (sourceId: string, workflowId: string, fromStep: number, given: Partial<Fork> = {}): Fork => ({
  sourceId,
  workflowId,
  fromStep,
  token: `token of ${workflowId}`,
  epoch: 0,
  version: null,
  payload: null,
  timeoutMs: null,
  ...given
})

const numbers = (records: ReadonlyArray<StepRecord>) => records.map(({ asked, seq, stepId }) => [stepId, seq, asked])

/** Everything that is stored of a workflow, as its readers see it. */
const everything = (store: StoreService, workflowId: string) =>
  Effect.all([
    store.get(workflowId),
    store.steps(workflowId),
    historyOf(store, workflowId),
    store.events(workflowId),
    store.readStreams([{ workflowId, key: "log", from: 0, limit: 10_000 }])
  ])

describe("a fork", () => {
  it.live("of records that finished in another order than they were asked for is numbered without a gap, in their order", () =>
    Effect.gen(function*() {
      const { store } = yield* open(freshSchema())
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      // 0 first; then 1 to 4 at once, which end as 3, 1, 4, 2; 5 is asked for after the second of these
      yield* recorded(
        store,
        advance("w", 1, {
          attempts: [attempt(1, 0), attempt(4, 0)],
          records: [
            record(0, { seq: 1, asked: 0 }),
            record(3, { seq: 2, asked: 1 }),
            record(1, { seq: 3, asked: 1, attempts: 2 }),
            record(4, { seq: 4, asked: 1, attempts: 2 }),
            record(5, { seq: 5, asked: 3 }),
            record(2, { seq: 6, asked: 1 })
          ]
        })
      )
      const before = yield* everything(store, "w")
      assert.deepStrictEqual(yield* store.fork(forkOf("w", "f", 3)), { _tag: "Forked", name: "Order" })
      assert.deepStrictEqual(numbers(yield* historyOf(store, "f")), [[0, 1, 0], [1, 2, 1], [2, 3, 1]])
      assert.deepStrictEqual((yield* store.history("f", -1)).attempts, [attempt(1, 0)])
      assert.deepStrictEqual(yield* everything(store, "w"), before)
      assert.deepStrictEqual(yield* store.fork(forkOf("w", "g", 7)), { _tag: "NoSuchStep", steps: 6 })
      assert.isNull(yield* store.get("g"))
    }))

  it.live("of a source that is being written is of one of its moments, whole", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* open(freshSchema())
      const { store: other } = yield* open(schema)
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      const steps = 60
      let going = true
      // every write: a record, what it set, and what it wrote
      const writing = Effect.gen(function*() {
        for (let step = 0; step < steps; step++) {
          yield* recorded(
            store,
            advance("w", 1, {
              records: [record(step)],
              events: [{ key: "at", value: String(step), codec: "json", stepId: step }],
              entries: [{
                key: "log",
                value: String(step),
                codec: "json",
                stepId: step,
                attempt: null,
                index: 0
              }]
            })
          )
        }
        going = false
      })
      const forks: Array<string> = []
      const forking = Effect.gen(function*() {
        for (let from = 0; going || from < steps; from = Math.min(from + 1, steps)) {
          const id = `f${forks.length}`
          const answer = yield* other.fork(forkOf("w", id, from))
          if (answer._tag === "Forked") forks.push(id)
          else {
            assert.strictEqual(answer._tag, "NoSuchStep")
            from -= 1
          }
          if (!going && forks.length > 20) break
        }
      })
      yield* Effect.all([writing, forking], { concurrency: 2 })
      assert.isNotEmpty(forks)
      for (const id of forks) {
        const [row, , records, events, [stream]] = yield* everything(store, id)
        assert.deepStrictEqual([row!.status, row!.epoch, row!.forkedFrom], ["ENQUEUED", 0, "w"])
        const from = records.length
        assert.deepStrictEqual(records, Array.from({ length: from }, (_, step) => record(step)))
        assert.deepStrictEqual(events.map(({ key, value }) => [key, value]), from === 0 ? [] : [["at", `${from - 1}`]])
        assert.deepStrictEqual(
          stream!.entries.map(({ offset, value }) => [offset, value]),
          Array.from({ length: from }, (_, step) => [step, `${step}`])
        )
      }
      assert.lengthOf(yield* historyOf(store, "w"), steps)
    }))

  it.live("of one token that many ask for at once is one", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* open(freshSchema())
      const { store: other } = yield* open(schema)
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* recorded(store, advance("w", 1, { records: [record(0), record(1)], end: succeed }))
      for (let round = 0; round < 20; round++) {
        const id = `f${round}`
        const answers = yield* Effect.forEach(
          [store, other, store, other],
          (one, i) => one.fork(forkOf("w", id, 2, { token: i < 2 ? "mine" : "theirs" })),
          { concurrency: "unbounded" }
        )
        const tags = answers.map(({ _tag }) => _tag)
        assert.deepStrictEqual([tags[0], tags[2]].toSorted(), ["Exists", "Forked"])
        assert.deepStrictEqual([tags[0], tags[2]], [tags[1], tags[3]])
        assert.lengthOf(yield* historyOf(store, id), 2)
      }
    }))

  it.live("runs on from its records, and may be forked and deleted again", () =>
    Effect.gen(function*() {
      const { store } = yield* open(freshSchema())
      yield* join(store, "i")
      yield* startOwned(store, "w", "i", { startedAt: 1_234 })
      yield* recorded(store, advance("w", 1, { records: [record(0), record(1)], end: succeed }))
      yield* store.fork(forkOf("w", "f", 1, { timeoutMs: 3_600_000 }))
      assert.deepStrictEqual(yield* store.delete(["w"], { children: true }), [{ workflowId: "w", result: "deleted" }])
      // submitted again, though its source is gone
      assert.strictEqual((yield* store.fork(forkOf("w", "f", 1)))._tag, "Forked")
      const { records, row } = yield* claimUntil(store, "i", "f")
      assert.deepStrictEqual([records, row.startedAt], [[record(0)], 1_234])
      yield* submit(store, advance("f", row.epoch, { records: [record(1, { value: "\"new\"" })], end: succeed }))
      assert.strictEqual((yield* store.fork(forkOf("f", "g", 2)))._tag, "Forked")
      assert.deepStrictEqual((yield* historyOf(store, "g")).map(({ value }) => value), ["{\"n\":0}", "\"new\""])
    }))
})
