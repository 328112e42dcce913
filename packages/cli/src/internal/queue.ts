/** `perdure queue`: what is in queues, and an operator's limits and pauses. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import { queueCountLimit, type QueueLimits } from "perdure/Store"
import type { Limits, PartitionLimits, RateLimit } from "perdure/WorkflowQueue"
import { onStore } from "./command.ts"
import { type CliFailure, usage } from "./failing.ts"
import { given } from "./options.ts"
import { type Reader, show } from "./output.ts"
import { line } from "./printable.ts"
import { facts, render } from "./table.ts"
import { durationOf, lengthOf, relative } from "./times.ts"

type QueueInfo = Client.queues.QueueInfo

const name = Argument.String("name").pipe(Argument.withDescription("The queue's name"))

// -----------------------------------------------------------------------------
// list
// -----------------------------------------------------------------------------

const rateText = (rate: QueueLimits["rateLimit"]): string =>
  rate === null ? "none" : `${rate.limit}/${lengthOf(rate.periodMs)}`

const limitsText = ({ concurrency, executorConcurrency, rateLimit }: QueueLimits): string =>
  [
    concurrency === null ? "" : `${concurrency} at once`,
    executorConcurrency === null ? "" : `${executorConcurrency} per executor`,
    rateLimit === null ? "" : rateText(rateLimit)
  ].filter((part) => part !== "").join(", ")

const counted = (count: number): string => `${count}${count < queueCountLimit ? "" : "+"}`

const tableOf = (queues: ReadonlyArray<QueueInfo>, reader: Reader): string =>
  queues.length === 0 ? "No queue is known." : render(
    [
      { title: "QUEUE" },
      { title: "STATE" },
      { title: "WAITING", align: "right" },
      { title: "DELAYED", align: "right" },
      { title: "RUNNING", align: "right" },
      { title: "OLDEST" },
      { title: "LIMITS", shrinks: true }
    ],
    queues.map((queue) => [
      queue.name,
      queue.paused ? { text: "paused", color: "yellow" } : "open",
      counted(queue.waiting),
      counted(queue.delayed),
      counted(queue.running),
      queue.oldest === undefined ? "" : relative(queue.oldest, reader.now),
      `${limitsText(queue.limits)}${queue.overridden ? " (by an operator)" : ""}`
    ]),
    reader
  )

const list = Command.make(
  "list",
  {},
  Effect.fnUntraced(function*() {
    const queues = yield* Client.queues.list
    yield* show({ queues }, (reader) => tableOf(queues, reader))
  }, onStore)
).pipe(Command.withDescription("List the queues, with how much is in them"))

// -----------------------------------------------------------------------------
// limit
// -----------------------------------------------------------------------------

const limitFlag = (flag: string, metavar: string, description: string) =>
  Flag.String(flag).pipe(Flag.withMetavar(metavar), Flag.withDescription(`${description}, or none`), Flag.optional)

/** Null: none. Undefined: it was not given, and stays. */
type Change<A> = A | null | undefined

const change = <A>(
  flag: string,
  text: string | undefined,
  parse: (text: string) => A | undefined,
  form: string
): Effect.Effect<Change<A>, CliFailure> => {
  if (text === undefined || text === "none") return Effect.succeed(text === undefined ? undefined : null)
  const parsed = parse(text)
  return parsed === undefined
    ? Effect.fail(usage(`--${flag} is ${JSON.stringify(text)}`, `Give ${form}, or none.`))
    : Effect.succeed(parsed)
}

const countOf = (text: string): number | undefined => /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined

/** `50/1m`. */
export const rateOf = (text: string): RateLimit | undefined => {
  const [, count, period] = /^([1-9]\d{0,9})\/(.+)$/.exec(text) ?? []
  const parsed = durationOf(/^\D/.test(period ?? "") ? `1${period}` : period ?? "")
  return count === undefined || parsed === undefined ? undefined : { limit: Number(count), period: parsed }
}

/** The limits as a definition would give them. */
const declared = ({ ageingMs, concurrency, executorConcurrency, partitioned, rateLimit }: QueueLimits): Limits => ({
  concurrency: concurrency ?? undefined,
  executorConcurrency: executorConcurrency ?? undefined,
  rateLimit: rateDeclared(rateLimit),
  ageing: ageingMs === null ? undefined : Duration.millis(ageingMs),
  partitioned: partitioned === null ? undefined : {
    concurrency: partitioned.concurrency,
    executorConcurrency: partitioned.executorConcurrency ?? undefined,
    rateLimit: rateDeclared(partitioned.rateLimit)
  }
})

const rateDeclared = (rate: QueueLimits["rateLimit"]): RateLimit | undefined =>
  rate === null ? undefined : { limit: rate.limit, period: Duration.millis(rate.periodMs) }

