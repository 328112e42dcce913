/**
 * A store in memory: what the contract says of starts, claims, advances, messages, events, waits, cancels, resumes, renewals,
 * losses and deletions, as plainly as it can be said. It shares nothing with the stores that are held to it.
 *
 * Times are a counter that only its clock moves; a lease ends only where the test lets it.
 */
import type { WorkflowStatus } from "perdure/WorkflowStatus"

export const executors = 2
export const ids = ["a", "b", "c", "d"] as const
export type Id = (typeof ids)[number]

/** How often an executor may be lost without a new record between. */
export const maxLosses = 2
/** How far a sleep goes, which the clock passes in one move. */
export const sleepMs = 60_000

export type Ending =
  | { readonly _tag: "None" | "Succeed" | "Fail" | "Block" | "Release" }
  | {
    readonly _tag: "Suspend"
    readonly sleeps: boolean
    readonly awaits: { readonly id: Id; readonly on: "end" | "event" } | null
    /** Says that it has seen everything that came in; else one message less. */
    readonly seen: boolean
  }

export type Action =
  | { readonly _tag: "Start"; readonly id: Id; readonly payload: 1 | 2; readonly owner: number | null }
  | { readonly _tag: "Claim"; readonly by: number }
  | {
    readonly _tag: "Advance"
    readonly id: Id
    /** With the epoch before the present one. */
    readonly late: boolean
    readonly records: number
    readonly rollback: boolean
    readonly event: number | null
    readonly consumes: boolean
    readonly end: Ending
  }
  | { readonly _tag: "Deliver"; readonly id: Id; readonly message: number; readonly payload: 1 | 2 }
  | { readonly _tag: "Cancel" | "Resume" | "Delete"; readonly id: Id }
  | { readonly _tag: "Renew"; readonly id: Id; readonly late: boolean; readonly payload: 1 | 2 }
  | { readonly _tag: "Lapse" | "Leave" | "Beat"; readonly by: number }
  | { readonly _tag: "Clock" }

/** What everybody can see of a workflow. */
export interface View {
  readonly status: WorkflowStatus
  readonly phase: "run" | "compensate" | "done"
  readonly payload: number
  readonly continuations: number
  readonly losses: number
  readonly executor: number | null
  readonly due: "now" | "later" | "no"
  readonly unread: ReadonlyArray<string>
  readonly event: number | null
  readonly steps: ReadonlyArray<number>
}

interface Workflow {
  status: WorkflowStatus
  phase: View["phase"]
  readonly first: number
  payload: number
  continuations: number
  firstStep: number
  nextStep: number
  steps: Array<number>
  losses: number
  executor: number | null
  owner: number | null
  /** Nobody owns it, since: */
  rest: "due" | "suspended" | "blocked" | null
  wakeAt: number | null
  awaits: { readonly id: Id; readonly on: "end" | "event" } | null
  rollback: boolean
  /** Somebody has had it for its rollbacks. */
  undoing: boolean
  /** Was cancelled while owned: its rollbacks wait until that executor knows. */
  heldBy: number | null
  inbox: number
  messages: Map<number, { readonly payload: number; read: boolean }>
  event: number | null
}

export class Model {
  readonly workflows = new Map<Id, Workflow>()
  private now = 0

  view(id: Id): View | null {
    const w = this.workflows.get(id)
    if (w === undefined) return null
    const due = w.owner !== null || w.phase === "done" || w.rest === "blocked" || w.wakeAt === null
      ? "no"
      : w.wakeAt <= this.now && w.heldBy === null
      ? "now"
      : "later"
    return {
      status: w.status,
      phase: w.phase,
      payload: w.payload,
      continuations: w.continuations,
      losses: w.losses,
      executor: w.executor,
      due,
      unread: [...w.messages].filter(([, message]) => !message.read).map(([message]) => `m${message}`),
      event: w.event,
      steps: w.steps
    }
  }

  does(action: Action): unknown {
    switch (action._tag) {
      case "Start":
        return this.start(action)
      case "Claim":
        return this.claim(action.by)
      case "Advance":
        return this.advance(action)
      case "Deliver":
        return this.deliver(action)
      case "Cancel":
        return this.cancel(action.id)
      case "Resume":
        return this.resume(action.id)
      case "Delete":
        return this.remove(action.id)
      case "Renew":
        return this.renew(action)
      case "Lapse":
        return this.lose(action.by)
      case "Leave":
        return this.leave(action.by)
      case "Beat":
        return this.knows(action.by)
      case "Clock":
        return void (this.now += sleepMs + 1)
    }
  }

  private start({ id, owner, payload }: Extract<Action, { _tag: "Start" }>) {
    const before = this.workflows.get(id)
    if (before !== undefined) return before.first === payload ? "same" : "other"
    this.workflows.set(id, {
      status: owner === null ? "ENQUEUED" : "PENDING",
      phase: "run",
      first: payload,
      payload,
      continuations: 0,
      firstStep: 0,
      nextStep: 0,
      steps: [],
      losses: 0,
      executor: owner,
      owner,
      rest: owner === null ? "due" : null,
      wakeAt: owner === null ? this.now : null,
      awaits: null,
      rollback: false,
      undoing: false,
      heldBy: null,
      inbox: 0,
      messages: new Map(),
      event: null
    })
    return "started"
  }

  private claim(by: number) {
    const taken: Array<Id> = []
    for (const id of ids) {
      if (this.view(id)?.due !== "now") continue
      const w = this.workflows.get(id)!
      Object.assign(w, { owner: by, executor: by, rest: null, wakeAt: null, awaits: null })
      w.undoing = w.phase === "compensate"
      if (w.phase === "run") w.status = "PENDING"
      taken.push(id)
    }
    return taken
  }

