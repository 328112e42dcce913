/** A workflow that tells how far it has come, and somebody who watches. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Fiber, Option, Schema } from "effect"
import { Client, Engine, Step, Workflow, WorkflowEvent } from "perdure"

const Progress = WorkflowEvent.make("progress", {
  value: Schema.Struct({ done: Schema.Int, of: Schema.Int })
})

const Import = Workflow.make("Import", { payload: { files: Schema.Array(Schema.String) } })

const ImportLive = Import.toLayer(Effect.fn(function*({ files }) {
  for (const [index, file] of files.entries()) {
    yield* Step.run("import", Effect.delay(Console.log(`importing ${file}`), "100 millis"))
    yield* Progress.set({ done: index + 1, of: files.length })
  }
}))

/** What a progress bar does: the value as it is now, and again until all is done. */
const watch = Effect.fn(function*(workflowId: string) {
  // Waits for the first value; an event keeps its last one for ever.
  let progress = yield* Progress.get(workflowId)
  while (progress.done < progress.of) {
    yield* Effect.sleep("20 millis")
    const next = yield* Progress.get(workflowId)
    if (next.done > progress.done) yield* Console.log(`${Math.round(100 * next.done / next.of)} %`)
    progress = next
  }
})

const program = Effect.gen(function*() {
  const handle = yield* Import.start({ files: ["a.csv", "b.csv", "c.csv", "d.csv"] }, { workflowId: "import-1" })
  const watcher = yield* Effect.forkChild(watch("import-1"))
  yield* handle.result
  yield* Fiber.join(watcher)

  // It stays readable after the end, by itself or among all events of the workflow.
  const last = yield* Progress.get("import-1", { timeout: 0 })
  yield* Console.log(`at the end: ${Option.getOrThrow(last).done} of 4`)
  yield* Console.log((yield* Client.events("import-1")).map((event) => event.key).join(", "))
})

program.pipe(
  Effect.provide(ImportLive),
  Effect.provide(Engine.layer()),
  Effect.provide(SqliteStore.layer({ filename: ":memory:" })),
  NodeRuntime.runMain
)
