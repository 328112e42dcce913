/** Enqueue options of a scope, of a call, and of nobody. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Auth from "perdure/Auth"
import * as EnqueueOptions from "perdure/EnqueueOptions"
import * as Workflow from "perdure/Workflow"
import * as WorkflowId from "perdure/WorkflowId"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowTimeout from "perdure/WorkflowTimeout"
import { unpolled } from "./gate.ts"
import { type Given, onBothStores } from "./harness.ts"

const ComplexTask = Workflow.make("ComplexTask", { payload: { id: Schema.String }, success: Schema.String })
const complex = ComplexTask.toLayer(({ id }) => Effect.succeed(`Completed ${id}`))
const queue = WorkflowQueue.make("tasks", { partitioned: true })
const enqueue = (id: string, options: WorkflowQueue.CallOptions = {}) =>
  queue.enqueue(ComplexTask, { id }, { workflowId: id, ...options })
const place = (given: Given, id: string) =>
  Effect.map(given.store.get(id), (row) => [row?.priority, row?.partitionKey, row?.deduplicationId, row?.version])

onBothStores("enqueue options", (claim) => {
  claim(
    "all scopes together, as in the specification",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(complex, unpolled)
      const handle = yield* use(
        queue.enqueue(ComplexTask, { id: "task-123" }).pipe(Effect.provide([
          Auth.layer({ user: "ada@example.org", roles: ["admin"] }),
          WorkflowTimeout.layer("300 seconds"),
          WorkflowId.layer("unique-task-123"),
          EnqueueOptions.layer({ priority: 100, partitionKey: "admin-tasks", deduplicationId: "task-dedup-123" })
        ]))
      )
      assert.strictEqual(yield* use(handle.result), "Completed task-123")
      const row = (yield* given.store.get("unique-task-123"))!
      assert.deepStrictEqual(
        [row.user, row.roles, row.priority, row.partitionKey, row.deadlineAt! - row.createdAt],
        ["ada@example.org", ["admin"], 100, "admin-tasks", 300_000]
      )
    })
  )

  claim(
    "the call wins field by field; the inner scope replaces the outer one; leaving restores",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      yield* use(
        Effect.gen(function*() {
          yield* enqueue("outer")
          yield* enqueue("inner").pipe(Effect.provide(EnqueueOptions.layer({ partitionKey: "in", version: "7" })))
          yield* enqueue("restored", { deduplicationId: "d2" })
          yield* enqueue("call", { priority: 9, version: "8", deduplicationId: "d3" })
        }).pipe(Effect.provide(EnqueueOptions.layer({ partitionKey: "out", priority: 5, deduplicationId: "d" })))
      )
      yield* use(enqueue("none", { partitionKey: "k" }))
      assert.deepStrictEqual(
        yield* Effect.forEach(["outer", "inner", "restored", "call", "none"], (id) => place(given, id)),
        [[5, "out", "d", ""], [0, "in", null, "7"], [5, "out", "d2", ""], [9, "out", "d3", "8"], [0, "k", null, ""]]
      )
    })
  )

  claim(
    "one layer value provided twice is two scopes",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      const layer = EnqueueOptions.layer({ partitionKey: "a" })
      const other = EnqueueOptions.layer({ partitionKey: "b" })
      yield* use(
        Effect.andThen(
          enqueue("1"),
          Effect.provide(Effect.andThen(enqueue("2"), Effect.provide(enqueue("3"), layer)), other)
        )
          .pipe(Effect.provide(layer))
      )
      assert.deepStrictEqual(
        (yield* Effect.forEach(["1", "2", "3"], (id) => place(given, id))).map(([, key]) => key),
        ["a", "b", "a"]
      )
    })
  )

  claim(
    "they reach neither what a body enqueues nor what is started without a queue",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent")
      const plain = WorkflowQueue.make("plain")
      const scope = EnqueueOptions.layer({ partitionKey: "k", priority: 5, delay: "1 day", version: "" })
      const parent = Parent.toLayer(() =>
        Effect.gen(function*() {
          yield* plain.enqueue(ComplexTask, { id: "plain" }, { workflowId: "plain" })
          yield* Effect.provide(enqueue("own"), EnqueueOptions.layer({ partitionKey: "own" }))
          yield* enqueue("call", { partitionKey: "call" })
        })
      ).pipe(
        // Around the application too.
        Layer.provide(scope)
      )
      const { use } = yield* given.engine([complex, parent], unpolled)
      yield* use(Parent.execute(undefined, { workflowId: "p" }).pipe(Effect.provide(scope)))
      assert.deepStrictEqual(
        yield* Effect.forEach(["p", "plain", "own", "call"], (id) => place(given, id)),
        [[0, null, null, ""], [0, null, null, ""], [0, "own", null, ""], [0, "call", null, ""]]
      )
    })
  )
})
