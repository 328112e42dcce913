/** What other connections commit, noticed without a message from them. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Hint, StoreError } from "perdure/Store"
import type { Database } from "./database.ts"
import { isBusy, storeError } from "./errors.ts"

/**
 * `PRAGMA data_version` changes on a connection when another one has committed (not when it did itself), and costs two
 * microseconds. Which rows changed is not known: the name "*" says that anything may have.
 */
export const hints = (database: Database, intervalMs: number): Stream.Stream<Hint, StoreError> =>
  // Nobody else can reach a memory database.
  database.native.location() === null ? Stream.never : Stream.suspend(() => {
    const version = () => database.prepare("PRAGMA data_version").get()!.data_version as number
    let seen: number | undefined
    const changed: Effect.Effect<Hint, StoreError> = Effect.callback((resume) => {
      const look = () => {
        try {
          const before = seen
          seen = version()
          if (before !== undefined && before !== seen) finish(Effect.succeed({ _tag: "Due", name: "*" }))
        } catch (error) {
          if (!isBusy(error)) finish(Effect.fail(storeError(error, "watch for changes")))
        }
      }
      const finish = (result: Effect.Effect<Hint, StoreError>) => {
        clearInterval(timer)
        resume(result)
      }
      const timer = setInterval(look, intervalMs)
      if (seen === undefined) look()
      return Effect.sync(() => clearInterval(timer))
    })
    return Stream.fromEffectRepeat(changed)
  })
