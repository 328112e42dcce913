/**
 * The failure of a step or a workflow as JSON text, and back.
 *
 * The text is a list, one entry per reason of the cause (interruptions beside real reasons are left out):
 *
 * | entry | written for | comes back as |
 * | --- | --- | --- |
 * | `Fail` | an error that the schema covers | itself, decoded |
 * | `StepFailed` | any other error of a step; a step that interrupted itself | {@link StepFailed} |
 * | `Failure` | any other error of a workflow | `WorkflowFailed` |
 * | `Die` | a defect | a defect: the plain value that was thrown, or an `Error` with its name, message, stack, fields |
 * | `Interrupted` | a workflow that interrupted itself | `WorkflowFailed` |
 *
 * Errors and defects are made by anybody, so nothing here trusts them: a getter may throw, a cause may be circular, a
 * message may have five megabytes. Rendering has a limit on everything and never throws.
 */
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"
import type { Json } from "../Json.ts"
import { FailureDetail, StepFailed } from "../StepFailed.ts"
import { WorkflowError, WorkflowFailed } from "../WorkflowError.ts"
import * as Codec from "./codec.ts"
import { defaultLimits, stringify } from "./text.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

export interface RecordedFailure<E> {
  readonly text: string
  readonly live: Cause.Cause<E | StepFailed>
}

const Entry = Schema.Union([
  // `tag` and `message` are for readers without the schema.
  Schema.Struct({ _tag: Schema.tag("Fail"), tag: Schema.String, message: Schema.String, error: Schema.Json }),
  Schema.Struct({ _tag: Schema.tag("StepFailed"), error: StepFailed }),
  Schema.Struct({ _tag: Schema.tag("Failure"), detail: FailureDetail }),
  // Neither: `undefined` was thrown.
  Schema.Struct({
    _tag: Schema.tag("Die"),
    value: Schema.optionalKey(Schema.Json),
    detail: Schema.optionalKey(FailureDetail)
  }),
  Schema.Struct({ _tag: Schema.tag("Interrupted") })
])
type Entry = typeof Entry.Type

const entriesCodec = Codec.make(Schema.NonEmptyArray(Entry))
const stepFailedCodec = Codec.make(StepFailed)

/** A stored failure without its schema: for listings, and for callers that do not know the workflow. */
export interface Rendering {
  readonly kind: "failure" | "defect" | "interrupted"
  readonly detail: FailureDetail
  readonly stepFailed?: StepFailed
}

// -----------------------------------------------------------------------------
// steps
// -----------------------------------------------------------------------------

/** The failure of a step: its text, and what the body gets now and on every replay. Never throws. */
export const encodeStepCause = <E>(
  cause: Cause.Cause<unknown>,
  errorSchema: Codec.StorableSchema<E> | undefined,
  stepName: string
): RecordedFailure<E> => {
  const text = encode(cause, errorSchema, {
    uncovered: (error) => stepFailedEntry(stepName, error),
    interrupted: () =>
      writeEntry({
        _tag: "StepFailed",
        error: new StepFailed({
          step: stepName,
          tag: "Interrupted",
          message: "The step interrupted itself",
          fields: {}
        })
      })
  })
  return { text, live: decodeStepCause(text, errorSchema, stepName) }
}

/**
 * What the body gets on a replay. An error that the present schema no longer reads becomes a {@link StepFailed}, as an
 * uncovered one would. Throws `Undecodable` for text that was not written here.
 */
export const decodeStepCause = <E>(
  text: string,
  errorSchema: Codec.StorableSchema<E> | undefined,
  stepName: string
): Cause.Cause<E | StepFailed> =>
  Cause.fromReasons(
    entriesCodec.decode(text).map((entry): Cause.Reason<E | StepFailed> => {
      switch (entry._tag) {
        case "Fail": {
          const decoded = decodeError(entry.error, errorSchema)
          return Cause.makeFailReason(
            decoded === undefined ? toStepFailed(stepName, detailOfFail(entry)) : decoded.error
          )
        }
        case "StepFailed":
          return Cause.makeFailReason(entry.error)
        case "Die":
          return Cause.makeDieReason(entry.detail === undefined ? entry.value : toError(entry.detail))
        case "Failure":
          return Cause.makeFailReason(toStepFailed(stepName, entry.detail))
        case "Interrupted":
          return Cause.makeFailReason(toStepFailed(stepName, interruptedDetail))
      }
    })
  )

// -----------------------------------------------------------------------------
// workflows
// -----------------------------------------------------------------------------

