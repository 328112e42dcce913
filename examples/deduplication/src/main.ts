/** While a workflow with a deduplication id has not ended, enqueueing another one with it gives the first. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Schema } from "effect"
import { Engine, Step, Workflow, WorkflowQueue } from "perdure"

const indexing = WorkflowQueue.make("indexing", { concurrency: 5 })

const Reindex = Workflow.make("Reindex", { payload: { document: Schema.String, why: Schema.String } })

const ReindexLive = Reindex.toLayer(({ document, why }) =>
  Effect.andThen(Step.run("reindex", Console.log(`reindexing ${document}: ${why}`)), Effect.sleep("3 seconds"))
)

const reindex = (document: string, why: string) =>
  indexing.enqueue(Reindex, { document, why }, { deduplicationId: document })

const program = Effect.gen(function*() {
  const first = yield* reindex("doc-1", "edited by ada")
  const second = yield* reindex("doc-1", "edited by bob")
  const other = yield* reindex("doc-2", "edited by bob")
  yield* Console.log(`the same workflow: ${first.workflowId === second.workflowId}`)
  yield* Console.log(`another document, another workflow: ${first.workflowId !== other.workflowId}`)

  // Whoever wants to know asks to fail instead.
  const refused = yield* Effect.flip(
    indexing.enqueue(Reindex, { document: "doc-1", why: "again" }, { deduplicationId: "doc-1", onDuplicate: "fail" })
  )
  yield* Console.log(`refused: ${refused.reason._tag}`)

  yield* Effect.all([first.result, other.result])
  // It has ended, so its id is free.
  const later = yield* reindex("doc-1", "edited by eve")
  yield* later.result
  yield* Console.log(`a new one after its end: ${later.workflowId !== first.workflowId}`)
})

program.pipe(
  Effect.provide(ReindexLive),
  Effect.provide(Engine.layer()),
  Effect.provide(SqliteStore.layer({ filename: ":memory:" })),
  NodeRuntime.runMain
)
