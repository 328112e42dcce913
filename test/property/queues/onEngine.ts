/**
 * A history of queues through the public API: engines claim by themselves, bodies wait in a step for what the plan has them
 * do, and who waits sends, cancels, resumes, closes and loses engines.
 *
 * When a workflow was claimed nobody sees, only that it runs: so each claim here is one workflow, some time since it was
 * enqueued, and what is certain of it is where its step is.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Client from "perdure/Client"
import * as Engine from "perdure/Engine"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import { type QueueLimits, Store } from "perdure/Store"
import * as Workflow from "perdure/Workflow"
import type { WorkflowError } from "perdure/WorkflowError"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { options } from "../../engine/harness.ts"
import { eventually } from "../../engine/observing.ts"
import { type Claimed, type Fact, History, type Span, type What } from "./history.ts"
import type { Action, Item, Plan } from "./plan.ts"

type Needs = Store | SqlClient
type Command = "success" | "error" | "suspend"

/** The lease of the first engine, which may be lost; the others keep theirs. */
const leaseMs = 3_600_000

const Go = Message.make("go")

interface Task {
  readonly workflow: Workflow.Workflow<string, { readonly id: string }, void, string>
  readonly queue: string
  /** Since when it may have been claimed. */
  since: number
  state: "asked for" | "at rest" | "memory" | "suspended" | "cancelled" | "ended"
  executor: string
  started: boolean
  /** What it was told to do, in its first step, in its second, ... */
  readonly commands: Array<Command>
  told: Deferred.Deferred<void>
}

interface Running {
  readonly executor: string
  readonly context: Context.Context<Needs | Engine.Engine>
  readonly scope: Scope.Closeable
}

let runs = 0

export interface Outcome {
  readonly facts: ReadonlyArray<Fact>
  /** When each was first claimed, by the database. */
  readonly startedAt: ReadonlyMap<string, number>
}

/** With `count` engines, which share the clients. */
export const onEngine = (
  clients: ReadonlyArray<Context.Context<Needs>>,
  plan: Plan,
  count: number
): Effect.Effect<Outcome, unknown> =>
  Effect.scoped(Effect.suspend(() => new Run(clients, plan, count).all)).pipe(
    Effect.provideService(References.MinimumLogLevel, "None")
  )

class Run {
  private readonly history = new History()
  private readonly prefix = `api${++runs}`
  private readonly clients: ReadonlyArray<Context.Context<Needs>>
  private readonly count: number
  private readonly queues: ReadonlyArray<WorkflowQueue.WorkflowQueue>
  private readonly limits: ReadonlyArray<QueueLimits>
  private readonly definitions: ReadonlyArray<Task["workflow"]>
  private readonly tasks = new Map<string, Task>()
  private readonly engines: Array<Running> = []
  /** Of executors that were lost nothing counts any more. */
  private readonly alive = new Set<string>()
  private client: Running["context"] | undefined
  private readonly settling: Array<Fiber.Fiber<unknown, unknown>> = []
  private readonly actions: ReadonlyArray<Action>
  private made = 0

  constructor(clients: ReadonlyArray<Context.Context<Needs>>, plan: Plan, count: number) {
    this.clients = clients
    this.count = count
    this.limits = plan.queues
    this.actions = plan.actions
    this.queues = plan.queues.map((limits, index) => WorkflowQueue.make(`${this.prefix}-q${index}`, toLimits(limits)))
    this.definitions = ["first", "second"].map((name) =>
      Workflow.make(`${this.prefix}-${name}`, { payload: { id: Schema.String }, error: Schema.String })
    )
  }

