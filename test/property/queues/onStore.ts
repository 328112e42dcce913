/** A history of queues through the `Store` contract: what an engine would do, done by hand, and noted. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Answer, Claimed, Start, StoreService } from "perdure/Store"
import {
  advance,
  block,
  cancelled,
  deliver,
  fail,
  release,
  send,
  start,
  succeed,
  suspend
} from "../../conformance/builders.ts"
import { acknowledge, write } from "../../conformance/verbs.ts"
import { type Fact, History, type What } from "./history.ts"
import { type Action, executors, type Item, names, type Plan } from "./plan.ts"

/** A lease that no moved clock ends. */
const longMs = 1e12
const shortMs = 1_000

interface Workflow {
  readonly queue: string
  state: "asked for" | "at rest" | "memory" | "suspended" | "due" | "parked" | "cancelled" | "ended"
  executor: number
  epoch: number
  inbox: number
}

let runs = 0

/** `together`: each executor does its own, at the same time; else all of them do one thing after another. */
export const onStore = (
  clients: ReadonlyArray<StoreService>,
  plan: Plan,
  together: boolean
): Effect.Effect<ReadonlyArray<Fact>, unknown> =>
  Effect.suspend(() => {
    const run = new Run(clients, plan, together)
    const lanes = together ? [0, 1, 2].map((by) => plan.actions.filter((action) => action.by === by)) : [plan.actions]
    return run.begin.pipe(
      Effect.andThen(
        Effect.forEach(lanes, (actions) => Effect.forEach(actions, (action) => run.does(action), { discard: true }), {
          concurrency: "unbounded",
          discard: true
        })
      ),
      Effect.andThen(run.end),
      Effect.as(run.history.facts)
    )
  })

class Run {
  readonly history = new History()
  private readonly prefix = `run${++runs}`
  private readonly plan: Plan
  private readonly clients: ReadonlyArray<StoreService>
  private readonly together: boolean
  private readonly workflows = new Map<string, Workflow>()
  private readonly incarnations: Array<string> = []
  /** Held by what shortens a lease until it has lapsed, and by what lengthens those of others: else it would not lapse. */
  private readonly lapsing = Semaphore.makeUnsafe(1)
  private count = 0

  constructor(clients: ReadonlyArray<StoreService>, plan: Plan, together: boolean) {
    this.clients = clients
    this.plan = plan
    this.together = together
  }

  private queue(index: number): string {
    return `${this.prefix}-q${index % this.plan.queues.length}`
  }

  private pick(index: number, states: ReadonlyArray<Workflow["state"]>, executor?: number): string | undefined {
    const ids = [...this.workflows].filter(([, workflow]) =>
      states.includes(workflow.state) && (executor === undefined || workflow.executor === executor)
    ).map(([id]) => id)
    return ids.length === 0 ? undefined : ids[index % ids.length]
  }

  private readonly join = (by: number) =>
    Effect.suspend(() => {
      const incarnation = `${this.prefix}-i${by}-${++this.count}`
      this.incarnations[by] = incarnation
      return this.clients[by]!.join({ incarnation, executorId: `${this.prefix}-${by}`, version: "1" }, longMs)
    })

  readonly begin = Effect.suspend(() =>
    Effect.andThen(
      Effect.forEach(this.plan.queues, (limits, index) =>
        this.history.call(
          this.clients[0]!.registerQueue(this.queue(index), limits),
          () => [{ _tag: "Limits", queue: this.queue(index), limits }]
        )),
      Effect.forEach([0, 1, 2], (by) => this.join(by))
    )
  )

