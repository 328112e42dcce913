/**
 * One workflow in the hands of this engine: it gives the run its surroundings, and decides what the body's end means.
 *
 * Success is encoded and written. Failure first undoes the steps that declared a rollback, last one first, each
 * recorded like a step; then it is written. A workflow that was cancelled comes back in phase `compensate`: its body is
 * replayed as far as it was recorded, which brings the rollbacks back with the values they close over, and then only
 * they run.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import * as Tracer from "effect/Tracer"
import * as Auth from "../Auth.ts"
import * as EnqueueOptions from "../EnqueueOptions.ts"
import * as StepStatus from "../StepStatus.ts"
import {
  type Advance,
  type Answer,
  type AttemptRecord,
  type Outcome,
  type Renew,
  type StepRecord,
  StoreError
} from "../Store.ts"
import * as WorkflowContext from "../WorkflowContext.ts"
import * as WorkflowId from "../WorkflowId.ts"
import * as WorkflowTimeout from "../WorkflowTimeout.ts"
import { giveUpAfter, patienceMs } from "./answering.ts"
import { CurrentAttempt } from "./attemptScope.ts"
import { born } from "./births.ts"
import * as BodyClock from "./bodyClock.ts"
import * as Codec from "./codec.ts"
import { type Core, CurrentCore, type Registration } from "./core.ts"
import type { Fibers } from "./ending.ts"
import * as Failure from "./failure.ts"
import { CurrentInbox, type Inbox } from "./inbox.ts"
import { untilItPasses } from "./journal.ts"
import * as Metrics from "./metrics.ts"
import { outsideOf } from "./outside.ts"
import { CurrentStreams, OwnStreams } from "./ownStreams.ts"
import { hadOwner } from "./replaying.ts"
import { rollbackOperation } from "./rollback.ts"
import { CurrentBranch, CurrentRun, Run } from "./run.ts"
import type { RunHost, Stopped } from "./runHost.ts"
import { housed } from "./starting.ts"
import * as TraceParent from "./traceParent.ts"
import { WithinTransaction } from "./transactions.ts"

/** A workflow that this engine has come to own. */
export interface Owned {
  readonly workflowId: string
  readonly epoch: number
  readonly phase: "run" | "compensate"
  readonly payload: string
  readonly startedAt: number
  readonly liveAt: number
  readonly deadlineAt: number | null
  readonly user: string | null
  readonly roles: ReadonlyArray<string>
  readonly assumedRole: string | null
  readonly parentId: string | null
  /** The queue that it came from. */
  readonly queue: string | null
  /** The schedule that started it, and the tick. */
  readonly schedule: { readonly name: string; readonly at: number } | null
  /** The span that started it. */
  readonly trace: string | null
  /** How often it has begun anew, and where the ids of its steps begin. */
  readonly continuations: number
  readonly firstStepId: number
  readonly records: ReadonlyArray<StepRecord>
  readonly attempts: ReadonlyArray<AttemptRecord>
  readonly inbox: number
}

export interface Surroundings {
  readonly mayStart: () => boolean
  /** Its deadline is due by this process's idea of the database's clock. */
  readonly deadlinePassed: () => void
  /** The run has left memory. `outcome`: it is done, with this result. `performed`: see {@link RunHost.stopped}. */
  readonly stopped: (
    execution: Execution,
    why: Stopped,
    outcome: Outcome | undefined,
    performed: Fibers
  ) => void
}

export class Execution {
  readonly run: Run
  readonly workflowId: string
  readonly name: string
  readonly parentId: string | null
  readonly queue: string | null
  readonly inbox: Inbox
  private readonly streams: OwnStreams
  private outcome: Outcome | undefined
  private alarm: ReturnType<typeof setTimeout> | undefined
  private deadline: ReturnType<typeof setTimeout> | undefined
  private readonly core: Core
  private readonly registration: Registration
  private readonly owned: Owned
  private readonly surroundings: Surroundings

  constructor(core: Core, registration: Registration, owned: Owned, surroundings: Surroundings) {
    this.core = core
    this.registration = registration
    this.owned = owned
    this.surroundings = surroundings
    this.workflowId = owned.workflowId
    this.name = registration.definition.name
    this.parentId = owned.parentId
    this.queue = owned.queue
    this.inbox = core.watching.inboxes.inboxOf(owned.workflowId, owned.inbox)
    this.streams = new OwnStreams(
      core.store,
      owned.workflowId,
      !hadOwner(owned) && owned.continuations === 0
    )
    const { maxSteps, replayGraceMs } = core.settings
    this.run = new Run({ ...owned, maxSteps, replayGraceMs, host: this.host() })
  }

