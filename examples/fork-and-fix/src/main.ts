/** A workflow that failed over a mistake in its code: mended, it goes on in a fork from the step before the mistake. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Schema } from "effect"
import { Client, Engine, Step, Workflow } from "perdure"

const Settle = Workflow.make("Settle", { payload: { order: Schema.String }, success: Schema.String })

/** The body, with the part that was wrong given from outside. */
const settleWith = (split: (cents: number, ways: number) => number) =>
  Settle.toLayer(Effect.fn(function*({ order }) {
    const cents = yield* Step.run("charge", Effect.as(Console.log(`charging ${order}`), 1000))
    const share = yield* Step.run("split", Effect.sync(() => split(cents, 3)))
    if (!Number.isInteger(share)) return yield* Effect.die(new Error(`a share of ${share} cents`))
    return yield* Step.run("pay out", Effect.as(Console.log(`paying out ${share} cents, three times`), `${share}`))
  }))

/** An engine with that code, as a deploy brings it. */
const deployed = <A, E, R>(version: string, code: ReturnType<typeof settleWith>, effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Effect.provide(code), Effect.provide(Engine.layer({ version })))

const program = Effect.gen(function*() {
  yield* deployed(
    "1",
    settleWith((cents, ways) => cents / ways),
    Effect.gen(function*() {
      const error = yield* Effect.flip(Settle.execute({ order: "order-1" }, { workflowId: "settle-1" }))
      yield* Console.log(`failed: ${error.message.split("\n")[0]}`)
    })
  )
  yield* deployed(
    "2",
    settleWith((cents, ways) => Math.floor(cents / ways)),
    Effect.gen(function*() {
      const split = (yield* Client.steps("settle-1")).find((step) => step.name === "split")!
      // What came before the step is copied: the order is not charged again. From here on the mended code runs.
      const fork = yield* Client.fork(Settle, "settle-1", { fromStep: split.stepId, version: "2" })
      yield* Console.log(`the fork ends with ${yield* fork.result}`)
      yield* Console.log(`the first stays ${(yield* Client.get("settle-1")).status}`)
    })
  )
})

program.pipe(
  Effect.provide(SqliteStore.layer({ filename: ":memory:" })),
  NodeRuntime.runMain
)
