/** What is done with schedules: declared by code, or managed by a client. */
import * as Effect from "effect/Effect"
import type { Answer, ScheduleRow, Start } from "../Store.ts"
import { fromStoreError, ScheduleExists, ScheduleNotFound, StoreFailed, WorkflowError } from "../WorkflowError.ts"
import type { Core } from "./core.ts"
import { tell } from "./hearing.ts"
import { invalid } from "./invalid.ts"
import { untilItPasses } from "./journal.ts"
import { untyped } from "./naming.ts"
import { readable } from "./readable.ts"
import { checkRule, type RuleOptions } from "./rules.ts"
import {
  type CheckedSchedule,
  checkSchedule,
  definitionOf,
  readRow,
  type ScheduleOptions,
  startOfSchedule,
  type StoredStart,
  tickId
} from "./scheduling.ts"
import { announce, attemptSync, refused, submitStart, submitted, unexpected } from "./starting.ts"
import { between, type Missed, type Overlap, type Rule, type Ticks, ticksOf } from "./ticks.ts"
import { beside } from "./transactions.ts"

/** A schedule, as stored. Times are dates on the database's clock. */
export interface ScheduleInfo {
  readonly name: string
  /** The name of the workflow that it starts. */
  readonly workflow: string
  readonly cron: string | undefined
  readonly timeZone: string | undefined
  readonly intervalMs: number | undefined
  readonly anchor: Date | undefined
  readonly missed: Missed
  readonly overlap: Overlap
  /** The encoded payload. */
  readonly payload: unknown
  readonly queue: string | undefined
  readonly version: string
  readonly user: string | undefined
  readonly roles: ReadonlyArray<string>
  /** `code`: a layer declares it. `runtime`: a client made it. */
  readonly origin: "code" | "runtime"
  readonly paused: boolean
  /** Undefined: never again. While paused it stands still. */
  readonly nextFire: Date | undefined
  /** The latest tick that was fired or passed over. */
  readonly lastFire: Date | undefined
  /** The latest workflow that a tick started. */
  readonly lastWorkflowId: string | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}

const dateOf = (ms: number | null): Date | undefined => ms === null ? undefined : new Date(ms)

const notFound = (name: string) => new WorkflowError({ reason: new ScheduleNotFound({ name }) })

/** One that this code cannot read must not break a list. */
export const infoOf = (row: ScheduleRow): ScheduleInfo => {
  const rule = readable(row.rule) as Partial<{ cron: string; timeZone: string; intervalMs: number; anchorMs: number }>
  const start = readable(row.start) as Partial<StoredStart>
  return {
    name: row.name,
    workflow: row.workflowName,
    cron: rule.cron,
    timeZone: rule.timeZone,
    intervalMs: rule.intervalMs,
    anchor: dateOf(rule.anchorMs ?? null),
    missed: start.missed ?? "latest",
    overlap: start.overlap ?? "allow",
    payload: start.payload === undefined ? undefined : readable(start.payload),
    queue: start.queue?.queue,
    version: start.version ?? "",
    user: start.user ?? undefined,
    roles: start.roles ?? [],
    origin: row.origin,
    paused: row.paused,
    nextFire: dateOf(row.nextFireAt),
    lastFire: dateOf(row.lastFireAt),
    lastWorkflowId: row.lastWorkflowId ?? undefined,
    createdAt: new Date(row.createdAt),
    updatedAt: new Date(row.updatedAt)
  }
}

// -----------------------------------------------------------------------------
// ticks
// -----------------------------------------------------------------------------

export const ticksOfRule = (rule: RuleOptions): Ticks => ticksOf(checkRule(rule))

/** Throws a `WorkflowError`. */
export const nextTicks = (ticks: Ticks, after: Date, count: number): ReadonlyArray<Date> => {
  if (!Number.isInteger(count) || count < 1 || count > 1000) {
    throw invalid("count", `it is ${count}`, "Give a whole number from 1 to 1,000.")
  }
  return between(ticks, timeOf("after", after) + 1, Infinity, count).map((tick) => new Date(tick))
}