  readonly all: Effect.Effect<Outcome, unknown, Scope.Scope> = Effect.gen({ self: this }, function*() {
    const client = Layer.fresh(Engine.layerClient({ poll: options.poll }))
    const built = yield* Layer.build(Layer.provide(client, Layer.succeedContext(this.clients[0]!)))
    this.client = Context.merge(this.clients[0]!, built)
    for (let by = 0; by < this.count; by++) yield* this.open(by)
    for (const [index, queue] of this.queues.entries()) {
      yield* this.history.call(
        this.use(Effect.scoped(Effect.asVoid(Layer.build(queue.layer)))),
        () => [{ _tag: "Limits", queue: queue.name, limits: this.limits[index]! }]
      )
    }
    for (const action of this.actions) {
      yield* this.does({ ...action, by: action.by % this.count })
    }
    yield* this.end
    const rows = yield* Effect.forEach([...this.tasks.keys()], (id) => this.store.get(id))
    const startedAt = new Map(rows.flatMap((row) => row?.startedAt == null ? [] : [[row.workflowId, row.startedAt]]))
    const facts = this.history.facts.map((fact) =>
      fact._tag === "Claimed" && fact.at === Infinity ? timed(fact, startedAt) : fact
    )
    return { facts, startedAt }
  })

  private get store() {
    return Context.get(this.clients[0]!, Store)
  }

  private use<A, E>(effect: Effect.Effect<A, E, Engine.Engine>, by?: number): Effect.Effect<A, E> {
    return Effect.suspend(() =>
      Effect.provideContext(effect, by === undefined ? this.client! : this.engines[by]!.context)
    )
  }

  // ---------------------------------------------------------------------------
  // engines, bodies
  // ---------------------------------------------------------------------------

  /** The last of several does not run the second workflow. */
  private readonly open = Effect.fnUntraced({ self: this }, function*(this: Run, by: number) {
    const executor = `${this.prefix}-e${by}-${++this.made}`
    this.alive.add(executor)
    const scope = yield* Scope.fork(yield* Effect.scope)
    const served = by > 0 && by === this.count - 1 ? this.definitions.slice(0, 1) : this.definitions
    const lives = served.map((workflow) => workflow.toLayer(({ id }) => this.body(executor, id)))
    const lease = by === 0 ? `${leaseMs} millis` as const : options.lease
    const engine = Layer.mergeAll(Layer.empty, ...lives).pipe(
      Layer.provideMerge(
        Layer.fresh(Engine.layer({ ...options, lease, suspendAfter: "1 millis", executorId: executor }))
      )
    )
    const client = this.clients[by]!
    const built = yield* Layer.buildWithScope(Layer.provide(engine, Layer.succeedContext(client)), scope)
    this.engines[by] = { executor, context: Context.merge(client, built), scope }
  })

  private body(executor: string, id: string) {
    return Effect.gen({ self: this }, function*() {
      for (let turn = 0;; turn++) {
        const command = yield* Step.run(`turn ${turn}`, this.pass(executor, id, turn))
        if (command === "success") return
        if (command === "error") return yield* Effect.fail("as told")
        yield* Go.receive()
      }
    })
  }

  /** In memory of this executor, until it is told what to do. */
  private pass(executor: string, id: string, turn: number): Effect.Effect<Command> {
    const task = this.tasks.get(id)!
    return this.history.call(this.store.get(id), (row) => {
      // The step of one that was cancelled, or lost, may still begin.
      const owned = row?.status === "PENDING" && row.executorId === executor && this.alive.has(executor)
      if (!owned) return []
      task.executor = executor
      // It was told before, and its executor was lost before that was recorded: it passes on at once.
      if (task.commands[turn] !== undefined) return []
      const claimed = this.claimed(executor, id, task)
      task.state = "memory"
      task.started = true
      return [claimed]
    }).pipe(
      Effect.orDie,
      Effect.andThen(Effect.suspend(() => task.commands[turn] === undefined ? Deferred.await(task.told) : Effect.void)),
      Effect.andThen(Effect.suspend(() => Effect.succeed(task.commands[turn]!)))
    )
  }

  private claimed(executor: string, id: string, task: Task): What {
    return {
      _tag: "Claimed",
      executor,
      names: this.definitions.map(({ name }) => name),
      limit: 1,
      // Only of the first time it is known, in the end.
      at: task.started ? -Infinity : Infinity,
      until: task.started ? -Infinity : Infinity,
      took: [id],
      nextDueAt: null,
      contended: true,
      since: task.since
    }
  }

