/** The loops of an engine: each survives whatever the database does, so that full service is back without a manual act. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { StoreError } from "../Store.ts"
import { giveUpAfter, patienceMs } from "./answering.ts"

/** `body` at every signal and at every interval, whatever it does. */
export const loop = (
  name: string,
  signals: Queue.Queue<void>,
  intervalMs: number,
  body: Effect.Effect<void, StoreError>,
  patience = patienceMs
): Effect.Effect<never> => {
  let failing = false
  const once = Effect.matchCauseEffect(giveUpAfter(patience)(body), {
    onSuccess: () => {
      if (!failing) return Effect.void
      failing = false
      return Effect.logInfo(`The ${name} loop works again`)
    },
    onFailure: (cause) => {
      if (failing) return Effect.void
      failing = true
      return Effect.logWarning(`The ${name} loop failed and will try again`, cause)
    }
  })
  const wait = Effect.timeoutOption(Queue.take(signals), intervalMs)
  return Effect.forever(Effect.andThen(once, wait))
}
