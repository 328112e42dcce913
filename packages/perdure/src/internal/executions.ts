/** The workflows that an executor has in memory: how they come there, and what follows when they leave. */
import * as Effect from "effect/Effect"
import type { Hint } from "../Store.ts"
import type { Core, Registration } from "./core.ts"
import { type Fibers, whenEnded } from "./ending.ts"
import { Execution, type Owned, type Surroundings } from "./execution.ts"
import { tell } from "./hearing.ts"
import type { Stopped } from "./runHost.ts"

/** The executor that has them. */
export interface Host {
  readonly mayStart: () => boolean
  readonly deadlinePassed: () => void
  readonly claimNow: () => void
  /** A suspended workflow is due then. */
  readonly wakeClaimAt: (due: number) => void
  /** Something that was stopped, and took its time to end, has ended. */
  readonly ended: () => void
  /** The last claim found no place. */
  readonly full: boolean
}

/** More are not on their way at a time. */
const awaitedAtMost = 10_000

export class Executions {
  private readonly byId = new Map<string, Execution>()
  /** Epochs that were over before they began here: the answer to the claim, or to the start, may still be on its way. */
  private readonly over = new Map<string, number>()
  /** How often they were stopped here and have not ended yet. */
  private readonly ending = new Map<string, number>()
  private readonly core: Core
  private readonly host: Host

  constructor(core: Core, host: Host) {
    this.core = core
    this.host = host
  }

  get size(): number {
    return this.byId.size
  }

  /**
   * It runs here, and hears itself what comes in. Not while it is being suspended: what comes in then may come after the
   * suspension and before its answer, and is for the next run, which a claim may find already.
   */
  has(workflowId: string): boolean {
    return this.byId.get(workflowId)?.run.suspending === false
  }

  /** Under which epoch it is run here. */
  epochOf(workflowId: string): number | undefined {
    return this.byId.get(workflowId)?.run.epoch
  }

  run(registration: Registration, owned: Owned): void {
    const before = this.byId.get(owned.workflowId)?.run
    if (before !== undefined && before.epoch >= owned.epoch) return
    if ((this.over.get(owned.workflowId) ?? -1) >= owned.epoch) return
    before?.stop({ _tag: "Fenced" })
    const { deadlinePassed, mayStart } = this.host
    const execution = new Execution(this.core, registration, owned, { mayStart, stopped: this.stopped, deadlinePassed })
    this.byId.set(owned.workflowId, execution)
    execution.begin()
  }

  private readonly stopped: Surroundings["stopped"] = (execution, why, outcome, performed) => {
    const { waiters } = this.core
    if (this.byId.get(execution.workflowId) === execution) this.byId.delete(execution.workflowId)
    if (performed.length > 0) this.ends(execution.workflowId, performed)
    if (outcome !== undefined && why._tag === "Done") waiters.done(outcome)
    else waiters.lookAt(execution.workflowId)
    const hints: Array<Hint> = []
    if (why._tag === "Done") {
      hints.push({ _tag: "Done", workflowId: execution.workflowId })
      // Its parent may have been suspended until now.
      if (execution.parentId !== null && !this.byId.has(execution.parentId)) this.host.claimNow()
    }
    // Its place, in the queue or in this executor, is the next one's.
    if (execution.queue !== null) hints.push({ _tag: "Queue", queue: execution.queue })
    // Somebody shall take it, at once: after a hand-over another one.
    if (why._tag === "Released" || why._tag === "Renewed") hints.push({ _tag: "Due", name: execution.name })
    if (hints.length > 0) this.core.fork(tell(this.core, hints))
    if (why._tag === "Blocked") {
      this.core.fork(Effect.logError(
        `Workflow "${execution.workflowId}" is blocked: its code does not fit its history. ` +
          `Expected ${why.expected}, found ${why.actual}: ${why.detail}`
      ))
    }
    if (this.host.full) this.host.claimNow()
  }

  private ends(workflowId: string, performed: Fibers): void {
    const count = (by: number) => {
      const left = (this.ending.get(workflowId) ?? 0) + by
      if (left > 0) this.ending.set(workflowId, left)
      else this.ending.delete(workflowId)
    }
    count(1)
    whenEnded(performed, () => {
      count(-1)
      this.host.ended()
    })
  }

  /** Whether a step of it that was interrupted here has not ended yet. */
  isEnding(workflowId: string): boolean {
    return this.ending.has(workflowId)
  }

  /** It is not ours any more, as of this epoch. A later one has been claimed again since. */
  lost(workflowId: string, epoch: number): void {
    const run = this.byId.get(workflowId)?.run
    if (run !== undefined && run.epoch <= epoch) run.stop({ _tag: "Fenced" })
  }

  /** The store has taken it away, and takes it that from now on nothing of this epoch runs here: not later either. */
  revoked(workflowId: string, epoch: number): void {
    const known = (this.byId.get(workflowId)?.run.epoch ?? -1) >= epoch
    this.lost(workflowId, epoch)
    if (known) return
    // Answers may be heard in another order than they were given.
    const last = Math.max(epoch, this.over.get(workflowId) ?? epoch)
    this.over.delete(workflowId)
    this.over.set(workflowId, last)
    if (this.over.size > awaitedAtMost) this.over.delete(this.over.keys().next().value!)
  }

  stopAll(why: Stopped): void {
    for (const { run } of [...this.byId.values()]) run.stop(why)
  }

  /** Steps may start again. */
  kickWaiting(): void {
    for (const { run } of this.byId.values()) if (run.waitsForLeave) run.kick()
  }

  clockJumped(): void {
    for (const execution of this.byId.values()) execution.clockJumped()
  }

  /** Whether the store says of any that it is over. */
  lookAtAll(): void {
    if (this.byId.size === 0 || this.byId.size > 1000) return
    // Only what runs now can be said to be over by an answer that is read later.
    const looked = new Map(this.byId)
    this.core.fork(Effect.ignore(Effect.map(
      this.core.store.outcomes([...looked.keys()]),
      ({ done, unknown }) => {
        for (const workflowId of [...done.map((outcome) => outcome.workflowId), ...unknown]) {
          looked.get(workflowId)?.run.stop({ _tag: "Fenced" })
        }
      }
    )))
  }

  /** Takes out of memory what has done nothing but wait for a while. */
  suspendIdle(): void {
    const { clock, settings } = this.core
    for (const execution of this.byId.values()) {
      const idle = execution.run.idle()
      if (idle === undefined) continue
      if (idle.until !== null && idle.until - clock.now() < settings.suspendAfterMs) continue
      // What may come may come soon. For a sleep's end there is nothing to stay.
      if (idle.mayCome && execution.run.turns.restedMs < settings.suspendAfterMs) continue
      if (idle.until !== null) this.host.wakeClaimAt(idle.until)
      execution.run.suspend(
        execution.inbox.seen,
        (inbox) => this.core.watching.stirred(execution.inbox, inbox, idle.awaiting)
      )
    }
  }

  /** Lets running steps end, up to the limit, then gives the workflows back. */
  drain(which: (execution: Execution) => boolean): Effect.Effect<void> {
    const chosen = () => [...this.byId.values()].filter(which)
    const deadline = performance.now() + this.core.settings.shutdownMs
    const step: Effect.Effect<void> = Effect.suspend(() => {
      const left = chosen()
      const late = performance.now() >= deadline
      for (const { run } of left) {
        run.drain()
        if (late || !run.working) run.release()
      }
      return left.length === 0 || performance.now() >= deadline + 2000
        ? Effect.void
        : Effect.andThen(Effect.sleep(10), step)
    })
    return step
  }
}
