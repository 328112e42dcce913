/** How long a store may take to answer. What is given up is ended, and its end is not the answer. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { StoreError, type StoreService, StoreUnavailable, TransactionAborted } from "../Store.ts"

/** So long a database may take to answer, where nothing else is said. */
export const patienceMs = 30_000

/** What becomes of work whose answer nobody waits for any more. */
interface Abandoned {
  /** It took too long. */
  readonly late: (fiber: Fiber.Fiber<unknown, unknown>) => void
  /** Whoever waited was interrupted. */
  readonly interrupted: (fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<void>
}

const within = <A, E, R, E2>(
  effect: Effect.Effect<A, E, R>,
  ms: number,
  error: () => E2,
  abandoned: Abandoned
): Effect.Effect<A, E | E2, R> =>
  // Never begun without somebody who would end it.
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (fiber) =>
      restore(Effect.raceFirst(
        Fiber.join(fiber),
        Effect.andThen(Effect.sleep(ms), Effect.failSync(error))
      )).pipe(
        Effect.onInterrupt(() => abandoned.interrupted(fiber)),
        Effect.tapError(() => Effect.sync(() => abandoned.late(fiber)))
      ))
  )

/** How long what nobody waits for any more may go on: longer than a connection takes to be made, or not to be. */
const abandonedMs = 10_000

/**
 * A database that neither answers nor closes the connection must not stop anybody: after so long the answer counts as
 * lost. What was asked is left alone for a while yet: it may be a connection that is being made, and one that is
 * interrupted then stands in its pool's way for longer than it would have taken.
 */
export const giveUpAfter =
  (ms: number) => <A, R>(effect: Effect.Effect<A, StoreError, R>): Effect.Effect<A, StoreError, R> =>
    within(
      effect,
      ms,
      () =>
        new StoreError({ reason: new StoreUnavailable({ message: `The database did not answer within ${ms} ms` }) }),
      {
        late: (fiber) => {
          const end = setTimeout(() => fiber.interruptUnsafe(), abandonedMs)
          fiber.addObserver(() => clearTimeout(end))
        },
        interrupted: (fiber) => Effect.sync(() => fiber.interruptUnsafe())
      }
    )

/**
 * The store, whose answers to what workflows wait for are given up: whoever asked asks again, on another connection. Neither
 * what an operator reads, which may take long, nor what gives up by itself.
 */
export const patient = (store: StoreService, ms: number): StoreService => {
  const within = giveUpAfter(ms)
  const limited: Partial<StoreService> = {
    eventValues: (...args) => within(store.eventValues(...args)),
    get: (...args) => within(store.get(...args)),
    history: (...args) => within(store.history(...args)),
    inboxes: (...args) => within(store.inboxes(...args)),
    messages: (...args) => within(store.messages(...args)),
    outcomes: (...args) => within(store.outcomes(...args)),
    readStreams: (...args) => within(store.readStreams(...args)),
    streams: (...args) => within(store.streams(...args))
  }
  // Of the store itself, as it is when it is called.
  return Object.assign(Object.create(store), limited)
}

/** The same for a transaction: it leaves a doubt, as a connection does that dies in a commit. */
export const answeredWithin = (ms: number) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  within(
    effect,
    ms,
    () => new TransactionAborted({ why: "unknown", message: `there was no answer within ${ms} ms` }),
    { late: (fiber) => fiber.interruptUnsafe(), interrupted: Fiber.interrupt }
  )
