/**
 * Hints to other processes over NOTIFY: sent at once when no notification is under way, gathered while one is, beside the
 * write path, and allowed to get lost.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { createHash, randomUUID } from "node:crypto"
import { type Hint, StoreError, type StoreService, StoreUnavailable } from "perdure/Store"
import type { Database } from "./database.ts"
import { toStoreError } from "./errors.ts"

/** PostgreSQL takes payloads below 8000 bytes. */
const payloadBytes = 7_900
/** Whoever is silent for so long is gone, and heartbeats need the connection. */
const patience = "10 seconds"
/** How often it is made sure that notifications arrive. */
const askEvery = "10 seconds"
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

/** Begins a payload of a store: whoever sent it has told its own process already. */
const sender = "="

/** One hint per line, after the sender's: ids hold no control characters. */
const encode = (hints: Iterable<Hint>, self: string): Array<string> => {
  const lines = new Set<string>()
  for (const hint of hints) lines.add(letters[hint._tag] + textOf(hint))
  const head = sender + self
  const payloads: Array<string> = []
  let payload = head
  let bytes = head.length
  for (const line of lines) {
    const size = Buffer.byteLength(line) + 1
    if (head.length + size > payloadBytes) continue
    if (bytes + size > payloadBytes) {
      payloads.push(payload)
      payload = head
      bytes = head.length
    }
    payload += `\n${line}`
    bytes += size
  }
  if (payload !== head) payloads.push(payload)
  return payloads
}

/** What cannot be read (another release's) is skipped: hints are never relied on. `by`: null, whoever used SQL alone. */
const decode = (payload: string): { readonly by: string | null; readonly hints: ReadonlyArray<Hint> } => {
  const lines = payload.split("\n")
  const [first] = lines as [string]
  return { by: first.startsWith(sender) ? first.slice(sender.length) : null, hints: lines.flatMap(hintOf) }
}

const hintOf = (line: string): ReadonlyArray<Hint> => {
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
}

/** Neither ids nor keys hold a tab. */
const subjectOf = (text: string): { readonly workflowId: string; readonly key: string } => {
  const tab = text.indexOf("\t")
  return { workflowId: text.slice(0, tab), key: text.slice(tab + 1) }
}

const silence = new StoreError({
  reason: new StoreUnavailable({ message: "Notifications of this process do not come back: its connection is silent" })
})

type Hints = Pick<StoreService, "hint" | "hints">

/** Between the listeners of this process. All that there is behind a transaction pooler: it has no channel. */
export const local = Effect.gen(function*() {
  const told = yield* PubSub.dropping<{ readonly hints: ReadonlyArray<Hint>; readonly by: string }>(capacity)
  return {
    hint: (hints: ReadonlyArray<Hint>, by: string) => Effect.asVoid(PubSub.publish(told, { hints, by })),
    hints: (listener: string, begun: Effect.Effect<void> = Effect.void): Stream.Stream<Hint> =>
      Stream.unwrap(Effect.map(
        Effect.tap(PubSub.subscribe(told), () => begun),
        (subscription) =>
          Stream.fromSubscription(subscription).pipe(
            Stream.filter(({ by }) => by !== listener),
            Stream.flatMap(({ hints }) => Stream.fromIterable(hints))
          )
      ))
  }
})

export const make = Effect.fnUntraced(function*(
  pulse: Database,
  config: PgConnection.Config,
  /** Somebody has sent messages by SQL alone (`send_message`), and they have not been delivered. */
  posted: Effect.Effect<void>
): Effect.fn.Return<Hints, never, Scope.Scope> {
  const channel = channelOf(pulse.schema)
  const self = randomUUID()
  const here = yield* local
  const queue = yield* Queue.dropping<Hint>(capacity)
  const notify = (payloads: ReadonlyArray<string>) =>
    pulse.query("SELECT count(pg_catalog.pg_notify($1::text, p)) FROM unnest($2::text[]) AS p", [channel, payloads])
      .pipe(
        Effect.timeout(patience),
        Effect.ignore
      )

  // one statement for what is hinted in the same turn, or while one is under way; lost with the database, never tried again
  yield* Queue.takeAll(queue).pipe(
    Effect.flatMap((hints) => notify(encode(hints, self))),
    Effect.forever,
    Effect.forkScoped
  )

  const listened = Effect.gen(function*() {
    const connected = yield* Scope.make()
    const listening = yield* Scope.make()
    // The connection first: else UNLISTEN would be waited for, on a silent one without end.
    yield* Effect.addFinalizer((exit) => Effect.andThen(Scope.close(connected, exit), Scope.close(listening, exit)))
    const connection = yield* Scope.provide(PgConnection.make({ ...config, prepare: false }), connected)
    return yield* Scope.provide(connection.listen(channel), listening)
  })

  const elsewhere = (begun: Effect.Effect<void>) =>
    Stream.unwrap(
      Effect.map(Effect.tap(Effect.mapError(listened, toStoreError), () => begun), (notifications) => {
        // Own notifications come back as well, which shows that any do: a connection on which nothing is said is forgotten by
        // what is between, and neither end is told.
        let heard = false
        const alive = Effect.suspend(() => {
          heard = false
          return notify([sender + self])
        }).pipe(
          Effect.andThen(Effect.sleep(askEvery)),
          Effect.andThen(Effect.suspend(() => heard ? Effect.void : Effect.fail(silence))),
          Effect.forever
        )
        return Stream.fromQueue(notifications).pipe(
          Stream.tap(({ payload }) => payload === "o" ? posted : Effect.void),
          Stream.map(({ payload }) => {
            const { by, hints } = decode(payload)
            if (by !== self) return hints
            heard = true
            return []
          }),
          Stream.flattenIterable,
          Stream.mapError(toStoreError),
          Stream.merge(Stream.fromEffectDrain(alive))
        )
      })
    )

  return {
    hint: (hints, by) => Effect.andThen(here.hint(hints, by), Effect.asVoid(Queue.offerAll(queue, hints))),
    hints: (listener, begun = Effect.void) => Stream.merge(here.hints(listener), elsewhere(begun))
  }
})
