/**
 * A store in memory: what the contract says of starts, claims, advances, children, messages, events, streams, waits, cancels,
 * resumes, renewals, losses, deletions, and a queue with deduplication ids, as plainly as it can be said. It shares nothing
 * with the stores that are held to it.
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

/** `stream`: its second entry. */
export interface Awaited {
  readonly id: Id
  readonly on: "end" | "event" | "stream"
}

export type Ending =
  | { readonly _tag: "None" | "Succeed" | "Fail" | "Block" | "Release" }
  | {
    readonly _tag: "Suspend"
    readonly sleeps: boolean
    readonly awaits: Awaited | null
    /** Says that it has seen everything that came in; else one message less. */
    readonly seen: boolean
  }

/** Where one that nobody runs at once waits: at large, or in the queue, with a priority (0: none). */
export type Place =
  | { readonly _tag: "Large" }
  | { readonly _tag: "Queue"; readonly priority: number; readonly deduplicationId: string | null }

export interface Child {
  readonly id: Id
  readonly payload: 1 | 2
  /** Null: run by the parent's owner. */
  readonly place: Place | null
  readonly detached: boolean
}

export type Action =
  | {
    readonly _tag: "Start"
    readonly id: Id
    readonly payload: 1 | 2
    readonly owner: number | null
    readonly place: Place
  }
  | { readonly _tag: "Claim"; readonly by: number }
  | {
    readonly _tag: "Advance"
    readonly id: Id
    /** By one that owns it no more: with its last epoch, or the one before the present one. */
    readonly late: boolean
    readonly records: number
    /** Started by what it records. */
    readonly child: Child | null
    readonly rollback: boolean
    readonly event: number | null
    /** Something more in its stream. */
    readonly entry: boolean
    readonly consumes: boolean
    readonly end: Ending
  }
  | { readonly _tag: "Deliver"; readonly id: Id; readonly message: number; readonly payload: 1 | 2 }
  | { readonly _tag: "Cancel" | "Resume" | "Delete"; readonly id: Id }
  | { readonly _tag: "Renew"; readonly id: Id; readonly late: boolean; readonly payload: 1 | 2 }
  /** `Hear`: is told what it has lost, and does not say that it has ended. */
  | { readonly _tag: "Lapse" | "Leave" | "Beat" | "Hear"; readonly by: number }
  | { readonly _tag: "Clock" }
  | { readonly _tag: "Limit"; readonly concurrency: number | null }
  | { readonly _tag: "Pause"; readonly paused: boolean }
  | { readonly _tag: "Priority"; readonly id: Id; readonly priority: number }

/** What everybody can see of the queue. */
export interface QueueView {
  readonly concurrency: number | null
  readonly paused: boolean
  readonly waiting: number
  readonly running: number
}

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
  /** The steps that wrote its stream. */
  readonly stream: ReadonlyArray<number>
  readonly ended: boolean
  readonly steps: ReadonlyArray<number>
  readonly parent: Id | null
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
  awaits: Awaited | null
  rollback: boolean
  /** Somebody has had it for its rollbacks. */
  undoing: boolean
  /** Was cancelled while owned: its rollbacks wait until that executor knows. */
  heldBy: number | null
  inbox: number
  messages: Map<number, { readonly payload: number; read: boolean }>
  event: number | null
  readonly stream: Array<number>
  readonly parent: Id | null
  readonly detached: boolean
  /** Of one that was enqueued. */
  priority: number | null
  readonly deduplicationId: string | null
  /** In the queue: when it came, and whether it was let in. */
  place: { readonly came: number; readonly in: boolean } | null
}

type Asked = Omit<Extract<Action, { _tag: "Start" }>, "_tag">

/** As a start of its own. `owner`: its parent's. */
const asked = (child: Child, owner: number | null): Asked => ({
  ...child,
  place: child.place ?? { _tag: "Large" },
  owner: child.place === null ? owner : null
})

const isLast = (status: WorkflowStatus): boolean =>
  status === "SUCCESS" || status === "ERROR" || status === "CANCELLED" || status === "DEAD_LETTER"

export class Model {
  readonly workflows = new Map<Id, Workflow>()
  /** Of each id the executors from which it was taken by a cancel, and which do not know. */
  private readonly mayRunIn = new Map<Id, Set<number>>()
  private now = 0
  private concurrency: number | null = 1
  private paused = false
  private places = 0

