/** A queue in which the urgent goes first: of what waits, the highest priority starts next. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Schema } from "effect"
import { Engine, EnqueueOptions, Step, Workflow, WorkflowQueue } from "perdure"

const tasks = WorkflowQueue.make("tasks", { concurrency: 1 })

const ProcessTask = Workflow.make("ProcessTask", { payload: { task: Schema.String } })

const ProcessTaskLive = ProcessTask.toLayer(({ task }) => Step.run("process", Console.log(`processing ${task}`)))

const program = Effect.gen(function*() {
  // A client enqueues them all before there is anybody to run them, so that there is something to choose from.
  const handles = yield* tasks.enqueueMany(ProcessTask, [{ task: "low" }, { task: "normal" }, { task: "whenever" }], {
    each: ({ task }) => task === "low" ? { priority: 1 } : task === "normal" ? { priority: 10 } : {}
  })
  // The same by a scope, for code that does not know what it is called for.
  const urgent = yield* tasks.enqueue(ProcessTask, { task: "urgent" }).pipe(
    Effect.provide(EnqueueOptions.layer({ priority: 100 }))
  )
  yield* Effect.forEach([...handles, urgent], (handle) => handle.result).pipe(
    Effect.provide(ProcessTaskLive),
    Effect.provide(Engine.layer())
  )
})

program.pipe(
  Effect.provide(Engine.layerClient()),
  Effect.provide(SqliteStore.layer({ filename: ":memory:" })),
  NodeRuntime.runMain
)
