/**
 * On whose behalf workflows are started: a user and roles, stored with each workflow, inherited by its children, there
 * again after a recovery.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

/** A user and roles. `assumedRole` is the one by which the current workflow was allowed, inside a workflow that asks for one. */
export interface Principal {
  readonly user: string | undefined
  readonly roles: ReadonlyArray<string>
  readonly assumedRole: string | undefined
}

/** Nobody. */
export const anonymous: Principal = { user: undefined, roles: [], assumedRole: undefined }

/** The principal of the current scope; inside a workflow, the one that started it. */
export const Current: Context.Reference<Principal> = Context.Reference("perdure/Auth", {
  defaultValue: () => anonymous
})

/** Sets the principal of workflows started in the scope. Scopes nest: the inner one wins, leaving it restores the outer one. */
export const layer = (
  principal: { readonly user: string; readonly roles?: ReadonlyArray<string> | undefined }
): Layer.Layer<never> =>
  Layer.fresh(
    Layer.succeed(Current, { user: principal.user, roles: principal.roles ?? [], assumedRole: undefined })
  )
