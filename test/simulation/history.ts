/** What happened in a simulation, in order, and what of it must not have. */
import type { Advance, Claimed, Heartbeat, Outcome, StoreService } from "perdure/Store"
import { precedes } from "../property/programs/program.ts"
import type { Begun } from "../property/programs/run.ts"
import type { Plan } from "./plan.ts"
import { patienceMs } from "./settings.ts"

/** Of the queue. */
export type Limits = Pick<Plan, "concurrency" | "executorConcurrency">

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
  /** Of the lease under which it owns that epoch. */
  incarnation: string | undefined
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
  /** Of its rollback. */
  readonly undoes?: boolean
}

export class History {
  readonly begun: Array<Begun> = []
  private readonly rollbacks: Array<{ readonly workflowId: string; readonly of: string; readonly path: string }> = []
  readonly wrong: Array<string> = []
  /** Of workflows in the queue: who took them, and whether they are in memory there. */
  private readonly placed = new Map<string, { readonly incarnation: string; inMemory: boolean }>()
  /** Of incarnations, as the store has it. */
  private readonly leased = new Map<string, number>()
  private readonly limits: Limits
  private readonly counts: Map<string, number>
  private readonly known = new Map<string, Map<string, Known>>()
  private readonly leases = new Map<string, number>()
  /** Which step has this number in this ownership. */
  private readonly paths = new Map<string, string>()
  private readonly recorded = new Set<string>()
  /** Of each workflow the bodies that run. */
  private readonly running = new Map<string, Set<{ readonly caller: string; readonly epoch: number }>>()
  private readonly gone = new Set<string>()
  /** Cancelled or out of time, and not resumed since. */
  private readonly cancelled = new Set<string>()
  private readonly everCut = new Set<string>()
  private readonly everResumed = new Set<string>()
  private readonly written = new Set<string>()
  private readonly ends = new Map<string, Outcome>()
  private readonly lives = new Map<string, number>()

  /** `counts`: of all simulations. */
  constructor(counts: Map<string, number>, limits: Limits = { concurrency: null, executorConcurrency: null }) {
    this.counts = counts
    this.limits = limits
  }

