/**
 * How an executor comes to own what is due: it claims, reads the histories, and looks for what it owns without knowing,
 * since the answer to a claim was lost. Ownership is proved by every write; here it is only decided when to look.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Claimed, StoreError } from "../Store.ts"
import type { Begun, Core, Registration } from "./core.ts"
import type { Executions } from "./executions.ts"
import * as Metrics from "./metrics.ts"
import { nothingOf } from "./operation.ts"
import type { Serving } from "./serving.ts"

const claimBatch = 200
const reconcileEveryMs = 60_000

/** The executor that claims. */
export interface Claimer {
  readonly incarnation: () => string
  /** Whether what this incarnation has taken is to be run here: not once its lease has lapsed, joined again or not. */
  readonly holds: (incarnation: string) => boolean
  readonly stopping: boolean
  readonly mayStart: () => boolean
  readonly claimNow: () => void
  readonly deadlinePassed: () => void
  /** Takes a reading of the database's clock, asked for at `sentAt`. */
  readonly read: (now: number, sentAt: number) => void
}

export class Claiming {
  /** The last claim found no place. */
  full = false
  /** By the last claim: something waits for a place. */
  private waiting = true
  /** A claim is under way, which may not see what becomes free meanwhile. */
  private looking = false
  /** Most that it may bring. */
  private asked = 0
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
  private claimTimer: ReturnType<typeof setTimeout> | undefined
  private contentionTimer: ReturnType<typeof setTimeout> | undefined
  private claimAt = Infinity
  private readonly core: Core
  private readonly executor: Claimer
  private readonly serving: Serving
  private readonly executions: Executions

  constructor(core: Core, executor: Claimer, serving: Serving, executions: Executions) {
    this.core = core
    this.executor = executor
    this.serving = serving
    this.executions = executions
  }

  /** Places that no workflow has, and none that is on its way: being started, being claimed, its history being read. */
  get room(): number {
    const { journal, settings } = this.core
    return settings.maxRunning - this.executions.size - journal.starting - Math.max(this.asked, this.taking.size)
  }

  /** One round of the loop. */
  readonly once: Effect.Effect<void, StoreError> = Effect.suspend(() =>
    Effect.andThen(this.reconcile, this.claimAll(++this.round))
  ).pipe(
    Effect.onExit((exit) =>
      Effect.sync(() => {
        if (Exit.isFailure(exit)) this.doubtful = true
      })
    )
  )

  /** A workflow that was started here, as its owner. */
  began(begun: Begun): void {
    const registration = this.codeFor(begun.name, begun.incarnation)
    if (registration === undefined) return this.giveBack(begun.workflowId, begun.epoch)
    this.executions.run(registration, {
      ...begun,
      queue: null,
      schedule: null,
      phase: "run",
      liveAt: begun.startedAt,
      continuations: 0,
      firstStepId: 0,
      records: [],
      attempts: [],
      inbox: 0
    })
  }

  /** The code for what this incarnation has taken. None: it is ours by its row, and not to be run here any more. */
  private codeFor(name: string, incarnation: string): Registration | undefined {
    return this.executor.stopping || !this.executor.holds(incarnation) ? undefined : this.serving.get(name)
  }

  /** Owned by this process, and not run by it: somebody else shall have it. */
  private giveBack(workflowId: string, epoch: number): void {
    this.core.journal.submit(
      { ...nothingOf(workflowId, epoch), end: { _tag: "Release" } },
      () => this.executor.claimNow()
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
    return Effect.map(this.core.store.owned(this.executor.incarnation()), (owned) => {
      this.doubtful = false
      this.reconciledAt = now
      for (const { epoch, workflowId } of owned) this.suspect(workflowId, epoch)
    })
  })

