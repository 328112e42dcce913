import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ArchivedEvent, EventPlace, History, StoreService, WorkflowRow } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, attempt, deliver, entry, event, record, send, succeed } from "../builders.ts"
import { claim as claimDue, historyOf, isDue, join, recorded, startOwned, submit } from "../verbs.ts"

/** A done workflow with something of everything. */
const made = Effect.fnUntraced(function*(store: StoreService) {
  yield* join(store, "i")
  yield* startOwned(store, "w", "i", {
    attributes: { tier: "gold", n: 3, __proto: true },
    user: "ada",
    roles: ["admin"]
  })
  yield* submit(store, deliver(send("w", "m1"), send("w", "m2", { payload: "{\"a\":\"\\u0000\"}" })))
  yield* recorded(
    store,
    advance("w", 1, {
      attempts: [attempt(0, 0), attempt(0, 1)],
      records: [record(0, { seq: 1, attempts: 3 }), record(1, { seq: 2, asked: 1, kind: "receive", rollback: true })],
      consumes: [{ seq: 1, stepId: 1 }],
      events: [event("e", "1", 0)],
      entries: [entry(0), entry(0, { attempt: 1, value: "\"two\"" })],
      supersedes: [{ stepId: 0, attempt: 1 }]
    })
  )
  yield* recorded(store, advance("w", 1, { events: [event("e", "2", 1), event("f", "3", 1)], end: succeed }))
})

const read = Effect.fnUntraced(function*(store: StoreService, workflowId: string) {
  const { attempts, records } = yield* store.history(workflowId, -1)
  const streams = yield* store.streams(workflowId)
  const entries = yield* Effect.forEach(
    streams,
    ({ key }) =>
      Effect.map(
        store.readStreams([{ workflowId, key, from: 0, limit: 100 }]),
        ([answer]) => answer!.entries.map((one) => ({ ...one, key }))
      )
  )
  return {
    workflow: (yield* store.get(workflowId))!,
    records,
    attempts,
    messages: yield* store.messages(workflowId, { topic: null, limit: 100, consumed: true }),
    events: (yield* store.eventWrites(workflowId, { after: null, limit: 100 })).map(({ n: _, ...event }) => event),
    entries: entries.flat()
  } satisfies History
})

const blocked = (workflow: WorkflowRow): WorkflowRow => ({
  ...workflow,
  phase: "run",
  status: "BLOCKED",
  reason: "{\"_tag\":\"Blocked\"}",
  completedAt: null,
  output: null,
  executorId: null
})

