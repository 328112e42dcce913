/** Of the engines that are simulated: as in earnest, only shorter, so that fewer timers fire. */
import type * as Engine from "perdure/Engine"

const leaseMs = 5_000

export const options = {
  lease: leaseMs,
  heartbeat: "1 second",
  poll: "1 second",
  suspendAfter: "200 millis",
  replayGrace: "250 millis",
  shutdown: "1 second"
} as const satisfies Engine.Options

/** How long an engine waits for an answer, before it takes it for lost. */
export const patienceMs = (method: string): number => method === "heartbeat" ? leaseMs / 3 : 30_000