export const timeOf = (argument: string, date: Date): number => {
  const ms = date instanceof Date ? date.getTime() : Number.NaN
  if (Number.isFinite(ms)) return ms
  throw invalid(argument, "it is not a valid date", "Give a valid Date.")
}

// -----------------------------------------------------------------------------
// writing
// -----------------------------------------------------------------------------

const store = <A, E extends { readonly _tag: "StoreError" } & Parameters<typeof fromStoreError>[0]>(
  effect: Effect.Effect<A, E>
): Effect.Effect<A, WorkflowError> => Effect.mapError(effect, fromStoreError)

const changed = (core: Core, name: string): Effect.Effect<void> => tell(core, [{ _tag: "Schedule", name }])

const firstTick = (core: Core, ticks: Ticks): Effect.Effect<number | null, WorkflowError> =>
  Effect.map(store(core.store.now), (now) => ticks.next(now))

/** What code says. What passes in the store is waited for. */
export const declare = (core: Core, schedule: CheckedSchedule): Effect.Effect<void, WorkflowError> =>
  Effect.gen(function*() {
    const definition = yield* definitionOf(core, schedule)
    const next = yield* firstTick(core, schedule.ticks)
    const written = yield* store(core.store.writeSchedule("declare", definition, next))
    if (written === "written") yield* changed(core, schedule.name)
  }).pipe(
    Effect.retry({
      schedule: untilItPasses,
      while: ({ reason }) => reason instanceof StoreFailed && reason.isRetryable
    })
  )

export const create = (
  core: Core,
  name: string,
  options: ScheduleOptions
): Effect.Effect<ScheduleInfo, WorkflowError> =>
  Effect.gen(function*() {
    const schedule = yield* attemptSync(() => checkSchedule(name, options))
    const definition = yield* definitionOf(core, schedule)
    const next = yield* firstTick(core, schedule.ticks)
    const written = yield* store(core.store.writeSchedule("create", definition, next))
    if (written === "exists") {
      return yield* Effect.fail(new WorkflowError({ reason: new ScheduleExists({ name: schedule.name }) }))
    }
    yield* changed(core, name)
    return yield* get(core, name)
  })

/** Makes or changes all of them, or none. */
export const apply = (
  core: Core,
  schedules: ReadonlyArray<CheckedSchedule>
): Effect.Effect<ReadonlyArray<ScheduleInfo>, WorkflowError> =>
  Effect.gen(function*() {
    const names = schedules.map(({ name }) => name)
    const twice = names.find((name, index) => names.indexOf(name) < index)
    if (twice !== undefined) {
      return yield* Effect.fail(invalid("schedules", `two are named "${twice}"`, "Give each a name of its own."))
    }
    const now = yield* store(core.store.now)
    const all = yield* Effect.forEach(schedules, (schedule) =>
      Effect.map(definitionOf(core, schedule), (definition) => ({
        definition,
        nextFireAt: schedule.ticks.next(now)
      })))
    const written = yield* store(core.store.applySchedules(all))
    yield* Effect.forEach(
      names.filter((_, index) => written[index] === "written"),
      (name) => changed(core, name),
      { discard: true }
    )
    const rows = yield* list(core, { names })
    return names.flatMap((name) => rows.find((row) => row.name === name) ?? [])
  })

/** What is to change; `queue: null` takes it out of its queue. */
export interface Changes extends Omit<Partial<ScheduleOptions>, "queue"> {
  readonly queue?: ScheduleOptions["queue"] | null
}

/** Changes what is given, and keeps the rest. */
export const update = (
  core: Core,
  name: string,
  changes: Changes
): Effect.Effect<ScheduleInfo, WorkflowError> =>
  Effect.gen(function*() {
    const row = yield* find(core, name)
    const before = yield* readRowOf(row)
    const schedule = yield* attemptSync(() => checkSchedule(name, merged(row, before, changes)))
    const definition = yield* definitionOf(core, schedule)
    const next = yield* firstTick(core, schedule.ticks)
    // A queue or payload that was not given is kept as it was stored, whatever the present code says of it.
    const written = yield* store(core.store.writeSchedule("update", keeping(definition, before.stored, changes), next))
    if (written === "unknown") return yield* Effect.fail(notFound(name))
    yield* changed(core, name)
    return yield* get(core, name)
  })

