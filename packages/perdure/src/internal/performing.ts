/** The operations of a run that are under way, and the outcomes that wait for their turn to be delivered. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { StepRecord } from "../Store.ts"
import type { Call, Completed, Slot } from "./operation.ts"
import type { RunHost } from "./runHost.ts"
import { Turn, type Written } from "./slots.ts"
import type { Writes } from "./writes.ts"

/** What comes to the body when its turn has come. */
export type Event =
  | { readonly _tag: "Completed"; readonly call: Call; readonly completed: Completed }
  /** Its write and its outcome are one: it has its turn before it is over. */
  | { readonly _tag: "Slot"; readonly call: Call; readonly shared: boolean; readonly take: (slot: Slot) => void }

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
  readonly stall: () => void
  readonly unstall: () => void
}

export class Performing {
  /** What runs, finalizers included, also of what nobody waits for any more. */
  readonly fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  private readonly ready: Array<Event> = []
  private readonly written: Array<Written> = []
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
    return this.ready.length > 0 || this.written.length > 0
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
    this.written.length = 0
  }

  launch(call: Call): void {
    call.startedAt = this.run.clock()
    const fiber = Effect.runForkWith(this.host.outside(call.context))(call.operation.perform(call))
    call.fiber = fiber
    this.fibers.add(fiber)
    fiber.addObserver((exit) => {
      this.fibers.delete(fiber)
      if (call.slotted !== undefined) return call.slotted(exit)
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

  /** Waits for the call's turn. */
  slot(call: Call, shared: boolean): Effect.Effect<Slot> {
    return Effect.callback((resume) => {
      this.ready.push({ _tag: "Slot", call, shared, take: (slot) => resume(Effect.succeed(slot)) })
      this.run.happened()
      return Effect.sync(() => this.drop(call))
    })
  }

  /** The turn of this one, and of those after it that share it, at this time. Nothing is delivered until it is over. */
  begin(event: Event & { readonly _tag: "Slot" }, at: number): void {
    const taken = [event]
    for (let next = this.ready[0]; event.shared && next?._tag === "Slot" && next.shared; next = this.ready[0]) {
      this.ready.shift()
      taken.push(next)
    }
    this.run.stall()
    const calls = taken.map(({ call }) => call)
    const turn = new Turn(calls, this.run.received, at, this.writes, (written) => {
      if (!this.run.running) return
      this.written.push(...written)
      this.run.unstall()
    })
    for (const [index, { take }] of taken.entries()) take(turn.slotOf(index))
  }

  /** When the outcome that comes before everything else was reached; `undefined`: there is none. */
  get writtenAt(): number | undefined {
    return this.written[0]?.record.at
  }

  /** Delivers it, whoever still wants it. */
  deliverWritten(): void {
    const { call, exit, record } = this.written.shift()!
    call.fiber = undefined
    if (this.run.calls.has(call) && Exit.isSuccess(exit)) this.run.deliver(call, record, exit.value.exit)
    else this.run.pass(record)
  }
}