  happened(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  // ---------------------------------------------------------------------------
  // what the store has done
  // ---------------------------------------------------------------------------

  made({ args, method }: Call, answer: unknown): void {
    switch (method) {
      case "write": {
        const answers = answer as Answered<"write">
        for (const [index, operation] of (args as Args<"write">)[0].entries()) {
          if (operation._tag === "Advance" && answers[index]?._tag === "Recorded") this.advanced(operation)
        }
        return
      }
      case "renew": {
        // Between two lives it has its place, and nobody has it in memory.
        const place = this.placed.get((args as Args<"renew">)[0].workflowId)
        if (answer === "renewed" && place !== undefined) place.inMemory = false
        return
      }
      case "join": {
        const [{ incarnation }, leaseMs] = args as Args<"join">
        this.leased.set(incarnation, Date.now() + leaseMs)
        return
      }
      case "leave":
        for (const [id, { inMemory, incarnation }] of this.placed) {
          if (inMemory && incarnation === args[0]) this.placed.delete(id)
        }
        return
      case "claim":
        return this.placedBy((args as Args<"claim">)[0].incarnation, (answer as Answered<"claim">).claimed)
      case "heartbeat":
        if ((answer as Heartbeat).alive) this.leased.set(...leaseOf(args as Args<"heartbeat">))
        return
      case "cancel":
        for (const one of answer as Answered<"cancel">) {
          if (one.result === "cancelled") this.isCut(one.workflowId, "a workflow cancelled")
        }
        return
      case "sweep":
        for (const id of (answer as Answered<"sweep">).expired) this.isCut(id, "a workflow out of time")
        return
      case "resume":
        for (const one of answer as Answered<"resume">) {
          if (one.result !== "resumed") continue
          this.happened("a workflow resumed")
          this.cancelled.delete(one.workflowId)
          this.everResumed.add(one.workflowId)
        }
    }
  }

  private placedBy(incarnation: string, claimed: ReadonlyArray<Claimed>): void {
    // What is cancelled has left its queue, and only its rollbacks run.
    const queued = claimed.filter(({ row }) => row.queue !== null && row.phase === "run")
    for (const { row } of queued) this.placed.set(row.workflowId, { incarnation, inMemory: true })
    if (queued.length === 0) return
    this.happened("a claim of a queue")
    // Whose lease is over may have been swept away.
    const placed = [...this.placed].filter(([, { inMemory, incarnation }]) =>
      !inMemory || Date.now() < (this.leased.get(incarnation) ?? 0)
    )
    const here = placed.filter(([, one]) => one.inMemory && one.incarnation === incarnation)
    if (placed.length > (this.limits.concurrency ?? Infinity)) {
      this.wrong.push(`${placed.map(([id]) => id).join(", ")} have places in the queue`)
    }
    if (here.length > (this.limits.executorConcurrency ?? Infinity)) {
      this.wrong.push(`${here.map(([id]) => id).join(", ")} of the queue are in one executor`)
    }
  }

  private advanced({ end, epoch, records, workflowId }: Advance): void {
    const place = this.placed.get(workflowId)
    if (end?._tag === "Suspend" && place !== undefined) place.inMemory = false
    else if (end !== null) this.placed.delete(workflowId)
    for (const { kind, name, stepId } of records) {
      const key = `${workflowId} ${epoch} ${stepId}`
      const path = this.paths.get(key)
      if (path !== undefined) this.recorded.add(path)
      if (kind === "rollback") this.happened("a rollback")
      else if (this.cancelled.has(workflowId) && !this.written.has(key)) {
        this.wrong.push(`${kind} ${name} of "${workflowId}" was recorded after it was cancelled`)
      }
      this.written.add(key)
    }
  }

  private isCut(workflowId: string, what: string): void {
    this.happened(what)
    this.placed.delete(workflowId)
    this.cancelled.add(workflowId)
    this.everCut.add(workflowId)
  }

  /** Whether it, or one that it may have waited for, was cancelled or out of time. */
  mayBeCut(workflowId: string): boolean {
    return [...this.everCut].some((id) =>
      id === workflowId || id.startsWith(`${workflowId}/`) ||
      id.startsWith(`${workflowId}.`)
    )
  }

  /** The process does nothing more, whatever its lease says. */
  dies(caller: string): void {
    this.gone.add(caller)
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
        // What it ran under a lease that it has lost.
        for (const bodies of this.running.values()) {
          for (const body of bodies) if (body.caller === caller) bodies.delete(body)
        }
        return
      case "heartbeat": {
        const { alive, revoked } = answer as Heartbeat
        if (alive) this.leases.set(caller, at + (args as Args<"heartbeat">)[1])
        if (!heard) return
        for (const { epoch, workflowId } of revoked) this.over(caller, workflowId, epoch)
        if (alive) return
        this.happened("a lease lost")
        // Of a former lease it may hear after it has joined anew.
        for (const [workflowId, { epoch, incarnation }] of this.knownBy(caller)) {
          if (incarnation === args[0]) this.over(caller, workflowId, epoch)
        }
        return
      }
      case "outcomes":
        for (const outcome of (answer as Answered<"outcomes">).done) this.ended(outcome)
        return
      case "claim":
        for (const claimed of (answer as Answered<"claim">).claimed) {
          this.claimed(caller, (args as Args<"claim">)[0].incarnation, claimed)
        }
        return
      case "write": {
        const answers = answer as Answered<"write">
        for (const [index, operation] of (args as Args<"write">)[0].entries()) {
          const { _tag } = answers[index]!
          if (operation._tag === "Start" && operation.owner !== null && _tag === "Started") {
            this.owns(caller, operation.workflowId, operation.epoch, operation.owner)
          }
          if (operation._tag !== "Advance") continue
          if (_tag === "Fenced" && heard) {
            this.happened("a write fenced")
            this.over(caller, operation.workflowId, operation.epoch)
          }
          if (_tag !== "Recorded") continue
          for (const child of operation.children) {
            if (child.owner !== null) this.owns(caller, child.workflowId, child.epoch, child.owner)
          }
        }
      }
    }
  }

