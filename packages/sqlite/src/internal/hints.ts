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
  const here = (name: string, begun: Effect.Effect<void>) =>
    Stream.callback<Hint>((queue) =>
      Effect.tap(
        Effect.acquireRelease(
          Effect.sync(() => {
            const listener = (hints: ReadonlyArray<Hint>) => void Queue.offerAllUnsafe(queue, hints)
            listeners.set(listener, name)
            return listener
          }),
          (listener) => Effect.sync(() => listeners.delete(listener))
        ),
        () => begun
      ), { bufferSize: 10_000, strategy: "dropping" })
  return {
    hint: (hints, by) =>
      Effect.sync(() => {
        for (const [listener, name] of listeners) if (name !== by) listener(hints)
      }),
    // Of what is committed from the first version on both tell, so that nothing is committed between them unheard.
    hints: (listener, begun = Effect.void) =>
      Stream.suspend(() => Stream.merge(commits(database, intervalMs, versionOf(database)), here(listener, begun)))
  }
}

/**
 * `PRAGMA data_version` changes on a connection when another one has committed (not when it did itself), and costs two
 * microseconds. Which rows changed is not known: "*" says that anything may have. Who waits is told each time. To look for
 * work means to take turns with others who write, so while they commit without a pause that is said less and less often,
 * down to a tenth.
 */
const commits = (
  database: Database,
  intervalMs: number,
  first: number | undefined
): Stream.Stream<Hint, StoreError> =>
  // Nobody else can reach a memory database.
  database.native.location() === null ? Stream.never : Stream.suspend(() => {
    let seen = first
    /** There was a commit since the last look for work. */
    let isDue = false
    let gapMs = intervalMs
    let dueAt = -Infinity
    const told = (): ReadonlyArray<Hint> => {
      const before = seen
      seen = version(database)
      // Where the first one could not be read, anything may have been committed since.
      const changed = before !== seen
      isDue ||= changed
      const now = performance.now()
      if (now < dueAt) return changed ? [ended] : []
      gapMs = isDue ? Math.min(intervalMs * 10, gapMs * 2) : intervalMs
      if (!isDue) return []
      isDue = false
      dueAt = now + gapMs
      return changed ? [ended, due] : [due]
    }
    const next: Effect.Effect<ReadonlyArray<Hint>, StoreError> = Effect.callback((resume) => {
      const look = () => {
        try {
          const hints = told()
          if (hints.length > 0) return resume(Effect.succeed(hints))
        } catch (error) {
          if (!isBusy(error)) return resume(Effect.fail(storeError(error, "watch for changes")))
        }
        timer = setTimeout(look, intervalMs)
      }
      let timer = setTimeout(look, intervalMs)
      return Effect.sync(() => clearTimeout(timer))
    })
    return Stream.flattenIterable(Stream.fromEffectRepeat(next))
  })

const version = (database: Database) => database.prepare("PRAGMA data_version").get()!.data_version as number

/** Undefined: it is busy. */
const versionOf = (database: Database): number | undefined => {
  try {
    return database.native.location() === null ? undefined : version(database)
  } catch {
    return undefined
  }
}

const ended: Hint = { _tag: "Done", workflowId: "*" }
const due: Hint = { _tag: "Due", name: "*" }
