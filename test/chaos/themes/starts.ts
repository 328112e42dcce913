/** Starts by the executors themselves: what one has acknowledged is there, whatever became of it a moment later. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Client, Step, Workflow } from "perdure"
import * as SideEffects from "../../crash/harness/sideEffects.ts"
import { World } from "../../crash/workflows/World.ts"
import { sure } from "../sure.ts"
import { ofEach, type Theme } from "./Theme.ts"

const Started = Workflow.make("Started", { success: Schema.Int, maxRecoveryAttempts: 1000 })

const acknowledged = "acknowledged"

export const starts = (): Theme => ({
  name: "starts",
  live: Started.toLayer(() => Step.run("work", Effect.as(Effect.sleep("30 millis"), 1))),
  within: Effect.gen(function*() {
    const { log } = yield* World
    for (let number = 0;; number++) {
      const workflowId = `started-${process.pid}-${number}`
      yield* sure(Started.start(undefined, { workflowId }))
      SideEffects.append(log, workflowId, acknowledged, false)
      yield* Effect.sleep("150 millis")
    }
  }),
  act: () => Effect.void,
  check: ({ sideEffects }) =>
    ofEach(
      sideEffects.filter(({ step }) => step === acknowledged),
      ({ workflowId }) =>
        Effect.match(Client.get(workflowId), {
          onFailure: () => [`${workflowId} was acknowledged and is not there`],
          onSuccess: ({ status }) => status === "SUCCESS" ? [] : [`${workflowId} is ${status}`]
        })
    )
})
