/** How many answers that do not end by themselves are open at once. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TooMany } from "../api/problems.ts"
import { tooMany } from "./problem.ts"

/** A place among so many, held until the scope of the request closes. */
export class Places extends Context.Service<Places, {
  readonly take: Effect.Effect<void, TooMany, Scope.Scope>
}>()("@perdure/server/Places") {}

export const make = (limit: number, what: string): Places["Service"] => {
  let open = 0
  return {
    take: Effect.asVoid(Effect.acquireRelease(
      Effect.suspend(() => {
        if (open >= limit) return Effect.fail(tooMany(`${open} ${what} are open, and the limit is ${limit}`))
        open++
        return Effect.void
      }),
      () =>
        Effect.sync(() => {
          open--
        })
    ))
  }
}
