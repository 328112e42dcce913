/** The writes of one run, in order: each takes along what was delivered to the body and is not written yet. */
import * as Effect from "effect/Effect"
import type { Answer, StepRecord } from "../Store.ts"
import type { RunHost, Stopped } from "./runHost.ts"
import { advanceOf, type Along, saysMore, type Unsaved, wasRefused, type Write } from "./unsaved.ts"

/** The run that writes. */
export interface Writer {
  readonly workflowId: string
  readonly epoch: number
  readonly running: boolean
  /** The highest completion number. */
  readonly received: number
  readonly happened: () => void
  readonly stop: (why: Stopped) => void
}

export class Writes {
  /** Up to which completion number everything is durable. */
  durable: number
  private unsaved: Array<Unsaved> = []
  private readonly run: Writer
  private readonly host: Pick<RunHost, "submit" | "refused">

  constructor(run: Writer, host: Pick<RunHost, "submit" | "refused">, durable: number) {
    this.run = run
    this.host = host
    this.durable = durable
  }

  /** Whether something that was delivered is not durable yet. */
  get behind(): boolean {
    return this.durable < this.run.received
  }

  /** Everything up to this completion number is durable. */
  wrote(seq: number): void {
    this.durable = Math.max(this.durable, seq)
  }

  /** Is written with the next write. */
  add(record: StepRecord, along: Along | undefined): void {
    this.unsaved.push({ record, along })
  }

  save(): void {
    if (!this.run.running || this.unsaved.length === 0) return
    this.submit({}, () => {})
  }

  /** Calls back once everything that was delivered is durable. */
  whenDurable(then: () => void): void {
    if (this.unsaved.length === 0 && !this.behind) return then()
    this.submit({}, then)
  }

  submit(write: Write, answered: (answer: Answer) => void): void {
    // The store may not know yet that it is over, and would take it.
    if (!this.run.running) return answered({ _tag: "Fenced" })
    const contested = write.contested === true
    // It may be refused, and then what went along would come after whatever is written meanwhile.
    if (contested) this.save()
    const unsaved = this.unsaved
    const upTo = this.run.received
    this.unsaved = []
    this.host.submit(advanceOf(this.run.workflowId, this.run.epoch, unsaved, write), (answer) => {
      if (answer._tag === "Fenced") this.run.stop({ _tag: "Fenced" })
      // Whoever waits for the answer is told, so that finalizers which wait for it end.
      if (!this.run.running) return answered(answer)
      if (wasRefused(answer)) {
        // What went along with it goes again.
        this.unsaved = [...unsaved, ...this.unsaved]
        answered(answer)
        return this.save()
      }
      if (answer._tag === "Rejected") {
        if (saysMore(write)) this.unsaved = [...unsaved, ...this.unsaved]
        return contested ? answered(answer) : this.host.refused(answer.detail)
      }
      this.wrote(upTo)
      answered(answer)
      this.run.happened()
    }, contested)
  }

  /** The answer, when there is one: it is durable, or refused, or the run is over. */
  written(write: () => Write): Effect.Effect<Answer> {
    return Effect.callback((resume) => this.submit(write(), (answer) => resume(Effect.succeed(answer))))
  }
}