  /** Owned under this epoch by the store's word: is it run here? */
  private suspect(workflowId: string, epoch: number): void {
    this.suspects.delete(workflowId)
    if ((this.executions.epochOf(workflowId) ?? -1) >= epoch) return
    this.executions.lost(workflowId, epoch)
    // Something of it is on its way, its start, its history or what an earlier run left: the next claim looks again.
    if (this.core.journal.has(workflowId) || this.taking.has(workflowId)) this.suspects.set(workflowId, epoch)
    else this.giveBack(workflowId, epoch)
  }

  private claimAll(round: number): Effect.Effect<void, StoreError> {
    return Effect.suspend(() => {
      this.asked = 0
      const free = this.room
      this.full = free <= 0
      if (this.executor.stopping || free <= 0 || this.serving.isEmpty || !this.executor.mayStart()) return Effect.void
      // The other half is for what is started here meanwhile.
      const limit = Math.min(Math.ceil(free / 2), claimBatch)
      const incarnation = this.executor.incarnation()
      const sentAt = performance.now()
      this.looking = true
      this.asked = limit
      return Effect.flatMap(
        this.core.store.claim({
          incarnation,
          served: this.serving.served,
          queues: this.core.settings.queues,
          limit
        }).pipe(Effect.onExit((exit) =>
          Effect.sync(() => {
            this.looking = false
            this.waiting = Exit.isFailure(exit) || exit.value.waiting
          })
        )),
        ({ claimed, contended, nextDueAt, now }) => {
          this.executor.read(now, sentAt)
          this.wakeAt(nextDueAt)
          this.wakeClaimOnContention(contended)
          if (round !== this.round) {
            for (const { row } of claimed) this.giveBack(row.workflowId, row.epoch)
            return Effect.void
          }
          for (const { row } of claimed) this.taking.set(row.workflowId, row.epoch)
          this.asked = 0
          return Effect.forEach(claimed, (one) => this.take(one, now, incarnation), { discard: true }).pipe(
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

  private take(claimed: Claimed, now: number, incarnation: string): Effect.Effect<void, StoreError> {
    return Effect.map(this.wholeHistory(claimed), (history) => {
      const { row } = claimed
      const registration = this.codeFor(row.name, incarnation)
      if (registration === undefined) return this.giveBack(row.workflowId, row.epoch)
      // Nothing of it runs any more: whoever sweeps next cancels it, owned or not.
      if (row.phase === "run" && row.deadlineAt !== null && row.deadlineAt <= now) return this.executor.deadlinePassed()
      this.executions.run(registration, {
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
        continuations: row.continuations,
        firstStepId: row.firstStepId,
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

  // ---------------------------------------------------------------------------
  // when to look again
  // ---------------------------------------------------------------------------

  /** Something is due then. */
  wakeAt(due: number | null): void {
    if (due === null || due >= this.claimAt || this.executor.stopping) return
    clearTimeout(this.claimTimer)
    this.claimAt = due
    // What is due and was not claimed is held by somebody: no hurry.
    const delay = Math.min(Math.max(due - this.core.clock.now(), 20), 86_400_000)
    this.claimTimer = setTimeout(() => {
      this.claimAt = Infinity
      this.executor.claimNow()
    }, delay)
  }

  /** In a queue, or in an executor. */
  placeIsFree(): void {
    if (this.waiting || this.looking) this.executor.claimNow()
  }

  /** Somebody else was at a queue: look again when it will have done, less often the more there are. */
  private wakeClaimOnContention(contended: boolean): void {
    if (!contended) {
      this.contention = 0
      return
    }
    const longest = Math.min(64, 4 * 2 ** this.contention++)
    clearTimeout(this.contentionTimer)
    this.contentionTimer = setTimeout(() => this.executor.claimNow(), 1 + Math.random() * longest)
  }

  /** The database's clock was set: when what is due will be due is not known any more. */
  clockJumped(): void {
    clearTimeout(this.claimTimer)
    this.claimAt = Infinity
  }

  stop(): void {
    clearTimeout(this.claimTimer)
    clearTimeout(this.contentionTimer)
  }
}