  private note(whats: ReadonlyArray<What>, from = this.history.tick()): void {
    const to = this.history.tick()
    this.history.facts.push(...whats.map((what) => ({ ...what, from, to })))
  }

  /** From now on it may end; it has when its result is there. */
  private settles(id: string, task: Task): void {
    task.state = "ended"
    const from = this.history.tick()
    const ends = Effect.exit(this.use(task.workflow.handle(id).result))
    this.settling.push(Effect.runFork(Effect.map(ends, () => this.note([{ _tag: "Ended", id, how: "settled" }], from))))
  }

  // ---------------------------------------------------------------------------
  // actions
  // ---------------------------------------------------------------------------

  private pick(index: number, states: ReadonlyArray<Task["state"]>, executor?: string): [string, Task] | undefined {
    const tasks = [...this.tasks].filter(([, task]) =>
      states.includes(task.state) && (executor === undefined || task.executor === executor)
    )
    return tasks.length === 0 ? undefined : tasks[index % tasks.length]
  }

  private does(action: Action): Effect.Effect<unknown, unknown, Scope.Scope> {
    switch (action._tag) {
      case "Enqueue":
        return this.enqueue(action)
      // Engines claim; what they may have done by then differs from run to run.
      case "Claim":
        return Effect.forEach(Array.from({ length: 3 * action.limit }), () => this.store.now, { discard: true })
      case "Finish": {
        const found = this.pick(action.pick, ["memory"])
        return found === undefined
          ? Effect.void
          : this.tell(...found, action.how === "release" || action.how === "block" ? "success" : action.how)
      }
      case "Wake": {
        const found = this.pick(action.pick, ["suspended"])
        return found === undefined ? Effect.void : this.wake(...found)
      }
      case "Cancel": {
        const found = this.pick(action.pick, ["at rest", "memory", "suspended"])
        return found === undefined ? Effect.void : this.cancel(...found)
      }
      case "Resume": {
        const found = this.pick(action.pick, ["cancelled"])
        return found === undefined ? Effect.void : this.resume(...found)
      }
      case "Priority": {
        const found = this.pick(action.pick, ["at rest"])
        if (found === undefined || action.priority === 0) return Effect.void
        const [id] = found
        return this.history.call(
          Effect.result(this.use(Client.setPriority(id, action.priority))),
          (result) => [
            Result.isSuccess(result) ? { _tag: "Priority", id, priority: action.priority } : { _tag: "Touched", id }
          ]
        )
      }
      case "Pause": {
        const { name: queue } = this.queues[action.queue % this.queues.length]!
        const { paused } = action
        return this.history.call(
          this.use(paused ? Client.queues.pause(queue) : Client.queues.resume(queue)),
          () => [{ _tag: "Paused", queue, paused }]
        )
      }
      case "Limits": {
        const { name: queue } = this.queues[action.queue % this.queues.length]!
        const { limits } = action
        return this.history.call(
          this.use(Client.queues.setLimits(queue, toLimits(limits))),
          () => [{ _tag: "Limits", queue, limits }]
        )
      }
      case "Clock":
        return this.store.adjustClock(action.ms)
      case "Leave":
        return this.replace(action.by, Effect.void)
      case "Lapse":
        return this.replace(0, this.count === 1 ? Effect.void : this.store.adjustClock(2 * leaseMs))
    }
  }

  private tell(id: string, task: Task, command: Command): Effect.Effect<void> {
    return Effect.suspend(() => {
      task.commands.push(command)
      if (command === "suspend") {
        this.note([{ _tag: "Suspended", id }])
        task.state = "suspended"
      } else this.settles(id, task)
      const { told } = task
      task.told = Deferred.makeUnsafe<void>()
      return Effect.asVoid(Deferred.succeed(told, undefined))
    })
  }

