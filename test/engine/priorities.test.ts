/** The order in which enqueued workflows start. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as EnqueueOptions from "perdure/EnqueueOptions"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { Gate, Task, unpolled } from "./gate.ts"
import { type Given, onBothStores } from "./harness.ts"
import { reaches } from "./observing.ts"

const tasks = WorkflowQueue.make("tasks", { concurrency: 1 })
const enqueue = (queue: WorkflowQueue.WorkflowQueue, id: string, priority?: number) =>
  queue.enqueue(Task, { id }, { workflowId: id, priority })

/** What is enqueued by a client, in the order in which one executor then starts it. */
const orderOf = Effect.fnUntraced(function*(given: Given, last: string) {
  const gate = new Gate()
  yield* gate.openAll
  const { use } = yield* given.engine(gate.live, unpolled)
  yield* use(reaches(last, "SUCCESS"))
  return gate.started
})

onBothStores("priorities", (claim) => {
  claim(
    "the urgent one before the normal one before the low one",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      for (const [id, priority] of [["low", 1], ["normal", 10], ["urgent", 100]] as const) {
        yield* use(enqueue(tasks, id).pipe(Effect.provide(EnqueueOptions.layer({ priority }))))
      }
      assert.deepStrictEqual(yield* orderOf(given, "low"), ["urgent", "normal", "low"])
    })
  )

  claim(
    "first come, first served among equals; none given comes last; the range is whole",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      const given_: ReadonlyArray<[string, number?]> = [
        ["none0"],
        ["two0", 2],
        ["max", 2_147_483_647],
        ["none1"],
        ["one", 1],
        ["two1", 2],
        ["none2"]
      ]
      yield* use(Effect.forEach(given_, ([id, priority]) => enqueue(tasks, id, priority)))
      assert.deepStrictEqual(yield* orderOf(given, "none2"), ["max", "two0", "two1", "one", "none0", "none1", "none2"])
    })
  )

  claim(
    "priority holds within a partition",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("parted", { concurrency: 1, partitioned: true })
      const { use } = yield* given.client
      yield* use(
        Effect.forEach(
          [1, 3, 2],
          (priority) =>
            queue.enqueue(Task, { id: `p${priority}` }, { workflowId: `p${priority}`, partitionKey: "k", priority })
        )
      )
      assert.deepStrictEqual(yield* orderOf(given, "p1"), ["p3", "p2", "p1"])
    })
  )

  claim(
    "with ageing, long waiting makes up for a low priority",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("ageing", { concurrency: 1, ageing: "1 minute" })
      const { use } = yield* given.client
      yield* use(enqueue(queue, "old low", 1))
      yield* given.store.adjustClock(10 * 60_000)
      yield* use(enqueue(queue, "new middle", 5))
      yield* use(enqueue(queue, "new high", 50))
      assert.deepStrictEqual(yield* orderOf(given, "new middle"), ["new high", "old low", "new middle"])
    })
  )

  claim(
    "a priority can be changed while a workflow waits",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      yield* use(Effect.forEach(["a", "b", "c"], (id) => enqueue(tasks, id, 5)))
      assert.strictEqual(yield* given.store.setPriority("c", 6), "changed")
      assert.strictEqual(yield* given.store.setPriority("a", 1), "changed")
      assert.deepStrictEqual(yield* orderOf(given, "a"), ["c", "b", "a"])
      assert.deepStrictEqual(
        yield* Effect.all([given.store.setPriority("a", 1), given.store.setPriority("x", 1)]),
        ["started", "unknown"]
      )
    })
  )
})
