/**
 * SQLite has one writer. Inside this process everybody who writes a file takes turns on one semaphore; other processes
 * are met as SQLITE_BUSY and waited for with timers, so that nobody's lock ever stops the event loop.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { statSync } from "node:fs"
import type { Database } from "./database.ts"
import { isBusy, unavailable } from "./errors.ts"

const semaphores = new Map<string, { readonly semaphore: Semaphore.Semaphore; users: number }>()

/** The semaphore of the file behind a connection, whatever path it was opened by. A memory database has its own. */
export const semaphoreOf = (database: Database) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const path = database.native.location()
      if (path === null) return { semaphore: Semaphore.makeUnsafe(1), key: "" }
      // As bigints: a file's number does not fit a double everywhere.
      const { dev, ino } = statSync(path, { bigint: true })
      const key = `${dev}:${ino}`
      const shared = semaphores.get(key) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
      shared.users++
      semaphores.set(key, shared)
      return { semaphore: shared.semaphore, key }
    }),
    ({ key }) =>
      Effect.sync(() => {
        const shared = semaphores.get(key)
        if (shared !== undefined && --shared.users === 0) semaphores.delete(key)
      })
  ).pipe(Effect.map((_) => _.semaphore))

/** Waits on the machine's own timers: a test clock or a workflow's clock does not move other processes' locks. */
export const pause = (ms: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const timer = setTimeout(() => resume(Effect.void), ms)
    return Effect.sync(() => clearTimeout(timer))
  })

/** Between two transactions of one long work: longer than anybody who is kept out waits until the next try. */
export const turn = pause(10)

/**
 * Runs `attempt`, again and again while another connection holds the lock it needs, for at most `limitMs`. Fails with
 * whatever `attempt` threw. `attempt` must do nothing when it is busy.
 */
export const retryBusy = <A>(attempt: () => A, limitMs: number): Effect.Effect<A, unknown> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(attempt())
    } catch (error) {
      return isBusy(error) && limitMs > 0 ? retryLater(attempt, limitMs) : Effect.fail(error)
    }
  })

const retryLater = <A>(attempt: () => A, limitMs: number): Effect.Effect<A, unknown> =>
  Effect.callback((resume) => {
    const end = performance.now() + limitMs
    let delay = 0.5
    const again = () => {
      try {
        resume(Effect.succeed(attempt()))
      } catch (error) {
        if (!isBusy(error) || performance.now() >= end) return resume(Effect.fail(error))
        timer = setTimeout(again, nextDelay())
      }
    }
    // Random, since two processes that retry in step would miss every gap; never long, since a gap is.
    const nextDelay = () => (delay = Math.min(delay * 2, 5)) * (0.5 + Math.random())
    let timer = setTimeout(again, nextDelay())
    return Effect.sync(() => clearTimeout(timer))
  })

/**
 * Runs `work` while holding the semaphore. Who does not get it within `limitMs` fails: an application transaction that
 * waits for something the journal has to write first would otherwise wait for ever, and the journal with it.
 */
export const exclusively = <A, E>(semaphore: Semaphore.Semaphore, limitMs: number, work: Effect.Effect<A, E>) =>
  Effect.flatMap(
    semaphore.withPermitsIfAvailable(1)(work),
    (done) => Option.isSome(done) ? Effect.succeed(done.value) : inTurn(semaphore, limitMs, work)
  )

const inTurn = <A, E>(semaphore: Semaphore.Semaphore, limitMs: number, work: Effect.Effect<A, E>) =>
  Effect.suspend(() => {
    let started = false
    return Effect.raceFirst(
      semaphore.withPermit(Effect.suspend(() => {
        started = true
        return work
      })),
      Effect.andThen(
        pause(limitMs),
        // Once it has started it answers for itself.
        Effect.suspend(() => started ? Effect.never : Effect.fail(waitedTooLong(limitMs)))
      )
    )
  })

const waitedTooLong = (limitMs: number) =>
  unavailable(
    `Could not reach the database: a transaction of this process has held it for ${limitMs} ms. `
      + "Keep transactions short, and never wait for a workflow inside one."
  )
