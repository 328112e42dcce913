/** A trip of three bookings: when the last one fails, the others are taken back, the latest first. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Schema } from "effect"
import { Client, Engine, Step, Workflow } from "perdure"

class NoCar extends Schema.TaggedError<NoCar>()("NoCar", { city: Schema.String }) {}

const BookTrip = Workflow.make("BookTrip", {
  payload: { city: Schema.String },
  success: Schema.Array(Schema.String),
  error: NoCar
})

/** Each booking says how it is undone. What undoes it is recorded and tried again, like a step. */
const book = (what: string, city: string) =>
  Step.run(`book ${what}`, Effect.as(Console.log(`booking a ${what} in ${city}`), `${what} in ${city}`), {
    rollback: (booking) => Console.log(`cancelling the ${booking}`)
  })

const BookTripLive = BookTrip.toLayer(Effect.fn(function*({ city }) {
  const flight = yield* book("flight", city)
  const hotel = yield* book("hotel", city)
  const car = yield* Step.run(
    "book car",
    city === "Venice" ? Effect.fail(new NoCar({ city })) : Effect.succeed("a car"),
    {
      error: NoCar
    }
  )
  return [flight, hotel, car]
}))

const program = Effect.gen(function*() {
  yield* Console.log(yield* BookTrip.execute({ city: "Rome" }, { workflowId: "rome" }))
  const error = yield* Effect.flip(BookTrip.execute({ city: "Venice" }, { workflowId: "venice" }))
  yield* Console.log(`failed: ${error._tag}`)
  for (const step of yield* Client.steps("venice")) yield* Console.log(`${step.kind} ${step.name}: ${step.outcome}`)
})

program.pipe(
  Effect.provide(BookTripLive),
  Effect.provide(Engine.layer()),
  Effect.provide(SqliteStore.layer({ filename: ":memory:" })),
  NodeRuntime.runMain
)
