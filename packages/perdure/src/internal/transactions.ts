/**
 * Whether the current fiber is in the body of a `Transaction`, where nothing else durable may happen; or in a transaction
 * of the application, of which starts and sends are to be part.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as SqlClient from "effect/sql/SqlClient"
import { TransactionMisused, WorkflowError } from "../WorkflowError.ts"

/** The name of the transaction that the current fiber is in. */
export const InTransaction = Context.Reference<string | undefined>("perdure/InTransaction", {
  defaultValue: () => undefined
})

/** Whether what the current fiber starts and sends is part of the transaction that it is in. See `Transaction.within`. */
export const WithinTransaction = Context.Reference<boolean>("perdure/WithinTransaction", { defaultValue: () => false })

/** Makes what the effect starts and sends part of the transaction that it is run in. */
// `as`: a reference is never a requirement, which `Exclude` of a type parameter does not show.
export const asPart = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, WithinTransaction, true) as Effect.Effect<A, E, R>

/** Whether an SqlClient transaction of the context is open. */
export const isInTransaction = (context: Context.Context<never>): boolean => {
  const sql = Context.getOption(context, SqlClient.SqlClient)
  return sql._tag === "Some" && Context.getOption(context, sql.value.transactionService)._tag === "Some"
}

/** A durable operation of a body was asked for while the application's own transaction is open around it. */
export const nested = (what: string): WorkflowError =>
  new WorkflowError({
    reason: new TransactionMisused({
      why: "nested",
      detail: `${what} was asked for within an SqlClient transaction`
    })
  })

export const refuseInTransaction = (fiber: Fiber.Fiber<any, any>, what: string): WorkflowError | undefined => {
  const name = fiber.getRef(InTransaction)
  return name === undefined ? undefined : new WorkflowError({
    reason: new TransactionMisused({ why: "nested", detail: `${what} was asked for within the transaction "${name}"` })
  })
}
