/** The flags that say which workflows are meant, the same for lists and for what is done to many. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Filter } from "perdure/Client"
import { WorkflowStatus } from "perdure/WorkflowStatus"
import { type CliFailure, usage } from "./failing.ts"
import { durationOf, timeOf } from "./times.ts"

const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(description), Flag.optional)

const texts = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withDescription(`${description}; may be repeated`), Flag.atLeast(0))

const timeForm = "2026-01-31, 2026-01-31T12:00:00Z, or so long ago: 90s, 5m, 2h, 7d"

/** A time. */
export const time = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.mapTryCatch(
      (given) => timeOf(given, Date.now()) ?? raise(`expected ${timeForm}`),
      (error) => String(error)
    ),
    Flag.withMetavar("<time>"),
    Flag.withDescription(description),
    Flag.optional
  )

/** How long. */
export const duration = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.mapTryCatch(
      (given) => durationOf(given) ?? raise("expected 90s, 5m, 1h30m or 7d"),
      (error) => String(error)
    ),
    Flag.withMetavar("<duration>"),
    Flag.withDescription(description),
    Flag.optional
  )

const raise = (message: string): never => {
  throw message
}

export const flags = {
  status: Flag.Literals("status", WorkflowStatus.literals).pipe(
    Flag.withDescription("May be repeated"),
    Flag.atLeast(0)
  ),
  name: texts("name", "The workflow's name"),
  idPrefix: text("id-prefix", "How the workflow id begins"),
  user: text("user", "On whose behalf it runs"),
  version: texts("app-version", "The application version"),
  executorId: text("executor", "The executor that owns it, or owned it last"),
  queue: texts("queue", "The queue that it was enqueued in"),
  partitionKey: text("partition", "Its partition key"),
  deduplicationId: text("deduplication-id", "Its deduplication id"),
  schedule: text("schedule", "The schedule that started it"),
  parentId: text("parent", "The workflow that started it"),
  forkedFrom: text("forked-from", "The workflow that it was forked from"),
  attributes: Flag.String("attribute").pipe(
    Flag.withMetavar("<key=value>"),
    Flag.withDescription("An attribute; numbers, true and false are taken as such; may be repeated"),
    Flag.atLeast(0)
  ),
  from: time("from", "Created at or after"),
  to: time("to", "Created before"),
  completedFrom: time("completed-from", "Ended at or after"),
  completedTo: time("completed-to", "Ended before")
}

/** What the flags parse to. */
export type Given = {
  readonly [Name in keyof typeof flags]: (typeof flags)[Name] extends Flag.Flag<infer A> ? A : never
}

/** The filter that was given; only what was given is in it. */
export const filterOf = (given: Given): Effect.Effect<Filter, CliFailure> =>
  Effect.map(attributesOf(given.attributes), (attributes): Filter => {
    const one = <Name extends keyof Filter>(name: Name, value: Option.Option<Filter[Name]>) =>
      Option.isNone(value) ? {} : { [name]: value.value }
    const many = <Name extends keyof Filter>(name: Name, values: ReadonlyArray<string>) =>
      values.length === 0 ? {} : { [name]: values }
    return {
      ...many("status", given.status),
      ...many("name", given.name),
      ...one("idPrefix", given.idPrefix),
      ...one("user", given.user),
      ...many("version", given.version),
      ...one("executorId", given.executorId),
      ...many("queue", given.queue),
      ...one("partitionKey", given.partitionKey),
      ...one("deduplicationId", given.deduplicationId),
      ...one("schedule", given.schedule),
      ...one("parentId", given.parentId),
      ...one("forkedFrom", given.forkedFrom),
      ...(attributes === undefined ? {} : { attributes }),
      ...one("from", given.from),
      ...one("to", given.to),
      ...one("completedFrom", given.completedFrom),
      ...one("completedTo", given.completedTo)
    }
  })

type Attributes = Readonly<Record<string, string | number | boolean>>

/** A value that is JSON of a number, a boolean or a string is that; any other is the text itself. */
export const attributesOf = (
  given: ReadonlyArray<string>
): Effect.Effect<Attributes | undefined, CliFailure> => {
  const pairs: Array<readonly [string, string | number | boolean]> = []
  for (const pair of given) {
    const at = pair.indexOf("=")
    if (at < 1) {
      return Effect.fail(usage(`"${pair}" is no attribute`, "Give --attribute key=value."))
    }
    pairs.push([pair.slice(0, at), valueOf(pair.slice(at + 1))])
  }
  // From entries, so that a key like __proto__ is a key like any other.
  return Effect.succeed(pairs.length === 0 ? undefined : Object.fromEntries(pairs))
}

const valueOf = (text: string): string | number | boolean => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "number" || typeof value === "boolean" || typeof value === "string" ? value : text
  } catch {
    return text
  }
}
