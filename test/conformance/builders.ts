/** Operations with everything that a test does not care about filled in. */
import type {
  Advance,
  AttemptRecord,
  Await,
  Deliver,
  EventWrite,
  Reason,
  Send,
  Start,
  StepRecord,
  StreamWrite
} from "perdure/Store"

let made = 0

export const start = (given: Partial<Omit<Start, "_tag">> & { readonly workflowId: string }): Start => ({
  _tag: "Start",
  token: `token-${++made}`,
  epoch: given.owner ? 1 : 0,
  name: "Order",
  version: "1",
  payload: "{\"item\":1}",
  codec: "json",
  owner: null,
  user: null,
  roles: [],
  assumedRole: null,
  parentId: null,
  parentStepId: null,
  detached: false,
  timeoutMs: null,
  deadlineAt: null,
  maxRecoveryAttempts: 100,
  queue: null,
  delayMs: null,
  attributes: {},
  schedule: null,
  trace: null,
  startedAt: given.owner ? 1_000 : null,
  ...given
})

export const record = (stepId: number, given: Partial<StepRecord> = {}): StepRecord => ({
  stepId,
  seq: stepId + 1,
  asked: stepId,
  key: `step ${stepId}`,
  name: `step ${stepId}`,
  kind: "step",
  outcome: "success",
  value: `{"n":${stepId}}`,
  attempts: 1,
  startedAt: 1_000 + stepId,
  at: 2_000 + stepId,
  childId: null,
  rollback: false,
  ...given
})

/** The records from one step id up to, and without, another. */
export const records = (from: number, to: number): ReadonlyArray<StepRecord> =>
  Array.from({ length: to - from }, (_, index) => record(from + index))

export const attempt = (stepId: number, number: number, given: Partial<AttemptRecord> = {}): AttemptRecord => ({
  stepId,
  key: `step ${stepId}`,
  name: `step ${stepId}`,
  attempt: number,
  error: `{"failed":${number}}`,
  at: 1_500 + number,
  retryAt: 1_600 + number,
  ...given
})

/** What the owner at `epoch` writes. */
export const advance = (
  workflowId: string,
  epoch: number,
  given: Partial<Omit<Advance, "_tag" | "workflowId" | "epoch">> = {}
): Advance => ({
  _tag: "Advance",
  workflowId,
  epoch,
  records: [],
  attempts: [],
  children: [],
  sends: [],
  consumes: [],
  events: [],
  entries: [],
  supersedes: [],
  end: null,
  ...given
})

/** A child as its parent starts it in step `stepId`. */
export const childOf = (parentId: string, stepId: number, given: Partial<Omit<Start, "_tag">> = {}): Start =>
  start({
    workflowId: `${parentId}-${stepId}`,
    name: "Child",
    parentId,
    parentStepId: stepId,
    ...given
  })

export const send = (to: string, messageId: string, given: Partial<Omit<Send, "to" | "messageId">> = {}): Send => ({
  to,
  messageId,
  topic: "t",
  payload: `"${messageId}"`,
  codec: "json",
  senderId: null,
  ...given
})

export const deliver = (...sends: ReadonlyArray<Send>): Deliver => ({ _tag: "Deliver", sends })

export const event = (key: string, value: string, stepId = 0): EventWrite => ({ key, value, codec: "json", stepId })

/** What the body itself writes to the stream `s` in the step `stepId`. */
export const entry = (stepId: number, given: Partial<StreamWrite> = {}): StreamWrite => ({
  key: "s",
  value: `"${stepId}"`,
  codec: "json",
  stepId,
  attempt: null,
  index: 0,
  ...given
})

type Suspend = Extract<NonNullable<Advance["end"]>, { _tag: "Suspend" }>

/** `awaiting`: an id stands for that workflow's end. */
export const suspend = (
  { awaiting = [], ...given }: Partial<Omit<Suspend, "_tag" | "awaiting">> & {
    readonly awaiting?: ReadonlyArray<string | Await>
  } = {}
): Suspend => ({
  _tag: "Suspend",
  inbox: 0,
  wakeAt: null,
  awaiting: awaiting.map((one) => typeof one === "string" ? { workflowId: one, on: "end" } : one),
  waits: "{\"for\":\"something\"}",
  ...given
})

export const succeed = { _tag: "Settle", status: "SUCCESS", output: "\"done\"" } as const
export const fail = { _tag: "Settle", status: "ERROR", output: "{\"_tag\":\"Broken\"}" } as const
export const rolledBack = { _tag: "Settle", status: "CANCELLED", output: null } as const
export const release = { _tag: "Release" } as const
export const block = {
  _tag: "Block",
  reason: "{\"_tag\":\"Blocked\",\"expected\":\"a\",\"actual\":\"b\",\"detail\":\"renamed\"}"
} as const

export const cancelled = (by: "user" | "timeout" | "parent"): string =>
  JSON.stringify({ _tag: "Cancelled", by, detail: "" } satisfies Reason)