  /** Everything may go on now, and does, until nothing is left. */
  readonly end = Effect.gen({ self: this }, function*() {
    for (const index of this.plan.queues.keys()) yield* this.does({ _tag: "Pause", by: 0, queue: index, paused: false })
    for (let idle = 0; idle < 4;) {
      const before = this.history.facts.length
      while (this.pick(0, ["parked"]) !== undefined) yield* this.does({ _tag: "Resume", by: 0, pick: 0 }, ["parked"])
      for (let id = this.pick(0, ["suspended"]); id !== undefined; id = this.pick(0, ["suspended"])) {
        yield* this.does({ _tag: "Wake", by: 0, pick: 0 })
      }
      let took = 0
      for (let by = 0; by < executors; by++) {
        yield* this.does({ _tag: "Claim", by, limit: 100 })
        while (this.pick(0, ["memory"], by) !== undefined) {
          took++
          yield* this.does({ _tag: "Finish", by, pick: 0, how: "success" })
        }
      }
      idle = took > 0 ? 0 : idle + 1
      if (before === this.history.facts.length) return
      yield* this.does({ _tag: "Clock", by: 0, ms: 11_000 })
    }
  })

  readonly does = (
    action: Action,
    resumable: ReadonlyArray<Workflow["state"]> = ["parked", "cancelled"]
  ): Effect.Effect<unknown, unknown> => {
    const store = this.clients[action.by]!
    switch (action._tag) {
      case "Enqueue":
        return this.enqueue(store, action)
      case "Claim":
        return this.claim(store, action.by, action.limit)
      case "Finish": {
        const id = this.pick(action.pick, ["memory"], action.by)
        return id === undefined ? Effect.void : this.finish(store, id, action.how)
      }
      case "Wake": {
        const id = this.pick(action.pick, ["suspended"])
        if (id === undefined) return Effect.void
        this.workflows.get(id)!.state = "due"
        return this.history.call(
          write(store, [deliver(send(id, `m${++this.count}`))]),
          ([answer]) => answer!._tag === "Delivered" ? [{ _tag: "Awoken", id }] : []
        )
      }
      case "Cancel": {
        const id = this.pick(action.pick, ["at rest", "memory", "suspended", "due"])
        return id === undefined ? Effect.void : this.cancel(store, id)
      }
      case "Resume": {
        const id = this.pick(action.pick, resumable)
        return id === undefined ? Effect.void : this.resume(store, id)
      }
      case "Priority": {
        const id = this.pick(action.pick, ["at rest"])
        if (id === undefined) return Effect.void
        const { priority } = action
        return this.history.call(
          store.setPriority(id, priority),
          (answer) => [answer === "changed" ? { _tag: "Priority", id, priority } : { _tag: "Touched", id }]
        )
      }
      case "Pause": {
        const queue = this.queue(action.queue)
        const { paused } = action
        return this.history.call(store.setQueue(queue, { paused }), () => [{ _tag: "Paused", queue, paused }])
      }
      case "Limits": {
        const queue = this.queue(action.queue)
        const { limits } = action
        return this.history.call(store.setQueue(queue, { limits }), () => [{ _tag: "Limits", queue, limits }])
      }
      case "Clock":
        return store.adjustClock(action.ms)
      case "Lapse":
        return this.loses(
          action.by,
          this.lapsing.withPermit(Effect.gen({ self: this }, function*() {
            yield* store.heartbeat(this.incarnations[action.by]!, shortMs, [])
            yield* store.adjustClock(shortMs + 1)
            while ((yield* store.sweep(100)).more);
          }))
        )
      case "Leave":
        return this.loses(action.by, store.leave(this.incarnations[action.by]!))
    }
  }

