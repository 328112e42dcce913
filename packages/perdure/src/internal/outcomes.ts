/** Outcomes of durable operations that fail with the engine's own error: as a record, and back. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { StepRecord } from "../Store.ts"
import { Undecodable, WorkflowError } from "../WorkflowError.ts"
import * as Codec from "./codec.ts"
import * as Failure from "./failure.ts"
import type { Completed } from "./operation.ts"
import type { Along } from "./unsaved.ts"

/** A success, recorded as this text. */
export const succeeded = (value: string, result: unknown, along?: Along): Completed => ({
  outcome: "success",
  value,
  exit: Exit.succeed(result),
  attempts: 1,
  ...(along === undefined ? {} : { along })
})

/** A failure, recorded so that it comes back as itself. */
export const failed = (error: WorkflowError, along?: Along): Completed => ({
  outcome: "failure",
  value: Failure.encodeStepCause(Cause.fail(error), WorkflowError, error.reason._tag).text,
  exit: Exit.fail(error),
  attempts: 1,
  ...(along === undefined ? {} : { along })
})

/** The body's answer out of a record: `read` takes the text of a success. */
export const replayed = (record: StepRecord, read: (value: string) => unknown): Exit.Exit<any, any> =>
  record.outcome === "success"
    ? Exit.succeed(read(record.value))
    : Exit.failCause(Failure.decodeStepCause(record.value, WorkflowError, record.name))

/** The value that the text holds; `what` names it where it does not fit. */
export const decoded = <A>(codec: Codec.ValueCodec<A>, text: string, what: string): Effect.Effect<A, WorkflowError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(codec.decode(text))
    } catch (error) {
      if (!(error instanceof Codec.Undecodable)) return Effect.die(error)
      const { detail, path } = error
      return Effect.fail(new WorkflowError({ reason: new Undecodable({ what, path, detail }) }))
    }
  })

/** Like {@link decoded}, as an outcome that is recorded as `value`. */
export const completedBy = <A>(
  codec: Codec.ValueCodec<A>,
  text: string,
  options: {
    readonly what: string
    readonly value: string
    readonly result: (value: A) => unknown
    readonly along?: Along
  }
): Effect.Effect<Completed> =>
  Effect.match(decoded(codec, text, options.what), {
    onSuccess: (value) => succeeded(options.value, options.result(value), options.along),
    onFailure: (error) => failed(error, options.along)
  })

const head = "{\"value\":"

/** The record of a value that was there, or (undefined) of none. JSON, in which the text stands as it was. */
export const foundText = (text: string | undefined): string => text === undefined ? "{}" : `${head}${text}}`

/** The text out of {@link foundText}. */
export const textFound = (value: string): string | undefined =>
  value.startsWith(head) ? value.slice(head.length, -1) : undefined