  private advance({ consumes, end, event, id, late, records, rollback }: Extract<Action, { _tag: "Advance" }>) {
    const w = this.workflows.get(id)!
    if (w.owner === null || late) return "fenced"
    if (end._tag === "Suspend") {
      if (!end.seen && w.inbox > 0) return "stirred"
      if (end.awaits !== null && this.isOver(end.awaits)) return "stirred"
    }
    for (let i = 0; i < records; i++) w.steps.push(w.nextStep++)
    if (records > 0) {
      w.losses = 0
      w.rollback ||= rollback
      if (event !== null) this.set(id, w, event)
      const next = [...w.messages.values()].find((message) => !message.read)
      if (consumes && next !== undefined) next.read = true
    }
    switch (end._tag) {
      case "None":
        break
      case "Succeed":
      case "Fail":
        this.finish(id, w, w.phase === "compensate" ? "CANCELLED" : end._tag === "Succeed" ? "SUCCESS" : "ERROR")
        break
      case "Suspend":
        Object.assign(w, { owner: null, rest: "suspended", awaits: end.awaits })
        w.wakeAt = end.sleeps ? this.now + sleepMs : null
        break
      case "Block":
        if (w.phase === "run") w.status = "BLOCKED"
        Object.assign(w, { owner: null, rest: "blocked", wakeAt: null })
        break
      case "Release":
        Object.assign(w, { owner: null, rest: "due", wakeAt: this.now })
    }
    return "recorded"
  }

  private isOver({ id, on }: { readonly id: Id; readonly on: "end" | "event" }): boolean {
    const w = this.workflows.get(id)
    return w === undefined || w.phase === "done" || (on === "event" && w.event !== null)
  }

  private set(id: Id, w: Workflow, value: number): void {
    w.event = value
    this.tell((awaits) => awaits.id === id && awaits.on === "event")
  }

  private tell(which: (awaits: { readonly id: Id; readonly on: "end" | "event" }) => boolean): void {
    for (const w of this.workflows.values()) {
      if (w.rest === "suspended" && w.awaits !== null && which(w.awaits)) {
        Object.assign(w, { wakeAt: this.now, awaits: null })
      }
    }
  }

  private finish(id: Id, w: Workflow, status: WorkflowStatus): void {
    Object.assign(w, { status, phase: "done", owner: null, rest: null, wakeAt: null, awaits: null, heldBy: null })
    this.tell((awaits) => awaits.id === id)
  }

  private deliver({ id, message, payload }: Extract<Action, { _tag: "Deliver" }>) {
    const w = this.workflows.get(id)
    if (w === undefined) return "unknown"
    const before = w.messages.get(message)
    if (before !== undefined) return before.payload === payload ? "delivered" : "conflict"
    if (w.phase !== "run") return "ended"
    w.inbox++
    w.messages.set(message, { payload, read: false })
    if (w.rest === "suspended") w.wakeAt = this.now
    return "delivered"
  }

  private cancel(id: Id) {
    const w = this.workflows.get(id)
    if (w === undefined) return "unknown"
    if (w.phase !== "run") return "done"
    if (!w.rollback) {
      this.finish(id, w, "CANCELLED")
      return "cancelled"
    }
    Object.assign(w, { status: "CANCELLED", phase: "compensate", heldBy: w.owner, owner: null, rest: "due" })
    Object.assign(w, { wakeAt: this.now, awaits: null, undoing: false })
    return "cancelled"
  }

  private resume(id: Id) {
    const w = this.workflows.get(id)
    if (w === undefined) return "unknown"
    if (w.rest === "blocked") {
      if (w.phase === "run") w.status = "PENDING"
      Object.assign(w, { rest: "due", wakeAt: this.now, losses: 0 })
      return "resumed"
    }
    if ((w.status !== "CANCELLED" && w.status !== "DEAD_LETTER") || (w.phase !== "done" && w.undoing)) return "refused"
    Object.assign(w, { status: "PENDING", phase: "run", rest: "due", wakeAt: this.now, losses: 0, heldBy: null })
    return "resumed"
  }

  private remove(id: Id) {
    const w = this.workflows.get(id)
    if (w === undefined) return "unknown"
    if (w.phase !== "done") return "running"
    this.workflows.delete(id)
    return "deleted"
  }

  private renew({ id, late, payload }: Extract<Action, { _tag: "Renew" }>) {
    const w = this.workflows.get(id)!
    if (w.owner === null || late) return "fenced"
    Object.assign(w, { owner: null, rest: "due", wakeAt: this.now, payload, steps: [], losses: 0, rollback: false })
    w.continuations++
    w.firstStep = w.nextStep
    return "renewed"
  }

  private lose(by: number) {
    this.knows(by)
    let lost = 0
    for (const [id, w] of this.workflows) {
      if (w.owner !== by) continue
      lost++
      w.losses++
      if (w.phase === "run" && w.losses > maxLosses) this.finish(id, w, "DEAD_LETTER")
      else Object.assign(w, { owner: null, rest: "due", wakeAt: this.now })
    }
    return lost
  }

  private leave(by: number): void {
    this.knows(by)
    for (const w of this.workflows.values()) {
      if (w.owner === by) Object.assign(w, { owner: null, rest: "due", wakeAt: this.now })
    }
  }

  /** It is told what it has lost, and has ended that. */
  private knows(by: number): void {
    for (const w of this.workflows.values()) if (w.heldBy === by) w.heldBy = null
  }
}