const merged = (
  row: ScheduleRow,
  { rule, stored }: { readonly rule: Rule; readonly stored: StoredStart },
  { queue, ...changes }: Changes
): ScheduleOptions => {
  const given = changes.cron !== undefined || changes.interval !== undefined
  const ruleBefore: RuleOptions = "cron" in rule
    ? { cron: rule.cron, timeZone: rule.timeZone }
    : { interval: rule.intervalMs, anchor: new Date(rule.anchorMs) }
  return {
    // As it was stored, whatever the present code asks for.
    workflow: { definition: untyped(row.workflowName) },
    missed: stored.missed,
    overlap: stored.overlap,
    version: stored.version,
    attributes: stored.attributes,
    payload: readable(stored.payload),
    ...(stored.user === null && stored.roles.length === 0
      ? {}
      : { user: stored.user ?? undefined, roles: stored.roles }),
    ...(stored.timeoutMs === null ? {} : { timeout: stored.timeoutMs }),
    ...(stored.queue === null || queue !== undefined ? {} : {
      queue: stored.queue.queue,
      ...(stored.queue.priority === 0 ? {} : { priority: stored.queue.priority }),
      ...(stored.queue.partitionKey === null ? {} : { partitionKey: stored.queue.partitionKey }),
      ...(stored.queue.deduplicationId === null ? {} : { deduplicationId: stored.queue.deduplicationId })
    }),
    ...(given ? {} : ruleBefore),
    ...changes,
    ...(queue == null ? {} : { queue })
  }
}

const keeping = (
  definition: { readonly name: string; readonly workflowName: string; readonly rule: string; readonly start: string },
  before: StoredStart,
  changes: Changes
) => {
  const start = JSON.parse(definition.start) as StoredStart
  return {
    ...definition,
    start: JSON.stringify({
      ...start,
      ...("payload" in changes ? {} : { payload: before.payload, codec: before.codec }),
      ...(changes.queue === undefined ? { limits: before.limits } : {}),
      ...(changes.user === undefined && changes.roles === undefined
        ? { user: before.user, roles: before.roles, assumedRole: before.assumedRole }
        : {}),
      maxRecoveryAttempts: before.maxRecoveryAttempts
    })
  }
}

// -----------------------------------------------------------------------------
// looking
// -----------------------------------------------------------------------------

const find = (core: Core, name: string): Effect.Effect<ScheduleRow, WorkflowError> =>
  Effect.flatMap(
    store(core.store.schedules({ names: [name] })),
    ([row]) => row === undefined ? Effect.fail(notFound(name)) : Effect.succeed(row)
  )

const readRowOf = (row: ScheduleRow) =>
  attemptSync(() => {
    try {
      return readRow(row)
    } catch (error) {
      throw invalid("schedule", `"${row.name}" cannot be read here: ${String(error)}`, "Delete it, and make it anew.")
    }
  })

export const get = (core: Core, name: string): Effect.Effect<ScheduleInfo, WorkflowError> =>
  Effect.map(find(core, name), infoOf)

export const list = (
  core: Core,
  filter: Parameters<Core["store"]["schedules"]>[0]
): Effect.Effect<ReadonlyArray<ScheduleInfo>, WorkflowError> =>
  Effect.map(store(core.store.schedules(filter)), (rows) => rows.map(infoOf))

export const next = (core: Core, name: string, count: number): Effect.Effect<ReadonlyArray<Date>, WorkflowError> =>
  Effect.gen(function*() {
    const { ticks } = yield* readRowOf(yield* find(core, name))
    const now = yield* store(core.store.now)
    return yield* attemptSync(() => nextTicks(ticks, new Date(now), count))
  })

// -----------------------------------------------------------------------------
// steering
// -----------------------------------------------------------------------------

export const pause = (core: Core, name: string): Effect.Effect<void, WorkflowError> =>
  Effect.flatMap(
    store(core.store.pauseSchedule(name, { paused: true })),
    (known) => known ? changed(core, name) : Effect.fail(notFound(name))
  )

