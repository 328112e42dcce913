/**
 * The two connections of a store: one that writes, shared with the application under the semaphore, and one that only
 * reads, so that a look at the journal neither waits for an open transaction nor sees its uncommitted rows.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Semaphore from "effect/Semaphore"
import type { StoreError } from "perdure/Store"
import { type Database, open } from "./database.ts"
import { storeError } from "./errors.ts"
import { exclusively, retryBusy, semaphoreOf } from "./lock.ts"

export interface Connections {
  readonly writer: Database
  readonly semaphore: Semaphore.Semaphore
  /** How long to wait for a lock, each time. Milliseconds. */
  readonly limitMs: number
  /** Runs `work` as one transaction that nobody else writes in. `doing` completes "Could not ...". */
  readonly write: <A>(doing: string, work: (database: Database) => A) => Effect.Effect<A, StoreError>
  /** Runs `work` over one snapshot of what is committed. */
  readonly read: <A>(doing: string, work: (database: Database) => A) => Effect.Effect<A, StoreError>
}

export interface ConnectionOptions {
  readonly filename: string
  readonly synchronous: "FULL" | "NORMAL"
  readonly limitMs: number
}

/** Opens both, before the schema is known to exist. */
export const connect = Effect.fnUntraced(
  function*(options: ConnectionOptions): Effect.fn.Return<Connections, unknown, Scope.Scope> {
    const writer = yield* scoped(options, "OFF")
    const semaphore = yield* semaphoreOf(writer)
    // A memory database exists once per connection: its reads take turns with its writes.
    const reader = writer.native.location() === null ? undefined : yield* scoped(options, "ON")
    const writing = <A>(doing: string, attempt: () => A) =>
      exclusively(
        semaphore,
        options.limitMs,
        Effect.mapError(retryBusy(attempt, options.limitMs), (error) => storeError(error, doing))
      )
    return {
      writer,
      semaphore,
      limitMs: options.limitMs,
      write: (doing, work) => writing(doing, () => transact(writer, "BEGIN IMMEDIATE", work)),
      read: (doing, work) =>
        reader === undefined
          ? writing(doing, () => work(writer))
          : Effect.mapError(
            retryBusy(() => transact(reader, "BEGIN", work), options.limitMs),
            (error) => storeError(error, doing)
          )
    }
  }
)

/** A transaction in one go: no other fiber runs between its first statement and its last. */
export const transact = <A>(database: Database, begin: string, work: (database: Database) => A): A => {
  const { native } = database
  // Left open by an application's own `BEGIN` outside `withTransaction`, or by a rollback that failed.
  if (native.isTransaction) native.exec("ROLLBACK")
  native.exec(begin)
  try {
    const result = work(database)
    native.exec("COMMIT")
    return result
  } catch (error) {
    // SQLite has rolled back by itself after some failures (a full disk).
    if (native.isTransaction) native.exec("ROLLBACK")
    throw error
  }
}

const scoped = (options: ConnectionOptions, queryOnly: "ON" | "OFF") =>
  Effect.acquireRelease(
    Effect.try({ try: () => open(options.filename), catch: (error) => error }),
    ({ native }) => Effect.sync(() => native.close())
  ).pipe(Effect.tap((database) => retryBusy(() => configure(database, options, queryOnly), options.limitMs)))

const configure = ({ native }: Database, options: ConnectionOptions, queryOnly: "ON" | "OFF"): void => {
  // FULL: a commit is on the disk when it returns. NORMAL loses the last commits in a power cut, never the file.
  native.exec(`PRAGMA synchronous = ${options.synchronous}`)
  native.exec("PRAGMA temp_store = MEMORY")
  // Ids are random, so writes touch pages all over: with SQLite's 2 MB a file of 100,000 workflows writes half as fast.
  native.exec(`PRAGMA cache_size = ${queryOnly === "ON" ? -8192 : -32768}`)
  // In pages. A page that was written often meanwhile is copied once: a fifth more writes, for a log of 16 MB.
  native.exec("PRAGMA wal_autocheckpoint = 4000")
  // A log that one large transaction has blown up shrinks again.
  native.exec("PRAGMA journal_size_limit = 67108864")
  native.exec(`PRAGMA query_only = ${queryOnly}`)
}
