/**
 * What ids, names, keys and durations may be. Refused before anything durable happens, as `InvalidArgument`.
 *
 * Distinct bytes are distinct ids: nothing is trimmed, folded or normalised.
 */
import * as Duration from "effect/Duration"
import type { WorkflowError } from "../WorkflowError.ts"
import { invalid } from "./invalid.ts"
import { byteLength } from "./text.ts"

/**
 * Longest workflow id that a caller may give, in bytes of UTF-8. The store holds {@link STORED_ID_BYTES}; the room
 * between the two is for the suffixes of children (`{parent}-{stepId}`), which are made level by level.
 */
export const WORKFLOW_ID_BYTES = 400

/** Longest workflow id that a store holds. */
export const STORED_ID_BYTES = 512

/** Largest count of limits and attempts. */
export const MAX_COUNT = 2_147_483_647

/** Longest workflow name, step name and key, in bytes of UTF-8. */
export const NAME_BYTES = 256

/** The last time that a `Date` holds. A store keeps times as exact numbers up to it, and not much beyond. */
export const LATEST_TIME = 8_640_000_000_000_000

/** Longest duration: ten thousand years. Added to the present it stays far below {@link LATEST_TIME}. */
export const MAX_DURATION_MS = 10_000 * 365.25 * 86_400_000

// C0, DEL and C1. A NUL is refused by PostgreSQL, a line break forges log lines.
// oxlint-disable-next-line no-control-regex
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/

const checkText = (argument: string, value: unknown, limitBytes: number): string => {
  if (typeof value !== "string") {
    throw invalid(argument, `it is ${value === null ? "null" : `of type ${typeof value}`}`, "Give a string.")
  }
  if (value === "") throw invalid(argument, "it is empty", "Give at least one character.")
  // Every UTF-16 unit is at least one byte: an absurdly long text is refused without being measured.
  const sizeBytes = value.length > limitBytes ? value.length : byteLength(value)
  if (sizeBytes > limitBytes) {
    throw invalid(
      argument,
      `it is ${value.length > limitBytes ? "at least " : ""}${sizeBytes} bytes long`,
      `Give at most ${limitBytes} bytes of UTF-8.`
    )
  }
  const unfit = unfitText(argument, value)
  if (unfit !== undefined) throw unfit
  return value
}

/**
 * Why a text cannot be a part of a record's key (an operation's identity, a branch's label); `undefined`: it can. Keys may be
 * of any length, and a label may be empty.
 */
export const unfitText = (argument: string, value: string): WorkflowError | undefined => {
  const control = controlCharacter.exec(value)
  if (control !== null) {
    const code = control[0].charCodeAt(0).toString(16).padStart(4, "0").toUpperCase()
    return invalid(argument, `it has the control character U+${code} at ${control.index}`, "Leave it out.")
  }
  return value.isWellFormed()
    ? undefined
    : invalid(argument, "it has half of a surrogate pair", "Give well-formed Unicode text.")
}

/** Checks a workflow id given by a caller. Returns it, or throws a `WorkflowError`. */
export const checkWorkflowId = (value: unknown): string => checkText("workflow id", value, WORKFLOW_ID_BYTES)

/** Checks the id of a workflow that is there, maybe as a child. Returns it, or throws a `WorkflowError`. */
export const checkTargetId = (value: unknown): string => checkText("workflow id", value, STORED_ID_BYTES)

/** The id of a child that is not given one. Throws a `WorkflowError` when the family is too deep for its id to be stored. */
export const childWorkflowId = (parentId: string, stepId: number): string => {
  const id = `${parentId}-${stepId}`
  if (byteLength(id) > STORED_ID_BYTES) {
    throw invalid(
      "workflow id of a child",
      `made from its parent's it would be longer than ${STORED_ID_BYTES} bytes`,
      "Give the child an id of its own."
    )
  }
  return id
}

/** Checks the name of a workflow, queue, schedule. Returns it, or throws a `WorkflowError`. */
export const checkWorkflowName = (value: unknown): string => checkText("workflow name", value, NAME_BYTES)

/** Checks the name of a step or another durable operation. Returns it, or throws a `WorkflowError`. */
export const checkStepName = (value: unknown): string => checkText("step name", value, NAME_BYTES)

/** Checks a key: of a branch, an event, a partition. Returns it, or throws a `WorkflowError`. */
export const checkKey = (value: unknown, argument = "key"): string => checkText(argument, value, NAME_BYTES)

// Duration reads a NaN as zero, in every one of its forms. Here it is a mistake of the caller.
const hasNaN = (input: unknown): boolean => {
  if (typeof input === "number") return Number.isNaN(input)
  if (typeof input !== "object" || input === null || Duration.isDuration(input)) return false
  return Object.values(input).some((part) => typeof part === "number" && Number.isNaN(part))
}

const units = ["weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"]

const isUnknownShape = (input: unknown): boolean =>
  typeof input === "object" && input !== null && !Duration.isDuration(input) && !Array.isArray(input) &&
  (Object.keys(input).length === 0 || Object.keys(input).some((key) => !units.includes(key)))

const parseMillis = (argument: string, input: Duration.Input): number => {
  const remedy = "Give a duration such as \"5 minutes\", { days: 1 } or Duration.seconds(30)."
  if (hasNaN(input)) throw invalid(argument, "it is not a number (NaN)", remedy)
  if (isUnknownShape(input)) throw invalid(argument, "it has no duration field, or one that is unknown", remedy)
  let duration: Duration.Duration
  try {
    duration = Duration.fromInputUnsafe(input)
  } catch {
    const shown = typeof input === "string"
      ? JSON.stringify((input as string).slice(0, 40))
      : `a value of type ${typeof input}`
    throw invalid(argument, `${shown} is not a duration`, remedy)
  }
  if (!Duration.isFinite(duration)) {
    throw invalid(argument, "it is infinite", "Leave it out for no limit, or give a finite duration.")
  }
  if (Duration.isNegative(duration)) throw invalid(argument, "it is negative", remedy)
  // Rounded up: a wait must not end early.
  const millis = Math.ceil(Duration.toMillis(duration))
  if (millis > MAX_DURATION_MS) throw invalid(argument, "it is longer than ten thousand years", remedy)
  return millis
}

/** A duration in whole milliseconds, rounded up; zero is allowed. Throws a `WorkflowError`. */
export const durationMs = (argument: string, input: Duration.Input): number => parseMillis(argument, input)

/** A duration in whole milliseconds, rounded up, that must not be zero. Throws a `WorkflowError`. */
export const positiveDurationMs = (argument: string, input: Duration.Input): number => {
  const millis = parseMillis(argument, input)
  if (millis === 0) throw invalid(argument, "it is zero", "Give a positive duration.")
  return millis
}
