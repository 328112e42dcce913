/**
 * The contract between the engine and a database: what is written, what is claimed, and what each answer means.
 *
 * A store holds no policy. It keeps rows, hands out ownership with a rising epoch, and refuses every write that does
 * not carry the current one. `@perdure/sqlite` and `@perdure/postgres` implement it, each in its database's own idiom;
 * `test/conformance` holds them equal.
 *
 * All times are milliseconds since 1970 on the **database's** clock. All payloads are text holding JSON; a store never
 * looks into them. Ids, keys and names reach a store already validated (at most 512 bytes, no control characters).
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type * as Stream from "effect/Stream"
import type { ArchiveStore } from "./store/archive.ts"
import type { InspectionStore } from "./store/inspection.ts"
import type { ManagementStore } from "./store/management.ts"
import type {
  Consume,
  Deliver,
  EventWrite,
  MessageStore,
  Send,
  SendRefusal,
  StreamWrite,
  Supersede
} from "./store/messages.ts"
import type { ObservationStore } from "./store/observation.ts"
import type { Enqueued, QueueStore } from "./store/queues.ts"
import type { ScheduleStore } from "./store/schedules.ts"
import type { WorkflowStatus } from "./WorkflowStatus.ts"

export type * from "./store/archive.ts"
export * from "./store/deleting.ts"
export * from "./store/families.ts"
export type * from "./store/inspection.ts"
export type * from "./store/management.ts"
export type * from "./store/messages.ts"
export type * from "./store/observation.ts"
export type * from "./store/queues.ts"
export type * from "./store/schedules.ts"

// -----------------------------------------------------------------------------
// models: what is stored
// -----------------------------------------------------------------------------

/**
 * What is left to do, apart from the status that users see: run the body, run the rollbacks of a cancelled workflow,
 * or nothing. Recovery goes by phase; waiters are told when it is `done`.
 */
export type Phase = "run" | "compensate" | "done"

/** What a record is of. A name asked for as another kind than its record is a divergence. */
export type RecordKind =
  | "step"
  | "transaction"
  | "child"
  | "result"
  | "race"
  | "patch"
  | "now"
  | "uuid"
  | "rollback"
  | "send"
  | "receive"
  | "event"
  | "get event"
  | "stream"
  | "read stream"

/** The recorded outcome of one durable operation of a workflow. Immutable. */
export interface StepRecord {
  /** Order of calls, from 0. With the workflow id, the record's primary key. */
  readonly stepId: number
  /** Completion number, from 1, gapless: the order in which outcomes reached the body. */
  readonly seq: number
  /** How many outcomes the body had received when it asked for this operation. */
  readonly asked: number
  /** Branch, name and occurrence: the identity that replay looks for. */
  readonly key: string
  /** The name that users see. */
  readonly name: string
  readonly kind: RecordKind
  readonly outcome: "success" | "failure"
  /** JSON text. */
  readonly value: string
  /** Attempts made, the last included; 1 for an operation that does not retry. */
  readonly attempts: number
  /** When the operation began, workflow time. */
  readonly startedAt: number
  /** When the outcome reached the body, workflow time. Never decreases with `seq`. */
  readonly at: number
  /** The child workflow that this record started or awaited. */
  readonly childId: string | null
  /** Whether a rollback was declared: a cancelled workflow with such a record has a `compensate` phase. */
  readonly rollback: boolean
}

/** A failed attempt of a step that is to be tried again. Insert-only; the final attempt is in the {@link StepRecord}. */
export interface AttemptRecord {
  readonly stepId: number
  readonly key: string
  readonly name: string
  /** From 0. */
  readonly attempt: number
  /** JSON text of the encoded error. */
  readonly error: string
  readonly at: number
  /** When the next attempt is due, database clock. */
  readonly retryAt: number
}

