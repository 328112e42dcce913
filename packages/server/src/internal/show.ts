/** What the engine knows, as the contract shows it: without what is undefined, and without what is redacted. Pure. */
import type * as Client from "perdure/Client"
import type { Json } from "perdure/Json"
import type { FailureDetail } from "perdure/StepFailed"
import type * as Api from "../AdminApi.ts"
import { type Defined, defined } from "./defined.ts"
import { mark, type Pattern, redact } from "./redaction.ts"

type Patterns = ReadonlyArray<Pattern>

/** Stored values are JSON; `undefined` is what a workflow without a payload or result has. */
const jsonOf = (value: unknown): Json => (value ?? null) as Json

const cut = (text: string, length: number): string => text.length <= length ? text : `${text.slice(0, length)}…`

// -----------------------------------------------------------------------------
// redaction, where the contract asks for more than JSON
// -----------------------------------------------------------------------------

interface Shown<A> {
  readonly value: A
  readonly paths: ReadonlyArray<string>
}

/** A failure stays one, also where a mark stands for the whole of it, or for one of its parts. */
const failureOf = (patterns: Patterns, at: ReadonlyArray<string>, failure: FailureDetail): Shown<FailureDetail> => {
  const { paths, value } = redact<unknown>(patterns, at, failure)
  return { paths, value: asFailure(value) }
}

const asFailure = (value: unknown): FailureDetail => {
  if (typeof value !== "object" || value === null) return { tag: mark, message: mark, fields: {} }
  // `as`: it was a failure before some of its parts were replaced by a mark.
  const { cause, errors, fields, ...rest } = value as FailureDetail
  return {
    ...rest,
    fields: typeof fields === "object" ? fields : {},
    ...(cause === undefined ? {} : { cause: asFailure(cause) }),
    ...(errors === undefined ? {} : { errors: Array.isArray(errors) ? errors.map(asFailure) : [] })
  }
}

/** Field by field, where a mark may stand for one of them and not for all. */
const fieldsOf = <A, B>(
  fields: Readonly<Record<string, A>>,
  show: (key: string, value: A) => Shown<B>
): Shown<Readonly<Record<string, B>>> => {
  const shown = Object.entries(fields).map(([key, value]) => [key, show(key, value)] as const)
  return {
    paths: shown.flatMap(([, { paths }]) => paths),
    value: Object.fromEntries(shown.map(([key, { value }]) => [key, value]))
  }
}

const attributesOf = (
  patterns: Patterns,
  attributes: Client.WorkflowInfo["attributes"]
): Shown<Client.WorkflowInfo["attributes"]> =>
  fieldsOf(attributes, (key, value) => redact(patterns, ["attributes", key], value))

// -----------------------------------------------------------------------------
// workflows
// -----------------------------------------------------------------------------

export const summaryOf = (patterns: Patterns, info: Client.WorkflowInfo): Api.WorkflowSummary => {
  const { assumedRole: _, failure, payload: _1, reason: _2, roles: _3, success: _4, waits, ...rest } = info
  const shown = failure === undefined ? undefined : failureOf(patterns, ["failure"], failure).value
  return defined({
    ...rest,
    attributes: attributesOf(patterns, info.attributes).value,
    waits: waits.map(defined),
    failure: shown === undefined ? undefined : { tag: cut(shown.tag, 200), message: cut(shown.message, 1000) }
  })
}

export const detailOf = (patterns: Patterns, info: Client.WorkflowInfo): Api.WorkflowDetail => {
  const payload = redact(patterns, ["payload"], jsonOf(info.payload))
  const success = info.success === undefined ? undefined : redact(patterns, ["success"], jsonOf(info.success))
  const failure = info.failure === undefined ? undefined : failureOf(patterns, ["failure"], info.failure)
  const reason = info.reason === undefined ? undefined : redact(patterns, ["reason"], info.reason)
  const attributes = attributesOf(patterns, info.attributes)
  return defined({
    ...info,
    waits: info.waits.map(defined),
    payload: payload.value,
    success: success?.value,
    failure: failure?.value,
    reason: reason?.value,
    attributes: attributes.value,
    redacted: [payload, success, failure, reason, attributes].flatMap((shown) => shown?.paths ?? [])
  })
}

/** `ofChild`: what must not leave of the workflow whose result it has. */
export const stepOf = (
  patterns: Patterns,
  ofChild: Patterns,
  step: Client.StepInfo,
  values: boolean
): Api.StepInfo => {
  const at = ["steps", step.name]
  const value = step.value === undefined || !values ? undefined : valueOf(patterns, ofChild, step)
  const own = step.failure === undefined ? undefined : failureOf(patterns, [...at, "failure"], step.failure)
  const failure = own === undefined ? undefined : both(own, failureOf(ofChild, ["failure"], own.value))
  const attempts = step.failedAttempts.map((one) => failureOf(patterns, [...at, "failure"], one.failure))
  return defined({
    ...step,
    value: value?.value,
    failure: failure?.value,
    failedAttempts: attempts.map((shown, index) => ({ ...step.failedAttempts[index]!, failure: shown.value })),
    redacted: [value, failure, ...attempts].flatMap((shown) => shown?.paths ?? [])
  })
}

