/** Steps that take long, and sleeps: what outlives its owner is run again, and nobody wakes before it is time. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Client, Step, Workflow } from "perdure"
import { did } from "../../crash/workflows/World.ts"
import { exactly, upTo } from "../checks.ts"
import { overlap, recovery, worst } from "../figures.ts"
import { sure } from "../sure.ts"
import { ofEach, type Theme } from "./Theme.ts"

const workMs = 1500
const sleepMs = 1000

const begin = "begin slow work"
const end = "end slow work"
const awake = "awake"

const Slow = Workflow.make("Slow", { success: Schema.Int, maxRecoveryAttempts: 1000 })

const SlowLive = Slow.toLayer(() =>
  Effect.gen(function*() {
    // Told also where it is interrupted.
    yield* Step.run("work", Effect.ensuring(Effect.andThen(did(begin), Effect.sleep(workMs)), did(end)))
    yield* Effect.sleep(sleepMs)
    return yield* Step.run("wake", Effect.as(did(awake), 1))
  })
)

const slowOf = (index: number) => `slow-${index}`

/** When it was time to wake: the body's clock is at the end of the step before, by its record. */
const dueOf = (workflowId: string) =>
  Effect.map(Client.steps(workflowId), (steps) => {
    const completedAt = (name: string) => steps.find((step) => step.name === name)!.completedAt!.getTime()
    return { dueAt: completedAt("work") + sleepMs, wokenAt: completedAt("wake") }
  })

export const slow = (): Theme => ({
  name: "slow",
  live: SlowLive,
  act: (index) => sure(Slow.execute(undefined, { workflowId: slowOf(index) })),
  check: ({ acts }) =>
    ofEach(upTo(acts), (index) =>
      Effect.gen(function*() {
        const { dueAt, wokenAt } = yield* dueOf(slowOf(index))
        return [
          ...exactly(slowOf(index), [yield* Slow.handle(slowOf(index)).result], [1]),
          ...(wokenAt < dueAt ? [`${slowOf(index)} woke ${dueAt - wokenAt} ms before it was time`] : [])
        ]
      })),
  figures: (seen) =>
    Effect.gen(function*() {
      const { acts, sideEffects, stops } = seen
      const late = yield* Effect.forEach(upTo(acts), (index) =>
        Effect.map(dueOf(slowOf(index)), ({ dueAt }) =>
          sideEffects.find(({ step, workflowId }) =>
            step === awake && workflowId === slowOf(index)
          )!.at - dueAt))
      const begun = sideEffects.filter(({ step }) =>
        step === begin
      )
      return {
        ...recovery(begun, seen),
        "overlap of a step with its next run": overlap(sideEffects, stops, [begin, end]),
        "lateness of a sleep": worst(late)
      }
    })
})
