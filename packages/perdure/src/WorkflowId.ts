/**
 * The id for the next workflow started in a scope.
 *
 * Only the first workflow started in the scope takes the id; what else is started there gets a generated one. A start
 * made again with the same name and payload (an `Effect.retry` of an `execute`) is the same start: it gets the same id,
 * and attaches to the workflow that it began. The `workflowId` option of a call wins over the scope.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

// -----------------------------------------------------------------------------
// references
// -----------------------------------------------------------------------------

/** An id, and the start that took it. */
export interface Slot {
  readonly id: string
  taken: { readonly name: string; readonly payload: string } | undefined
}

/** The slot of the current scope. */
export const Current: Context.Reference<Slot | undefined> = Context.Reference("perdure/WorkflowId", {
  defaultValue: (): Slot | undefined => undefined
})

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * Gives the id to the first workflow started in the scope. Scopes nest: the inner one wins.
 *
 * An empty, over-long (400 bytes) or otherwise unfit id is refused by that start, with `InvalidArgument`.
 *
 * *Gotchas*
 *
 * Never memoized: each `Effect.provide` of it is a scope of its own.
 */
export const layer = (workflowId: string): Layer.Layer<never> =>
  Layer.fresh(Layer.sync(Current, (): Slot => ({ id: workflowId, taken: undefined })))

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

/** The id for this start, if the slot has it for it. */
export const take = (slot: Slot | undefined, name: string, payload: string): string | undefined => {
  if (slot === undefined) return undefined
  slot.taken ??= { name, payload }
  return slot.taken.name === name && slot.taken.payload === payload ? slot.id : undefined
}