/** One workflow, everything but its steps. */
export interface WorkflowRow {
  readonly workflowId: string
  readonly name: string
  readonly version: string
  readonly status: WorkflowStatus
  readonly phase: Phase
  readonly epoch: number
  /** JSON text. Of one that has begun anew that of its present life; what starts are compared with stays the first. */
  readonly payload: string
  /** Name of the codec that wrote `payload`, `output` and the records. */
  readonly codec: string
  /** JSON text of the success (`SUCCESS`) or of the encoded failure (`ERROR`), else null. */
  readonly output: string | null
  /** JSON text telling why a workflow is `CANCELLED`, `BLOCKED` or `DEAD_LETTER`, else null. See {@link Reason}. */
  readonly reason: string | null
  readonly parentId: string | null
  readonly parentStepId: number | null
  /** A detached child is not cancelled with its parent. */
  readonly detached: boolean
  readonly user: string | null
  readonly roles: ReadonlyArray<string>
  readonly assumedRole: string | null
  readonly createdAt: number
  /**
   * When it first began to run: where the body's clock starts. Set by a `Start` with an owner, else by the first claim. Of
   * one that has begun anew, when it did.
   */
  readonly startedAt: number | null
  readonly completedAt: number | null
  readonly deadlineAt: number | null
  /** The executor that owns the workflow now (`executorId`, not incarnation), or owned it last. */
  readonly executorId: string | null
  /** Lease losses since the start, the last new record, or the last resume. */
  readonly recoveryAttempts: number
  readonly maxRecoveryAttempts: number
  /**
   * When a suspended, delayed or unowned workflow is due to be claimed; null while owned, done, waiting without a time,
   * or waiting in a queue.
   */
  readonly wakeAt: number | null
  /** JSON text describing what a suspended workflow waits for, else null. */
  readonly waits: string | null
  /** The queue it was enqueued in, and how; it stays when the workflow has left it. */
  readonly queue: string | null
  readonly priority: number
  readonly partitionKey: string | null
  readonly deduplicationId: string | null
  /** For people, and to search by. */
  readonly attributes: Readonly<Record<string, AttributeValue>>
  /** The schedule that started it, and the tick that it is of. */
  readonly scheduleName: string | null
  readonly scheduledAt: number | null
  /** The workflow whose records it began with. */
  readonly forkedFrom: string | null
  /** The span that started it (W3C `traceparent`). */
  readonly trace: string | null
  /** How often it has begun anew: see {@link Renew}. */
  readonly continuations: number
  /** The ids of its steps count from here on: smaller ones were those of earlier lives. */
  readonly firstStepId: number
}

/** The value of an attribute. */
export type AttributeValue = string | number | boolean

/** A step as users list it. `outcome` is null while only failed attempts are recorded. */
export interface StepRow {
  readonly stepId: number
  readonly seq: number | null
  readonly key: string
  readonly name: string
  readonly kind: RecordKind
  readonly outcome: "success" | "failure" | null
  readonly value: string | null
  readonly attempts: number
  /** Oldest first; the last attempt is not among them once there is an outcome. */
  readonly failedAttempts: ReadonlyArray<Pick<AttemptRecord, "error" | "at" | "retryAt">>
  readonly startedAt: number
  readonly completedAt: number | null
  readonly childId: string | null
}

// -----------------------------------------------------------------------------
// the journal: what is written, in batches
// -----------------------------------------------------------------------------

/** Creates a workflow, once per id. */
export interface Start {
  readonly _tag: "Start"
  readonly workflowId: string
  /** Made by the client for this very start. "Mine" is decided by it, never by equal values. */
  readonly token: string
  readonly name: string
  /** `""`: of no version yet; the executor that claims it first gives it its own. */
  readonly version: string
  readonly payload: string
  readonly codec: string
  /**
   * Its first epoch: from 1, and one that no workflow of this id has had, be it deleted, so that nobody who owned that one
   * can write for this one. Greater than all those that it had.
   */
  readonly epoch: number
  /**
   * The incarnation that runs it (status `PENDING`, in this epoch), or null: status `ENQUEUED`, to be claimed, in a later
   * epoch, by whoever has the name and version. Null where it is enqueued or delayed.
   */
  readonly owner: string | null
  /** The queue it waits in; null: in none, due at once (or after its delay). */
  readonly queue: Enqueued | null
  /** Status `DELAYED` for so long on the database's clock, then `ENQUEUED`. Null: not delayed. */
  readonly delayMs: number | null
  readonly attributes: Readonly<Record<string, AttributeValue>>
  /** The schedule that starts it, and the tick. */
  readonly schedule: { readonly name: string; readonly at: number } | null
  /** The span that starts it (W3C `traceparent`), so that its own spans join that trace wherever they are made. */
  readonly trace: string | null
  /** Stored as given when `owner` is; null otherwise (the first claim sets it to the database's time). */
  readonly startedAt: number | null
  readonly user: string | null
  readonly roles: ReadonlyArray<string>
  readonly assumedRole: string | null
  readonly parentId: string | null
  readonly parentStepId: number | null
  readonly detached: boolean
  /** Both given: the earlier of the two. `timeoutMs` counts from the insertion on the database's clock. */
  readonly timeoutMs: number | null
  readonly deadlineAt: number | null
  readonly maxRecoveryAttempts: number
}

