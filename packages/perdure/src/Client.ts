/**
 * Workflows seen from outside, whatever their definition: look, list, wait, cancel, resume. The same from an engine that
 * runs workflows and from one that does not.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine } from "./Engine.ts"
import * as Awaiting from "./internal/awaiting.ts"
import * as Codec from "./internal/codec.ts"
import type { Definition } from "./internal/definition.ts"
import * as Events from "./internal/events.ts"
import type { EventInfo } from "./internal/events.ts"
import * as Managing from "./internal/managing.ts"
import type { StepInfo, WorkflowInfo } from "./internal/managing.ts"
import { attemptSync } from "./internal/starting.ts"
import { InvalidArgument, WorkflowError } from "./WorkflowError.ts"
import { WorkflowStatus } from "./WorkflowStatus.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

export type { EventInfo } from "./internal/events.ts"

export * as schedules from "./client/schedules.ts"
export type { StepInfo, WorkflowInfo } from "./internal/managing.ts"

/** Which workflows. What is not given does not restrict. */
export interface ListOptions {
  readonly status?: WorkflowStatus | ReadonlyArray<WorkflowStatus>
  readonly name?: string
  readonly idPrefix?: string
  readonly parentId?: string
  /** Created at or after. */
  readonly from?: Date
  /** Created before. */
  readonly to?: Date
  /** By creation. Default: newest first. */
  readonly order?: "asc" | "desc"
  /** 1 to 1,000. Default: 100. */
  readonly limit?: number
  /** The `cursor` of the page before. */
  readonly cursor?: string
}

/** A page of workflows. */
export interface Page {
  readonly workflows: ReadonlyArray<WorkflowInfo>
  /** For the next page; undefined: this was the last. */
  readonly cursor: string | undefined
}

/** How to cancel. */
export interface CancelOptions {
  /** Also the children that are not detached, however deep. Default: true. */
  readonly children?: boolean
  /** Stored with the workflow, for people. */
  readonly detail?: string
}

// -----------------------------------------------------------------------------
// operations
// -----------------------------------------------------------------------------

/** One workflow. Fails with `WorkflowNotFound`. */
export const get = (workflowId: string): Effect.Effect<WorkflowInfo, WorkflowError, Engine> =>
  Effect.flatMap(Engine, ({ core }) => Managing.get(core, workflowId))

/** A page of workflows, by creation and id, so that a page is never cut or doubled by what is started meanwhile. */
export const list = (options: ListOptions = {}): Effect.Effect<Page, WorkflowError, Engine> =>
  Effect.gen(function*() {
    const { core } = yield* Engine
    const limit = options.limit ?? 100
    const filter = yield* attemptSync(() => filterOf(options, limit))
    const workflows = yield* Managing.list(core, filter)
    const last = workflows[workflows.length - 1]
    return { workflows, cursor: last === undefined || workflows.length < limit ? undefined : cursorOf(last) }
  })

/** The recorded steps of a workflow, in the order of calls. Fails with `WorkflowNotFound`. */
export const steps = (workflowId: string): Effect.Effect<ReadonlyArray<StepInfo>, WorkflowError, Engine> =>
  Effect.flatMap(Engine, ({ core }) => Managing.steps(core, workflowId))

/**
 * The events that a workflow has set, by key, whatever their definitions; with one at hand use its `get`. Fails with
 * `WorkflowNotFound`.
 */
export const events = (workflowId: string): Effect.Effect<ReadonlyArray<EventInfo>, WorkflowError, Engine> =>
  Effect.flatMap(Engine, ({ core }) => Events.all(core, workflowId))

/**
 * Cancels workflows: running steps are interrupted, wherever they run, nothing more of the body runs, rollbacks run.
 *
 * *Details*
 *
 * Workflows that are done stay as they are. Fails with `WorkflowNotFound` when one does not exist; the others are
 * cancelled.
 *
 * **Durability.** Once this succeeds it cannot be taken back: no step of theirs starts later than a heartbeat from now.
 */
export const cancel = (
  workflowIds: string | ReadonlyArray<string>,
  options: CancelOptions = {}
): Effect.Effect<void, WorkflowError, Engine> =>
  Effect.asVoid(Effect.flatMap(Engine, ({ core }) => Managing.cancel(core, listOf(workflowIds), options)))

/**
 * Makes cancelled, dead-lettered and blocked workflows due again; recorded steps are not run again.
 *
 * Fails with `WorkflowNotFound`, or with `NotResumable` for one that is not in such a state or whose rollbacks have run;
 * the others are resumed.
 */
