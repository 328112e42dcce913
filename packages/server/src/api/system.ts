/** The part of the contract about the server itself: who I am, figures over time, live changes, health, metrics. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"
import { WorkflowStatus } from "perdure/WorkflowStatus"
import { Access, Action, Needs } from "./access.ts"
import { problems } from "./problems.ts"
import { between, Text } from "./values.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** What a client needs to know before it asks for anything else. */
export const Info = Schema.Struct({
  store: Schema.Literals(["sqlite", "postgres"]),
  /** Of the engine that answers. */
  executorId: Schema.String,
  version: Schema.String,
  /** Whether that engine runs workflows. */
  runsWorkflows: Schema.Boolean,
  /** The database's clock, by which all times are. */
  now: Schema.Date,
  readOnly: Schema.Boolean,
  /** What this caller may do. */
  allowed: Schema.Array(Action),
  user: Schema.optionalKey(Schema.String),
  /** Whether there is a session of this server's own to end. */
  session: Schema.Boolean
})
export type Info = typeof Info.Type

/** `ok`: this process serves, and the store answers. */
export const Health = Schema.Struct({ status: Schema.Literal("ok") })

/** How many workflows were created in a stretch of time, and what became of those by now. */
export const Bucket = Schema.Struct({
  at: Schema.Date,
  created: Schema.Int,
  succeeded: Schema.Int,
  failed: Schema.Int,
  /** Cancelled, or dead-lettered. */
  cancelled: Schema.Int
})
export type Bucket = typeof Bucket.Type

/**
 * What happened over time. `complete`: false where there was more than is counted (50,000 workflows); then `from` is when
 * the oldest of them was created, and the buckets before it are left out.
 */
export const Throughput = Schema.Struct({
  from: Schema.Date,
  to: Schema.Date,
  bucketMs: Schema.Int,
  complete: Schema.Boolean,
  buckets: Schema.Array(Bucket)
})
export type Throughput = typeof Throughput.Type

/** How workflows of one name have ended. Times are from the start to the end. */
export const NameStats = Schema.Struct({
  name: Schema.String,
  ended: Schema.Int,
  failed: Schema.Int,
  meanMs: Schema.Number,
  p95Ms: Schema.Number,
  maxMs: Schema.Number,
  /** The slowest of them. */
  slowestId: Schema.optionalKey(Schema.String)
})
export type NameStats = typeof NameStats.Type

/** By name, of those that were created in the range. `complete`: false where only the newest 20,000 were looked at. */
export const Names = Schema.Struct({
  from: Schema.Date,
  to: Schema.Date,
  complete: Schema.Boolean,
  names: Schema.Array(NameStats)
})
export type Names = typeof Names.Type

/**
 * Something changed, or may have: ask again for what is shown. At most a few a second, however much changes.
 *
 * - `Open`: the stream is open; what happened before is not told.
 * - `Changed`: workflows, queues, schedules or executors.
 * - `Workflow`: one that was asked to be watched: how far it is. Absent `status`: it does not exist.
 * - `Beat`: nothing, so that both sides know that the other is there.
 */
export const Change = Schema.Union([
  Schema.TaggedStruct("Open", { at: Schema.Date }),
  Schema.TaggedStruct("Changed", {
    what: Schema.Array(Schema.Literals(["workflows", "queues", "schedules", "executors"]))
  }),
  Schema.TaggedStruct("Workflow", {
    workflowId: Schema.String,
    status: Schema.optionalKey(WorkflowStatus),
    steps: Schema.Int
  }),
  Schema.TaggedStruct("Beat", {})
])
export type Change = typeof Change.Type

const Range = {
  /** Default: an hour before `to`. */
  from: Schema.optionalKey(Schema.Date),
  /** Default: now. */
  to: Schema.optionalKey(Schema.Date),
  /** Only workflows of this name. */
  name: Schema.optionalKey(Text)
}

// -----------------------------------------------------------------------------
// endpoints
// -----------------------------------------------------------------------------

const get = HttpApiEndpoint.get
const post = HttpApiEndpoint.post

/** The server itself. */
export class System extends HttpApiGroup.make("system")
  .add(
    get("info", "/api/info", { success: Info, error: problems }),
    get("throughput", "/api/throughput", {
      query: Schema.Struct({
        ...Range,
        /** How many. Default: 60. */
        buckets: Schema.optionalKey(between(1, 500))
      }),
      success: Throughput,
      error: problems
    }),
    get("names", "/api/throughput/names", { query: Schema.Struct(Range), success: Names, error: problems }),
    /** Server-sent events. `workflow`: also watch these, at most 20. */
    get("live", "/api/live", {
      query: Schema.Struct({
        workflow: Schema.optionalKey(Schema.Array(Text).check(Schema.isMaxLength(20)))
      }),
      success: HttpApiSchema.StreamSse({ data: Schema.toCodecJson(Change) }),
      error: problems
    }),
    /** Prometheus' text format. */
    get("metrics", "/metrics", {
      success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" })),
      error: problems
    })
  )
  .annotateEndpoints(Needs, "view")
  .middleware(Access)
{}

/** What needs no token; nor does the OpenAPI document. */
export class Open extends HttpApiGroup.make("open")
  .add(
    get("health", "/health", { success: Health, error: problems }),
    /** Whether this request is from somebody who is known: what a page asks before it asks for anything else. */
    get("session", "/api/session/known", { success: Schema.Struct({ known: Schema.Boolean }), error: problems }),
    /** Gives a browser a session cookie for the token: HttpOnly, SameSite=Strict. */
    post("login", "/api/session", {
      payload: Schema.Struct({ token: Schema.String.check(Schema.isMaxLength(1024)) }),
      error: problems
    }),
    /** Ends the session of the cookie. */
    post("logout", "/api/session/end", { error: problems })
  )
{}
