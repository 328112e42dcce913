/** A store whose writes can be held up on their way to the database. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { Store } from "perdure/Store"

export class Gate {
  readonly latch
  /** Writes that wait before it. */
  waiting = 0

  constructor(open = true) {
    this.latch = Latch.makeUnsafe(open)
  }
}

export const layer = (gate: Gate): Layer.Layer<Store, never, Store> =>
  Layer.effect(
    Store,
    Effect.map(Store, (store) => ({
      ...store,
      write: (batch) =>
        Effect.suspend(() => {
          gate.waiting++
          return gate.latch.await.pipe(
            Effect.andThen(Effect.sync(() => gate.waiting--)),
            Effect.andThen(store.write(batch))
          )
        })
    }))
  )
