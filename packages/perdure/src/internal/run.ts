/**
 * One workflow in memory: a body that asks, and the events that answer it, one at a time.
 *
 * An event is an outcome or a due timer. It is delivered, the body runs until it rests, then comes the next. Live, an
 * outcome gets its completion number and its time at the moment of delivery, so the recorded order is by construction
 * the order that the body saw. What was delivered is written before the next durable operation starts, and together
 * with the workflow's outcome if the body ends first.
 *
 * Everything here runs in one thread and never awaits; `RunHost` does what takes time.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Answer, AttemptRecord, End, Send, StepRecord } from "../Store.ts"
import { OutsideWorkflow, TooManySteps, WorkflowError } from "../WorkflowError.ts"
import { Alarms } from "./alarms.ts"
import { BodyScheduler } from "./bodyScheduler.ts"
import * as Branch from "./branch.ts"
import { type Fibers, whenEnded } from "./ending.ts"
import { FailedAttempts } from "./failedAttempts.ts"
import { type Idle, idleOf, Joins, onlyWaits } from "./idling.ts"
import { unfitText } from "./names.ts"
import { Call, type FailedAttempt, type Operation, recordOf, type Rollback, type Slot } from "./operation.ts"
import { Performing } from "./performing.ts"
import * as Replay from "./replay.ts"
import { describe, Replaying } from "./replaying.ts"
import type { RunHost, RunOptions, Stopped } from "./runHost.ts"
import { Starts } from "./starts.ts"
import { StepIds } from "./stepIds.ts"
import { type Timer, Timers } from "./timers.ts"
import { isInTransaction, nested } from "./transactions.ts"
import { Turns } from "./turns.ts"
import type { Along } from "./unsaved.ts"
import { Writes } from "./writes.ts"

/** The run that the current fiber is the body of. */
export const CurrentRun = Context.Reference<Run | undefined>("perdure/CurrentRun", { defaultValue: () => undefined })
/** The branch that durable operations of the current fiber belong to. */
export const CurrentBranch = Context.Reference<Branch.Branch | undefined>("perdure/CurrentBranch", {
  defaultValue: () => undefined
})

const compensationPath = "~rollback/"
/** After so many refused operations a body that will not end is left suspended for ever, to be collected. */
const refusalLimit = 1000

const tooMany = (operation: Operation, limit: number): WorkflowError =>
  new WorkflowError({ reason: new TooManySteps({ operation: `${operation.kind} "${operation.name}"`, limit }) })

const lent = (what: string): WorkflowError =>
  new WorkflowError({
    reason: new OutsideWorkflow({
      operation: what,
      detail: "the context is of another workflow than the body",
      remedy: "Ask in the body that the context belongs to, and send the value."
    })
  })

export class Run {
  readonly workflowId: string
  readonly epoch: number
  /** When this life of the workflow began, on the database's clock. */
  readonly startedAt: number
  readonly scheduler: BodyScheduler
  /** Of the recorded steps that have one, in the order of completion. */
  readonly rollbacks: Array<Rollback> = []
  /** The time of the latest event. */
  private now: number
  private state: "running" | "stopping" | "stopped" = "running"
  bodyOver = false
  private draining = false
  private releasing = false
  /** Its suspension is on its way to the store: it may be out of memory there already. */
  suspending = false
  private compensating = false
  private refusals = 0
  /** See {@link afterwards}. */
  private owed = 0
  private whenPaid: (() => void) | undefined
  readonly calls = new Set<Call>()
  readonly timers = new Timers()
  readonly turns = new Turns(this)
  private readonly failedAttempts: FailedAttempts
  private readonly alarms = new Alarms()
  private readonly joins = new Joins()
  private readonly starts = new Starts(this)
  private readonly stepIds: StepIds
  private readonly maxSteps: number
  private readonly replay: Replaying
  private readonly writes: Writes
  private readonly performing: Performing
  private timerOrder = 0
  private lastSeq: number
  private readonly askedKeys = new Set<string>()
  private root: Fiber.Fiber<unknown, unknown> | undefined
  private readonly host: RunHost

