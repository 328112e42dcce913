/** SQLite's result codes, turned into the store's two kinds of failure once, here. */
import { StoreError, StoreMisconfigured, StoreUnavailable } from "perdure/Store"
import { Unstorable } from "./database.ts"

const SQLITE_BUSY = 5
const SQLITE_LOCKED = 6
const SQLITE_IOERR = 10
const SQLITE_TOOBIG = 18
const SQLITE_CONSTRAINT = 19
const SQLITE_MISMATCH = 20

/** The extended result code of an error thrown by `node:sqlite`. */
export const resultCode = (error: unknown): number | undefined =>
  error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : undefined

const primaryCode = (error: unknown): number | undefined => {
  const code = resultCode(error)
  return code === undefined ? undefined : code & 0xff
}

/** Another connection holds the lock that was asked for. Nothing was done. */
export const isBusy = (error: unknown): boolean => {
  const code = primaryCode(error)
  return code === SQLITE_BUSY || code === SQLITE_LOCKED
}

/** The disk failed: what a commit did is not known. */
export const isDiskFailure = (error: unknown): boolean => primaryCode(error) === SQLITE_IOERR

/** The values themselves are refused, now and whenever they are sent again. */
export const isRejection = (error: unknown): boolean => {
  if (error instanceof Unstorable) return true
  const code = primaryCode(error)
  return code === SQLITE_CONSTRAINT || code === SQLITE_TOOBIG || code === SQLITE_MISMATCH
}

export const detailOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const remedies: Record<number, readonly [kind: "unavailable" | "misconfigured", name: string, remedy: string]> = {
  5: [
    "unavailable",
    "SQLITE_BUSY",
    "Another process or transaction holds the database: make its transactions shorter."
  ],
  6: ["unavailable", "SQLITE_LOCKED", "Another statement holds a table of the database: it is tried again."],
  7: ["unavailable", "SQLITE_NOMEM", "Give the process more memory."],
  9: ["unavailable", "SQLITE_INTERRUPT", "It is tried again."],
  10: ["unavailable", "SQLITE_IOERR", "Check that the disk has space, the limits of the process, and the file system."],
  13: ["unavailable", "SQLITE_FULL", "Free some space on the disk."],
  15: ["unavailable", "SQLITE_PROTOCOL", "Too many processes open the database at once: it is tried again."],
  17: ["unavailable", "SQLITE_SCHEMA", "It is tried again."],
  3: ["misconfigured", "SQLITE_PERM", "Give the process the right to read and write the file and its folder."],
  8: ["misconfigured", "SQLITE_READONLY", "Give the process the right to write the file and its folder."],
  11: ["misconfigured", "SQLITE_CORRUPT", "Restore the file from a backup."],
  14: ["misconfigured", "SQLITE_CANTOPEN", "Create its folder, and give the process the right to read and write it."],
  23: ["misconfigured", "SQLITE_AUTH", "Remove the authorizer that forbids it."],
  26: ["misconfigured", "SQLITE_NOTADB", "Give the path of a SQLite database, or of a file that does not exist yet."]
}

/** SQLite has ended a transaction by itself, which the one that it tells of has not seen. */
export class RolledBack extends Error {
  constructor() {
    super("SQLite has rolled the transaction back, as it does when the disk is full or fails")
  }
}

/** `doing` completes "Could not ...". */
export const storeError = (error: unknown, doing: string): StoreError => {
  if (error instanceof StoreError) return error
  if (error instanceof RolledBack) {
    return unavailable(`Could not ${doing}: ${detailOf(error)}. Free some space on the disk, or check it.`)
  }
  const known = remedies[primaryCode(error) ?? -1]
  if (known !== undefined) {
    const [kind, code, remedy] = known
    const message = `Could not ${doing}: ${detailOf(error)}. ${remedy}`
    return kind === "unavailable" ? unavailable(message, code) : misconfigured(message, code)
  }
  const closed = error instanceof Error && "code" in error && error.code === "ERR_INVALID_STATE"
  return closed
    ? unavailable(`Could not ${doing}: the store is closed. Its layer's scope has ended.`)
    : misconfigured(
      `Could not ${doing}: ${
        detailOf(error)
      }. The database refuses what the store sends: check that nobody changed its tables.`,
      resultCode(error)?.toString()
    )
}

export const unavailable = (message: string, code?: string): StoreError =>
  new StoreError({ reason: new StoreUnavailable(code === undefined ? { message } : { message, code }) })

export const misconfigured = (message: string, code?: string): StoreError =>
  new StoreError({ reason: new StoreMisconfigured(code === undefined ? { message } : { message, code }) })
