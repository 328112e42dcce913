/** Bodies that do not want to end, and one that is ended in the middle of everything. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { Step, Workflow } from "perdure"
import { did, hold } from "./World.ts"

/** Its running step tells when it is interrupted. */
const held = Step.run("hold", Effect.onInterrupt(hold("hold"), () => did("interrupted")))

const again = Step.run("again", did("again"))

/** Catches everything, for ever. */
export const Catching = Workflow.make("Catching")
const CatchingLive = Catching.toLayer(() =>
  held.pipe(Effect.andThen(again), Effect.catchCause(() => again), Effect.ignoreCause, Effect.forever)
)

/** Cannot be interrupted while it waits for its step. */
export const Uninterruptible = Workflow.make("Uninterruptible")
const UninterruptibleLive = Uninterruptible.toLayer(() =>
  Effect.uninterruptible(
    held.pipe(Effect.exit, Effect.andThen(again), Effect.exit, Effect.andThen(again), Effect.orDie)
  )
)

/** Cannot be interrupted while it sleeps. */
export const Sleeping = Workflow.make("Sleeping")
const SleepingLive = Sleeping.toLayer(() =>
  Workflow.all([
    Effect.uninterruptible(Effect.sleep("1 day").pipe(Effect.exit, Effect.andThen(again), Effect.orDie)),
    Effect.orDie(held)
  ], { concurrency: "unbounded" }).pipe(Effect.asVoid)
)

/** Tries again for ever. */
export const Retrying = Workflow.make("Retrying")
const RetryingLive = Retrying.toLayer(() =>
  held.pipe(
    Effect.catchCause(() => again),
    Effect.andThen(Effect.fail("again" as const)),
    Effect.retry(Schedule.forever),
    Effect.orDie
  )
)

/** Has two children and something to undo. */
export const Parent = Workflow.make("Parent")
export const Kin = Workflow.make("Kin")
const ParentLive = Parent.toLayer(() =>
  Effect.gen(function*() {
    yield* Step.run("reserve", did("reserve"), { rollback: () => did("rollback reserve") })
    yield* Step.run("charge", did("charge"), { rollback: () => did("rollback charge") })
    yield* Kin.start(undefined, { key: "detached", detached: true, workflowId: "detached" })
    yield* Kin.execute(undefined, { key: "attached", workflowId: "attached" })
  })
)
const KinLive = Kin.toLayer(() =>
  Effect.andThen(Step.run("kin", did("kin"), { rollback: () => did("rollback kin") }), held)
)

export const stubborn = { Catching, Uninterruptible, Sleeping, Retrying }

export const live = Layer.mergeAll(CatchingLive, UninterruptibleLive, SleepingLive, RetryingLive, ParentLive, KinLive)