  constructor(options: RunOptions) {
    this.host = options.host
    this.workflowId = options.workflowId
    this.epoch = options.epoch
    this.startedAt = options.startedAt
    this.maxSteps = options.maxSteps
    this.now = options.startedAt
    this.scheduler = new BodyScheduler(options.startedAt)
    this.lastSeq = options.records.reduce((max, record) => Math.max(max, record.seq), 0)
    this.failedAttempts = new FailedAttempts(options.attempts, options.records)
    this.stepIds = new StepIds(options.firstStepId, [...options.records, ...options.attempts])
    this.replay = new Replaying(this, options)
    this.writes = new Writes(this, options.host, this.lastSeq)
    this.performing = new Performing(this, this.writes, options.host)
  }

  /** How many outcomes the body has received: the highest completion number. */
  get received(): number {
    return this.lastSeq
  }

  /** The present time of the database's clock. */
  clock(): number {
    return Math.max(this.now, this.host.now())
  }

  get running(): boolean {
    return this.state === "running"
  }

  /** It has left memory, or is being given back: what is not known of it is for the next owner to find out. */
  get leaving(): boolean {
    return !this.running || this.releasing
  }

  attemptsOf(stepId: number): ReadonlyArray<AttemptRecord> {
    return this.failedAttempts.of(stepId)
  }

  // ---------------------------------------------------------------------------
  // the body
  // ---------------------------------------------------------------------------

  /** Runs the body on a fiber of its own, with `context` (which holds this run's clock and scheduler). */
  begin(body: Effect.Effect<unknown, unknown>, context: Context.Context<never>): void {
    // Known in its first turn, in which it may end its life.
    const root = Effect.withFiber((fiber) => {
      this.root = fiber
      return body
    })
    this.fork("", root, context, (exit) => this.ended(exit))
    this.changed()
  }

  /** Runs the rollbacks after the body, on a fiber and in a branch of their own. */
  compensate(rollbacks: Effect.Effect<unknown>, context: Context.Context<never>, done: () => void): void {
    this.compensating = true
    this.fork(compensationPath, rollbacks, context, () => {
      if (this.running) done()
    })
    this.changed()
  }

  private fork(
    path: string,
    effect: Effect.Effect<unknown, unknown>,
    context: Context.Context<never>,
    ended: (exit: Exit.Exit<unknown, unknown>) => void
  ): Fiber.Fiber<unknown, unknown> {
    const entered = Effect.withFiber((fiber) => Effect.provideService(effect, CurrentBranch, Branch.make(path, fiber)))
    let fiber: Fiber.Fiber<unknown, unknown>
    this.scheduler.within(this.now, () => {
      fiber = Effect.runForkWith(Context.add(context, CurrentRun, this))(entered)
    })
    fiber!.addObserver(ended)
    return fiber!
  }

  private ended(exit: Exit.Exit<any, unknown>): void {
    if (!this.running || this.bodyOver) return
    const left = this.replay.missed ?? (Exit.isSuccess(exit) ? this.replay.undone : undefined)
    if (left !== undefined) {
      return this.block(
        describe(left),
        "the end of the workflow",
        "the body ended before it asked for all its records"
      )
    }
    this.endBody()
    this.host.bodyEnded(exit)
  }

  /** Nothing of the body may go on: forks that outlive it, waits, timers. What is written stays. */
  private endBody(): void {
    this.bodyOver = true
    for (const call of [...this.calls]) {
      if (call.compensation) continue
      this.drop(call)
      call.resume(Effect.interrupt)
    }
    for (const timer of this.timers.clear()) timer.resume(Effect.interrupt)
    for (const fiber of this.scheduler.alive()) fiber.interruptUnsafe()
    this.joins.clear()
  }

  // ---------------------------------------------------------------------------
  // asking
  // ---------------------------------------------------------------------------

