/** Deduplication ids: one workflow at a time has one, in its queue. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as EnqueueOptions from "perdure/EnqueueOptions"
import * as Workflow from "perdure/Workflow"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { Gate, Task, unpolled } from "./gate.ts"
import { onBothStores } from "./harness.ts"
import { failureOf, reaches, reasonOf } from "./observing.ts"
import { twice, twiceWell } from "./twice.ts"

const queue = WorkflowQueue.make("processing")
const enqueue = (id: string, options: WorkflowQueue.CallOptions = {}) =>
  queue.enqueue(Task, { id }, { deduplicationId: "d", ...options })

onBothStores("deduplication", (claim) => {
  claim(
    "a second enqueue with the id returns the handle of the first",
    Effect.fnUntraced(function*(given) {
      const ProcessOrder = Workflow.make("ProcessOrder", {
        payload: { orderId: Schema.String },
        success: Schema.String
      })
      const { use } = yield* given.engine(
        ProcessOrder.toLayer(({ orderId }) => Effect.succeed(`Processed ${orderId}`)),
        { ...unpolled, queues: [] }
      )
      const once = queue.enqueue(ProcessOrder, { orderId: "order-123" }).pipe(
        Effect.provide(EnqueueOptions.layer({ deduplicationId: "process-order-123" }))
      )
      const [first, second] = yield* use(Effect.all([once, once]))
      assert.strictEqual(first.workflowId, second.workflowId)
      const { use: elsewhere } = yield* given.engine(
        ProcessOrder.toLayer(({ orderId }) => Effect.succeed(`Processed ${orderId}`)),
        unpolled
      )
      assert.strictEqual(yield* elsewhere(second.result), "Processed order-123")
    })
  )

  claim(
    "with fifty at once there is one workflow",
    Effect.fnUntraced(function*(given) {
      const gate = new Gate()
      const engines = yield* Effect.forEach([1, 2], () => given.engine(gate.live, unpolled))
      const handles = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, index) => index),
        (index) => engines[index % 2]!.use(enqueue(`t${index}`)),
        { concurrency: "unbounded" }
      )
      assert.lengthOf([...new Set(handles.map((handle) => handle.workflowId))], 1)
      yield* gate.openAll
      yield* engines[0]!.use(handles[0]!.result)
      assert.lengthOf(gate.started, 1)
    })
  )

  claim(
    "asked to, it fails and names the workflow that has the id",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      const first = yield* use(enqueue("a"))
      const reason = yield* reasonOf(use(enqueue("b", { onDuplicate: "fail" })))
      assert.deepStrictEqual(
        [reason._tag, reason.queue, reason.deduplicationId, reason.workflowId, reason.name],
        ["DuplicateEnqueued", "processing", "d", first.workflowId, "Task"]
      )
      assert.strictEqual(yield* Effect.map(given.store.list({ order: "asc", limit: 10 }), (rows) => rows.length), 1)
    })
  )

  claim(
    "a handle is never that of a workflow of another name",
    Effect.fnUntraced(function*(given) {
      const Other = Workflow.make("Other")
      const { use } = yield* given.client
      yield* use(enqueue("a"))
      const reason = yield* reasonOf(use(queue.enqueue(Other, undefined, { deduplicationId: "d" })))
      assert.deepStrictEqual([reason._tag, reason.name], ["DuplicateEnqueued", "Task"])
    })
  )

  claim(
    "it is free again when the workflow ends, fails or is cancelled",
    Effect.fnUntraced(function*(given) {
      const Fails = Workflow.make("Fails")
      const gate = new Gate()
      const { use } = yield* given.engine([gate.live, Fails.toLayer(() => Effect.die(new Error("no")))], unpolled)
      const success = yield* use(enqueue("a"))
      yield* gate.has("a")
      yield* gate.open("a")
      yield* use(success.result)
      const failure = yield* use(queue.enqueue(Fails, undefined, { deduplicationId: "d", onDuplicate: "fail" }))
      yield* use(reaches(failure.workflowId, "ERROR"))
      const cancelled = yield* use(enqueue("b", { onDuplicate: "fail" }))
      yield* gate.has("b")
      yield* use(Client.cancel(cancelled.workflowId))
      const last = yield* use(enqueue("c", { onDuplicate: "fail" }))
      yield* gate.has("c")
      yield* gate.open("c")
      assert.strictEqual(yield* use(last.result), "c")
    })
  )

  claim(
    "each queue has ids of its own; the same enqueue made again is no duplicate of itself",
    Effect.fnUntraced(function*(given) {
      const other = WorkflowQueue.make("other")
      const { use } = yield* given.client
      const once = enqueue("a", { workflowId: "w", onDuplicate: "fail" })
      const ids = yield* use(Effect.all([once, other.enqueue(Task, { id: "a" }, { deduplicationId: "d" }), once]))
      assert.deepStrictEqual([ids[0].workflowId, ids[2].workflowId], ["w", "w"])
      assert.notStrictEqual(ids[1].workflowId, "w")
    })
  )

  claim(
    "an enqueue in a body attaches to the workflow that has the id, replayed too",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      yield* use(enqueue("a", { workflowId: "holder" }))
      const outcome = yield* twiceWell(given, Effect.map(enqueue("b"), (handle) => handle.workflowId))
      assert.deepStrictEqual([outcome.live, outcome.replayed, outcome.steps], ["holder", "holder", ["0 child Task"]])
      assert.strictEqual((yield* given.store.steps("subject"))[0]?.childId, "holder")
      assert.strictEqual(yield* Effect.map(given.store.list({ order: "asc", limit: 10 }), (rows) => rows.length), 2)
    })
  )

  claim(
    "an enqueue in a body fails where it is asked to, replayed too",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      yield* use(enqueue("a", { workflowId: "holder" }))
      const { live, replayed } = yield* twice(given, enqueue("b", { onDuplicate: "fail" }))
      for (const exit of [live, replayed]) {
        const { reason } = failureOf(exit)
        assert.deepStrictEqual([reason._tag, reason.workflowId], ["DuplicateEnqueued", "holder"])
      }
    })
  )
})