/** The failure of a workflow, as stored in its `output`. Never throws. */
export const encodeWorkflowCause = <E>(
  cause: Cause.Cause<unknown>,
  errorSchema: Codec.StorableSchema<E> | undefined
): string =>
  encode(cause, errorSchema, {
    uncovered: (error) =>
      error instanceof StepFailed
        ? stepFailedEntry(error.step, error)
        : writeEntry({ _tag: "Failure", detail: render(error, "Failure", false) }),
    interrupted: () => writeEntry({ _tag: "Interrupted" })
  })

/**
 * What a caller of the workflow fails with: the declared error as itself, or a `WorkflowError` with `WorkflowFailed`.
 * Never throws: what the schema no longer reads is a `WorkflowFailed` too.
 */
export const decodeWorkflowFailure = <E>(
  text: string,
  errorSchema: Codec.StorableSchema<E> | undefined,
  workflow: { readonly workflowId: string; readonly name: string }
): E | WorkflowError => {
  const entry = principal(text)
  if (entry._tag === "Fail") {
    const decoded = decodeError(entry.error, errorSchema)
    if (decoded !== undefined) return decoded.error
  }
  const { detail, ...rendering } = renderEntry(entry)
  return new WorkflowError({
    reason: new WorkflowFailed({
      workflowId: workflow.workflowId,
      name: workflow.name,
      cause: detail,
      ...rendering
    })
  })
}

/** A stored failure as data, without its schema. Never throws. */
export const renderFailure = (text: string): Rendering => renderEntry(principal(text))

// -----------------------------------------------------------------------------
// entries
// -----------------------------------------------------------------------------

// What the caller sees of several reasons: an error before a defect before an interruption, as Effect has it.
const principal = (text: string): Entry => {
  try {
    const entries = entriesCodec.decode(text)
    return entries.find((entry) => entry._tag !== "Die" && entry._tag !== "Interrupted") ??
      entries.find((entry) => entry._tag === "Die") ?? entries[0]
  } catch {
    return { _tag: "Failure", detail: { tag: "Unreadable", message: "The stored failure cannot be read", fields: {} } }
  }
}

const interruptedDetail: FailureDetail = { tag: "Interrupted", message: "It interrupted itself", fields: {} }

const renderEntry = (entry: Entry): Rendering => {
  switch (entry._tag) {
    case "Fail":
      return { kind: "failure", detail: detailOfFail(entry) }
    case "StepFailed":
      return { kind: "failure", detail: render(entry.error, "StepFailed", false), stepFailed: entry.error }
    case "Failure":
      return { kind: "failure", detail: entry.detail }
    case "Die":
      return { kind: "defect", detail: entry.detail ?? render(entry.value, "Defect", false) }
    case "Interrupted":
      return { kind: "interrupted", detail: interruptedDetail }
  }
}

const detailOfFail = (entry: Extract<Entry, { _tag: "Fail" }>): FailureDetail => ({
  tag: entry.tag,
  message: entry.message,
  fields: isRecord(entry.error) ? renderFields(entry.error) : entry.error === null ? {} : { value: entry.error }
})

/** More parallel reasons than this are not kept. */
const MAX_REASONS = 8

const encode = <E>(
  cause: Cause.Cause<unknown>,
  errorSchema: Codec.StorableSchema<E> | undefined,
  otherwise: { readonly uncovered: (error: unknown) => string; readonly interrupted: () => string }
): string => {
  const entries: Array<string> = []
  let size = 0
  for (const reason of cause.reasons) {
    if (reason._tag === "Interrupt") continue
    const written = attempt(() =>
      reason._tag === "Die"
        ? dieEntry(reason.defect)
        : failEntry(reason.error, errorSchema) ?? otherwise.uncovered(reason.error)
    )
    // One that throws wherever it is touched, such as a revoked proxy.
    const entry = written === unreadable ? writeEntry({ _tag: "Failure", detail: untouchable }) : written
    size += entry.length
    if (entries.length > 0 && (entries.length >= MAX_REASONS || size > defaultLimits.maxBytes)) break
    entries.push(entry)
  }
  if (entries.length === 0) {
    entries.push(
      Cause.hasInterrupts(cause) ? otherwise.interrupted() : dieEntry(new Error("It failed with an empty cause"))
    )
  }
  return `[${entries.join(",")}]`
}

const untouchable: FailureDetail = { tag: "Unreadable", message: "(it cannot be read)", fields: {} }

const writeEntry = (entry: Entry): string => {
  const whole = attempt(() => entriesCodec.encode([entry]).slice(1, -1))
  // Each part of it is bounded, and all of them together may still be over the limit.
  return whole === unreadable ? entriesCodec.encode([bare(entry)]).slice(1, -1) : whole
}