/** How an {@link Advance} leaves the workflow; null: still running here. */
export type End =
  /** Terminal. `status` is `CANCELLED` and `output` null when a `compensate` phase ends; the stored reason stays. */
  | { readonly _tag: "Settle"; readonly status: "SUCCESS" | "ERROR" | "CANCELLED"; readonly output: string | null }
  /**
   * Out of memory until `wakeAt` (null: no time) or until one of `awaiting` happens, whichever comes first. Refused as
   * `Stirred` when the inbox moved past `inbox` or one of `awaiting` has happened already, or never will since its
   * workflow is done or does not exist.
   */
  | {
    readonly _tag: "Suspend"
    readonly inbox: number
    readonly wakeAt: number | null
    readonly awaiting: ReadonlyArray<Await>
    readonly waits: string
  }
  /** Status `BLOCKED` (in phase `run`; a cancelled one keeps its status), unowned, never due: an operator resumes it. */
  | { readonly _tag: "Block"; readonly reason: string }
  /** Unowned and due at once: a clean hand-over. Not counted as a recovery attempt. */
  | { readonly _tag: "Release" }

/** What a suspended workflow waits for at another one: the first of them wakes it, and so does the other one's end. */
export type Await =
  | { readonly workflowId: string; readonly on: "end" }
  /** That the event has a value. */
  | { readonly workflowId: string; readonly on: "event"; readonly key: string }
  /** That the stream has an entry at `from` or later. */
  | { readonly workflowId: string; readonly on: "stream"; readonly key: string; readonly from: number }

/**
 * The next life of a workflow that is owned: another payload, and no records. It is due at once, and keeps its id, its
 * place in its queue, its deadline, its children, its streams, the values of its events, and what it has not received.
 * What is only there to fork or to compare with may go: earlier values of events, and messages that it consumed long ago.
 */
export interface Renew {
  readonly workflowId: string
  readonly epoch: number
  readonly payload: string
  readonly codec: string
  /** Greater than the id of every step that it has run. */
  readonly firstStepId: number
}

/** Everything one owned workflow writes at once: all of it or nothing, under its epoch. */
export interface Advance {
  readonly _tag: "Advance"
  readonly workflowId: string
  readonly epoch: number
  readonly records: ReadonlyArray<StepRecord>
  readonly attempts: ReadonlyArray<AttemptRecord>
  /** Children, created with the parent's record. `parentId` is this workflow. */
  readonly children: ReadonlyArray<Start>
  /** Messages to other workflows (or to itself). */
  readonly sends: ReadonlyArray<Send>
  /** Messages that it received. Only its owner consumes, so it names what is not consumed yet. */
  readonly consumes: ReadonlyArray<Consume>
  readonly events: ReadonlyArray<EventWrite>
  readonly entries: ReadonlyArray<StreamWrite>
  /** Of what is written here, too. */
  readonly supersedes: ReadonlyArray<Supersede>
  readonly end: End | null
}

/**
 * Creates workflows from outside: all of them or none, in one commit. Thousands at a time; their ids are distinct, none has
 * an owner. Goes alone: a batch that has one has nothing else.
 *
 * A start whose id is taken by the same name and payload, and one whose deduplication id is taken (by an earlier one of
 * these starts, too), starts nothing and does not stop the others.
 */
export interface StartMany {
  readonly _tag: "StartMany"
  readonly starts: ReadonlyArray<Start>
  /** True: a deduplication id that is taken refuses all of them. */
  readonly refuseDuplicates: boolean
}

/** What the journal writes. */
export type Operation = Start | StartMany | Advance | Deliver

/** What became of a start. */
export type StartAnswer =
  /** Created, now or by an earlier submission of the same token. */
  | { readonly _tag: "Started" }
  /** The id was taken before. `same`: by the same name with the same payload. */
  | { readonly _tag: "Exists"; readonly same: boolean; readonly name: string }
  /** Another workflow has the deduplication id: this one. Nothing was written. */
  | { readonly _tag: "Duplicate"; readonly workflowId: string; readonly name: string }
  /** The delayed workflow that has the deduplication id has got this payload, and starts later. */
  | { readonly _tag: "Debounced"; readonly workflowId: string }

