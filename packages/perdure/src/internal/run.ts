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
import type { Advance, Answer, AttemptRecord, Await, End, StepRecord } from "../Store.ts"
import { BodyScheduler, nextTurn } from "./bodyScheduler.ts"
import * as Branch from "./branch.ts"
import {
  Call,
  type Completed,
  type FailedAttempt,
  type Operation,
  recordOf,
  type Rollback,
  type Slot
} from "./operation.ts"
import * as Replay from "./replay.ts"
import { type Timer, Timers } from "./timers.ts"
import { isInTransaction, nested } from "./transactions.ts"
import { advanceOf, type Along, saysMore, type Unsaved, wasRefused, type Write } from "./unsaved.ts"

// -----------------------------------------------------------------------------
// what surrounds a run
// -----------------------------------------------------------------------------

/** What a run needs from the engine (or from a test). */
export interface RunHost {
  /** The database's clock, as this process knows it. */
  readonly now: () => number
  /** Whether steps may start: the lease is good for a while yet. When that changes, the host calls `kick`. */
  readonly mayStart: () => boolean
  /** Writes, in order; answers in order. `Busy`, lost connections and the like are the host's business. */
  readonly submit: (advance: Advance, answered: (answer: Answer) => void) => void
  /** The context of the world outside the body: real clock, scheduler and randomness, no run, no branch. */
  readonly outside: (context: Context.Context<never>) => Context.Context<never>
  /** Asks for `kick` when the database's clock reaches this time; replaces what was asked before. */
  readonly wakeAt: (due: number | undefined) => void
  /** The body ended by itself, everything before is submitted. The host decides what that means. */
  readonly bodyEnded: (exit: Exit.Exit<unknown, unknown>) => void
  /** The recorded part of a workflow in phase `compensate` has been replayed: nothing more of the body is to run. */
  readonly bodyCut: () => void
  /** The run has left the state `running`, for good. */
  readonly stopped: (why: Stopped) => void
  /** A write was refused for good. */
  readonly refused: (detail: string) => void
}

/** How a run left memory. */
export type Stopped =
  | { readonly _tag: "Done" }
  | { readonly _tag: "Suspended" }
  | { readonly _tag: "Released" }
  | { readonly _tag: "Fenced" }
  | { readonly _tag: "Blocked"; readonly expected: string; readonly actual: string; readonly detail: string }

export interface RunOptions {
  readonly workflowId: string
  readonly epoch: number
  readonly phase: "run" | "compensate"
  /** When the workflow began, database clock: where the body's clock starts. */
  readonly startedAt: number
  /** When it was claimed (or started here), database clock. */
  readonly liveAt: number
  readonly records: ReadonlyArray<StepRecord>
  readonly attempts: ReadonlyArray<AttemptRecord>
  /** How long a replay waits, in real time, for plain asynchronous work before it gives its verdict. Milliseconds. */
  readonly replayGraceMs: number
  readonly host: RunHost
}

type Event =
  | { readonly _tag: "Completed"; readonly call: Call; readonly completed: Completed }
  | { readonly _tag: "Slot"; readonly call: Call; readonly take: () => void }

/** The run that the current fiber is the body of. */
export const CurrentRun = Context.Reference<Run | undefined>("perdure/CurrentRun", { defaultValue: () => undefined })
/** The branch that durable operations of the current fiber belong to. */
export const CurrentBranch = Context.Reference<Branch.Branch | undefined>("perdure/CurrentBranch", {
  defaultValue: () => undefined
})

const compensationPath = "~rollback/"
/** After so many refused operations a body that will not end is left suspended for ever, to be collected. */
const refusalLimit = 1000
/** How long a hand-over waits for interrupted steps. */
const releasePatienceMs = 2000

