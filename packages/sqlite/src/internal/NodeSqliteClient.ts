/**
 * An Effect `SqlClient` on `node:sqlite`, over a connection that the journal shares. To be dropped for the official
 * driver once that exists for this version of Effect.
 */
import * as Effect from "effect/Effect"
import type * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Borrower, Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError, UnknownError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import type { SQLInputValue, StatementSync } from "node:sqlite"
import { type Database, statementCache } from "./database.ts"
import { detailOf, resultCode, RolledBack } from "./errors.ts"
import { retryBusy } from "./lock.ts"

export const make = (database: Database, semaphore: Semaphore.Semaphore, limitMs: number) => {
  const prepared = statementCache(database.native)
  const connection = makeConnection(database, prepared, limitMs)
  const acquirers = SqlClient.makeSqliteAcquirers({
    connection: Effect.succeed(connection),
    semaphore,
    isTransaction: () => database.native.isTransaction
  })
  return SqlClient.make({
    ...acquirers,
    acquirer: Effect.succeed(outsideTransaction(connection, acquirers.borrower)),
    transactionAcquirer: Effect.map(
      acquirers.transactionAcquirer,
      () => makeConnection(database, prepared, limitMs, { isOpen: false, failure: new RolledBack() })
    ),
    compiler: Statement.makeCompilerSqlite(),
    driver: "sqlite-node",
    spanAttributes: [["db.system.name", "sqlite"]],
    // A deferred transaction that reads and then writes fails at once when somebody else wrote in between.
    beginTransaction: "BEGIN IMMEDIATE",
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    prepareTransactionControls: true
  })
}

/**
 * The client takes a connection for the whole life of a stream. Ours would keep everybody from writing until its last
 * row is consumed, the steps of the consumer included; so it is held only while the rows are read.
 */
const outsideTransaction = (connection: Connection, borrow: Borrower): Connection => ({
  ...connection,
  executeStream: (sql, params, transformRows) =>
    Stream.fromArrayEffect(borrow(() => connection.execute(sql, params, transformRows)))
})

/**
 * SQLite ends a transaction by itself when the disk is full or fails. Whoever went on then would write outside of it,
 * statement by statement: from there on all that it asks for fails, its commit too.
 */
interface Transaction {
  isOpen: boolean
  /** Why it is over, when it has been ended for it. */
  failure: unknown
}

const makeConnection = (
  database: Database,
  prepared: (sql: string) => StatementSync,
  limitMs: number,
  transaction?: Transaction
): Connection => {
  const run = <A>(
    sql: string,
    params: ReadonlyArray<unknown>,
    prepare: (sql: string) => StatementSync,
    use: (statement: StatementSync, params: ReadonlyArray<SQLInputValue>) => A
  ): Effect.Effect<A, SqlError> =>
    Effect.withFiber((fiber) => {
      const bigInts = fiber.getRef(SqlClient.SafeIntegers)
      const { native } = database
      const wasOpen = native.isTransaction
      if (transaction?.isOpen === true && !wasOpen) return Effect.fail(toSqlError(transaction.failure))
      const attempt = () => {
        const statement = prepare(sql)
        statement.setReadBigInts(bigInts)
        const result = use(statement, params.map(toInput))
        const isOpen = native.isTransaction
        if (isOpen && !wasOpen) database.begun++
        if (transaction !== undefined) transaction.isOpen = isOpen
        return result
      }
      // Inside a transaction the lock is ours: busy means something that waiting does not mend.
      return Effect.mapError(retryBusy(attempt, wasOpen ? 0 : limitMs), (error) => {
        if (transaction?.isOpen === true && !native.isTransaction) transaction.failure = error
        return toSqlError(error)
      })
    })
  const unprepared = (sql: string) => database.native.prepare(sql)
  const rows = (statement: StatementSync, params: ReadonlyArray<SQLInputValue>) => {
    statement.setReturnArrays(false)
    // The driver's rows have no prototype, which surprises everybody who prints, compares or spreads classes over them.
    return statement.all(...params).map((row) => ({ ...row }))
  }
  const values = (statement: StatementSync, params: ReadonlyArray<SQLInputValue>) => {
    statement.setReturnArrays(true)
    try {
      // The declared type does not know `setReturnArrays`.
      return statement.all(...params) as unknown as ReadonlyArray<ReadonlyArray<unknown>>
    } finally {
      statement.setReturnArrays(false)
    }
  }
  const execute = (prepare: (sql: string) => StatementSync): Connection["execute"] => (sql, params, transformRows) => {
    const result = run(sql, params, prepare, rows)
    return transformRows === undefined ? result : Effect.map(result, transformRows)
  }
  const self: Connection = {
    execute: execute(prepared),
    executeUnprepared: execute(unprepared),
    executeRaw: (sql, params) =>
      run(
        sql,
        params,
        prepared,
        (statement, input) => statement.columns().length === 0 ? statement.run(...input) : rows(statement, input)
      ),
    executeValues: (sql, params) => run(sql, params, prepared, values),
    executeValuesUnprepared: (sql, params) => run(sql, params, unprepared, values),
    executeStream: (sql, params, transformRows) => Stream.fromArrayEffect(self.execute(sql, params, transformRows))
  }
  return self
}

/** Binds what SQLite holds as it is, and refuses what the driver would turn into NULL or reject without saying why. */
const toInput = (value: unknown, index: number): SQLInputValue => {
  switch (typeof value) {
    case "string":
    case "bigint":
      return value
    case "number":
      if (!Number.isNaN(value)) return value
      return refuse(index, "NaN, which SQLite stores as NULL", "Bind null if that is what is meant.")
    case "undefined":
      return null
    case "boolean":
      return refuse(index, "a boolean", "SQLite has none: bind 0 or 1 (Model.BooleanSqlite does).")
    default:
      if (value === null) return null
      // A view is what the driver takes for a blob; its type wants one of the views by name.
      if (ArrayBuffer.isView(value)) return value as Uint8Array
      return value instanceof Date
        ? refuse(index, "a Date", "SQLite has none: bind value.toISOString() or value.getTime().")
        : refuse(index, "an object", "SQLite has none: bind JSON.stringify(value).")
  }
}

const refuse = (index: number, what: string, remedy: string): never => {
  throw new TypeError(`Parameter ${index + 1} is ${what}. ${remedy}`)
}

const toSqlError = (cause: unknown): SqlError => {
  const code = resultCode(cause)
  if (code !== undefined && cause instanceof Error) {
    // Effect's classifier looks for the result code under this name.
    return new SqlError({
      reason: classifySqliteError(Object.assign(cause, { errno: code }), {
        message: cause.message,
        operation: "execute"
      })
    })
  }
  const tooLarge = cause instanceof Error && "code" in cause && cause.code === "ERR_OUT_OF_RANGE"
  const message = tooLarge
    ? `${cause.message}. Read it with SqlClient.SafeIntegers set to true (every integer is then a bigint), or CAST it AS TEXT.`
    : detailOf(cause)
  return new SqlError({ reason: new UnknownError({ cause, message, operation: "execute" }) })
}
