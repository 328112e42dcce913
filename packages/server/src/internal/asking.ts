/** What the handlers of all groups do with the engine's answers. */
import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import type { Engine } from "perdure/Engine"
import type { WorkflowError } from "perdure/WorkflowError"
import type { Problem } from "../api/problems.ts"
import { problemOf } from "./problem.ts"
import type { Pattern } from "./redaction.ts"
import { CurrentSettings } from "./settings.ts"

/** What the store says is for the log; the caller gets the problem. */
export const ask = <A, R>(effect: Effect.Effect<A, WorkflowError, R>): Effect.Effect<A, Problem, R> =>
  effect.pipe(
    Effect.tapError((error) =>
      error.reason._tag === "StoreFailed"
        ? Effect.logWarning("The admin API could not ask the store", error)
        : Effect.void
    ),
    Effect.mapError(problemOf)
  )

/** The workflow, and what of it must not leave. */
export const known = (
  id: string
): Effect.Effect<
  { readonly info: Client.WorkflowInfo; readonly patterns: ReadonlyArray<Pattern> },
  Problem,
  Engine | CurrentSettings
> =>
  Effect.gen(function*() {
    const { patternsOf } = yield* CurrentSettings
    const info = yield* ask(Client.get(id))
    return { info, patterns: patternsOf(info.name) }
  })
