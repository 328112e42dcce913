/** When what was interrupted has ended. */
import type * as Fiber from "effect/Fiber"

export type Fibers = ReadonlyArray<Fiber.Fiber<unknown, unknown>>

/** Longer than this nobody waits for something that does not end. */
const patienceMs = 2000

/** Calls `then`, once: when they have ended, finalizers included, or when that takes too long. */
export const whenEnded = (fibers: Fibers, then: () => void): void => {
  if (fibers.length === 0) return then()
  let left = fibers.length
  const go = () => {
    clearTimeout(patience)
    left = 0
    then()
  }
  const patience = setTimeout(go, patienceMs)
  for (const fiber of fibers) {
    fiber.addObserver(() => {
      if (left > 0 && --left === 0) go()
    })
  }
}
