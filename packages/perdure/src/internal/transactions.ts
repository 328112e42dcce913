/** Whether the current fiber is in the body of a `Transaction`: nothing else durable may happen there. */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import { TransactionMisused, WorkflowError } from "../WorkflowError.ts"

/** The name of the transaction that the current fiber is in. */
export const InTransaction = Context.Reference<string | undefined>("perdure/InTransaction", {
  defaultValue: () => undefined
})

export const refuseInTransaction = (fiber: Fiber.Fiber<any, any>, what: string): WorkflowError | undefined => {
  const name = fiber.getRef(InTransaction)
  return name === undefined ? undefined : new WorkflowError({
    reason: new TransactionMisused({ why: "nested", detail: `${what} was asked for within the transaction "${name}"` })
  })
}
