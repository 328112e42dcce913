/**
 * One connection of `node:sqlite`, with its prepared statements. Everything here is synchronous: a function that calls
 * it runs without any other fiber in between.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"

/** What the journal binds. `true`, `Date` and friends have no place in SQLite. */
export type Bind = string | number | null

/** A value that SQLite would take and give back changed, or not at all: the operation that carries it is refused. */
export class Unstorable extends Error {}

export interface Database {
  readonly native: DatabaseSync
  /** How often a statement of the application, or its client, has begun a transaction. */
  begun: number
  /** Prepares, or takes from the cache. Never keep one across an `await`: somebody else may be running it by then. */
  readonly prepare: (sql: string) => StatementSync
  /** A write. Returns the number of rows changed. */
  readonly run: (sql: string, ...params: ReadonlyArray<Bind>) => number
  readonly get: <Row>(sql: string, ...params: ReadonlyArray<Bind>) => Row | undefined
  readonly all: <Row>(sql: string, ...params: ReadonlyArray<Bind>) => ReadonlyArray<Row>
}

// An application may send any number of texts (lists in `IN`), and each statement holds memory outside the heap.
const cachedStatements = 256

/** The journal and the application have one each: neither evicts the other's, or changes how they read numbers. */
export const statementCache = (native: DatabaseSync): (sql: string) => StatementSync => {
  const statements = new Map<string, StatementSync>()
  return (sql) => {
    let statement = statements.get(sql)
    if (statement === undefined) {
      statement = native.prepare(sql)
      if (statements.size >= cachedStatements) statements.delete(statements.keys().next().value!)
    } else {
      statements.delete(sql)
    }
    // The last used is the last in the map, so the first is the one to forget.
    statements.set(sql, statement)
    return statement
  }
}

export const open = (filename: string): Database => {
  // Timeout 0: SQLite waits by sleeping, and the event loop would sleep with it. `lock.ts` waits instead.
  const native = new DatabaseSync(filename, { timeout: 0 })
  const prepare = statementCache(native)
  return {
    native,
    begun: 0,
    prepare,
    run: (sql, ...params) => {
      params.forEach(assertStorable)
      return Number(prepare(sql).run(...params as ReadonlyArray<SQLInputValue>).changes)
    },
    // The rows' types are the statement's, which no compiler sees.
    get: (sql, ...params) => prepare(sql).get(...params) as any,
    all: (sql, ...params) => prepare(sql).all(...params) as any
  }
}

/**
 * SQLite turns a lone surrogate into U+FFFD and counts a text with a NUL as ending there; PostgreSQL refuses both.
 * So do we: a journal never gives back something else than it was given.
 */
const assertStorable = (value: Bind): void => {
  if (typeof value !== "string") return
  if (!value.isWellFormed()) throw new Unstorable("text with a lone surrogate")
  if (value.includes("\0")) throw new Unstorable("text with a NUL character")
}
