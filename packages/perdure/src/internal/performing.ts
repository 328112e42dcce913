/** The operations of a run that are under way, and the outcomes that wait for their turn to be delivered. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { StepRecord } from "../Store.ts"
import { type Call, type Completed, recordOf, type Slot } from "./operation.ts"
import type { RunHost } from "./runHost.ts"
import type { Writes } from "./writes.ts"

/** What comes to the body when its turn has come. */
export type Event =
  | { readonly _tag: "Completed"; readonly call: Call; readonly completed: Completed }
  /** Its write and its outcome are one: it has its turn before it is over. */
  | { readonly _tag: "Slot"; readonly call: Call; readonly take: () => void }

/** The run whose operations they are. */
export interface Performer {
  readonly running: boolean
  readonly leaving: boolean
  readonly calls: ReadonlySet<Call>
  readonly received: number
  readonly clock: () => number
  readonly happened: () => void
  readonly deliver: (call: Call, record: StepRecord, exit: Exit.Exit<any, any>) => void
  readonly pass: (record: StepRecord) => void
  /** A slot has written the outcome with this completion number. */
  readonly numbered: (seq: number) => void
  readonly unstall: () => void
}

export class Performing {
  private readonly ready: Array<Event> = []
  private readonly run: Performer
  private readonly writes: Writes
  private readonly host: RunHost

  constructor(run: Performer, writes: Writes, host: RunHost) {
    this.run = run
    this.writes = writes
    this.host = host
  }

  /** Whether an outcome waits for its turn. */
  get waiting(): boolean {
    return this.ready.length > 0
  }

  /** The next event; of these calls, where nothing else may come before them. */
  take(of: ReadonlyArray<Call> | undefined): Event | undefined {
    if (of === undefined) return this.ready.shift()
    const index = this.ready.findIndex((event) => of.includes(event.call))
    return index < 0 ? undefined : this.ready.splice(index, 1)[0]
  }

  /** Its turn has not come yet. */
  putBack(event: Event): void {
    this.ready.unshift(event)
  }

  drop(call: Call): void {
    const index = this.ready.findIndex((event) => event.call === call)
    if (index >= 0) this.ready.splice(index, 1)
  }

  clear(): void {
    this.ready.length = 0
  }

  launch(call: Call): void {
    call.startedAt = this.run.clock()
    const fiber = Effect.runForkWith(this.host.outside(call.context))(call.operation.perform(call))
    call.fiber = fiber
    fiber.addObserver((exit) => {
      if (call.slotted !== undefined) return this.slotEnded(call, call.slotted, exit)
      if (!this.run.calls.has(call)) return
      if (Exit.isSuccess(exit)) this.completed(call, exit.value)
      // An operation that dies or is interrupted from nowhere is a defect of the engine: nothing more runs until it is mended.
      else if (!this.run.leaving) this.host.refused(`operation "${call.operation.name}" ended without an outcome`)
    })
  }

  private completed(call: Call, completed: Completed): void {
    call.fiber = undefined
    this.ready.push({ _tag: "Completed", call, completed })
    this.run.happened()
  }

  /** Its record is written: deliver it, whoever still wants it, before anything else. */
  private slotEnded(call: Call, record: StepRecord, exit: Exit.Exit<Completed>): void {
    if (!this.run.running) return
    call.fiber = undefined
    if (this.run.calls.has(call) && Exit.isSuccess(exit)) this.run.deliver(call, record, exit.value.exit)
    else this.run.pass(record)
    this.run.unstall()
  }

  /** Waits for the call's turn. */
  slot(call: Call): Effect.Effect<Slot> {
    return Effect.callback((resume) => {
      this.ready.push({ _tag: "Slot", call, take: () => resume(Effect.succeed(this.makeSlot(call))) })
      this.run.happened()
      return Effect.sync(() => this.drop(call))
    })
  }

  private makeSlot(call: Call): Slot {
    const at = this.run.clock()
    const seq = this.run.received + 1
    return {
      record: (completed) => recordOf(call, completed, seq, at),
      write: (record, children, sends = []) => this.writes.written({ records: [record], children, sends }),
      contest: (record) => this.writes.written({ records: [record], contested: true }),
      release: (written) => {
        if (written === undefined) return this.run.unstall()
        call.slotted = written
        this.run.numbered(seq)
      }
    }
  }
}
