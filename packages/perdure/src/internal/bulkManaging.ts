/** The same done to every workflow that fits a filter: page by page, and only to those that were there when it began. */
import * as Effect from "effect/Effect"
import { fromStoreError, type WorkflowError } from "../WorkflowError.ts"
import type { Core } from "./core.ts"
import { type Filter, type Restrictions, restrictionsOf } from "./filtering.ts"
import { invalid } from "./invalid.ts"
import { attemptSync } from "./starting.ts"

/** What became of the workflows that fit. */
export interface BulkResult {
  readonly matched: number
  /** How many it was done to; 0 in a dry run. */
  readonly changed: number
}

/** How something is done to many. */
export interface BulkOptions {
  /** Only counts. Default: false. */
  readonly dryRun?: boolean | undefined
  /** What became of those that were looked at so far, after each few hundred. Interrupting it ends the whole there. */
  readonly onProgress?: ((sofar: BulkResult) => Effect.Effect<void>) | undefined
}

/** Rows of one page, and ids of one write. */
const batch = 200
/** So far a dry run counts. */
export const countLimit = 10_000_000

/** `act` says how many of the ids it changed. */
export const each = (
  core: Core,
  filter: Filter,
  { dryRun = false, onProgress = () => Effect.void }: BulkOptions,
  act: (workflowIds: ReadonlyArray<string>) => Effect.Effect<number, WorkflowError>
): Effect.Effect<BulkResult, WorkflowError> =>
  Effect.gen(function*() {
    const restrictions = yield* attemptSync(() => {
      const checked = restrictionsOf(filter)
      if (Object.keys(checked).length > 0) return checked
      throw invalid(
        "filter",
        "it restricts nothing",
        "Give at least one restriction; all are those from new Date(0) on."
      )
    })
    const now = yield* Effect.mapError(core.store.now, fromStoreError)
    // What is started meanwhile is left alone, or this might never end.
    const bounded: Restrictions = { ...restrictions, createdTo: Math.min(restrictions.createdTo ?? Infinity, now + 1) }
    if (dryRun) {
      const matched = yield* Effect.mapError(
        core.store.count({ ...bounded, order: "asc", limit: countLimit }),
        fromStoreError
      )
      return { matched, changed: 0 }
    }
    let matched = 0
    let changed = 0
    let after: { readonly createdAt: number; readonly workflowId: string } | undefined
    for (;;) {
      const rows = yield* Effect.mapError(
        core.store.list({
          ...bounded,
          order: "asc",
          limit: batch,
          values: false,
          ...(after === undefined ? {} : { after })
        }),
        fromStoreError
      )
      if (rows.length > 0) changed += yield* act(rows.map((row) => row.workflowId))
      matched += rows.length
      yield* onProgress({ matched, changed })
      if (rows.length < batch) return { matched, changed }
      after = rows[rows.length - 1]!
    }
  })