  private enqueue(
    store: StoreService,
    { bulk, items, onDuplicate, queue }: Extract<Action, { _tag: "Enqueue" }>
  ): Effect.Effect<unknown, unknown> {
    const starts = items.map((item) => this.start(queue, item))
    // Ids that are written by several at once may make them wait for one another, and then be written one by one.
    const asked = bulk
      ? Effect.map(
        write(store, [{ _tag: "StartMany", starts, refuseDuplicates: onDuplicate === "fail" }]),
        ([answer]): ReadonlyArray<readonly [Start, Answer]> =>
          answer!._tag === "StartedMany"
            ? starts.map((start, index) => [start, answer!.starts[index]!])
            : answer!._tag === "StartRefused"
            ? refused(starts, answer!)
            : [[starts[0]!, answer!]]
      )
      : Effect.map(
        write(store, starts),
        (answers): ReadonlyArray<readonly [Start, Answer]> => starts.map((start, index) => [start, answers[index]!])
      )
    return this.history.call(asked, (answers) =>
      Effect.map(
        Effect.forEach(answers, ([start, answer], index) => this.answered(store, start, answer, index, bulk)),
        (whats) => whats.flat()
      ))
  }

  private start(queue: number, item: Item): Start {
    const name = this.queue(queue)
    const { partitioned } = this.plan.queues[queue % this.plan.queues.length]!
    const workflowId = `${this.prefix}-w${++this.count}`
    this.workflows.set(workflowId, { queue: name, state: "asked for", executor: -1, epoch: 0, inbox: 0 })
    return start({
      workflowId,
      name: this.name(item.name),
      delayMs: item.delayMs === 0 ? null : item.delayMs,
      queue: {
        queue: name,
        priority: item.priority,
        partitionKey: partitioned === null ? null : `key ${item.partition}`,
        deduplicationId: item.deduplication === null ? null : `one ${item.deduplication}`,
        debounce: null
      }
    })
  }

  private name(index: number): string {
    return `${this.prefix}-${names[index]}`
  }

  private answered(store: StoreService, asked: Start, answer: Answer, index: number, bulk: boolean) {
    const { deduplicationId, partitionKey, priority, queue } = asked.queue!
    if (answer._tag === "Duplicate") {
      const { workflowId: holder } = answer
      return Effect.succeed<ReadonlyArray<What>>([
        { _tag: "Duplicate", queue, deduplicationId: deduplicationId!, holder }
      ])
    }
    if (answer._tag !== "Started") return Effect.die(new Error(`not started: ${JSON.stringify(answer)}`))
    const { name, workflowId: id } = asked
    // Unless somebody has it already.
    const workflow = this.workflows.get(id)!
    if (workflow.state === "asked for") workflow.state = "at rest"
    return Effect.map(store.get(id), (row): ReadonlyArray<What> => [{
      _tag: "Enqueued",
      id,
      name,
      queue,
      partitionKey,
      priority,
      deduplicationId,
      at: row!.createdAt,
      delayMs: asked.delayMs ?? 0,
      index: bulk || !this.together ? index : -1
    }])
  }

  private claim(store: StoreService, by: number, limit: number): Effect.Effect<unknown, unknown> {
    const served = (by === executors - 1 ? [0] : [0, 1]).map((index) => ({ name: this.name(index), version: "1" }))
    const incarnation = this.incarnations[by]!
    return this.history.call(
      Effect.all([store.claim({ incarnation, served, queues: null, limit }), store.now]),
      ([{ claimed, contended, nextDueAt, now: at }, until]) => {
        for (const one of claimed) this.took(one, by)
        const took = claimed.map(({ row }) => row.workflowId)
        return [{
          _tag: "Claimed",
          executor: incarnation,
          names: served.map(({ name }) => name),
          limit,
          at,
          until,
          took,
          nextDueAt,
          contended
        }]
      }
    )
  }

  private took({ inbox, row }: Claimed, by: number): void {
    Object.assign(this.workflows.get(row.workflowId)!, { state: "memory", executor: by, epoch: row.epoch, inbox })
  }

