/** The journal's write: sends batches, and isolates what stands in the way of one. */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Answer, Operation, StoreError } from "perdure/Store"
import { decode } from "./answers.ts"
import type { Database } from "./database.ts"
import { encode, flushStatement, ownerOf, sizeOf } from "./encoding.ts"
import { classify, toStoreError } from "./errors.ts"
import * as StartingMany from "./startingMany.ts"

/** How long a flush waits for a key that somebody's open transaction is inserting. */
const lockMs = 100
/** The same once a batch has been held up: its parts, and ids that held one up lately, wait much shorter. */
const splitLockMs = 15
/** How long an id that held a batch up is written apart from the others. */
const slowForMs = 5_000
/** A flush is cut above this many bytes of text, so that one commit does not hold up the rest for long. */
const maxBytes = 4_000_000
const conflictRetries = 5

interface Entry {
  readonly index: number
  readonly operation: Operation
}

/**
 * The keys that an operation may have been held up by: its workflow's (a delivery is of none), and the deduplication id of
 * a start, which another workflow may be starting with.
 */
const keysOf = (operation: Operation): ReadonlyArray<string> => {
  if (operation._tag === "Advance") return [operation.workflowId]
  if (operation._tag !== "Start") return []
  const { queue, workflowId } = operation
  return queue === null || queue.deduplicationId === null
    ? [workflowId]
    : [workflowId, `${queue.queue}\t${queue.deduplicationId}`]
}

const busy: Answer = { _tag: "Busy" }

export const make = (database: Database) => {
  const statement = flushStatement(database.s)
  const startMany = StartingMany.make(database)
  /** Keys that somebody's open transaction holds, and until when they are written apart. Bounded. */
  const slow = new Map<string, number>()

  const send = (entries: ReadonlyArray<Entry>, lock: number): Effect.Effect<ReadonlyArray<Answer>, SqlError> =>
    Effect.suspend(() => {
      const operations = entries.map(({ operation }) => operation)
      return Effect.map(database.run(statement, encode(operations, lock)), (rows) => decode(operations, rows))
    })

  const halves = (entries: ReadonlyArray<Entry>, lock: number) => {
    const middle = entries.length >>> 1
    return Effect.zipWith(
      attempt(entries.slice(0, middle), lock),
      attempt(entries.slice(middle), lock),
      (a, b) => [...a, ...b]
    )
  }

  const attempt = (
    entries: ReadonlyArray<Entry>,
    lock: number,
    tries = 0
  ): Effect.Effect<ReadonlyArray<Answer>, StoreError> =>
    Effect.catch(send(entries, lock), (error): Effect.Effect<ReadonlyArray<Answer>, StoreError> => {
      switch (classify(error)) {
        case "conflict":
          if (tries < conflictRetries) return attempt(entries, lock, tries + 1)
          return entries.length > 1 ? halves(entries, lock) : Effect.succeed([busy])
        case "busy":
          if (entries.length > 1) return halves(entries, splitLockMs)
          markSlow(keysOf(entries[0]!.operation))
          return Effect.succeed([busy])
        case "value":
          return entries.length > 1
            ? halves(entries, lock)
            : Effect.succeed([{ _tag: "Rejected", detail: toStoreError(error).message }])
        default:
          return Effect.fail(toStoreError(error))
      }
    })

  const markSlow = (keys: ReadonlyArray<string>) => {
    if (slow.size >= 1_000) slow.clear()
    for (const key of keys) slow.set(key, Date.now() + slowForMs)
  }

  const isSlow = (operation: Operation): boolean =>
    slow.size > 0 && keysOf(operation).some((key) => {
      const until = slow.get(key)
      if (until === undefined) return false
      if (until > Date.now()) return true
      slow.delete(key)
      return false
    })

  /** Parts that must not share a flush: other owners, too many bytes, ids that held one up lately. */
  const cut = (batch: ReadonlyArray<Operation>): Array<{ entries: Array<Entry>; lock: number }> => {
    const parts: Array<{ entries: Array<Entry>; lock: number }> = []
    const open = new Map<string | null, { entries: Array<Entry>; bytes: number }>()
    batch.forEach((operation, index) => {
      const entry = { index, operation }
      if (isSlow(operation)) {
        parts.push({ entries: [entry], lock: splitLockMs })
        return
      }
      const owner = ownerOf(operation)
      const size = sizeOf(operation)
      // an operation without an owner may go with any: the first part that is open
      let part = owner === null ? open.values().next().value : open.get(owner) ?? open.get(null)
      if (part !== undefined && part.bytes + size > maxBytes) {
        for (const [key, value] of open) if (value === part) open.delete(key)
        part = undefined
      }
      if (part === undefined) {
        part = { entries: [], bytes: 0 }
        parts.push({ entries: part.entries, lock: lockMs })
        open.set(owner, part)
      } else if (owner !== null && !open.has(owner)) {
        open.delete(null)
        open.set(owner, part)
      }
      part.entries.push(entry)
      part.bytes += size
    })
    return parts
  }

  return (batch: ReadonlyArray<Operation>): Effect.Effect<ReadonlyArray<Answer>, StoreError> =>
    Effect.suspend(() => {
      if (batch.length === 0) return Effect.succeed([])
      const [only] = batch
      if (only!._tag === "StartMany") return Effect.map(startMany(only!), (answer) => [answer])
      const parts = cut(batch)
      if (parts.length === 1) return attempt(parts[0]!.entries, parts[0]!.lock)
      const answers: Array<Answer> = new Array(batch.length)
      return Effect.as(
        Effect.forEach(parts, ({ entries, lock }) =>
          Effect.map(attempt(entries, lock), (part) => {
            part.forEach((answer, i) => {
              answers[entries[i]!.index] = answer
            })
          }), { concurrency: 4, discard: true }),
        answers
      )
    })
}
