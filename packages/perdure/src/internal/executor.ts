/**
 * The side of an engine that runs workflows: a lease, what it serves, and loops that beat, claim, sweep and suspend.
 *
 * Ownership is proved by every write; the loops only decide when to look. Each survives whatever the database does: a
 * failure is logged and the loop goes on, so that full service is back without a manual act.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { Revoked, StoreError } from "../Store.ts"
import { AlreadyRegistered, WorkflowError } from "../WorkflowError.ts"
import { patienceMs } from "./answering.ts"
import { Claiming } from "./claiming.ts"
import type { Begun, Core, Executor, Registration } from "./core.ts"
import type { Definition } from "./definition.ts"
import { Executions } from "./executions.ts"
import { tell } from "./hearing.ts"
import { Lease, sending } from "./lease.ts"
import { loop } from "./loop.ts"
import * as Metrics from "./metrics.ts"
import { Neighbours } from "./neighbours.ts"
import { Serving } from "./serving.ts"

/** Rows of one round of the sweep. */
const sweepBatch = 200
/** How often those that wait are looked for, at the least. */
const suspendEveryMs = 500
/** By so much readings differ without anybody having set the clock. */
const clockJumpMs = 500

export class ExecutorLoops implements Executor {
  lease = new Lease()
  stopping = false
  /** What the last beat said was taken away. The next one says which of it has ended here. */
  private revoked: ReadonlyArray<Revoked> = []
  /** The lease has been given up. */
  private left = false
  private readonly neighbours = new Neighbours()
  private readonly serving: Serving
  private readonly executions: Executions
  private readonly claiming: Claiming
  private readonly claims: Queue.Queue<void>
  private readonly beats: Queue.Queue<void>
  private readonly sweeps: Queue.Queue<void>
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
    this.serving = new Serving(core)
    this.executions = new Executions(core, this)
    this.claiming = new Claiming(core, this, this.serving, this.executions)
  }

  // ---------------------------------------------------------------------------
  // what it tells and is told
  // ---------------------------------------------------------------------------

  readonly incarnation = (): string => this.lease.incarnation
  readonly holds = (incarnation: string): boolean => incarnation === this.lease.incarnation && !this.lease.hasLapsed
  readonly registered = (name: string): Registration | undefined => this.serving.get(name)
  readonly definitions = (): ReadonlyArray<Definition> => this.serving.definitions
  readonly isRunning = (workflowId: string): boolean => this.executions.has(workflowId)
  readonly mayStart = (): boolean => this.lease.isGood
  readonly room = (): number => this.stopping || !this.mayStart() ? 0 : this.claiming.room
  readonly heartbeatNow = (): void => void Queue.offerUnsafe(this.beats, undefined)
  readonly claimNow = (): void => void Queue.offerUnsafe(this.claims, undefined)
  private readonly sweepNow = (): void => void Queue.offerUnsafe(this.sweeps, undefined)
  readonly lookAtRunning = (): void => this.executions.lookAtAll()
  readonly began = (begun: Begun): void => this.claiming.began(begun)
  readonly placeIsFree = (queue: string): void => {
    if (this.core.settings.queues?.includes(queue) !== false) this.claiming.placeIsFree()
  }
  readonly wakeClaimAt = (due: number): void => this.claiming.wakeAt(due)

  get full(): boolean {
    return this.claiming.full
  }

  /** The database decides that it has passed; whoever sweeps first cancels, and the beat tells the owner. */
  readonly deadlinePassed = (): void => {
    this.sweepNow()
    this.heartbeatNow()
  }

  readonly register = (registration: Registration): Effect.Effect<void, WorkflowError> =>
    Effect.suspend(() => {
      const { name } = registration.definition
      if (this.serving.get(name) !== undefined) {
        return Effect.fail(new WorkflowError({ reason: new AlreadyRegistered({ name }) }))
      }
      this.serving.add(registration)
      this.claimNow()
      this.sweepNow()
      return Effect.void
    })

  /** No more claims of that name; what runs may end its steps, then it is given back. */
  readonly unregister = (name: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      this.serving.remove(name)
      this.sweepNow()
      return this.executions.drain((execution) => execution.name === name)
    })

  // ---------------------------------------------------------------------------
  // lease
  // ---------------------------------------------------------------------------

  /** Takes a reading of the database's clock. When it has been set, every timer of this process is set anew. */
  readonly read = (now: number, sentAt: number): void => {
    if (Math.abs(this.core.clock.sync(now, sentAt)) < clockJumpMs) return
    this.claiming.clockJumped()
    this.claimNow()
    this.sweepNow()
    this.executions.clockJumped()
  }

  /** Registers a new incarnation. False: another one was registered meanwhile, and this one lapses by itself. */
  readonly join: Effect.Effect<boolean, StoreError> = Effect.suspend(() => {
    const { executorId, leaseMs, version } = this.core.settings
    const former = this.lease
    const lease = new Lease()
    const sent = sending()
    return Effect.map(this.core.store.join({ incarnation: lease.incarnation, executorId, version }, leaseMs), (now) => {
      // It was given up, and answered after the one that was asked for instead.
      if (this.lease !== former) return false
      this.core.clock.sync(now, sent.at)
      lease.renewed(sent, this.core.settings)
      this.neighbours.left(this.lease.incarnation)
      this.neighbours.entered(lease.incarnation)
      this.lease = lease
      this.revoked = []
      this.serving.joined()
      this.claimNow()
      this.sweepNow()
      return true
    })
  })

  private readonly beat: Effect.Effect<void, StoreError> = Effect.suspend(() => {
    if (this.left) return Effect.void
    const { lease } = this
    const ended = this.revoked.filter(this.hasEnded)
    const sent = sending()
    return Effect.flatMap(
      this.core.store.heartbeat(lease.incarnation, this.core.settings.leaseMs, ended),
      ({ alive, latestVersion, now, revoked }) => {
        this.read(now, sent.at)
        if (this.serving.latestIs(latestVersion)) {
          this.claimNow()
          this.sweepNow()
        }
        for (const { epoch, workflowId } of revoked) this.executions.revoked(workflowId, epoch)
        // Their rollbacks are due now, perhaps.
        if (ended.length > 0) this.claimNow()
        // It was given up, and answered when the lapse was known already.
        if (this.left || lease !== this.lease) return Effect.void
        this.revoked = revoked
        // Others wait for that to be said.
        if (revoked.some(this.hasEnded)) this.heartbeatNow()
        if (!alive) return this.lost
        lease.renewed(sent, this.core.settings)
        this.executions.kickWaiting()
        return Effect.void
      }
    )
  })

  private readonly hasEnded = ({ workflowId }: Revoked): boolean => !this.executions.isEnding(workflowId)

  /** Something that was stopped, and took its time to end, has ended: perhaps it is waited for elsewhere. */
  readonly ended = (): void => {
    if (this.revoked.length > 0) this.heartbeatNow()
  }

  /** The lease had lapsed: others own what ran here. Begin anew under another incarnation. */
  private readonly lost: Effect.Effect<void, StoreError> = Effect.suspend(() => {
    this.lease.lapsed()
    this.executions.stopAll({ _tag: "Fenced" })
    // Once it has joined: as long as it cannot, each beat finds the same lapse.
    return Effect.flatMap(
      this.stopping ? Effect.succeed(true) : this.join,
      (joined) =>
        !joined ? Effect.void : Effect.andThen(
          Metrics.count(Metrics.leasesLost),
          Effect.logWarning("The lease had lapsed; this executor goes on under a new incarnation")
        )
    )
  })

  // ---------------------------------------------------------------------------
  // loops
  // ---------------------------------------------------------------------------

  /** Runs until interrupted. */
  get loops(): ReadonlyArray<Effect.Effect<never>> {
    const { heartbeatMs, leaseMs, pollMs, suspendAfterMs } = this.core.settings
    return [
      // A connection that hangs must not cost the lease.
      loop("heartbeat", this.beats, heartbeatMs, this.beat, Math.min(patienceMs, Math.ceil(leaseMs / 3))),
      loop("claim", this.claims, pollMs, this.claiming.once),
      loop("sweep", this.sweeps, heartbeatMs, this.sweepAll),
      Effect.forever(Effect.andThen(
        Effect.sleep(Math.min(suspendEveryMs, Math.max(5, suspendAfterMs / 2))),
        Effect.sync(() => this.executions.suspendIdle())
      ))
    ]
  }

  private get sweepAll(): Effect.Effect<void, StoreError> {
    return Effect.suspend(() => {
      if (this.stopping) return Effect.void
      return Effect.flatMap(
        this.serving.tell(this.lease.incarnation).pipe(
          Effect.andThen(this.lapseNeighbours),
          Effect.andThen(this.core.store.sweep(sweepBatch))
        ),
        (swept) => {
          const ended = [...swept.expired, ...swept.deadLettered]
          return Effect.andThen(
            swept.released > 0
              ? Effect.andThen(
                Metrics.count(Metrics.workflowsReleased, swept.released),
                // They, and the places that they had in queues, may be for others to take.
                tell(this.core, [{ _tag: "Due", name: "*" }])
              )
              : Effect.void,
            ended.length === 0 ? Effect.void : tell(this.core, [
              { _tag: "Revoked", incarnation: "*" },
              ...ended.map((workflowId) => ({ _tag: "Done", workflowId } as const))
            ])
          ).pipe(Effect.andThen(swept.more ? this.sweepAll : Effect.void))
        }
      )
    })
  }

  /** Processes of this machine that have ended need their leases no more. */
  private readonly lapseNeighbours: Effect.Effect<void, StoreError> = Effect.suspend(() => {
    const { ended } = this.neighbours
    return ended.length === 0
      ? Effect.void
      : Effect.map(this.core.store.lapse(ended), (known) => this.neighbours.tell(ended, known))
  })

  // ---------------------------------------------------------------------------
  // shutdown
  // ---------------------------------------------------------------------------

  /** The end of the engine: nothing new, running steps finish up to a limit, everything is given back. */
  readonly shutdown: Effect.Effect<void> = Effect.suspend(() => {
    this.stopping = true
    this.claiming.stop()
    return this.executions.drain(() => true).pipe(
      Effect.andThen(Effect.sync(() => {
        this.left = true
        this.executions.stopAll({ _tag: "Released" })
      })),
      Effect.andThen(Effect.timeoutOption(Effect.ignore(this.core.store.leave(this.lease.incarnation)), "5 seconds")),
      Effect.andThen(Effect.sync(() => this.neighbours.left(this.lease.incarnation))),
      Effect.asVoid
    )
  })
}