export const archiving: Suite = (claim) => {
  claim("a history comes back as it was, in another store", (given) =>
    Effect.gen(function*() {
      yield* made(given.store)
      const history = yield* read(given.store, "w")
      assert.lengthOf(history.events, 3)
      assert.lengthOf(history.entries, 2)
      const other = yield* given.connect(yield* given.elsewhere)
      assert.isTrue(yield* other.store.putHistory(history))
      assert.deepStrictEqual(yield* read(other.store, "w"), history)
      assert.deepStrictEqual(yield* other.store.events("w"), yield* given.store.events("w"))
      assert.lengthOf(
        yield* other.store.list({ attributes: { tier: "gold", n: 3 }, order: "asc", limit: 9 }),
        1
      )
      assert.deepStrictEqual(yield* other.store.strays(9), [])
    }))

  claim("where the id is taken nothing is written", (given) =>
    Effect.gen(function*() {
      yield* made(given.store)
      const history = yield* read(given.store, "w")
      const changed = { ...history, workflow: { ...history.workflow, name: "Other" }, records: [record(7)] }
      assert.isFalse(yield* given.store.putHistory(changed))
      assert.deepStrictEqual(yield* read(given.store, "w"), history)
    }))

  claim(
    "one that could never have been is refused, not to be tried again, and nothing is written",
    (given) =>
      Effect.gen(function*() {
        yield* made(given.store)
        const history = yield* read(given.store, "w")
        const { store } = yield* given.connect(yield* given.elsewhere)
        const failed = yield* Effect.flip(
          store.putHistory({ ...history, workflow: { ...history.workflow, completedAt: null } })
        )
        assert.isFalse(failed.isRetryable)
        const twice = yield* Effect.flip(
          store.putHistory({ ...history, messages: [...history.messages, ...history.messages] })
        )
        assert.isFalse(twice.isRetryable)
        assert.isNull(yield* store.get("w"))
        assert.isTrue(yield* store.putHistory(history))
      })
  )

  claim("messages and values of events come in pages, none twice and none left out", (given) =>
    Effect.gen(function*() {
      yield* made(given.store)
      const history = yield* read(given.store, "w")
      const { store } = given
      const seqs: Array<number> = []
      for (let after = 0;;) {
        const [message] = yield* store.messages("w", { topic: null, limit: 1, consumed: true, after })
        if (message === undefined) break
        seqs.push(after = message.seq)
      }
      assert.deepStrictEqual(seqs, history.messages.map(({ seq }) => seq))
      const unread = yield* store.messages("w", { topic: "t", limit: 9, after: 1 })
      assert.deepStrictEqual(unread, yield* store.messages("w", { topic: "t", limit: 9 }))
      const values: Array<string> = []
      for (let after: EventPlace | null = null;;) {
        const [event]: ReadonlyArray<ArchivedEvent & EventPlace> = yield* store.eventWrites("w", { after, limit: 1 })
        if (event === undefined) break
        values.push(event.value)
        after = event
      }
      assert.deepStrictEqual(values, ["1", "2", "3"])
    }))

  claim(
    "one that is blocked is not claimed before it is resumed; then it has its history and its messages",
    (given) =>
      Effect.gen(function*() {
        yield* made(given.store)
        const history = yield* read(given.store, "w")
        const { store } = yield* given.connect(yield* given.elsewhere)
        assert.isTrue(yield* store.putHistory({ ...history, workflow: blocked(history.workflow) }))
        yield* join(store, "j")
        assert.isFalse(yield* isDue(store, "w"))
        assert.deepStrictEqual(yield* store.strays(9), [])
        assert.deepStrictEqual(yield* store.resume(["w"]), [{ workflowId: "w", result: "resumed" }])
        const [claimed] = (yield* claimDue(store, "j")).claimed
        assert.strictEqual(claimed?.row.workflowId, "w")
        assert.isAbove(claimed!.row.epoch, history.workflow.epoch)
        assert.lengthOf(yield* historyOf(store, "w"), 2)
        assert.strictEqual((yield* submit(store, deliver(send("w", "m3"))))._tag, "Delivered")
        const messages = yield* store.messages("w", { topic: null, limit: 9 })
        assert.deepStrictEqual(messages.map(({ messageId, seq }) => [seq, messageId]), [[2, "m2"], [3, "m3"]])
        yield* recorded(store, advance("w", claimed!.row.epoch, { events: [event("e", "9", 1)], end: succeed }))
        assert.deepInclude((yield* store.events("w"))[0], { key: "e", value: "9" })
      })
  )

  claim("a fork of one that was imported has the events that its steps had set", (given) =>
    Effect.gen(function*() {
      yield* made(given.store)
      const { store } = yield* given.connect(yield* given.elsewhere)
      assert.isTrue(yield* store.putHistory(yield* read(given.store, "w")))
      const answer = yield* store.fork({
        sourceId: "w",
        workflowId: "f",
        token: "t",
        epoch: 1,
        fromStep: 1,
        version: null,
        payload: null,
        timeoutMs: null
      })
      assert.strictEqual(answer._tag, "Forked")
      assert.deepStrictEqual((yield* store.events("f")).map(({ key, value }) => [key, value]), [["e", "1"]])
    }))
}
