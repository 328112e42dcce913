/** The part of the contract about workflows: looking, acting on some, acting on all that fit. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import { FailureDetail } from "perdure/StepFailed"
import { WorkflowStatus } from "perdure/WorkflowStatus"
import { Access, Needs } from "./access.ts"
import { problems } from "./problems.ts"
import { Attributes, between, ById, Filter, FilterQuery, PageQuery, Text } from "./values.ts"

// -----------------------------------------------------------------------------
// models: one workflow
// -----------------------------------------------------------------------------

/** One workflow as a list shows it: all but its values. Times are of the database's clock. */
export const WorkflowSummary = Schema.Struct({
  workflowId: Schema.String,
  name: Schema.String,
  version: Schema.String,
  status: WorkflowStatus,
  /** Of one that ended in `ERROR`: the tag and the message, cut after 1,000 characters. */
  failure: Schema.optionalKey(Schema.Struct({ tag: Schema.String, message: Schema.String })),
  /** What a suspended one waits for. */
  waits: Schema.Array(Schema.Struct({ what: Schema.String, until: Schema.optionalKey(Schema.Date) })),
  parentId: Schema.optionalKey(Schema.String),
  queue: Schema.optionalKey(Schema.String),
  priority: Schema.optionalKey(Schema.Int),
  partitionKey: Schema.optionalKey(Schema.String),
  deduplicationId: Schema.optionalKey(Schema.String),
  attributes: Attributes,
  schedule: Schema.optionalKey(Schema.String),
  /** The tick that it is of. */
  scheduledAt: Schema.optionalKey(Schema.Date),
  forkedFrom: Schema.optionalKey(Schema.String),
  user: Schema.optionalKey(Schema.String),
  createdAt: Schema.Date,
  startedAt: Schema.optionalKey(Schema.Date),
  completedAt: Schema.optionalKey(Schema.Date),
  deadline: Schema.optionalKey(Schema.Date),
  executorId: Schema.optionalKey(Schema.String),
  /** Lease losses since the start, the last new record, or the last resume. */
  recoveryAttempts: Schema.Int
})
export type WorkflowSummary = typeof WorkflowSummary.Type

/** One workflow, with its values as they are stored: encoded, and redacted where the server says so. */
export const WorkflowDetail = Schema.Struct({
  ...WorkflowSummary.fields,
  payload: Schema.Json,
  success: Schema.optionalKey(Schema.Json),
  /** The whole of it. */
  failure: Schema.optionalKey(FailureDetail),
  /** Why it is `CANCELLED`, `BLOCKED` or `DEAD_LETTER`, as data. */
  reason: Schema.optionalKey(Schema.Json),
  roles: Schema.Array(Schema.String),
  assumedRole: Schema.optionalKey(Schema.String),
  /** Where values were left out because this server redacts them, as in `payload.card.number`. */
  redacted: Schema.Array(Schema.String)
})
export type WorkflowDetail = typeof WorkflowDetail.Type

/**
 * A page of workflows. `cursor`: for the next one; absent: this was the last. `lookedTo`: where no index finds what fits
 * (versions, executors, times of starts and ends), 20,000 workflows (the server may choose) are looked at for a page, down to one of that time; the
 * page may be short or empty, and the next one looks on.
 */
export const WorkflowPage = Schema.Struct({
  workflows: Schema.Array(WorkflowSummary),
  cursor: Schema.optionalKey(Schema.String),
  lookedTo: Schema.optionalKey(Schema.Date)
})
export type WorkflowPage = typeof WorkflowPage.Type

/** How many there are. `more`: counting stopped at the limit, or after looking at so many: there are at least so many. */
export const Count = Schema.Struct({ count: Schema.Int, more: Schema.Boolean })
export type Count = typeof Count.Type

/** How many are of each status. */
export const StatusCounts = Schema.Struct({
  counts: Schema.Array(Schema.Struct({ status: WorkflowStatus, ...Count.fields }))
})
export type StatusCounts = typeof StatusCounts.Type

/** The kinds of durable operations. */
export const StepKind = Schema.Literals([
  "step",
  "transaction",
  "child",
  "result",
  "race",
  "patch",
  "now",
  "uuid",
  "rollback",
  "send",
  "receive",
  "event",
  "get event",
  "stream",
  "read stream"
])

