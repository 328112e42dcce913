/** `perdure schedule`: what starts workflows by the clock. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import { onStore } from "./command.ts"
import { usage } from "./failing.ts"
import * as Filters from "./filters.ts"
import { given } from "./options.ts"
import { type Reader, show } from "./output.ts"
import { line } from "./printable.ts"
import { render } from "./table.ts"
import { absolute, lengthOf, relative } from "./times.ts"

type ScheduleInfo = Client.schedules.ScheduleInfo

const name = Argument.String("name").pipe(Argument.withDescription("The schedule's name"))

// -----------------------------------------------------------------------------
// list, next
// -----------------------------------------------------------------------------

const ruleOf = ({ cron, intervalMs, timeZone }: ScheduleInfo): string =>
  cron !== undefined
    ? `${cron}${timeZone === undefined ? "" : ` ${timeZone}`}`
    : intervalMs === undefined
    ? "unreadable"
    : `every ${lengthOf(intervalMs)}`

const tableOf = (schedules: ReadonlyArray<ScheduleInfo>, reader: Reader): string =>
  schedules.length === 0 ? "No schedule fits." : render(
    [
      { title: "SCHEDULE" },
      { title: "WORKFLOW", shrinks: true },
      { title: "RULE", shrinks: true },
      { title: "STATE" },
      { title: "NEXT" },
      { title: "LAST" }
    ],
    schedules.map((one) => [
      one.name,
      one.workflow,
      ruleOf(one),
      one.paused ? { text: "paused", color: "yellow" } : "on",
      one.paused || one.nextFire === undefined ? "" : relative(one.nextFire, reader.now),
      one.lastFire === undefined ? "" : relative(one.lastFire, reader.now)
    ]),
    reader
  )

const list = Command.make(
  "list",
  {
    namePrefix: Flag.String("name-prefix").pipe(Flag.withDescription("How its name begins"), Flag.optional),
    workflow: Flag.String("workflow").pipe(Flag.withDescription("The workflow that it starts"), Flag.optional),
    paused: Flag.Boolean("paused").pipe(
      Flag.withDescription("Only those that are paused, or with --no-paused that are not"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*(flags) {
    const schedules = yield* Client.schedules.list(given(flags))
    yield* show({ schedules }, (reader) => tableOf(schedules, reader))
  }, onStore)
).pipe(Command.withDescription("List the schedules, by name"))

const next = Command.make(
  "next",
  { name, count: Flag.Int("count").pipe(Flag.withDescription("How many, 1 to 1,000"), Flag.withDefault(5)) },
  Effect.fnUntraced(function*({ count, name }) {
    const ticks = yield* Client.schedules.next(name, count)
    yield* show({ name, ticks }, (reader) => ticks.map((tick) => absolute(tick, reader.now)).join("\n"))
  }, onStore)
).pipe(Command.withDescription("Print the next ticks of a schedule, by its rule"))

// -----------------------------------------------------------------------------
// pause, resume, trigger, backfill
// -----------------------------------------------------------------------------

const pausing = (verb: "pause" | "resume", description: string) =>
  Command.make(
    verb,
    { name },
    Effect.fnUntraced(function*({ name }) {
      yield* Client.schedules[verb](name)
      const { nextFire, paused } = yield* Client.schedules.get(name)
      yield* show({ name, paused, nextFire }, (reader) =>
        paused
          ? `The schedule ${line(name)} is paused.`
          : `The schedule ${line(name)} is on; next: ${absolute(nextFire, reader.now) ?? "never"}`)
    }, onStore)
  ).pipe(Command.withDescription(description))

const trigger = Command.make(
  "trigger",
  { name },
  Effect.fnUntraced(function*({ name }) {
    const workflowId = yield* Client.schedules.trigger(name)
    yield* show({ workflowId }, () => `Started ${line(workflowId)}`)
  }, onStore)
).pipe(Command.withDescription("Start the workflow of a schedule now, beside its ticks, paused or not"))

const backfill = Command.make(
  "backfill",
  {
    name,
    from: Filters.time("from", "From this tick on"),
    to: Filters.time("to", "Before this time, not after now")
  },
  Effect.fnUntraced(function*({ name, ...range }) {
    const { from, to } = given(range)
    if (from === undefined || to === undefined) {
      return yield* usage("It is not said what to backfill", "Give --from and --to.")
    }
    const { started, workflowIds } = yield* Client.schedules.backfill(name, { from, to })
    yield* show(
      { started, workflowIds },
      () =>
        `Started ${started} of ${workflowIds.length} ticks${
          started < workflowIds.length ? "; the others were there" : ""
        }.`
    )
  }, onStore)
).pipe(
  Command.withDescription("Start a workflow for every tick of the past that has none; may be repeated"),
  Command.withExamples([{ command: "perdure schedule backfill nightly --from 7d --to 1h" }])
)

export const schedule = Command.make("schedule").pipe(
  Command.withDescription("See schedules, pause and fire them"),
  Command.withSubcommands([
    list,
    next,
    pausing("pause", "Start nothing until it is resumed, whatever is deployed"),
    pausing("resume", "Go on with the next tick after now"),
    trigger,
    backfill
  ])
)
