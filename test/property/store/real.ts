/** The same actions on a store, through its contract, as two processes that take turns. */
import * as Effect from "effect/Effect"
import type { Operation, QueueLimits, Start, StoreService } from "perdure/Store"
import {
  advance,
  block,
  cancelled,
  deliver,
  entry,
  event,
  fail,
  record,
  release,
  rolledBack,
  send,
  start,
  succeed
} from "../../conformance/builders.ts"
import { suspend } from "../../conformance/builders.ts"
import { acknowledge, historyOf, submit, sweep } from "../../conformance/verbs.ts"
import {
  type Action,
  type Ending,
  executors,
  type Id,
  maxLosses,
  type Model,
  type Place,
  type QueueView,
  sleepMs,
  type View
} from "./model.ts"

/** A lease that no moved clock ends, and one that the next move ends. */
const longMs = 1e12
const shortMs = 1_000

const unlimited: QueueLimits = {
  concurrency: null,
  executorConcurrency: null,
  rateLimit: null,
  partitioned: null,
  ageingMs: null
}

let runs = 0

export class Real {
  private readonly clients: ReadonlyArray<StoreService>
  private readonly prefix = `run${++runs}`
  private readonly incarnations: Array<string> = []
  private readonly epochs = new Map<Id, number>()
  private count = 0

  constructor(clients: ReadonlyArray<StoreService>) {
    this.clients = clients
  }

  readonly begin = Effect.suspend(() =>
    Effect.andThen(
      this.clients[0]!.registerQueue(this.prefix, { ...unlimited, concurrency: 1 }),
      Effect.forEach(Array.from({ length: executors }, (_, by) => by), (by) => this.join(by), { discard: true })
    )
  )

  private readonly join = (by: number) =>
    Effect.suspend(() => {
      const incarnation = `${this.prefix}-${by}-${++this.count}`
      this.incarnations[by] = incarnation
      return this.clients[by]!.join({ incarnation, executorId: this.executorId(by), version: "1" }, longMs)
    })

  private executorId(by: number): string {
    return `${this.prefix}-executor-${by}`
  }

  private idOf(id: Id): string {
    return `${this.prefix}-${id}`
  }

  private shortOf(workflowId: string): Id {
    return workflowId.slice(this.prefix.length + 1) as Id
  }

  /** What the action came to. `model`: as it was before, for what its caller knows. */
  does(action: Action, model: Model, turn: number): Effect.Effect<unknown, unknown> {
    const store = this.clients[turn % this.clients.length]!
    switch (action._tag) {
      case "Start":
        return this.start(store, action)
      case "Claim":
        return this.claim(action.by)
      case "Advance":
        return this.advance(store, action, model)
      case "Deliver": {
        const { id, message, payload } = action
        const one = send(this.idOf(id), `m${message}`, { payload: String(payload) })
        return Effect.map(
          submit(store, deliver(one)),
          (answer) => answer._tag === "Delivered" ? "delivered" : answer._tag === "SendRefused" ? answer.why : answer
        )
      }
      case "Cancel": {
        const options = { reason: cancelled("user"), childReason: cancelled("parent"), children: true }
        return Effect.map(store.cancel([this.idOf(action.id)], options), ([answer]) => answer!.result)
      }
      case "Resume":
        return Effect.map(
          store.resume([this.idOf(action.id)]),
          ([answer]) => answer!.result === "duplicate" ? `duplicate of ${this.shortOf(answer!.holder)}` : answer!.result
        )
      case "Delete":
        return Effect.map(store.delete([this.idOf(action.id)], { children: false }), ([answer]) => answer!.result)
      case "Renew": {
        const { id, late, payload } = action
        const epoch = this.epochOf(id, late, model)
        const firstStepId = model.workflows.get(id)!.nextStep
        return store.renew({ workflowId: this.idOf(id), epoch, payload: String(payload), codec: "json", firstStepId })
      }
      case "Lapse":
        return Effect.gen({ self: this }, function*() {
          const incarnation = this.incarnations[action.by]!
          yield* acknowledge(store, incarnation, longMs)
          yield* store.heartbeat(incarnation, shortMs, [])
          yield* store.adjustClock(shortMs + 1)
          const { deadLettered, released } = yield* sweep(store)
          yield* this.join(action.by)
          return released + deadLettered.length
        })
      case "Leave":
        return Effect.asVoid(Effect.andThen(store.leave(this.incarnations[action.by]!), this.join(action.by)))
      case "Hear":
        return Effect.asVoid(store.heartbeat(this.incarnations[action.by]!, longMs, []))
      case "Beat":
        return Effect.asVoid(acknowledge(store, this.incarnations[action.by]!, longMs))
      case "Clock":
        return store.adjustClock(sleepMs + 1)
      case "Limit": {
        const limits = { ...unlimited, concurrency: action.concurrency }
        return Effect.asVoid(store.setQueue(this.prefix, { limits }))
      }
      case "Pause":
        return Effect.asVoid(store.setQueue(this.prefix, { paused: action.paused }))
      case "Priority":
        return store.setPriority(this.idOf(action.id), action.priority)
    }
  }

