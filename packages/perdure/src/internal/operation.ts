/** Durable operations as the run sees them: what is asked for, how it is answered, what it may do while it runs. */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Advance, Answer, AttemptRecord, Await, RecordKind, Send, Start, StepRecord } from "../Store.ts"
import type { WorkflowError } from "../WorkflowError.ts"
import type { Along } from "./unsaved.ts"

/** An outcome, encoded for the record and as the body gets it. */
export interface Completed {
  readonly outcome: "success" | "failure"
  readonly value: string
  readonly exit: Exit.Exit<any, any>
  readonly attempts: number
  readonly childId?: string
  /** What is written together with the record. */
  readonly along?: Along
}

/** A durable operation, as its module describes it. */
export interface Operation {
  readonly kind: RecordKind
  /** What users see. */
  readonly name: string
  /** Identity in its branch: the explicit key, else the name. */
  readonly identity: string
  readonly renamed?: string | undefined
  readonly rollback?: boolean
  /** The body's answer out of a record. Throws when the running code cannot read it. */
  readonly replay: (record: StepRecord) => Exit.Exit<any, any>
  /** Runs it. An interruption means that nobody wants the outcome any more. */
  readonly perform: (call: Call) => Effect.Effect<Completed>
  /**
   * When it is over by itself, workflow time: an outcome counts as of then at the latest, and timers that are due later
   * wait for it. It must come soon after that time has passed.
   */
  readonly due?: number | undefined
  /** How whoever asks is told that it may not be asked for here. Default: as a failure. */
  readonly refused?: (error: WorkflowError) => Effect.Effect<never, any>
  /** What a replay answers without a record where the history goes on after it (a patch). */
  readonly passed?: Exit.Exit<any, any>
  /** Called when the outcome reaches the body, live and on replay. */
  readonly onDelivered?: (record: StepRecord, exit: Exit.Exit<any, any>) => void
  /** Called when the body interrupts the wait for it, in a run that goes on. */
  readonly onAbandoned?: () => void
  /** Called besides with what is written of it all the same, by an earlier owner or by a write that was on its way. */
  readonly onUnclaimed?: (record: StepRecord) => void
}

/** The turn of an operation whose write and outcome are one: nothing else is delivered until it is released. */
export interface Slot {
  readonly record: (completed: Completed) => StepRecord
  /** Written: the outcome is delivered next, with this record. Not written (never in a shared turn): the number is free. */
  readonly release: (written: StepRecord | undefined) => void
  /** Writes the record, these children and messages. */
  readonly write: (
    record: StepRecord,
    children: ReadonlyArray<Start>,
    sends?: ReadonlyArray<Send>
  ) => Effect.Effect<Answer>
  /** Writes the record, unless there is another one by the time: which of the two it is has to be looked up. */
  readonly contest: (record: StepRecord) => Effect.Effect<void>
}

/** What an operation that waits is waiting for. */
export interface Waiting {
  readonly until: number | undefined
  readonly awaiting: Await | undefined
  readonly what: string
  /** It may come at any time, from elsewhere. */
  readonly mayCome: boolean
}

/** The run that an operation was asked of. */
export interface CallOwner {
  readonly epoch: number
  readonly startedAt: number
  readonly attemptsOf: (stepId: number) => ReadonlyArray<AttemptRecord>
  readonly changed: () => void
  readonly recordAttempt: (call: Call, attempt: FailedAttempt) => Effect.Effect<void>
  readonly slot: (call: Call, shared: boolean) => Effect.Effect<Slot>
  readonly waitUntil: (call: Call, due: number, what: string) => Effect.Effect<void>
  readonly alarm: (due: number, ring: () => void) => () => void
  readonly writeAlong: (along: () => Along) => Effect.Effect<void>
  readonly send: (sends: ReadonlyArray<Send>) => Effect.Effect<Answer>
  readonly permission: Effect.Effect<void>
}

/** What an operation knows of an attempt that failed. */
export type FailedAttempt = Omit<AttemptRecord, "stepId" | "key" | "name">

