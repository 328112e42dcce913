/** Where the epochs of a workflow begin. */
import type { Core } from "./core.ts"

/**
 * By the clock, so that they go on after those of a workflow of the same id that was deleted: epochs rise by one with each
 * owner, and there are never a thousand in a millisecond. By chance within it, where a clock should have been set back.
 */
export const firstEpoch = ({ clock }: Pick<Core, "clock">): number =>
  clock.now() * 1000 + Math.floor(Math.random() * 1000)
