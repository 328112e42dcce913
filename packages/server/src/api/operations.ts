/** The part of the contract about what workflows run on: queues, schedules, executors, versions. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as Schema from "effect/Schema"
import { Access, Needs } from "./access.ts"
import { problems } from "./problems.ts"
import { between, ByName, Text } from "./values.ts"
import { Explanation, Started } from "./workflows.ts"

// -----------------------------------------------------------------------------
// models: queues
// -----------------------------------------------------------------------------

const count = between(1, 2_147_483_647)
const RateLimit = Schema.Struct({ limit: count, periodMs: between(1, Number.MAX_SAFE_INTEGER) })

/** What restricts a queue. Null: unlimited. */
export const QueueLimits = Schema.Struct({
  /** Admitted and not done, in all executors. */
  concurrency: Schema.NullOr(count),
  /** In memory in one executor. */
  executorConcurrency: Schema.NullOr(count),
  rateLimit: Schema.NullOr(RateLimit),
  /** Of one partition key; null: it is not partitioned. */
  partitioned: Schema.NullOr(Schema.Struct({
    concurrency: count,
    executorConcurrency: Schema.NullOr(count),
    rateLimit: Schema.NullOr(RateLimit)
  })),
  /** So much longer waiting is worth one point of priority. */
  ageingMs: Schema.NullOr(between(1, Number.MAX_SAFE_INTEGER))
})
export type QueueLimits = typeof QueueLimits.Type

/** What waits in a queue, is delayed for it or runs is counted up to here. */
export const queueCountLimit = 10_000

/** A queue, and how much is in it: counts beyond 10,000 (`queueCountLimit`) may be given as 10,000. */
export const QueueInfo = Schema.Struct({
  name: Schema.String,
  limits: QueueLimits,
  /** An operator has set the limits: code does not change them. */
  overridden: Schema.Boolean,
  paused: Schema.Boolean,
  waiting: Schema.Int,
  delayed: Schema.Int,
  running: Schema.Int,
  /** When the longest waiting one was enqueued. */
  oldest: Schema.optionalKey(Schema.Date),
  /** Living executors that serve it. */
  servedBy: Schema.Array(Schema.String)
})
export type QueueInfo = typeof QueueInfo.Type

/** A queue, and why its head is not claimed. `head`: the first that waits; absent: none does. */
export const QueueDetail = Schema.Struct({ ...QueueInfo.fields, head: Schema.optionalKey(Explanation) })
export type QueueDetail = typeof QueueDetail.Type

// -----------------------------------------------------------------------------
// models: schedules
// -----------------------------------------------------------------------------

/** A schedule as a list shows it: all but its payload. */
export const ScheduleSummary = Schema.Struct({
  name: Schema.String,
  /** The name of the workflow that it starts. */
  workflow: Schema.String,
  cron: Schema.optionalKey(Schema.String),
  timeZone: Schema.optionalKey(Schema.String),
  intervalMs: Schema.optionalKey(Schema.Number),
  anchor: Schema.optionalKey(Schema.Date),
  missed: Schema.Union([Schema.Literals(["skip", "latest"]), Schema.Struct({ all: Schema.Int })]),
  overlap: Schema.Literals(["allow", "skip", "cancel"]),
  queue: Schema.optionalKey(Schema.String),
  version: Schema.String,
  user: Schema.optionalKey(Schema.String),
  roles: Schema.Array(Schema.String),
  /** `code`: a layer declares it. `runtime`: a client made it. */
  origin: Schema.Literals(["code", "runtime"]),
  paused: Schema.Boolean,
  /** Absent: never again. While paused it stands still. */
  nextFire: Schema.optionalKey(Schema.Date),
  lastFire: Schema.optionalKey(Schema.Date),
  lastWorkflowId: Schema.optionalKey(Schema.String),
  createdAt: Schema.Date,
  updatedAt: Schema.Date
})
export type ScheduleSummary = typeof ScheduleSummary.Type

/** Schedules by name. `next`: the `after` of the next page; absent: this was the last. */
export const SchedulePage = Schema.Struct({
  schedules: Schema.Array(ScheduleSummary),
  next: Schema.optionalKey(Schema.String)
})
export type SchedulePage = typeof SchedulePage.Type

/** A schedule with its next ticks by its rule alone. What it has started is the list of workflows with `schedule`. */
export const ScheduleDetail = Schema.Struct({
  ...ScheduleSummary.fields,
  payload: Schema.optionalKey(Schema.Json),
  next: Schema.Array(Schema.Date)
})
export type ScheduleDetail = typeof ScheduleDetail.Type

/** Exactly one of `cron` and `intervalMs`. */
export const CreateSchedule = Schema.Struct({
  name: Text,
  /** The name of the workflow that it starts. */
  workflow: Text,
  cron: Schema.optionalKey(Text),
  /** An IANA name, `UTC`, or an offset. Default: `UTC`. */
  timeZone: Schema.optionalKey(Text),
  intervalMs: Schema.optionalKey(between(1000, Number.MAX_SAFE_INTEGER)),
  /** Default: `latest`. */
  missed: Schema.optionalKey(Schema.Literals(["skip", "latest"])),
  /** Default: `allow`. */
  overlap: Schema.optionalKey(Schema.Literals(["allow", "skip", "cancel"])),
  /** The encoded payload. Checked against the schema where its code is here, else by the code that runs it. */
  payload: Schema.optionalKey(Schema.Json)
})