  /** As anybody is told it. */
  private ended(outcome: Outcome): void {
    const { output, status, workflowId } = outcome
    const before = this.ends.get(workflowId)
    this.ends.set(workflowId, outcome)
    if (before === undefined || (before.status === status && before.output === output)) return
    if (before.status === "CANCELLED" && this.everResumed.has(workflowId)) return
    this.wrong.push(
      `"${workflowId}" ended as ${status} ${output}, after it had ended as ${before.status} ${before.output}`
    )
  }

  private claimed(caller: string, incarnation: string, { records, row }: Claimed): void {
    this.owns(caller, row.workflowId, row.epoch, incarnation)
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
    const one = known.get(workflowId) ?? { epoch: -1, incarnation: undefined, over: -1, overSince: 0 }
    known.set(workflowId, one)
    return one
  }

  private owns(caller: string, workflowId: string, epoch: number, incarnation: string): void {
    const known = this.of(caller, workflowId)
    if (epoch <= known.epoch) return
    known.epoch = epoch
    known.incarnation = incarnation
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

  /** What is called when the body has ended, whatever its end. */
  began({ caller, path: of, stepId, undoes = false, workflowId }: Beginning): () => void {
    const path = undoes ? `rollback of ${of}` : of
    const now = Date.now()
    const { epoch, over, overSince } = this.of(caller, workflowId)
    const wrong = (what: string) => this.wrong.push(`${path} of "${workflowId}" began in ${caller} ${what}`)
    // In the moment in which it is told it may not have listened yet.
    if (epoch < 0) wrong("which does not own it")
    else if (over >= epoch && overSince < now) wrong(`which knew since ${now - overSince} ms that it had lost it`)
    if (this.recorded.has(path)) wrong("although it is recorded")
    // The rollbacks of a child are its own affair.
    const before = undoes
      ? this.rollbacks.find((other) =>
        other.workflowId === workflowId && precedes(of, other.of) && !this.recorded.has(other.path)
      )
      : this.begun.find((other) => precedes(other.path, path) && !this.recorded.has(other.path))
    if (before !== undefined) wrong(`although ${before.path} before it is not recorded`)
    if (undoes && this.begun.some((other) => other.path === of) && !this.recorded.has(of)) {
      wrong("of what is not recorded")
    }
    const running = this.running.get(workflowId) ?? new Set()
    const beside = [...running].find((one) => one.epoch !== epoch && this.isAlive(one.caller))
    if (beside !== undefined) wrong(`beside something of it in ${beside.caller}`)
    if (now >= (this.leases.get(caller) ?? 0)) wrong("after its lease")
    this.paths.set(`${workflowId} ${epoch} ${stepId}`, path)
    const life = `${caller} ${workflowId} ${epoch}`
    if (!this.lives.has(life)) this.lives.set(life, this.lives.size)
    if (undoes) this.rollbacks.push({ workflowId, of, path })
    else this.begun.push({ life: this.lives.get(life)!, path })
    const body = { caller, epoch }
    this.running.set(workflowId, running.add(body))
    return () => void running.delete(body)
  }

  private isAlive(caller: string): boolean {
    return !this.gone.has(caller) && Date.now() < (this.leases.get(caller) ?? 0)
  }

  /** A body goes on after a sleep that was to last until then. */
  woke(path: string, due: number): void {
    if (Date.now() < due) this.wrong.push(`${path} woke ${due - Date.now()} ms early`)
  }
}

const leaseOf = ([incarnation, leaseMs]: Args<"heartbeat">): [string, number] => [incarnation, Date.now() + leaseMs]

// What the contract says of a method, by whose name it is looked up.
type Args<K extends keyof StoreService> = StoreService[K] extends (...args: infer A) => unknown ? A : never
type Answered<K extends "write" | "claim" | "cancel" | "sweep" | "resume" | "outcomes"> =
  ReturnType<StoreService[K]> extends Effect<infer A> ? A : never
type Effect<A> = import("effect/Effect").Effect<A, any, any>
