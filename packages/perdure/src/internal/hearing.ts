/**
 * Hints: what somebody has done, and who has to look because of it. An engine hears its own at once, without a way through
 * the store, so that there is one rule for what follows, whoever did it.
 */
import * as Effect from "effect/Effect"
import type { Hint } from "../Store.ts"
import type { Core } from "./core.ts"

/** Acts on them here, and tells everybody else. */
export const tell = (core: Core, hints: ReadonlyArray<Hint>): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (hints.length === 0) return Effect.void
    for (const hint of hints) hear(core, hint)
    return core.store.hint(hints, core.listener)
  })

export const hear = (core: Core, hint: Hint): void => {
  const { executor } = core
  for (const hearer of core.hearers) hearer(hint)
  switch (hint._tag) {
    case "Done":
      // The store cannot say more than that somebody wrote something.
      return hint.workflowId === "*" ? core.pollNow() : core.waiters.lookAt(hint.workflowId)
    case "Inbox":
    case "Event":
    case "Stream":
      return core.watching.hear(hint)
    case "Due":
      if (hint.name === "*") executor?.lookAtRunning()
      else if (executor?.registered(hint.name) === undefined) return
      return executor?.claimNow()
    case "Queue":
      return executor?.placeIsFree(hint.queue)
    case "Schedule":
      return core.schedulesNow()
    case "Revoked":
      if (hint.incarnation !== "*" && hint.incarnation !== executor?.incarnation()) return
      executor?.heartbeatNow()
      return executor?.claimNow()
  }
}
