/** What a program does, given its configuration. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export type Role = (config: any) => Effect.Effect<unknown, unknown, Scope.Scope>
