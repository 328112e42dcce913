/** `perdure workflow start`, `fork`: new workflows, by name or from another's records. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Client from "perdure/Client"
import { onStore } from "./command.ts"
import * as Filters from "./filters.ts"
import { given } from "./options.ts"
import { show } from "./output.ts"
import { jsonOf } from "./payload.ts"
import { line } from "./printable.ts"
import { workflowId } from "./workflowLooking.ts"

const payload = Flag.String("payload").pipe(
  Flag.withMetavar("<json>"),
  Flag.withDescription("The encoded payload as JSON; - reads it from stdin"),
  Flag.optional
)

const version = Flag.String("app-version").pipe(
  Flag.withDescription("The application version that is to run it; default: the latest when it starts"),
  Flag.optional
)

const newId = Flag.String("id").pipe(Flag.withDescription("Its id; default: a random UUID"), Flag.optional)

const timeout = Filters.duration("timeout", "From its start to its end; default: none")

const payloadOf = (given: Option.Option<string>) =>
  Option.isNone(given)
    ? Effect.succeed({})
    : Effect.map(jsonOf("payload", given.value), (payload) => ({ payload }))

const showStarted = (done: string, workflowId: string) => show({ workflowId }, () => `${done} ${line(workflowId)}`)

const start = Command.make(
  "start",
  {
    name: Argument.String("name").pipe(Argument.withDescription("The workflow's name")),
    payload,
    workflowId: newId,
    version,
    timeout,
    delay: Filters.duration("delay", "Start only after so long"),
    queue: Flag.String("queue").pipe(Flag.withDescription("A queue that the store knows"), Flag.optional),
    priority: Flag.Int("priority").pipe(Flag.withDescription("In the queue: higher first, from 1"), Flag.optional),
    partitionKey: Flag.String("partition").pipe(Flag.withDescription("Of a partitioned queue"), Flag.optional),
    deduplicationId: Flag.String("deduplication-id").pipe(
      Flag.withDescription("In the queue: while one with it is not done, no other starts"),
      Flag.optional
    ),
    attributes: Filters.flags.attributes
  },
  Effect.fnUntraced(function*({ attributes, name, payload, ...options }) {
    const chosen = yield* Filters.attributesOf(attributes)
    const id = yield* Client.start(name, {
      ...given(options),
      ...(yield* payloadOf(payload)),
      ...(chosen === undefined ? {} : { attributes: chosen })
    })
    yield* showStarted("Started", id)
  }, onStore)
).pipe(
  Command.withDescription("Start a workflow by its name; an executor that has its code runs it"),
  Command.withExamples([
    { command: "perdure workflow start Order --payload '{\"item\":\"book\"}' --id order-42" },
    { command: "perdure workflow start Order --payload - < order.json", description: "With the payload from a file" }
  ])
)

const fork = Command.make(
  "fork",
  {
    workflowId,
    fromStep: Flag.Int("from-step").pipe(
      Flag.withDescription("The first step that it does for itself; default: 0, all"),
      Flag.optional
    ),
    id: newId,
    version: Flag.String("app-version").pipe(
      Flag.withDescription("The application version that is to run it; default: the source's"),
      Flag.optional
    ),
    payload,
    timeout
  },
  Effect.fnUntraced(function*({ fromStep, id, payload, timeout, version, workflowId }) {
    const forked = yield* Client.fork(workflowId, {
      ...given({ fromStep, workflowId: id, version, timeout }),
      ...(yield* payloadOf(payload))
    })
    yield* showStarted("Forked as", forked)
  }, onStore)
).pipe(
  Command.withDescription("Start a new workflow from another's records up to a step"),
  Command.withExamples([
    {
      command: "perdure workflow fork order-42 --from-step 3 --app-version v2",
      description: "Again, with mended code"
    },
    {
      command: "perdure workflow fork order-42 --payload '{\"item\":\"pen\"}'",
      description: "Again, with another input"
    }
  ])
)

export const commands = [start, fork] as const
