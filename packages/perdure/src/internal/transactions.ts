/**
 * Whether the current fiber is in the body of a `Transaction`, where nothing else durable may happen; or in a transaction
 * of the application, of which starts and sends are to be part.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { TransactionMisused, WorkflowError } from "../WorkflowError.ts"
import type { Core } from "./core.ts"

/** The name of the transaction that the current fiber is in. */
export const InTransaction = Context.Reference<string | undefined>("perdure/InTransaction", {
  defaultValue: () => undefined
})

/** Of whose transaction it is a part what the current fiber starts and sends. See `Transaction.within`. */
export const WithinTransaction = Context.Reference<SqlClient.SqlClient | undefined>("perdure/WithinTransaction", {
  defaultValue: () => undefined
})

/** Makes what the effect starts and sends part of this client's transaction, which it is run in. */
// `as`: a reference is never a requirement, which `Exclude` of a type parameter does not show.
export const asPart = <A, E, R>(sql: SqlClient.SqlClient, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, WithinTransaction, sql) as Effect.Effect<A, E, R>

/** Whether it is one. Not what the transaction runs after its commit: that is outside of it. */
export const isPart = (context: Context.Context<never>): boolean => {
  const sql = Context.get(context, WithinTransaction)
  return sql !== undefined && isOpen(sql, context)
}

/** Whether an SqlClient transaction of the context is open. */
export const isInTransaction = (context: Context.Context<never>): boolean => {
  const sql = Context.getOption(context, SqlClient.SqlClient)
  return sql._tag === "Some" && isOpen(sql.value, context)
}

const isOpen = (sql: SqlClient.SqlClient, context: Context.Context<never>): boolean =>
  Context.getOption(context, sql.transactionService)._tag === "Some"

/**
 * The effect, which is durable on its own or waits for something that is; refused where it would be so beside a
 * transaction that is open. A `Transaction` records nothing else; what cannot be a part of `Transaction.within` would stay
 * when that rolls back, and cannot be awaited before its commit; and SQLite has one writer, so that whatever waited for the
 * transaction that waits for it would wait for ever.
 */
export const beside = <A, E, R>(
  core: Core,
  what: string,
  effect: Effect.Effect<A, E, R>,
  why: Why = "nested"
): Effect.Effect<A, E | WorkflowError, R> =>
  Effect.withFiber((fiber): Effect.Effect<A, E | WorkflowError, R> => {
    const refused = refuseBeside(core, fiber.context, what, why)
    return refused === undefined ? effect : Effect.fail(refused)
  })

const refuseBeside = (
  core: Core,
  context: Context.Context<never>,
  what: string,
  why: Why
): WorkflowError | undefined => {
  const refused = refuseInTransaction(context, what, why)
  if (refused !== undefined) return refused
  if (isPart(context)) return misused(why, what, "Transaction.within, and cannot be a part of it")
  return core.store.name === "sqlite" && isInTransaction(context) ? misused(why, what, ownTransaction) : undefined
}

/** The same for a start, which can be a part. Throws a `WorkflowError`. */
export const checkStart = (core: Core, context: Context.Context<never>): void => {
  const refused = isPart(context)
    ? refuseInTransaction(context, "a start")
    : refuseBeside(core, context, "a start", "nested")
  if (refused !== undefined) throw refused
}

/** A durable operation of a body was asked for while the application's own transaction is open around it. */
export const nested = (what: string): WorkflowError => misused("nested", what, ownTransaction)

export const refuseInTransaction = (
  context: Context.Context<never>,
  what: string,
  why: Why = "nested"
): WorkflowError | undefined => {
  const name = Context.get(context, InTransaction)
  return name === undefined ? undefined : misused(why, what, `the transaction "${name}"`)
}

type Why = "nested" | "waits"

const ownTransaction = "an SqlClient transaction"

const misused = (why: Why, what: string, within: string): WorkflowError =>
  new WorkflowError({ reason: new TransactionMisused({ why, detail: `${what} was asked for within ${within}` }) })
