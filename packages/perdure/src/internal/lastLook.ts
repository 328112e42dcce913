/** A wait that has a limit looks once more when its time is over. */
import * as Effect from "effect/Effect"
import { untilItPasses } from "./journal.ts"
import type { Call } from "./operation.ts"

/** What `look` sees at the time `due`, or as soon as the store answers after it. */
export const lastLook = <A>(call: Call, due: number, look: Effect.Effect<A, unknown>): Effect.Effect<A> =>
  Effect.callback<void>((resume) => {
    const silence = call.alarm(due, () => resume(Effect.void))
    return Effect.sync(silence)
  }).pipe(
    Effect.andThen(Effect.retry(look, untilItPasses)),
    Effect.catch(() => Effect.never)
  )
