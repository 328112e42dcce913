/** Waiting for what an effect sees. */
import * as Effect from "effect/Effect"
import { waitFor } from "../../waitFor.ts"

/** Looks again and again until `look` succeeds with something other than `undefined` or `false`. */
export const eventually = Effect.fnUntraced(function*<A, E, R>(
  what: string,
  look: Effect.Effect<A, E, R>,
  options: { readonly withinMs?: number; readonly state?: () => unknown } = {}
) {
  const context = yield* Effect.context<R>()
  return yield* Effect.promise(() => waitFor(what, () => Effect.runPromiseWith(context)(look), options))
})
