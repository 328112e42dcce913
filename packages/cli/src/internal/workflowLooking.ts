/** `perdure workflow list`, `get`, `steps`, `explain`, `result`, `watch`: looking at workflows. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import { status } from "./color.ts"
import { onStore } from "./command.ts"
import { failureOf } from "./failure.ts"
import * as Filters from "./filters.ts"
import { given } from "./options.ts"
import { note, type Reader, show } from "./output.ts"
import { line, prettyJson } from "./printable.ts"
import { argument } from "./shell.ts"
import { type Cell, type Column, facts, render } from "./table.ts"
import { absolute, clock, lengthOf, relative } from "./times.ts"
import { watch } from "./watching.ts"

export const workflowId = Argument.String("id").pipe(Argument.withDescription("The workflow's id"))

const between = (from: Date | undefined, to: Date | undefined): string =>
  from === undefined || to === undefined ? "" : lengthOf(to.getTime() - from.getTime())

// -----------------------------------------------------------------------------
// list
// -----------------------------------------------------------------------------

const columns: ReadonlyArray<Column> = [
  { title: "ID" },
  { title: "NAME", shrinks: true },
  { title: "STATUS" },
  { title: "CREATED" },
  { title: "TOOK", align: "right" }
]

/** Workflows, one a line. */
export const tableOf = (workflows: ReadonlyArray<Client.WorkflowInfo>, reader: Reader): string =>
  workflows.length === 0 ? "No workflow fits." : render(
    columns,
    workflows.map((one) => [
      one.workflowId,
      one.name,
      status(one.status),
      relative(one.createdAt, reader.now),
      between(one.startedAt, one.completedAt)
    ]),
    reader
  )

const list = Command.make(
  "list",
  {
    ...Filters.flags,
    order: Flag.Literals("order", ["desc", "asc"]).pipe(
      Flag.withDescription("By creation: newest or oldest first"),
      Flag.withDefault("desc")
    ),
    limit: Flag.Int("limit").pipe(Flag.withDescription("At most so many, 1 to 1,000"), Flag.withDefault(50)),
    cursor: Flag.String("cursor").pipe(
      Flag.withDescription("Go on after a page: the cursor that it ended with"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ cursor, limit, order, ...flags }) {
    const filter = yield* Filters.filterOf(flags)
    const page = yield* Client.list({ ...filter, order, limit, ...given({ cursor }) })
    yield* show(page, (reader) => tableOf(page.workflows, reader))
    if (page.cursor !== undefined) yield* note(`More: --cursor ${line(argument(page.cursor))}`)
  }, onStore)
).pipe(
  Command.withDescription("List workflows, newest first"),
  Command.withExamples([
    { command: "perdure workflow list --status ERROR --from 1d", description: "What failed since yesterday" }
  ])
)

// -----------------------------------------------------------------------------
// get
// -----------------------------------------------------------------------------

const factsOf = (one: Client.WorkflowInfo, reader: Reader): string =>
  facts([
    ["id", one.workflowId],
    ["name", one.name],
    ["status", status(one.status)],
    ["version", one.version],
    ["created", absolute(one.createdAt, reader.now)],
    ["started", absolute(one.startedAt, reader.now)],
    ["ended", absolute(one.completedAt, reader.now)],
    ["deadline", absolute(one.deadline, reader.now)],
    ["executor", one.executorId],
    ["recovery attempts", one.recoveryAttempts === 0 ? undefined : String(one.recoveryAttempts)],
    ["parent", one.parentId],
    ["forked from", one.forkedFrom],
    ["queue", one.queue],
    ["priority", one.priority === undefined ? undefined : String(one.priority)],
    ["partition", one.partitionKey],
    ["deduplication id", one.deduplicationId],
    ["schedule", one.schedule],
    ["tick", absolute(one.scheduledAt, reader.now)],
    ["user", one.user],
    ["roles", one.roles.join(", ")],
    ["assumed role", one.assumedRole],
    ["attributes", Object.entries(one.attributes).map(([key, value]) => `${key}=${String(value)}`).join(", ")],
    ...one.waits.map(({ until, what }) =>
      ["waits for", until === undefined ? what : `${what}, until ${until.toISOString()}`] as const
    )
  ], reader)

/** A workflow, as people read it. */
const textOf = (one: Client.WorkflowInfo, reader: Reader): string =>
  [
    factsOf(one, reader),
    ...(["payload", "success", "failure", "reason"] as const).flatMap((part) =>
      one[part] === undefined ? [] : [`${part}\n${prettyJson(one[part])}`]
    )
  ].join("\n\n")