/**
 * An attempt that failed: at this time, and when the next one is, or was, due. When it began is not recorded: the first with
 * the step, the others when they were due, or later where nobody was there.
 */
export const FailedAttempt = Schema.Struct({ failure: FailureDetail, at: Schema.Date, retryAt: Schema.Date })
export type FailedAttempt = typeof FailedAttempt.Type

/** One durable operation. */
export const StepInfo = Schema.Struct({
  /** Order of calls, from 0. */
  stepId: Schema.Int,
  /** Order in which outcomes reached the body, from 1; absent while only failed attempts are recorded. */
  seq: Schema.optionalKey(Schema.Int),
  /** The labels of the branch that it is in, outermost first; empty: the body itself. */
  branch: Schema.Array(Schema.String),
  name: Schema.String,
  kind: StepKind,
  /** Absent while only failed attempts are recorded. */
  outcome: Schema.optionalKey(Schema.Literals(["success", "failure"])),
  /** The encoded value of a success. Absent where there is none, or where it was not asked for. */
  value: Schema.optionalKey(Schema.Json),
  failure: Schema.optionalKey(FailureDetail),
  attempts: Schema.Int,
  failedAttempts: Schema.Array(FailedAttempt),
  startedAt: Schema.Date,
  completedAt: Schema.optionalKey(Schema.Date),
  childId: Schema.optionalKey(Schema.String),
  redacted: Schema.Array(Schema.String)
})
export type StepInfo = typeof StepInfo.Type

/** Steps in the order of calls. `next`: the `after` of the next page; absent: this was the last. */
export const StepPage = Schema.Struct({
  steps: Schema.Array(StepInfo),
  next: Schema.optionalKey(Schema.Int)
})
export type StepPage = typeof StepPage.Type

export const EventInfo = Schema.Struct({ key: Schema.String, value: Schema.Json, at: Schema.Date })
export type EventInfo = typeof EventInfo.Type

/** Events by key. `next`: the `after` of the next page; absent: this was the last. */
export const EventPage = Schema.Struct({
  events: Schema.Array(EventInfo),
  next: Schema.optionalKey(Schema.String)
})
export type EventPage = typeof EventPage.Type

export const MessageInfo = Schema.Struct({
  /** Order at the destination. */
  seq: Schema.Int,
  messageId: Schema.String,
  topic: Schema.String,
  payload: Schema.Json,
  /** The workflow that sent it; absent: it came from outside. */
  senderId: Schema.optionalKey(Schema.String),
  sentAt: Schema.Date,
  /** The step that received it; absent: none yet. */
  receivedBy: Schema.optionalKey(Schema.Int)
})
export type MessageInfo = typeof MessageInfo.Type

/** Messages, oldest first. `next`: the `after` of the next page; absent: this was the last. */
export const MessagePage = Schema.Struct({
  messages: Schema.Array(MessageInfo),
  next: Schema.optionalKey(Schema.Int)
})
export type MessagePage = typeof MessagePage.Type

export const StreamInfo = Schema.Struct({ key: Schema.String, entries: Schema.Int, closed: Schema.Boolean })
export type StreamInfo = typeof StreamInfo.Type

export const StreamEntry = Schema.Struct({
  /** From 0, gapless. */
  offset: Schema.Int,
  /** Absent: the stream was closed here. */
  value: Schema.optionalKey(Schema.Json),
  stepId: Schema.Int,
  /** Written by an attempt that does not count. */
  superseded: Schema.Boolean,
  at: Schema.Date
})
export type StreamEntry = typeof StreamEntry.Type

/** Entries from an offset on. `done`: nothing follows them. `next`: the offset to read on from. */
export const StreamPage = Schema.Struct({
  entries: Schema.Array(StreamEntry),
  next: Schema.Int,
  done: Schema.Boolean
})
export type StreamPage = typeof StreamPage.Type

// -----------------------------------------------------------------------------
// models: what it waits for
// -----------------------------------------------------------------------------

const optionalDate = Schema.optionalKey(Schema.Date)
const optionalStatus = Schema.optionalKey(WorkflowStatus)

