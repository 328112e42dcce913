/** How a workflow ended, as a text that can be compared across processes. */
import * as Exit from "effect/Exit"

export const exitText = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.match(exit, {
    onSuccess: (value) => `success: ${JSON.stringify(value)}`,
    onFailure: (cause) => {
      const failure = cause.reasons[0]
      if (failure?._tag !== "Fail") return String(cause)
      const error = failure.error as { readonly _tag: string; readonly reason?: { readonly _tag: string } }
      return `failure: ${error.reason?._tag ?? error._tag}`
    }
  })
