/** What an endpoint lets its caller do, and the middleware that asks whether this caller may. */
import * as Context from "effect/Context"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import * as Schema from "effect/Schema"
import { problems } from "./problems.ts"

/**
 * What can be allowed or forbidden. `view` is all that only looks; every other one changes something, and none of them is
 * reached by a GET.
 *
 * - `cancel`, `resume`, `fork`, `start`, `delete`: of workflows, one or in bulk.
 * - `send`: messages to workflows. `attributes`: of workflows.
 * - `queues`: limits, pauses, deletion of queues. `schedules`: schedules made, paused, triggered, backfilled, deleted.
 * - `versions`: which version is the latest.
 */
export const Action = Schema.Literals([
  "view",
  "cancel",
  "resume",
  "fork",
  "start",
  "delete",
  "send",
  "attributes",
  "queues",
  "schedules",
  "versions"
])
export type Action = typeof Action.Type

/** The action of an endpoint, as an annotation. Undefined: everybody may, without a token. */
export const Needs: Context.Reference<Action | undefined> = Context.Reference("@perdure/server/Needs", {
  defaultValue: (): Action | undefined => undefined
})

/** Who a request is from. */
export interface Principal {
  /** For people, and stored with what it starts. Undefined: whoever has the token. */
  readonly user: string | undefined
  readonly roles: ReadonlyArray<string>
}

/** The principal of the request that is being handled. */
export class CurrentPrincipal extends Context.Service<CurrentPrincipal, Principal>()(
  "@perdure/server/CurrentPrincipal"
) {}

/** Asks who a request is from, and whether he may. The server implements it. */
export class Access extends HttpApiMiddleware.Service<Access, { provides: CurrentPrincipal }>()(
  "@perdure/server/Access",
  { error: problems, security: { bearer: HttpApiSecurity.bearer } }
) {}
