/** Looking at workflows and acting on them from outside: what `Client` and handles do. */
import * as Effect from "effect/Effect"
import type { Json } from "../Json.ts"
import type { FailureDetail } from "../StepFailed.ts"
import type {
  AttributeValue,
  BoundedRows,
  CancelAnswer,
  ListFilter,
  ResumeAnswer,
  StoreError,
  WorkflowRow
} from "../Store.ts"
import { fromStoreError, NotResumable, WorkflowError, WorkflowNotFound } from "../WorkflowError.ts"
import type { WorkflowStatus } from "../WorkflowStatus.ts"
import type { Core } from "./core.ts"
import { tell } from "./hearing.ts"
import { untilItPasses } from "./journal.ts"
import { dateOf, failureOf, readable } from "./readable.ts"
import { type StepInfo, stepOf } from "./stepInfo.ts"

/** One workflow, as stored. Times are dates on the database's clock. */
export interface WorkflowInfo {
  readonly workflowId: string
  readonly name: string
  readonly version: string
  readonly status: WorkflowStatus
  /** The encoded payload. */
  readonly payload: unknown
  /** The encoded success of a workflow that ended well. */
  readonly success: unknown
  /** The failure of a workflow that ended in `ERROR`, as data. */
  readonly failure: FailureDetail | undefined
  /** Why it is `CANCELLED`, `BLOCKED` or `DEAD_LETTER`, as data. */
  readonly reason: Json | undefined
  /** What a suspended workflow waits for. */
  readonly waits: ReadonlyArray<{ readonly what: string; readonly until: Date | undefined }>
  readonly parentId: string | undefined
  /** The queue that it was enqueued in, and how; also when it has left it. */
  readonly queue: string | undefined
  /** Undefined: none was given. */
  readonly priority: number | undefined
  readonly partitionKey: string | undefined
  readonly deduplicationId: string | undefined
  readonly attributes: Readonly<Record<string, AttributeValue>>
  /** The schedule that started it, and the tick that it is of. */
  readonly schedule: string | undefined
  readonly scheduledAt: Date | undefined
  /** The workflow that it was forked from. */
  readonly forkedFrom: string | undefined
  readonly user: string | undefined
  readonly roles: ReadonlyArray<string>
  readonly assumedRole: string | undefined
  readonly createdAt: Date
  readonly startedAt: Date | undefined
  readonly completedAt: Date | undefined
  readonly deadline: Date | undefined
  readonly executorId: string | undefined
  /** Lease losses since the start, the last new record, or the last resume. */
  readonly recoveryAttempts: number
  /** How often it has continued as new. Payload, steps and `startedAt` are those of its present life. */
  readonly continuations: number
}

export const infoOf = (row: WorkflowRow): WorkflowInfo => ({
  workflowId: row.workflowId,
  name: row.name,
  version: row.version,
  status: row.status,
  payload: readable(row.payload),
  success: row.status === "SUCCESS" && row.output !== null ? readable(row.output) : undefined,
  failure: row.status === "ERROR" && row.output !== null ? failureOf(row.output) : undefined,
  reason: row.reason === null ? undefined : readable(row.reason) as Json,
  waits: row.waits === null ? [] : waitsOf(row.waits),
  parentId: row.parentId ?? undefined,
  queue: row.queue ?? undefined,
  priority: row.priority === 0 ? undefined : row.priority,
  partitionKey: row.partitionKey ?? undefined,
  deduplicationId: row.deduplicationId ?? undefined,
  attributes: row.attributes,
  schedule: row.scheduleName ?? undefined,
  scheduledAt: dateOf(row.scheduledAt),
  forkedFrom: row.forkedFrom ?? undefined,
  user: row.user ?? undefined,
  roles: row.roles,
  assumedRole: row.assumedRole ?? undefined,
  createdAt: new Date(row.createdAt),
  startedAt: dateOf(row.startedAt),
  completedAt: dateOf(row.completedAt),
  deadline: dateOf(row.deadlineAt),
  executorId: row.executorId ?? undefined,
  recoveryAttempts: row.recoveryAttempts,
  continuations: row.continuations
})

const waitsOf = (text: string): WorkflowInfo["waits"] => {
  const waits = readable(text)
  return Array.isArray(waits)
    ? waits.map(({ until, what }: { readonly what: string; readonly until: number | null }) => ({
      what,
      until: dateOf(until)
    }))
    : [{ what: `unreadable: ${text.slice(0, 100)}`, until: undefined }]
}

export const notFound = (workflowId: string) => new WorkflowError({ reason: new WorkflowNotFound({ workflowId }) })

export const find = (core: Core, workflowId: string): Effect.Effect<WorkflowInfo | undefined, WorkflowError> =>
  Effect.mapError(core.store.get(workflowId), fromStoreError).pipe(
    Effect.map((row) => row === null ? undefined : infoOf(row))
  )

export const get = (core: Core, workflowId: string): Effect.Effect<WorkflowInfo, WorkflowError> =>
  Effect.flatMap(
    find(core, workflowId),
    (info) => info === undefined ? Effect.fail(notFound(workflowId)) : Effect.succeed(info)
  )

export const list = (
  core: Core,
  filter: ListFilter,
  look: number | undefined
): Effect.Effect<
  Pick<BoundedRows, "lookedTo"> & { readonly workflows: ReadonlyArray<WorkflowInfo> },
  WorkflowError
> =>
  (look === undefined
    ? Effect.map(core.store.list(filter), (rows): BoundedRows => ({ rows, lookedTo: null }))
    : core.store.listWithin(filter, look)).pipe(
      Effect.mapError(fromStoreError),
      Effect.map(({ lookedTo, rows }) => ({
        lookedTo,
        workflows: filter.values === false
          ? rows.map((row) => ({ ...infoOf(row), payload: undefined }))
          : rows.map(infoOf)
      }))
    )