/** One asked operation. */
export class Call {
  stepId = -1
  startedAt = 0
  /** Outcomes received when it was asked. */
  askedAt = 0
  /** An earlier owner may have begun it. */
  again = false
  /** What is written of it and not delivered yet: by an earlier owner, or by itself. */
  record: StepRecord | undefined
  fiber: Fiber.Fiber<Completed> | undefined
  waiting: Waiting | undefined
  /** Its outcome is written: who is told when all that belongs to it is done. */
  slotted: ((exit: Exit.Exit<Completed>) => void) | undefined
  private readonly run: CallOwner
  readonly operation: Operation
  readonly key: string
  /** The key that it had, if it was renamed. */
  readonly formerKey: string | undefined
  readonly caller: Fiber.Fiber<unknown, unknown>
  readonly context: Context.Context<never>
  readonly resume: (effect: Effect.Effect<any, any>) => void
  readonly compensation: boolean
  constructor(
    run: CallOwner,
    operation: Operation,
    { formerKey, key }: { readonly key: string; readonly formerKey: string | undefined },
    caller: Fiber.Fiber<unknown, unknown>,
    compensation: boolean,
    resume: (effect: Effect.Effect<any, any>) => void
  ) {
    this.run = run
    this.operation = operation
    this.key = key
    this.formerKey = formerKey
    this.caller = caller
    this.context = caller.context
    this.compensation = compensation
    this.resume = resume
  }

  /** Of the ownership under which it runs. */
  get epoch(): number {
    return this.run.epoch
  }
  /** When this life of the workflow began. Apart from its id, that tells it from an earlier workflow that had the id. */
  get lifeAt(): number {
    return this.run.startedAt
  }
  /** Failed attempts of it that are recorded. */
  get attempts(): ReadonlyArray<AttemptRecord> {
    return this.run.attemptsOf(this.stepId)
  }
  /** Says that the operation only waits, so that the workflow may be suspended; `undefined`: it works again. */
  wait(waiting: Waiting | undefined): void {
    this.waiting = waiting
    this.run.changed()
  }
  /** Waits on the database's clock. The workflow may be suspended meanwhile: then this is interrupted, and asked again. */
  waitUntil(due: number, what: string): Effect.Effect<void> {
    return this.run.waitUntil(this, due, what)
  }
  /** Calls `ring` once the database's clock has reached this time. Returns how to take that back. */
  alarm(due: number, ring: () => void): () => void {
    return this.run.alarm(due, ring)
  }
  /**
   * Writes without a record, fenced: what a step writes while it runs. Returns when it is durable. `along` is called as it is
   * submitted, so what it counts is in the order of the writes.
   */
  writeAlong(along: () => Along): Effect.Effect<void> {
    return this.run.writeAlong(along)
  }
  /** Sends without a record, fenced. Succeeds with the answer: that they are sent, or refused. */
  send(sends: ReadonlyArray<Send>): Effect.Effect<Answer> {
    return this.run.send(sends)
  }
  /** Waits until another attempt may start: not while the lease may be over, nor in a run that is being given back. */
  get permission(): Effect.Effect<void> {
    return this.run.permission
  }
  recordAttempt(attempt: FailedAttempt): Effect.Effect<void> {
    return this.run.recordAttempt(this, attempt)
  }
  /** Waits for this operation's turn. */
  get slot(): Effect.Effect<Slot> {
    return this.run.slot(this, false)
  }
  /** The same, with others that write nothing but children and messages: see {@link Turn}. It writes at once. */
  get sharedSlot(): Effect.Effect<Slot> {
    return this.run.slot(this, true)
  }
}

/** What undoes a recorded step, with the services that were in place where the step was called. */
export interface Rollback {
  readonly record: StepRecord
  readonly effect: Effect.Effect<unknown, unknown>
  readonly context: Context.Context<never>
}

/** The write of an owner that writes nothing yet. */
export const nothingOf = (workflowId: string, epoch: number): Advance => ({
  _tag: "Advance",
  workflowId,
  epoch,
  records: [],
  attempts: [],
  children: [],
  sends: [],
  consumes: [],
  events: [],
  entries: [],
  supersedes: [],
  end: null
})

/** The record of an outcome that is delivered as number `seq` at the time `at`. */
export const recordOf = (call: Call, completed: Completed, seq: number, at: number): StepRecord => ({
  stepId: call.stepId,
  seq,
  asked: call.askedAt,
  key: call.key,
  name: call.operation.name,
  kind: call.operation.kind,
  outcome: completed.outcome,
  value: completed.value,
  attempts: completed.attempts,
  startedAt: Math.min(call.startedAt, at),
  at,
  childId: completed.childId ?? null,
  rollback: call.operation.rollback === true
})
