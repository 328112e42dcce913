/** A schedule as it is stored: from what a caller says, and back into the workflows that it starts. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Auth from "../Auth.ts"
import * as EnqueueOptions from "../EnqueueOptions.ts"
import type { Json } from "../Json.ts"
import type { AttributeValue, Enqueued, QueueLimits, ScheduleDefinition, ScheduleRow, Start } from "../Store.ts"
import type { WorkflowError } from "../WorkflowError.ts"
import * as WorkflowTimeout from "../WorkflowTimeout.ts"
import type { Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import { placeOf } from "./enqueuing.ts"
import { invalid } from "./invalid.ts"
import { checkKey } from "./names.ts"
import { definitionFor, queueNamed, refusePlace } from "./naming.ts"
import type { QueueDefinition } from "./queueDefinition.ts"
import { checkMissed, checkOverlap, checkRule, type RuleOptions } from "./rules.ts"
import { attemptSync, startOf } from "./starting.ts"
import { type Missed, type Overlap, type Rule, type Ticks, ticksOf } from "./ticks.ts"

/** What a caller says of a schedule. */
export interface ScheduleOptions extends RuleOptions {
  readonly workflow: string | { readonly definition: Definition }
  readonly payload?: unknown
  readonly missed?: Missed | undefined
  readonly overlap?: Overlap | undefined
  readonly queue?: string | { readonly definition: QueueDefinition } | undefined
  readonly priority?: number | undefined
  readonly partitionKey?: string | undefined
  readonly deduplicationId?: string | undefined
  readonly timeout?: Duration.Input | undefined
  readonly version?: string | undefined
  readonly attributes?: Readonly<Record<string, AttributeValue>> | undefined
  readonly user?: string | undefined
  readonly roles?: ReadonlyArray<string> | undefined
}

/** Without the types that tie a payload to its workflow. */
// `as`: the public type has the same fields, as a union of what goes together.
export const asOptions = (options: object): ScheduleOptions => options as ScheduleOptions

/** What is stored of the workflows that a schedule starts, and of when it does not. */
export interface StoredStart {
  readonly missed: Missed
  readonly overlap: Overlap
  /** JSON text. */
  readonly payload: string
  readonly codec: string
  readonly version: string
  readonly queue: Enqueued | null
  /** Of a queue that code declares: so it can be registered where it is not. */
  readonly limits: QueueLimits | null
  readonly attributes: Readonly<Record<string, AttributeValue>>
  readonly user: string | null
  readonly roles: ReadonlyArray<string>
  readonly assumedRole: string | null
  readonly timeoutMs: number | null
  readonly maxRecoveryAttempts: number
}

/** What is checked of a schedule without a store. */
export interface CheckedSchedule {
  readonly name: string
  readonly rule: Rule
  readonly ticks: Ticks
  readonly missed: Missed
  readonly overlap: Overlap
  readonly options: ScheduleOptions
}

/** Workflow ids are made of it and the time of a tick, so it has no slash. Throws a `WorkflowError`. */
export const checkScheduleName = (value: unknown): string => {
  const name = checkKey(value, "schedule name")
  if (!name.includes("/")) return name
  throw invalid("schedule name", `it has a slash at ${name.indexOf("/")}`, "Leave it out.")
}

/** Throws a `WorkflowError` for what makes no sense. */
export const checkSchedule = (name: string, options: ScheduleOptions): CheckedSchedule => {
  const rule = checkRule(options)
  return {
    name: checkScheduleName(name),
    rule,
    ticks: ticksOf(rule),
    missed: checkMissed(options.missed ?? "latest"),
    overlap: checkOverlap(options.overlap ?? "allow"),
    options
  }
}