const get = Command.make(
  "get",
  { workflowId },
  Effect.fnUntraced(function*({ workflowId }) {
    const info = yield* Client.get(workflowId)
    yield* show(info, (reader) => textOf(info, reader))
  }, onStore)
).pipe(Command.withDescription("Show one workflow: its state, payload and outcome"))

// -----------------------------------------------------------------------------
// steps
// -----------------------------------------------------------------------------

const stepColumns: ReadonlyArray<Column> = [
  { title: "STEP", align: "right" },
  { title: "NAME", shrinks: true },
  { title: "KIND" },
  { title: "OUTCOME" },
  { title: "TRIES", align: "right" },
  { title: "ENDED (UTC)" },
  { title: "TOOK", align: "right" },
  { title: "DETAIL", shrinks: true }
]

const outcomeOf = ({ outcome }: Client.StepInfo) =>
  outcome === undefined ? { text: "trying", color: "cyan" } as const : outcome === "success"
    ? { text: outcome, color: "green" } as const
    : { text: outcome, color: "red" } as const

const detailOf = (step: Client.StepInfo): string => {
  if (step.failure !== undefined) return failureOf(step.failure)
  return step.childId === undefined ? "" : `workflow ${step.childId}`
}

/** Before the step that they are of. Only of the first attempt it is recorded when it began: with the step. */
const attemptRow = (
  step: Client.StepInfo,
  { at, failure, retryAt }: Client.FailedAttempt,
  index: number,
  now: number
): ReadonlyArray<Cell> => [
  String(step.stepId),
  `  attempt ${index + 1}`,
  "",
  { text: "failed", color: "yellow" },
  "",
  clock(at, now),
  index === 0 ? between(step.startedAt, at) : "",
  `${failureOf(failure)}; next due ${clock(retryAt, now)}`
]

const stepsTable = (steps: ReadonlyArray<Client.StepInfo>, reader: Reader): string =>
  steps.length === 0 ? "No step is recorded." : render(
    stepColumns,
    steps.flatMap((step) => [
      ...step.failedAttempts.map((attempt, index) => attemptRow(step, attempt, index, reader.now)),
      [
        String(step.stepId),
        [...step.branch, step.name].join("/"),
        step.kind,
        outcomeOf(step),
        String(step.attempts),
        clock(step.completedAt, reader.now),
        between(step.startedAt, step.completedAt),
        detailOf(step)
      ]
    ]),
    reader
  )

const steps = Command.make(
  "steps",
  {
    workflowId,
    after: Flag.Int("after").pipe(Flag.withDescription("Only those with a greater id"), Flag.optional),
    limit: Flag.Int("limit").pipe(Flag.withDescription("At most so many; default: all"), Flag.optional)
  },
  Effect.fnUntraced(function*({ after, limit, workflowId }) {
    const steps = yield* Client.steps(workflowId, given({ after, limit }))
    yield* show({ steps }, (reader) => stepsTable(steps, reader))
  }, onStore)
).pipe(Command.withDescription("List the recorded steps of a workflow, in the order of calls"))

// -----------------------------------------------------------------------------
// explain, result, watch
// -----------------------------------------------------------------------------

const explain = Command.make(
  "explain",
  { workflowId },
  Effect.fnUntraced(function*({ workflowId }) {
    const explanation = yield* Client.explain(workflowId)
    yield* show(explanation, (reader) =>
      [
        line(explanation.text),
        facts([
          ["status", status(explanation.status)],
          ["since", absolute(explanation.since, reader.now)],
          ["deadline", absolute(explanation.deadline, reader.now)]
        ], reader)
      ].join("\n\n"))
  }, onStore)
).pipe(Command.withDescription("Say what a workflow waits for, since when, and what would wake it"))

const result = Command.make(
  "result",
  { workflowId, timeout: Filters.duration("timeout", "Wait at most so long; default: until it is done") },
  Effect.fnUntraced(function*({ timeout, workflowId }) {
    const success = yield* Client.result(workflowId, given({ timeout }))
    yield* show(success, () => prettyJson(success))
  }, onStore)
).pipe(
  Command.withDescription("Wait until a workflow is done, and print its result; exit code 1 when it did not end well")
)

const watching = Command.make(
  "watch",
  { workflowId, timeout: Filters.duration("timeout", "Watch at most so long; default: until it is done") },
  Effect.fnUntraced(function*({ timeout, workflowId }) {
    yield* watch(workflowId, given({ timeout }).timeout)
  }, onStore)
).pipe(
  Command.withDescription("Show what a workflow does until it is done; exit code 1 when it did not end well")
)

export const commands = [list, get, steps, explain, result, watching] as const
