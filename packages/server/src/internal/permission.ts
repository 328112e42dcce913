/** Asks, for every request but those that everybody may make, whether it is from somebody and whether he may. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Auth from "perdure/Auth"
import { AdminAccess } from "../AdminAccess.ts"
import { Access, CurrentPrincipal, Needs } from "../api/access.ts"
import { Caller } from "./caller.ts"
import { forbidden } from "./problem.ts"
import { CurrentSettings } from "./settings.ts"

export const layer: Layer.Layer<Access, never, AdminAccess | CurrentSettings> = Layer.effect(
  Access,
  Effect.gen(function*() {
    const access = yield* AdminAccess
    const { readOnly } = yield* CurrentSettings
    return Access.of({
      bearer: (handler, { endpoint }) =>
        Effect.gen(function*() {
          const principal = yield* yield* Caller
          const action = Context.get(endpoint.annotations, Needs)
          if (action === undefined) return yield* Effect.die(new Error(`${endpoint.identifier} says not what it needs`))
          if (readOnly && action !== "view") return yield* Effect.fail(isReadOnly)
          if (!(yield* access.permits(principal, action))) return yield* Effect.fail(notPermitted(action))
          // What is started is on behalf of who asks for it.
          const { roles, user } = principal
          return yield* handler.pipe(
            Effect.provideService(CurrentPrincipal, principal),
            Effect.provideService(Auth.Current, { user, roles, assumedRole: undefined })
          )
        })
    })
  })
)

const isReadOnly = forbidden(
  "ReadOnly",
  "This server only shows",
  "it was started read-only, and the request would change something",
  "Act where workflows may be changed, or start the server without readOnly."
)

const notPermitted = (action: string) =>
  forbidden(
    "PermissionDenied",
    "You may not do that",
    `it needs the permission "${action}"`,
    "Ask somebody who has it, or who gives permissions."
  )
