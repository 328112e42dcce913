/** What happened in a simulation, in order, and what of it must not have. */
import type { Claimed, Heartbeat, StoreService } from "perdure/Store"
import { precedes } from "../property/programs/program.ts"
import type { Begun } from "../property/programs/run.ts"
import { patienceMs } from "./settings.ts"

/** A call to the store. */
export interface Call {
  readonly caller: string
  readonly method: string
  readonly args: ReadonlyArray<unknown>
  /** When it was made. */
  readonly at: number
}

/** What a process was told of a workflow. */
interface Known {
  epoch: number
  /** The highest epoch that is over, and since when that is known. */
  over: number
  overSince: number
}

/** A step's body, as it begins. */
export interface Beginning {
  readonly caller: string
  readonly path: string
  readonly workflowId: string
  readonly stepId: number
}

export class History {
  readonly begun: Array<Begun> = []
  readonly wrong: Array<string> = []
  private readonly counts: Map<string, number>
  private readonly known = new Map<string, Map<string, Known>>()
  private readonly leases = new Map<string, number>()
  /** Which step has this number in this ownership. */
  private readonly paths = new Map<string, string>()
  private readonly recorded = new Set<string>()
  private readonly lives = new Map<string, number>()

  /** `counts`: of all simulations. */
  constructor(counts: Map<string, number>) {
    this.counts = counts
  }

  happened(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  // ---------------------------------------------------------------------------
  // what the store has done
  // ---------------------------------------------------------------------------

  made({ args, method }: Call, answer: unknown): void {
    if (method !== "write") return
    const answers = answer as Answered<"write">
    for (const [index, operation] of (args as Args<"write">)[0].entries()) {
      if (operation._tag !== "Advance" || answers[index]?._tag !== "Recorded") continue
      for (const { stepId } of operation.records) {
        const path = this.paths.get(`${operation.workflowId} ${operation.epoch} ${stepId}`)
        if (path !== undefined) this.recorded.add(path)
      }
    }
  }

  // ---------------------------------------------------------------------------
  // what processes were told
  // ---------------------------------------------------------------------------

  told(call: Call, answer: unknown): void {
    const { args, at, caller, method } = call
    // Whoever asked has given up, and hears it no more.
    const heard = Date.now() - at < patienceMs(method)
    switch (method) {
      case "join":
        this.leases.set(caller, at + (args as Args<"join">)[1])
        return
      case "heartbeat": {
        const { alive, revoked } = answer as Heartbeat
        if (alive) this.leases.set(caller, at + (args as Args<"heartbeat">)[1])
        if (!heard) return
        for (const { epoch, workflowId } of revoked) this.over(caller, workflowId, epoch)
        if (alive) return
        this.happened("a lease lost")
        for (const [workflowId, { epoch }] of this.knownBy(caller)) this.over(caller, workflowId, epoch)
        return
      }
      case "claim":
        for (const claimed of (answer as Answered<"claim">).claimed) this.claimed(caller, claimed)
        return
      case "write": {
        const answers = answer as Answered<"write">
        for (const [index, operation] of (args as Args<"write">)[0].entries()) {
          const { _tag } = answers[index]!
          if (operation._tag === "Start" && operation.owner !== null && _tag === "Started") {
            this.owns(caller, operation.workflowId, operation.epoch)
          }
          if (operation._tag !== "Advance") continue
          if (_tag === "Fenced" && heard) {
            this.happened("a write fenced")
            this.over(caller, operation.workflowId, operation.epoch)
          }
          if (_tag !== "Recorded") continue
          for (const child of operation.children) {
            if (child.owner !== null) this.owns(caller, child.workflowId, child.epoch)
          }
        }
      }
    }
  }

  private claimed(caller: string, { records, row }: Claimed): void {
    this.owns(caller, row.workflowId, row.epoch)
    if (row.recoveryAttempts > 0) this.happened("a workflow taken over")
    if (records.length > 0) this.happened("a replay")
  }

  private knownBy(caller: string): Map<string, Known> {
    const known = this.known.get(caller) ?? new Map<string, Known>()
    this.known.set(caller, known)
    return known
  }

  private of(caller: string, workflowId: string): Known {
    const known = this.knownBy(caller)
    const one = known.get(workflowId) ?? { epoch: -1, over: -1, overSince: 0 }
    known.set(workflowId, one)
    return one
  }

  private owns(caller: string, workflowId: string, epoch: number): void {
    const known = this.of(caller, workflowId)
    known.epoch = Math.max(known.epoch, epoch)
  }

  private over(caller: string, workflowId: string, epoch: number): void {
    const known = this.of(caller, workflowId)
    if (epoch <= known.over) return
    known.over = epoch
    known.overSince = Date.now()
  }

  // ---------------------------------------------------------------------------
  // what must not happen
  // ---------------------------------------------------------------------------

  began({ caller, path, stepId, workflowId }: Beginning): void {
    const now = Date.now()
    const { epoch, over, overSince } = this.of(caller, workflowId)
    const wrong = (what: string) => this.wrong.push(`${path} of "${workflowId}" began in ${caller} ${what}`)
    // In the moment in which it is told it may not have listened yet.
    if (epoch < 0) wrong("which does not own it")
    else if (over >= epoch && overSince < now) wrong(`which knew since ${now - overSince} ms that it had lost it`)
    if (this.recorded.has(path)) wrong("although it is recorded")
    const before = this.begun.find((other) => precedes(other.path, path) && !this.recorded.has(other.path))
    if (before !== undefined) wrong(`although ${before.path} before it is not recorded`)
    if (now >= (this.leases.get(caller) ?? 0)) wrong("after its lease")
    this.paths.set(`${workflowId} ${epoch} ${stepId}`, path)
    const life = `${caller} ${workflowId} ${epoch}`
    if (!this.lives.has(life)) this.lives.set(life, this.lives.size)
    this.begun.push({ life: this.lives.get(life)!, path })
  }
}

// What the contract says of a method, by whose name it is looked up.
type Args<K extends keyof StoreService> = StoreService[K] extends (...args: infer A) => unknown ? A : never
type Answered<K extends "write" | "claim"> = ReturnType<StoreService[K]> extends Effect<infer A> ? A : never
type Effect<A> = import("effect/Effect").Effect<A, any, any>
