/** What the test workflows do to the outside world: side effects that are counted, and places where they hold. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { WorkflowContext } from "perdure"
import * as SideEffects from "../harness/sideEffects.ts"
import { say } from "../harness/voice.ts"

export class World extends Context.Service<World, {
  /** The file of side effects. */
  readonly log: string
  /** Whether each is on the disk before the step goes on. */
  readonly sync: boolean
  /** Called when a workflow has come to a step that does not end by itself. */
  readonly holding: (workflowId: string, step: string) => Effect.Effect<void>
}>()("test/World") {}

/** A world that tells the test when something holds. */
export const layer = (
  log: string,
  holding: (workflowId: string, step: string) => Effect.Effect<void> = (workflowId, step) =>
    say("holding", { workflowId, step }),
  sync = true
): Layer.Layer<World> => Layer.succeed(World, { log, sync, holding })

/** A side effect of the current step: in the file when this succeeds. */
export const did = Effect.fnUntraced(function*(what: string) {
  const { log, sync } = yield* World
  const { workflowId } = yield* WorkflowContext.current
  SideEffects.append(log, workflowId ?? "", what, sync)
})

/** A side effect, and then no end. */
export const hold = Effect.fnUntraced(function*(what: string) {
  yield* did(what)
  const { holding } = yield* World
  const { workflowId } = yield* WorkflowContext.current
  yield* holding(workflowId ?? "", what)
  return yield* Effect.never
})
