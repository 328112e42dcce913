/**
 * Queues at run time, as `Client.queues`: what is in them, and the limits and pauses that an operator sets. What code
 * declares is a `WorkflowQueue`; an operator's limits win over it until they are reset.
 */
import * as Effect from "effect/Effect"
import { Engine } from "../Engine.ts"
import { tell } from "../internal/hearing.ts"
import { outsideBody } from "../internal/inBody.ts"
import { limitsOf } from "../internal/queueDefinition.ts"
import { attemptSync } from "../internal/starting.ts"
import type { QueueRow } from "../Store.ts"
import { fromStoreError, InvalidArgument, QueueRefused, WorkflowError } from "../WorkflowError.ts"
import type { Limits } from "../WorkflowQueue.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** A queue, and how much is in it: counts beyond 10,000 may be given as 10,000. */
export interface QueueInfo extends Omit<QueueRow, "oldestAt"> {
  /** When the longest waiting workflow was enqueued. */
  readonly oldest: Date | undefined
}

type Core = Engine["Service"]["core"]

const managed = <A>(
  operation: string,
  f: (core: Core) => Effect.Effect<A, WorkflowError>
): Effect.Effect<A, WorkflowError, Engine> =>
  Effect.flatMap(Engine, ({ core }) => outsideBody(`Client.queues.${operation}`, () => f(core)))

const infoOf = ({ oldestAt, ...row }: QueueRow): QueueInfo => ({
  ...row,
  oldest: oldestAt === null ? undefined : new Date(oldestAt)
})

const refused = (name: string, why: "unknown" | "occupied"): WorkflowError =>
  new WorkflowError({ reason: new QueueRefused({ name, why }) })

const rowOf = (core: Core, name: string): Effect.Effect<QueueRow, WorkflowError> =>
  Effect.flatMap(
    Effect.mapError(core.store.queues([name]), fromStoreError),
    ([row]) => row === undefined ? Effect.fail(refused(name, "unknown")) : Effect.succeed(row)
  )

const set = (
  core: Core,
  name: string,
  change: Parameters<Core["store"]["setQueue"]>[1]
): Effect.Effect<void, WorkflowError> =>
  Effect.flatMap(Effect.mapError(core.store.setQueue(name, change), fromStoreError), (known) => {
    if (!known) return Effect.fail(refused(name, "unknown"))
    return tell(core, [{ _tag: "Queue", queue: name }])
  })

// -----------------------------------------------------------------------------
// operations
// -----------------------------------------------------------------------------

/** All queues that the store knows, by name. */
export const list: Effect.Effect<ReadonlyArray<QueueInfo>, WorkflowError, Engine> = managed(
  "list",
  (core) => Effect.map(Effect.mapError(core.store.queues(null), fromStoreError), (rows) => rows.map(infoOf))
)

/** One queue. Fails with `QueueRefused`, `unknown`. */
export const get = (name: string): Effect.Effect<QueueInfo, WorkflowError, Engine> =>
  managed("get", (core) => Effect.map(rowOf(core, name), infoOf))

/** The workflow that is the first to wait in a queue: ask `Client.explain` why it does. Undefined: none waits. */
export const head = (name: string): Effect.Effect<string | undefined, WorkflowError, Engine> =>
  managed(
    "head",
    (core) => Effect.map(Effect.mapError(core.store.queueHead(name), fromStoreError), (id) => id ?? undefined)
  )

/**
 * Sets the limits, all of them: what is not given is not limited. They count at once, in every process, and stay whatever
 * code declares, until {@link resetLimits}. What runs already is not ended. Whether a queue is partitioned is for the code
 * that enqueues to say: a change of that fails with `InvalidArgument`, an unknown queue with `QueueRefused`.
 */
export const setLimits = (name: string, limits: Limits): Effect.Effect<void, WorkflowError, Engine> =>
  managed("setLimits", (core) =>
    Effect.gen(function*() {
      const checked = yield* attemptSync(() => limitsOf(limits))
      const row = yield* rowOf(core, name)
      if ((checked.partitioned === null) !== (row.limits.partitioned === null)) {
        return yield* Effect.fail(partitioning(name))
      }
      yield* set(core, name, { limits: checked })
    }))

const partitioning = (name: string): WorkflowError =>
  new WorkflowError({
    reason: new InvalidArgument({
      argument: "partitioned",
      detail: `it says otherwise than the code that declares the queue "${name}"`,
      remedy: "Change the code, or give partition limits exactly where the queue is partitioned."
    })
  })

/** Gives up an operator's limits for those that code declares. Fails with `QueueRefused`, `unknown`. */
export const resetLimits = (name: string): Effect.Effect<void, WorkflowError, Engine> =>
  managed("resetLimits", (core) => set(core, name, { limits: null }))

/** Starts nothing more of the queue; what has started goes on. Fails with `QueueRefused`, `unknown`. */
export const pause = (name: string): Effect.Effect<void, WorkflowError, Engine> =>
  managed("pause", (core) => set(core, name, { paused: true }))

/** Ends a pause. Fails with `QueueRefused`, `unknown`. */
export const resume = (name: string): Effect.Effect<void, WorkflowError, Engine> =>
  managed("resume", (core) => set(core, name, { paused: false }))

/** Forgets an empty queue, its limits and its pause. Fails with `QueueRefused`: `unknown`, or `occupied`. */
const delete_ = (name: string): Effect.Effect<void, WorkflowError, Engine> =>
  managed(
    "delete",
    (core) =>
      Effect.flatMap(Effect.mapError(core.store.deleteQueue(name), fromStoreError), (answer) => {
        if (answer !== "deleted") return Effect.fail(refused(name, answer))
        core.queues.forget(name)
        return Effect.void
      })
  )

export { delete_ as delete }