/** A child whose deduplication id is another workflow's, or is not whose it was expected to be. */
export interface HeldChild {
  /** Into `children`. */
  readonly index: number
  readonly workflowId: string | null
  /** Of the workflow that has it. */
  readonly name: string | null
  readonly movable: boolean
}

/** What became of an operation of a batch. */
export type Answer =
  | StartAnswer
  /** All of them are there, or another that the answer names. One answer per start, in order. */
  | { readonly _tag: "StartedMany"; readonly starts: ReadonlyArray<StartAnswer> }
  /** One of the starts cannot be (`Exists` with another name or payload; `Duplicate`). Nothing was written. */
  | { readonly _tag: "StartRefused"; readonly index: number; readonly answer: StartAnswer }
  /**
   * The queue of a start, or of a child, is not registered (any more). Nothing was written. `index` into `children` or
   * `starts`; 0 for a start of its own.
   */
  | { readonly _tag: "NoQueue"; readonly index: number; readonly queue: string }
  /** Written, now or by an earlier submission. One answer per child, in order. */
  | { readonly _tag: "Recorded"; readonly children: ReadonlyArray<StartAnswer> }
  /** This epoch is over: taken over, cancelled, deleted. Nothing was written. */
  | { readonly _tag: "Fenced" }
  /** The messages are there, now or by an earlier submission. */
  | { readonly _tag: "Delivered" }
  /** A child's id is taken by another name or payload. Nothing was written. `index` into `children`. */
  | { readonly _tag: "ChildConflict"; readonly index: number; readonly name: string }
  /**
   * A child's deduplication id is another workflow's (null: one was expected to be moved, and cannot be: the id is nobody's
   * any more, or the child's own id is taken). Nothing was written. `movable`: it is delayed and would be debounced.
   * `more`: the same of children after it, so that many need not be told one by one.
   */
  | ({
    readonly _tag: "ChildDuplicate"
    readonly more?: ReadonlyArray<HeldChild>
  } & HeldChild)
  /** A message cannot be delivered. Nothing was written. `index` into `sends`. */
  | { readonly _tag: "SendRefused"; readonly index: number; readonly why: SendRefusal }
  /** A suspension came too late: look again. Nothing was written. */
  | { readonly _tag: "Stirred"; readonly inbox: number }
  /** Somebody holds a row that this operation needs. Nothing was written: submit again. */
  | { readonly _tag: "Busy" }
  /** The database refuses this operation for good (a value it cannot hold). Nothing of it was written. */
  | { readonly _tag: "Rejected"; readonly detail: string }

// -----------------------------------------------------------------------------
// ownership
// -----------------------------------------------------------------------------

/** One process start. Its `incarnation` is new each time, whatever its `executorId`. */
export interface ExecutorInfo {
  readonly incarnation: string
  readonly executorId: string
  readonly version: string
}

/** The answer to a renewal of the lease. */
export interface Heartbeat {
  readonly now: number
  /** The latest version of the application; `""`: none has joined with one. */
  readonly latestVersion: string
  /** False: the lease had lapsed. This incarnation never gets it back and must stop. */
  readonly alive: boolean
  /** What was taken from this incarnation (cancelled, expired, taken over), until a heartbeat says that it has ended. */
  readonly revoked: ReadonlyArray<Revoked>
}

/** The ownership of a workflow that has ended: of this epoch, and not of a later one of the same incarnation. */
export interface Revoked {
  readonly workflowId: string
  readonly epoch: number
}

/** What an executor can run. Nothing else is ever claimed by it, or counted as an attempt. */
export interface Served {
  readonly name: string
  readonly version: string
}

/** A workflow that a claim has taken, with its history. */
export interface Claimed {
  readonly row: WorkflowRow
  readonly inbox: number
  readonly records: ReadonlyArray<StepRecord>
  readonly attempts: ReadonlyArray<AttemptRecord>
  /** More records than were returned: read on with {@link StoreService.history}, from the highest `stepId` returned. */
  readonly more: boolean
}

/** Why something was done to a workflow from outside. Stored as JSON in `reason`. */
export type Reason =
  | { readonly _tag: "Cancelled"; readonly by: "user" | "timeout" | "parent"; readonly detail: string }
  | { readonly _tag: "Blocked"; readonly expected: string; readonly actual: string; readonly detail: string }
  | { readonly _tag: "DeadLettered"; readonly attempts: number; readonly detail: string }