const limitsFacts = (queue: QueueInfo, reader: Reader): string =>
  facts([
    ["queue", queue.name],
    ["limits", queue.overridden ? "by an operator" : "by code"],
    ["at once", String(queue.limits.concurrency ?? "no limit")],
    ["per executor", String(queue.limits.executorConcurrency ?? "no limit")],
    ["rate", rateText(queue.limits.rateLimit)],
    ["ageing", queue.limits.ageingMs === null ? "none" : lengthOf(queue.limits.ageingMs)],
    ["per partition", queue.limits.partitioned === null ? undefined : String(queue.limits.partitioned.concurrency)],
    ["rate of one", queue.limits.partitioned === null ? undefined : rateText(queue.limits.partitioned.rateLimit)]
  ], reader)

const limit = Command.make(
  "limit",
  {
    name,
    concurrency: limitFlag("concurrency", "<n>", "At once, in all executors"),
    executorConcurrency: limitFlag("executor-concurrency", "<n>", "In memory in one executor"),
    rate: limitFlag("rate", "<n/period>", "Starts in any such stretch, as in 50/1m"),
    ageing: limitFlag("ageing", "<duration>", "So much waiting is worth a point of priority"),
    partitionConcurrency: Flag.Int("partition-concurrency").pipe(
      Flag.withDescription("At once of one partition key"),
      Flag.optional
    ),
    partitionRate: limitFlag("partition-rate", "<n/period>", "Starts of one partition key"),
    reset: Flag.Boolean("reset").pipe(
      Flag.withoutNegation,
      Flag.withDescription("Give up the operator's limits for those of the code"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function*({ name, reset, ...flags }) {
    const texts = given(flags)
    if (reset && Object.keys(texts).length > 0) {
      return yield* usage("Limits and --reset are given", "Give either.")
    }
    const before = yield* Client.queues.get(name)
    if (reset) yield* Client.queues.resetLimits(name)
    else if (Object.keys(texts).length > 0) yield* Client.queues.setLimits(name, yield* changed(before, texts))
    const after = yield* Client.queues.get(name)
    yield* show(after, (reader) => limitsFacts(after, reader))
  }, onStore)
).pipe(
  Command.withDescription("Show or change the limits of a queue; what is not given stays, and wins over the code"),
  Command.withExamples([
    { command: "perdure queue limit mails --concurrency 5 --rate 50/1m" },
    { command: "perdure queue limit mails --reset", description: "As the code says, again" }
  ])
)

interface Texts {
  readonly concurrency?: string
  readonly executorConcurrency?: string
  readonly rate?: string
  readonly ageing?: string
  readonly partitionConcurrency?: number
  readonly partitionRate?: string
}

const changed = (queue: QueueInfo, texts: Texts): Effect.Effect<Limits, CliFailure> =>
  Effect.gen(function*() {
    const limits = declared(queue.limits)
    const whole = "a whole number from 1"
    const rate = "a number and a period, as in 50/1m"
    const concurrency = yield* change("concurrency", texts.concurrency, countOf, whole)
    const each = yield* change("executor-concurrency", texts.executorConcurrency, countOf, whole)
    const rateLimit = yield* change("rate", texts.rate, rateOf, rate)
    const ageing = yield* change("ageing", texts.ageing, durationOf, "a duration, as in 10m")
    const partitionRate = yield* change("partition-rate", texts.partitionRate, rateOf, rate)
    // What it was where nothing was said.
    const over = <A>(change: Change<A>, before: A | undefined): A | undefined =>
      change === undefined ? before : change ?? undefined
    const partitioned = limits.partitioned as PartitionLimits | undefined
    const asked = texts.partitionConcurrency !== undefined || partitionRate !== undefined
    return {
      concurrency: over(concurrency, limits.concurrency),
      executorConcurrency: over(each, limits.executorConcurrency),
      rateLimit: over(rateLimit, limits.rateLimit),
      ageing: over(ageing, limits.ageing),
      partitioned: partitioned === undefined && !asked ? undefined : {
        ...partitioned,
        concurrency: texts.partitionConcurrency ?? partitioned?.concurrency,
        rateLimit: over(partitionRate, partitioned?.rateLimit)
      }
    }
  })

// -----------------------------------------------------------------------------
// pause, resume
// -----------------------------------------------------------------------------

const pausing = (verb: "pause" | "resume", description: string) =>
  Command.make(
    verb,
    { name },
    Effect.fnUntraced(function*({ name }) {
      yield* Client.queues[verb](name)
      yield* show({ name, paused: verb === "pause" }, () =>
        `The queue ${line(name)} is ${verb === "pause" ? "paused: what has started goes on" : "open"}.`)
    }, onStore)
  ).pipe(Command.withDescription(description))

export const queue = Command.make("queue").pipe(
  Command.withDescription("See queues, limit and pause them"),
  Command.withSubcommands([
    list,
    limit,
    pausing("pause", "Start nothing more of a queue; what has started goes on"),
    pausing("resume", "End the pause of a queue")
  ])
)