export const steps = (
  core: Core,
  workflowId: string,
  page?: { readonly after: number; readonly limit: number }
): Effect.Effect<ReadonlyArray<StepInfo>, WorkflowError> =>
  Effect.andThen(
    get(core, workflowId),
    Effect.mapError(core.store.steps(workflowId, page), fromStoreError)
  ).pipe(Effect.map((rows) => rows.map(stepOf)))

export interface CancelOptions {
  readonly children?: boolean | undefined
  readonly detail?: string | undefined
}

/** Cancels, and tells everybody who should know. One answer per id. */
export const cancelStored = (
  core: Core,
  workflowIds: ReadonlyArray<string>,
  options: CancelOptions
): Effect.Effect<ReadonlyArray<CancelAnswer>, StoreError> =>
  core.store.cancel(workflowIds, {
    reason: JSON.stringify({ _tag: "Cancelled", by: "user", detail: options.detail ?? "" }),
    childReason: JSON.stringify({ _tag: "Cancelled", by: "parent", detail: "" }),
    children: options.children !== false
  }).pipe(
    Effect.tap((answers) => {
      const done = answers.flatMap((answer) =>
        answer.result === "cancelled" && answer.phase === "done"
          ? [{ _tag: "Done", workflowId: answer.workflowId } as const]
          : []
      )
      for (const { workflowId } of answers) core.waiters.lookAt(workflowId)
      return tell(core, [{ _tag: "Revoked", incarnation: "*" }, ...done])
    })
  )

export const cancelEach = (
  core: Core,
  workflowIds: ReadonlyArray<string>,
  options: CancelOptions
): Effect.Effect<ReadonlyArray<CancelAnswer>, WorkflowError> =>
  Effect.mapError(cancelStored(core, workflowIds, options), fromStoreError)

/** Like {@link cancelEach}; fails when one of them does not exist, and has cancelled the others. */
export const cancel = (
  core: Core,
  workflowIds: ReadonlyArray<string>,
  options: CancelOptions
): Effect.Effect<ReadonlyArray<CancelAnswer>, WorkflowError> =>
  Effect.flatMap(cancelEach(core, workflowIds, options), (answers) => {
    const unknown = answers.find((answer) => answer.result === "unknown")
    return unknown === undefined ? Effect.succeed(answers) : Effect.fail(notFound(unknown.workflowId))
  })

/** Resumes, and tells everybody who should know. Who has to hear of a cancel has been told by whoever cancelled. */
const resumeStored = (
  core: Core,
  workflowIds: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<ResumeAnswer>, WorkflowError> =>
  core.store.resume(workflowIds).pipe(
    Effect.mapError(fromStoreError),
    Effect.tap((answers) =>
      answers.every(({ result }) => result === "held") ? Effect.void : tell(core, [{ _tag: "Due", name: "*" }])
    )
  )

type Resumed = Exclude<ResumeAnswer, { readonly result: "held" }>

/**
 * One answer per id. What may still run where it was cancelled is asked for again until its executor has said that it has
 * ended, or has lost its lease.
 */
export const resumeEach = (
  core: Core,
  workflowIds: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Resumed>, WorkflowError> =>
  Effect.suspend(() => {
    const answered = new Map<string, Resumed>()
    const left = () => [...new Set(workflowIds)].filter((workflowId) => !answered.has(workflowId))
    return Effect.suspend(() => resumeStored(core, left())).pipe(
      Effect.map((answers) => {
        for (const answer of answers) if (answer.result !== "held") answered.set(answer.workflowId, answer)
      }),
      Effect.repeat({ schedule: untilItPasses, while: () => left().length > 0 }),
      Effect.map(() => workflowIds.map((workflowId) => answered.get(workflowId)!))
    )
  })

/** Like {@link resumeEach}; fails when one of them cannot be, and has resumed the others. */
export const resume = (core: Core, workflowIds: ReadonlyArray<string>): Effect.Effect<void, WorkflowError> =>
  Effect.flatMap(resumeEach(core, workflowIds), (answers) => {
    const refused = answers.find((answer) => answer.result !== "resumed")
    return refused === undefined ? Effect.void : Effect.fail(notResumed(refused))
  })

const notResumed = (answer: Exclude<Resumed, { readonly result: "resumed" }>): WorkflowError => {
  if (answer.result === "unknown") return notFound(answer.workflowId)
  const detail = answer.result === "duplicate"
    ? `"${answer.holder}" has its deduplication id now; wait until that one has ended`
    : answer.result === "compensated"
    ? "its rollbacks have run, so its records no longer describe the world; start it again under another id"
    : answer.status === "CANCELLED"
    ? "its rollbacks have begun; wait until they are over, and start it again under another id"
    : "only a cancelled, dead-lettered or blocked workflow is"
  return new WorkflowError({
    reason: new NotResumable({ workflowId: answer.workflowId, status: answer.status, detail })
  })
}

/** Ids of one write. */
const batch = 500

/** Batch after batch: what fails stops it only after the others have been tried. */
export const inBatches = (
  workflowIds: ReadonlyArray<string>,
  f: (workflowIds: ReadonlyArray<string>) => Effect.Effect<void, WorkflowError>
): Effect.Effect<void, WorkflowError> => {
  const batches: Array<ReadonlyArray<string>> = []
  for (let i = 0; i < workflowIds.length; i += batch) batches.push(workflowIds.slice(i, i + batch))
  return Effect.flatMap(
    Effect.forEach(batches, (ids) => Effect.exit(f(ids))),
    (exits) => exits.find((exit) => exit._tag === "Failure") ?? Effect.void
  )
}