export const resume = (core: Core, name: string): Effect.Effect<void, WorkflowError> =>
  Effect.gen(function*() {
    const row = yield* find(core, name)
    if (!row.paused) return
    const { ticks } = yield* readRowOf(row)
    const nextFireAt = yield* firstTick(core, ticks)
    if (!(yield* store(core.store.pauseSchedule(name, { paused: false, nextFireAt })))) {
      return yield* Effect.fail(notFound(name))
    }
    yield* changed(core, name)
  })

export const remove = (core: Core, name: string): Effect.Effect<void, WorkflowError> =>
  Effect.flatMap(
    store(core.store.deleteSchedule(name)),
    (known) => known ? changed(core, name) : Effect.fail(notFound(name))
  )

export const trigger = (core: Core, name: string): Effect.Effect<string, WorkflowError> =>
  beside(
    core,
    `a trigger of the schedule "${name}"`,
    Effect.gen(function*() {
      const row = yield* find(core, name)
      const { stored } = yield* readRowOf(row)
      const now = yield* store(core.store.now)
      return yield* submitStart(core, startOfSchedule(core, row, stored, `${name}/trigger/${crypto.randomUUID()}`, now))
    })
  )

/** Most ticks of one backfill. */
export const backfillLimit = 10_000

export interface Backfilled {
  /** The ids of all ticks in the range, in order. */
  readonly workflowIds: ReadonlyArray<string>
  /** How many of them were started by this. */
  readonly started: number
}

export const backfill = (
  core: Core,
  name: string,
  range: { readonly from: Date; readonly to: Date }
): Effect.Effect<Backfilled, WorkflowError> =>
  beside(
    core,
    `a backfill of the schedule "${name}"`,
    Effect.gen(function*() {
      const from = yield* attemptSync(() => timeOf("from", range.from))
      const to = yield* attemptSync(() => timeOf("to", range.to))
      if (to < from) return yield* Effect.fail(invalid("range", "it ends before it begins", "Give from before to."))
      const row = yield* find(core, name)
      const { stored, ticks } = yield* readRowOf(row)
      const now = yield* store(core.store.now)
      if (to > now) {
        return yield* Effect.fail(
          invalid("to", "it is in the future", "Give a time up to now; later ticks come by themselves.")
        )
      }
      const due = yield* ticksIn(ticks, from, to)
      if (due.length > backfillLimit) {
        return yield* Effect.fail(
          invalid("range", `it has more than ${backfillLimit} ticks`, "Give a shorter range, several times.")
        )
      }
      const starts = due.map((tick) => startOfSchedule(core, row, stored, tickId(name, tick), tick))
      const answers = yield* Effect.forEach(starts, (start) => submitted(core, start), { concurrency: 1000 })
      const failed = answers.findIndex((answer) => !isSettled(answer))
      if (failed >= 0) return yield* Effect.fail(refusalOf(answers[failed]!))
      const started = answers.filter((answer) => answer._tag === "Started").length
      yield* announce(core, starts)
      return { workflowIds: starts.map((start: Start) => start.workflowId), started }
    })
  )

/** In turns of the event loop of their own: ten thousand ticks take a second. */
const ticksIn = (ticks: Ticks, from: number, to: number): Effect.Effect<ReadonlyArray<number>> =>
  Effect.gen(function*() {
    const found: Array<number> = []
    for (let start = from; found.length <= backfillLimit;) {
      const some = between(ticks, start, to, 100)
      found.push(...some)
      if (some.length < 100) break
      start = some[99]! + 1
      yield* Effect.sleep(0)
    }
    return found
  })

/** One that was there before, whatever its payload was then, is what was asked for. */
const isSettled = (answer: Answer): boolean =>
  answer._tag === "Started" || answer._tag === "Exists" || answer._tag === "Duplicate"

const refusalOf = (answer: Answer): WorkflowError =>
  answer._tag === "Rejected"
    ? refused(answer.detail)
    : answer._tag === "NoQueue"
    ? invalid("queue", `"${answer.queue}" is not there any more`, "Declare it again, or update the schedule.")
    : unexpected(answer)