  readonly queue = (turn: number): Effect.Effect<QueueView, unknown> =>
    Effect.map(
      this.clients[turn % this.clients.length]!.queues([this.prefix]),
      ([row]) => {
        const { limits: { concurrency }, paused, running, waiting } = row!
        return { concurrency, paused, waiting, running }
      }
    )

  /** A start, in an epoch that no other has had. */
  private asked(id: Id, payload: number, owner: number | null, place: Place): Start {
    return start({
      workflowId: this.idOf(id),
      name: this.prefix,
      payload: String(payload),
      owner: owner === null ? null : this.incarnations[owner]!,
      epoch: ++this.count * 1_000,
      maxRecoveryAttempts: maxLosses,
      queue: owner !== null || place._tag === "Large"
        ? null
        : {
          queue: this.prefix,
          priority: place.priority,
          partitionKey: null,
          deduplicationId: place.deduplicationId,
          debounce: null
        }
    })
  }

  private start(store: StoreService, { id, owner, payload, place }: Extract<Action, { _tag: "Start" }>) {
    const asked = this.asked(id, payload, owner, place)
    const { epoch } = asked
    return Effect.map(submit(store, asked), (answer) => {
      if (answer._tag === "Exists") return answer.same ? "same" : "other"
      if (answer._tag === "Duplicate") return `duplicate of ${this.shortOf(answer.workflowId)}`
      if (answer._tag === "Started") this.epochs.set(id, epoch)
      return answer._tag === "Started" ? "started" : answer
    })
  }

  private claim(by: number) {
    const served = [{ name: this.prefix, version: "1" }]
    return Effect.map(
      this.clients[by]!.claim({ incarnation: this.incarnations[by]!, served, queues: null, limit: 100 }),
      ({ claimed }) =>
        claimed.map(({ row }) => {
          const id = this.shortOf(row.workflowId)
          this.epochs.set(id, row.epoch)
          return id
        }).sort()
    )
  }

  private epochOf(id: Id, late: boolean, model: Model): number {
    return this.epochs.get(id)! - (late && model.workflows.get(id)!.owner !== null ? 1 : 0)
  }

