/**
 * How long workflows started in a scope may take, from start to end.
 *
 * The deadline is stored on the database's clock and holds whatever becomes of the process: a workflow whose deadline
 * passes is cancelled (`CANCELLED`, reason `timeout`), running steps are interrupted, rollbacks run. Children inherit it
 * unless they are given their own. The `timeout` option of a call wins over the scope,
 * and the scope over that of a definition.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"

/** The timeout of the current scope. */
export const Current: Context.Reference<Duration.Input | undefined> = Context.Reference("perdure/WorkflowTimeout", {
  defaultValue: (): Duration.Input | undefined => undefined
})

/**
 * Sets the timeout of workflows started in the scope. Must be positive; any length, years included. What is not is
 * refused by the start, with `InvalidArgument`. Scopes nest: the inner one wins, leaving it restores the outer one.
 */
export const layer = (timeout: Duration.Input): Layer.Layer<never> => Layer.fresh(Layer.succeed(Current, timeout))
