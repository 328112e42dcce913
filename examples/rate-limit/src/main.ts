/**
 * Calls of a system that allows three in a second, whatever number of processes makes them: the rate is the queue's, and
 * kept in the store.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Schema } from "effect"
import { Engine, Step, Workflow, WorkflowQueue } from "perdure"

const apiCalls = WorkflowQueue.make("api calls", { rateLimit: { limit: 3, period: "1 second" } })

const CallApi = Workflow.make("CallApi", { payload: { city: Schema.String }, success: Schema.Number })

const CallApiLive = CallApi.toLayer(({ city }) =>
  Step.run("call", Effect.as(Console.log(`asking for the weather in ${city}`), Date.now()))
)

const cities = ["Athens", "Berlin", "Cairo", "Dakar", "Essen", "Fargo", "Genoa"]

const program = Effect.gen(function*() {
  const handles = yield* apiCalls.enqueueMany(CallApi, cities.map((city) => ({ city })))
  const calledAt = yield* Effect.forEach(handles, (handle) => handle.result, { concurrency: "unbounded" })
  // The fourth came a second after the first, the seventh a second after the fourth.
  for (let i = 3; i < calledAt.length; i++) {
    const later = Math.round((calledAt[i]! - calledAt[i - 3]!) / 100) / 10
    yield* Console.log(`${cities[i]} came ${later} s after ${cities[i - 3]}`)
  }
})

program.pipe(
  Effect.provide(CallApiLive),
  Effect.provide(Engine.layer()),
  Effect.provide(SqliteStore.layer({ filename: ":memory:" })),
  NodeRuntime.runMain
)