export class Run {
  readonly workflowId: string
  readonly epoch: number
  readonly scheduler: BodyScheduler
  /** Of the recorded steps that have one, in the order of completion. */
  readonly rollbacks: Array<Rollback> = []
  /** The time of the latest event. */
  private now: number
  private state: "running" | "stopping" | "stopped" = "running"
  private bodyOver = false
  private draining = false
  private releasing = false
  private pumping = false
  private compensating = false
  private replaying: boolean
  private resting = false
  private turn = false
  /** Set while one event must be finished before the next: a slot, a suspension, an interrupted step's finalizers. */
  private stalls = 0
  private refusals = 0
  private restingSince = 0
  private graceTimer: ReturnType<typeof setTimeout> | undefined
  private readonly history: Replay.History
  private readonly cursor = Replay.start()
  private readonly failedAttempts = new Map<string, Array<AttemptRecord>>()
  private readonly calls = new Set<Call>()
  private held: Array<Call> = []
  private starting: Array<Call> = []
  private readonly ready: Array<Event> = []
  private readonly timers = new Timers()
  /** Operations that wait for leave to try again. */
  private readonly permits = new Set<() => void>()
  private readonly alarms = new Set<{ readonly due: number; readonly ring: () => void }>()
  private readonly parents = new Map<Fiber.Fiber<unknown, unknown>, number>()
  private timerOrder = 0
  private lastSeq: number
  private nextOrdinal = 0
  private freeStepId: number
  private readonly stepIds: Set<number>
  private readonly askedKeys = new Set<string>()
  private durable: number
  private unsaved: Array<Unsaved> = []
  private root: Fiber.Fiber<unknown, unknown> | undefined
  private readonly options: RunOptions
  private readonly host: RunHost