/** What a round of recovery did. */
export interface Swept {
  /** Workflows of lapsed executors that were given back, and are due at once. */
  readonly released: number
  /** Those of them that had used up their recovery attempts. */
  readonly deadLettered: ReadonlyArray<string>
  /** Workflows cancelled because their deadline has passed (their children included). */
  readonly expired: ReadonlyArray<string>
  /** True: a batch was full, sweep again at once. */
  readonly more: boolean
}

/** What became of a cancellation. */
export type CancelAnswer =
  | { readonly workflowId: string; readonly result: "cancelled"; readonly phase: Phase }
  | { readonly workflowId: string; readonly result: "done"; readonly status: WorkflowStatus }
  | { readonly workflowId: string; readonly result: "unknown" }

/** What became of a resumption. */
export type ResumeAnswer =
  | { readonly workflowId: string; readonly result: "resumed" }
  /** Running or waiting already, or ended in `SUCCESS` or `ERROR`: nothing to resume. */
  | { readonly workflowId: string; readonly result: "refused"; readonly status: WorkflowStatus }
  /** It was cancelled, and some of its rollbacks have run: its records no longer describe the world. */
  | { readonly workflowId: string; readonly result: "compensated"; readonly status: WorkflowStatus }
  /** It may still run where it was cancelled. Ask again: the executor there says that it has ended, or loses its lease. */
  | { readonly workflowId: string; readonly result: "held"; readonly status: WorkflowStatus }
  /** Another workflow of its queue has its deduplication id now. */
  | {
    readonly workflowId: string
    readonly result: "duplicate"
    readonly status: WorkflowStatus
    readonly holder: string
  }
  | { readonly workflowId: string; readonly result: "unknown" }

/** A workflow that is done or blocked, as its waiters need it. */
export interface Outcome {
  readonly workflowId: string
  readonly name: string
  readonly status: WorkflowStatus
  readonly output: string | null
  readonly reason: string | null
}

/** Which workflows a list shows. What is absent does not restrict. */
export interface ListFilter {
  readonly ids?: ReadonlyArray<string>
  readonly status?: ReadonlyArray<WorkflowStatus>
  readonly names?: ReadonlyArray<string>
  readonly idPrefix?: string
  readonly parentId?: string
  readonly hasParent?: boolean
  readonly forkedFrom?: string
  /** Whether another was forked from it. */
  readonly wasForked?: boolean
  readonly user?: string
  readonly versions?: ReadonlyArray<string>
  readonly executorId?: string
  /** Enqueued in one of them, whether they still wait or not. */
  readonly queues?: ReadonlyArray<string>
  /** True: only those that were enqueued in some queue. */
  readonly queued?: boolean
  readonly partitionKey?: string
  readonly deduplicationId?: string
  readonly scheduleName?: string
  /** All of them, with these values. */
  readonly attributes?: Readonly<Record<string, AttributeValue>>
  /** Inclusive. */
  readonly createdFrom?: number
  /** Exclusive. */
  readonly createdTo?: number
  readonly startedFrom?: number
  readonly startedTo?: number
  readonly completedFrom?: number
  readonly completedTo?: number
  readonly order: "asc" | "desc"
  readonly limit: number
  /** False: without values, which may be large. The payload is `null` then, and a success has no output. Default: true. */
  readonly values?: boolean
  /** The last row of the page before: `(createdAt, workflowId)`. */
  readonly after?: { readonly createdAt: number; readonly workflowId: string }
}

/** Tells somebody to look at once instead of at the next poll. May be lost, doubled or late: never relied on. */
export type Hint =
  /** A workflow of this name became due; `"*"`: of any name, or what somebody owns was taken from him. */
  | { readonly _tag: "Due"; readonly name: string }
  /** This workflow is done (phase `done`); `"*"`: any may be, or may have told something. */
  | { readonly _tag: "Done"; readonly workflowId: string }
  /** This incarnation lost workflows, `"*"`: some did: heartbeat now. */
  | { readonly _tag: "Revoked"; readonly incarnation: string }
  /** A place in this queue became free, or it was changed. */
  | { readonly _tag: "Queue"; readonly queue: string }
  /** Something came in for this workflow. */
  | { readonly _tag: "Inbox"; readonly workflowId: string }
  | { readonly _tag: "Event"; readonly workflowId: string; readonly key: string }
  | { readonly _tag: "Stream"; readonly workflowId: string; readonly key: string }
  /** A schedule was made or changed. */
  | { readonly _tag: "Schedule"; readonly name: string }