  private wake(id: string, task: Task): Effect.Effect<unknown, unknown> {
    task.state = "at rest"
    return this.history.call(
      this.use(Go.send(id)),
      () => [{ _tag: "Awoken", id }]
    )
  }

  private cancel(id: string, task: Task): Effect.Effect<unknown, unknown> {
    return this.history.call(
      this.use(Client.cancel(id)),
      () =>
        Effect.map(this.store.get(id), (row): ReadonlyArray<What> => {
          if (row?.status !== "CANCELLED") return [{ _tag: "Touched", id }]
          task.state = "cancelled"
          return [{ _tag: "Ended", id, how: "cancelled" }]
        })
    )
  }

  private resume(id: string, task: Task): Effect.Effect<unknown, unknown> {
    const since = this.history.tick()
    const before = task.since
    task.since = since
    task.state = "at rest"
    return this.history.call(
      Effect.all({ after: this.store.now, result: Effect.result(this.use(Client.resume(id))), before: this.store.now }),
      ({ after, before: until, result }): ReadonlyArray<What> => {
        if (Result.isSuccess(result)) return [{ _tag: "Resumed", id, was: "cancelled", after, before: until }]
        task.since = before
        task.state = "cancelled"
        return [{ _tag: "Touched", id }]
      }
    )
  }

  /** An engine is lost, or leaves, and another comes in its place: what it had waits again, or is had by another. */
  private replace(by: number, losing: Effect.Effect<unknown, unknown>): Effect.Effect<unknown, unknown, Scope.Scope> {
    return Effect.suspend(() => {
      const { executor, scope } = this.engines[by]!
      const from = this.history.tick()
      // One that was woken may be its own already, though nobody has seen it run yet.
      const had = [...this.tasks].filter(([, { executor: owner, started, state }]) =>
        state !== "cancelled" && (owner === executor || (started && state === "at rest"))
      )
      this.alive.delete(executor)
      return Effect.andThen(
        losing,
        Effect.suspend(() => {
          for (const [, task] of had) if (task.state === "memory") task.state = "at rest"
          this.note(had.map(([id]) => ({ _tag: "Lost", id })), from)
          return Effect.andThen(Scope.close(scope, Exit.void), this.open(by))
        })
      )
    })
  }

  private enqueue(
    { bulk, by, items, onDuplicate, queue: index }: Extract<Action, { _tag: "Enqueue" }>
  ): Effect.Effect<unknown, unknown> {
    const queue = this.queues[index % this.queues.length]!
    const partitioned = this.limits[index % this.queues.length]!.partitioned !== null
    const asked = items.map((item) => this.ask(queue.name, bulk ? items[0]!.name : item.name, item, partitioned))
    const optionsOf = (n: number) => ({ ...asked[n]!.options, workflowId: asked[n]!.id })
    const told = (n: number, index: number) => (result: Result.Result<string, WorkflowError>) =>
      this.answered(asked[n]!, index, result)
    if (!bulk) {
      return Effect.forEach(asked, ({ id, task }, n) =>
        this.history.call(
          Effect.result(this.use(queue.enqueue(task.workflow, { id }, { ...optionsOf(n), onDuplicate }), by)).pipe(
            Effect.map(Result.map(({ workflowId }) => workflowId))
          ),
          told(n, 0)
        ))
    }
    return this.history.call(
      Effect.result(this.use(
        queue.enqueueMany(asked[0]!.task.workflow, asked.map(({ id }) => ({ id })), {
          onDuplicate,
          each: (_, n) => optionsOf(n)
        }),
        by
      )),
      (result) =>
        Result.isSuccess(result)
          ? Effect.map(
            Effect.forEach(result.success, ({ workflowId }, n) => told(n, n)(Result.succeed(workflowId))),
            (whats) => whats.flat()
          )
          : told(0, 0)(Result.fail(result.failure))
    )
  }

