/**
 * What a step's error becomes when the step's `error` schema does not cover it.
 *
 * An error can only come back as itself, after a crash or in another process, if a schema says how to rebuild it. What
 * no schema covers is kept as data: its tag, its message, its plain fields and the chain of its causes. The body
 * receives the same {@link StepFailed} live as on every replay.
 */
import * as Schema from "effect/Schema"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/**
 * A failure as data, for people and for records: the rendering of an error of any kind.
 *
 * *Details*
 *
 * Rendering is best effort and bounded: long messages and stacks are cut with a mark, a chain of causes ends after
 * eight, an error that is its own cause ends there, and a property that cannot be read is left out. `fields` holds the
 * error's own plain JSON properties; a nested instance of a class is replaced by its class name (`"[Request]"`), so
 * that what it holds inside, a header or a password, is not stored by accident.
 */
export interface FailureDetail {
  /** The error's `_tag`, else its `name`, else the kind of value that was thrown. */
  readonly tag: string
  readonly message: string
  readonly fields: { readonly [key: string]: Schema.Json }
  readonly stack?: string
  readonly cause?: FailureDetail
  /** The errors of an `AggregateError`. */
  readonly errors?: ReadonlyArray<FailureDetail>
}

/** A failure as data, as a schema. */
export const FailureDetail: Schema.Codec<FailureDetail> = Schema.Struct({
  tag: Schema.String,
  message: Schema.String,
  fields: Schema.Record(Schema.String, Schema.Json),
  stack: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.suspend((): Schema.Codec<FailureDetail> => FailureDetail)),
  errors: Schema.optionalKey(Schema.Array(Schema.suspend((): Schema.Codec<FailureDetail> => FailureDetail)))
})

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

/**
 * A step failed with an error that its `error` schema does not cover, or was interrupted from inside.
 *
 * *Details*
 *
 * - `step`: the name of the step.
 * - `tag`: the original error's `_tag` or `name`; `"Interrupted"` for a step that interrupted itself.
 * - `message`: the original message, cut with a mark when very long.
 * - `fields`: the plain JSON properties of the original, best effort (see {@link FailureDetail}).
 * - `cause`: the original's own cause, rendered, if it had one.
 *
 * To receive the original class instead, give the step its schema: `{ error: OutOfStock }`.
 */
export class StepFailed extends Schema.TaggedError<StepFailed>()("StepFailed", {
  step: Schema.String,
  tag: Schema.String,
  message: Schema.String,
  fields: Schema.Record(Schema.String, Schema.Json),
  cause: Schema.optionalKey(FailureDetail)
}) {}