/** What it is and what it says, without all that it carries. */
const bare = (entry: Entry): Entry => {
  switch (entry._tag) {
    case "StepFailed": {
      const { message, step, tag } = entry.error
      return { ...entry, error: new StepFailed({ step: truncate(step), tag, message: cut(message), fields: {} }) }
    }
    case "Failure":
      return { ...entry, detail: bareDetail(entry.detail) }
    case "Die":
      return entry.detail === undefined ? entry : { ...entry, detail: bareDetail(entry.detail) }
    default:
      return entry
  }
}

const bareDetail = ({ message, tag }: FailureDetail): FailureDetail => ({ tag, message: cut(message), fields: {} })

const cut = (message: string): string => `${message} (cut: its fields and causes are too large)`

// Undefined: the schema does not cover it, or it is over the limit.
const failEntry = <E>(error: unknown, schema: Codec.StorableSchema<E> | undefined): string | undefined => {
  if (schema === undefined) return undefined
  try {
    // Whether it is an E is what the encoder finds out.
    const encoded = Codec.make(schema).encode(error as E, "error")
    const { message, tag } = render(error, "Failure", false)
    return `{"_tag":"Fail","tag":${JSON.stringify(tag)},"message":${JSON.stringify(message)},"error":${encoded}}`
  } catch {
    return undefined
  }
}

const decodeError = <E>(
  error: Json,
  schema: Codec.StorableSchema<E> | undefined
): { readonly error: E } | undefined => {
  if (schema === undefined) return undefined
  const text = stringify(error)
  if (text._tag !== "Text") return undefined
  try {
    return { error: Codec.make(schema).decode(text.text) }
  } catch {
    return undefined
  }
}

const toStepFailed = (step: string, { cause, fields, message, tag }: FailureDetail): StepFailed =>
  new StepFailed({ step, tag, message, fields, ...(cause === undefined ? {} : { cause }) })

// A StepFailed of a step before stays what it is: it says where the error came from.
const stepFailedEntry = (step: string, error: unknown): string => {
  if (error instanceof StepFailed) {
    try {
      return `{"_tag":"StepFailed","error":${stepFailedCodec.encode(error)}}`
    } catch {
      // Made by hand, with fields that are not JSON: rendered like any other.
    }
  }
  return writeEntry({ _tag: "StepFailed", error: toStepFailed(step, render(error, "Failure", false)) })
}

const dieEntry = (defect: unknown): string => {
  if (defect === undefined) return writeEntry({ _tag: "Die" })
  // Plain data that was thrown is thrown again; an instance of a class is refused here.
  const text = stringify(defect, { maxBytes: MAX_TEXT, maxDepth: 32 })
  if (text._tag === "Text") return `{"_tag":"Die","value":${text.text}}`
  return writeEntry({ _tag: "Die", detail: render(defect, "Defect", true) })
}

const toError = (detail: FailureDetail): Error => {
  const options = detail.cause === undefined ? {} : { cause: toError(detail.cause) }
  const error = detail.errors === undefined
    ? new Error(detail.message, options)
    : new AggregateError(detail.errors.map(toError), detail.message, options)
  define(error, "name", detail.tag, false)
  // The stack of the original, or none: where it was decoded tells nobody anything, and differs from live to replay.
  define(error, "stack", detail.stack ?? `${detail.tag}: ${detail.message}`, false)
  for (const key of Object.keys(detail.fields)) define(error, key, detail.fields[key], true)
  return error
}

// Not by assignment: a field may be called `__proto__`.
const define = (target: object, key: string, value: unknown, enumerable: boolean): void => {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true })
}

// -----------------------------------------------------------------------------
// rendering
// -----------------------------------------------------------------------------

/** Longest message, stack or text in a field that is kept, in UTF-16 units. */
const MAX_TEXT = 8_192
/** Longest chain of causes. */
const MAX_CHAIN = 8
/** Most errors in one rendering, over all its causes and aggregates. */
const MAX_ERRORS = 32
/** Most values in the fields of one error. */
const MAX_VALUES = 256
/** Deepest nesting of the fields of one error. */
const MAX_LEVELS = 6

const ownNames = new Set(["_tag", "name", "message", "stack", "cause", "errors"])

const render = (error: unknown, fallbackTag: string, withStack: boolean): FailureDetail => {
  let left = MAX_ERRORS
  const above: Array<unknown> = []
  const visit = (value: unknown): FailureDetail => {
    left--
    if (typeof value !== "object" || value === null) {
      return { tag: fallbackTag, message: truncate(showPrimitive(value)), fields: {} }
    }
    above.push(value)
    const fields = renderFields(value)
    const tag = tagOf(value) ?? fallbackTag
    const stack = withStack ? read(value, "stack") : undefined
    const cause = causeOf(value)
    const errors = read(value, "errors")
    const detail: FailureDetail = {
      tag,
      message: messageOf(value, fields),
      fields,
      ...(typeof stack === "string" ? { stack: truncate(stack) } : {}),
      ...(isNew(cause) ? { cause: visit(cause) } : {}),
      ...(isErrorLike(value) && isArray(errors) ? { errors: items(errors, MAX_CHAIN).filter(isNew).map(visit) } : {})
    }
    above.pop()
    return detail
  }
  const isNew = (value: unknown): boolean =>
    value !== undefined && value !== null && left > 0 && above.length < MAX_CHAIN && !above.includes(value)
  return visit(error)
}

