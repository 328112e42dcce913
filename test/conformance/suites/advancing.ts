import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import type { Suite } from "../Backend.ts"
import { advance, attempt, fail, record, records, start, succeed } from "../builders.ts"
import { claimUntil, historyOf, join, recorded, startOwned, submit, write } from "../verbs.ts"

const done = { _tag: "Recorded", children: [] } as const
const fenced = { _tag: "Fenced" } as const

export const advancing: Suite = (claim) => {
  claim(
    "records are written under the current epoch and read back as they were",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        const written = [
          record(0, { kind: "race", outcome: "failure", attempts: 3, childId: "child", rollback: true }),
          record(1, { seq: 2, asked: 0, key: "a/b/step:1", name: "pay" }),
          record(2, { value: "null", startedAt: 5, at: 5 })
        ]
        assert.deepStrictEqual(yield* store.write([advance("w", 1, { records: written })]), [done])
        assert.deepStrictEqual(yield* historyOf(store, "w"), written)
        assert.deepStrictEqual(yield* store.history("w", 1), { records: [written[2]!], attempts: [], more: false })
      })
  )

  claim(
    "an advance under another epoch, or of an unknown workflow, is Fenced and writes nothing",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        const write = (workflowId: string, epoch: number) =>
          submit(store, advance(workflowId, epoch, { records: [record(0)], attempts: [attempt(1, 0)], end: succeed }))
        assert.deepStrictEqual(yield* write("w", 0), fenced)
        assert.deepStrictEqual(yield* write("w", 2), fenced)
        assert.deepStrictEqual(yield* write("unknown", 1), fenced)
        assert.deepStrictEqual(yield* store.history("w", -1), { records: [], attempts: [], more: false })
        assert.strictEqual((yield* store.get("w"))!.status, "PENDING")
        assert.isNull(yield* store.get("unknown"))
      })
  )

  claim(
    "the same advance submitted again, after a lost answer, is Recorded again and is there once",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i")
        const written = advance("w", 1, { records: records(0, 3), attempts: [attempt(3, 0), attempt(3, 1)] })
        assert.deepStrictEqual(yield* submit(store, written), done)
        assert.deepStrictEqual(yield* submit(store, written), done)
        yield* recorded(store, advance("w", 1, { records: records(3, 5) }))
        assert.deepStrictEqual(yield* submit(store, written), done)
        assert.deepStrictEqual(yield* store.history("w", -1), {
          records: records(0, 5),
          attempts: [attempt(3, 0), attempt(3, 1)],
          more: false
        })
      })
  )

  claim(
    "a record is never written over: the same again is Recorded, anything else is Rejected, alone",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        for (const id of ["w", "v", "u"]) yield* startOwned(store, id, "i")
        yield* recorded(store, advance("w", 1, { records: [record(0)], attempts: [attempt(1, 0)] }))
        const others: ReadonlyArray<Parameters<typeof record>[1]> = [
          { value: "\"other\"" },
          { outcome: "failure" },
          { kind: "transaction" },
          { key: "other" }
        ]
        for (const [n, other] of others.entries()) {
          const [answer, neighbour] = yield* write(store, [
            advance("w", 1, { records: [record(0, other), record(1)] }),
            advance("v", 1, { records: [record(n)] })
          ])
          assert.deepStrictEqual([answer!._tag, neighbour!._tag], ["Rejected", "Recorded"], JSON.stringify(other))
        }
        yield* recorded(store, advance("w", 1, { records: [record(0)] }))
        yield* submit(store, advance("w", 1, { attempts: [attempt(1, 0, { error: "\"other\"" })] }))
        // Once its epoch is over, it is told so.
        yield* recorded(store, advance("u", 1, { records: [record(0)], end: succeed }))
        assert.deepStrictEqual(
          yield* submit(store, advance("u", 1, { records: [record(0, { value: "\"other\"" })], end: succeed })),
          fenced
        )
        assert.deepStrictEqual(yield* store.history("w", -1), {
          records: [record(0)],
          attempts: [attempt(1, 0)],
          more: false
        })
      })
  )

  claim("failed attempts are kept in order, and come back with a claim", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* recorded(store, advance("w", 1, { attempts: [attempt(0, 0)] }))
      yield* recorded(store, advance("w", 1, { records: [record(1)], attempts: [attempt(0, 1)] }))
      yield* recorded(store, advance("w", 1, { end: { _tag: "Release" } }))
      const { attempts, records } = yield* claimUntil(store, "i", "w")
      assert.deepStrictEqual(attempts, [attempt(0, 0), attempt(0, 1)])
      assert.deepStrictEqual(records, [record(1)])
    }))

  claim("records and the end are written together", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      for (const [id, end, status] of [["good", succeed, "SUCCESS"], ["bad", fail, "ERROR"]] as const) {
        yield* startOwned(store, id, "i")
        yield* recorded(store, advance(id, 1, { records: records(0, 2), end }))
        const row = (yield* store.get(id))!
        assert.deepStrictEqual(
          [row.status, row.phase, row.output, row.reason, row.wakeAt, row.waits, row.executorId],
          [status, "done", end.output, null, null, null, "executor of i"]
        )
        assert.isAtLeast(row.completedAt!, row.createdAt)
        assert.deepStrictEqual(yield* historyOf(store, id), records(0, 2))
      }
    }))

  claim("a settle submitted again is Recorded again and changes nothing", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      const settle = advance("w", 1, { records: [record(0)], end: succeed })
      assert.deepStrictEqual(yield* submit(store, settle), done)
      const row = yield* store.get("w")
      assert.deepStrictEqual(yield* submit(store, settle), done)
      assert.deepStrictEqual(yield* store.get("w"), row)
      assert.deepStrictEqual(yield* historyOf(store, "w"), [record(0)])
    }))

  claim("a settled workflow takes no further record, and is never claimed", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* recorded(store, advance("w", 1, { end: succeed }))
      assert.deepStrictEqual(yield* submit(store, advance("w", 1, { records: [record(0)] })), fenced)
      assert.deepStrictEqual(yield* historyOf(store, "w"), [])
      const served = [{ name: "Order", version: "1" }]
      assert.deepStrictEqual((yield* store.claim({ incarnation: "i", served, queues: null, limit: 10 })).claimed, [])
    }))

  claim(
    "one batch serves many workflows, each with an answer of its own, in order",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        for (const id of ["a", "b", "c", "d"]) yield* startOwned(store, id, "i")
        const answers = yield* write(store, [
          advance("d", 1, { records: [record(0)], end: succeed }),
          start({ workflowId: "new" }),
          advance("b", 7, { records: [record(0)] }),
          advance("unknown", 1, { records: [record(0)] }),
          advance("a", 1, { records: [record(0)], attempts: [attempt(1, 0)] }),
          advance("c", 1, { records: records(0, 10) })
        ])
        assert.deepStrictEqual(
          answers.map(({ _tag }) => _tag),
          ["Recorded", "Started", "Fenced", "Fenced", "Recorded", "Recorded"]
        )
        for (const [id, count] of [["a", 1], ["b", 0], ["c", 10], ["d", 1]] as const) {
          assert.lengthOf(yield* historyOf(store, id), count, id)
        }
      })
  )

  const bad = {
    "a value with a NUL character": record(0, { value: "\"\u0000\"" }),
    "a key of 10,000 bytes": record(0, { key: randomBytes(5_000).toString("hex") })
  }
  for (const [what, record] of Object.entries(bad)) {
    claim(`${what} is kept, or Rejected alone in its batch`, ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        const ids = ["a", "b", "c", "d", "e"]
        for (const id of ids) yield* startOwned(store, id, "i")
        const answers = yield* write(
          store,
          ids.map((id) => advance(id, 1, { records: id === "c" ? [record] : records(0, 2), end: succeed }))
        )
        for (const [index, id] of ids.entries()) {
          const rejected = answers[index]!._tag === "Rejected"
          if (!rejected) assert.deepStrictEqual(answers[index], done)
          assert.isTrue(id === "c" || !rejected, id)
          const expected = id !== "c" ? records(0, 2) : rejected ? [] : [record]
          assert.deepStrictEqual(yield* historyOf(store, id), expected)
          assert.strictEqual((yield* store.get(id))!.status, rejected ? "PENDING" : "SUCCESS")
        }
        assert.deepStrictEqual(yield* submit(store, advance("c", 1, { end: succeed })), done)
      }))
  }

  claim("a start that the database cannot hold is Rejected alone", ({ store }) =>
    Effect.gen(function*() {
      const answers = yield* write(store, [
        start({ workflowId: "a" }),
        start({ workflowId: "b", payload: "\"\u0000\"" }),
        start({ workflowId: "c" })
      ])
      assert.deepStrictEqual([answers[0]!._tag, answers[2]!._tag], ["Started", "Started"])
      assert.include(["Rejected", "Started"], answers[1]!._tag)
      const row = yield* store.get("b")
      assert.strictEqual(row?.payload, answers[1]!._tag === "Rejected" ? undefined : "\"\u0000\"")
    }))
}
