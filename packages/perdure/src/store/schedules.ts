/** Schedules as a store keeps them. When a tick is due is decided by the engine; that it happens once, by the store. */
import type * as Effect from "effect/Effect"
import type { Start, StoreError } from "../Store.ts"

/** What a schedule starts, and by which rule. Text fields are opaque to the store. */
export interface ScheduleDefinition {
  readonly name: string
  readonly workflowName: string
  /** JSON text: cron and time zone, or interval. */
  readonly rule: string
  /** JSON text: payload, queue, version, user and roles of what it starts, and its policies. */
  readonly start: string
}

export interface ScheduleRow extends ScheduleDefinition {
  /** `code`: declared by code, which changes it at every deploy; `runtime`: made by a client. */
  readonly origin: "code" | "runtime"
  readonly paused: boolean
  /** Null: never again. While paused it stands still. */
  readonly nextFireAt: number | null
  /** The latest tick: `expected` of the last fire, or the latest tick of what it started. */
  readonly lastFireAt: number | null
  /** What the last start of the latest fire that had any came to: its own workflow, or the one that stood in its way. */
  readonly lastWorkflowId: string | null
  readonly createdAt: number
  readonly updatedAt: number
}

export interface DueSchedule extends ScheduleRow {
  readonly nextFireAt: number
  /** Its latest workflow is not done. */
  readonly running: boolean
}

export type ScheduleWrite =
  /** Made, or changed to be like this. */
  | "written"
  /** It is like this already. */
  | "same"
  /** `create`: the name is taken. */
  | "exists"
  /** `update`: there is no such schedule. */
  | "unknown"

export interface ScheduleStore {
  /**
   * - `declare`: what code says. Made when missing; else changed, unless it is like this already. A pause stays.
   * - `create`: refused when the name is taken.
   * - `update`: refused when there is none.
   *
   * `nextFireAt` is taken only where the rule changes or the schedule is new: somebody may have fired since it was read.
   */
  readonly writeSchedule: (
    mode: "declare" | "create" | "update",
    definition: ScheduleDefinition,
    nextFireAt: number | null
  ) => Effect.Effect<ScheduleWrite, StoreError>

  /**
   * All of them or none, of distinct names: each made (as of `runtime`) when missing, else changed, unless it is like this
   * already. `nextFireAt` is taken only where the rule changes or the schedule is new; a pause stays, and the origin.
   * One answer each, in order: `written` or `same`.
   */
  readonly applySchedules: (
    schedules: ReadonlyArray<{ readonly definition: ScheduleDefinition; readonly nextFireAt: number | null }>
  ) => Effect.Effect<ReadonlyArray<ScheduleWrite>, StoreError>

  /** Those that match, by name. `after`: only names after this one. `limit`: at most so many; default: all. */
  readonly schedules: (filter: {
    readonly names?: ReadonlyArray<string>
    readonly workflowName?: string
    readonly namePrefix?: string
    readonly paused?: boolean
    readonly after?: string
    readonly limit?: number
  }) => Effect.Effect<ReadonlyArray<ScheduleRow>, StoreError>

  /** Pauses, or goes on with the next fire given. False: there is no such schedule. */
  readonly pauseSchedule: (
    name: string,
    change: { readonly paused: true } | { readonly paused: false; readonly nextFireAt: number | null }
  ) => Effect.Effect<boolean, StoreError>

  /** False: there is no such schedule. What it has started goes on. */
  readonly deleteSchedule: (name: string) => Effect.Effect<boolean, StoreError>

  /**
   * Those that are due now and not paused, oldest first, those of one time by name; the database's clock, and when the next
   * of all is due. `after`: only what comes after this one in that order, which need not be there any more.
   */
  readonly dueSchedules: (limit: number, after: Pick<DueSchedule, "name" | "nextFireAt"> | null) => Effect.Effect<
    {
      readonly now: number
      readonly due: ReadonlyArray<DueSchedule>
      readonly nextDueAt: number | null
    },
    StoreError
  >

  /**
   * One fire: moves `nextFireAt` from `expected` to `next` and starts the workflows, in one commit, or does neither:
   * false, when somebody else has fired or changed it. Starts whose id or deduplication id is taken start nothing.
   */
  readonly fire: (fire: {
    readonly name: string
    readonly expected: number
    readonly next: number | null
    readonly starts: ReadonlyArray<Start>
  }) => Effect.Effect<boolean, StoreError>
}