  constructor(options: RunOptions) {
    this.options = options
    this.host = options.host
    this.workflowId = options.workflowId
    this.epoch = options.epoch
    this.now = options.startedAt
    this.scheduler = new BodyScheduler(options.startedAt)
    this.history = Replay.makeHistory(options.records)
    this.replaying = options.records.length > 0 || options.phase === "compensate" || options.liveAt > options.startedAt
    this.lastSeq = this.durable = options.records.reduce((max, record) => Math.max(max, record.seq), 0)
    this.stepIds = new Set([...options.records, ...options.attempts].map((row) => row.stepId))
    this.freeStepId = [...this.stepIds].reduce((max, id) => Math.max(max, id + 1), 0)
    for (const attempt of options.attempts) {
      const list = this.failedAttempts.get(attempt.key)
      if (list === undefined) this.failedAttempts.set(attempt.key, [attempt])
      else list.push(attempt)
    }
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

  attemptsOf(key: string): ReadonlyArray<AttemptRecord> {
    return this.failedAttempts.get(key) ?? []
  }

  // ---------------------------------------------------------------------------
  // the body
  // ---------------------------------------------------------------------------

  /** Runs the body on a fiber of its own, with `context` (which holds this run's clock and scheduler). */
  begin(body: Effect.Effect<unknown, unknown>, context: Context.Context<never>): void {
    this.root = this.fork("", body, context, (exit) => this.ended(exit))
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

  private ended(exit: Exit.Exit<unknown, unknown>): void {
    if (!this.running || this.bodyOver) return
    const left = this.history.bySeq.find((record) =>
      record.kind !== "rollback" && !Replay.isPassedOver(record) && !this.cursor.done.has(record.key)
    )
    if (left !== undefined) {
      return this.diverge(
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
    this.parents.clear()
  }

  // ---------------------------------------------------------------------------
  // asking
  // ---------------------------------------------------------------------------

  /** Asks for a durable operation from the current fiber. `at`: its key, where {@link scopeKey} gave it already. */
  ask(operation: Operation, at?: string): Effect.Effect<any, any> {
    return Effect.withFiber((fiber) => {
      const branch = fiber.getRef(CurrentBranch)
      if (branch === undefined || !this.open(branch)) return this.refuse()
      // Asked, it would wait for the records before it, and on SQLite those for the transaction that is open.
      if (isInTransaction(fiber.context)) {
        return (operation.refused ?? Effect.fail)(nested(`${operation.kind} "${operation.name}"`))
      }
      const named: Branch.Named = at === undefined
        ? Branch.take(branch, fiber, operation.identity, operation.renamed)
        : { _tag: "Key", key: at, formerKey: undefined }
      if (named._tag === "Repeated" || this.askedKeys.has(named.key)) {
        return Effect.die(Branch.repeated(operation.identity, branch.path))
      }
      const decision = Replay.ask(this.history, this.cursor, { ...named, kind: operation.kind })
      // Asked for after all, when it was taken for dropped: it says the same as ever.
      if (decision._tag === "Taken" && Replay.isPassedOver(decision.record) && operation.kind === "patch") {
        return operation.replay(decision.record)
      }
      if (decision._tag === "Taken") {
        this.diverge(
          describe(decision.record),
          `${operation.kind} "${operation.name}"`,
          "two operations claim one record"
        )
        return Effect.never
      }
      if (decision._tag === "Mismatch") {
        this.diverge(describe(decision.record), `${operation.kind} "${operation.name}"`, "the same name, another kind")
        return Effect.never
      }
      if (
        decision._tag === "Unrecorded" && operation.passed !== undefined &&
        Replay.goesOn(this.history, this.cursor, branch.path)
      ) return operation.passed
      this.askedKeys.add(named.key)
      const stepId = this.takeStepId(named.key, decision._tag === "Recorded" ? decision.record : undefined)
      return Effect.callback((resume) => {
        const call = new Call(this, operation, named.key, fiber, branch.path.startsWith(compensationPath), resume)
        call.stepId = stepId
        call.askedAt = this.replaying ? this.cursor.received : this.lastSeq
        call.again = this.replaying
        this.calls.add(call)
        if (decision._tag === "Recorded") call.record = decision.record
        else if (this.replaying) this.held.push(call)
        else this.prepare(call)
        this.changed()
        return Effect.suspend(() => this.abandon(call))
      })
    })
  }

  /** The key of a structured operation (a race, a forEach), whose branches are named below it. */
  scopeKey(fiber: Fiber.Fiber<any, any>, name: string): Effect.Effect<string> {
    const branch = fiber.getRef(CurrentBranch)
    if (branch === undefined || !this.open(branch)) return this.refuse()
    const named = Branch.take(branch, fiber, name, undefined)
    return named._tag === "Key" ? Effect.succeed(named.key) : Effect.die(Branch.repeated(name, branch.path))
  }

  /** The recorded value of an operation of this branch that has not been asked for yet. */
  peek(key: string): StepRecord | undefined {
    return this.history.byKey.get(key)
  }

  private open(branch: Branch.Branch): boolean {
    return this.running && (!this.bodyOver || branch.path.startsWith(compensationPath))
  }

  private refuse(): Effect.Effect<never> {
    return ++this.refusals > refusalLimit ? Effect.never : Effect.interrupt
  }

  private bodyRecordsRemain(): boolean {
    return !Replay.isUsedUp(this.history, this.cursor) && this.history.bySeq[this.cursor.next].kind !== "rollback"
  }

  /** The body no longer waits for it: interrupt it, and let nothing happen until its finalizers have run. */
  private abandon(call: Call): Effect.Effect<void> {
    if (!this.calls.has(call)) return Effect.void
    const fiber = call.fiber
    this.drop(call)
    if (!this.running) return Effect.void
    call.operation.onAbandoned?.()
    if (fiber === undefined) return Effect.void
    this.stalls++
    return Effect.ensuring(Fiber.interrupt(fiber), Effect.sync(() => this.unstall()))
  }

  private drop(call: Call): void {
    this.calls.delete(call)
    remove(this.held, call)
    remove(this.starting, call)
    const index = this.ready.findIndex((event) => event.call === call)
    if (index >= 0) this.ready.splice(index, 1)
    call.fiber?.interruptUnsafe()
  }

  // ---------------------------------------------------------------------------
  // starting
  // ---------------------------------------------------------------------------

  private prepare(call: Call): void {
    this.starting.push(call)
  }

  /**
   * The order of calls. An operation that was under way at a crash is called in the same order again, so it gets the same
   * id again, and with it the same idempotency key; unless something recorded has it.
   */
  private takeStepId(key: string, record: StepRecord | undefined): number {
    const ordinal = this.nextOrdinal++
    if (record !== undefined) return record.stepId
    const known = this.attemptsOf(key)[0]?.stepId
    if (known !== undefined) return known
    let stepId = ordinal
    if (this.stepIds.has(stepId)) {
      while (this.stepIds.has(this.freeStepId)) this.freeStepId++
      stepId = this.freeStepId
    }
    this.stepIds.add(stepId)
    return stepId
  }

  /**
   * Starts what was asked for, once everything delivered before is durable. Only when the body rests and no timer is
   * due: a timer that has passed may take the operation back, and then it must not have been started. `only`: those that
   * were over before that timer.
   */
  private startAll(only: ReadonlyArray<Call> | undefined): void {
    if (!this.mayStart) return
    if (only !== undefined) return this.startThese(only)
    for (const permit of this.permits) {
      this.permits.delete(permit)
      permit()
    }
    while (this.starting.length > 0) {
      if (this.durable < this.starting[0].askedAt) return
      this.launch(this.starting.shift()!)
    }
  }

  private startThese(calls: ReadonlyArray<Call>): void {
    for (const call of calls) {
      if (this.durable < call.askedAt || !this.starting.includes(call)) continue
      remove(this.starting, call)
      this.launch(call)
    }
  }

  /** Whether something wants to start and was not allowed to. */
  get waitsForLeave(): boolean {
    return this.starting.length > 0 || this.permits.size > 0
  }

  private get mayStart(): boolean {
    return this.running && !this.draining && this.host.mayStart()
  }

  /** See {@link Call.permission}. Without it for good the fiber is interrupted, with the run. */
  get permission(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.mayStart ? Effect.void : Effect.callback((resume) => {
        const permit = () => resume(Effect.void)
        this.permits.add(permit)
        return Effect.sync(() => this.permits.delete(permit))
      })
    )
  }

  private launch(call: Call): void {
    call.startedAt = Math.max(this.now, this.host.now())
    const fiber = Effect.runForkWith(this.host.outside(call.context))(call.operation.perform(call))
    call.fiber = fiber
    fiber.addObserver((exit) => {
      if (call.slotted !== undefined) return this.slotEnded(call, call.slotted, exit)
      if (!this.calls.has(call)) return
      if (Exit.isSuccess(exit)) this.completed(call, exit.value)
      // An operation that dies or is interrupted from nowhere is a defect of the engine: nothing more runs until it is mended.
      else if (this.running && !this.releasing) {
        this.host.refused(`operation "${call.operation.name}" ended without an outcome`)
      }
    })
  }

  private completed(call: Call, completed: Completed): void {
    call.fiber = undefined
    this.ready.push({ _tag: "Completed", call, completed })
    this.happened()
  }

  /** Its record is written: deliver it, whoever still wants it, before anything else. */
  private slotEnded(call: Call, record: StepRecord, exit: Exit.Exit<Completed>): void {
    if (!this.running) return
    call.fiber = undefined
    if (this.calls.has(call) && Exit.isSuccess(exit)) this.deliver(call, record, exit.value.exit)
    else this.now = Math.max(this.now, record.at)
    this.unstall()
  }

  slot(call: Call): Effect.Effect<Slot> {
    return Effect.callback((resume) => {
      this.ready.push({ _tag: "Slot", call, take: () => resume(Effect.succeed(this.makeSlot(call))) })
      this.happened()
      return Effect.sync(() => {
        const index = this.ready.findIndex((event) => event.call === call)
        if (index >= 0) this.ready.splice(index, 1)
      })
    })
  }

  private makeSlot(call: Call): Slot {
    const at = Math.max(this.now, this.host.now())
    const seq = this.lastSeq + 1
    return {
      record: (completed) => recordOf(call, completed, seq, at),
      write: (record, children, sends = []) =>
        Effect.callback((resume) => {
          this.submit({ records: [record], children, sends }, (answer) => resume(Effect.succeed(answer)))
        }),
      contest: (record) =>
        Effect.callback((resume) => this.submit({ records: [record], contested: true }, () => resume(Effect.void))),
      release: (written) => {
        if (written === undefined) return this.unstall()
        call.slotted = written
        this.lastSeq = this.durable = seq
      }
    }
  }

  recordAttempt(call: Call, attempt: FailedAttempt): Effect.Effect<void> {
    const record = { ...attempt, stepId: call.stepId, key: call.key, name: call.operation.name }
    const list = this.failedAttempts.get(call.key)
    if (list === undefined) this.failedAttempts.set(call.key, [record])
    else list.push(record)
    return Effect.callback((resume) => {
      this.submit({ attempts: [record] }, () => resume(Effect.void))
    })
  }

  // ---------------------------------------------------------------------------
  // time
  // ---------------------------------------------------------------------------

  /** An operation's wait between two attempts. */
  waitUntil(call: Call, due: number, what: string): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const silence = this.alarm(due, () => resume(Effect.void))
      call.wait({ until: due, awaiting: undefined, what })
      return Effect.sync(silence)
    }).pipe(Effect.andThen(Effect.sync(() => call.wait(undefined))))
  }

