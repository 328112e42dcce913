import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { StoreError } from "perdure/Store"
import { classify, toStoreError } from "./errors.ts"

/** Deadlocks and lock timeouts write nothing: the statement is sent again, a few times, then it is an outage. */
export const retryLocks = <A>(effect: Effect.Effect<A, SqlError>, times = 20): Effect.Effect<A, StoreError> =>
  Effect.catch(effect, (error) => {
    const failure = classify(error)
    return times > 0 && (failure === "conflict" || failure === "busy")
      ? Effect.andThen(Effect.sleep(Math.random() * 10), retryLocks(effect, times - 1))
      : Effect.fail(toStoreError(error))
  })