/** What a workflow tells and is told stands in its steps once more. */
const told: Partial<Record<Client.StepInfo["kind"], string>> = {
  event: "events",
  "get event": "events",
  stream: "streams",
  "read stream": "streams",
  send: "messages",
  receive: "messages"
}

const valueOf = (patterns: Patterns, ofChild: Patterns, { kind, name, value }: Client.StepInfo): Shown<Json> => {
  const own = redact(patterns, ["steps", name, "value"], jsonOf(value))
  const shown = both(own, redact(ofChild, ["success"], own.value))
  const place = told[kind]
  return place === undefined ? shown : both(shown, redact(patterns, [place, name], shown.value))
}

const both = <A>(first: Shown<A>, second: Shown<A>): Shown<A> => ({
  value: second.value,
  paths: [...first.paths, ...second.paths]
})

export const eventOf = (patterns: Patterns, event: Client.EventInfo): Api.EventInfo => ({
  key: event.key,
  value: redact(patterns, ["events", event.key], jsonOf(event.value)).value,
  at: event.at
})

export const messageOf = (patterns: Patterns, message: Client.MessageInfo): Api.MessageInfo =>
  defined({ ...message, payload: redact(patterns, ["messages", message.topic], jsonOf(message.payload)).value })

export const entryOf = (
  patterns: Patterns,
  key: string,
  { value, ...entry }: Client.StreamEntryInfo
): Api.StreamEntry =>
  defined({
    ...entry,
    value: value === undefined ? undefined : redact(patterns, ["streams", key], jsonOf(value)).value
  })

export const explanationOf = (patterns: Patterns, explanation: Client.Explanation): Api.Explanation => {
  const { paths, value } = reasonedOf(patterns, explanation.why)
  // The words say what the data say.
  return defined({ ...explanation, why: whyOf(value), text: paths.length === 0 ? explanation.text : mark })
}

/** What these say is what the workflow's `reason` says. */
const reasoned: ReadonlySet<Client.Why["_tag"]> = new Set(["Blocked", "RollingBack", "DeadLettered"])

const reasonedOf = (patterns: Patterns, why: Client.Why): Shown<Client.Why> => {
  if (!reasoned.has(why._tag)) return { value: why, paths: [] }
  const { _tag, ...fields } = why
  const { paths, value } = fieldsOf<unknown, unknown>(
    fields,
    (key, value) => typeof value === "string" ? redact(patterns, ["reason", key], value) : { value, paths: [] }
  )
  // `as`: texts of it may be marks, which are texts.
  return { paths, value: { _tag, ...value } as Client.Why }
}

const whyOf = (why: Client.Why): Api.Why =>
  // `as`: field by field the same, without those that are undefined.
  (why._tag === "Suspended" ? defined({ ...why, waits: why.waits.map(defined) }) : defined(why)) as Api.Why

// -----------------------------------------------------------------------------
// what they run on
// -----------------------------------------------------------------------------

const serving = (executors: ReadonlyArray<Client.ExecutorInfo>, queue: string): ReadonlyArray<string> => [
  ...new Set(
    executors.filter(({ queues, state }) => state === "alive" && (queues === null || queues.includes(queue)))
      .map(({ executorId }) => executorId)
  )
]

export const queueOf = (executors: ReadonlyArray<Client.ExecutorInfo>, queue: Client.queues.QueueInfo): Api.QueueInfo =>
  defined({ ...queue, servedBy: serving(executors, queue.name) })

export const scheduleOf = ({ payload: _, ...schedule }: Client.schedules.ScheduleInfo): Api.ScheduleSummary =>
  defined(schedule)

export const scheduleDetailOf = (
  patterns: Patterns,
  schedule: Client.schedules.ScheduleInfo,
  next: ReadonlyArray<Date>
): Api.ScheduleDetail =>
  defined({
    ...schedule,
    payload: schedule.payload === undefined
      ? undefined
      : redact(patterns, ["payload"], jsonOf(schedule.payload)).value,
    next
  })

export const executorOf = (here: string | undefined, executor: Client.ExecutorInfo): Api.ExecutorInfo => ({
  ...executor,
  here: executor.incarnation === here
})

export const definitionOf = (
  executors: ReadonlyArray<Client.ExecutorInfo>,
  name: string,
  known: Client.DefinitionInfo | undefined
): Defined<Api.Definition> =>
  defined({
    name,
    here: known !== undefined,
    payloadSchema: known?.payloadSchema,
    versions: [
      ...new Set(
        executors.filter(({ state }) => state === "alive").flatMap(({ served }) =>
          served.filter((one) => one.name === name).map(({ version }) => version)
        )
      )
    ]
  })
