/**
 * Starting a workflow: everything that may be refused is refused before anything is written, then one keyed write
 * decides, then the handle exists.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Auth from "../Auth.ts"
import type { Answer, Start, StartMany } from "../Store.ts"
import {
  DuplicateEnqueued,
  EngineStopped,
  InvalidArgument,
  WorkflowConflict,
  WorkflowError,
  WorkflowUnauthorized
} from "../WorkflowError.ts"
import * as WorkflowId from "../WorkflowId.ts"
import * as WorkflowTimeout from "../WorkflowTimeout.ts"
import { type Attributes, checkAttributes } from "./attributes.ts"
import * as Codec from "./codec.ts"
import type { Begun, Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import type { Place } from "./enqueuing.ts"
import { tell } from "./hearing.ts"
import { checkKey, checkWorkflowId, durationMs, positiveDurationMs } from "./names.ts"
import * as TraceParent from "./traceParent.ts"
import { checkStart, isPart } from "./transactions.ts"

/** What a call may say about a start. */
export interface StartOptions {
  readonly workflowId?: string | undefined
  readonly timeout?: Duration.Input | undefined
  readonly detached?: boolean | undefined
  readonly delay?: Duration.Input | undefined
  readonly version?: string | undefined
  readonly attributes?: Attributes | undefined
}

/** The parent of a child, as its start needs it. */
export interface Parent {
  readonly workflowId: string
  readonly stepId: number
  readonly deadlineAt: number | undefined
  /** The id for a child that is not given one. */
  readonly childId: string
}

/**
 * The start that a call asks for, in this context, in a queue where it has a place in one. Throws a `WorkflowError` for
 * what is refused: a bad id, a timeout that is not positive, a payload that cannot be stored, a missing role.
 */
export const startOf = (
  core: Core,
  context: Context.Context<never>,
  definition: Definition,
  payload: unknown,
  options: StartOptions,
  parent: Parent | undefined,
  place?: Place
): Start => {
  checkStart(core, context)
  const encoded = definition.payload.encode(payload, `payload of workflow "${definition.name}"`)
  const principal = Context.get(context, Auth.Current)
  const assumedRole = assume(definition, principal)
  const given = options.workflowId ??
    WorkflowId.take(Context.get(context, WorkflowId.Current), definition.name, encoded)
  const workflowId = given === undefined ? parent?.childId ?? crypto.randomUUID() : checkWorkflowId(given)
  const timeout = options.timeout ?? Context.get(context, WorkflowTimeout.Current)
  const timeoutMs = timeout === undefined ? definition.timeoutMs : positiveDurationMs("timeout", timeout)
  const version = versionOf(core, place === undefined ? options.version : place.version)
  const delayMs = delayOf(place === undefined ? options.delay : place.delay)
  const runsHere = place === undefined && delayMs === null && version === core.settings.version &&
    !isPart(context) && core.executor?.registered(definition.name) !== undefined
  return {
    _tag: "Start",
    workflowId,
    token: crypto.randomUUID(),
    epoch: core.clock.firstEpoch(),
    name: definition.name,
    version,
    payload: encoded,
    codec: Codec.CODEC,
    owner: runsHere ? core.executor!.incarnation() : null,
    queue: place?.enqueued ?? null,
    delayMs,
    attributes: checkAttributes(options.attributes),
    schedule: null,
    trace: TraceParent.current(context),
    startedAt: runsHere ? core.clock.now() : null,
    user: principal.user ?? null,
    roles: principal.roles,
    assumedRole,
    parentId: parent?.workflowId ?? null,
    parentStepId: parent?.stepId ?? null,
    detached: options.detached === true,
    timeoutMs: timeoutMs ?? null,
    // A timeout of its own replaces the parent's deadline.
    deadlineAt: timeoutMs === undefined && options.detached !== true ? parent?.deadlineAt ?? null : null,
    maxRecoveryAttempts: definition.maxRecoveryAttempts
  }
}

const versionOf = (core: Core, version: string | undefined): string =>
  version === undefined ? core.settings.version : version === "" ? "" : checkKey(version, "version")

const delayOf = (delay: Duration.Input | undefined): number | null => {
  const ms = delay === undefined ? 0 : durationMs("delay", delay)
  return ms === 0 ? null : ms
}

const assume = (definition: Definition, principal: Auth.Principal): string | null => {
  if (definition.requiredRoles.length === 0) return null
  const role = definition.requiredRoles.find((required) => principal.roles.includes(required))
  if (role !== undefined) return role
  throw new WorkflowError({
    reason: new WorkflowUnauthorized({
      name: definition.name,
      user: principal.user ?? null,
      requiredRoles: [...definition.requiredRoles]
    })
  })
}

/**
 * The starts as they are written: owned by this process as far as it has room. The others are for whoever claims them. To be
 * submitted at once: what is under way counts from then on.
 */