/** One thing that a suspended workflow waits for. `status`: of the other one; absent: it does not exist any more. */
export const Wait = Schema.Union([
  Schema.TaggedStruct("Time", { until: Schema.Date }),
  Schema.TaggedStruct("Message", { topic: Schema.String, until: optionalDate }),
  Schema.TaggedStruct("Result", { workflowId: Schema.String, status: optionalStatus }),
  Schema.TaggedStruct("Event", {
    workflowId: Schema.String,
    key: Schema.String,
    status: optionalStatus,
    until: optionalDate
  }),
  Schema.TaggedStruct("Stream", {
    workflowId: Schema.String,
    key: Schema.String,
    status: optionalStatus,
    until: optionalDate
  }),
  Schema.TaggedStruct("Other", { what: Schema.String, until: optionalDate })
])
export type Wait = typeof Wait.Type

/** Which rule of its queue keeps a workflow from starting. */
export const Hold = Schema.Literals([
  "paused",
  "concurrency",
  "executorConcurrency",
  "rateLimit",
  "partition concurrency",
  "others before it"
])

const Living = Schema.Struct({ executorId: Schema.String, version: Schema.String })

/** Why a workflow is where it is. */
export const Why = Schema.Union([
  /** `lost`: that executor's lease has ended; another takes it over. */
  Schema.TaggedStruct("Running", { executorId: Schema.String, here: Schema.Boolean, lost: Schema.Boolean }),
  Schema.TaggedStruct("Suspended", { waits: Schema.Array(Wait), wakesAt: optionalDate }),
  Schema.TaggedStruct("Due", { by: Schema.Array(Living) }),
  Schema.TaggedStruct("Delayed", { until: optionalDate, queue: Schema.optionalKey(Schema.String) }),
  Schema.TaggedStruct("Queued", {
    queue: Schema.String,
    before: Schema.Int,
    running: Schema.Int,
    waiting: Schema.Int,
    holds: Schema.Array(Hold),
    servedBy: Schema.Array(Living)
  }),
  Schema.TaggedStruct("NoExecutor", {
    name: Schema.String,
    version: Schema.String,
    queue: Schema.optionalKey(Schema.String),
    versions: Schema.Array(Schema.String),
    living: Schema.Array(Living)
  }),
  Schema.TaggedStruct("Blocked", { expected: Schema.String, actual: Schema.String, detail: Schema.String }),
  Schema.TaggedStruct("RollingBack", { by: Schema.String, running: Schema.Boolean }),
  Schema.TaggedStruct("DeadLettered", { attempts: Schema.Number, detail: Schema.String }),
  Schema.TaggedStruct("Done", { status: WorkflowStatus })
])
export type Why = typeof Why.Type

/** What a workflow waits for, as data and in words. */
export const Explanation = Schema.Struct({
  workflowId: Schema.String,
  status: WorkflowStatus,
  why: Why,
  since: optionalDate,
  deadline: optionalDate,
  text: Schema.String
})
export type Explanation = typeof Explanation.Type

// -----------------------------------------------------------------------------
// models: definitions
// -----------------------------------------------------------------------------

/** A name of workflows, and what is known of its code. */
export const Definition = Schema.Struct({
  name: Schema.String,
  /** Whether this very process has its code. */
  here: Schema.Boolean,
  /** JSON Schema (draft 2020-12) of the encoded payload; absent where the code is not here, or says nothing of it. */
  payloadSchema: Schema.optionalKey(Schema.Json),
  /** The versions in which living executors have it. */
  versions: Schema.Array(Schema.String)
})
export type Definition = typeof Definition.Type

// -----------------------------------------------------------------------------
// models: acting
// -----------------------------------------------------------------------------

/** At most 500 at once; more by `bulk`. */
const Ids = Schema.Array(Text).check(Schema.isMinLength(1), Schema.isMaxLength(500))

export const Cancel = Schema.Struct({
  ids: Ids,
  /** Also the children that are not detached. Default: true. */
  children: Schema.optionalKey(Schema.Boolean),
  /** Stored with the workflow, for people. */
  detail: Schema.optionalKey(Text)
})
export const Resume = Schema.Struct({ ids: Ids })
export const Delete = Schema.Struct({
  ids: Ids,
  /** Also all children. Default: false. */
  children: Schema.optionalKey(Schema.Boolean)
})

