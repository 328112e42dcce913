import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, entry, record, release, succeed, suspend } from "../builders.ts"
import { cancel, claimUntil, historyOf, isDue, join, race, recorded } from "../verbs.ts"
import { rounds, startDone, startOwned, submit } from "../verbs.ts"

const running = Effect.fnUntraced(function*(store: StoreService, ...ids: ReadonlyArray<string>) {
  yield* join(store, "i")
  for (const id of ids) yield* startOwned(store, id, "i")
})

const read = (store: StoreService, workflowId: string, from = 0, limit = 1_000, key = "s") =>
  Effect.map(store.readStreams([{ workflowId, key, from, limit }]), ([answer]) => answer!)

/** Offset and value of each entry, and the state. */
const valuesOf = (...args: Parameters<typeof read>) =>
  Effect.map(read(...args), ({ entries, state }) => [entries.map(({ offset, value }) => [offset, value]), state])

const on = (workflowId: string, from: number, key = "s") => ({ workflowId, on: "stream", key, from } as const)

export const streams: Suite = (claim) => {
  claim(
    "entries are numbered without a gap, in the order written, each stream for itself",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w", "v")
        const before = yield* store.now
        yield* recorded(
          store,
          advance("w", 1, { entries: [entry(0), entry(1, { key: "t", codec: "other" }), entry(2)] })
        )
        yield* recorded(store, advance("v", 1, { entries: [entry(0, { value: "7" })] }))
        yield* recorded(store, advance("w", 1, { entries: [entry(3, { attempt: 2, stepId: 9 })] }))
        assert.deepStrictEqual(yield* valuesOf(store, "w"), [[[0, "\"0\""], [1, "\"2\""], [2, "\"3\""]], "open"])
        assert.deepStrictEqual(yield* valuesOf(store, "v"), [[[0, "7"]], "open"])
        const { entries: [last] } = yield* read(store, "w", 2)
        const { at, ...rest } = last!
        assert.isAtLeast(at, before)
        assert.deepStrictEqual(rest, {
          offset: 2,
          value: "\"3\"",
          codec: "json",
          stepId: 9,
          attempt: 2,
          superseded: false
        })
        assert.strictEqual((yield* read(store, "w", 0, 10, "t")).entries[0]!.codec, "other")
      })
  )

  claim(
    "a read starts where it is told, stops at its limit, and says done only behind the last entry",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        yield* recorded(store, advance("w", 1, { entries: [entry(0), entry(1), entry(2)] }))
        const states = Effect.fnUntraced(function*() {
          const answers = yield* store.readStreams([
            { workflowId: "w", key: "s", from: 0, limit: 2 },
            { workflowId: "w", key: "s", from: 1, limit: 2 },
            { workflowId: "w", key: "s", from: 3, limit: 2 },
            { workflowId: "w", key: "none", from: 0, limit: 2 },
            { workflowId: "nobody", key: "s", from: 0, limit: 2 }
          ])
          return answers.map(({ entries, state }) => [entries.map(({ offset }) => offset), state])
        })
        assert.deepStrictEqual(yield* states(), [[[0, 1], "open"], [[1, 2], "open"], [[], "open"], [[], "open"], [
          [],
          "unknown"
        ]])
        yield* recorded(store, advance("w", 1, { end: succeed }))
        assert.deepStrictEqual(yield* states(), [[[0, 1], "open"], [[1, 2], "done"], [[], "done"], [[], "done"], [
          [],
          "unknown"
        ]])
        assert.deepStrictEqual(yield* store.readStreams([]), [])
      })
  )

  claim(
    "the streams of a workflow are listed with their length, and whether they are closed",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        yield* recorded(
          store,
          advance("w", 1, {
            entries: [
              entry(0, { key: "b" }),
              entry(1, { key: "a" }),
              entry(2, { key: "b", value: null }),
              entry(3, { key: "B" })
            ]
          })
        )
        assert.deepStrictEqual(yield* store.streams("w"), [
          { key: "B", entries: 1, closed: false },
          { key: "a", entries: 1, closed: false },
          { key: "b", entries: 2, closed: true }
        ])
        assert.deepStrictEqual(yield* valuesOf(store, "w", 0, 10, "b"), [[[0, "\"0\""], [1, null]], "open"])
        assert.deepStrictEqual(yield* store.streams("nobody"), [])
      })
  )

  claim("entries are written with the write's records or not at all", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w")
      const fenced = advance("w", 2, { records: [record(0)], entries: [entry(0)] })
      assert.deepStrictEqual(yield* submit(store, fenced), { _tag: "Fenced" })
      const stirred = advance("w", 1, { records: [record(0)], entries: [entry(0)], end: suspend({ inbox: 7 }) })
      assert.strictEqual((yield* submit(store, stirred))._tag, "Stirred")
      assert.deepStrictEqual([(yield* read(store, "w")).entries, yield* historyOf(store, "w")], [[], []])
    }))

  claim(
    "a write with entries submitted again is Recorded again, and they are there once",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w", "v", "u", "x")
        for (const [id, end] of [["w", succeed], ["v", suspend()], ["u", release], ["x", null]] as const) {
          for (const records of [[record(0)], []]) {
            const inStep = records.length === 0
            const operation = advance(id, 1, {
              records,
              entries: inStep
                ? [entry(2, { attempt: 0 }), entry(2, { attempt: 0, index: 1, value: "\"3\"" })]
                : [entry(0), entry(1)],
              end: inStep ? end : null
            })
            yield* recorded(store, operation)
            yield* recorded(store, operation)
          }
          const { entries } = yield* read(store, id)
          assert.deepStrictEqual(entries.map(({ value }) => value), ["\"0\"", "\"1\"", "\"2\"", "\"3\""])
        }
      })
  )

  claim(
    "a write with entries that comes late once more appends nothing after what others have appended",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        const ofBody = advance("w", 1, { records: [record(0)], entries: [entry(0)] })
        const ofStep = advance("w", 1, { entries: [entry(1, { stepId: 1, attempt: 0 })] })
        const others = advance("w", 1, { entries: [entry(2, { stepId: 2, attempt: 0 })] })
        for (const operation of [ofBody, ofStep, others, ofBody, ofStep]) yield* recorded(store, operation)
        assert.deepStrictEqual(yield* valuesOf(store, "w"), [[[0, "\"0\""], [1, "\"1\""], [2, "\"2\""]], "open"])
      })
  )

  claim("two owners write the same number of entry, each its own", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w")
      yield* recorded(store, advance("w", 1, { entries: [entry(0, { value: "1" })], end: release }))
      const { row } = yield* claimUntil(store, "i", "w")
      yield* recorded(store, advance("w", row.epoch, { entries: [entry(0, { value: "2" })] }))
      assert.deepStrictEqual(yield* valuesOf(store, "w"), [[[0, "1"], [1, "2"]], "open"])
    }))

  claim(
    "what a step wrote before the attempt that counts is marked superseded in all its streams, and nothing else",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w", "v")
        const of = (attempt: number, index: number, given: Parameters<typeof entry>[1] = {}) =>
          entry(3, { attempt, index, ...given })
        const first = [entry(2), of(0, 0), of(0, 0, { key: "t" }), of(0, 0, { stepId: 4 }), of(0, 1)]
        for (const id of ["w", "v"]) yield* recorded(store, advance(id, 1, { entries: first }))
        const counts = (attempt: number) => [{ stepId: 3, attempt }]
        const retried = advance("w", 1, { entries: [of(1, 0), of(1, 1)], supersedes: counts(1) })
        yield* recorded(store, retried)
        yield* recorded(store, retried)
        const marks = (key = "s", id = "w") =>
          Effect.map(read(store, id, 0, 100, key), ({ entries }) => entries.map(({ superseded }) => superseded))
        assert.deepStrictEqual(yield* marks(), [false, true, false, true, false, false])
        assert.deepStrictEqual([yield* marks("t"), yield* marks("t", "v")], [[true], [false]])
        // The process is lost: the same attempt again, by another owner.
        yield* recorded(store, advance("w", 1, { end: release }))
        const { row: { epoch } } = yield* claimUntil(store, "i", "w")
        yield* recorded(store, advance("w", epoch, { entries: [of(1, 0)], supersedes: counts(1) }))
        assert.deepStrictEqual(yield* marks(), [false, true, false, true, true, true, false])
        // The outcome is of an attempt that has written nothing.
        yield* recorded(
          store,
          advance("w", epoch, { records: [record(3)], entries: [entry(5)], supersedes: counts(2), end: succeed })
        )
        assert.deepStrictEqual(yield* marks(), [false, true, false, true, true, true, true, false])
      })
  )

  claim("several attempts in one write are superseded but for the last", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w")
      yield* recorded(
        store,
        advance("w", 1, {
          entries: [0, 1, 2].map((attempt) => entry(3, { attempt })),
          supersedes: [1, 2].map((attempt) => ({ stepId: 3, attempt }))
        })
      )
      const { entries } = yield* read(store, "w")
      assert.deepStrictEqual(entries.map(({ superseded }) => superseded), [true, true, false])
    }))

  claim(
    "a stream whose close is superseded is open, and a fenced write supersedes nothing",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        yield* recorded(store, advance("w", 1, { entries: [entry(3, { attempt: 0, value: null })] }))
        const closed = Effect.map(store.streams("w"), (streams) => streams.map((stream) => stream.closed))
        const supersedes = [{ stepId: 3, attempt: 1 }]
        assert.deepStrictEqual(
          yield* submit(store, advance("w", 2, { records: [record(3)], supersedes })),
          { _tag: "Fenced" }
        )
        assert.deepStrictEqual(yield* closed, [true])
        yield* recorded(store, advance("w", 1, { records: [record(3)], supersedes }))
        assert.deepStrictEqual(yield* closed, [false])
      })
  )

  claim(
    "who awaits an entry is due when the stream has come so far, not before",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w", "near", "far", "other")
        yield* recorded(store, advance("w", 1, { entries: [entry(0)] }))
        yield* recorded(store, advance("near", 1, { end: suspend({ awaiting: [on("w", 1)] }) }))
        yield* recorded(store, advance("far", 1, { end: suspend({ awaiting: [on("w", 3)] }) }))
        yield* recorded(store, advance("other", 1, { end: suspend({ awaiting: [on("w", 0, "t")] }) }))
        assert.deepStrictEqual(yield* store.awaited("near"), [
          { workflowId: "w", on: "stream", key: "s", status: "PENDING" }
        ])
        const due = () => Effect.forEach(["near", "far", "other"], (id) => isDue(store, id))
        yield* recorded(store, advance("w", 1, { entries: [entry(1), entry(2)] }))
        assert.deepStrictEqual(yield* due(), [true, false, false])
        yield* recorded(store, advance("w", 1, { entries: [entry(3, { value: null })] }))
        assert.deepStrictEqual(yield* due(), [true, true, false])
        yield* cancel(store, ["w"])
        assert.deepStrictEqual(yield* due(), [true, true, true])
      })
  )

  claim(
    "a suspension is Stirred when the entry is there already, or never will be",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w", "v")
        yield* startDone(store, "done", "i")
        yield* recorded(store, advance("v", 1, { entries: [entry(0), entry(1)] }))
        for (const one of [on("v", 0), on("v", 1), on("done", 0), on("nobody", 0)]) {
          const answer = yield* submit(
            store,
            advance("w", 1, { records: [record(0)], end: suspend({ awaiting: [one] }) })
          )
          assert.deepStrictEqual(answer, { _tag: "Stirred", inbox: 0 })
        }
        assert.deepStrictEqual(yield* historyOf(store, "w"), [])
        yield* recorded(store, advance("w", 1, { end: suspend({ awaiting: [on("v", 2)] }) }))
      })
  )

  claim("who suspends while the entry is written is Stirred or due", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* join(given.store, "i")
      for (const round of rounds(100)) {
        for (const id of ["w", "v"]) yield* startOwned(given.store, `${id}${round}`, "i")
        const [slept, set] = yield* race(
          round,
          submit(given.store, advance(`w${round}`, 1, { end: suspend({ awaiting: [on(`v${round}`, 0)] }) })),
          submit(other.store, advance(`v${round}`, 1, { entries: [entry(0)] }))
        )
        assert.strictEqual(set._tag, "Recorded")
        if (slept._tag !== "Stirred") assert.isTrue(yield* isDue(given.store, `w${round}`), `w${round} sleeps`)
      }
    }))

  claim("a long stream is read in pages without a gap or a repetition", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w")
      const entries = rounds(1_500).map((index) => entry(0, { attempt: 0, index, value: String(index) }))
      yield* recorded(store, advance("w", 1, { entries: entries.slice(0, 700) }))
      yield* recorded(store, advance("w", 1, { entries: entries.slice(700), end: succeed }))
      const all: Array<string | null> = []
      for (let from = 0, state = "open"; state === "open";) {
        const page = yield* read(store, "w", from, 400)
        all.push(...page.entries.map(({ value }) => value))
        from += page.entries.length
        state = page.state
      }
      assert.deepStrictEqual(all, entries.map(({ value }) => value))
    }))
}
