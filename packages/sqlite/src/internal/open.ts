/** From a path to a database with its tables, safe for many processes at once. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { accessSync, constants, statSync } from "node:fs"
import { dirname } from "node:path"
import type { StoreError } from "perdure/Store"
import { connect, type ConnectionOptions, type Connections } from "./connections.ts"
import type { Database } from "./database.ts"
import { misconfigured, resultCode, storeError } from "./errors.ts"
import { exclusively, retryBusy } from "./lock.ts"
import { migrate, refuseNewer } from "./migrations.ts"

export const open = (options: ConnectionOptions): Effect.Effect<Connections, StoreError, Scope.Scope> =>
  connect(options).pipe(
    Effect.tap((connections) =>
      exclusively(connections.semaphore, options.limitMs, prepare(connections.writer, options))
    ),
    Effect.mapError((error) => openingError(error, options.filename))
  )

const prepare = (database: Database, options: ConnectionOptions) =>
  Effect.andThen(
    retryBusy(() => {
      refuseNewer(database)
      useWal(database)
    }, options.limitMs),
    retryBusy(() => migrateOnce(database), options.limitMs)
  )

/** With a write-ahead log readers never wait for the writer, and a commit is one append and one sync. */
const useWal = (database: Database): void => {
  const { journal_mode } = database.native.prepare("PRAGMA journal_mode = WAL").get()!
  if (journal_mode !== "wal" && database.native.location() !== null) {
    throw misconfigured(
      `The database cannot keep a write-ahead log (its journal mode stays "${journal_mode}"). `
        + "Put it on a local disk: network file systems have no shared memory."
    )
  }
}

const migrateOnce = (database: Database): void => {
  database.native.exec("BEGIN IMMEDIATE")
  let finish = "ROLLBACK"
  try {
    // Nothing changed, nothing to sync.
    if (migrate(database)) finish = "COMMIT"
  } finally {
    if (database.native.isTransaction) database.native.exec(finish)
  }
}

const SQLITE_CANTOPEN = 14

const openingError = (error: unknown, filename: string): StoreError => {
  const doing = `open the SQLite database ${filename}`
  const code = resultCode(error)
  if (code === undefined || (code & 0xff) !== SQLITE_CANTOPEN) return storeError(error, doing)
  return misconfigured(`Could not ${doing}: ${whyNotOpened(filename)}`, "SQLITE_CANTOPEN")
}

/** SQLite only says that it could not. */
const whyNotOpened = (filename: string): string => {
  const folder = dirname(filename)
  const file = statSync(filename, { throwIfNoEntry: false })
  if (file?.isDirectory()) return "this is a folder. Give the path of a file in it."
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) {
    return `its folder ${folder} does not exist. Create the folder, or correct the path.`
  }
  return isAccessible(file === undefined ? folder : filename)
    ? "the system refused it. Check the file system, and the limit of open files."
    : "this process may not read and write it. Give it the right to, also in the folder."
}

const isAccessible = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}
