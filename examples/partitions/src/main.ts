/** Updates of one user in their order, one at a time; those of different users beside one another. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Schema } from "effect"
import { Engine, Step, Workflow, WorkflowQueue } from "perdure"

const userUpdates = WorkflowQueue.make("user updates", { partitioned: true })

const UpdateUser = Workflow.make("UpdateUser", { payload: { user: Schema.String, update: Schema.Int } })

let running = 0

const UpdateUserLive = UpdateUser.toLayer(({ update, user }) =>
  Step.run(
    "update",
    Effect.gen(function*() {
      running++
      yield* Console.log(`${user}: update ${update} begins, ${running} running`)
      yield* Effect.sleep("50 millis")
      yield* Console.log(`${user}: update ${update} ends`)
      running--
    })
  )
)

const program = Effect.gen(function*() {
  const users = ["user-123", "user-456"]
  const updates = users.flatMap((user) => [1, 2, 3].map((update) => ({ user, update })))
  const handles = yield* userUpdates.enqueueMany(UpdateUser, updates, {
    each: ({ user }) => ({ partitionKey: user })
  })
  yield* Effect.forEach(handles, (handle) => handle.result, { concurrency: "unbounded" })
})

program.pipe(
  Effect.provide(UpdateUserLive),
  Effect.provide(Engine.layer()),
  Effect.provide(SqliteStore.layer({ filename: ":memory:" })),
  NodeRuntime.runMain
)
