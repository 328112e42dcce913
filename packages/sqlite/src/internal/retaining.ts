/**
 * Deleting by age and number. What may go is looked for on the connection that reads, each row once; what is locked for
 * writing is only ever a batch, looked at again.
 */
import * as Effect from "effect/Effect"
import type { Done, ManagementStore } from "perdure/Store"
import * as Clock from "./clock.ts"
import type { Connections } from "./connections.ts"
import { turn } from "./lock.ts"
import * as Retention from "./retention.ts"

/** So many workflows in one transaction: everybody else who writes waits for it. */
const batch = 1_000
/** How long it is remembered how far a retention has come. */
const goodForMs = 60_000

export const retaining = (connections: Connections): Pick<ManagementStore, "retain"> => {
  /** What the retention that is going on has passed over stays until the next one. */
  let reached: { readonly key: string; readonly until: number; readonly place: Retention.Place } | undefined

  return {
    retain: (given, limit) =>
      Effect.gen(function*() {
        const key = JSON.stringify([given.name, given.olderThanMs, given.keep])
        let place = reached?.key === key && reached.until > Date.now() ? reached.place : null
        if (place !== null) yield* turn
        reached = undefined
        let deleted = 0
        do {
          const most = Math.min(batch, limit - deleted)
          const found: Array<Done> = []
          do {
            const seen = yield* connections.read(
              "look for what is not retained",
              (database) => Retention.look(database, given, place, most - found.length, Clock.now(database))
            )
            found.push(...seen.done)
            place = seen.place
            yield* Effect.yieldNow
          } while (place !== null && found.length < most)
          if (found.length > 0) {
            deleted += yield* connections.write(
              "delete what is not retained",
              (database) => Retention.unlessAskedFor(database, found)
            )
          }
        } while (place !== null && deleted < limit)
        if (place !== null) reached = { key, until: Date.now() + goodForMs, place }
        return deleted
      })
  }
}
