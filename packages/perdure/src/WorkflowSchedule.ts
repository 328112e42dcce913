/**
 * Schedules: rules that start workflows, by the wall clock or at intervals.
 *
 * ```ts
 * const nightly = WorkflowSchedule.make("nightly report", {
 *   workflow: Report,
 *   payload: { kind: "daily" },
 *   cron: "30 2 * * *",
 *   timeZone: "Europe/Berlin"
 * })
 *
 * program.pipe(Effect.provide([ReportLive, nightly.layer]))
 * ```
 *
 * One workflow starts per tick, however many executors there are. Its id is `{schedule}/{time of the tick}`, as in
 * `nightly report/2026-03-01T01:30:00.000Z`, and its body learns the time from `WorkflowContext.current`. Only the
 * database's clock counts.
 *
 * **Cron.** Five fields (minute, hour, day of the month, month, day of the week) or six (a second first); lists, ranges,
 * steps and English names of months and days. Where both day fields are restricted either is enough. The time zone is UTC
 * unless another is given.
 *
 * **Changes of clocks.** Each local time that fits is due once: a time that is shown twice, the first time; a time that
 * is left out, at the moment when the clock is put forward, together with others that are due then. So a schedule that is
 * due several times an hour has no ticks while an hour is repeated: use UTC, or an interval, where that matters.
 *
 * **Outages.** A tick that passes while no executor lives follows the policy `missed`, and what is passed over is logged.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Engine } from "./Engine.ts"
import type { RuleOptions } from "./internal/rules.ts"
import * as Schedules from "./internal/schedules.ts"
import { asOptions, type CheckedSchedule, checkSchedule } from "./internal/scheduling.ts"
import type { Json } from "./Json.ts"
import type { Workflow } from "./Workflow.ts"
import type { WorkflowError } from "./WorkflowError.ts"
import type { WorkflowQueue } from "./WorkflowQueue.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** Due by the wall clock of a time zone. */
export interface CronRule {
  /** As in `"30 9 * * mon-fri"`. A date that never comes (31 February) is refused. */
  readonly cron: string
  /** An IANA name such as `"Europe/Berlin"`, `"UTC"`, or an offset such as `"+02:00"`. Default: `"UTC"`. */
  readonly timeZone?: string | undefined
  readonly interval?: undefined
  readonly anchor?: undefined
}

/** Due at regular intervals of elapsed time. */
export interface IntervalRule {
  /** At least a second. */
  readonly interval: Duration.Input
  /** The first tick; the others are at multiples of the interval after it. Default: 1970-01-01T00:00Z. */
  readonly anchor?: Date | undefined
  readonly cron?: undefined
  readonly timeZone?: undefined
}

/** When a schedule is due: one of the two kinds. */
export type Rule = CronRule | IntervalRule

/**
 * What becomes of ticks that passed while no executor lived.
 *
 * - `"skip"`: nothing is started for a tick that is more than a minute late.
 * - `"latest"`: one workflow, for the newest of them.
 * - `{ all: n }`: one for each, but for the newest `n` at most (1 to 1,000).
 */
export type Missed = "skip" | "latest" | { readonly all: number }

/**
 * What becomes of a tick while the schedule's latest workflow has not ended.
 *
 * - `"allow"`: another is started beside it.
 * - `"skip"`: none is started.
 * - `"cancel"`: the one that goes on is cancelled, and another is started; rollbacks of the first may still run.
 */
export type Overlap = "allow" | "skip" | "cancel"

/** How a schedule starts its workflows. */
export interface StartOptions {
  /** Default: `"latest"`. */
  readonly missed?: Missed | undefined
  /** Default: `"allow"`. Not heeded by what is triggered or backfilled. */
  readonly overlap?: Overlap | undefined
  /** The queue that they wait in; by its name, one that the store knows. Default: none. */
  readonly queue?: WorkflowQueue | string | undefined
  /** As for an enqueue; needs a queue. */
  readonly priority?: number | undefined
  /** As for an enqueue; given exactly where the queue is partitioned. */
  readonly partitionKey?: string | undefined
  /** As for an enqueue. A tick whose deduplication id is taken starts nothing. */
  readonly deduplicationId?: string | undefined
  /** Of each workflow, from its start to its end. Default: the definition's. */
  readonly timeout?: Duration.Input | undefined
  /** The version of the application that runs them; `""`: the latest at the time. Default: `""`. */
  readonly version?: string | undefined
  /** Of each workflow: for people, and to search by. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>> | undefined
  /** On whose behalf they run. Default: the principal of the scope in which the schedule is declared or created. */
  readonly user?: string | undefined
  readonly roles?: ReadonlyArray<string> | undefined
}

/** What a schedule starts: a definition with its payload, or a name with JSON, which the workflow's own code checks. */
export type Target<Payload> =
  | (
    & { readonly workflow: Workflow<string, Payload, any, any> }
    & ([Payload] extends [void] ? { readonly payload?: undefined } : { readonly payload: NoInfer<Payload> })
  )
  | { readonly workflow: string; readonly payload?: Json | undefined }

/** A schedule: what it starts, when, and how. */
export type Options<Payload> = Target<Payload> & Rule & StartOptions

/** A schedule, as code declares it. */
export interface WorkflowSchedule {
  readonly name: string

  /** @internal */
  readonly checked: CheckedSchedule

  /**
   * Declares the schedule when it is built.
   *
   * *Details*
   *
   * The store's copy becomes what code says, also where a client had updated it, except that a pause stays. It stays
   * when the layer closes, and when the code is gone: delete it then with `Client.schedules.delete`. Fails with
   * `WorkflowUnauthorized` where the principal may not start the workflow, and as an enqueue would.
   *
   * **Durability.** A declared schedule fires wherever an executor lives. Declaring it again in every process writes
   * nothing while it says the same.
   */
  readonly layer: Layer.Layer<never, WorkflowError, Engine>

  /** Its next ticks after a time, by its rule alone. `count`: 1 to 1,000. Default: 1. */
  readonly next: (after: Date, count?: number) => ReadonlyArray<Date>
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * Describes a schedule. `name`: 1 to 256 bytes, without a slash.
 *
 * Throws a `WorkflowError` (`InvalidArgument`) for what makes no sense: a cron that has another number of fields, or a
 * field that is not understood (with its position), an unknown time zone, an interval below a second.
 */
export const make = <Payload = void>(name: string, options: Options<Payload>): WorkflowSchedule => {
  const checked = checkSchedule(name, asOptions(options))
  return {
    name: checked.name,
    checked,
    layer: Layer.effectDiscard(Effect.flatMap(Engine, ({ core }) => Schedules.declare(core, checked))),
    next: (after, count = 1) => Schedules.nextTicks(checked.ticks, after, count)
  }
}

/**
 * The next ticks of a rule after a time: what a form shows before a schedule is saved. `count`: 1 to 1,000. Default: 1.
 *
 * Throws a `WorkflowError` (`InvalidArgument`) for what {@link make} refuses.
 */
export const next = (rule: Rule, after: Date, count = 1): ReadonlyArray<Date> =>
  Schedules.nextTicks(Schedules.ticksOfRule(rule as RuleOptions), after, count)
