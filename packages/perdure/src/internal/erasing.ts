/** Deleting workflows that are done: by id, or by age. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { DeleteAnswer, Retention } from "../Store.ts"
import { fromStoreError, NotDeletable, WorkflowError } from "../WorkflowError.ts"
import type { Core } from "./core.ts"
import { invalid } from "./invalid.ts"
import * as Managing from "./managing.ts"
import { checkWorkflowName, durationMs } from "./names.ts"
import { attemptSync } from "./starting.ts"

/** One answer per id. */
export const deleteEach = (
  core: Core,
  workflowIds: ReadonlyArray<string>,
  options: { readonly children?: boolean | undefined }
): Effect.Effect<ReadonlyArray<DeleteAnswer>, WorkflowError> =>
  core.store.delete(workflowIds, { children: options.children === true }).pipe(
    Effect.mapError(fromStoreError),
    Effect.tap((answers) => Effect.sync(() => answers.forEach((answer) => core.waiters.lookAt(answer.workflowId))))
  )

/** Fails when one of them cannot be, and has deleted the others. */
export const deleteAll = (
  core: Core,
  workflowIds: ReadonlyArray<string>,
  options: { readonly children?: boolean | undefined }
): Effect.Effect<void, WorkflowError> =>
  Effect.flatMap(deleteEach(core, workflowIds, options), (answers) => {
    const refused = answers.find((answer) => answer.result !== "deleted")
    return refused === undefined ? Effect.void : Effect.fail(
      refused.result === "unknown"
        ? Managing.notFound(refused.workflowId)
        : new WorkflowError({ reason: new NotDeletable(refused) })
    )
  })

// -----------------------------------------------------------------------------
// retention
// -----------------------------------------------------------------------------

/** Which done workflows may go. */
export interface RetainOptions {
  /** Of workflows of this name. Default: of all. */
  readonly name?: string | undefined
  /** Those that ended longer ago than this go. Default: of any age. */
  readonly olderThan?: Duration.Input | undefined
  /** The newest so many of each name stay, by when they ended. Default: none need stay. */
  readonly keep?: number | undefined
}

/** Rule 25 of the stores: a batch is one transaction. */
const batch = 500

const retentionOf = (options: RetainOptions): Retention => {
  const { keep, name, olderThan } = options
  if (olderThan === undefined && keep === undefined) {
    throw invalid("retention", "neither an age nor a number is given", "Give olderThan, keep, or both.")
  }
  if (keep !== undefined && (!Number.isSafeInteger(keep) || keep < 0)) {
    throw invalid("keep", `it is ${keep}`, "Give a whole number from 0.")
  }
  return {
    name: name === undefined ? null : checkWorkflowName(name),
    olderThanMs: olderThan === undefined ? null : durationMs("olderThan", olderThan),
    keep: keep ?? null
  }
}

/** Succeeds with how many were deleted, when there are no more. */
export const retain = (core: Core, options: RetainOptions): Effect.Effect<number, WorkflowError> =>
  Effect.flatMap(attemptSync(() => retentionOf(options)), (retention) => {
    const more = (deleted: number): Effect.Effect<number, WorkflowError> =>
      Effect.flatMap(
        Effect.mapError(core.store.retain(retention, batch), fromStoreError),
        (count) => count < batch ? Effect.succeed(deleted + count) : more(deleted + count)
      )
    return more(0)
  })