  /** Asks for a durable operation from the current fiber. `at`: its key, where {@link scopeKey} gave it already. */
  ask(operation: Operation, at?: string): Effect.Effect<any, any> {
    return Effect.withFiber((fiber) => {
      const branch = fiber.getRef(CurrentBranch)
      if (branch === undefined || !this.open(branch)) return this.refuse()
      const refused = operation.refused ?? Effect.fail
      const wrong = this.misplaced(fiber, `${operation.kind} "${operation.name}"`) ??
        unfitText("name or key", operation.identity)
      if (wrong !== undefined) return refused(wrong)
      const named: Branch.Named = at === undefined
        ? Branch.take(branch, fiber, operation.identity, operation.renamed)
        : { _tag: "Key", key: at, formerKey: undefined }
      if (named._tag === "Repeated" || this.askedKeys.has(named.key)) {
        return Effect.die(Branch.repeated(operation.identity, branch.path))
      }
      const decision = this.replay.ask({ ...named, kind: operation.kind })
      // Asked for after all, when it was taken for dropped: it says the same as ever.
      if (decision._tag === "Taken" && Replay.isPassedOver(decision.record) && operation.kind === "patch") {
        return operation.replay(decision.record)
      }
      if (decision._tag === "Taken") {
        this.block(
          describe(decision.record),
          `${operation.kind} "${operation.name}"`,
          "two operations claim one record"
        )
        return Effect.never
      }
      if (decision._tag === "Mismatch") {
        this.block(describe(decision.record), `${operation.kind} "${operation.name}"`, "the same name, another kind")
        return Effect.never
      }
      if (decision._tag === "Unrecorded" && operation.passed !== undefined && this.replay.goesOn(branch.path)) {
        return operation.passed
      }
      const record = decision._tag === "Recorded" ? decision.record : undefined
      const compensation = branch.path.startsWith(compensationPath)
      if (record === undefined && !compensation && this.stepIds.count >= this.maxSteps) {
        return refused(tooMany(operation, this.maxSteps))
      }
      this.askedKeys.add(named.key)
      const stepId = this.stepIds.next(record?.stepId ?? this.failedAttempts.take(named.key, named.formerKey))
      return Effect.callback((resume) => {
        const call = new Call(this, operation, named, fiber, compensation, resume)
        call.stepId = stepId
        call.askedAt = this.replay.active ? this.replay.received : this.lastSeq
        call.again = this.replay.mayHaveBegun(call.askedAt)
        call.record = record
        this.calls.add(call)
        if (record === undefined) {
          if (this.replay.active) this.replay.hold(call)
          else this.starts.add(call)
        }
        this.changed()
        return Effect.suspend(() => this.abandon(call))
      })
    })
  }

  /** Why this fiber, which has the context of the body, may not ask for it. */
  private misplaced(fiber: Fiber.Fiber<unknown, unknown>, what: string): WorkflowError | undefined {
    // Asked, it would wait for the records before it, and on SQLite those for the transaction that is open.
    if (isInTransaction(fiber.context)) return nested(what)
    return this.scheduler.isForeign(fiber) ? lent(what) : undefined
  }

  /** The key of a structured operation (a race, a forEach), whose branches are named below it. */
  scopeKey(fiber: Fiber.Fiber<any, any>, name: string): Effect.Effect<string> {
    const branch = fiber.getRef(CurrentBranch)
    if (branch === undefined || !this.open(branch)) return this.refuse()
    const unfit = unfitText("name of branches", name)
    if (unfit !== undefined) return Effect.die(unfit)
    const named = Branch.take(branch, fiber, name, undefined)
    return named._tag === "Key" ? Effect.succeed(named.key) : Effect.die(Branch.repeated(name, branch.path))
  }

  /** The recorded value of an operation of this branch that has not been asked for yet. */
  peek(key: string): StepRecord | undefined {
    return this.replay.peek(key)
  }

  private open(branch: Branch.Branch): boolean {
    return this.running && (!this.bodyOver || branch.path.startsWith(compensationPath))
  }

  private refuse(): Effect.Effect<never> {
    return ++this.refusals > refusalLimit ? Effect.never : Effect.interrupt
  }

  /** The body no longer waits for it: interrupt it, and let nothing happen until its finalizers have run. */
  private abandon(call: Call): Effect.Effect<void> {
    if (!this.calls.has(call)) return Effect.void
    const fiber = call.fiber
    this.drop(call)
    if (!this.running) return Effect.void
    call.operation.onAbandoned?.()
    this.unclaimed(call)
    if (fiber === undefined || call.record !== undefined) return Effect.void
    this.turns.stall()
    const ended = Effect.sync(() => {
      // It was being written, which is not taken back.
      this.unclaimed(call)
      this.unstall()
    })
    return Effect.ensuring(Fiber.interrupt(fiber), ended)
  }

  private unclaimed({ operation, record }: Call): void {
    if (record === undefined || !this.running) return
    try {
      operation.onUnclaimed?.(record)
    } catch (error) {
      this.block(describe(record), "a schema that cannot read it", String(error))
    }
  }