// Errors with a `reason` (Effect's own, and ours) tell by it what happened.
const causeOf = (value: object): unknown => {
  const cause = read(value, "cause")
  if (cause !== undefined && cause !== null) return cause
  const reason = read(value, "reason")
  return isErrorLike(reason) ? reason : undefined
}

const tagOf = (value: object): string | undefined => {
  for (const candidate of [read(value, "_tag"), read(value, "name"), classNameOf(value)]) {
    if (typeof candidate === "string" && candidate !== "") return candidate.slice(0, 200)
  }
  return undefined
}

const classNameOf = (value: object): string | undefined => {
  const constructor = read(value, "constructor")
  const name = typeof constructor === "function" ? read(constructor, "name") : undefined
  return typeof name === "string" && name !== "Object" && name !== "" ? name.slice(0, 80) : undefined
}

const messageOf = (value: object, fields: FailureDetail["fields"]): string => {
  const message = attempt(() => Reflect.get(value, "message") as unknown)
  if (message === unreadable) return "(its message cannot be read)"
  if (typeof message === "string") return truncate(message)
  return isErrorLike(value) ? "" : truncate(JSON.stringify(fields))
}

const renderFields = (value: object): { readonly [key: string]: Json } => {
  let left = MAX_VALUES
  const plain = (item: unknown, level: number): Json | undefined => {
    if (left-- <= 0) return undefined
    switch (typeof item) {
      case "string":
        return truncate(item)
      case "boolean":
        return item
      case "number":
        return Number.isFinite(item) ? item : String(item)
      case "bigint":
        return truncate(String(item))
      case "object":
        break
      default:
        return undefined
    }
    if (item === null) return null
    if (level >= MAX_LEVELS) return "[...]"
    if (isArray(item)) return items(item, left).map((part) => plain(part, level + 1) ?? null)
    if (item instanceof Date) return Number.isNaN(item.getTime()) ? "Invalid Date" : item.toISOString()
    const className = classNameOf(item)
    // Nothing inside an instance is shown: it may hold a password.
    return className === undefined ? record(item, level + 1) : `[${className}]`
  }
  const record = (item: object, level: number): { [key: string]: Json } => {
    const out: { [key: string]: Json } = {}
    for (const key of keysOf(item)) {
      if (left <= 0) break
      // "~" marks what Effect keeps for itself.
      if (key.startsWith("~") || (level === 0 && ownNames.has(key))) continue
      const part = attempt(() => plain(read(item, key), level))
      if (part !== undefined && part !== unreadable) define(out, key.slice(0, 200), part, true)
    }
    return out
  }
  return record(value, 0)
}

const truncate = (text: string): string => {
  if (text.length <= MAX_TEXT) return text
  // Not in the middle of a surrogate pair.
  const end = (text.charCodeAt(MAX_TEXT - 1) & 0xfc00) === 0xd800 ? MAX_TEXT - 1 : MAX_TEXT
  return `${text.slice(0, end)}... (cut: ${text.length} characters)`
}

const showPrimitive = (value: unknown): string => {
  const text = attempt(() => typeof value === "function" ? `a function ${value.name}` : String(value))
  return typeof text === "string" ? text : "(cannot be shown)"
}

// -----------------------------------------------------------------------------
// looking at what may bite
// -----------------------------------------------------------------------------

const unreadable: unique symbol = Symbol("unreadable")

const attempt = <A>(look: () => A): A | typeof unreadable => {
  try {
    return look()
  } catch {
    return unreadable
  }
}

const read = (value: object, key: string): unknown => {
  const found = attempt(() => Reflect.get(value, key) as unknown)
  return found === unreadable ? undefined : found
}

const keysOf = (value: object): ReadonlyArray<string> => {
  const keys = attempt(() => Object.keys(value))
  return keys === unreadable ? [] : keys
}

const isArray = (value: unknown): value is ReadonlyArray<unknown> => attempt(() => Array.isArray(value)) === true

const items = (value: ReadonlyArray<unknown>, limit: number): Array<unknown> => {
  const taken = attempt(() => Array.from(value.slice(0, limit)))
  return taken === unreadable ? [] : taken
}

const isRecord = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isErrorLike = (value: unknown): value is object =>
  typeof value === "object" && value !== null && (
    attempt(() => value instanceof Error) !== false || typeof read(value, "message") === "string"
  )