const timeoutMs = Schema.optionalKey(between(1, Number.MAX_SAFE_INTEGER))

/** As `Client.fork`. With a `payload` it is a run from the start with another input. */
export const Fork = Schema.Struct({
  id: Text,
  /** The first step that it does for itself. Default: 0. */
  fromStep: Schema.optionalKey(between(0, Number.MAX_SAFE_INTEGER)),
  /** The fork's id. Default: a random UUID. */
  workflowId: Schema.optionalKey(Text),
  version: Schema.optionalKey(Text),
  /** The encoded payload; only from step 0. Checked against the schema where its code is here. */
  payload: Schema.optionalKey(Schema.Json),
  timeoutMs
})

/** Starts a workflow by its name. */
export const Start = Schema.Struct({
  name: Text,
  /** The encoded payload. Checked against the schema where its code is here, else by the code that runs it. */
  payload: Schema.optionalKey(Schema.Json),
  /** A workflow of this name that the payload was taken from, as it was shown: what was redacted is put back. */
  like: Schema.optionalKey(Text),
  workflowId: Schema.optionalKey(Text),
  /** Default: the latest when it starts. */
  version: Schema.optionalKey(Text),
  queue: Schema.optionalKey(Text),
  priority: Schema.optionalKey(between(1, 2_147_483_647)),
  partitionKey: Schema.optionalKey(Text),
  deduplicationId: Schema.optionalKey(Text),
  delayMs: timeoutMs,
  timeoutMs,
  attributes: Schema.optionalKey(Attributes)
})

/** A message from outside any workflow. */
export const Send = Schema.Struct({
  id: Text,
  topic: Text,
  /** The encoded payload. Checked by the code that receives it. */
  payload: Schema.optionalKey(Schema.Json),
  /** Sent again under the same key, it is there once. */
  key: Schema.optionalKey(Text)
})

/** Replaces all of them; what was redacted stays where it is given back as it was shown. */
export const SetAttributes = Schema.Struct({ id: Text, attributes: Attributes })

export const Started = Schema.Struct({ workflowId: Schema.String })

/** What is done to all that fit, with the options of each act. */
export const BulkCancel = Schema.Struct({
  filter: Filter,
  children: Cancel.fields.children,
  detail: Cancel.fields.detail
})
export const BulkResume = Schema.Struct({ filter: Filter })
export const BulkDelete = Schema.Struct({ filter: Filter, children: Delete.fields.children })

/**
 * How far a bulk act is. `matched`: looked at so far; `changed`: done to so many of them. The last one says `done`, or what
 * stopped it; what was done by then stays done.
 */
export const BulkProgress = Schema.Struct({
  matched: Schema.Int,
  changed: Schema.Int,
  done: Schema.Boolean,
  problem: Schema.optionalKey(Schema.Union(problems))
})
export type BulkProgress = typeof BulkProgress.Type

// -----------------------------------------------------------------------------
// endpoints
// -----------------------------------------------------------------------------

const get = HttpApiEndpoint.get
const post = HttpApiEndpoint.post

