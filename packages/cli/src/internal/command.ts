/** How the commands of this program are made. */
import * as Effect from "effect/Effect"
import * as Store from "./store.ts"

/** Runs on the store that the command line names. */
export const onStore = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Store.place, (place) => Effect.provide(effect, Store.open(place)))