  /** Starts (or replays) the body. */
  begin(): void {
    this.watchDeadline()
    const { body, definition } = this.registration
    let payload: unknown
    try {
      payload = definition.payload.decode(this.owned.payload)
    } catch (error) {
      return this.run.block("a payload that the running code can read", "one that it cannot", String(error))
    }
    const parent = TraceParent.parse(this.owned.trace) ?? TraceParent.ofWorkflow(this.workflowId, this.owned.startedAt)
    // A result that cannot be stored is a failure of the body, as soon as it ends.
    const encode = (result: unknown) => definition.success.encode(result, `result of workflow "${this.name}"`)
    const traced: Effect.Effect<string, unknown> = Effect.withSpan(
      Effect.suspend(() => Effect.map(body(payload), encode)),
      `workflow ${this.name}`,
      {
        parent,
        attributes: { "perdure.workflow.id": this.workflowId, "perdure.workflow.name": this.name },
        captureStackTrace: false
      }
    )
    this.run.begin(traced, this.bodyContext())
  }

  private host(): RunHost {
    const { clock, context, journal } = this.core
    return {
      now: () => clock.now(),
      mayStart: this.surroundings.mayStart,
      outside: outsideOf(context),
      submit: (advance, answered, contested) => this.submit(journal, advance, answered, contested),
      renew: (next) => this.renew(next),
      wakeAt: (due) => this.wakeAt(due),
      bodyEnded: (exit) => this.bodyEnded(exit),
      bodyCut: () => this.compensate("CANCELLED", null),
      stopped: (why, performed) => {
        this.wakeAt(undefined)
        clearTimeout(this.deadline)
        this.surroundings.stopped(this, why, this.outcome, performed)
      },
      refused: (detail) => this.run.block("a write that the store accepts", "one that it refuses", detail)
    }
  }

  private submit(
    journal: Core["journal"],
    asked: Advance,
    answered: (answer: Answer) => void,
    contested: boolean
  ): void {
    const { core } = this
    const advance = asked.children.length === 0 ? asked : { ...asked, children: housed(core, asked.children) }
    this.streams.supersede(advance.supersedes)
    journal.submit(advance, (answer) => {
      if (answer._tag === "Fenced") core.fork(Metrics.count(Metrics.fencedWrites))
      if (answer._tag === "Recorded") {
        core.watching.wrote(advance)
        born(core, advance.children, answer.children)
      }
      answered(answer)
    }, contested)
  }

  private renew(next: Pick<Renew, "payload" | "firstStepId">): void {
    const { run, workflowId } = this
    const life = { ...next, workflowId, epoch: run.epoch, codec: Codec.CODEC }
    const once = Effect.filterOrFail(
      giveUpAfter(patienceMs)(this.core.store.renew(life)),
      (answer) => answer !== "busy"
    )
    this.core.fork(Effect.matchCause(
      Effect.retry(once, {
        schedule: untilItPasses,
        while: (error) => run.running && (!(error instanceof StoreError) || error.isRetryable)
      }),
      {
        onSuccess: (answer) => run.stop({ _tag: answer === "renewed" ? "Renewed" : "Fenced" }),
        onFailure: (cause) => run.block("a payload that the store accepts", "one that it refuses", Cause.pretty(cause))
      }
    ))
  }

  private wakeAt(due: number | undefined): void {
    clearTimeout(this.alarm)
    this.alarm = undefined
    if (due === undefined || !Number.isFinite(due)) return
    this.alarm = setTimeout(() => this.run.kick(), this.delayTo(due))
  }

  /** The database's clock was set: what waits for a time looks again. */
  clockJumped(): void {
    this.run.kick()
    this.watchDeadline()
  }

  private watchDeadline(): void {
    clearTimeout(this.deadline)
    const due = this.owned.deadlineAt
    if (due === null || this.owned.phase === "compensate") return
    this.deadline = setTimeout(() => {
      if (this.core.clock.now() >= due) this.surroundings.deadlinePassed()
      // Until the database agrees.
      this.watchDeadline()
    }, Math.max(this.delayTo(due), this.core.clock.now() >= due ? 200 : 0))
  }