/** Which schema a database has, and which one this code has. Versions count from 1. */
export interface SchemaState {
  /** Null: none. */
  readonly installed: number | null
  readonly known: number
}

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

/** The database cannot be reached, is starting, is full, is overloaded. Passes without a change of code or settings. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  message: Schema.String,
  code: Schema.optionalKey(Schema.String)
}) {}

/** Something that only a person can mend: a missing right, a newer schema, a read-only file, a setting. */
export class StoreMisconfigured extends Schema.TaggedError<StoreMisconfigured>()("StoreMisconfigured", {
  message: Schema.String,
  code: Schema.optionalKey(Schema.String)
}) {}

/** The store was opened without the leave to migrate it, and its schema is missing or older than this code's. */
export class StoreNotMigrated extends Schema.TaggedError<StoreNotMigrated>()("StoreNotMigrated", {
  message: Schema.String,
  /** Null: there is no schema. */
  installed: Schema.NullOr(Schema.Number),
  known: Schema.Number,
  code: Schema.optionalKey(Schema.String)
}) {}

/** A failure of the database. Whether a write that failed so was made is **unknown**: submit the same one again. */
export class StoreError extends Schema.TaggedError<StoreError>()("StoreError", {
  reason: Schema.Union([StoreUnavailable, StoreMisconfigured, StoreNotMigrated])
}) {
  override get message(): string {
    return this.reason.message
  }
  get isRetryable(): boolean {
    return this.reason._tag === "StoreUnavailable"
  }
}

/** What a {@link StoreService.transaction} can end in besides the body's own error. */
export class TransactionAborted extends Schema.TaggedError<TransactionAborted>()("TransactionAborted", {
  /**
   * - `conflict`: serialization failure or deadlock (40001, 40P01); nothing was committed, run it again.
   * - `fenced`: this epoch is over; rolled back.
   * - `exists`: the record is there already, from an earlier commit whose answer was lost; rolled back.
   * - `unknown`: the connection died in the commit. Look for the record before running it again.
   * - `foreign`: the `SqlClient` is not of the store's database; nothing was run.
   * - `nested`: the `SqlClient` is in a transaction already; nothing was run.
   * - `timeout`: the body took longer than its limit; rolled back.
   * - `ended`: the body has ended the transaction, by a statement of its own or by one that failed, and went on; what it
   *   committed by hand stays, nothing is recorded.
   */
  why: Schema.Literals(["conflict", "fenced", "exists", "unknown", "foreign", "nested", "timeout", "ended"]),
  message: Schema.String
}) {}

/** What waits in a queue, is delayed for it or runs is counted up to here. */
export const queueCountLimit = 10_000

/** The refusal of a database whose schema is missing or older. `where` names the database or schema. */
export const notMigrated = (where: string, { installed, known }: SchemaState): StoreError =>
  new StoreError({
    reason: new StoreNotMigrated({
      installed,
      known,
      message: `${
        installed === null
          ? `There is no Perdure schema in ${where}`
          : `The Perdure schema in ${where} is at version ${installed}, and this release needs ${known}`
      }. Nothing was written. Check the address; if it is right, migrate it: perdure migrate up`
    })
  })

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/** How a transaction is run. */
export interface TransactionOptions {
  readonly isolation: "read committed" | "repeatable read" | "serializable" | undefined
  /** Limit on the body, so that a hung one cannot hold locks for ever. Milliseconds. */
  readonly timeoutMs: number
}