/** Looking at workflows. */
export class Workflows extends HttpApiGroup.make("workflows")
  .add(
    get("list", "/api/workflows", { query: PageQuery, success: WorkflowPage, error: problems }),
    /** Each status is counted up to `limit`. Default: 10,000. */
    get("counts", "/api/workflows/counts", {
      query: Schema.Struct({ ...FilterQuery.fields, limit: Schema.optionalKey(between(1, 100_000)) }),
      success: StatusCounts,
      error: problems
    }),
    get("get", "/api/workflow", { query: ById, success: WorkflowDetail, error: problems }),
    get("steps", "/api/workflow/steps", {
      query: Schema.Struct({
        ...ById.fields,
        /** Only steps with a greater id. Default: from the first. */
        after: Schema.optionalKey(between(-1, Number.MAX_SAFE_INTEGER)),
        /** Default: 500. */
        limit: Schema.optionalKey(between(1, 1000)),
        /** Whether values are wanted; failures always come. Default: true. */
        values: Schema.optionalKey(Schema.Boolean)
      }),
      success: StepPage,
      error: problems
    }),
    get("step", "/api/workflow/step", {
      query: Schema.Struct({ ...ById.fields, stepId: between(0, Number.MAX_SAFE_INTEGER) }),
      success: StepInfo,
      error: problems
    }),
    /** Its parent, that one's parent, and so on: the topmost first, at most 100. */
    get("ancestors", "/api/workflow/ancestors", {
      query: ById,
      success: Schema.Array(WorkflowSummary),
      error: problems
    }),
    get("events", "/api/workflow/events", {
      query: Schema.Struct({
        ...ById.fields,
        /** Only keys after this one. Default: from the first. */
        after: Schema.optionalKey(Text),
        /** Default: 500. */
        limit: Schema.optionalKey(between(1, 1000))
      }),
      success: EventPage,
      error: problems
    }),
    get("messages", "/api/workflow/messages", {
      query: Schema.Struct({
        ...ById.fields,
        topic: Schema.optionalKey(Text),
        /** Also those that it has received. Default: true. */
        received: Schema.optionalKey(Schema.Boolean),
        /** Only those with a greater `seq`. Default: from the oldest. */
        after: Schema.optionalKey(between(0, Number.MAX_SAFE_INTEGER)),
        /** Default: 500. */
        limit: Schema.optionalKey(between(1, 1000))
      }),
      success: MessagePage,
      error: problems
    }),
    get("streams", "/api/workflow/streams", { query: ById, success: Schema.Array(StreamInfo), error: problems }),
    get("stream", "/api/workflow/stream", {
      query: Schema.Struct({
        ...ById.fields,
        key: Text,
        /** The first offset; negative: the last so many, fewer where they have no room. Default: 0. */
        from: Schema.optionalKey(between(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
        /** Default: 100. */
        limit: Schema.optionalKey(between(1, 1000))
      }),
      success: StreamPage,
      error: problems
    }),
    get("explain", "/api/workflow/explain", { query: ById, success: Explanation, error: problems }),
    /** The names that living executors have, and those that this process has. */
    get("definitions", "/api/definitions", { success: Schema.Array(Definition), error: problems }),
    get("definition", "/api/definition", {
      query: Schema.Struct({ name: Text }),
      success: Definition,
      error: problems
    }),
    /** What a bulk act over this filter would look at, counted up to 1,000,000. */
    post("bulkCount", "/api/workflows/bulk/count", {
      payload: Schema.Struct({ filter: Filter }),
      success: Count,
      error: problems
    })
  )
  .annotateEndpoints(Needs, "view")
  .middleware(Access)
{}

const progress = HttpApiSchema.StreamSse({ data: Schema.toCodecJson(BulkProgress) })

/**
 * Acting on workflows. A bulk act takes all that fit its filter, which must restrict something, and were there when it
 * began. It goes on while its answer is read: who closes that stops it, and what was done by then stays done.
 */
export class Acts extends HttpApiGroup.make("acts")
  .add(
    post("cancel", "/api/workflows/cancel", { payload: Cancel, error: problems }).annotate(Needs, "cancel"),
    post("resume", "/api/workflows/resume", { payload: Resume, error: problems }).annotate(Needs, "resume"),
    post("delete", "/api/workflows/delete", { payload: Delete, error: problems }).annotate(Needs, "delete"),
    post("fork", "/api/workflows/fork", { payload: Fork, success: Started, error: problems }).annotate(Needs, "fork"),
    post("start", "/api/workflows/start", { payload: Start, success: Started, error: problems })
      .annotate(Needs, "start"),
    post("send", "/api/workflow/send", { payload: Send, error: problems }).annotate(Needs, "send"),
    post("setAttributes", "/api/workflow/attributes", { payload: SetAttributes, error: problems })
      .annotate(Needs, "attributes"),
    post("bulkCancel", "/api/workflows/bulk/cancel", { payload: BulkCancel, success: progress, error: problems })
      .annotate(Needs, "cancel"),
    post("bulkResume", "/api/workflows/bulk/resume", { payload: BulkResume, success: progress, error: problems })
      .annotate(Needs, "resume"),
    post("bulkDelete", "/api/workflows/bulk/delete", { payload: BulkDelete, success: progress, error: problems })
      .annotate(Needs, "delete")
  )
  .middleware(Access)
{}
