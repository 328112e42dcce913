/** What a failure of PostgreSQL means to the engine: the one place that reads SQLSTATEs. */
import * as Predicate from "effect/Predicate"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { StoreError, StoreMisconfigured, StoreUnavailable } from "perdure/Store"

/**
 * - `conflict`: 40001, 40P01 and our own "look again": nothing was written, the same statement again.
 * - `busy`: a lock was not to be had in time; nothing was written.
 * - `value`: the database refuses what it was given (classes 21, 22, 23, 54, our own checks, an unencodable parameter).
 * - `isolation`: our functions refuse to run at this isolation level.
 * - `misconfigured`: a person has to mend it. `unavailable`: everything else, the connection above all.
 */
export type Failure = "conflict" | "busy" | "value" | "isolation" | "misconfigured" | "unavailable"

/** The SQLSTATE (no class begins with E, unlike EPIPE), or null when the server did not speak (the connection, a parameter that cannot be encoded). */
export const sqlState = (error: SqlError): string | null => {
  const cause = error.reason.cause
  return Predicate.hasProperty(cause, "code") && typeof cause.code === "string" &&
      /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(cause.code)
    ? cause.code
    : null
}

/** The server's or driver's words. Neither repeats the connection string. */
const words = (error: SqlError): string => {
  const cause = error.reason.cause
  return Predicate.hasProperty(cause, "message") && typeof cause.message === "string" ? cause.message : error.message
}

/** What a statement of ours refused, as it words it: nothing was written. */
export const refusalOf = (error: SqlError): unknown => sqlState(error) === "PD005" ? JSON.parse(words(error)) : null

const isCodecError = (error: SqlError): boolean => Predicate.isTagged(error.reason.cause, "PgTypesCodecError")

/** Missing tables and functions of ours included: they were there when the layer was built. */
const misconfigured = new Set(["PD004", "3D000", "3F000", "42501", "42P01", "42883", "42703", "25006"])

export const classify = (error: SqlError): Failure => {
  const code = sqlState(error)
  if (code === null) return isCodecError(error) ? "value" : "unavailable"
  if (code === "40001" || code === "40P01" || code === "PD002") return "conflict"
  if (code === "55P03") return "busy"
  if (code === "PD001") return "isolation"
  if (code === "PD003" || /^(21|22|23|54)/.test(code)) return "value"
  if (misconfigured.has(code) || code.startsWith("28") || refusesSetting(error)) return "misconfigured"
  return "unavailable"
}

/** Nobody can say whether the statement took effect. */
export const isConnectionLost = (error: SqlError): boolean => {
  const code = sqlState(error)
  return code === null
    ? error.reason._tag === "ConnectionError"
    : code.startsWith("08") || code === "57P01" || code === "57P02" || code === "57P03" || code === "25P03"
}

/** A lock was waited for until `lock_timeout`. Not `NOWAIT`, which has the same code and is the statement's own wish. */
export const isLockTimeout = (error: SqlError): boolean => {
  const { cause } = error.reason
  return sqlState(error) === "55P03" && Predicate.hasProperty(cause, "routine") && cause.routine === "ProcessInterrupts"
}

/** As PgBouncer words it. */
export const refusesSetting = (error: SqlError): boolean => /unsupported startup parameter/.test(words(error))

/** Of the server and not of the statement: out of something, broken, read-only for now. It passes, or a person mends it. */
export const isInfrastructure = (error: SqlError): boolean => /^(53|58|25006$)/.test(sqlState(error) ?? "")

const remedy = (code: string | null, error: SqlError): string => {
  if (refusesSetting(error)) return "; a pooler is between: say `pooler: true`, or nothing, to have it found out"
  switch (code) {
    case "42501":
      return "; the role needs CREATE on the database (or to own the schema) to migrate, and USAGE on the schema with "
        + "SELECT, INSERT, UPDATE, DELETE on its tables and EXECUTE on its functions to run"
    case "42P01":
    case "42883":
    case "42703":
    case "3F000":
      return "; the schema is incomplete: was it dropped or changed by hand while this process ran?"
    case "25006":
      return "; the server is read-only (a standby?): connect to the primary"
    case "PD004":
      return "; nothing was started, and the tick stays due: register the queue, or change the schedule"
    case "PD001":
      return "; set default_transaction_isolation to read committed for this role"
    default:
      return ""
  }
}

export const toStoreError = (error: SqlError): StoreError => {
  const code = sqlState(error)
  const kind = classify(error)
  const fields = {
    message: `PostgreSQL: ${words(error)}${remedy(code, error)}`,
    ...(code === null ? {} : { code })
  }
  return new StoreError({
    reason: kind === "misconfigured" || kind === "isolation"
      ? new StoreMisconfigured(fields)
      : new StoreUnavailable(fields)
  })
}

export const unavailable = (message: string, code?: string): StoreError =>
  new StoreError({ reason: new StoreUnavailable({ message, ...(code === undefined ? {} : { code }) }) })

export const misconfiguration = (message: string, code?: string): StoreError =>
  new StoreError({ reason: new StoreMisconfigured({ message, ...(code === undefined ? {} : { code }) }) })

export { isSqlError }
