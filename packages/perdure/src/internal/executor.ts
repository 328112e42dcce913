/**
 * The side of an engine that runs workflows: a lease, a registry, and loops that beat, claim, sweep and suspend.
 *
 * Ownership is proved by every write; the loops only decide when to look. Each survives whatever the database does: a
 * failure is logged and the loop goes on, so that full service is back without a manual act.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type { Claimed, Hint, Outcome, Served, StoreError } from "../Store.ts"
import { AlreadyRegistered, WorkflowError } from "../WorkflowError.ts"
import type { Begun, Core, Executor, Registration } from "./core.ts"
import { Execution, type Owned } from "./execution.ts"
import { giveUpAfter } from "./journal.ts"
import * as Metrics from "./metrics.ts"
import { nothingOf } from "./operation.ts"
import type { Stopped } from "./run.ts"

/** Rows of one claim, and of one round of the sweep. */
const claimBatch = 200
const sweepBatch = 200
const reconcileEveryMs = 60_000
/** By so much readings differ without anybody having set the clock. */
const clockJumpMs = 500

interface Lease {
  readonly incarnation: string
  /** Until when steps may start: monotonic and wall clock, counted from before the renewal was sent. */
  monotonicEnd: number
  wallEnd: number
}

export class ExecutorLoops implements Executor {
  private lease: Lease
  private stopping = false
  /** The last claim found no place. */
  private full = false
  /** The last beat told of workflows that were taken away. */
  private revoking = false
  /** What is served has changed since the store was told. */
  private untold = true
  /** Of the application, as the last beat knew it. */
  private latestVersion: string | undefined
  /** Claims in a row that found somebody else at a queue. */
  private contention = 0
  /** A claim has failed: it may have been made. */
  private doubtful = false
  /** Of the claim loop. What an earlier one is told was given up: it may have been claimed again since. */
  private round = 0
  /** Claimed, and their histories are still being read: with their epochs. */
  private readonly taking = new Map<string, number>()
  private reconciledAt = performance.now()
  private readonly suspects = new Map<string, number>()
  /** The lease has been given up. */
  private left = false
  private readonly registry = new Map<string, Registration>()
  private readonly executions = new Map<string, Execution>()
  private readonly claims: Queue.Queue<void>
  private readonly beats: Queue.Queue<void>
  private readonly sweeps: Queue.Queue<void>
  private claimTimer: ReturnType<typeof setTimeout> | undefined
  private contentionTimer: ReturnType<typeof setTimeout> | undefined
  private claimAt = Infinity
  private readonly core: Core

  constructor(
    core: Core,
    signals: {
      readonly claims: Queue.Queue<void>
      readonly beats: Queue.Queue<void>
      readonly sweeps: Queue.Queue<void>
    }
  ) {
    this.core = core
    this.claims = signals.claims
    this.beats = signals.beats
    this.sweeps = signals.sweeps
    this.lease = newLease()
  }

  // ---------------------------------------------------------------------------
  // registry
  // ---------------------------------------------------------------------------

  readonly incarnation = (): string => this.lease.incarnation
  readonly registered = (name: string): Registration | undefined => this.registry.get(name)
  readonly isRunning = (workflowId: string): boolean => this.executions.has(workflowId)
  readonly accepting = (): boolean =>
    !this.stopping && this.mayStart() && this.executions.size < this.core.settings.maxRunning
  readonly heartbeatNow = (): void => void Queue.offerUnsafe(this.beats, undefined)
  readonly claimNow = (): void => void Queue.offerUnsafe(this.claims, undefined)
  private readonly sweepNow = (): void => void Queue.offerUnsafe(this.sweeps, undefined)

