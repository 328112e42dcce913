/** The machine's timers, which come only while the event loop runs. */
import * as Effect from "effect/Effect"

export const ticks = (count: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let left = count
    const timer = setInterval(() => {
      if (--left > 0) return
      clearInterval(timer)
      resume(Effect.void)
    }, 1)
    return Effect.sync(() => clearInterval(timer))
  })
