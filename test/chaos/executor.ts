/** An application that runs all themes until it is killed. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { Engine } from "perdure"
import { counters } from "../counters.ts"
import { type Place, storeLayer } from "../crash/harness/Place.ts"
import { obey, say } from "../crash/harness/voice.ts"
import type { Role } from "../crash/roles/Role.ts"
import * as World from "../crash/workflows/World.ts"
import * as Themes from "./themes/index.ts"

export interface Config {
  readonly place: Place
  readonly log: string
  /** How wrong the clock of this process is. */
  readonly clockShiftMs: number
}

export const leaseMs = 1500

const engine = Engine.layer({
  executorId: String(process.pid),
  lease: leaseMs,
  heartbeat: "300 millis",
  poll: "200 millis",
  // So that much of it is suspended, and woken elsewhere.
  suspendAfter: "150 millis"
})

/** Everything in this process that asks for the time gets another one. */
const shiftClock = (ms: number): void => {
  const Real = Date
  globalThis.Date = class extends Real {
    constructor(...given: ReadonlyArray<any>) {
      super(...(given.length === 0 ? [Real.now() + ms] : given) as [any])
    }
    static override now(): number {
      return Real.now() + ms
    }
  } as DateConstructor
}

export const play: Role = ({ clockShiftMs, log, place }: Config) => {
  shiftClock(clockShiftMs)
  const themes = Themes.make()
  const world = World.layer(log, undefined, false)
  const live = Layer.mergeAll(Layer.empty, ...themes.map((theme) => theme.live))
  return Effect.gen(function*() {
    const within = yield* Effect.forEach(themes, ({ within }) => Effect.forkScoped(within ?? Effect.never))
    yield* obey({ counters: () => counters, hush: () => Fiber.interruptAll(within) })
    yield* say("ready")
    return yield* Effect.never
  }).pipe(
    Effect.provide(Layer.provideMerge(Layer.provideMerge(Layer.provideMerge(live, world), engine), storeLayer(place)))
  )
}
