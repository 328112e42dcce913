/** Whether a body does nothing but wait, and for what. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Await } from "../Store.ts"
import type { BodyScheduler } from "./bodyScheduler.ts"
import type { Call } from "./operation.ts"
import type { Timers } from "./timers.ts"

/** What a run is asked about. */
export interface Body {
  readonly calls: ReadonlySet<Call>
  readonly timers: Timers
  readonly scheduler: BodyScheduler
}

/** What is waited for, and when the first of it is due. */
export interface Idle {
  readonly until: number | null
  readonly awaiting: ReadonlyArray<Await>
  readonly waits: string
  /** Something of it may come at any time. A sleep's end is known. */
  readonly mayCome: boolean
}

/** The fibers of a body that wait for branches which they have forked. */
export class Joins {
  private readonly parents = new Map<Fiber.Fiber<unknown, unknown>, number>()

  has(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return this.parents.has(fiber)
  }

  clear(): void {
    this.parents.clear()
  }

  /** Marks the fiber as waiting for branches that it forked, for as long as `effect` runs. */
  during<A, E, R>(fiber: Fiber.Fiber<any, any>, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    this.parents.set(fiber, (this.parents.get(fiber) ?? 0) + 1)
    return Effect.ensuring(
      effect,
      Effect.sync(() => {
        const count = (this.parents.get(fiber) ?? 1) - 1
        if (count === 0) this.parents.delete(fiber)
        else this.parents.set(fiber, count)
      })
    )
  }
}

/**
 * Whether every fiber of the body is known to wait for something durable: no plain asynchronous work is going on.
 * `loosely`: a fiber that has forked others to await them, and has some left, is taken to await them.
 */
export const onlyWaits = ({ calls, scheduler, timers }: Body, joins: Joins, loosely: boolean): boolean => {
  const waiting = new Set<Fiber.Fiber<unknown, unknown>>()
  for (const call of calls) waiting.add(call.caller)
  for (const timer of timers) waiting.add(timer.fiber)
  for (const fiber of scheduler.alive()) {
    if (waiting.has(fiber) || joins.has(fiber) || (loosely && scheduler.awaits(fiber))) continue
    return false
  }
  return true
}

/** What the operations and timers of a body that rests wait for; `undefined` when one of them runs, or none is there. */
export const idleOf = ({ calls, timers }: Body): Idle | undefined => {
  let until = Infinity
  const awaiting: Array<Await> = []
  const waits: Array<{ readonly what: string; readonly until: number | null }> = []
  for (const call of calls) {
    if (call.waiting === undefined) return undefined
    if (call.waiting.awaiting !== undefined) awaiting.push(call.waiting.awaiting)
    if (call.waiting.until !== undefined) until = Math.min(until, call.waiting.until)
    waits.push({ what: call.waiting.what, until: call.waiting.until ?? null })
  }
  for (const timer of timers) {
    until = Math.min(until, timer.due)
    waits.push({ what: "sleep", until: Number.isFinite(timer.due) ? timer.due : null })
  }
  if (waits.length === 0) return undefined
  return {
    until: Number.isFinite(until) ? until : null,
    awaiting,
    waits: JSON.stringify(waits.slice(0, 100)),
    mayCome: [...calls].some(({ waiting }) => waiting?.mayCome === true)
  }
}
