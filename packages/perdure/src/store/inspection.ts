/** What may be wrong with the store itself: its schema, and rows that nothing will ever move. For a check-up, now and then. */
import type * as Effect from "effect/Effect"
import type { StoreError } from "../Store.ts"
import type { WorkflowStatus } from "../WorkflowStatus.ts"

/** Something of the schema is not as this release makes it. */
export interface SchemaProblem {
  /** As in `table workflow`. */
  readonly object: string
  /** `invalid`: an index that is there and is not used, since making it failed. `damaged`: the file is. */
  readonly problem: "missing" | "changed" | "invalid" | "damaged"
  readonly detail: string
}

/** A workflow that is not done, and that nothing will ever make run. */
export interface Stray {
  readonly workflowId: string
  /** Null: only traces of it are left. */
  readonly status: WorkflowStatus | null
  /**
   * `lost`: it is not done, and nobody may own it. `leftover`: what comes and goes with a workflow is there without it.
   * `asleep`: nobody owns it, and neither a time, a queue nor anything awaited will wake it. `missed`: what it waits for has
   * happened.
   */
  readonly why: "lost" | "leftover" | "asleep" | "missed"
}

/** Workflows that are not done and in nobody's memory, by the code that they need. Blocked ones are left out. */
export interface NeedRow {
  readonly name: string
  readonly version: string
  readonly workflows: number
  /** One of them. */
  readonly workflowId: string
}

export interface InspectionStore {
  readonly schemaProblems: Effect.Effect<ReadonlyArray<SchemaProblem>, StoreError>

  /** At most `limit`. Reads every workflow that there is. */
  readonly strays: (limit: number) => Effect.Effect<ReadonlyArray<Stray>, StoreError>

  /** By name and version. */
  readonly needs: Effect.Effect<ReadonlyArray<NeedRow>, StoreError>
}