  get queue(): QueueView {
    const places = [...this.workflows.values()].flatMap(({ place }) => place ?? [])
    const running = places.filter((place) => place.in).length
    return { concurrency: this.concurrency, paused: this.paused, waiting: places.length - running, running }
  }

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
      stream: w.stream,
      ended: w.phase === "done",
      steps: w.steps,
      parent: w.parent
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
      case "Hear":
        return
      case "Clock":
        return void (this.now += sleepMs + 1)
      case "Limit":
        return void (this.concurrency = action.concurrency)
      case "Pause":
        return void (this.paused = action.paused)
      case "Priority":
        return this.prioritize(action)
    }
  }

  refuses(child: Child): boolean {
    const found = this.found(asked(child, null))
    return found !== null && found !== "same"
  }

  /** What keeps it from being started; null: nothing. */
  private found({ id, owner, payload, place }: Asked): "same" | "other" | `duplicate of ${Id}` | null {
    const before = this.workflows.get(id)
    if (before !== undefined) return before.first === payload ? "same" : "other"
    const holder = owner === null && place._tag === "Queue" ? this.holderOf(place.deduplicationId) : null
    return holder === null ? null : `duplicate of ${holder}`
  }

  private start(
    start: Asked,
    of: { readonly parent: Id | null; readonly detached: boolean } = { parent: null, detached: false }
  ) {
    const found = this.found(start)
    if (found !== null) return found
    const { id, owner, payload, place } = start
    const queued = owner === null && place._tag === "Queue"
    this.workflows.set(id, {
      ...of,
      priority: queued ? place.priority : null,
      deduplicationId: queued ? place.deduplicationId : null,
      place: queued ? { came: ++this.places, in: false } : null,
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
      wakeAt: owner === null && !queued ? this.now : null,
      awaits: null,
      rollback: false,
      undoing: false,
      heldBy: null,
      inbox: 0,
      messages: new Map(),
      event: null,
      stream: []
    })
    return "started"
  }

  /** Who keeps others with this deduplication id from being started: as long as its status is none of the last ones. */
  private holderOf(deduplicationId: string | null): Id | null {
    if (deduplicationId === null) return null
    const found = [...this.workflows].find(([, w]) => w.deduplicationId === deduplicationId && !isLast(w.status))
    return found?.[0] ?? null
  }

  private claim(by: number) {
    const taken: Array<Id> = []
    for (const id of [...ids.filter((id) => this.view(id)?.due === "now"), ...this.admitted()]) {
      const w = this.workflows.get(id)!
      if (w.place !== null) w.place = { ...w.place, in: true }
      Object.assign(w, { owner: by, executor: by, rest: null, wakeAt: null, awaits: null })
      w.undoing = w.phase === "compensate"
      if (w.phase === "run") w.status = "PENDING"
      taken.push(id)
    }
    return taken.sort()
  }

  /** By priority, those without one last; then first come, first served. */
  private admitted(): ReadonlyArray<Id> {
    const room = this.paused ? 0 : (this.concurrency ?? Infinity) - this.queue.running
    return [...this.workflows].flatMap(([id, { place, priority }]) =>
      place === null || place.in ? [] : [{ id, came: place.came, priority: priority! }]
    ).sort((a, b) => b.priority - a.priority || a.came - b.came)
      .slice(0, Math.max(0, room))
      .map(({ id }) => id)
  }

  private prioritize({ id, priority }: Extract<Action, { _tag: "Priority" }>) {
    const w = this.workflows.get(id)
    if (w === undefined) return "unknown"
    if (w.place === null || w.place.in) return "started"
    w.priority = priority
    return "changed"
  }

  /** Due at once; of the queue, it waits there again, in its old place. */
  private putBack(w: Workflow): void {
    Object.assign(w, { owner: null, rest: "due", wakeAt: w.place === null ? this.now : null })
    if (w.place === null) return
    w.place = { ...w.place, in: false }
    w.status = "ENQUEUED"
  }

  /** Due at once; of the queue, it waits there as if it had come now. */
  private goesOn(w: Workflow): void {
    const queued = w.priority !== null
    const status = queued ? "ENQUEUED" : "PENDING"
    Object.assign(w, { status, rest: "due", wakeAt: queued ? null : this.now, losses: 0, heldBy: null })
    if (queued) w.place = { came: ++this.places, in: false }
  }

  private advance(
    { child, consumes, end, entry, event, id, late, records, rollback }: Extract<Action, { _tag: "Advance" }>
  ) {
    const w = this.workflows.get(id)!
    if (w.owner === null || late) return "fenced"
    if (end._tag === "Suspend" && !end.seen && w.inbox > 0) return "stirred"
    const start = child === null ? null : asked(child, w.owner)
    const found = start === null ? null : this.found(start)
    if (found === "other") return "childconflict"
    // A child that is started here is there.
    const starts = found === null ? child?.id : undefined
    if (end._tag === "Suspend" && end.awaits !== null && end.awaits.id !== starts && this.isOver(end.awaits)) {
      return "stirred"
    }
    if (found !== null && found !== "same") return `its child is a ${found}`
    const started = start === null ? null : this.start(start, { parent: id, detached: child!.detached })
    for (let i = 0; i < records; i++) w.steps.push(w.nextStep++)
    if (records > 0) {
      w.losses = 0
      w.rollback ||= rollback
      if (event !== null) this.set(id, w, event)
      if (entry) this.write(id, w)
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
        w.place = null
        Object.assign(w, { owner: null, rest: "blocked", wakeAt: null })
        break
      case "Release":
        this.putBack(w)
    }
    return started === null ? "recorded" : `recorded, its child ${started}`
  }

  private isOver({ id, on }: Awaited): boolean {
    const w = this.workflows.get(id)
    return w === undefined || w.phase === "done" || (on === "event" && w.event !== null) ||
      (on === "stream" && w.stream.length > 1)
  }

  private write(id: Id, w: Workflow): void {
    w.stream.push(w.nextStep - 1)
    this.tell((awaits) => awaits.id === id && awaits.on === "stream" && this.isOver(awaits))
  }

  private set(id: Id, w: Workflow, value: number): void {
    w.event = value
    this.tell((awaits) => awaits.id === id && awaits.on === "event")
  }

  private tell(which: (awaits: Awaited) => boolean): void {
    for (const w of this.workflows.values()) {
      if (w.rest === "suspended" && w.awaits !== null && which(w.awaits)) {
        Object.assign(w, { wakeAt: this.now, awaits: null })
      }
    }
  }

  private finish(id: Id, w: Workflow, status: WorkflowStatus): void {
    Object.assign(w, { status, phase: "done", owner: null, rest: null, wakeAt: null, awaits: null, heldBy: null })
    w.place = null
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
    const result = this.cancelOne(id)
    for (const one of this.descendants(id)) this.cancelOne(one)
    return result
  }

  /** Children that are not detached, and theirs; those that are done have some, too. */
  private descendants(id: Id): ReadonlyArray<Id> {
    const found = new Set<Id>([id])
    for (const parent of found) {
      for (const [one, w] of this.workflows) if (w.parent === parent && !w.detached) found.add(one)
    }
    return [...found].slice(1)
  }

  private cancelOne(id: Id) {
    const w = this.workflows.get(id)
    if (w === undefined) return "unknown"
    if (w.phase !== "run") return "done"
    if (w.owner !== null) this.mayRunIn.set(id, (this.mayRunIn.get(id) ?? new Set()).add(w.owner))
    if (!w.rollback) {
      this.finish(id, w, "CANCELLED")
      return "cancelled"
    }
    Object.assign(w, { status: "CANCELLED", phase: "compensate", heldBy: w.owner, owner: null, rest: "due" })
    Object.assign(w, { wakeAt: this.now, awaits: null, undoing: false, place: null })
    return "cancelled"
  }

  private resume(id: Id) {
    const w = this.workflows.get(id)
    if (w === undefined) return "unknown"
    if (w.rest === "blocked") {
      if (w.phase === "run") this.goesOn(w)
      else Object.assign(w, { rest: "due", wakeAt: this.now, losses: 0 })
      return "resumed"
    }
    if ((w.status !== "CANCELLED" && w.status !== "DEAD_LETTER") || (w.phase !== "done" && w.undoing)) return "refused"
    if ((this.mayRunIn.get(id)?.size ?? 0) > 0) return "held"
    const holder = this.holderOf(w.deduplicationId)
    if (holder !== null) return `duplicate of ${holder}`
    w.phase = "run"
    this.goesOn(w)
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
      else this.putBack(w)
    }
    return lost
  }

  private leave(by: number): void {
    this.knows(by)
    for (const w of this.workflows.values()) {
      if (w.owner === by) this.putBack(w)
    }
  }

  /** It is told what it has lost, and has ended that. */
  private knows(by: number): void {
    for (const w of this.workflows.values()) if (w.heldBy === by) w.heldBy = null
    for (const one of this.mayRunIn.values()) one.delete(by)
  }
}
