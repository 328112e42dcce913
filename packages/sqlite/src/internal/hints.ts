/**
 * What others commit. In another process, or through another store: noticed by the commit itself. Through this store, by
 * another engine of this process: by the hint.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Hint, StoreError, StoreService } from "perdure/Store"
import type { Database } from "./database.ts"
import { isBusy, storeError } from "./errors.ts"

export const make = (database: Database, intervalMs: number): Pick<StoreService, "hint" | "hints"> => {
  const listeners = new Map<(hints: ReadonlyArray<Hint>) => void, string>()
  const here = (name: string) =>
    Stream.callback<Hint>((queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const listener = (hints: ReadonlyArray<Hint>) => void Queue.offerAllUnsafe(queue, hints)
          listeners.set(listener, name)
          return listener
        }),
        (listener) => Effect.sync(() => listeners.delete(listener))
      ), { bufferSize: 10_000, strategy: "dropping" })
  return {
    hint: (hints, by) =>
      Effect.sync(() => {
        for (const [listener, name] of listeners) if (name !== by) listener(hints)
      }),
    hints: (listener) => Stream.merge(commits(database, intervalMs), here(listener))
  }
}

/**
 * `PRAGMA data_version` changes on a connection when another one has committed (not when it did itself), and costs two
 * microseconds. Which rows changed is not known: the name "*" says that anything may have, and costs whoever hears it far
 * more. So while others commit without a pause it is said less and less often, down to a tenth.
 */
const commits = (database: Database, intervalMs: number): Stream.Stream<Hint, StoreError> =>
  // Nobody else can reach a memory database.
  database.native.location() === null ? Stream.never : Stream.suspend(() => {
    const version = () => database.prepare("PRAGMA data_version").get()!.data_version as number
    let seen: number | undefined
    let gapMs = intervalMs
    const changed: Effect.Effect<Hint, StoreError> = Effect.callback((resume) => {
      const look = () => {
        try {
          const before = seen
          seen = version()
          if (before !== undefined && before !== seen) {
            gapMs = Math.min(intervalMs * 10, gapMs * 2)
            return resume(Effect.succeed({ _tag: "Due", name: "*" }))
          }
          gapMs = intervalMs
        } catch (error) {
          if (!isBusy(error)) return resume(Effect.fail(storeError(error, "watch for changes")))
        }
        timer = setTimeout(look, gapMs)
      }
      let timer = setTimeout(look, seen === undefined ? 0 : gapMs)
      return Effect.sync(() => clearTimeout(timer))
    })
    return Stream.fromEffectRepeat(changed)
  })
