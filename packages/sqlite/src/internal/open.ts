/** From a path to a database with its tables, safe for many processes at once. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { accessSync, constants, statSync } from "node:fs"
import { dirname } from "node:path"
import { notMigrated, type SchemaState, type StoreError } from "perdure/Store"
import { connect, type ConnectionOptions, type Connections } from "./connections.ts"
import { type Database, open as openDatabase } from "./database.ts"
import { misconfigured, resultCode, storeError, unavailable } from "./errors.ts"
import { exclusively, retryBusy } from "./lock.ts"
import { currentVersion, migrate, refuseNewer, refuseOlder, schemaVersion } from "./migrations.ts"

interface OpenOptions extends ConnectionOptions {
  /** False: neither the file nor anything in it is made. */
  readonly migrate: boolean
}

export const open = (options: OpenOptions): Effect.Effect<Connections, StoreError, Scope.Scope> =>
  Effect.suspend(() => options.migrate || exists(options.filename) ? connect(options) : Effect.fail(absent(options)))
    .pipe(
      Effect.tap((connections) =>
        exclusively(connections.semaphore, options.limitMs, prepare(connections.writer, options))
      ),
      Effect.mapError((error) => openingError(error, options.filename))
    )

/** What a file has for a schema, without changing it, or making one. */
export const schemaState = (options: ConnectionOptions): Effect.Effect<SchemaState, StoreError> =>
  Effect.suspend(() => {
    if (!exists(options.filename)) return Effect.succeed({ installed: null, known: schemaVersion })
    return Effect.acquireUseRelease(
      Effect.try({ try: () => openDatabase(options.filename), catch: (error) => error }),
      (database) =>
        Effect.map(retryBusy(() => currentVersion(database), options.limitMs), (version) => ({
          installed: version === 0 ? null : version,
          known: schemaVersion
        })),
      (database) => Effect.sync(() => database.native.close())
    ).pipe(Effect.mapError((error) => openingError(error, options.filename)))
  })

const exists = (filename: string): boolean => filename === ":memory:" || kindOf(filename) !== undefined

const absent = ({ filename }: OpenOptions): StoreError =>
  notMigrated(`the SQLite database ${filename}, a file that does not exist`, {
    installed: null,
    known: schemaVersion
  })

const prepare = (database: Database, options: OpenOptions) =>
  Effect.andThen(
    retryBusy(() => {
      refuseNewer(database)
      if (!options.migrate) refuseOlder(database)
      refuseCutShort(database)
      useWal(database)
    }, options.limitMs),
    options.migrate ? retryBusy(() => migrateOnce(database), options.limitMs) : Effect.void
  )

/**
 * SQLite sees when pages are missing, and takes what is missing of the last one for zeros. Only while the log holds
 * nothing: else it may hold that page, and whoever copies it into the file may be at it now. The lock that a read leaves
 * keeps others from removing the log meanwhile.
 */
const refuseCutShort = (database: Database): void => {
  const path = database.native.location()
  if (path === null || database.native.prepare("PRAGMA journal_mode").get()!.journal_mode !== "wal") return
  const pageSize = Number(database.native.prepare("PRAGMA page_size").get()!.page_size)
  if (statSync(path).size % pageSize === 0 || (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    return
  }
  throw misconfigured(
    `Could not open the SQLite database ${path}: the file ends within a page, so a part of it is missing. `
      + "Nothing was written. Restore the file from a backup.",
    "SQLITE_CORRUPT"
  )
}

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
/** The shared memory beside the log cannot grow. */
const SQLITE_IOERR_SHMSIZE = 4874

const openingError = (error: unknown, filename: string): StoreError => {
  const doing = `open the SQLite database ${filename}`
  const code = resultCode(error)
  if (code === SQLITE_IOERR_SHMSIZE) {
    return unavailable(
      `Could not ${doing}: there is no room for its index of the log. `
        + "Free some space on the disk, or check the limits of the process.",
      "SQLITE_FULL"
    )
  }
  if (code === undefined || (code & 0xff) !== SQLITE_CANTOPEN) return storeError(error, doing)
  return misconfigured(`Could not ${doing}: ${whyNotOpened(filename)}`, "SQLITE_CANTOPEN")
}

/** SQLite only says that it could not. */
const whyNotOpened = (filename: string): string => {
  const folder = dirname(filename)
  const found = kindOf(folder)
  if (found === "unreachable") return refusedTo(`reach its folder ${folder}`)
  if (found === undefined) return `its folder ${folder} does not exist. Create the folder, or correct the path.`
  const file = kindOf(filename)
  if (file === "folder") return "this is a folder. Give the path of a file in it."
  if (file !== undefined && !isAccessible(filename)) return refusedTo("read and write it")
  // The log is a file of its own, beside it.
  return isAccessible(folder)
    ? "the system refused it. Check the file system, and the limit of open files."
    : refusedTo(`write in its folder ${folder}, where SQLite keeps its log`)
}

const refusedTo = (what: string) => `this process may not ${what}. Give it the right to, also in the folder.`

/** Undefined: it does not exist. */
const kindOf = (path: string): "folder" | "file" | "unreachable" | undefined => {
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat && (stat.isDirectory() ? "folder" : "file")
  } catch {
    return "unreachable"
  }
}

const isAccessible = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}
