/**
 * Calls of a system that allows three in a second, whatever number of processes makes them: the rate is the queue's, and
 * kept in the store.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Schema } from "effect"
import { Engine, Step, Workflow, WorkflowQueue } from "perdure"

const apiCalls = WorkflowQueue.make("api calls", { rateLimit: { limit: 3, period: "1 second" } })

const CallApi = Workflow.make("CallApi", { payload: { city: Schema.String } })

const CallApiLive = CallApi.toLayer(({ city }) => Step.run("call", Console.log(`asking for the weather in ${city}`)))

const cities = ["Athens", "Berlin", "Cairo", "Dakar", "Essen", "Fargo", "Genoa"]

const program = Effect.gen(function*() {
  const handles = yield* apiCalls.enqueueMany(CallApi, cities.map((city) => ({ city })))
  yield* Effect.forEach(handles, (handle) => handle.result, { concurrency: "unbounded" })
  // By the database's clock the fourth started a second after the first, the seventh a second after the fourth.
  const startedAt = yield* Effect.forEach(
    handles,
    (handle) => Effect.map(handle.info, (info) => Number(info.startedAt))
  )
  for (let i = 3; i < cities.length; i++) {
    yield* Console.log(`${cities[i]} started ${startedAt[i]! - startedAt[i - 3]!} ms after ${cities[i - 3]}`)
  }
})

program.pipe(
  Effect.provide(CallApiLive),
  Effect.provide(Engine.layer()),
  Effect.provide(SqliteStore.layer({ filename: ":memory:" })),
  NodeRuntime.runMain
)
