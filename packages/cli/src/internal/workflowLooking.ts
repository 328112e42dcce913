/** `perdure workflow list`, `get`: looking at workflows. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Client from "perdure/Client"
import { status } from "./color.ts"
import { onStore } from "./command.ts"
import * as Filters from "./filters.ts"
import { note, type Reader, show } from "./output.ts"
import { line, prettyJson } from "./printable.ts"
import { type Column, facts, render } from "./table.ts"
import { absolute, lengthOf, relative } from "./times.ts"

export const workflowId = Argument.String("id").pipe(Argument.withDescription("The workflow's id"))

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

/** The workflows of a page, one a line. */
export const tableOf = (workflows: ReadonlyArray<Client.WorkflowInfo>, reader: Reader): string =>
  workflows.length === 0 ? "No workflow fits." : render(
    columns,
    workflows.map((one) => [
      one.workflowId,
      one.name,
      status(one.status),
      relative(one.createdAt, reader.now),
      one.startedAt === undefined || one.completedAt === undefined
        ? ""
        : lengthOf(one.completedAt.getTime() - one.startedAt.getTime())
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
  Effect.fnUntraced(function*({ cursor, limit, order, ...given }) {
    const filter = yield* Filters.filterOf(given)
    const page = yield* Client.list({
      ...filter,
      order,
      limit,
      ...(Option.isNone(cursor) ? {} : { cursor: cursor.value })
    })
    yield* show(page, (reader) => tableOf(page.workflows, reader))
    if (page.cursor !== undefined) yield* note(`More: --cursor ${line(page.cursor)}`)
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

/** A workflow, as people read it. */
export const textOf = (one: Client.WorkflowInfo, reader: Reader): string => {
  const blocks = [
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
  ]
  if (one.payload !== undefined) blocks.push(`payload\n${prettyJson(one.payload)}`)
  if (one.success !== undefined) blocks.push(`success\n${prettyJson(one.success)}`)
  if (one.failure !== undefined) blocks.push(`failure\n${prettyJson(one.failure)}`)
  if (one.reason !== undefined) blocks.push(`reason\n${prettyJson(one.reason)}`)
  return blocks.join("\n\n")
}

const get = Command.make(
  "get",
  { workflowId },
  Effect.fnUntraced(function*({ workflowId }) {
    const info = yield* Client.get(workflowId)
    yield* show(info, (reader) => textOf(info, reader))
  }, onStore)
).pipe(Command.withDescription("Show one workflow: its state, payload and outcome"))

export const commands = [list, get] as const
