/** The class of bug hunted here: text that a driver, a quote or an encoding changes on its way. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, attempt, childOf, record, release, start, succeed, suspend } from "../builders.ts"
import { cancel, claimUntil, historyOf, join, recorded, startOwned, submit, write } from "../verbs.ts"

const texts: ReadonlyArray<readonly [what: string, text: string]> = [
  ["quotes", `it's "quoted" \`here\` $1 $$ :name ?`],
  ["backslashes", "\\ \\\\ \\n \\u0041 \\x41 E'\\''"],
  ["emoji", "\u{1F600}\u{1F468}\u200D\u{1F469}"],
  ["separators", "a\u2028b\u2029c\u0085d"],
  ["combining marks", "e\u0301 is not \u00e9"],
  ["__proto__", "__proto__"],
  ["constructor", "constructor"],
  ["SQL", "'; DROP TABLE workflow; --"],
  ["array syntax", "{a,b} {\"a\"} NULL null"],
  ["NULL", "NULL"],
  ["nothing but a space", " "],
  ["spaces", "  leading and trailing  "],
  ["wildcards", "100% _ * [a-z]"]
]

export const values: Suite = (claim) => {
  for (const [what, text] of texts) {
    claim(`ids, keys, names and payloads hold ${what} unchanged`, ({ store }) =>
      Effect.gen(function*() {
        const json = JSON.stringify([[text, text]])
        const id = `id ${text}`
        yield* store.join({ incarnation: `i ${text}`, executorId: `e ${text}`, version: `v ${text}` }, 60_000)
        const given = {
          name: `name ${text}`,
          version: `v ${text}`,
          payload: json,
          user: text,
          roles: [text, `${text},${text}`, ""],
          assumedRole: text
        }
        yield* startOwned(store, id, `i ${text}`, given)
        const written = [record(0, { key: text, name: text, value: json, childId: text })]
        const failed = [attempt(1, 0, { key: text, name: text, error: json })]
        const children = [childOf(id, 0, { workflowId: `child ${text}`, payload: json })]
        yield* recorded(store, advance(id, 1, { records: written, attempts: failed, children, end: release }))
        const served = [{ name: given.name, version: given.version }]
        const { claimed } = yield* store.claim({ incarnation: `i ${text}`, served, queues: null, limit: 1 })
        assert.deepInclude(claimed[0]!.row, { ...given, workflowId: id, executorId: `e ${text}` })
        assert.deepStrictEqual([claimed[0]!.records, claimed[0]!.attempts], [written, failed])
        const [step] = yield* store.steps(id)
        assert.deepInclude(step, { key: text, name: text, value: json, childId: text })
        assert.strictEqual((yield* store.get(`child ${text}`))!.parentId, id)
        const awaiting = [`child ${text}`]
        yield* recorded(store, advance(id, 2, { end: suspend({ awaiting, waits: json }) }))
        assert.strictEqual((yield* store.get(id))!.waits, json)
        yield* store.cancel(awaiting, { reason: json, childReason: json, children: true })
        assert.deepInclude((yield* store.outcomes(awaiting)).done[0], { workflowId: awaiting[0]!, reason: json })
        const again = yield* store.claim({ incarnation: `i ${text}`, served, queues: null, limit: 1 })
        assert.strictEqual(again.claimed[0]!.row.workflowId, id)
        yield* recorded(store, advance(id, 3, { end: { _tag: "Settle", status: "SUCCESS", output: json } }))
        assert.strictEqual((yield* store.outcomes([id])).done[0]!.output, json)
        const found = yield* store.list({ idPrefix: id, names: [given.name], order: "asc", limit: 10 })
        assert.deepStrictEqual(found.map(({ workflowId }) => workflowId), [id])
      }))
  }

  claim(
    "ids that differ only in case, in accents or in trailing spaces are different workflows",
    ({ store }) =>
      Effect.gen(function*() {
        const ids = ["a", "A", "a ", " a", "\u00e1", "a\u0301", "\u00c1"]
        const answers = yield* write(store, ids.map((workflowId) => start({ workflowId })))
        for (const { _tag } of answers) assert.strictEqual(_tag, "Started")
        yield* cancel(store, ["a"])
        for (const id of ids) assert.strictEqual((yield* store.get(id))!.status, id === "a" ? "CANCELLED" : "ENQUEUED")
      })
  )

  claim("the longest ids and names that are allowed, 512 bytes, are kept", ({ store }) =>
    Effect.gen(function*() {
      const long = (end: string) => "\u00e9".repeat((512 - end.length) / 2) + end
      yield* join(store, "i")
      yield* startOwned(store, long("id"), "i", { name: long("name") })
      const written = record(0, { key: long("keys"), name: long("name") })
      yield* recorded(store, advance(long("id"), 1, { records: [written] }))
      assert.deepStrictEqual(yield* historyOf(store, long("id")), [written])
    }))

  claim("the largest and smallest times and counters are kept", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i", { deadlineAt: 8_640_000_000_000_000, maxRecoveryAttempts: 2_147_483_647 })
      const written = record(2_147_483_647, { seq: 1, asked: 0, at: 8_640_000_000_000_000, startedAt: 0 })
      yield* recorded(store, advance("w", 1, { records: [written] }))
      assert.deepStrictEqual(yield* historyOf(store, "w"), [written])
      const row = (yield* store.get("w"))!
      assert.deepStrictEqual([row.deadlineAt, row.maxRecoveryAttempts], [8_640_000_000_000_000, 2_147_483_647])
    }))

  claim("values of 10 MB are kept, as payload, record and output", ({ store }) =>
    Effect.gen(function*() {
      const big = (letter: string) => JSON.stringify(letter.repeat(10_000_000))
      yield* join(store, "i")
      yield* startOwned(store, "w", "i", { payload: big("p") })
      yield* startOwned(store, "small", "i")
      const answers = yield* write(store, [
        advance("w", 1, { records: [record(0, { value: big("r") })] }),
        advance("small", 1, { records: [record(0)] })
      ])
      assert.deepStrictEqual(answers.map(({ _tag }) => _tag), ["Recorded", "Recorded"])
      yield* recorded(store, advance("w", 1, { end: release }))
      const { records, row } = yield* claimUntil(store, "i", "w")
      assert.isTrue(row.payload === big("p") && records[0]!.value === big("r"))
      yield* recorded(store, advance("w", 2, { end: { ...succeed, output: big("o") } }))
      assert.isTrue((yield* store.outcomes(["w"])).done[0]!.output === big("o"))
    }))

  claim("a history of many big records is read page by page", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      const value = JSON.stringify("x".repeat(1_000_000))
      for (let stepId = 0; stepId < 40; stepId++) {
        assert.strictEqual(
          (yield* submit(store, advance("w", 1, { records: [record(stepId, { value })] })))._tag,
          "Recorded"
        )
      }
      yield* recorded(store, advance("w", 1, { end: release }))
      const { more, records } = yield* claimUntil(store, "i", "w")
      const rest = more ? yield* historyOf(store, "w", records.at(-1)!.stepId) : []
      assert.deepStrictEqual([...records, ...rest].map(({ stepId }) => stepId), Array.from({ length: 40 }, (_, n) => n))
      assert.isTrue([...records, ...rest].every((one) => one.value === value))
    }))
}
