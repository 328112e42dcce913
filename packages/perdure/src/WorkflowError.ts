/**
 * The one error of the engine: {@link WorkflowError}, with a `reason` that says what happened.
 *
 * Signatures stay `Effect<A, E | WorkflowError, ...>`; `Effect.catchReason("WorkflowError", "WorkflowNotFound", ...)`
 * picks one reason. Each reason has a `message` of problem, detail and remedy.
 */
import * as Schema from "effect/Schema"
import { FailureDetail, StepFailed } from "./StepFailed.ts"
import type { StoreError } from "./Store.ts"

const quote = (text: string): string => JSON.stringify(text)

// -----------------------------------------------------------------------------
// reasons: how a workflow ended, or cannot go on
// -----------------------------------------------------------------------------

/** No workflow has this id: it was never started, or it was deleted. */
export class WorkflowNotFound extends Schema.TaggedError<WorkflowNotFound>()("WorkflowNotFound", {
  workflowId: Schema.String
}) {
  override get message(): string {
    return `There is no workflow with the id ${quote(this.workflowId)}. ` +
      "Check the id, and that this process uses the store in which the workflow was started."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The id is taken by a workflow of another name, or of the same name with another input. Nothing was started. */
export class WorkflowConflict extends Schema.TaggedError<WorkflowConflict>()("WorkflowConflict", {
  workflowId: Schema.String,
  name: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The workflow id ${quote(this.workflowId)} is taken by another start of ${
      quote(this.name)
    }: ${this.detail}. ` +
      "Use an id of its own for each input; the same id with the same name and input attaches to the first."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The workflow was cancelled: by a user, by its deadline, or with its parent. Terminal, but may be resumed. */
export class WorkflowCancelled extends Schema.TaggedError<WorkflowCancelled>()("WorkflowCancelled", {
  workflowId: Schema.String,
  by: Schema.Literals(["user", "timeout", "parent"]),
  detail: Schema.String
}) {
  override get message(): string {
    const why =
      { user: "on request", timeout: "because its deadline passed", parent: "together with its parent" }[this.by]
    return `The workflow ${quote(this.workflowId)} was cancelled ${why}${this.detail === "" ? "" : `: ${this.detail}`}.`
  }
  get isRetryable(): boolean {
    return false
  }
}

/**
 * The workflow ended in `ERROR` with something that its `error` schema does not cover: a defect, a {@link StepFailed}
 * or a {@link WorkflowError} of its body. What the schema covers reaches the caller as itself, not as this.
 *
 * *Details*
 *
 * - `kind`: whether the body failed with an error, died of a defect, or interrupted itself.
 * - `cause`: the failure, rendered.
 * - `stepFailed`: the {@link StepFailed} that ended the body, when it was one.
 */
export class WorkflowFailed extends Schema.TaggedError<WorkflowFailed>()("WorkflowFailed", {
  workflowId: Schema.String,
  name: Schema.String,
  kind: Schema.Literals(["failure", "defect", "interrupted"]),
  cause: FailureDetail,
  stepFailed: Schema.optionalKey(StepFailed)
}) {
  override get message(): string {
    const how = {
      failure: "failed with",
      defect: "died of",
      interrupted: "interrupted itself:"
    }[this.kind]
    const where = this.stepFailed === undefined ? "" : ` in step ${quote(this.stepFailed.step)}`
    const what = this.stepFailed === undefined ? this.cause.tag : this.stepFailed.tag
    return `The workflow ${quote(this.name)} with the id ${quote(this.workflowId)} ${how} ${what}${where}` +
      (this.cause.message === "" ? "." : `: ${this.cause.message}`)
  }
  get isRetryable(): boolean {
    return false
  }
}

/** Executors died while running the workflow, more often than it may be recovered. Nothing runs until it is resumed. */
export class WorkflowDeadLettered extends Schema.TaggedError<WorkflowDeadLettered>()("WorkflowDeadLettered", {
  workflowId: Schema.String,
  attempts: Schema.Number,
  detail: Schema.String
}) {
  override get message(): string {
    return `The workflow ${quote(this.workflowId)} was given up after ${this.attempts} recovery attempts` +
      `${this.detail === "" ? "" : `: ${this.detail}`}. Find out what ends its executors, then resume it.`
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The workflow's code and its history disagree. Nothing runs until code that fits is deployed and it is resumed. */
export class WorkflowBlocked extends Schema.TaggedError<WorkflowBlocked>()("WorkflowBlocked", {
  workflowId: Schema.String,
  expected: Schema.String,
  actual: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The code of the workflow ${quote(this.workflowId)} does not fit its history: ` +
      `expected ${this.expected}, found ${this.actual}${this.detail === "" ? "" : ` (${this.detail})`}. ` +
      "Deploy code that fits (Workflow.patch, renamed), then resume it."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The authenticated user lacks the roles that the workflow asks for. Nothing was started. */
export class WorkflowUnauthorized extends Schema.TaggedError<WorkflowUnauthorized>()("WorkflowUnauthorized", {
  name: Schema.String,
  user: Schema.NullOr(Schema.String),
  requiredRoles: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const who = this.user === null
      ? "Nobody is authenticated, and"
      : `The user ${quote(this.user)} has no role by which`
    return `${who} the workflow ${quote(this.name)} may be started; it asks for one of: ${
      this.requiredRoles.join(", ")
    }.`
  }
  get isRetryable(): boolean {
    return false
  }
}

// -----------------------------------------------------------------------------
// reasons: what was asked for is wrong
// -----------------------------------------------------------------------------

/** An argument was refused before anything durable happened. */
export class InvalidArgument extends Schema.TaggedError<InvalidArgument>()("InvalidArgument", {
  argument: Schema.String,
  detail: Schema.String,
  remedy: Schema.String
}) {
  override get message(): string {
    return `Invalid ${this.argument}: ${this.detail}. ${this.remedy}`
  }
  get isRetryable(): boolean {
    return false
  }
}

/** A value cannot be stored so that it would come back the same. */
export class Unencodable extends Schema.TaggedError<Unencodable>()("Unencodable", {
  what: Schema.String,
  /** Where in the value, as in `items[0].at`; empty for the value as a whole. */
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The ${this.what} cannot be stored${this.path === "" ? "" : `, at ${this.path}`}: ${this.detail}.`
  }
  get isRetryable(): boolean {
    return false
  }
}

/** A value is over the size limit. Nothing of it was written. */
export class PayloadTooLarge extends Schema.TaggedError<PayloadTooLarge>()("PayloadTooLarge", {
  what: Schema.String,
  /** Bytes of UTF-8. For a value far above the limit counting stops early: then it is at least this. */
  sizeBytes: Schema.Number,
  limitBytes: Schema.Number
}) {
  override get message(): string {
    return `The ${this.what} is too large: ${this.sizeBytes} bytes or more, the limit is ${this.limitBytes}. ` +
      "Keep large data elsewhere and store a reference to it."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** A name was used twice where it has to be unique, so that a replay could not tell which was which. Comes as a defect. */
export class NameRepeated extends Schema.TaggedError<NameRepeated>()("NameRepeated", {
  name: Schema.String,
  branch: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    const where = this.branch === "" ? "the workflow's body" : `the branch ${quote(this.branch)}`
    return `The name ${
      quote(this.name)
    } is used twice in ${where}: ${this.detail}. Give each use a name or a "key" of ` +
      "its own, or branch with Workflow.forEach, Workflow.all, Workflow.race or Workflow.fork."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The deduplication id is taken in the queue by a workflow that has not ended. Nothing was enqueued. */
export class DuplicateEnqueued extends Schema.TaggedError<DuplicateEnqueued>()("DuplicateEnqueued", {
  queue: Schema.String,
  deduplicationId: Schema.String,
  /** The workflow that has it, and its name. */
  workflowId: Schema.String,
  name: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The deduplication id ${quote(this.deduplicationId)} is taken in the queue ${quote(this.queue)} by ${
      quote(this.workflowId)
    }${this.detail === "" ? "" : `, ${this.detail}`}. ` +
      "Wait until that workflow has ended, use another id, or attach to it (onDuplicate: \"attach\")."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** There is no schedule of this name. Nothing was done. */
export class ScheduleNotFound extends Schema.TaggedError<ScheduleNotFound>()("ScheduleNotFound", {
  name: Schema.String
}) {
  override get message(): string {
    return `There is no schedule named ${quote(this.name)}. Check the name; it may have been deleted.`
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The name of a schedule is taken. Nothing was created. */
export class ScheduleExists extends Schema.TaggedError<ScheduleExists>()("ScheduleExists", {
  name: Schema.String
}) {
  override get message(): string {
    return `There is a schedule named ${quote(this.name)} already. Choose another name, or update that one.`
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The queue does not exist, or is not empty where it has to be. Nothing was done. */
export class QueueRefused extends Schema.TaggedError<QueueRefused>()("QueueRefused", {
  name: Schema.String,
  why: Schema.Literals(["unknown", "occupied"])
}) {
  override get message(): string {
    return this.why === "unknown"
      ? `There is no queue named ${quote(this.name)}. Check the name; it may have been deleted.`
      : `The queue ${quote(this.name)} is not empty, so it was not deleted. Let its workflows end, or cancel them.`
  }
  get isRetryable(): boolean {
    return false
  }
}

/** Something that is neither recorded nor the same on a replay was asked for in a workflow's body. Nothing was done. */
export class NotInBody extends Schema.TaggedError<NotInBody>()("NotInBody", {
  operation: Schema.String
}) {
  override get message(): string {
    return `${this.operation} was called in a workflow's body, where its answer would not be recorded. ` +
      "Call it in a step: Step.run(name, ...)."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** A workflow's history is as long as the engine allows (`maxSteps`): the operation was not begun. */
export class TooManySteps extends Schema.TaggedError<TooManySteps>()("TooManySteps", {
  operation: Schema.String,
  limit: Schema.Number
}) {
  override get message(): string {
    return `A workflow has at most ${this.limit} durable operations, and ${this.operation} is one more. A loop goes on ` +
      "with continueAsNew, much work is done by children; or raise the engine's maxSteps."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The workflow is not done (or one of its children is not, where they were to go too), so it was not deleted. */
export class NotDeletable extends Schema.TaggedError<NotDeletable>()("NotDeletable", {
  workflowId: Schema.String,
  status: Schema.String
}) {
  override get message(): string {
    return `The workflow ${quote(this.workflowId)} or one of its family is ${this.status} and was not deleted. ` +
      "Cancel it first, and wait until its rollbacks have run."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The workflow does not wait for its start any more (or is in no queue), so its place in a queue cannot be changed. */
export class NotWaiting extends Schema.TaggedError<NotWaiting>()("NotWaiting", {
  workflowId: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The start of the workflow ${quote(this.workflowId)} cannot be changed: ${this.detail}.`
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The workflow cannot be resumed from where it is. */
export class NotResumable extends Schema.TaggedError<NotResumable>()("NotResumable", {
  workflowId: Schema.String,
  status: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The workflow ${quote(this.workflowId)} is ${this.status} and cannot be resumed: ${this.detail}.`
  }
  get isRetryable(): boolean {
    return false
  }
}

/** A transaction was used in a way that would break the promise that its record commits with its SQL. */
export class TransactionMisused extends Schema.TaggedError<TransactionMisused>()("TransactionMisused", {
  /**
   * `nested`: within another transaction; `foreign`: on another database than the store's; `timeout`: open too long;
   * `waits`: for what happens only after its commit; `ended`: by a `COMMIT` or `ROLLBACK` of its own, or, on
   * PostgreSQL, by a statement that failed and whose error the effect caught.
   */
  why: Schema.Literals(["nested", "foreign", "timeout", "waits", "ended"]),
  detail: Schema.String
}) {
  override get message(): string {
    const committed = this.why === "ended" ? "is not recorded as done" : "nothing of it is committed"
    const remedy = {
      ended:
        "Leave BEGIN, COMMIT and ROLLBACK to it: fail to undo it, and run what may fail within it by withTransaction.",
      waits: "Start it in the transaction, and wait for it after the commit.",
      nested: "Run one Transaction at a time, and none inside an SqlClient transaction of your own.",
      foreign: "Provide the SqlClient of the store's own database, or use Transaction.runElsewhere for another.",
      timeout: "Keep slow work out of the transaction, or raise its timeout."
    }[this.why]
    return `The transaction was refused and ${committed} (${this.why}): ${this.detail}. ${remedy}`
  }
  get isRetryable(): boolean {
    return false
  }
}

/** A workflow of this name is registered with this engine already. */
export class AlreadyRegistered extends Schema.TaggedError<AlreadyRegistered>()("AlreadyRegistered", {
  name: Schema.String
}) {
  override get message(): string {
    return `A workflow named ${quote(this.name)} is registered with this engine already. ` +
      "Provide its layer once, or give one of the two another name."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** Something that belongs in a workflow's body, or in a step of it, was asked for elsewhere. Nothing was done. */
export class OutsideWorkflow extends Schema.TaggedError<OutsideWorkflow>()("OutsideWorkflow", {
  operation: Schema.String,
  detail: Schema.String,
  remedy: Schema.String
}) {
  override get message(): string {
    return `${this.operation} was asked for where it cannot be done: ${this.detail}. ${this.remedy}`
  }
  get isRetryable(): boolean {
    return false
  }
}

// -----------------------------------------------------------------------------
// reasons: what workflows tell each other
// -----------------------------------------------------------------------------

/** Nobody will receive the message. Nothing was sent; of several messages sent together, none was. */
export class MessageUndeliverable extends Schema.TaggedError<MessageUndeliverable>()("MessageUndeliverable", {
  workflowId: Schema.String,
  topic: Schema.String,
  /** `unknown`: there is no such workflow. `ended`: it is done, or only its rollbacks are left. */
  why: Schema.Literals(["unknown", "ended"])
}) {
  override get message(): string {
    const [problem, remedy] = this.why === "unknown"
      ? ["there is no such workflow", "Check the id, and start the workflow before sending to it."]
      : ["it has ended", "Ask for its result, or start another workflow."]
    return `The message of topic ${quote(this.topic)} cannot be delivered to the workflow ${quote(this.workflowId)}: ` +
      `${problem}. ${remedy}`
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The destination has another message with this idempotency key. Nothing was sent. */
export class MessageConflict extends Schema.TaggedError<MessageConflict>()("MessageConflict", {
  workflowId: Schema.String,
  topic: Schema.String,
  idempotencyKey: Schema.String
}) {
  override get message(): string {
    return `The workflow ${quote(this.workflowId)} has a message with the idempotency key ` +
      `${quote(this.idempotencyKey)} already, and that one has another topic or another payload. ` +
      "Use a key of its own for each message; the same key with the same message delivers it once."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** A stored value does not fit the schema with which it is read: it was written by other code, or in another language. */
export class Undecodable extends Schema.TaggedError<Undecodable>()("Undecodable", {
  what: Schema.String,
  /** Where in the value, as in `items[0].at`; empty for the value as a whole. */
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The ${this.what} does not fit its schema${this.path === "" ? "" : `, at ${this.path}`}: ${this.detail}. ` +
      "Write it with the schema that reads it, or read it with one that takes both."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The workflow has ended without setting the event, so it never will be set. */
export class EventNeverSet extends Schema.TaggedError<EventNeverSet>()("EventNeverSet", {
  workflowId: Schema.String,
  key: Schema.String
}) {
  override get message(): string {
    return `The workflow ${quote(this.workflowId)} has ended without setting the event ${quote(this.key)}. ` +
      "Ask for its result to learn how it ended, and check the event's key."
  }
  get isRetryable(): boolean {
    return false
  }
}

/** The stream was closed: nothing is written after that. */
export class StreamClosed extends Schema.TaggedError<StreamClosed>()("StreamClosed", {
  key: Schema.String
}) {
  override get message(): string {
    return `The stream ${quote(this.key)} is closed, so nothing more can be written to it. ` +
      "Close it after its last entry, or write to another stream."
  }
  get isRetryable(): boolean {
    return false
  }
}

// -----------------------------------------------------------------------------
// reasons: may pass by itself
// -----------------------------------------------------------------------------

/** The result was not there within the time that the caller wanted to wait. The workflow goes on. */
export class ResultTimeout extends Schema.TaggedError<ResultTimeout>()("ResultTimeout", {
  workflowId: Schema.String
}) {
  override get message(): string {
    return `The workflow ${quote(this.workflowId)} had no result in time. It goes on; ask again later.`
  }
  get isRetryable(): boolean {
    return true
  }
}

/** The store failed. Whether a write that failed so was made is unknown; the same call again is safe with a workflow id. */
export class StoreFailed extends Schema.TaggedError<StoreFailed>()("StoreFailed", {
  detail: Schema.String,
  retryable: Schema.Boolean
}) {
  override get message(): string {
    // What a database says may end by itself.
    return `The store failed: ${/[.?!]$/.test(this.detail) ? this.detail : `${this.detail}.`} ` +
      (this.retryable ? "Try again; with the same workflow id nothing is started twice." : "This needs a person.")
  }
  get isRetryable(): boolean {
    return this.retryable
  }
}

/** This engine is stopping or has lost its lease. Workflows go on elsewhere, or when an executor is back. */
export class EngineStopped extends Schema.TaggedError<EngineStopped>()("EngineStopped", {
  detail: Schema.String
}) {
  override get message(): string {
    return `This engine has stopped: ${this.detail}. Its workflows are recovered by the next executor.`
  }
  get isRetryable(): boolean {
    return true
  }
}

// -----------------------------------------------------------------------------
// the error
// -----------------------------------------------------------------------------

/** Every {@link Reason} as a schema. */
export const Reason = Schema.Union([
  WorkflowNotFound,
  WorkflowConflict,
  WorkflowCancelled,
  WorkflowFailed,
  WorkflowDeadLettered,
  WorkflowBlocked,
  WorkflowUnauthorized,
  InvalidArgument,
  Unencodable,
  PayloadTooLarge,
  NameRepeated,
  ResultTimeout,
  DuplicateEnqueued,
  NotResumable,
  NotDeletable,
  NotWaiting,
  NotInBody,
  TooManySteps,
  QueueRefused,
  ScheduleNotFound,
  ScheduleExists,
  TransactionMisused,
  StoreFailed,
  EngineStopped,
  AlreadyRegistered,
  OutsideWorkflow,
  MessageUndeliverable,
  MessageConflict,
  Undecodable,
  EventNeverSet,
  StreamClosed
])
export type Reason = typeof Reason.Type

/**
 * What the engine fails with. Look at `reason._tag`; `message` and `isRetryable` are the reason's.
 *
 * *Details*
 *
 * `isRetryable` is true for a {@link StoreFailed} that may pass, {@link ResultTimeout} and {@link EngineStopped}; the
 * same call made again may then succeed. Everything else needs another argument, another deploy, or a person.
 */
export class WorkflowError extends Schema.TaggedError<WorkflowError>()("WorkflowError", {
  reason: Reason
}) {
  override readonly cause = this.reason
  override get message(): string {
    return this.reason.message
  }
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
}

/** Whether a value is a {@link WorkflowError}. */
export const isWorkflowError: (value: unknown) => value is WorkflowError = Schema.is(WorkflowError)

/** The {@link WorkflowError} of a store's failure. */
export const fromStoreError = (error: StoreError): WorkflowError =>
  new WorkflowError({ reason: new StoreFailed({ detail: error.message, retryable: error.isRetryable }) })
