/**
 * The part of a run that lies before its records end: what is asked for is answered out of the history, in its order, and
 * what has no record is held until the history is used up. `replay.ts` decides; this carries it out.
 */
import type * as Exit from "effect/Exit"
import type { StepRecord } from "../Store.ts"
import type { Call } from "./operation.ts"
import * as Replay from "./replay.ts"
import type { RunOptions } from "./runHost.ts"
import type { Timers } from "./timers.ts"
import type { Turns } from "./turns.ts"

/** The run that is replayed. */
export interface Replayed {
  readonly running: boolean
  readonly bodyOver: boolean
  readonly calls: ReadonlySet<Call>
  readonly timers: Timers
  readonly turns: Turns
  readonly onlyWaits: () => boolean
  readonly overdue: (time: number) => ReadonlyArray<Call>
  readonly deliver: (call: Call, record: StepRecord, exit: Exit.Exit<any, any>) => void
  /** The outcome counts as delivered, and nobody gets it. */
  readonly pass: (record: StepRecord) => void
  readonly fire: () => void
  /** In phase `compensate`: the recorded part is over. */
  readonly cut: () => void
  /** History is used up: these are to be run. */
  readonly goLive: (held: ReadonlyArray<Call>) => void
  readonly block: (expected: string, actual: string, detail: string) => void
}

/**
 * Whether an earlier owner may have had this life of the workflow. Two times that differ say so, whichever is later: the
 * database's clock may have been set back.
 */
export const hadOwner = (
  { liveAt, phase, records, startedAt }: Pick<RunOptions, "liveAt" | "phase" | "records" | "startedAt">
): boolean => records.length > 0 || phase === "compensate" || liveAt !== startedAt

export class Replaying {
  active: boolean
  private readonly hadOwner: boolean
  private held: Array<Call> = []
  private graceTimer: ReturnType<typeof setTimeout> | undefined
  private readonly history: Replay.History
  private readonly cursor = Replay.start()
  private readonly run: Replayed
  private readonly options: RunOptions

  constructor(run: Replayed, options: RunOptions) {
    this.run = run
    this.options = options
    this.history = Replay.makeHistory(options.records)
    this.hadOwner = hadOwner(options)
    this.active = this.hadOwner
  }

  /** How many outcomes the body has received of it. */
  get received(): number {
    return this.cursor.received
  }

  /**
   * Whether an earlier owner may have begun what is asked for after so many outcomes: it had none that are not recorded, since
   * nothing begins before they are. How long the body rested before it asks says nothing: plain work takes its time.
   */
  mayHaveBegun(asked: number): boolean {
    return this.hadOwner && asked <= (this.history.bySeq.at(-1)?.seq ?? 0)
  }

  ask(asked: Replay.Asked): Replay.Decision {
    return Replay.ask(this.history, this.cursor, asked)
  }

  /** The record of an operation that has not been asked for yet. */
  peek(key: string): StepRecord | undefined {
    return this.history.byKey.get(key)
  }

  /** Not to be run before the history is used up. */
  hold(call: Call): void {
    this.held.push(call)
  }

  drop(call: Call): void {
    const index = this.held.indexOf(call)
    if (index >= 0) this.held.splice(index, 1)
  }

  /** Whether the history shows that the body went on after this point of the branch. */
  goesOn(path: string): boolean {
    return Replay.goesOn(this.history, this.cursor, path)
  }

  /** A record that a body which has ended should have received. */
  get missed(): StepRecord | undefined {
    return Replay.missed(this.history, this.cursor)
  }

  /** The record of a rollback: the body has failed before, and what it has done is being undone. */
  get undone(): StepRecord | undefined {
    return this.isOfCancelled ? undefined : this.history.bySeq.find(({ kind }) => kind === "rollback")
  }

  /** Only what was recorded is replayed, for its rollbacks. */
  get isOfCancelled(): boolean {
    return this.options.phase === "compensate"
  }

  /** The body goes on, or is over: what was waited for is to be seen anew. */
  stopWaiting(): void {
    if (this.graceTimer === undefined) return
    clearTimeout(this.graceTimer)
    this.graceTimer = undefined
  }

  /** The next event. */
  pump(): void {
    const timer = this.run.timers.earliest
    if (this.cutHere()) return this.run.cut()
    const next = Replay.next(this.history, this.cursor, timer?.due, this.options.liveAt)
    switch (next._tag) {
      case "Fire":
        return Replay.isUsedUp(this.history, this.cursor) && this.run.overdue(timer!.due).length > 0
          ? this.goLive()
          : this.run.fire()
      case "Live":
        return this.goLive()
      case "Deliver": {
        const call = this.callOf(next.record)
        return call === undefined ? this.skip(next.record) : this.deliver(call, next.record)
      }
      case "Await":
        return this.awaitAsking(next)
    }
  }

  /** In phase `compensate` the body gets its recorded outcomes and no more. */
  private cutHere(): boolean {
    return this.isOfCancelled && !this.run.bodyOver && !this.bodyRecordsRemain()
  }

  private bodyRecordsRemain(): boolean {
    return !Replay.isUsedUp(this.history, this.cursor) && this.history.bySeq[this.cursor.next].kind !== "rollback"
  }

  private goLive(): void {
    this.active = false
    const held = this.held
    this.held = []
    this.run.goLive(held)
  }

  private awaitAsking(next: Replay.Next & { readonly _tag: "Await" }): void {
    const giveUp = () => next.before === "Fire" ? this.run.fire() : this.verdict(next.record)
    if (this.run.onlyWaits()) return giveUp()
    const left = this.options.replayGraceMs - this.run.turns.restedMs
    if (left <= 0) return giveUp()
    // A day at most at a time: timers of the platform end at 24.8 days.
    this.graceTimer ??= setTimeout(() => {
      this.graceTimer = undefined
      if (this.run.running && this.active && this.run.turns.still) this.awaitAsking(next)
    }, Math.min(left, 86_400_000))
  }

  private verdict(record: StepRecord): void {
    if (Replay.isPassedOver(record)) {
      Replay.passOver(this.cursor, record)
      return this.skip(record)
    }
    const other = Replay.outOfOrder(this.history, this.cursor)
    const call = other === undefined ? undefined : this.callOf(other)
    if (other !== undefined && call !== undefined) return this.deliver(call, other)
    const timer = this.run.timers.earliest
    const actual = this.held.length > 0
      ? `${this.held[0].operation.kind} "${this.held[0].operation.name}"`
      : timer !== undefined
      ? timer.due === Infinity ? "a sleep without end" : `a sleep until ${new Date(timer.due).toISOString()}`
      : "nothing"
    this.run.block(
      describe(record),
      actual,
      `the body rested ${Math.round(this.run.turns.restedMs)} ms without asking for a recorded operation`
    )
  }

  private callOf(record: StepRecord): Call | undefined {
    for (const call of this.run.calls) if (call.record === record) return call
    return undefined
  }

  /** Its asker is gone (interrupted by plain work): the outcome counts as delivered. */
  private skip(record: StepRecord): void {
    Replay.delivered(this.history, this.cursor, record)
    this.run.pass(record)
  }

  private deliver(call: Call, record: StepRecord): void {
    let exit: Exit.Exit<any, any>
    try {
      exit = call.operation.replay(record)
    } catch (error) {
      return this.run.block(describe(record), "a schema that cannot read it", String(error))
    }
    Replay.delivered(this.history, this.cursor, record)
    this.run.deliver(call, record, exit)
  }
}

export const describe = (record: StepRecord): string => `${record.kind} "${record.name}" (step ${record.stepId})`
