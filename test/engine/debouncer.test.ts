/** Debouncers: of many calls one workflow, with the last payload. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Debouncer from "perdure/Debouncer"
import * as EnqueueOptions from "perdure/EnqueueOptions"
import * as Workflow from "perdure/Workflow"
import * as WorkflowId from "perdure/WorkflowId"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { Gate, unpolled } from "./gate.ts"
import { type Given, onBothStores } from "./harness.ts"
import { failureOf, reaches, reasonOf } from "./observing.ts"
import { twice, twiceWell } from "./twice.ts"

const minute = 60_000
const Reindex = Workflow.make("Reindex", { payload: { revision: Schema.Number }, success: Schema.Number })
const live = Reindex.toLayer(({ revision }) => Effect.succeed(revision))
const reindex = Debouncer.make("reindex", { workflow: Reindex })
const call = (key: string, revision: number, debouncer = reindex) =>
  Effect.map(debouncer.debounce(key, "1 minute", { revision }), (handle) => handle.workflowId)
const statusOf = (given: Given, id: string) => Effect.map(given.store.get(id), (row) => row?.status)
const counted = (given: Given) => Effect.map(given.store.list({ order: "asc", limit: 100 }), (rows) => rows.length)

onBothStores("debouncers", (claim) => {
  claim(
    "many calls are one workflow, with the last payload, after a period of silence",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live, unpolled)
      const ids: Array<string> = []
      for (let revision = 0; revision < 5; revision++) {
        ids.push(yield* use(call("doc", revision)))
        yield* given.store.adjustClock(40_000)
      }
      assert.lengthOf([...new Set(ids)], 1)
      assert.strictEqual(yield* statusOf(given, ids[0]!), "DELAYED")
      yield* given.store.adjustClock(20_000)
      assert.strictEqual(yield* use(Reindex.handle(ids[0]!).result), 4)
      assert.strictEqual(yield* counted(given), 1)
    })
  )

  claim(
    "a call after the start is the first of a new workflow; keys and debouncers are apart",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live, unpolled)
      const first = yield* use(call("doc", 1))
      const other = yield* use(call("other", 10))
      const named = yield* use(call("doc", 20, Debouncer.make("rebuild", { workflow: Reindex })))
      yield* given.store.adjustClock(minute)
      const results = yield* use(Effect.forEach([first, other, named], (id) => Reindex.handle(id).result))
      assert.deepStrictEqual(results, [1, 10, 20])
      const second = yield* use(call("doc", 2))
      assert.notStrictEqual(second, first)
      yield* given.store.adjustClock(minute)
      assert.strictEqual(yield* use(Reindex.handle(second).result), 2)
    })
  )

  claim(
    "names and keys are never taken for one another",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      const named = (name: string) => Debouncer.make(name, { workflow: Reindex })
      const ids = yield* use(Effect.all([
        call("b/c", 1, named("a")),
        call("c", 1, named("a/b")),
        call("c", 1, named("a%2Fb")),
        call("%2Fc", 1, named("a"))
      ]))
      assert.lengthOf([...new Set(ids)], 4)
    })
  )

  claim(
    "it starts at the limit, however many calls follow",
    Effect.fnUntraced(function*(given) {
      const limited = Debouncer.make("limited", { workflow: Reindex, limit: "2 minutes" })
      const { use } = yield* given.engine(live, unpolled)
      const id = yield* use(call("doc", 0, limited))
      for (let revision = 1; revision < 4; revision++) {
        yield* given.store.adjustClock(35_000)
        assert.strictEqual(yield* use(call("doc", revision, limited)), id)
      }
      yield* given.store.adjustClock(16_000)
      assert.strictEqual(yield* use(Reindex.handle(id).result), 3)
    })
  )

  claim(
    "then it waits for its turn in its queue",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("one", { concurrency: 1 })
      const gate = new Gate()
      const gated = Reindex.toLayer(({ revision }) => Effect.as(gate.pass(String(revision)), revision))
      const queued = Debouncer.make("queued", { workflow: Reindex, queue, priority: 3 })
      const { use } = yield* given.engine(gated, unpolled)
      yield* use(queue.enqueue(Reindex, { revision: 0 }))
      yield* gate.has("0")
      const id = yield* use(call("doc", 1, queued))
      yield* given.store.adjustClock(minute)
      yield* use(reaches(id, "ENQUEUED"))
      const row = yield* given.store.get(id)
      assert.deepStrictEqual([row?.queue, row?.priority], ["one", 3])
      // The same key again: the one that is no longer delayed has let it go.
      assert.notStrictEqual(yield* use(call("doc", 2, queued)), id)
      yield* gate.open("0")
      yield* gate.has("1")
    })
  )

  claim(
    "an executor that serves other queues serves debouncers",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live, { ...unpolled, queues: ["other"] })
      const id = yield* use(call("doc", 1))
      yield* given.store.adjustClock(minute)
      assert.strictEqual(yield* use(Reindex.handle(id).result), 1)
    })
  )

  claim(
    "ids and enqueue options of the scope do not count",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      const scoped = Effect.andThen(call("doc", 1), call("doc", 1)).pipe(
        Effect.provide([WorkflowId.layer("mine"), EnqueueOptions.layer({ partitionKey: "k", deduplicationId: "d" })])
      )
      const id = yield* use(scoped)
      assert.notStrictEqual(id, "mine")
      assert.deepStrictEqual((yield* given.store.get(id))?.partitionKey, null)
    })
  )

  claim(
    "fifty at once from two processes are one workflow",
    Effect.fnUntraced(function*(given) {
      const engines = [yield* given.engine(live, unpolled), yield* given.client]
      const ids = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, n) => n),
        (n) => engines[n % 2]!.use(call("doc", n)),
        { concurrency: "unbounded" }
      )
      assert.lengthOf([...new Set(ids)], 1)
    })
  )

  claim(
    "in a body it is one with the record, and a replay moves nothing",
    Effect.fnUntraced(function*(given) {
      const client = yield* given.client
      const far = (revision: number) =>
        Effect.map(reindex.debounce("doc", "9 days", { revision }), (handle) => handle.workflowId)
      const before = yield* client.use(far(1))
      const outcome = yield* twiceWell(given, Effect.all([far(2), far(3), call("new", 4)]))
      assert.deepStrictEqual(outcome.live, [before, before, "subject-2"])
      assert.deepStrictEqual(outcome.replayed, outcome.live)
      assert.deepStrictEqual(outcome.steps, ["0 child Reindex", "1 child Reindex", "2 child Reindex"])
      assert.strictEqual((yield* given.store.get(before))?.payload, JSON.stringify({ revision: 3 }))
      assert.strictEqual(yield* counted(given), 3)
    })
  )

  claim(
    "a key that something else has is refused, in a body too",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("shared")
      const queued = Debouncer.make("queued", { workflow: Reindex, queue })
      const client = yield* given.client
      yield* client.use(
        queue.enqueue(Reindex, { revision: 0 }, { deduplicationId: "queued/doc", workflowId: "other", delay: "9 days" })
      )
      const { live, replayed } = yield* twice(given, call("doc", 1, queued))
      for (const exit of [live, replayed]) assert.strictEqual(failureOf(exit).reason._tag, "DuplicateEnqueued")
      assert.strictEqual((yield* reasonOf(client.use(call("doc", 1, queued)))).workflowId, "other")
    })
  )

  claim(
    "what makes no sense is refused",
    Effect.fnUntraced(function*(given) {
      const parted = WorkflowQueue.make("parted", { partitioned: true })
      for (const name of ["", "x".repeat(256), "a\0"]) {
        assert.throws(() => Debouncer.make(name, { workflow: Reindex }), /debouncer name/)
      }
      assert.throws(() => Debouncer.make("d", { workflow: Reindex, queue: parted }), /partitioned/)
      assert.throws(() => Debouncer.make("d", { workflow: Reindex, limit: 0 }), /limit/)
      assert.throws(() => Debouncer.make("d", { workflow: Reindex, priority: 0 }), /priority/)
      const { use } = yield* given.client
      for (
        const [key, period, argument] of [["", 1, "debounce key"], ["k", 0, "period"], ["k", -1, "period"]] as const
      ) {
        const reason = yield* reasonOf(use(reindex.debounce(key, period, { revision: 1 })))
        assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", argument])
      }
      assert.strictEqual(yield* counted(given), 0)
    })
  )
})