  /** See {@link Call.alarm}. */
  alarm(due: number, ring: () => void): () => void {
    const alarm = { due, ring }
    this.alarms.add(alarm)
    this.changed()
    return () => this.alarms.delete(alarm)
  }

  /** The body's sleep. */
  sleepUntil(due: number): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const branch = fiber.getRef(CurrentBranch)
      if (branch === undefined || !this.open(branch)) return this.refuse()
      if (isInTransaction(fiber.context)) return Effect.die(nested("a sleep"))
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
    this.resting = false
    if (this.graceTimer !== undefined) {
      clearTimeout(this.graceTimer)
      this.graceTimer = undefined
    }
    if (this.turn) return
    this.turn = true
    nextTurn(this.onTurn)
  }

  /** The host's word that time has passed or the lease is good again. */
  kick(): void {
    this.happened()
  }

  /**
   * Something happened outside the body: a body that rests already need not rest again first. While the next event is
   * being looked for (what an alarm sets going may be over at once) it is looked for again after that.
   */
  private happened(): void {
    if (this.resting && !this.pumping) this.pump()
    else this.changed()
  }

  private readonly onTurn = (): void => {
    this.turn = false
    if (!this.running) return
    if (this.scheduler.busy) {
      this.turn = true
      return nextTurn(this.onTurn)
    }
    this.resting = true
    this.restingSince = Date.now()
    this.pump()
  }

  /** One event, if one may come now. What it sets going at once may call this again: that comes after the next rest. */
  private pump(): void {
    if (!this.running || !this.resting || this.stalls > 0 || this.pumping) return
    this.pumping = true
    try {
      if (this.replaying) this.pumpHistory()
      else this.pumpLive()
    } finally {
      this.pumping = false
    }
  }

  private pumpHistory(): void {
    const timer = this.timers.earliest
    if (this.cutHere()) return this.cut()
    const next = Replay.next(this.history, this.cursor, timer?.due, this.options.liveAt)
    switch (next._tag) {
      case "Fire":
        return Replay.isUsedUp(this.history, this.cursor) && this.overdue(timer!.due).length > 0
          ? this.goLive()
          : this.fire()
      case "Live":
        return this.goLive()
      case "Deliver": {
        const call = this.callOf(next.record)
        return call === undefined ? this.skip(next.record) : this.deliverRecord(call, next.record)
      }
      case "Await":
        return this.awaitAsking(next)
    }
  }

  /** In phase `compensate` the body gets its recorded outcomes and no more. */
  private cutHere(): boolean {
    return this.options.phase === "compensate" && !this.bodyOver && !this.bodyRecordsRemain()
  }

  private cut(): void {
    this.endBody()
    this.host.bodyCut()
    this.changed()
  }

  private awaitAsking(next: Replay.Next & { readonly _tag: "Await" }): void {
    const giveUp = () => next.before === "Fire" ? this.fire() : this.verdict(next.record)
    if (this.onlyWaits()) return giveUp()
    this.graceTimer ??= setTimeout(() => {
      this.graceTimer = undefined
      if (this.running && this.replaying && this.resting && this.stalls === 0) giveUp()
    }, this.options.replayGraceMs)
  }

  private verdict(record: StepRecord): void {
    if (Replay.isPassedOver(record)) {
      Replay.passOver(this.cursor, record)
      return this.skip(record)
    }
    const other = Replay.outOfOrder(this.history, this.cursor)
    const call = other === undefined ? undefined : this.callOf(other)
    if (other !== undefined && call !== undefined) return this.deliverRecord(call, other)
    const timer = this.timers.earliest
    const actual = this.held.length > 0
      ? `${this.held[0].operation.kind} "${this.held[0].operation.name}"`
      : timer !== undefined
      ? `a sleep until ${new Date(timer.due).toISOString()}`
      : "nothing"
    this.diverge(
      describe(record),
      actual,
      `the body rested ${Date.now() - this.restingSince} ms without asking for a recorded operation`
    )
  }

  private callOf(record: StepRecord): Call | undefined {
    for (const call of this.calls) if (call.record === record) return call
    return undefined
  }

  /** Its asker is gone (interrupted by plain work): the outcome counts as delivered. */
  private skip(record: StepRecord): void {
    this.now = Math.max(this.now, record.at)
    Replay.delivered(this.history, this.cursor, record)
    this.changed()
  }

  private deliverRecord(call: Call, record: StepRecord): void {
    let exit: Exit.Exit<any, any>
    try {
      exit = call.operation.replay(record)
    } catch (error) {
      return this.diverge(describe(record), "a schema that cannot read it", String(error))
    }
    Replay.delivered(this.history, this.cursor, record)
    this.deliver(call, record, exit)
  }

  private goLive(): void {
    this.replaying = false
    const held = this.held
    this.held = []
    for (const call of held) this.prepare(call)
    this.pumpLive()
  }

  private pumpLive(): void {
    const now = this.host.now()
    const timer = this.timers.earliest
    const passed = timer !== undefined && timer.due <= now
    const first = passed ? this.overdue(timer.due) : undefined
    if (first?.length === 0) return this.fire()
    this.startAll(first)
    const event = this.takeEvent(first)
    if (event === undefined) return this.host.wakeAt(this.ring(now, passed ? undefined : timer?.due))
    if (event._tag === "Slot") {
      if (this.durable < this.lastSeq) {
        // Records are gapless: what was delivered before is durable first.
        this.ready.unshift(event)
        return
      }
      this.stalls++
      return event.take()
    }
    const { call, completed } = event
    const at = Math.max(this.now, Math.min(now, call.operation.due ?? now))
    const record = recordOf(call, completed, this.lastSeq + 1, at)
    this.lastSeq = record.seq
    this.unsaved.push({ record, along: completed.along })
    this.deliver(call, record, completed.exit)
  }

  /** Operations that were over by themselves before this time, and whose outcome has yet to be found out. */
  private overdue(time: number): ReadonlyArray<Call> {
    return [...this.calls].filter(({ operation }) => operation.due !== undefined && operation.due < time)
  }

  /** The next event; of these calls, where nothing else may come before them. */
  private takeEvent(of: ReadonlyArray<Call> | undefined): Event | undefined {
    if (of === undefined) return this.ready.shift()
    const index = this.ready.findIndex((event) => of.includes(event.call))
    return index < 0 ? undefined : this.ready.splice(index, 1)[0]
  }

  /** Ends the waits between attempts that are over. Returns when to look again. */
  private ring(now: number, timer: number | undefined): number | undefined {
    let next = timer
    for (const alarm of this.alarms) {
      if (alarm.due <= now) {
        this.alarms.delete(alarm)
        alarm.ring()
      } else if (next === undefined || alarm.due < next) next = alarm.due
    }
    return next
  }

  private fire(): void {
    const timer = this.timers.takeEarliest()!
    this.now = Math.max(this.now, timer.due)
    this.changed()
    this.scheduler.within(timer.due, () => timer.resume(Effect.void))
  }

  private deliver(call: Call, record: StepRecord, exit: Exit.Exit<any, any>): void {
    this.calls.delete(call)
    this.now = Math.max(this.now, record.at)
    call.operation.onDelivered?.(record, exit)
    this.changed()
    this.scheduler.within(record.at, () => call.resume(exit))
    // The body has run as far as it could at once. If it ended, its outcome took these records along.
    this.save()
  }

  // ---------------------------------------------------------------------------
  // writing
  // ---------------------------------------------------------------------------

  private save(): void {
    if (!this.running || this.unsaved.length === 0) return
    this.submit({}, () => {})
  }

  private submit(write: Write, answered: (answer: Answer) => void): void {
    // The store may not know yet that it is over, and would take it.
    if (!this.running) return answered({ _tag: "Fenced" })
    const unsaved = this.unsaved
    const upTo = this.lastSeq
    this.unsaved = []
    this.host.submit(advanceOf(this.workflowId, this.epoch, unsaved, write), (answer) => {
      // Whoever waits for the answer is told, so that finalizers which wait for it end.
      if (!this.running) return answered(answer)
      if (answer._tag === "Rejected" && saysMore(write)) this.unsaved = [...unsaved, ...this.unsaved]
      if (wasRefused(answer)) {
        // What went along with it goes again.
        this.unsaved = [...unsaved, ...this.unsaved]
        answered(answer)
        return this.save()
      }
      if (answer._tag === "Rejected" && write.contested === true) return answered(answer)
      if (!this.accepted(answer)) return
      this.durable = Math.max(this.durable, upTo)
      answered(answer)
      this.happened()
    })
  }

  /** See {@link Call.writeAlong}. */
  writeAlong(along: Along): Effect.Effect<void> {
    return Effect.callback((resume) => this.submit({ along }, () => resume(Effect.void)))
  }

  private accepted(answer: Answer): boolean {
    if (answer._tag === "Recorded") return true
    if (answer._tag === "Fenced") this.stop({ _tag: "Fenced" })
    else if (answer._tag === "Rejected") this.host.refused(answer.detail)
    return false
  }

  /** Writes the outcome together with what is not written yet. */
  settle(status: "SUCCESS" | "ERROR" | "CANCELLED", output: string | null): void {
    this.stalls++
    this.submit({ end: { _tag: "Settle", status, output } }, () => this.stop({ _tag: "Done" }))
  }

  /** Whether a step runs, or something is on its way to the store. */
  get working(): boolean {
    if (this.unsaved.length > 0 || this.durable < this.lastSeq || this.ready.length > 0) return true
    let busy = -this.permits.size
    for (const call of this.calls) if (call.fiber !== undefined && call.waiting === undefined) busy++
    return busy > 0
  }

  /** Gives the workflow back at once. What still runs is interrupted first: it may hold what the write needs. */
  release(): void {
    if (!this.running || this.releasing) return
    this.releasing = true
    this.stalls++
    // Not before what runs has ended, finalizers included: the next owner would run beside it.
    const fibers = [...this.calls].flatMap((call) => call.fiber ?? [])
    const write = () => {
      clearTimeout(patience)
      if (left >= 0) this.submit({ end: { _tag: "Release" } }, () => this.stop({ _tag: "Released" }))
      left = -1
    }
    let left = fibers.length
    const patience = setTimeout(write, releasePatienceMs)
    for (const fiber of fibers) {
      fiber.addObserver(() => {
        if (--left === 0) write()
      })
      fiber.interruptUnsafe()
    }
    if (fibers.length === 0) write()
  }

  /** Starts nothing more; what runs may end and be recorded. */
  drain(): void {
    this.draining = true
  }

  /** Code and history do not fit: nothing runs until a deploy or an operator mends it. */
  block(expected: string, actual: string, detail: string): void {
    this.diverge(expected, actual, detail)
  }

  private diverge(expected: string, actual: string, detail: string): void {
    if (!this.running) return
    this.stalls++
    const blocked = { _tag: "Blocked", expected, actual, detail } as const
    this.submit({ end: { _tag: "Block", reason: JSON.stringify(blocked) } }, () => this.stop(blocked))
  }

  // ---------------------------------------------------------------------------
  // suspension
  // ---------------------------------------------------------------------------

  /** Marks the fiber as waiting for branches that it forked, for as long as `effect` runs. */
  joining<A, E, R>(fiber: Fiber.Fiber<any, any>, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
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

  /**
   * Whether every fiber of the body is known to wait for something durable: no plain asynchronous work is going on.
   * `loosely`: a fiber that has forked others to await them, and has some left, is taken to await them.
   */
  private onlyWaits(loosely = false): boolean {
    const waiting = new Set<Fiber.Fiber<unknown, unknown>>()
    for (const call of this.calls) waiting.add(call.caller)
    for (const timer of this.timers) waiting.add(timer.fiber)
    for (const fiber of this.scheduler.alive()) {
      if (waiting.has(fiber) || this.parents.has(fiber) || (loosely && this.scheduler.awaits(fiber))) continue
      return false
    }
    return true
  }

  /**
   * What the workflow waits for, if it does nothing but wait: when the first of it is due, and which workflows it
   * awaits. `undefined` when something runs, or might.
   */
  idle():
    | { readonly until: number | null; readonly awaiting: ReadonlyArray<Await>; readonly waits: string }
    | undefined
  {
    if (!this.running || this.replaying || !this.resting || this.stalls > 0) return undefined
    if (this.bodyOver && !this.compensating) return undefined
    if (this.ready.length > 0 || this.starting.length > 0 || this.permits.size > 0) return undefined
    if (this.durable < this.lastSeq) return undefined
    let until = Infinity
    const awaiting: Array<Await> = []
    const waits: Array<{ readonly what: string; readonly until: number | null }> = []
    for (const call of this.calls) {
      if (call.waiting === undefined) return undefined
      if (call.waiting.awaiting !== undefined) awaiting.push(call.waiting.awaiting)
      if (call.waiting.until !== undefined) until = Math.min(until, call.waiting.until)
      waits.push({ what: call.waiting.what, until: call.waiting.until ?? null })
    }
    for (const timer of this.timers) {
      until = Math.min(until, timer.due)
      waits.push({ what: "sleep", until: Number.isFinite(timer.due) ? timer.due : null })
    }
    if (waits.length === 0 || !this.onlyWaits(true)) return undefined
    return {
      until: Number.isFinite(until) ? until : null,
      awaiting,
      waits: JSON.stringify(waits.slice(0, 100))
    }
  }

  /** Takes the workflow out of memory, if it still only waits. `stirred`: it must look again. */
  suspend(inbox: number, stirred: (inbox: number) => void): void {
    const idle = this.idle()
    if (idle === undefined) return
    this.stalls++
    const end: End = {
      _tag: "Suspend",
      inbox,
      wakeAt: idle.until,
      awaiting: idle.awaiting,
      waits: idle.waits
    }
    this.submit({ end }, (answer) => {
      if (answer._tag !== "Stirred") return this.stop({ _tag: "Suspended" })
      this.unstall()
      stirred(answer.inbox)
    })
  }

  private unstall(): void {
    this.stalls--
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
    if (this.graceTimer !== undefined) clearTimeout(this.graceTimer)
    const calls = [...this.calls]
    this.calls.clear()
    this.ready.length = 0
    for (const call of calls) call.fiber?.interruptUnsafe()
    // Waits end even in an uninterruptible region: there an interruption would not reach them.
    for (const call of calls) call.resume(Effect.interrupt)
    for (const timer of this.timers.clear()) timer.resume(Effect.interrupt)
    for (const fiber of this.scheduler.alive()) fiber.interruptUnsafe()
    this.root?.interruptUnsafe()
    this.state = "stopped"
    this.host.stopped(why)
  }

  get isCompensating(): boolean {
    return this.compensating
  }
}

const describe = (record: StepRecord): string => `${record.kind} "${record.name}" (step ${record.stepId})`

const remove = <A>(items: Array<A>, item: A): void => {
  const index = items.indexOf(item)
  if (index >= 0) items.splice(index, 1)
}
