/** Workflows that start later. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import * as EnqueueOptions from "perdure/EnqueueOptions"
import * as Workflow from "perdure/Workflow"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { Gate, Task, unpolled } from "./gate.ts"
import { type Given, onBothStores } from "./harness.ts"
import { reaches, reasonOf } from "./observing.ts"
import { twiceWell } from "./twice.ts"

const hour = 3_600_000
const queue = WorkflowQueue.make("later", { concurrency: 1 })
const passed = Effect.sync(() => new Gate()).pipe(Effect.tap((gate) => gate.openAll))
const statusOf = (given: Given, id: string) => Effect.map(given.store.get(id), (row) => row?.status)

onBothStores("delays", (claim) => {
  claim(
    "a delayed start is DELAYED until its time, in a queue and in none",
    Effect.fnUntraced(function*(given) {
      const gate = yield* passed
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(Task.start({ id: "start" }, { workflowId: "start", delay: "1 hour" }))
      yield* use(queue.enqueue(Task, { id: "enqueue" }, { workflowId: "enqueue", delay: "2 hours" }))
      yield* use(
        queue.enqueue(Task, { id: "scope" }, { workflowId: "scope" }).pipe(
          Effect.provide(EnqueueOptions.layer({ delay: "3 hours" }))
        )
      )
      assert.strictEqual(yield* use(Task.execute({ id: "now" })), "now")
      for (const id of ["start", "enqueue", "scope"]) {
        assert.strictEqual(yield* statusOf(given, id), "DELAYED")
        yield* given.store.adjustClock(hour)
        yield* use(reaches(id, "SUCCESS"))
      }
      assert.deepStrictEqual(gate.started, ["now", "start", "enqueue", "scope"])
    })
  )

  claim(
    "execute waits for a delayed workflow",
    Effect.fnUntraced(function*(given) {
      const gate = yield* passed
      const { use } = yield* given.engine(gate.live, unpolled)
      assert.strictEqual(yield* use(Task.execute({ id: "a" }, { delay: "30 millis" })), "a")
      const [row] = yield* given.store.list({ order: "asc", limit: 1 })
      assert.isAtLeast(row!.startedAt!, row!.createdAt + 30)
    })
  )

  claim(
    "a delayed one takes its place in the order when its time has come, and no place before",
    Effect.fnUntraced(function*(given) {
      const gate = new Gate()
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(queue.enqueue(Task, { id: "later" }, { workflowId: "later", delay: "1 hour", priority: 9 }))
      yield* use(queue.enqueue(Task, { id: "a" }, { workflowId: "a" }))
      yield* gate.has("a")
      yield* use(queue.enqueue(Task, { id: "b" }, { workflowId: "b" }))
      yield* given.store.adjustClock(hour)
      // A claim that had looked at the clock before may still be under way, and would give the place to "b".
      yield* use(reaches("later", "ENQUEUED"))
      yield* gate.open("a")
      yield* gate.has("later")
      yield* gate.openAll
      yield* use(reaches("b", "SUCCESS"))
      assert.deepStrictEqual(gate.started, ["a", "later", "b"])
    })
  )

  claim(
    "centuries are a delay; none is none; what is no duration is refused",
    Effect.fnUntraced(function*(given) {
      const gate = yield* passed
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(Task.start({ id: "far" }, { workflowId: "far", delay: "36500 days" }))
      assert.strictEqual(yield* use(Task.execute({ id: "a" }, { delay: 0 })), "a")
      assert.strictEqual(yield* statusOf(given, "far"), "DELAYED")
      for (const delay of [-1, Number.NaN, Infinity, "1 fortnight"] as ReadonlyArray<any>) {
        const reason = yield* reasonOf(use(Task.start({ id: "x" }, { delay })))
        assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", "delay"])
      }
      const last = new Date(8_640_000_000_000_000)
      assert.include(yield* reasonOf(use(Client.setDelay("far", last))), { _tag: "InvalidArgument", argument: "delay" })
      assert.include((yield* use(Client.explain("far"))).text, "delayed until")
    })
  )

  claim(
    "the time of a delayed workflow can be moved",
    Effect.fnUntraced(function*(given) {
      const gate = yield* passed
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* given.client
      yield* use(Task.start({ id: "a" }, { workflowId: "a", delay: "1 day" }))
      yield* use(queue.enqueue(Task, { id: "b" }, { workflowId: "b", delay: "1 day" }))
      assert.strictEqual(yield* given.store.setDelay("a", 0), "changed")
      assert.strictEqual(yield* given.store.setDelay("b", hour), "changed")
      yield* given.store.hint([{ _tag: "Due", name: "*" }], "")
      yield* use(reaches("a", "SUCCESS"))
      yield* given.store.adjustClock(hour)
      yield* use(reaches("b", "SUCCESS"))
      assert.deepStrictEqual(
        yield* Effect.all([given.store.setDelay("a", 0), given.store.setDelay("x", 0)]),
        ["started", "unknown"]
      )
    })
  )

  claim(
    "a body delays its children, and a replay does not start them again",
    Effect.fnUntraced(function*(given) {
      const Child = Workflow.make("Child")
      const outcome = yield* twiceWell(
        given,
        Effect.map(
          Effect.all([
            Child.start(undefined, { delay: "9 days" }),
            queue.enqueue(Child, undefined, { delay: "9 days" })
          ]),
          (handles) => handles.map((handle) => handle.workflowId)
        )
      )
      assert.deepStrictEqual([outcome.live, outcome.replayed], [["subject-0", "subject-1"], ["subject-0", "subject-1"]])
      assert.deepStrictEqual(
        yield* Effect.forEach(outcome.live, (id) => statusOf(given, id)),
        ["DELAYED", "DELAYED"]
      )
    })
  )
})
