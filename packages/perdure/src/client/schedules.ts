/**
 * Schedules at run time, as `Client.schedules`: made, changed, paused and fired by hand, from any process that has the
 * store. What code declares is a `WorkflowSchedule` layer; both kinds are managed here.
 */
import * as Effect from "effect/Effect"
import { Engine } from "../Engine.ts"
import { outsideBody } from "../internal/inBody.ts"
import { checkKey } from "../internal/names.ts"
import { checkLimit } from "../internal/paging.ts"
import * as Schedules from "../internal/schedules.ts"
import type { Backfilled, ScheduleInfo } from "../internal/schedules.ts"
import { asOptions } from "../internal/scheduling.ts"
import { attemptSync } from "../internal/starting.ts"
import type { Json } from "../Json.ts"
import type { WorkflowError } from "../WorkflowError.ts"
import type { IntervalRule, Options, StartOptions, WorkflowSchedule } from "../WorkflowSchedule.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

export type { Backfilled, ScheduleInfo } from "../internal/schedules.ts"

/** Which schedules. What is not given does not restrict. */
export interface ListOptions {
  readonly names?: ReadonlyArray<string> | undefined
  readonly namePrefix?: string | undefined
  /** The name of the workflow that they start. */
  readonly workflow?: string | undefined
  readonly paused?: boolean | undefined
  /** Only those with a name after this one. Default: from the first. */
  readonly after?: string | undefined
  /** At most so many, from 1. Default: all. */
  readonly limit?: number | undefined
}

/** What is to change. A cron or an interval replaces the whole rule, a queue all that was said of the place in one. */
export interface Changes extends Omit<StartOptions, "queue"> {
  /** Null: it has no queue any more. */
  readonly queue?: StartOptions["queue"] | null | undefined
  readonly cron?: string | undefined
  readonly timeZone?: string | undefined
  readonly interval?: IntervalRule["interval"] | undefined
  readonly anchor?: Date | undefined
  /** The encoded payload. */
  readonly payload?: Json | undefined
}

const managed = <A>(
  operation: string,
  f: (core: Engine["Service"]["core"]) => Effect.Effect<A, WorkflowError>
): Effect.Effect<A, WorkflowError, Engine> =>
  Effect.flatMap(Engine, ({ core }) => outsideBody(`Client.schedules.${operation}`, () => f(core)))

// -----------------------------------------------------------------------------
// operations
// -----------------------------------------------------------------------------

/**
 * Makes a schedule. Fails with `ScheduleExists` where the name is taken, with `InvalidArgument` for what
 * `WorkflowSchedule.make` refuses, with `WorkflowUnauthorized` where the principal may not start the workflow. Of a workflow
 * that is given by its name, roles and payload are checked here where this engine has its code; else the payload by the code
 * that runs it, and roles by nobody.
 */
export const create = <Payload = void>(
  name: string,
  options: Options<Payload>
): Effect.Effect<ScheduleInfo, WorkflowError, Engine> =>
  managed("create", (core) => Schedules.create(core, name, asOptions(options)))

/**
 * Makes or changes several schedules at once, all of them or none: afterwards each is as its definition says. Others stay
 * as they are; of those that were there, a pause stays, the origin, and the next tick where the rule is the same. Fails as
 * {@link create} does, and with `InvalidArgument` where two have one name.
 *
 * ```ts
 * yield* Client.schedules.apply([
 *   WorkflowSchedule.make("nightly", { workflow: Report, payload: { kind: "daily" }, cron: "30 2 * * *" }),
 *   WorkflowSchedule.make("hourly", { workflow: Sync, interval: "1 hour" })
 * ])
 * ```
 */
export const apply = (
  schedules: ReadonlyArray<WorkflowSchedule>
): Effect.Effect<ReadonlyArray<ScheduleInfo>, WorkflowError, Engine> =>
  managed("apply", (core) => Schedules.apply(core, schedules.map(({ checked }) => checked)))

/**
 * Changes a schedule; what is not given stays. A pause stays. Fails with `ScheduleNotFound`.
 *
 * *Gotchas*
 *
 * What code declares is told again by every process that starts: change the code too.
 */
export const update = (name: string, changes: Changes): Effect.Effect<ScheduleInfo, WorkflowError, Engine> =>
  managed("update", (core) => Schedules.update(core, name, changes))

/** One schedule. Fails with `ScheduleNotFound`. */
export const get = (name: string): Effect.Effect<ScheduleInfo, WorkflowError, Engine> =>
  managed("get", (core) => Schedules.get(core, name))

/** Schedules by name. Fails with `InvalidArgument` for a page that makes no sense. */
export const list = (options: ListOptions = {}): Effect.Effect<ReadonlyArray<ScheduleInfo>, WorkflowError, Engine> =>
  managed("list", (core) =>
    Effect.flatMap(
      attemptSync(() => ({
        ...(options.names === undefined ? {} : { names: options.names }),
        ...(options.namePrefix === undefined ? {} : { namePrefix: options.namePrefix }),
        ...(options.workflow === undefined ? {} : { workflowName: options.workflow }),
        ...(options.paused === undefined ? {} : { paused: options.paused }),
        ...(options.after === undefined ? {} : { after: checkKey(options.after, "after") }),
        ...(options.limit === undefined ? {} : { limit: checkLimit(options.limit) })
      })),
      (filter) => Schedules.list(core, filter)
    ))

/** Its next ticks from now on, by its rule alone. `count`: 1 to 1,000. Default: 1. Fails with `ScheduleNotFound`. */
export const next = (name: string, count = 1): Effect.Effect<ReadonlyArray<Date>, WorkflowError, Engine> =>
  managed("next", (core) => Schedules.next(core, name, count))

/** Starts nothing until it is resumed; a deploy does not end that. Fails with `ScheduleNotFound`. */
export const pause = (name: string): Effect.Effect<void, WorkflowError, Engine> =>
  managed("pause", (core) => Schedules.pause(core, name))

/**
 * Goes on, with the next tick after now: what passed in the pause was not missed. One that is not paused stays as it is.
 * Fails with `ScheduleNotFound`.
 */
export const resume = (name: string): Effect.Effect<void, WorkflowError, Engine> =>
  managed("resume", (core) => Schedules.resume(core, name))

/** Deletes it. What it has started goes on. Fails with `ScheduleNotFound`. */
const delete_ = (name: string): Effect.Effect<void, WorkflowError, Engine> =>
  managed("delete", (core) => Schedules.remove(core, name))

export { delete_ as delete }

/**
 * Starts its workflow now, beside its ticks, paused or not; succeeds with the workflow's id, a new one each time. Fails
 * with `ScheduleNotFound`.
 */
export const trigger = (name: string): Effect.Effect<string, WorkflowError, Engine> =>
  managed("trigger", (core) => Schedules.trigger(core, name))

/**
 * Starts a workflow for every tick at or after `from` and before `to`, up to now. Ticks that have been started before
 * are not started again, so it may be repeated. Fails with `ScheduleNotFound`, and with `InvalidArgument` for a range that
 * ends before it begins, reaches into the future, or has more than 10,000 ticks; then nothing was started.
 */
export const backfill = (
  name: string,
  range: { readonly from: Date; readonly to: Date }
): Effect.Effect<Backfilled, WorkflowError, Engine> =>
  managed("backfill", (core) => Schedules.backfill(core, name, range))
