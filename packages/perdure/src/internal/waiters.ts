/**
 * Who waits for a workflow's outcome, in this process. One look for all of them: at once for a new id, then at every
 * poll, and whenever a hint names one. What ends in this process is told without a look.
 */
import * as Effect from "effect/Effect"
import type { Outcome, StoreError, StoreService } from "../Store.ts"
import { nextTurn } from "./bodyScheduler.ts"

export type Awaited =
  | { readonly _tag: "Done"; readonly outcome: Outcome }
  | { readonly _tag: "Unknown" }
  /** The engine has stopped, and looks no more. */
  | { readonly _tag: "Stopped" }

interface Waiter {
  readonly tell: (awaited: Awaited) => void
  /** Looks that had begun when it asked. What they find may be older than what it knows. */
  readonly since: number
  /** Wants to know of a blocked workflow too, as if it were done. */
  readonly ofBlocked: boolean
}

const batchSize = 1000
const everybody = () => true

export class Waiters {
  private readonly waiting = new Map<string, Set<Waiter>>()
  private fresh = new Set<string>()
  private closed = false
  /** Looks that have begun. */
  private looks = 0
  private readonly store: StoreService
  private readonly run: (effect: Effect.Effect<void>) => void
  private readonly runsHere: (workflowId: string) => boolean
  private readonly ended: (workflowId: string) => void

  /** `ended`: called for each workflow that has ended, or may have. */
  constructor(
    store: StoreService,
    run: (effect: Effect.Effect<void>) => void,
    runsHere: (workflowId: string) => boolean,
    ended: (workflowId: string) => void
  ) {
    this.store = store
    this.run = run
    this.runsHere = runsHere
    this.ended = ended
  }

  /**
   * The outcome of the workflow, when it is done; `Unknown`, at once, for an id that does not exist. `ofBlocked`: also when
   * it is blocked; without it a blocked workflow is waited for until it is mended.
   */
  awaiting(workflowId: string, ofBlocked: boolean): Effect.Effect<Awaited> {
    return Effect.callback((resume) => {
      if (this.closed) return resume(Effect.succeed({ _tag: "Stopped" }))
      const tell = (awaited: Awaited) => resume(Effect.succeed(awaited))
      const waiter: Waiter = { tell, since: this.looks, ofBlocked }
      const set = this.waiting.get(workflowId)
      if (set !== undefined) set.add(waiter)
      else this.waiting.set(workflowId, new Set([waiter]))
      // What runs in this process will tell.
      if (!this.runsHere(workflowId)) this.lookSoon(workflowId)
      return Effect.sync(() => {
        const waiters = this.waiting.get(workflowId)
        if (waiters?.delete(waiter) === true && waiters.size === 0) this.waiting.delete(workflowId)
      })
    })
  }

  /** Nobody looks any more: those who wait are told so. */
  close(): void {
    this.closed = true
    for (const workflowId of [...this.waiting.keys()]) this.tell(workflowId, { _tag: "Stopped" }, everybody)
  }

  /** Looks for this one soon, together with others that are asked for in the same turn. */
  lookAt(workflowId: string): void {
    this.ended(workflowId)
    this.lookSoon(workflowId)
  }

  private lookSoon(workflowId: string): void {
    if (!this.waiting.has(workflowId)) return
    this.fresh.add(workflowId)
    if (this.fresh.size > 1) return
    nextTurn(() => {
      const ids = [...this.fresh]
      this.fresh = new Set()
      // A failed look is repeated by the next poll.
      this.run(Effect.ignore(this.look(ids)))
    })
  }

  /** Looks for all that are awaited. */
  get poll(): Effect.Effect<void, StoreError> {
    return Effect.suspend(() => this.waiting.size === 0 ? Effect.void : this.look([...this.waiting.keys()]))
  }

  /** It has ended here: tells those who wait for it. */
  done(outcome: Outcome): void {
    this.ended(outcome.workflowId)
    this.tell(outcome.workflowId, { _tag: "Done", outcome }, everybody)
  }

  private look(ids: ReadonlyArray<string>): Effect.Effect<void, StoreError> {
    const batches: Array<ReadonlyArray<string>> = []
    for (let i = 0; i < ids.length; i += batchSize) batches.push(ids.slice(i, i + batchSize))
    return Effect.forEach(batches, (batch) =>
      Effect.suspend(() => {
        const number = ++this.looks
        const asked = ({ since }: Waiter) => since < number
        return Effect.map(this.store.outcomes(batch), ({ blocked, done, unknown }) => {
          for (const outcome of done) {
            this.ended(outcome.workflowId)
            this.tell(outcome.workflowId, { _tag: "Done", outcome }, asked)
          }
          for (const outcome of blocked) {
            const wants = (waiter: Waiter) => waiter.ofBlocked && asked(waiter)
            this.tell(outcome.workflowId, { _tag: "Done", outcome }, wants)
          }
          for (const workflowId of unknown) this.tell(workflowId, { _tag: "Unknown" }, asked)
        })
      }), { discard: true })
  }

  private tell(workflowId: string, awaited: Awaited, whom: (waiter: Waiter) => boolean): void {
    const waiters = this.waiting.get(workflowId)
    if (waiters === undefined) return
    const told = [...waiters].filter(whom)
    for (const waiter of told) waiters.delete(waiter)
    if (waiters.size === 0) this.waiting.delete(workflowId)
    for (const waiter of told) waiter.tell(awaited)
  }
}