/** The operations of a store. */
export interface StoreService
  extends QueueStore, MessageStore, ScheduleStore, ManagementStore, ObservationStore, InspectionStore, ArchiveStore
{
  readonly name: "sqlite" | "postgres"

  /** The database's clock. */
  readonly now: Effect.Effect<number, StoreError>

  /** Moves the store's clock for every process that uses it. For tests only. */
  readonly adjustClock: (byMs: number) => Effect.Effect<void, StoreError>

  /**
   * Writes a batch in one transaction, durable when it returns; one answer per operation, in order. At most one
   * `Start` or `Advance` per workflow id; any number of `Deliver`s; or one `StartMany` and nothing else. One bad operation
   * fails alone. When the effect fails, the outcome is unknown: submit the same operations again, the keys make that safe.
   */
  readonly write: (batch: ReadonlyArray<Operation>) => Effect.Effect<ReadonlyArray<Answer>, StoreError>

  /**
   * Ends the life of a workflow and begins the next: both, or neither. `fenced`: the epoch is over, maybe by an earlier
   * submission of the same, which is not told apart. `busy`: somebody holds its row, nothing was written, submit again. When the effect fails, the
   * outcome is unknown: submit it again.
   */
  readonly renew: (life: Renew) => Effect.Effect<"renewed" | "fenced" | "busy", StoreError>

  /** Registers an incarnation with a lease of `leaseMs`. Returns the database's clock. */
  readonly join: (executor: ExecutorInfo, leaseMs: number) => Effect.Effect<number, StoreError>

  /**
   * Renews the lease, unless it has lapsed. On a connection of its own, where the database has connections. `ended`: what
   * an earlier answer named as `revoked`, and of which nothing runs here any more, or nothing that an interruption ends
   * soon. An answer that is lost loses nothing: what it named is named again.
   */
  readonly heartbeat: (
    incarnation: string,
    leaseMs: number,
    ended: ReadonlyArray<Revoked>
  ) => Effect.Effect<Heartbeat, StoreError>

  /**
   * Ends the leases of these executors, as if they had lapsed: their processes are known to have ended. The sweep finds
   * what they owned. Returns those that this store knows, lapsed before or not.
   */
  readonly lapse: (incarnations: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>, StoreError>

  /** Ends the lease and gives every workflow of this incarnation back, due at once, without counting an attempt. */
  readonly leave: (incarnation: string) => Effect.Effect<void, StoreError>

  /**
   * Takes up to `limit` due workflows that `served` covers, oldest due first: epoch raised, owner set, status
   * `PENDING` (a cancelled one keeps its status), history read in a later snapshot under the row's lock. Returns the
   * database's clock, and when the next one of these names is due (null: none known).
   *
   * First what is due outside of queues and what was admitted before; then from each queue of `queues` (null: from
   * all) what its limits allow, in its order, unless it is paused. Of a partition only the first may start, whether this
   * executor has its code or not. `contended`: somebody else is at a queue, look again soon. `nextDueAt` includes
   * delayed ones, and when a rate limit lets the next one start. `waiting`: something of these queues waits, or may wait,
   * for a place there or in this executor; while it is false, a place that becomes free is no reason to claim.
   *
   * What is of no version goes only to incarnations of the latest version as it is when the claim begins, and to those
   * of none, whoever serves it: an executor knows which is the latest only since its last heartbeat. For others it is
   * neither taken nor due.
   *
   * A workflow whose executor is lost, or that is handed back, waits in its queue again (`ENQUEUED`), in its old place. A
   * blocked one has no place until it is resumed.
   */
  readonly claim: (options: {
    readonly incarnation: string
    readonly served: ReadonlyArray<Served>
    readonly queues: ReadonlyArray<string> | null
    readonly limit: number
  }) => Effect.Effect<
    {
      readonly now: number
      readonly claimed: ReadonlyArray<Claimed>
      readonly nextDueAt: number | null
      readonly contended: boolean
      readonly waiting: boolean
    },
    StoreError
  >

  /**
   * What this incarnation owns by the store. The answer to a claim may be lost after it was made; then it owns what it
   * does not know of, and finds out here.
   */
  readonly owned: (incarnation: string) => Effect.Effect<
    ReadonlyArray<{ readonly workflowId: string; readonly epoch: number }>,
    StoreError
  >

  /** The records and attempts of an owned workflow with `stepId` above `after`, a page. */
  readonly history: (workflowId: string, after: number) => Effect.Effect<
    {
      readonly records: ReadonlyArray<StepRecord>
      readonly attempts: ReadonlyArray<AttemptRecord>
      readonly more: boolean
    },
    StoreError
  >

  /**
   * One round of recovery, in batches: gives back the workflows of lapsed (or vanished) executors, dead-letters those
   * whose attempts are used up, cancels those whose deadline has passed.
   */
  readonly sweep: (limit: number) => Effect.Effect<Swept, StoreError>

  /**
   * Sets `CANCELLED` and raises the epoch at once. With `children`, also every child that is not detached, however deep.
   * One with rollbacks is then due: when its owner's lease ends, or as soon as a living owner has said by a heartbeat that
   * it has ended, so that no rollback overlaps a step that is being interrupted. Returns an answer for each id, in their
   * order, and then one for each other workflow that was cancelled as a descendant.
   */
  readonly cancel: (
    workflowIds: ReadonlyArray<string>,
    options: { readonly reason: string; readonly childReason: string; readonly children: boolean }
  ) => Effect.Effect<ReadonlyArray<CancelAnswer>, StoreError>

  /**
   * Makes cancelled (uncompensated), dead-lettered and blocked workflows due again: one that was enqueued waits in its
   * queue again, under its deduplication id, as if enqueued now. A deadline that has passed is dropped.
   * A cancelled one is `held` as long as it is named as `revoked` to an executor whose lease is good, so that no step
   * overlaps one that is being interrupted.
   */
  readonly resume: (workflowIds: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<ResumeAnswer>, StoreError>

  readonly get: (workflowId: string) => Effect.Effect<WorkflowRow | null, StoreError>
  readonly list: (filter: ListFilter) => Effect.Effect<ReadonlyArray<WorkflowRow>, StoreError>
  /** In the order of calls. `page`: those with an id above `after`, at most `limit`. */
  readonly steps: (
    workflowId: string,
    page?: { readonly after: number; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<StepRow>, StoreError>

  /**
   * Of these ids: the outcomes of those that are done (phase `done`), those that are blocked (status `BLOCKED`), and those
   * that do not exist. One statement for all waiters.
   */
  readonly outcomes: (workflowIds: ReadonlyArray<string>) => Effect.Effect<
    {
      readonly done: ReadonlyArray<Outcome>
      readonly blocked: ReadonlyArray<Outcome>
      readonly unknown: ReadonlyArray<string>
    },
    StoreError
  >

  /**
   * Runs `body` in a transaction of the `SqlClient` in its context, which must be of the store's database; then asks
   * `record` for the record to write, and writes it, fenced by the epoch, as the transaction's last statement.
   *
   * Fails with the body's own error (rolled back), a {@link TransactionAborted}, or a `SqlError` that is neither a
   * conflict nor a lost connection.
   */
  readonly transaction: <A, E, R>(
    workflowId: string,
    epoch: number,
    body: Effect.Effect<A, E, R>,
    record: (value: A) => Effect.Effect<StepRecord, E>,
    options: TransactionOptions
  ) => Effect.Effect<A, E | TransactionAborted | SqlError | StoreError, R>

  /**
   * Starts and sends within the transaction of the `SqlClient` in the context, which must be of the store's database:
   * all of it is there when that transaction commits, and nothing of it otherwise. No row that was there before stays
   * locked by it. Starts have no owner, and one that is debounced may be answered `Duplicate` instead of moving another; so
   * may any whose deduplication id is that of a debounced one whose delay is over, and that nobody has claimed yet. A
   * message goes out after the commit, at the latest with the next sweep; one whose destination has ended by then is
   * dropped.
   *
   * Fails with `TransactionAborted` (`foreign`; `nested`: there is no transaction) or with what the database says.
   */
  readonly within: (
    starts: ReadonlyArray<Start>,
    sends: ReadonlyArray<Send>
  ) => Effect.Effect<
    {
      readonly starts: ReadonlyArray<StartAnswer>
      /** Of each send, why it cannot be delivered; null: it can. */
      readonly sends: ReadonlyArray<SendRefusal | null>
    },
    TransactionAborted | SqlError | StoreError,
    SqlClient
  >

  /**
   * Sends hints to everybody else who listens, here and in other processes, gathered, off the write path. `by`: the
   * listener who sends them, and does not hear them. Never fails: a hint may be lost.
   */
  readonly hint: (hints: ReadonlyArray<Hint>, by: string) => Effect.Effect<void>

  /**
   * The hints of everybody but the listener. Ends only by failing; after a failure the listener must be opened again, and
   * everything polled once. Without a channel between processes (a transaction pooler) it tells those of this one.
   *
   * `begun` is run once when it hears: what was committed before is to be looked for then, for nobody tells of it any more.
   */
  readonly hints: (listener: string, begun?: Effect.Effect<void>) => Stream.Stream<Hint, StoreError>
}

/** The store that the engine writes to. Provided by `SqliteStore.layer` or `PostgresStore.layer`. */
export class Store extends Context.Service<Store, StoreService>()("perdure/Store") {}
