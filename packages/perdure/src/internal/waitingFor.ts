/** Waiting for one of several workflows, or for all of them: plainly, or as recorded operations of a body. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { EngineStopped, WorkflowError } from "../WorkflowError.ts"
import * as Awaiting from "./awaiting.ts"
import type { Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import * as Managing from "./managing.ts"
import { CurrentRun } from "./run.ts"
import * as Structure from "./structure.ts"

/** The id of the workflow, when it is done. */
const one = (core: Core, workflowId: string): Effect.Effect<string, WorkflowError> =>
  Effect.flatMap(Awaiting.plainly(core, workflowId, false), (awaited): Effect.Effect<string, WorkflowError> => {
    switch (awaited._tag) {
      case "Done":
        return Effect.succeed(workflowId)
      case "Unknown":
        return Effect.fail(Managing.notFound(workflowId))
      case "Stopped":
        return Effect.fail(new WorkflowError({ reason: new EngineStopped({ detail: "its scope was closed" }) }))
    }
  })

/** In a body: its recorded result, whatever it is, except that there is no such workflow. */
const recorded = (core: Core, workflowId: string, definition: Definition): Effect.Effect<string, WorkflowError> =>
  Effect.flatMap(Effect.exit(Awaiting.result(core, workflowId, definition)), (exit) => {
    const unknown = Exit.isFailure(exit) &&
      exit.cause.reasons.some((reason) =>
        reason._tag === "Fail" && (reason.error as WorkflowError).reason?._tag === "WorkflowNotFound"
      )
    return unknown ? Effect.fail(Managing.notFound(workflowId)) : Effect.succeed(workflowId)
  })

// The type that a race of them has: structures are typed by the public side.
const firstRecorded: (
  effects: ReadonlyArray<Effect.Effect<string, WorkflowError>>
) => Effect.Effect<string, WorkflowError> = (effects) => Structure.race(effects, { name: "waitFirst" }) as any

export const first = (
  core: Core,
  workflowIds: ReadonlyArray<string>,
  definition: Definition
): Effect.Effect<string, WorkflowError> =>
  Effect.withFiber((fiber): Effect.Effect<string, WorkflowError> =>
    fiber.getRef(CurrentRun) === undefined
      ? Effect.raceAllFirst(workflowIds.map((workflowId) => one(core, workflowId)))
      : firstRecorded(workflowIds.map((workflowId) => recorded(core, workflowId, definition)))
  )

export const all = (
  core: Core,
  workflowIds: ReadonlyArray<string>,
  definition: Definition
): Effect.Effect<void, WorkflowError> =>
  Effect.withFiber((fiber) =>
    fiber.getRef(CurrentRun) === undefined
      ? Effect.forEach(workflowIds, (workflowId) => one(core, workflowId), { concurrency: "unbounded", discard: true })
      : Effect.forEach(workflowIds, (workflowId) => recorded(core, workflowId, definition), { discard: true })
  )
