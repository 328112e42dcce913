/** `perdure message`, `event`, `stream`: what workflows are told and tell. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import type { Engine } from "perdure/Engine"
import * as Message from "perdure/Message"
import { WorkflowError } from "perdure/WorkflowError"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowStream from "perdure/WorkflowStream"
import * as ExitCode from "../ExitCode.ts"
import { paint } from "./color.ts"
import { onStore } from "./command.ts"
import { CliFailure, usage } from "./failing.ts"
import * as Filters from "./filters.ts"
import { given } from "./options.ts"
import { type Reader, show } from "./output.ts"
import { jsonOf } from "./payload.ts"
import { json, line, prettyJson } from "./printable.ts"
import { render } from "./table.ts"
import { relative } from "./times.ts"
import { workflowId } from "./workflowLooking.ts"

// `Schema.Any`: whatever was stored, also that it has no value; the definition that says more is not at hand.

/** What a definition would throw for a bad topic or key, as the failure that it is. */
const defined = <A>(make: () => A): Effect.Effect<A, WorkflowError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(make())
    } catch (error) {
      return error instanceof WorkflowError ? Effect.fail(error) : Effect.die(error)
    }
  })

// -----------------------------------------------------------------------------
// message
// -----------------------------------------------------------------------------

const send = Command.make(
  "send",
  {
    workflowId,
    topic: Argument.String("topic"),
    payload: Argument.String("json").pipe(
      Argument.withDescription("The encoded payload; - reads it from stdin; default: none"),
      Argument.optional
    ),
    idempotencyKey: Flag.String("key").pipe(
      Flag.withDescription("Sent again under the same key, it is there once"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ idempotencyKey, payload, topic, workflowId }) {
    const options = given({ idempotencyKey })
    yield* Option.isNone(payload)
      ? Effect.flatMap(defined(() => Message.make(topic)), (message) => message.send(workflowId, undefined, options))
      : Effect.flatMap(jsonOf("payload", payload.value), (value) =>
        Effect.flatMap(
          defined(() => Message.make(topic, { payload: Schema.Any })),
          (message) => message.send(workflowId, value, options)
        ))
    yield* show({ workflowId, topic }, () => `Sent to ${line(workflowId)}.`)
  }, onStore)
).pipe(
  Command.withDescription("Send a message to a workflow"),
  Command.withExamples([{ command: "perdure message send order-42 approval '{\"by\":\"ada\"}'" }])
)

// -----------------------------------------------------------------------------
// event
// -----------------------------------------------------------------------------

const eventsTable = (events: ReadonlyArray<Client.EventInfo>, reader: Reader): string =>
  events.length === 0 ? "No event is set." : render(
    [{ title: "KEY" }, { title: "SET" }, { title: "VALUE", shrinks: true }],
    events.map(({ at, key, value }) => [key, relative(at, reader.now), json(value)]),
    reader
  )

const notSet = (workflowId: string, key: string): CliFailure =>
  new CliFailure({
    exitCode: ExitCode.timeout,
    message: `The workflow ${JSON.stringify(workflowId)} has not set the event ${JSON.stringify(key)} so far. ` +
      "Wait for it with --timeout."
  })

const get = Command.make(
  "get",
  {
    workflowId,
    key: Argument.String("key").pipe(Argument.withDescription("Default: all that are set"), Argument.optional),
    timeout: Filters.duration("timeout", "Wait at most so long for its value; default: not at all")
  },
  Effect.fnUntraced(function*({ key, timeout, workflowId }) {
    if (Option.isNone(key)) {
      const events = yield* Client.events(workflowId)
      return yield* show({ events }, (reader) => eventsTable(events, reader))
    }
    const event = yield* defined(() => WorkflowEvent.make(key.value, { value: Schema.Any }))
    const value = yield* event.get(workflowId, { timeout: Option.getOrElse(timeout, () => 0) })
    if (Option.isNone(value)) return yield* notSet(workflowId, key.value)
    yield* show(value.value, () => prettyJson(value.value))
  }, onStore)
).pipe(Command.withDescription("Print the value of an event of a workflow; exit code 7 when it has none in time"))

// -----------------------------------------------------------------------------
// stream
// -----------------------------------------------------------------------------

const tail = Command.make(
  "tail",
  {
    workflowId,
    key: Argument.String("key").pipe(
      Argument.withDescription("Default: the only stream that it has"),
      Argument.optional
    ),
    from: Flag.Int("from").pipe(Flag.withDescription("The first offset"), Flag.withDefault(0)),
    follow: Flag.Boolean("follow").pipe(
      Flag.withDescription("Wait for what comes, until the stream ends (the default)"),
      Flag.withDefault(true)
    ),
    superseded: Flag.Boolean("superseded").pipe(
      Flag.withoutNegation,
      Flag.withDescription("Also what attempts wrote that do not count"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function*({ follow, from, key, superseded, workflowId }) {
    const name = Option.isSome(key) ? key.value : yield* onlyStream(workflowId)
    const stream = yield* defined(() => WorkflowStream.make(name, { value: Schema.Any }))
    const entries = stream.readEntries(workflowId, { from, superseded })
    const there = follow ? undefined : yield* entriesOf(workflowId, name)
    // Closing counts as an entry, which no reader is handed.
    const bounded = there === undefined
      ? entries
      : from >= there
      ? Stream.empty
      : Stream.takeUntil(entries, ({ offset }) => offset >= there - 1)
    yield* Stream.runForEach(bounded, (entry) =>
      show(
        entry,
        ({ colors }) =>
          `${paint(`${entry.offset}`, "dim", colors)} ${json(entry.value)}${
            entry.superseded ? paint(" (superseded)", "yellow", colors) : ""
          }`
      ))
  }, onStore)
).pipe(Command.withDescription("Print the entries of a stream of a workflow, one a line, as they come"))

const entriesOf = (workflowId: string, key: string): Effect.Effect<number, WorkflowError, Engine> =>
  Effect.map(Client.streams(workflowId), (streams) => {
    const found = streams.find((one) => one.key === key)
    return found === undefined ? 0 : found.entries - (found.closed ? 1 : 0)
  })

const onlyStream = (workflowId: string) =>
  Effect.flatMap(
    Client.streams(workflowId),
    (streams) =>
      streams.length === 1 ? Effect.succeed(streams[0]!.key) : Effect.fail(usage(
        streams.length === 0
          ? `The workflow ${JSON.stringify(workflowId)} has written to no stream so far`
          : `The workflow ${JSON.stringify(workflowId)} has the streams ${streams.map(({ key }) => key).join(", ")}`,
        "Give the key of one."
      ))
  )

export const message = Command.make("message").pipe(
  Command.withDescription("Send messages to workflows"),
  Command.withSubcommands([send])
)

export const event = Command.make("event").pipe(
  Command.withDescription("Read what workflows publish by key"),
  Command.withSubcommands([get])
)

export const stream = Command.make("stream").pipe(
  Command.withDescription("Read what workflows publish entry by entry"),
  Command.withSubcommands([tail])
)