  /** A day at most at a time: timers of the platform end at 24.8 days, and the clock is read again meanwhile. */
  private delayTo(due: number): number {
    return Math.min(Math.max(due - this.core.clock.now(), 0), 86_400_000)
  }

  // ---------------------------------------------------------------------------
  // the body's end
  // ---------------------------------------------------------------------------

  private bodyEnded(exit: Exit.Exit<string, unknown>): void {
    if (this.owned.phase === "compensate") return this.compensate("CANCELLED", null)
    if (Exit.isSuccess(exit)) return this.settle("SUCCESS", exit.value)
    this.compensate("ERROR", Failure.encodeWorkflowCause(exit.cause, this.registration.definition.error))
  }

  private compensate(status: "ERROR" | "CANCELLED", output: string | null): void {
    const rollbacks = this.run.rollbacks.slice().sort((a, b) => b.record.seq - a.record.seq)
    if (rollbacks.length === 0) return this.settle(status, output)
    const all = Effect.forEach(
      rollbacks,
      (rollback) => Effect.exit(this.run.ask(rollbackOperation(this.core, rollback))),
      { discard: true }
    )
    this.run.compensate(all, this.bodyContext(), () => this.settle(status, output))
  }

  private settle(status: "SUCCESS" | "ERROR" | "CANCELLED", output: string | null): void {
    if (status !== "CANCELLED") {
      this.outcome = { workflowId: this.workflowId, name: this.name, status, output, reason: null }
    }
    this.run.settle(status, output)
  }

  // ---------------------------------------------------------------------------
  // what the body sees
  // ---------------------------------------------------------------------------

  /** What `toLayer` captured, except what belongs to the workflow: that comes from its row, or is reset. */
  private bodyContext(): Context.Context<never> {
    const { owned, core } = this
    const { settings } = core
    const captured = Context.omit(Tracer.ParentSpan)(this.registration.context)
    return captured.pipe(
      Context.add(Scheduler.Scheduler, this.run.scheduler),
      Context.add(Scheduler.PreventSchedulerYield, false),
      Context.add(Clock.Clock, BodyClock.make(this.run)),
      Context.add(Random.Random, seeded(`${owned.workflowId}${owned.continuations || ""}`)),
      Context.add(CurrentRun, this.run),
      Context.add(CurrentInbox, this.inbox),
      Context.add(CurrentStreams, this.streams),
      Context.add(CurrentAttempt, undefined),
      Context.add(WorkflowContext.InWorkflow, { workflowId: owned.workflowId }),
      Context.add(CurrentBranch, undefined),
      Context.add(CurrentCore, core),
      Context.add(StepStatus.Current, undefined),
      Context.add(WorkflowId.Current, undefined),
      Context.add(WorkflowTimeout.Current, undefined),
      Context.add(EnqueueOptions.Current, {}),
      Context.add(WithinTransaction, undefined),
      Context.add(Auth.Current, {
        user: owned.user ?? undefined,
        roles: owned.roles,
        assumedRole: owned.assumedRole ?? undefined
      }),
      Context.add(WorkflowContext.Current, {
        workflowId: owned.workflowId,
        workflowName: this.name,
        deadline: owned.deadlineAt ?? undefined,
        schedule: owned.schedule === null
          ? undefined
          : { name: owned.schedule.name, scheduledAt: new Date(owned.schedule.at) },
        executorId: settings.executorId,
        applicationVersion: settings.version
      }),
      Context.add(References.CurrentLogAnnotations, {
        ...Context.get(this.registration.context, References.CurrentLogAnnotations),
        workflowId: owned.workflowId,
        workflow: this.name
      })
    ) as Context.Context<never>
  }
}

/** Randomness that a replay sees again: schedules with jitter are part of what a body does. */
const seeded = (seed: string): typeof Random.Random.Service => {
  let state = 2166136261
  for (let i = 0; i < seed.length; i++) state = Math.imul(state ^ seed.charCodeAt(i), 16777619) >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  const double = () => next() / 4294967296
  return {
    nextDoubleUnsafe: double,
    nextIntUnsafe: () => Math.floor((double() - 0.5) * 2 * Number.MAX_SAFE_INTEGER)
  }
}