  readonly lookAtRunning = (): void => {
    if (this.executions.size === 0 || this.executions.size > 1000) return
    // Only what runs now can be said to be over by an answer that is read later.
    const looked = new Map(this.executions)
    this.core.fork(Effect.ignore(Effect.map(
      this.core.store.outcomes([...looked.keys()]),
      ({ done, unknown }) => {
        for (const workflowId of [...done.map((outcome) => outcome.workflowId), ...unknown]) {
          looked.get(workflowId)?.run.stop({ _tag: "Fenced" })
        }
      }
    )))
  }

  readonly register = (registration: Registration): Effect.Effect<void, WorkflowError> =>
    Effect.suspend(() => {
      const { name } = registration.definition
      if (this.registry.has(name)) return Effect.fail(new WorkflowError({ reason: new AlreadyRegistered({ name }) }))
      this.registry.set(name, registration)
      this.claimNow()
      this.servesOtherwise()
      return Effect.void
    })

  /** No more claims of that name; what runs may end its steps, then it is given back. */
  readonly unregister = (name: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      this.registry.delete(name)
      this.servesOtherwise()
      return this.drain((execution) => execution.name === name)
    })

  // ---------------------------------------------------------------------------
  // what it serves
  // ---------------------------------------------------------------------------

  /** Every name in every version that this code can run; and those of no version, where this is the latest. */
  private get served(): ReadonlyArray<Served> {
    const { compatible, version } = this.core.settings
    const versions = new Set([version, ...compatible])
    if (version === this.latestVersion) versions.add("")
    return [...this.registry.keys()].flatMap((name) => [...versions].map((version) => ({ name, version })))
  }

  private latestIs(version: string): void {
    if (version === this.latestVersion) return
    this.latestVersion = version
    this.claimNow()
    this.servesOtherwise()
  }

  private servesOtherwise(): void {
    this.untold = true
    this.sweepNow()
  }

  /** For people to see, so it may fail, and be told later. */
  private readonly tellServed: Effect.Effect<void> = Effect.suspend(() => {
    if (!this.untold || this.stopping) return Effect.void
    this.untold = false
    return this.core.store.serve(this.lease.incarnation, this.served, this.core.settings.queues).pipe(
      Effect.catchCause(() =>
        Effect.sync(() => {
          this.untold = true
        })
      )
    )
  })

  // ---------------------------------------------------------------------------
  // lease
  // ---------------------------------------------------------------------------

  private readonly mayStart = (): boolean =>
    performance.now() < this.lease.monotonicEnd && Date.now() < this.lease.wallEnd

  private renewed(lease: Lease, sentAt: number, wallSentAt: number): void {
    const { heartbeatMs, leaseMs } = this.core.settings
    // Steps stop starting a good while before others may take over.
    const margin = Math.min(heartbeatMs, leaseMs / 4)
    lease.monotonicEnd = sentAt + leaseMs - margin
    lease.wallEnd = wallSentAt + leaseMs - margin
  }

  /** Takes a reading of the database's clock. When it has been set, every timer of this process is set anew. */
  private read(now: number, sentAt: number): void {
    if (Math.abs(this.core.clock.sync(now, sentAt)) < clockJumpMs) return
    clearTimeout(this.claimTimer)
    this.claimAt = Infinity
    this.claimNow()
    Queue.offerUnsafe(this.sweeps, undefined)
    for (const execution of this.executions.values()) execution.clockJumped()
  }

  /** Registers a new incarnation. */
  readonly join: Effect.Effect<void, StoreError> = Effect.suspend(() => {
    const { executorId, leaseMs, version } = this.core.settings
    const lease = newLease()
    const sentAt = performance.now()
    const wallSentAt = Date.now()
    return Effect.map(this.core.store.join({ incarnation: lease.incarnation, executorId, version }, leaseMs), (now) => {
      this.core.clock.sync(now, sentAt)
      this.renewed(lease, sentAt, wallSentAt)
      this.lease = lease
      this.claimNow()
      this.servesOtherwise()
    })
  })

  private readonly beat: Effect.Effect<void, StoreError> = Effect.suspend(() => {
    if (this.left) return Effect.void
    const lease = this.lease
    const sentAt = performance.now()
    const wallSentAt = Date.now()
    return Effect.flatMap(
      this.core.store.heartbeat(lease.incarnation, this.core.settings.leaseMs),
      ({ alive, latestVersion, now, revoked }) => {
        this.read(now, sentAt)
        this.latestIs(latestVersion)
        for (const { epoch, workflowId } of revoked) {
          // What was lost may have been claimed again since: only runs of that epoch, or before, are over.
          const run = this.executions.get(workflowId)?.run
          if (run !== undefined && run.epoch <= epoch) run.stop({ _tag: "Fenced" })
        }
        // By the next beat it is known that these have ended here: then their rollbacks are due.
        if (revoked.length > 0) this.heartbeatNow()
        else if (this.revoking) this.claimNow()
        this.revoking = revoked.length > 0
        if (!alive) return this.left ? Effect.void : this.lost
        this.renewed(lease, sentAt, wallSentAt)
        for (const { run } of this.executions.values()) if (run.waitsForLeave) run.kick()
        return Effect.void
      }
    )
  })

  /** The lease had lapsed: others own what ran here. Begin anew under another incarnation. */
  private readonly lost: Effect.Effect<void, StoreError> = Effect.suspend(() => {
    for (const { run } of [...this.executions.values()]) run.stop({ _tag: "Fenced" })
    // Once it has joined: as long as it cannot, each beat finds the same lapse.
    return (this.stopping ? Effect.void : this.join).pipe(
      Effect.andThen(Metrics.count(Metrics.leasesLost)),
      Effect.andThen(Effect.logWarning("The lease had lapsed; this executor goes on under a new incarnation"))
    )
  })

  // ---------------------------------------------------------------------------
  // owning
  // ---------------------------------------------------------------------------

  readonly began = (begun: Begun): void => {
    const registration = this.registry.get(begun.name)
    if (registration === undefined || begun.incarnation !== this.lease.incarnation || this.stopping) {
      // Ours by its row, and not to be run here any more.
      return this.giveBack(begun.workflowId, begun.epoch)
    }
    this.run(registration, {
      ...begun,
      queue: null,
      schedule: null,
      phase: "run",
      liveAt: begun.startedAt,
      records: [],
      attempts: [],
      inbox: 0
    })
  }

  /** Owned by this process, and not run by it: somebody else shall have it. */
  private giveBack(workflowId: string, epoch: number): void {
    this.core.journal.submit(
      { ...nothingOf(workflowId, epoch), end: { _tag: "Release" } },
      () => this.claimNow()
    )
  }

  /**
   * What the store says is ours and this process does not know of: the answer to a claim was lost. Looked for after a
   * claim has failed and, since a claim may have been made long after it was given up, every minute. Not beside a claim.
   */
  private readonly reconcile: Effect.Effect<void, StoreError> = Effect.suspend(() => {
    for (const [workflowId, epoch] of [...this.suspects]) this.suspect(workflowId, epoch)
    const now = performance.now()
    if (!this.doubtful && now < this.reconciledAt + reconcileEveryMs) return Effect.void
    return Effect.map(this.core.store.owned(this.lease.incarnation), (owned) => {
      this.doubtful = false
      this.reconciledAt = now
      for (const { epoch, workflowId } of owned) this.suspect(workflowId, epoch)
    })
  })

  /** Owned under this epoch by the store's word: is it run here? */
  private suspect(workflowId: string, epoch: number): void {
    this.suspects.delete(workflowId)
    const run = this.executions.get(workflowId)?.run
    if (run !== undefined && run.epoch >= epoch) return
    run?.stop({ _tag: "Fenced" })
    // Something of it is on its way, its start, its history or what an earlier run left: the next claim looks again.
    if (this.core.journal.has(workflowId) || this.taking.has(workflowId)) this.suspects.set(workflowId, epoch)
    else this.giveBack(workflowId, epoch)
  }

  private run(registration: Registration, owned: Owned): void {
    const before = this.executions.get(owned.workflowId)?.run
    if (before !== undefined && before.epoch >= owned.epoch) return
    before?.stop({ _tag: "Fenced" })
    const execution = new Execution(this.core, registration, owned, {
      mayStart: this.mayStart,
      stopped: this.stopped,
      deadlinePassed: this.deadlinePassed
    })
    this.executions.set(owned.workflowId, execution)
    execution.begin()
  }

  private readonly stopped = (execution: Execution, why: Stopped, outcome: Outcome | undefined): void => {
    const { waiters } = this.core
    if (this.executions.get(execution.workflowId) === execution) this.executions.delete(execution.workflowId)
    if (outcome !== undefined && why._tag === "Done") waiters.done(outcome)
    else waiters.lookAt(execution.workflowId)
    const hints: Array<Hint> = []
    if (why._tag === "Done") {
      hints.push({ _tag: "Done", workflowId: execution.workflowId })
      // Its parent may have been suspended until now.
      if (execution.parentId !== null && !this.executions.has(execution.parentId)) this.claimNow()
    }
    if (execution.queue !== null) {
      // Its place, in the queue or in this executor, is the next one's.
      hints.push({ _tag: "Queue", queue: execution.queue })
      this.claimNow()
    }
    // Somebody else shall take it, at once.
    if (why._tag === "Released") hints.push({ _tag: "Due", name: execution.name })
    if (hints.length > 0) this.core.fork(this.core.store.hint(hints))
    if (why._tag === "Blocked") {
      this.core.fork(Effect.logError(
        `Workflow "${execution.workflowId}" is blocked: its code does not fit its history. ` +
          `Expected ${why.expected}, found ${why.actual}: ${why.detail}`
      ))
    }
    if (this.full) this.claimNow()
  }

  // ---------------------------------------------------------------------------
  // loops
  // ---------------------------------------------------------------------------

  /** Runs until interrupted. */
  get loops(): ReadonlyArray<Effect.Effect<never>> {
    const { heartbeatMs, leaseMs, pollMs, suspendAfterMs } = this.core.settings
    return [
      // A connection that hangs must not cost the lease.
      loop("heartbeat", this.beats, heartbeatMs, this.beat, Math.min(patienceMs, leaseMs / 3)),
      loop("claim", this.claims, pollMs, this.claiming),
      loop("sweep", this.sweeps, heartbeatMs, this.sweepAll),
      Effect.forever(Effect.andThen(
        Effect.sleep(Math.max(5, suspendAfterMs / 2)),
        Effect.sync(() => this.suspendIdle())
      ))
    ]
  }

  private readonly claiming: Effect.Effect<void, StoreError> = Effect.suspend(() =>
    Effect.andThen(this.reconcile, this.claimAll(++this.round))
  ).pipe(
    Effect.onExit((exit) =>
      Effect.sync(() => {
        if (Exit.isFailure(exit)) this.doubtful = true
      })
    )
  )

  private claimAll(round: number): Effect.Effect<void, StoreError> {
    return Effect.suspend(() => {
      const free = this.core.settings.maxRunning - this.executions.size
      this.full = free <= 0
      if (this.stopping || free <= 0 || this.registry.size === 0 || !this.mayStart()) return Effect.void
      const limit = Math.min(free, claimBatch)
      const { lease } = this
      const sentAt = performance.now()
      return Effect.flatMap(
        this.core.store.claim({
          incarnation: this.lease.incarnation,
          served: this.served,
          queues: this.core.settings.queues,
          limit
        }),
        ({ claimed, contended, nextDueAt, now }) => {
          this.read(now, sentAt)
          this.wakeClaimAt(nextDueAt)
          this.wakeClaimOnContention(contended)
          if (round !== this.round) {
            for (const { row } of claimed) this.giveBack(row.workflowId, row.epoch)
            return Effect.void
          }
          for (const { row } of claimed) this.taking.set(row.workflowId, row.epoch)
          return Effect.forEach(claimed, (one) => this.take(one, now, lease), { discard: true }).pipe(
            Effect.ensuring(Effect.sync(() => {
              for (const { row } of claimed) this.taking.delete(row.workflowId)
            })),
            Effect.andThen(
              claimed.length === 0 ? Effect.void : Metrics.count(Metrics.workflowsClaimed, claimed.length)
            ),
            Effect.andThen(claimed.length === limit ? this.claimAll(round) : Effect.void)
          )
        }
      )
    })
  }

  private take(claimed: Claimed, now: number, lease: Lease): Effect.Effect<void, StoreError> {
    return Effect.map(this.wholeHistory(claimed), (history) => {
      const { row } = claimed
      const registration = this.registry.get(row.name)
      if (registration === undefined || this.stopping || this.lease !== lease) {
        return this.giveBack(row.workflowId, row.epoch)
      }
      // Nothing of it runs any more: whoever sweeps next cancels it, owned or not.
      if (row.phase === "run" && row.deadlineAt !== null && row.deadlineAt <= now) return this.deadlinePassed()
      this.run(registration, {
        workflowId: row.workflowId,
        epoch: row.epoch,
        phase: row.phase === "compensate" ? "compensate" : "run",
        payload: row.payload,
        startedAt: row.startedAt ?? now,
        liveAt: now,
        deadlineAt: row.deadlineAt,
        user: row.user,
        roles: row.roles,
        assumedRole: row.assumedRole,
        parentId: row.parentId,
        queue: row.queue,
        schedule: row.scheduleName === null || row.scheduledAt === null
          ? null
          : { name: row.scheduleName, at: row.scheduledAt },
        trace: row.trace,
        inbox: claimed.inbox,
        ...history
      })
    })
  }

  private wholeHistory(claimed: Claimed): Effect.Effect<Pick<Claimed, "records" | "attempts">, StoreError> {
    if (!claimed.more) return Effect.succeed(claimed)
    return Effect.gen({ self: this }, function*() {
      const records = [...claimed.records]
      const attempts = [...claimed.attempts]
      for (let more = true; more;) {
        const after = records.reduce((max, record) => Math.max(max, record.stepId), -1)
        const page = yield* this.core.store.history(claimed.row.workflowId, after)
        records.push(...page.records)
        attempts.push(...page.attempts)
        more = page.more
      }
      return { records, attempts }
    })
  }

  private get sweepAll(): Effect.Effect<void, StoreError> {
    return Effect.suspend(() => {
      if (this.stopping) return Effect.void
      return Effect.flatMap(Effect.andThen(this.tellServed, this.core.store.sweep(sweepBatch)), (swept) => {
        if (swept.released > 0) this.claimNow()
        const ended = [...swept.expired, ...swept.deadLettered]
        for (const workflowId of ended) this.core.waiters.lookAt(workflowId)
        if (ended.length > 0) {
          this.heartbeatNow()
          this.claimNow()
        }
        return Effect.andThen(
          swept.released > 0
            ? Effect.andThen(
              Metrics.count(Metrics.workflowsReleased, swept.released),
              // They, and the places that they had in queues, may be for others to take.
              this.core.store.hint([{ _tag: "Due", name: "*" }])
            )
            : Effect.void,
          ended.length === 0 ? Effect.void : this.core.store.hint([
            { _tag: "Revoked", incarnation: "*" },
            ...ended.map((workflowId) => ({ _tag: "Done", workflowId } as const))
          ])
        ).pipe(Effect.andThen(swept.more ? this.sweepAll : Effect.void))
      })
    })
  }

  private suspendIdle(): void {
    const { clock, settings } = this.core
    const now = performance.now()
    for (const execution of this.executions.values()) {
      const idle = execution.run.idle()
      if (idle === undefined) {
        execution.idleSince = 0
        continue
      }
      if (idle.until !== null && idle.until - clock.now() < settings.suspendAfterMs) continue
      if (execution.idleSince === 0) execution.idleSince = now
      if (now - execution.idleSince < settings.suspendAfterMs) continue
      execution.idleSince = 0
      if (idle.until !== null) this.wakeClaimAt(idle.until)
      execution.run.suspend(
        execution.inbox.seen,
        (inbox) => this.core.watching.stirred(execution.inbox, inbox, idle.awaiting)
      )
    }
  }

  // ---------------------------------------------------------------------------
  // timers of the loops
  // ---------------------------------------------------------------------------

  private wakeClaimAt(due: number | null): void {
    if (due === null || due >= this.claimAt || this.stopping) return
    clearTimeout(this.claimTimer)
    this.claimAt = due
    // What is due and was not claimed is held by somebody: no hurry.
    const delay = Math.min(Math.max(due - this.core.clock.now(), 20), 86_400_000)
    this.claimTimer = setTimeout(() => {
      this.claimAt = Infinity
      this.claimNow()
    }, delay)
  }

  /** Somebody else was at a queue: look again when it will have done, less often the more there are. */
  private wakeClaimOnContention(contended: boolean): void {
    if (!contended) {
      this.contention = 0
      return
    }
    const longest = Math.min(64, 4 * 2 ** this.contention++)
    clearTimeout(this.contentionTimer)
    this.contentionTimer = setTimeout(() => this.claimNow(), 1 + Math.random() * longest)
  }

  /** The database decides that it has passed; whoever sweeps first cancels, and the beat tells the owner. */
  private readonly deadlinePassed = (): void => {
    Queue.offerUnsafe(this.sweeps, undefined)
    this.heartbeatNow()
  }

  // ---------------------------------------------------------------------------
  // shutdown
  // ---------------------------------------------------------------------------

  /** Lets running steps end, up to the limit, then gives the workflows back. */
  private drain(which: (execution: Execution) => boolean): Effect.Effect<void> {
    const chosen = () => [...this.executions.values()].filter(which)
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

  /** The end of the engine: nothing new, running steps finish up to a limit, everything is given back. */
  readonly shutdown: Effect.Effect<void> = Effect.suspend(() => {
    this.stopping = true
    clearTimeout(this.claimTimer)
    clearTimeout(this.contentionTimer)
    return this.drain(() => true).pipe(
      Effect.andThen(Effect.sync(() => {
        this.left = true
        for (const { run } of [...this.executions.values()]) run.stop({ _tag: "Released" })
      })),
      Effect.andThen(Effect.timeoutOption(Effect.ignore(this.core.store.leave(this.lease.incarnation)), "5 seconds")),
      Effect.asVoid
    )
  })
}

const newLease = (): Lease => ({ incarnation: crypto.randomUUID(), monotonicEnd: 0, wallEnd: 0 })

/** How long a loop waits for the database in one round. */
const patienceMs = 30_000

/** `body` at every signal and at every interval, whatever it does. */
export const loop = (
  name: string,
  signals: Queue.Queue<void>,
  intervalMs: number,
  body: Effect.Effect<void, StoreError>,
  patience = patienceMs
): Effect.Effect<never> => {
  let failing = false
  const once = Effect.matchCauseEffect(giveUpAfter(patience)(body), {
    onSuccess: () => {
      if (!failing) return Effect.void
      failing = false
      return Effect.logInfo(`The ${name} loop works again`)
    },
    onFailure: (cause) => {
      if (failing) return Effect.void
      failing = true
      return Effect.logWarning(`The ${name} loop failed and will try again`, cause)
    }
  })
  const wait = Effect.timeoutOption(Queue.take(signals), intervalMs)
  return Effect.forever(Effect.andThen(once, wait))
}