  private drop(call: Call): void {
    this.calls.delete(call)
    this.replay.drop(call)
    this.starts.drop(call)
    this.performing.drop(call)
    call.fiber?.interruptUnsafe()
  }

  // ---------------------------------------------------------------------------
  // starting
  // ---------------------------------------------------------------------------

  /** Whether something wants to start and was not allowed to. */
  get waitsForLeave(): boolean {
    return this.starts.waiting
  }

  get mayStart(): boolean {
    return this.running && !this.draining && this.host.mayStart()
  }

  /** See {@link Call.permission}. */
  get permission(): Effect.Effect<void> {
    return this.starts.permission
  }

  launch(call: Call): void {
    this.performing.launch(call)
  }

  /** See {@link Call.slot}. */
  slot(call: Call, shared: boolean): Effect.Effect<Slot> {
    return this.performing.slot(call, shared)
  }

  /** See {@link Call.recordAttempt}. */
  recordAttempt(call: Call, attempt: FailedAttempt): Effect.Effect<void> {
    const record = { ...attempt, stepId: call.stepId, key: call.key, name: call.operation.name }
    this.failedAttempts.add(record)
    return this.writes.written(() => ({ attempts: [record] }))
  }

  // ---------------------------------------------------------------------------
  // time
  // ---------------------------------------------------------------------------

