/** An application that runs all themes, and says what it holds. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Engine } from "perdure"
import * as Themes from "../chaos/themes/index.ts"
import { type Place, storeLayer } from "../crash/harness/Place.ts"
import { obey, say } from "../crash/harness/voice.ts"
import type { Role } from "../crash/roles/Role.ts"
import * as World from "../crash/workflows/World.ts"
import type { Held } from "./flat.ts"

interface Config {
  readonly place: Place
  readonly log: string
}

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

const held = Effect.gen(function*() {
  // Twice, a little later: what finalizers let go is garbage only then.
  collect()
  yield* Effect.sleep(50)
  collect()
  const { external, heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed + external, rss, handles: process.getActiveResourcesInfo().length } satisfies Held
})

export const play: Role = ({ log, place }: Config) => {
  const themes = Themes.make()
  const live = Layer.mergeAll(Layer.empty, ...themes.map((theme) => theme.live))
  const engine = Engine.layer({ executorId: "soak", suspendAfter: "150 millis" })
  return Effect.gen(function*() {
    const within = yield* Effect.forEach(themes, ({ within }) => Effect.forkScoped(within ?? Effect.never))
    yield* obey({ held: () => held, hush: () => Fiber.interruptAll(within) })
    yield* say("ready")
    return yield* Effect.never
  }).pipe(
    Effect.provide(
      Layer.provideMerge(
        Layer.provideMerge(Layer.provideMerge(live, World.layer(log, undefined, false)), engine),
        storeLayer(place)
      )
    )
  )
}
