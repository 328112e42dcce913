/**
 * The file of exported histories: JSON lines. Of each workflow a line `history` that says the format, one per row, and a line
 * `end` that counts them, so that a file that was cut short is known. Pure.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Client from "perdure/Client"
import type { History } from "perdure/Store"
import { WorkflowStatus } from "perdure/WorkflowStatus"
import { type CliFailure, usage } from "./failing.ts"
import { json } from "./printable.ts"

const format = 1

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

const text = Schema.String
const count = Schema.Int
const textOrNull = Schema.NullOr(Schema.String)
const countOrNull = Schema.NullOr(Schema.Int)
const kinds = [
  "step",
  "transaction",
  "child",
  "result",
  "race",
  "patch",
  "now",
  "uuid",
  "rollback",
  "send",
  "receive",
  "event",
  "get event",
  "stream",
  "read stream"
] as const

const Workflow = Schema.Struct({
  workflowId: text,
  name: text,
  version: text,
  status: WorkflowStatus,
  phase: Schema.Literals(["run", "compensate", "done"]),
  epoch: count,
  payload: text,
  codec: text,
  output: textOrNull,
  reason: textOrNull,
  parentId: textOrNull,
  parentStepId: countOrNull,
  detached: Schema.Boolean,
  user: textOrNull,
  roles: Schema.Array(text),
  assumedRole: textOrNull,
  createdAt: count,
  startedAt: countOrNull,
  completedAt: countOrNull,
  deadlineAt: countOrNull,
  executorId: textOrNull,
  recoveryAttempts: count,
  maxRecoveryAttempts: count,
  wakeAt: countOrNull,
  waits: textOrNull,
  queue: textOrNull,
  priority: count,
  partitionKey: textOrNull,
  deduplicationId: textOrNull,
  attributes: Schema.Record(text, Schema.Union([text, Schema.Finite, Schema.Boolean])),
  scheduleName: textOrNull,
  scheduledAt: countOrNull,
  forkedFrom: textOrNull,
  trace: textOrNull,
  continuations: count,
  firstStepId: count
})

const Record = Schema.Struct({
  stepId: count,
  seq: count,
  asked: count,
  key: text,
  name: text,
  kind: Schema.Literals(kinds),
  outcome: Schema.Literals(["success", "failure"]),
  value: text,
  attempts: count,
  startedAt: count,
  at: count,
  childId: textOrNull,
  rollback: Schema.Boolean
})

const Attempt = Schema.Struct({
  stepId: count,
  key: text,
  name: text,
  attempt: count,
  error: text,
  at: count,
  retryAt: count
})

const Message = Schema.Struct({
  seq: count,
  messageId: text,
  topic: text,
  payload: text,
  codec: text,
  senderId: textOrNull,
  sentAt: count,
  consumedBy: countOrNull
})

const Event = Schema.Struct({ key: text, value: text, codec: text, stepId: count, at: count })

const Entry = Schema.Struct({
  offset: count,
  value: textOrNull,
  codec: text,
  stepId: count,
  attempt: countOrNull,
  superseded: Schema.Boolean,
  at: count,
  key: text
})

const Line = Schema.Union([
  Schema.Struct({ history: Schema.Literal(format), workflow: Workflow }),
  Schema.Struct({ step: Record }),
  Schema.Struct({ attempt: Attempt }),
  Schema.Struct({ message: Message }),
  Schema.Struct({ event: Event }),
  Schema.Struct({ entry: Entry }),
  Schema.Struct({ end: text, lines: count })
])
type Line = typeof Line.Type

// -----------------------------------------------------------------------------
// writing
// -----------------------------------------------------------------------------

/** The lines of some of a history, in the order in which parts come. */
export const linesOf = (part: Client.HistoryPart): ReadonlyArray<string> => {
  const { attempts = [], entries = [], events = [], messages = [], records = [], workflow } = part
  const rows: ReadonlyArray<Line> = [
    ...(workflow === undefined ? [] : [{ history: format, workflow } as const]),
    ...records.map((step) => ({ step })),
    ...attempts.map((attempt) => ({ attempt })),
    ...messages.map((message) => ({ message })),
    ...events.map((event) => ({ event })),
    ...entries.map((entry) => ({ entry }))
  ]
  return rows.map(json)
}

/** The last line of a history that has so many others. */
export const endOf = (workflowId: string, lines: number): string => json({ end: workflowId, lines } satisfies Line)

// -----------------------------------------------------------------------------
// reading
// -----------------------------------------------------------------------------

interface Gathering {
  readonly workflow: History["workflow"]
  readonly records: Array<History["records"][number]>
  readonly attempts: Array<History["attempts"][number]>
  readonly messages: Array<History["messages"][number]>
  readonly events: Array<History["events"][number]>
  readonly entries: Array<History["entries"][number]>
  lines: number
}

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Line))

const remedy = "Export it again, whole, by a release that is not newer than this one."

/** The histories of a file, one after the other, each of them whole. Fails where the file goes wrong. */
export const historiesIn = <R>(file: Stream.Stream<string, CliFailure, R>): Stream.Stream<History, CliFailure, R> =>
  file.pipe(
    Stream.concat(Stream.make(endOfFile)),
    Stream.mapAccumEffect((): Reading => ({ line: 0, found: 0, open: undefined }), reading)
  )

/** No line has a break in it. */
const endOfFile = "\n"

interface Reading {
  readonly line: number
  readonly found: number
  readonly open: Gathering | undefined
}

const reading = (before: Reading, written: string) =>
  Effect.gen(function*() {
    const { found, open } = before
    const at = { ...before, line: before.line + 1 }
    if (written === endOfFile) {
      if (open !== undefined) return yield* cut(open)
      return found > 0 ? step(at) : yield* usage("There is no history in the file", remedy)
    }
    if (written.trim() === "") return step(at)
    const line: Line = yield* Effect.mapError(
      decode(written),
      () => usage(`Line ${at.line} is not of an exported history`, remedy)
    )
    if ("history" in line) {
      return open === undefined ? step({ ...at, open: begun(line.workflow) }) : yield* cut(open)
    }
    if (open === undefined) return yield* usage(`Line ${at.line} belongs to no history`, remedy)
    if (!("end" in line)) {
      add(open, line)
      return step(at)
    }
    if (line.end !== open.workflow.workflowId || line.lines !== open.lines) return yield* cut(open)
    const { lines: _, ...history } = open
    return step({ ...at, found: found + 1, open: undefined }, history)
  })

const step = (reading: Reading, ...histories: ReadonlyArray<History>) => [reading, histories] as const

const begun = (workflow: History["workflow"]): Gathering => ({
  workflow,
  records: [],
  attempts: [],
  messages: [],
  events: [],
  entries: [],
  lines: 1
})

const add = (open: Gathering, line: Exclude<Line, { readonly history: 1 } | { readonly end: string }>): void => {
  open.lines += 1
  if ("step" in line) open.records.push(line.step)
  else if ("attempt" in line) open.attempts.push(line.attempt)
  else if ("message" in line) open.messages.push(line.message)
  else if ("event" in line) open.events.push(line.event)
  else open.entries.push(line.entry)
}

const cut = ({ workflow }: Gathering): CliFailure =>
  usage(`The history of ${JSON.stringify(workflow.workflowId)} is not whole: lines are missing`, remedy)