  /** An operation's wait between two attempts. */
  waitUntil(call: Call, due: number, what: string): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const silence = this.alarm(due, () => resume(Effect.void))
      call.wait({ until: due, awaiting: undefined, what, mayCome: false })
      return Effect.sync(silence)
    }).pipe(Effect.andThen(Effect.sync(() => call.wait(undefined))))
  }

  /** See {@link Call.alarm}. */
  alarm(due: number, ring: () => void): () => void {
    const silence = this.alarms.add(due, ring)
    this.changed()
    return silence
  }

  /** The body's sleep. */
  sleepUntil(due: number): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const branch = fiber.getRef(CurrentBranch)
      if (branch === undefined || !this.open(branch)) return this.refuse()
      const wrong = this.misplaced(fiber, "a sleep")
      if (wrong !== undefined) return Effect.die(wrong)
      return Effect.callback((resume) => {
        const timer: Timer = { due, order: this.timerOrder++, fiber, resume }
        this.timers.add(timer)
        this.changed()
        return Effect.sync(() => {
          this.timers.remove(timer)
          if (this.running) this.changed()
        })
      })
    })
  }

  // ---------------------------------------------------------------------------
  // events, one at a time
  // ---------------------------------------------------------------------------

  /** Something happened that may allow the next event; look when the body rests. */
  changed(): void {
    if (!this.running) return
    this.replay.stopWaiting()
    this.turns.again()
  }

  /** The host's word that time has passed or the lease is good again. */
  kick(): void {
    this.happened()
  }

  /** Something happened outside the body. */
  happened(): void {
    if (!this.turns.happened()) this.changed()
  }

  /** See {@link Turns}. */
  pump(): void {
    if (this.replay.active) this.replay.pump()
    else this.pumpLive()
  }

  cut(): void {
    this.endBody()
    this.host.bodyCut()
    this.changed()
  }

  pass(record: StepRecord): void {
    this.reached(record)
    this.changed()
  }

  goLive(held: ReadonlyArray<Call>): void {
    for (const call of held) this.starts.add(call)
    this.pumpLive()
  }

  private pumpLive(): void {
    const now = this.host.now()
    const timer = this.timers.earliest
    // As a replay has it: there these are records like any other.
    const { writtenAt } = this.performing
    if (writtenAt !== undefined) {
      return timer !== undefined && timer.due <= writtenAt ? this.fire() : this.performing.deliverWritten()
    }
    // As a replay has it, too: nothing is recorded as of before a time that the body has seen, wherever the clock is.
    if (timer !== undefined && timer.due <= this.now) return this.fire()
    const passed = timer !== undefined && timer.due <= now
    const first = passed ? this.overdue(timer.due) : undefined
    if (first?.length === 0) return this.fire()
    this.starts.go(this.writes.durable, first)
    const event = this.performing.take(first)
    if (event === undefined) {
      this.writes.save()
      return this.host.wakeAt(this.alarms.ring(now, passed ? undefined : timer?.due))
    }
    if (event._tag === "Slot") {
      if (this.writes.behind) {
        // Records are gapless: what was delivered before is durable first.
        this.writes.save()
        return this.performing.putBack(event)
      }
      // Not later than what was looked at: what has begun since took its time, and a timer that passed in it comes after this.
      return this.performing.begin(event, Math.max(this.now, now))
    }
    const { call, completed } = event
    const at = Math.max(this.now, Math.min(now, call.operation.due ?? now))
    const record = recordOf(call, completed, this.lastSeq + 1, at)
    this.writes.add(record, completed.along)
    this.deliver(call, record, completed.exit)
  }

  /** Operations that were over by themselves before this time, and whose outcome has yet to be found out. */
  overdue(time: number): ReadonlyArray<Call> {
    return [...this.calls].filter(({ operation }) => operation.due !== undefined && operation.due < time)
  }

  fire(): void {
    const timer = this.timers.takeEarliest()!
    this.now = Math.max(this.now, timer.due)
    this.changed()
    this.scheduler.within(timer.due, () => timer.resume(Effect.void))
  }

  /** It counts as received, and it is as late as that. */
  private reached(record: StepRecord): void {
    this.lastSeq = Math.max(this.lastSeq, record.seq)
    this.now = Math.max(this.now, record.at)
  }

  deliver(call: Call, record: StepRecord, exit: Exit.Exit<any, any>): void {
    this.calls.delete(call)
    this.reached(record)
    call.operation.onDelivered?.(record, exit)
    this.changed()
    this.scheduler.within(record.at, () => call.resume(exit))
    // The body has run as far as it could at once. If it ended, its outcome took these records along; and what waits to be
    // delivered goes along, too: see `pumpLive`.
    if (!this.performing.waiting) this.writes.save()
  }

  // ---------------------------------------------------------------------------
  // writing
  // ---------------------------------------------------------------------------

  /** See {@link Call.writeAlong}. */
  writeAlong(along: () => Along): Effect.Effect<void> {
    return Effect.asVoid(this.writes.written(() => ({ along: along() })))
  }

  /** See {@link Call.send}. */
  send(sends: ReadonlyArray<Send>): Effect.Effect<Answer> {
    return this.writes.written(() => ({ sends, contested: true }))
  }

  /**
   * Does something to others that follows from what was delivered: once that is durable, and only if this owner is the owner
   * then. The workflow neither ends nor leaves memory before it is done; if this process does, a replay comes here again.
   */
  afterwards(effect: Effect.Effect<void>, fork: (effect: Effect.Effect<void>) => void): void {
    this.owed++
    const paid = Effect.sync(() => {
      if (--this.owed === 0) this.whenPaid?.()
    })
    this.writes.submit({}, () => {
      if (this.running) fork(Effect.ensuring(effect, paid))
    })
  }

  private paid(then: () => void): void {
    if (this.owed === 0) then()
    else this.whenPaid = then
  }

  /** Writes the outcome together with what is not written yet. */
  settle(status: "SUCCESS" | "ERROR" | "CANCELLED", output: string | null): void {
    this.turns.stall()
    this.paid(() => this.writes.submit({ end: { _tag: "Settle", status, output } }, () => this.stop({ _tag: "Done" })))
  }

  /** Whether a step runs, or something is on its way to the store. */
  get working(): boolean {
    if (this.writes.behind || this.performing.waiting || this.owed > 0) return true
    let busy = -this.starts.attempts
    for (const call of this.calls) if (call.fiber !== undefined && call.waiting === undefined) busy++
    return busy > 0
  }

  /** Gives the workflow back at once. */
  release(): void {
    this.leave(
      () => this.writes.submit({ end: { _tag: "Release" } }, () => this.stop({ _tag: "Released" })),
      [...this.performing.fibers]
    )
  }

  /** Ends this life of the workflow, for the next one to begin with this payload. */
  continueAsNew(payload: string): Effect.Effect<never> {
    return Effect.withFiber((fiber) => {
      const branch = fiber.getRef(CurrentBranch)
      if (branch === undefined || !this.open(branch) || this.compensating) return this.refuse()
      const left = this.replay.missed ?? this.replay.undone
      if (left !== undefined) {
        this.block(describe(left), "continueAsNew", "the life ended before it asked for all its records")
        return Effect.never
      }
      // Cancelled meanwhile: that was the last of its records, and what is to be undone is of this life.
      if (this.replay.isOfCancelled) return Effect.never
      const fibers = [...this.performing.fibers, this.root!]
      // As when a race is lost.
      const calls = [...this.calls]
      for (const call of calls) call.operation.onAbandoned?.()
      this.endBody()
      const renew = () =>
        this.writes.whenDurable(() => {
          if (this.running) this.host.renew({ payload, firstStepId: this.stepIds.unused })
        })
      const ended = () => {
        // Not before: what is being written is not taken back.
        for (const call of calls) this.unclaimed(call)
        this.paid(renew)
      }
      this.leave(ended, fibers)
      return Effect.never
    })
  }

  /**
   * Leaves memory once these have ended, finalizers included, which are interrupted: they may hold what the write needs,
   * and the next owner would run beside them.
   */
  private leave(write: () => void, fibers: Fibers): void {
    if (!this.running || this.releasing) return
    this.releasing = true
    this.turns.stall()
    for (const fiber of fibers) fiber.interruptUnsafe()
    whenEnded(fibers, write)
  }

  /** Starts nothing more; what runs may end and be recorded. */
  drain(): void {
    this.draining = true
  }

  /** Code and history do not fit: nothing runs until a deploy or an operator mends it. */
  block(expected: string, actual: string, detail: string): void {
    if (!this.running) return
    this.turns.stall()
    const blocked = { _tag: "Blocked", expected, actual, detail } as const
    this.writes.submit({ end: { _tag: "Block", reason: JSON.stringify(blocked) } }, () => this.stop(blocked))
  }

  // ---------------------------------------------------------------------------
  // suspension
  // ---------------------------------------------------------------------------

  /** See {@link Joins.during}. */
  joining<A, E, R>(fiber: Fiber.Fiber<any, any>, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.joins.during(fiber, effect)
  }

  onlyWaits(loosely = false): boolean {
    return onlyWaits(this, this.joins, loosely)
  }

  /**
   * What the workflow waits for, if it does nothing but wait: when the first of it is due, and which workflows it
   * awaits. `undefined` when something runs, or might.
   */
  idle(): Idle | undefined {
    if (!this.running || this.replay.active || !this.turns.still) return undefined
    if (this.bodyOver && !this.compensating) return undefined
    if (this.performing.waiting || this.starts.waiting || this.writes.behind || this.owed > 0) return undefined
    const idle = idleOf(this)
    return idle !== undefined && this.onlyWaits(true) ? idle : undefined
  }

  /** Takes the workflow out of memory, if it still only waits. `stirred`: it must look again. */
  suspend(inbox: number, stirred: (inbox: number) => void): void {
    const idle = this.idle()
    if (idle === undefined) return
    this.turns.stall()
    this.suspending = true
    const end: End = {
      _tag: "Suspend",
      inbox,
      wakeAt: idle.until,
      awaiting: idle.awaiting,
      waits: idle.waits
    }
    this.writes.submit({ end }, (answer) => {
      if (answer._tag !== "Stirred") return this.stop({ _tag: "Suspended" })
      this.suspending = false
      this.unstall()
      stirred(answer.inbox)
    })
  }

  stall(): void {
    this.turns.stall()
  }

  unstall(): void {
    this.turns.unstall()
    this.changed()
  }

  // ---------------------------------------------------------------------------
  // the end
  // ---------------------------------------------------------------------------

  /** Leaves the state `running`: everything in memory is interrupted, nothing more is written. */
  stop(why: Stopped): void {
    if (!this.running) return
    this.state = "stopping"
    this.host.wakeAt(undefined)
    this.replay.stopWaiting()
    const performed = [...this.performing.fibers]
    const calls = [...this.calls]
    this.calls.clear()
    this.performing.clear()
    for (const fiber of performed) fiber.interruptUnsafe()
    // Waits end even in an uninterruptible region: there an interruption would not reach them.
    for (const call of calls) call.resume(Effect.interrupt)
    for (const timer of this.timers.clear()) timer.resume(Effect.interrupt)
    for (const fiber of this.scheduler.alive()) fiber.interruptUnsafe()
    this.root?.interruptUnsafe()
    this.state = "stopped"
    this.host.stopped(why, performed)
  }

  get isCompensating(): boolean {
    return this.compensating
  }
}
