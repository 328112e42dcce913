import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Fork, StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, attempt, childOf, deliver, entry, event, record, send, start, succeed } from "../builders.ts"
import {
  cancel,
  claimUntil,
  historyOf,
  isDue,
  join,
  race,
  recorded,
  rounds,
  startOwned,
  submit,
  sweep
} from "../verbs.ts"

let made = 0

const fork = (fromStep: number, given: Partial<Fork> = {}): Fork => ({
  sourceId: "w",
  workflowId: "f",
  token: `fork ${++made}`,
  epoch: 0,
  fromStep,
  version: null,
  payload: null,
  timeoutMs: null,
  ...given
})

const forked = { _tag: "Forked", name: "Order" } as const

/** A source with the records 0 to 3, of which the second finished last. */
const source = Effect.fnUntraced(function*(store: StoreService, given: Parameters<typeof start>[0] | object = {}) {
  yield* join(store, "i")
  yield* startOwned(store, "w", "i", { ...given, startedAt: 1_234 })
  yield* recorded(
    store,
    advance("w", 1, {
      attempts: [attempt(0, 0), attempt(2, 0), attempt(4, 0)],
      records: [
        record(0, { seq: 1, asked: 0, attempts: 2 }),
        record(1, { seq: 4, asked: 1, kind: "child", childId: "w-1" }),
        record(2, { seq: 2, asked: 1 }),
        record(3, { seq: 3, asked: 2, rollback: true })
      ],
      children: [childOf("w", 1)]
    })
  )
})

