/** A body run live, and run again over its records by another engine. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Client from "perdure/Client"
import * as Workflow from "perdure/Workflow"
import type { InWorkflow } from "perdure/WorkflowContext"
import type { Given, Needs } from "./harness.ts"
import { eventually, stepsOf, suspends } from "./observing.ts"

export interface Twice<A, E> {
  readonly live: Exit.Exit<A, E>
  readonly replayed: Exit.Exit<A, E>
  /** `0 step price`, ... */
  readonly steps: ReadonlyArray<string>
}

const Subject = Workflow.make("Subject")
const day = 86_400_000

/** `body` must leave nothing behind that runs; what follows it is a day of sleep, in which the engine is changed. */
export const twice = <A, E, R extends Needs | InWorkflow>(
  given: Given,
  body: Effect.Effect<A, E, R>
): Effect.Effect<Twice<A, E>, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const seen: Array<Exit.Exit<A, E>> = []
    const live = Subject.toLayer(() =>
      Effect.exit(body).pipe(
        Effect.tap((exit) => Effect.sync(() => seen.push(exit))),
        Effect.andThen(Effect.sleep(day))
      )
    )
    const shown = (times: number) =>
      eventually(
        `the body to come to its sleep, run ${times}`,
        Effect.map(Client.get("subject"), ({ reason, status }) => ({ seen, status, reason })),
        () => seen.length >= times
      )
    const first = yield* given.engine(live, { suspendAfter: "1 day" })
    yield* first.use(Subject.start(undefined, { workflowId: "subject" }))
    yield* first.use(shown(1))
    yield* first.close
    const second = yield* given.engine(live)
    yield* second.use(shown(2))
    yield* second.use(suspends("subject"))
    yield* given.store.adjustClock(day)
    yield* second.use(Subject.handle("subject").result)
    return { live: seen[0]!, replayed: seen[1]!, steps: yield* second.use(stepsOf("subject")) }
  })

/** Like {@link twice}, for a body that succeeds both times. */
export const twiceWell = <A, E, R extends Needs | InWorkflow>(given: Given, body: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    twice(given, body),
    ({ live, replayed, steps }) => Effect.orDie(Effect.all({ live, replayed, steps: Effect.succeed(steps) }))
  )
