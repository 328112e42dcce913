/** The end of a life of a workflow, in its body, for the next one to begin. */
import * as Effect from "effect/Effect"
import * as WorkflowContext from "../WorkflowContext.ts"
import type { WorkflowError } from "../WorkflowError.ts"
import type { Definition } from "./definition.ts"
import { invalid } from "./invalid.ts"
import { outside, placed } from "./placing.ts"
import { attemptSync } from "./starting.ts"

export const continueAsNew = (definition: Definition, payload: unknown): Effect.Effect<never, WorkflowError> =>
  placed(what, (place, fiber) => {
    if (place._tag !== "Body") {
      return outside(
        what,
        place._tag === "Step" ? "a step is a part of the life that would end" : "there is no workflow here",
        "Continue in the body of the workflow."
      )
    }
    const name = fiber.getRef(WorkflowContext.Current)?.workflowName
    if (name !== definition.name) return Effect.fail(other(name, definition.name))
    return Effect.flatMap(
      attemptSync(() => definition.payload.encode(payload, `payload of workflow "${definition.name}"`)),
      (encoded) => place.run.continueAsNew(encoded)
    )
  })

const what = "continuing as new"

const other = (name: string | undefined, wanted: string): WorkflowError =>
  invalid(
    "workflow",
    `this is the body of "${name}", not of "${wanted}"`,
    "Continue with the definition whose body this is."
  )