export const forking: Suite = (claim) => {
  claim(
    "a fork is a workflow of its own, with what the source was started with, due at once",
    ({ store }) =>
      Effect.gen(function*() {
        const attributes = { customer: "ada", size: 3 }
        yield* source(store, {
          user: "ada",
          roles: ["a", "b"],
          assumedRole: "b",
          attributes,
          timeoutMs: 1e9,
          payload: "7"
        })
        assert.deepStrictEqual(yield* store.fork(fork(2)), forked)
        const before = (yield* store.get("w"))!
        const row = (yield* store.get("f"))!
        assert.deepInclude(row, {
          name: "Order",
          version: before.version,
          status: "ENQUEUED",
          phase: "run",
          epoch: 0,
          payload: "7",
          user: "ada",
          roles: ["a", "b"],
          assumedRole: "b",
          attributes,
          parentId: null,
          deadlineAt: null,
          queue: null,
          forkedFrom: "w",
          startedAt: 1_234,
          maxRecoveryAttempts: before.maxRecoveryAttempts
        })
        assert.isTrue(yield* isDue(store, "f"))
        assert.deepStrictEqual(yield* store.get("w"), before)
      })
  )

  claim(
    "records below the step are copied, numbered anew without a gap, in their order",
    ({ store }) =>
      Effect.gen(function*() {
        yield* source(store)
        yield* store.fork(fork(3))
        const { attempts, records } = yield* claimUntil(store, "i", "f")
        assert.deepStrictEqual(records, [
          record(0, { seq: 1, asked: 0, attempts: 2 }),
          record(1, { seq: 3, asked: 1, kind: "child", childId: "w-1" }),
          record(2, { seq: 2, asked: 1 })
        ])
        assert.deepStrictEqual(attempts, [attempt(0, 0), attempt(2, 0)])
        yield* store.fork(fork(2, { workflowId: "g" }))
        assert.deepStrictEqual((yield* historyOf(store, "g")).map(({ asked, seq }) => [seq, asked]), [[1, 0], [2, 1]])
        yield* store.fork(fork(4, { workflowId: "h" }))
        assert.deepStrictEqual(yield* historyOf(store, "h"), yield* historyOf(store, "w"))
      })
  )

  claim("what an operation had seen counts only what is copied", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      const records = [
        record(0, { seq: 1, asked: 0 }),
        record(5, { seq: 2, asked: 0 }),
        record(1, { seq: 3, asked: 2 }),
        record(6, { seq: 4, asked: 3 }),
        record(2, { seq: 5, asked: 4 })
      ]
      yield* recorded(store, advance("w", 1, { records }))
      yield* store.fork(fork(5))
      assert.deepStrictEqual(
        (yield* historyOf(store, "f")).map(({ asked, seq, stepId }) => [stepId, seq, asked]),
        [[0, 1, 0], [1, 2, 1], [2, 3, 2]]
      )
    }))

  claim(
    "a fork from the first step has no records, and may have another payload, version and time limit",
    ({ store }) =>
      Effect.gen(function*() {
        yield* source(store)
        const now = yield* store.now
        assert.deepStrictEqual(
          yield* store.fork(fork(0, { payload: "8", version: "2", timeoutMs: 5_000 })),
          forked
        )
        const row = (yield* store.get("f"))!
        assert.deepInclude(row, { payload: "8", version: "2", startedAt: null })
        assert.isTrue(row.deadlineAt! >= now + 5_000)
        assert.deepStrictEqual([yield* historyOf(store, "f"), yield* store.steps("f")], [[], []])
        yield* store.adjustClock(6_000)
        assert.deepStrictEqual((yield* sweep(store)).expired, ["f"])
      })
  )

  claim(
    "a fork begins after the last step at the latest, and only of what is there",
    ({ store }) =>
      Effect.gen(function*() {
        yield* source(store)
        // Step 4 has failed once and has no record yet.
        assert.deepStrictEqual(yield* store.fork(fork(6)), { _tag: "NoSuchStep", steps: 5 })
        assert.deepStrictEqual(yield* store.fork(fork(0, { sourceId: "nobody" })), { _tag: "Unknown" })
        assert.isNull(yield* store.get("f"))
        assert.deepStrictEqual(yield* store.fork(fork(5)), forked)
        assert.lengthOf(yield* historyOf(store, "f"), 4)
        yield* startOwned(store, "empty", "i")
        assert.deepStrictEqual(yield* store.fork(fork(0, { sourceId: "empty", workflowId: "g" })), forked)
        assert.deepStrictEqual(yield* store.fork(fork(1, { sourceId: "empty", workflowId: "h" })), {
          _tag: "NoSuchStep",
          steps: 0
        })
      })
  )

  claim("the same fork again is the same; another of its id is refused", ({ store }) =>
    Effect.gen(function*() {
      yield* source(store)
      const once = fork(2)
      assert.deepStrictEqual([yield* store.fork(once), yield* store.fork(once)], [forked, forked])
      assert.deepStrictEqual(yield* store.fork(fork(2)), { _tag: "Exists" })
      assert.deepStrictEqual(yield* store.fork(fork(2, { workflowId: "w" })), { _tag: "Exists" })
      assert.lengthOf(yield* historyOf(store, "f"), 2)
    }))

  claim("of two forks to one id at the same time one is made", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* source(given.store)
      for (const round of rounds(30)) {
        const workflowId = `f${round}`
        const answers = yield* race(
          round,
          given.store.fork(fork(2, { workflowId })),
          other.store.fork(fork(3, { workflowId }))
        )
        assert.deepStrictEqual(answers.map(({ _tag }) => _tag).sort(), ["Exists", "Forked"])
        assert.lengthOf(yield* historyOf(given.store, workflowId), answers[0]._tag === "Forked" ? 2 : 3)
      }
    }))

  claim("events have the values that the copied steps set last", ({ store }) =>
    Effect.gen(function*() {
      yield* source(store)
      const set = (key: string, value: string, stepId: number) =>
        recorded(store, advance("w", 1, { events: [event(key, value, stepId)] }))
      yield* set("a", "1", 0)
      yield* set("a", "2", 1)
      yield* set("a", "3", 3)
      yield* set("b", "4", 2)
      yield* set("b", "5", 1)
      yield* set("c", "6", 2)
      yield* store.fork(fork(2))
      const valuesOf = (id: string) =>
        Effect.map(store.events(id), (rows) => rows.map(({ key, value }) => [key, value]))
      assert.deepStrictEqual(yield* valuesOf("f"), [["a", "2"], ["b", "5"]])
      yield* store.fork(fork(3, { workflowId: "g" }))
      assert.deepStrictEqual(yield* valuesOf("g"), [["a", "2"], ["b", "5"], ["c", "6"]])
      assert.deepStrictEqual(yield* valuesOf("w"), [["a", "3"], ["b", "5"], ["c", "6"]])
      const { row } = yield* claimUntil(store, "i", "f")
      yield* recorded(store, advance("f", row.epoch, { events: [event("a", "9", 1)] }))
      assert.deepStrictEqual(yield* store.eventValues([{ workflowId: "f", key: "a" }]), [{ _tag: "Set", value: "9" }])
    }))

  claim(
    "streams have the entries of the copied steps, numbered anew, and go on after them",
    ({ store }) =>
      Effect.gen(function*() {
        yield* source(store)
        yield* recorded(
          store,
          advance("w", 1, {
            entries: [
              entry(0, { stepId: 1, attempt: 0 }),
              entry(1, { stepId: 3 }),
              entry(2, { stepId: 1, attempt: 1 }),
              entry(3, { stepId: 0, key: "t" }),
              entry(4, { stepId: 3, key: "t", value: null })
            ],
            supersedes: [{ stepId: 1, attempt: 1 }]
          })
        )
        yield* store.fork(fork(2))
        const { row } = yield* claimUntil(store, "i", "f")
        yield* recorded(store, advance("f", row.epoch, { entries: [entry(7, { stepId: 1, attempt: 0 })] }))
        const [answer] = yield* store.readStreams([{ workflowId: "f", key: "s", from: 0, limit: 10 }])
        assert.deepStrictEqual(
          answer!.entries.map(({ offset, superseded, value }) => [offset, value, superseded]),
          [[0, "\"0\"", true], [1, "\"2\"", false], [2, "\"7\"", false]]
        )
        assert.deepStrictEqual(yield* store.streams("f"), [
          { key: "s", entries: 3, closed: false },
          { key: "t", entries: 1, closed: false }
        ])
      })
  )

  claim("messages, children and rollbacks that have run stay with the source", ({ store }) =>
    Effect.gen(function*() {
      yield* source(store)
      yield* submit(store, deliver(send("w", "m")))
      yield* cancel(store, ["w"])
      yield* store.adjustClock(61_000)
      yield* join(store, "j")
      const { row } = yield* claimUntil(store, "j", "w")
      yield* recorded(
        store,
        advance("w", row.epoch, { records: [record(4, { kind: "rollback", seq: 5, asked: 4 })] })
      )
      assert.deepStrictEqual(yield* store.fork(fork(5)), forked)
      assert.lengthOf(yield* historyOf(store, "f"), 4)
      assert.deepStrictEqual(yield* store.messages("f", { topic: null, limit: 9, consumed: true }), [])
      assert.deepStrictEqual(yield* store.list({ parentId: "f", order: "asc", limit: 9 }), [])
      assert.strictEqual((yield* store.get("f"))!.phase, "run")
    }))

  claim("forks are found by their source, and the source by having forks", ({ store }) =>
    Effect.gen(function*() {
      yield* source(store)
      yield* recorded(store, advance("w", 1, { end: succeed }))
      yield* store.fork(fork(4, { workflowId: "f" }))
      yield* store.fork(fork(0, { workflowId: "g" }))
      const ids = (filter: object) =>
        Effect.map(
          store.list({ ...filter, order: "asc", limit: 9 }),
          (rows) => rows.map((row) => row.workflowId).sort()
        )
      assert.deepStrictEqual(yield* ids({ forkedFrom: "w" }), ["f", "g"])
      assert.deepStrictEqual(yield* ids({ wasForked: true }), ["w"])
      assert.deepStrictEqual(yield* ids({ wasForked: false }), ["f", "g", "w-1"])
    }))
}
