/**
 * Events: named values that a workflow publishes, and anybody reads, as often as wanted.
 *
 * ```ts
 * const Progress = WorkflowEvent.make("progress", { value: Schema.Number })
 *
 * yield* Progress.set(0.5)                                           // in a workflow, in its body or in a step
 * const progress = yield* Progress.get("order-42")                   // anywhere
 * const soon = yield* Progress.get("order-42", { timeout: "1 minute" })
 * ```
 *
 * **Guarantees.** An event has the value that was set last and is durable. It stays when the workflow has ended.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import { Engine } from "./Engine.ts"
import * as Codec from "./internal/codec.ts"
import * as Events from "./internal/events.ts"
import { extendable } from "./internal/extendable.ts"
import { checkKey } from "./internal/names.ts"
import type { InWorkflow } from "./WorkflowContext.ts"
import type { WorkflowError } from "./WorkflowError.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** A schema whose values can be stored: its codec needs no services. */
export type Storable = Schema.ConstraintCodec<any, any, never, never>

/** How an event is set, or got. */
export interface OperationOptions {
  /** In a body: identity of the operation in its branch, where several forked fibers do the same. */
  readonly key?: string | undefined
}

/** How an event is waited for. */
export interface GetWithin extends OperationOptions {
  /** In a body counted on the workflow's clock. Zero: the value that it has already. */
  readonly timeout: Duration.Input
}

/** The definition of an event. May be extended by a class of one's own. */
export interface WorkflowEvent<Key extends string, A> {
  new(_: never): {}

  readonly key: Key

  /**
   * Sets the event of the workflow in which this runs, in its body or in one of its steps.
   *
   * Fails with `Unencodable` or `PayloadTooLarge` before anything is written, and with `OutsideWorkflow` in a fiber that
   * its step has left behind.
   *
   * **Durability.** In a body the value and its record are one write, durable before the next durable operation starts:
   * it is set once. In a step it is durable when this returns, and set again by an attempt that runs again.
   */
  readonly set: (
    ...args: [A] extends [void] ? [value?: A, options?: OperationOptions] : [value: A, options?: OperationOptions]
  ) => Effect.Effect<void, WorkflowError, InWorkflow>

  /**
   * The value of a workflow's event, as soon as it has one. With a `timeout` it is an `Option`: none, when it had none in
   * time.
   *
   * *Details*
   *
   * Fails at once with `WorkflowNotFound` for an unknown id, with `EventNeverSet` when the workflow has ended without
   * setting it, and with `Undecodable` for a value that does not fit the schema. All who wait in a process share one
   * look at the store.
   *
   * **Durability.** In a body what it got is recorded, also that it had none in time; the workflow may be suspended
   * meanwhile, and the limit goes on while no process is there. In a step and outside a workflow nothing is recorded.
   */
  readonly get: {
    (workflowId: string, options: GetWithin): Effect.Effect<Option.Option<A>, WorkflowError, Engine>
    (workflowId: string, options?: OperationOptions): Effect.Effect<A, WorkflowError, Engine>
  }
}

type ValueOf<V> = V extends { readonly "Type": infer A } ? A : void

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * Defines an event.
 *
 * - `key`: 1 to 256 bytes; its name among the events of a workflow.
 * - `value`: a schema. Default: no value, only that it was set.
 *
 * Throws a `WorkflowError` (`InvalidArgument`) for a key that is none.
 */
export const make = <const Key extends string, V extends Storable | undefined = undefined>(
  key: Key,
  options: { readonly value?: V | undefined } = {}
): WorkflowEvent<Key, ValueOf<V>> => {
  checkKey(key, "event key")
  const codec = options.value === undefined ? Codec.nothing : Codec.make<any>(options.value)
  // `any`: the interface above is the typed side.
  return extendable({
    key,
    set: (value?: unknown, options: OperationOptions = {}) => Events.set(key, codec, value, options.key),
    get: (workflowId: string, options: Events.GetOptions = {}) =>
      Effect.flatMap(Engine, ({ core }) => Events.get(core, workflowId, key, codec, options))
  }) as any
}