/** The schedule as a row, with its workflows checked as if they were started now. */
export const definitionOf = (core: Core, schedule: CheckedSchedule): Effect.Effect<ScheduleDefinition, WorkflowError> =>
  Effect.gen(function*() {
    const { options } = schedule
    const queue = yield* queueOf(core, options.queue)
    const context = surroundings(yield* Effect.context<never>(), options)
    const { definition, start } = yield* attemptSync(() => {
      const definition = typeof options.workflow === "string"
        // `as`: to a name belongs a payload that is encoded already.
        ? definitionFor(core, options.workflow, options.payload as Json | undefined)
        : options.workflow.definition
      if (queue === undefined) refusePlace(options)
      const call = { ...options, version: options.version ?? "", workflowId: `${schedule.name}/start` }
      const place = queue === undefined ? undefined : placeOf(queue, context, call)
      return { definition, start: startOf(core, context, definition, options.payload, call, undefined, place) }
    })
    const stored: StoredStart = {
      missed: schedule.missed,
      overlap: schedule.overlap,
      payload: start.payload,
      codec: start.codec,
      version: start.version,
      queue: start.queue,
      limits: queue === undefined || typeof options.queue === "string" ? null : queue.limits,
      attributes: start.attributes,
      user: start.user,
      roles: start.roles,
      assumedRole: start.assumedRole,
      timeoutMs: start.timeoutMs,
      maxRecoveryAttempts: start.maxRecoveryAttempts
    }
    return {
      name: schedule.name,
      workflowName: definition.name,
      rule: JSON.stringify(schedule.rule),
      start: JSON.stringify(stored)
    }
  })

/** On whose behalf the scope says, or the options; nothing else of the scope is the schedule's. */
const surroundings = (context: Context.Context<never>, options: ScheduleOptions): Context.Context<never> => {
  const own = context.pipe(
    Context.add(EnqueueOptions.Current, {}),
    Context.add(WorkflowTimeout.Current, undefined)
  ) as Context.Context<never>
  if (options.user === undefined && options.roles === undefined) return own
  const principal = { user: options.user, roles: options.roles ?? [], assumedRole: undefined }
  return Context.add(own, Auth.Current, principal) as Context.Context<never>
}

const queueOf = (
  core: Core,
  queue: ScheduleOptions["queue"]
): Effect.Effect<QueueDefinition | undefined, WorkflowError> => {
  if (queue === undefined) return Effect.succeed(undefined)
  if (typeof queue !== "string") return Effect.as(core.queues.registered(queue.definition), queue.definition)
  return queueNamed(core, queue)
}

// -----------------------------------------------------------------------------
// from a row
// -----------------------------------------------------------------------------

/** The parts of a row. Throws for one that this code or this machine cannot read. */
export const readRow = (
  row: ScheduleRow
): { readonly rule: Rule; readonly ticks: Ticks; readonly stored: StoredStart } => {
  const rule = JSON.parse(row.rule) as Rule
  return { rule, ticks: ticksOf(rule), stored: JSON.parse(row.start) as StoredStart }
}

/** The id of the workflow of a tick: the same on every executor, and for a tick that is started again. */
export const tickId = (name: string, tick: number): string => `${name}/${new Date(tick).toISOString()}`

/** The start of a workflow of the schedule. */
export const startOfSchedule = (
  core: Core,
  row: ScheduleRow,
  stored: StoredStart,
  workflowId: string,
  at: number
): Start => ({
  _tag: "Start",
  workflowId,
  token: crypto.randomUUID(),
  epoch: core.clock.firstEpoch(),
  name: row.workflowName,
  version: stored.version,
  payload: stored.payload,
  codec: stored.codec,
  owner: null,
  queue: stored.queue,
  delayMs: null,
  attributes: stored.attributes,
  schedule: { name: row.name, at },
  trace: null,
  startedAt: null,
  user: stored.user,
  roles: stored.roles,
  assumedRole: stored.assumedRole,
  parentId: null,
  parentStepId: null,
  detached: false,
  timeoutMs: stored.timeoutMs,
  deadlineAt: null,
  maxRecoveryAttempts: stored.maxRecoveryAttempts
})
