/** What a client does that does not know whether its call has arrived: it calls again, with the same ids. */
import * as Effect from "effect/Effect"
import { WorkflowError } from "perdure"

/** `unsure`: told of each call that may have arrived. */
export const sure = <A, E, R>(effect: Effect.Effect<A, E, R>, unsure: () => void = () => {}): Effect.Effect<A, E, R> =>
  Effect.catch(effect, (error) => {
    if (!(error instanceof WorkflowError.WorkflowError) || error.reason._tag !== "StoreFailed") {
      return Effect.fail(error)
    }
    unsure()
    return Effect.andThen(Effect.sleep("100 millis"), sure(effect, unsure))
  })
