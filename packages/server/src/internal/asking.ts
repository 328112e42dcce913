/** What the handlers of all groups do with the engine's answers. */
import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import type { Engine } from "perdure/Engine"
import type { WorkflowError } from "perdure/WorkflowError"
import type { Explanation } from "../AdminApi.ts"
import type { Problem } from "../api/problems.ts"
import { markedIn } from "./marked.ts"
import { problemOf } from "./problem.ts"
import type { Pattern } from "./redaction.ts"
import { CurrentSettings } from "./settings.ts"
import * as Show from "./show.ts"

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

/**
 * What of a workflow of a name must not leave: what the server's options say, and what its own schemas say where this
 * process has its code.
 */
export const redacting: Effect.Effect<
  (name: string) => ReadonlyArray<Pattern>,
  Problem,
  Engine | CurrentSettings
> = Effect.gen(function*() {
  const { patternsOf } = yield* CurrentSettings
  const schemas = yield* ask(Client.schemas)
  return (name) => {
    const own = schemas.get(name)
    return own === undefined ? patternsOf(name) : [...patternsOf(name), ...markedIn(own)]
  }
})

/** A workflow, and what of it must not leave. */
export interface Known {
  readonly info: Client.WorkflowInfo
  readonly patterns: ReadonlyArray<Pattern>
}

/** The workflow of this id. */
export const known = (id: string): Effect.Effect<Known, Problem, Engine | CurrentSettings> =>
  Effect.gen(function*() {
    const patternsOf = yield* redacting
    const info = yield* ask(Client.get(id))
    return { info, patterns: patternsOf(info.name) }
  })

/** What a workflow waits for, without what must not leave. */
export const explained = (id: string): Effect.Effect<Explanation, Problem, Engine | CurrentSettings> =>
  Effect.gen(function*() {
    const { patterns } = yield* known(id)
    return Show.explanationOf(patterns, yield* ask(Client.explain(id)))
  })