export const Backfill = Schema.Struct({ name: Text, from: Schema.Date, to: Schema.Date })

export const Backfilled = Schema.Struct({
  /** Ticks in the range. */
  ticks: Schema.Int,
  /** How many of them were started by this. */
  started: Schema.Int
})
export type Backfilled = typeof Backfilled.Type

// -----------------------------------------------------------------------------
// models: executors and versions
// -----------------------------------------------------------------------------

export const ExecutorInfo = Schema.Struct({
  incarnation: Schema.String,
  executorId: Schema.String,
  version: Schema.String,
  state: Schema.Literals(["alive", "lapsed"]),
  leaseUntil: Schema.Date,
  /** Workflows that it owns. */
  owned: Schema.Int,
  /** What it has the code of. */
  served: Schema.Array(Schema.Struct({ name: Schema.String, version: Schema.String })),
  /** Null: every queue. */
  queues: Schema.NullOr(Schema.Array(Schema.String)),
  /** Whether it is in the process that answers. */
  here: Schema.Boolean
})
export type ExecutorInfo = typeof ExecutorInfo.Type

export const VersionInfo = Schema.Struct({
  version: Schema.String,
  /** When the first executor of it joined. */
  createdAt: Schema.Date,
  latestAt: Schema.Date,
  latest: Schema.Boolean,
  /** Living executors of it. */
  executors: Schema.Int
})
export type VersionInfo = typeof VersionInfo.Type

// -----------------------------------------------------------------------------
// endpoints
// -----------------------------------------------------------------------------

const get = HttpApiEndpoint.get
const post = HttpApiEndpoint.post

/** Queues. */
export class Queues extends HttpApiGroup.make("queues")
  .add(
    get("list", "/api/queues", { success: Schema.Array(QueueInfo), error: problems }).annotate(Needs, "view"),
    get("get", "/api/queue", { query: ByName, success: QueueDetail, error: problems }).annotate(Needs, "view"),
    /** All limits: what is null is not limited. They count until they are reset, whatever code declares. */
    post("setLimits", "/api/queue/limits", {
      payload: Schema.Struct({ ...ByName.fields, limits: QueueLimits }),
      error: problems
    }).annotate(Needs, "queues"),
    post("resetLimits", "/api/queue/limits/reset", { payload: ByName, error: problems }).annotate(Needs, "queues"),
    post("pause", "/api/queue/pause", { payload: ByName, error: problems }).annotate(Needs, "queues"),
    post("resume", "/api/queue/resume", { payload: ByName, error: problems }).annotate(Needs, "queues"),
    /** Only an empty one. */
    post("delete", "/api/queue/delete", { payload: ByName, error: problems }).annotate(Needs, "queues")
  )
  .middleware(Access)
{}

/** Schedules. */
export class Schedules extends HttpApiGroup.make("schedules")
  .add(
    get("list", "/api/schedules", {
      query: Schema.Struct({
        namePrefix: Schema.optionalKey(Text),
        workflow: Schema.optionalKey(Text),
        paused: Schema.optionalKey(Schema.Boolean),
        /** Only names after this one. Default: from the first. */
        after: Schema.optionalKey(Text),
        /** Default: 500. */
        limit: Schema.optionalKey(between(1, 1000))
      }),
      success: SchedulePage,
      error: problems
    }).annotate(Needs, "view"),
    get("get", "/api/schedule", {
      query: Schema.Struct({
        ...ByName.fields,
        /** How many next ticks. Default: 5. */
        next: Schema.optionalKey(between(0, 1000))
      }),
      success: ScheduleDetail,
      error: problems
    }).annotate(Needs, "view"),
    post("create", "/api/schedule/create", { payload: CreateSchedule, error: problems }).annotate(Needs, "schedules"),
    post("pause", "/api/schedule/pause", { payload: ByName, error: problems }).annotate(Needs, "schedules"),
    post("resume", "/api/schedule/resume", { payload: ByName, error: problems }).annotate(Needs, "schedules"),
    post("trigger", "/api/schedule/trigger", { payload: ByName, success: Started, error: problems })
      .annotate(Needs, "schedules"),
    /** At most 10,000 ticks. What a tick has started before is not started again. */
    post("backfill", "/api/schedule/backfill", { payload: Backfill, success: Backfilled, error: problems })
      .annotate(Needs, "schedules"),
    post("delete", "/api/schedule/delete", { payload: ByName, error: problems }).annotate(Needs, "schedules")
  )
  .middleware(Access)
{}

/** Executors and versions of the application. */
export class Fleet extends HttpApiGroup.make("fleet")
  .add(
    get("executors", "/api/executors", { success: Schema.Array(ExecutorInfo), error: problems })
      .annotate(Needs, "view"),
    /** The latest first. */
    get("versions", "/api/versions", { success: Schema.Array(VersionInfo), error: problems }).annotate(Needs, "view"),
    post("setLatest", "/api/versions/latest", { payload: Schema.Struct({ version: Text }), error: problems })
      .annotate(Needs, "versions")
  )
  .middleware(Access)
{}
