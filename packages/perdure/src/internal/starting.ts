/**
 * Starting a workflow: everything that may be refused is refused before anything is written, then one keyed write
 * decides, then the handle exists.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Auth from "../Auth.ts"
import type { Answer, Start } from "../Store.ts"
import {
  EngineStopped,
  InvalidArgument,
  TransactionMisused,
  WorkflowConflict,
  WorkflowError,
  WorkflowUnauthorized
} from "../WorkflowError.ts"
import * as WorkflowId from "../WorkflowId.ts"
import * as WorkflowTimeout from "../WorkflowTimeout.ts"
import * as Codec from "./codec.ts"
import type { Begun, Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import { checkWorkflowId, positiveDurationMs } from "./names.ts"
import * as TraceParent from "./traceParent.ts"

/** What a call may say about a start. */
export interface StartOptions {
  readonly workflowId?: string | undefined
  readonly timeout?: Duration.Input | undefined
  readonly detached?: boolean | undefined
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
 * The start that a call asks for, in this context. Throws a `WorkflowError` for what is refused: a bad id,
 * a timeout that is not positive, a payload that cannot be stored, a missing role.
 */
export const startOf = (
  core: Core,
  context: Context.Context<never>,
  definition: Definition,
  payload: unknown,
  options: StartOptions,
  parent: Parent | undefined
): Start => {
  if (core.store.name === "sqlite" && isInTransaction(context)) throw inTransaction()
  const encoded = definition.payload.encode(payload, `payload of workflow "${definition.name}"`)
  const principal = Context.get(context, Auth.Current)
  const assumedRole = assume(definition, principal)
  const given = options.workflowId ??
    WorkflowId.take(Context.get(context, WorkflowId.Current), definition.name, encoded)
  const workflowId = given === undefined ? parent?.childId ?? crypto.randomUUID() : checkWorkflowId(given)
  const timeout = options.timeout ?? Context.get(context, WorkflowTimeout.Current)
  const timeoutMs = timeout === undefined ? definition.timeoutMs : positiveDurationMs("timeout", timeout)
  const runsHere = core.executor !== undefined && core.executor.accepting() &&
    core.executor.registered(definition.name) !== undefined
  return {
    _tag: "Start",
    workflowId,
    token: crypto.randomUUID(),
    name: definition.name,
    version: core.settings.version,
    payload: encoded,
    codec: Codec.CODEC,
    owner: runsHere ? core.executor!.incarnation() : null,
    queue: null,
    delayMs: null,
    attributes: {},
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

/** SQLite has one writer: a start that waited for the transaction that waits for it would wait for ever. */
export const isInTransaction = (context: Context.Context<never>): boolean => {
  const sql = Context.getOption(context, SqlClient.SqlClient)
  return sql._tag === "Some" && Context.getOption(context, sql.value.transactionService)._tag === "Some"
}

const inTransaction = (): WorkflowError =>
  new WorkflowError({
    reason: new TransactionMisused({ why: "nested", detail: "a workflow was started within an SqlClient transaction" })
  })

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

/** Writes the start. Succeeds with its id when it is durable, or was already there. */
export const submitStart = (core: Core, start: Start): Effect.Effect<string, WorkflowError> =>
  Effect.callback<Answer>((resume) => {
    core.journal.submit(start, (answer) => {
      // Here, not after the caller has been told: an interrupted caller must not leave a workflow that nobody runs.
      if (answer._tag === "Started") began(core, start)
      resume(Effect.succeed(answer))
    })
  }).pipe(
    Effect.flatMap((answer) => {
      switch (answer._tag) {
        case "Started":
          return Effect.as(
            start.owner === null ? core.store.hint([{ _tag: "Due", name: start.name }]) : Effect.void,
            start.workflowId
          )
        case "Exists":
          return answer.same ? Effect.succeed(start.workflowId) : Effect.fail(conflict(start, answer.name))
        case "Rejected":
          return Effect.fail(refused(answer.detail))
        default:
          return Effect.fail(
            new WorkflowError({ reason: new EngineStopped({ detail: `the store answered ${answer._tag}` }) })
          )
      }
    })
  )

/** The engine runs what it has started, whatever becomes of the caller. */
export const began = (core: Core, start: Start): void => {
  if (start.owner === null || start.startedAt === null || core.executor === undefined) return
  const deadlines = [start.deadlineAt, start.timeoutMs === null ? null : start.startedAt + start.timeoutMs]
    .filter((at) => at !== null)
  const begun: Begun = {
    workflowId: start.workflowId,
    name: start.name,
    incarnation: start.owner,
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

const refused = (detail: string): WorkflowError =>
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