  private ask(queue: string, name: number, item: Item, partitioned: boolean) {
    const id = `${this.prefix}-w${++this.made}`
    const task: Task = {
      workflow: this.definitions[name]!,
      queue,
      since: this.history.tick(),
      state: "asked for",
      executor: "",
      started: false,
      commands: [],
      told: Deferred.makeUnsafe<void>()
    }
    this.tasks.set(id, task)
    const options = {
      ...item.priority === 0 ? {} : { priority: item.priority },
      ...item.deduplication === null ? {} : { deduplicationId: `one ${item.deduplication}` },
      ...partitioned ? { partitionKey: `key ${item.partition}` } : {},
      ...item.delayMs === 0 ? {} : { delay: item.delayMs }
    }
    return { id, task, options, delayMs: item.delayMs }
  }

  private answered(
    { delayMs, id, options, task }: ReturnType<Run["ask"]>,
    index: number,
    result: Result.Result<string, WorkflowError>
  ): Effect.Effect<ReadonlyArray<What>, unknown> {
    const { queue } = task
    const deduplicationId = options.deduplicationId ?? null
    if (Result.isFailure(result)) {
      const { reason } = result.failure
      if (reason._tag !== "DuplicateEnqueued") return Effect.die(result.failure)
      const { deduplicationId, workflowId: holder } = reason
      // The holder may be another of a bulk that was refused: then it was never there.
      const told: What = { _tag: "Duplicate", queue, deduplicationId, holder }
      return Effect.succeed(this.tasks.get(holder)!.state === "asked for" ? [] : [told])
    }
    if (result.success !== id) {
      return Effect.succeed([
        { _tag: "Duplicate", queue, deduplicationId: deduplicationId!, holder: result.success }
      ])
    }
    if (task.state === "asked for") task.state = "at rest"
    return Effect.map(this.store.get(id), (row): ReadonlyArray<What> => [{
      _tag: "Enqueued",
      id,
      name: task.workflow.name,
      queue,
      partitionKey: options.partitionKey ?? null,
      priority: options.priority ?? 0,
      deduplicationId,
      at: row!.createdAt,
      delayMs,
      index
    }])
  }

  /** Everything may go on now, and does. */
  private readonly end = Effect.gen({ self: this }, function*() {
    for (const queue of this.queues.keys()) yield* this.does({ _tag: "Pause", by: 0, queue, paused: false })
    const left = () =>
      [...this.tasks].filter(([, { state }]) => state === "at rest" || state === "memory" || state === "suspended")
    const pushed = Effect.gen({ self: this }, function*() {
      for (const [id, task] of left()) {
        if (task.state === "memory") yield* this.tell(id, task, "success")
        // One that was resumed waits again for what it waited for before.
        else if (task.commands.at(-1) === "suspend") yield* this.wake(id, task)
      }
      yield* this.store.adjustClock(1_000)
    })
    yield* eventually("all to end", Effect.map(Effect.orDie(pushed), left), (tasks) => tasks.length === 0)
    yield* Effect.forEach(this.settling, (fiber) => Fiber.join(fiber))
  })
}

const timed = (claim: Claimed & Span, startedAt: ReadonlyMap<string, number>): Fact => {
  const at = startedAt.get(claim.took[0]!)!
  return { ...claim, at, until: at }
}

const toLimits = ({ ageingMs, concurrency, executorConcurrency, partitioned, rateLimit }: QueueLimits) => {
  const rateOf = (rate: QueueLimits["rateLimit"]) =>
    rate === null ? undefined : { limit: rate.limit, period: rate.periodMs }
  return {
    concurrency: concurrency ?? undefined,
    executorConcurrency: executorConcurrency ?? undefined,
    rateLimit: rateOf(rateLimit),
    partitioned: partitioned === null ? undefined : {
      concurrency: partitioned.concurrency,
      executorConcurrency: partitioned.executorConcurrency ?? undefined,
      rateLimit: rateOf(partitioned.rateLimit)
    },
    ageing: ageingMs ?? undefined
  } satisfies WorkflowQueue.Limits
}
