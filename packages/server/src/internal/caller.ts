/** Who the request that is being handled is from: asked once, before anything else is done. */
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import type { Principal } from "../api/access.ts"
import type { Unauthenticated } from "../api/problems.ts"

/** What `AdminAccess` has answered. The guard provides it. */
export const Caller = Context.Reference<Exit.Exit<Principal, Unauthenticated>>("@perdure/server/Caller", {
  defaultValue: () => Exit.die(new Error("Nobody was asked who a request is from"))
})