  private finish(
    store: StoreService,
    id: string,
    how: "success" | "error" | "suspend" | "release" | "block"
  ): Effect.Effect<unknown, unknown> {
    const workflow = this.workflows.get(id)!
    const { epoch, inbox } = workflow
    const end = { success: succeed, error: fail, suspend: suspend({ inbox }), release, block }[how]
    return this.history.call(write(store, [advance(id, epoch, { end })]), ([answer]): ReadonlyArray<What> => {
      if (answer!._tag === "Stirred") return []
      // What happened to it since is in its state already, unless it is still ours.
      const ours = workflow.epoch === epoch && workflow.state === "memory"
      if (answer!._tag === "Fenced") {
        if (ours) workflow.state = "ended"
        return [{ _tag: "Refused", id }]
      }
      if (answer!._tag !== "Recorded") throw new Error(`not recorded: ${JSON.stringify(answer)}`)
      const set = (state: Workflow["state"], what: What): ReadonlyArray<What> => {
        if (ours) workflow.state = state
        return [what]
      }
      switch (how) {
        case "suspend":
          return set("suspended", { _tag: "Suspended", id })
        case "release":
          return set("at rest", { _tag: "PutBack", id })
        case "block":
          return set("parked", { _tag: "Parked", id })
        default:
          return set("ended", { _tag: "Ended", id, how: "settled" })
      }
    })
  }

  private cancel(store: StoreService, id: string): Effect.Effect<unknown, unknown> {
    const options = { reason: cancelled("user"), childReason: cancelled("parent"), children: true }
    return this.history.call(store.cancel([id], options), ([answer]): ReadonlyArray<What> => {
      if (answer!.result !== "cancelled") return [{ _tag: "Touched", id }]
      this.workflows.get(id)!.state = "cancelled"
      return [{ _tag: "Ended", id, how: "cancelled" }]
    })
  }

  private resume(store: StoreService, id: string): Effect.Effect<unknown, unknown> {
    const workflow = this.workflows.get(id)!
    const before = workflow.state
    const was = before === "parked" ? "parked" : "cancelled"
    const told = this.lapsing.withPermit(
      Effect.forEach(this.incarnations, (incarnation) => acknowledge(store, incarnation, longMs))
    )
    return this.history.call(
      Effect.andThen(told, Effect.all({ after: store.now, answer: store.resume([id]), until: store.now })),
      ({ after, answer: [answer], until }): Effect.Effect<ReadonlyArray<What>, unknown> => {
        if (answer!.result === "resumed") {
          // Unless somebody has it already.
          if (workflow.state === before) workflow.state = "at rest"
          return Effect.succeed([{ _tag: "Resumed", id, was, after, before: until }])
        }
        if (answer!.result !== "duplicate") return Effect.succeed([{ _tag: "Touched", id }])
        const { holder } = answer!
        return Effect.map(store.get(id), (row) => [
          { _tag: "Duplicate", queue: workflow.queue, deduplicationId: row!.deduplicationId!, holder }
        ])
      }
    )
  }

  /** What this executor had in memory waits again, unless it was cancelled meanwhile. */
  private loses(by: number, losing: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown> {
    const ids = [...this.workflows].filter(([, { executor, state }]) => executor === by && state === "memory")
      .map(([id]) => id)
    return Effect.andThen(
      this.history.call(losing, () =>
        Effect.map(
          Effect.forEach(ids, (id) => this.clients[by]!.get(id)),
          (rows) =>
            rows.filter((row) => row!.status !== "CANCELLED").map((row): What => {
              const workflow = this.workflows.get(row!.workflowId)!
              if (workflow.executor === by && workflow.state === "memory") workflow.state = "at rest"
              return { _tag: "PutBack", id: row!.workflowId }
            })
        )),
      this.join(by)
    )
  }
}

/** The start that refused the others. A holder that is one of them is none: it was never there. */
const refused = (
  starts: ReadonlyArray<Start>,
  { answer, index }: Extract<Answer, { _tag: "StartRefused" }>
): ReadonlyArray<readonly [Start, Answer]> =>
  answer._tag === "Duplicate" && starts.some(({ workflowId }) => workflowId === answer.workflowId)
    ? []
    : [[starts[index]!, answer]]