export const housed = (core: Core, starts: ReadonlyArray<Start>): ReadonlyArray<Start> => {
  let room = core.executor?.room() ?? 0
  return starts.map((start) => start.owner === null || room-- > 0 ? start : { ...start, owner: null, startedAt: null })
}

/** Writes the operation of a start; the answer, when it is durable. */
export const submitted = (core: Core, operation: Start | StartMany): Effect.Effect<Answer> =>
  Effect.callback<Answer>((resume) => {
    const sent = operation._tag === "Start" ? housed(core, [operation])[0]! : operation
    core.journal.submit(sent, (answer) => {
      // Here, not after the caller has been told: an interrupted caller must not leave a workflow that nobody runs.
      if (answer._tag === "Started" && sent._tag === "Start") {
        began(core, sent)
        // The caller does not know that it has no owner.
        if (sent !== operation) core.fork(announce(core, [sent]))
      }
      resume(Effect.succeed(answer))
    })
  })

/** Writes the start. Succeeds with its id when it is durable, or was already there. */
export const submitStart = (core: Core, start: Start): Effect.Effect<string, WorkflowError> =>
  Effect.flatMap(submitted(core, start), (answer) => idFrom(core, start, answer, "attach"))

/** What the answer to a start means for whoever asked for it: an id, or a refusal. */
export const idFrom = (
  core: Core,
  start: Start,
  answer: Answer,
  onDuplicate: "attach" | "fail"
): Effect.Effect<string, WorkflowError> => {
  switch (answer._tag) {
    case "Started":
      return Effect.as(announce(core, [start]), start.workflowId)
    case "Exists":
      return answer.same ? Effect.succeed(start.workflowId) : Effect.fail(conflict(start, answer.name))
    case "Duplicate":
      return onDuplicate === "attach" && answer.name === start.name
        ? Effect.succeed(answer.workflowId)
        : Effect.fail(duplicate(start, answer.workflowId, answer.name))
    case "Debounced":
      // It may be due earlier than whoever waits for it knows.
      return Effect.as(announce(core, [start]), answer.workflowId)
    case "Rejected":
      return Effect.fail(refused(answer.detail))
    default:
      return Effect.fail(unexpected(answer))
  }
}

/** Somebody shall look at once for what was started without an owner: this process, and others. */
export const announce = (core: Core, starts: ReadonlyArray<Start>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const names = new Set<string>()
    for (const start of starts) if (start.owner === null) names.add(start.name)
    return tell(core, [...names].map((name) => ({ _tag: "Due", name })))
  })

/** The engine runs what it has started, whatever becomes of the caller. */
export const began = (core: Core, start: Start): void => {
  if (start.owner === null || start.startedAt === null || core.executor === undefined) return
  const deadlines = [start.deadlineAt, start.timeoutMs === null ? null : start.startedAt + start.timeoutMs]
    .filter((at) => at !== null)
  const begun: Begun = {
    workflowId: start.workflowId,
    name: start.name,
    incarnation: start.owner,
    epoch: start.epoch,
    payload: start.payload,
    startedAt: start.startedAt,
    deadlineAt: deadlines.length === 0 ? null : Math.min(...deadlines),
    user: start.user,
    roles: start.roles,
    assumedRole: start.assumedRole,
    parentId: start.parentId,
    trace: start.trace
  }
  core.executor.began(begun)
}

export const conflict = (start: Start, name: string): WorkflowError =>
  new WorkflowError({
    reason: new WorkflowConflict({
      workflowId: start.workflowId,
      name,
      detail: name === start.name ? "its input is another" : `this start is of "${start.name}"`
    })
  })

/** The deduplication id is another workflow's. */
export const duplicate = (start: Start, workflowId: string, name: string): WorkflowError =>
  new WorkflowError({
    reason: new DuplicateEnqueued({
      queue: start.queue?.queue ?? "",
      deduplicationId: start.queue?.deduplicationId ?? "",
      workflowId,
      name,
      detail: name === start.name ? "" : `a workflow "${name}", while this is one of "${start.name}"`
    })
  })

/** An answer that says that the engine was closed before there was one, or that the store is not what it should be. */
export const unexpected = (answer: Answer): WorkflowError =>
  new WorkflowError({
    reason: new EngineStopped({
      detail: answer._tag === "Fenced"
        ? "its scope was closed before this was known to be written"
        : `the store answered ${answer._tag}`
    })
  })

export const refused = (detail: string): WorkflowError =>
  new WorkflowError({
    reason: new InvalidArgument({
      argument: "payload or id",
      detail: `the database refuses it: ${detail}`,
      remedy: "Give values that it can hold."
    })
  })

/** What the code threw, as the failure that it is. */
export const attemptSync = <A>(f: () => A): Effect.Effect<A, WorkflowError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(f())
    } catch (error) {
      return error instanceof WorkflowError ? Effect.fail(error) : Effect.die(error)
    }
  })
