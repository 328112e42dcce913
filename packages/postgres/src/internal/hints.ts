/**
 * Hints to other processes over NOTIFY: sent at once when no notification is under way, gathered while one is, beside the
 * write path, and allowed to get lost.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import type { Hint, StoreError } from "perdure/Store"
import type { Database } from "./database.ts"
import { toStoreError } from "./errors.ts"

/** PostgreSQL takes payloads below 8000 bytes. */
const payloadBytes = 7_900
/** Beyond this many waiting hints, new ones are dropped. */
const capacity = 20_000

/** One channel per schema; hashed, because channel names end at 63 bytes and schema names may be as long. */
export const channelOf = (schema: string): string =>
  `perdure_${createHash("sha256").update(schema).digest("hex").slice(0, 40)}`

const letters = {
  Due: "d",
  Done: "f",
  Revoked: "r",
  Queue: "q",
  Inbox: "i",
  Event: "e",
  Stream: "s",
  Schedule: "t"
} as const satisfies Record<Hint["_tag"], string>

const textOf = (hint: Hint): string => {
  switch (hint._tag) {
    case "Due":
    case "Schedule":
      return hint.name
    case "Done":
    case "Inbox":
      return hint.workflowId
    case "Revoked":
      return hint.incarnation
    case "Queue":
      return hint.queue
    case "Event":
    case "Stream":
      return `${hint.workflowId}\t${hint.key}`
  }
}

/** One hint per line: ids hold no control characters. */
const encode = (hints: Iterable<Hint>): Array<string> => {
  const lines = new Set<string>()
  for (const hint of hints) lines.add(letters[hint._tag] + textOf(hint))
  const payloads: Array<string> = []
  let payload = ""
  let bytes = 0
  for (const line of lines) {
    const size = Buffer.byteLength(line) + 1
    if (size > payloadBytes) continue
    if (bytes + size > payloadBytes) {
      payloads.push(payload)
      payload = ""
      bytes = 0
    }
    payload += payload === "" ? line : `\n${line}`
    bytes += size
  }
  if (payload !== "") payloads.push(payload)
  return payloads
}

/** What cannot be read (another release's) is skipped: hints are never relied on. */
const decode = (payload: string): Array<Hint> =>
  payload.split("\n").flatMap((line): Array<Hint> => {
    const text = line.slice(1)
    switch (line[0]) {
      case "d":
        return [{ _tag: "Due", name: text }]
      case "f":
        return [{ _tag: "Done", workflowId: text }]
      case "r":
        return [{ _tag: "Revoked", incarnation: text }]
      case "q":
        return [{ _tag: "Queue", queue: text }]
      case "i":
        return [{ _tag: "Inbox", workflowId: text }]
      case "e":
        return [{ _tag: "Event", ...subjectOf(text) }]
      case "s":
        return [{ _tag: "Stream", ...subjectOf(text) }]
      case "t":
        return [{ _tag: "Schedule", name: text }]
      default:
        return []
    }
  })

/** Neither ids nor keys hold a tab. */
const subjectOf = (text: string): { readonly workflowId: string; readonly key: string } => {
  const tab = text.indexOf("\t")
  return { workflowId: text.slice(0, tab), key: text.slice(tab + 1) }
}

export interface Hints {
  readonly hint: (hints: ReadonlyArray<Hint>) => Effect.Effect<void>
  readonly hints: Stream.Stream<Hint, StoreError>
}

/** Behind a transaction pooler there is no channel: nothing is sent, nothing arrives. */
export const silent: Hints = { hint: () => Effect.void, hints: Stream.never }

export const make = Effect.fnUntraced(function*(
  pulse: Database,
  config: PgConnection.Config,
  /** Somebody has sent messages by SQL alone (`send_message`), and they have not been delivered. */
  posted: Effect.Effect<void>
): Effect.fn.Return<Hints, never, Scope.Scope> {
  const channel = channelOf(pulse.schema)
  const queue = yield* Queue.dropping<Hint>(capacity)

  // one statement however many payloads; lost with the database, and never tried again
  yield* Queue.take(queue).pipe(
    // what is hinted in the same turn goes along
    Effect.tap(Effect.yieldNow),
    Effect.flatMap((head) =>
      Effect.flatMap(
        Queue.clear(queue),
        (rest) =>
          pulse.query("SELECT count(pg_notify($1::text, p)) FROM unnest($2::text[]) AS p", [
            channel,
            encode([head, ...rest])
          ])
      )
    ),
    Effect.ignore,
    Effect.forever,
    Effect.forkScoped
  )

  return {
    hint: (hints) => Effect.asVoid(Queue.offerAll(queue, hints)),
    hints: Stream.unwrap(
      PgConnection.make({ ...config, prepare: false }).pipe(
        Effect.flatMap((connection) => connection.listen(channel)),
        Effect.map((notifications) =>
          Stream.fromQueue(notifications).pipe(
            Stream.tap(({ payload }) => payload === "o" ? posted : Effect.void),
            Stream.map(({ payload }) => decode(payload)),
            Stream.flattenIterable,
            Stream.mapError(toStoreError)
          )
        ),
        Effect.mapError(toStoreError)
      )
    )
  }
})