  private advance(store: StoreService, action: Extract<Action, { _tag: "Advance" }>, model: Model) {
    const { child, consumes, end, entry: writes, event: value, id, late, records, rollback } = action
    const { executor, inbox, nextStep, phase, steps } = model.workflows.get(id)!
    const born = child === null ? [] : [{
      ...this.asked(child.id, child.payload, child.place === null ? executor : null, child.place ?? { _tag: "Large" }),
      parentId: this.idOf(id),
      parentStepId: nextStep,
      detached: child.detached
    }]
    // The numbers are the store's: a wake may count.
    const numbers = Effect.all([
      Effect.map(store.inboxes([this.idOf(id)]), (counts) => counts.get(this.idOf(id)) ?? 0),
      Effect.map(store.messages(this.idOf(id), { topic: "t", limit: 1 }), ([first]) => first?.seq)
    ])
    const operation = ([count, seq]: readonly [number, number | undefined]): Operation =>
      advance(this.idOf(id), this.epochOf(id, late, model), {
        records: Array.from({ length: records }, (_, i) =>
          // A value of its own: nothing that was refused is taken for what comes after it.
          record(nextStep + i, { seq: steps.length + i + 1, value: String(++this.count), rollback })),
        children: born,
        events: records > 0 && value !== null ? [event("e", String(value), nextStep)] : [],
        entries: records > 0 && writes ? [entry(nextStep + records - 1)] : [],
        consumes: records > 0 && consumes && seq !== undefined ? [{ seq, stepId: nextStep }] : [],
        end: this.endOf(end, phase, inbox === 0 || (end._tag === "Suspend" && end.seen) ? count : count - 1)
      })
    return Effect.map(
      Effect.flatMap(numbers, (numbers) => submit(store, operation(numbers))),
      (answer) => {
        if (answer._tag === "ChildDuplicate") return `its child is a duplicate of ${this.shortOf(answer.workflowId!)}`
        const [first] = answer._tag === "Recorded" ? answer.children : []
        if (first === undefined) return answer._tag.toLowerCase()
        if (first._tag === "Started") this.epochs.set(child!.id, born[0]!.epoch)
        return `recorded, its child ${
          first._tag === "Started" ? "started" : first._tag === "Exists" && first.same ? "same" : "other"
        }`
      }
    )
  }

  private endOf(end: Ending, phase: View["phase"], inbox: number) {
    switch (end._tag) {
      case "None":
        return null
      case "Succeed":
      case "Fail":
        return phase === "compensate" ? rolledBack : end._tag === "Succeed" ? succeed : fail
      case "Block":
        return block
      case "Release":
        return release
      case "Suspend": {
        const awaiting = end.awaits === null
          ? []
          : end.awaits.on === "end"
          ? [this.idOf(end.awaits.id)]
          : end.awaits.on === "stream"
          ? [{ workflowId: this.idOf(end.awaits.id), on: "stream", key: "s", from: 1 } as const]
          : [{ workflowId: this.idOf(end.awaits.id), on: "event", key: "e" } as const]
        return suspend({
          inbox,
          wakeAt: end.sleeps ? this.sleepsUntil : null,
          awaiting
        })
      }
    }
  }

  private sleepsUntil = 0

  view(id: Id, turn: number): Effect.Effect<View | null, unknown> {
    const store = this.clients[turn % this.clients.length]!
    const workflowId = this.idOf(id)
    return Effect.gen({ self: this }, function*() {
      const row = yield* store.get(workflowId)
      const now = yield* store.now
      this.sleepsUntil = now + sleepMs
      if (row === null) return null
      const unread = yield* store.messages(workflowId, { topic: "t", limit: 100 })
      const events = yield* store.events(workflowId)
      const [stream] = yield* store.readStreams([{ workflowId, key: "s", from: 0, limit: 1_000 }])
      const history = yield* historyOf(store, workflowId)
      return {
        status: row.status,
        phase: row.phase,
        payload: Number(row.payload),
        continuations: row.continuations,
        losses: row.recoveryAttempts,
        executor: row.executorId === null ? null : Number(row.executorId.slice(-1)),
        due: row.wakeAt === null || row.phase === "done" ? "no" : row.wakeAt <= now ? "now" : "later",
        unread: unread.map(({ messageId }) => messageId),
        event: events.length === 0 ? null : Number(events[0]!.value),
        stream: stream!.entries.map(({ stepId }) => stepId),
        ended: stream!.state === "done",
        steps: history.map(({ stepId }) => stepId),
        parent: row.parentId === null ? null : this.shortOf(row.parentId)
      }
    })
  }
}