export const resume = (workflowIds: string | ReadonlyArray<string>): Effect.Effect<void, WorkflowError, Engine> =>
  Effect.flatMap(Engine, ({ core }) => Managing.resume(core, listOf(workflowIds)))

/**
 * The encoded result of a workflow whose definition is not at hand; with it, use its handle.
 *
 * Waits until it is done, or for `timeout`: then it fails with `ResultTimeout`. A workflow that ended otherwise than in
 * success fails as its handle would, with undeclared errors only.
 */
export const result = (
  workflowId: string,
  options: { readonly timeout?: Duration.Input } = {}
): Effect.Effect<unknown, WorkflowError, Engine> =>
  Effect.flatMap(Engine, ({ core }) =>
    options.timeout === undefined
      ? Awaiting.result(core, workflowId, untyped)
      : Awaiting.resultWithin(core, workflowId, untyped, options.timeout))

/**
 * Waits until the first of the workflows is done, however it ended, and returns its id. One that is done already counts.
 * Fails with `InvalidArgument` for an empty list and for an id given twice, with `WorkflowNotFound` for an unknown one.
 */
export const waitFirst = (workflowIds: ReadonlyArray<string>): Effect.Effect<string, WorkflowError, Engine> =>
  Effect.gen(function*() {
    const { core } = yield* Engine
    yield* attemptSync(() => distinct(workflowIds))
    return yield* Effect.raceAllFirst(
      workflowIds.map((workflowId) =>
        Effect.flatMap(core.waiters.awaiting(workflowId, false), (awaited) =>
          awaited._tag === "Done" ?
            Effect.succeed(workflowId) :
            Effect.flatMap(Managing.get(core, workflowId), () => Effect.succeed(workflowId)))
      )
    )
  })

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

const untyped: Definition = {
  name: "workflow",
  payload: Codec.make<any>(),
  success: Codec.make<any>(),
  error: undefined,
  requiredRoles: [],
  maxRecoveryAttempts: 0,
  timeoutMs: undefined
}

const listOf = (ids: string | ReadonlyArray<string>): ReadonlyArray<string> => typeof ids === "string" ? [ids] : ids

const invalid = (argument: string, detail: string, remedy: string): WorkflowError =>
  new WorkflowError({ reason: new InvalidArgument({ argument, detail, remedy }) })

const isStatus = Schema.is(WorkflowStatus)

const distinct = (workflowIds: ReadonlyArray<string>): void => {
  if (workflowIds.length === 0) throw invalid("workflow ids", "there are none", "Give at least one.")
  if (new Set(workflowIds).size < workflowIds.length) {
    throw invalid("workflow ids", "one is there twice", "Give each once.")
  }
}

const filterOf = (options: ListOptions, limit: number) => {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw invalid("limit", `it is ${limit}`, "Give a whole number from 1 to 1,000.")
  }
  const status = options.status === undefined || typeof options.status !== "string" ? options.status : [options.status]
  for (const one of status ?? []) {
    if (!isStatus(one)) {
      throw invalid("status", `"${one}" is none`, `Give one of ${WorkflowStatus.literals.join(", ")}.`)
    }
  }
  const order = options.order ?? "desc"
  if (order !== "asc" && order !== "desc") throw invalid("order", `it is "${order}"`, "Give \"asc\" or \"desc\".")
  const after = options.cursor === undefined ? undefined : parseCursor(options.cursor)
  return {
    order,
    limit,
    ...(status === undefined ? {} : { status }),
    ...(options.name === undefined ? {} : { names: [options.name] }),
    ...(options.idPrefix === undefined ? {} : { idPrefix: options.idPrefix }),
    ...(options.parentId === undefined ? {} : { parentId: options.parentId }),
    ...(options.from === undefined ? {} : { createdFrom: timeOf("from", options.from) }),
    ...(options.to === undefined ? {} : { createdTo: timeOf("to", options.to) }),
    ...(after === undefined ? {} : { after })
  }
}

const timeOf = (argument: string, date: Date): number => {
  const ms = date.getTime()
  if (Number.isFinite(ms)) return ms
  throw invalid(argument, "it is not a valid date", "Give a valid Date.")
}

const cursorOf = (last: WorkflowInfo): string => `${last.createdAt.getTime()}:${last.workflowId}`

const parseCursor = (cursor: string): { readonly createdAt: number; readonly workflowId: string } => {
  const colon = cursor.indexOf(":")
  const createdAt = Number(cursor.slice(0, colon))
  if (colon > 0 && Number.isSafeInteger(createdAt)) return { createdAt, workflowId: cursor.slice(colon + 1) }
  throw invalid("cursor", "it is not the cursor of a page", "Give the cursor of the page before, unchanged.")
}
