/** How long a store may take to answer. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TransactionAborted } from "../Store.ts"

/**
 * A database that neither answers nor closes the connection leaves a doubt, as a connection does that dies in a commit.
 * What is given up is interrupted afterwards: its interruption is not the answer.
 */
export const answeredWithin = (ms: number) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  // Never begun without somebody who would end it.
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (fiber) =>
      restore(
        Effect.raceFirst(
          Fiber.join(fiber),
          Effect.andThen(
            Effect.sleep(ms),
            Effect.fail(new TransactionAborted({ why: "unknown", message: `there was no answer within ${ms} ms` }))
          )
        )
      ).pipe(
        Effect.onInterrupt(() => Fiber.interrupt(fiber)),
        Effect.onError(() => Effect.sync(() => fiber.interruptUnsafe()))
      ))
  )
