/**
 * The file of exported histories: JSON lines. Of each workflow a line `history` that says the format, one per row, and a line
 * `end` that counts them, so that a file that was cut short is known. Pure.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
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

export const linesOf = ({ attempts, entries, events, messages, records, workflow }: History): ReadonlyArray<string> => {
  const rows: ReadonlyArray<Line> = [
    { history: format, workflow },
    ...records.map((step) => ({ step })),
    ...attempts.map((attempt) => ({ attempt })),
    ...messages.map((message) => ({ message })),
    ...events.map((event) => ({ event })),
    ...entries.map((entry) => ({ entry }))
  ]
  return [...rows, { end: workflow.workflowId, lines: rows.length }].map(json)
}

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

/** The histories of a file, each of them whole. */
export const historiesIn = (file: string): Effect.Effect<ReadonlyArray<History>, CliFailure> =>
  Effect.gen(function*() {
    const histories: Array<History> = []
    let open: Gathering | undefined
    for (const [index, written] of file.split("\n").entries()) {
      if (written.trim() === "") continue
      const line: Line = yield* Effect.mapError(
        decode(written),
        () => usage(`Line ${index + 1} is not of an exported history`, remedy)
      )
      if ("history" in line) {
        if (open !== undefined) return yield* cut(open)
        const { workflow } = line
        open = { workflow, records: [], attempts: [], messages: [], events: [], entries: [], lines: 1 }
        continue
      }
      if (open === undefined) return yield* usage(`Line ${index + 1} belongs to no history`, remedy)
      if ("end" in line) {
        if (line.end !== open.workflow.workflowId || line.lines !== open.lines) return yield* cut(open)
        const { lines: _, ...history } = open
        histories.push(history)
        open = undefined
        continue
      }
      open.lines += 1
      if ("step" in line) open.records.push(line.step)
      else if ("attempt" in line) open.attempts.push(line.attempt)
      else if ("message" in line) open.messages.push(line.message)
      else if ("event" in line) open.events.push(line.event)
      else open.entries.push(line.entry)
    }
    if (open !== undefined) return yield* cut(open)
    return histories.length > 0 ? histories : yield* usage("There is no history in the file", remedy)
  })

const cut = ({ workflow }: Gathering): CliFailure =>
  usage(`The history of ${JSON.stringify(workflow.workflowId)} is not whole: lines are missing`, remedy)
