/** A plan carried out: engines in one process, on one store in memory, on a machine whose time is simulated. */
import * as SqliteStore from "@perdure/sqlite/SqliteStore"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Client from "perdure/Client"
import * as Engine from "perdure/Engine"
import { Store, type StoreError, type WorkflowRow } from "perdure/Store"
import * as WorkflowContext from "perdure/WorkflowContext"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { body, Broken, messageOf, nodeOf, type Witness } from "../property/programs/body.ts"
import { differBut, differences, isWithin } from "../property/programs/differences.ts"
import type { Program } from "../property/programs/program.ts"
import { interpret } from "../property/programs/reference.ts"
import { makeLedger, pathsOf, ranAgain, retried, values } from "../property/programs/run.ts"
import { History } from "./history.ts"
import { onMachine } from "./machine.ts"
import type { Act, Plan } from "./plan.ts"
import { options } from "./settings.ts"
import { type Caller, Faults, wire } from "./wire.ts"

/** By then everything has ended, whatever went wrong: all that is planned takes less. */
const limitMs = 900_000

/** What went otherwise than it must; empty: nothing. `counts`: of what happened, to be added to. */
export const simulate = async (plan: Plan, counts: Map<string, number>): Promise<ReadonlyArray<string>> => {
  const history = new History(counts, plan)
  const { exit, rejections } = await onMachine(
    plan.chance,
    limitMs + 60_000,
    Effect.scoped(Effect.suspend(() => new Simulation(plan, history).run))
  )
  return [
    ...history.wrong,
    ...exit === undefined
      ? ["nothing happens any more"]
      : Exit.isFailure(exit)
      ? [Cause.pretty(exit.cause)]
      : exit.value,
    ...rejections.map((reason) => `unhandled rejection: ${String(reason)}`)
  ]
}

type Needs = Store | SqlClient

const first = "program"

/** A program that is run, by the id of its workflow. */
interface Work {
  readonly root: string
  readonly program: Program
  readonly others: number
  readonly queued: boolean
}

/** Whose workflow, or child, it is. */
const rootOf = (workflowId: string): string => workflowId.split("/")[0]!

class Process implements Caller {
  readonly name: string
  readonly scope: Scope.Closeable
  gone = false
  private ending = false
  private readonly ended: (afterMs: number) => void

  /** `ended`: called once, when it begins to end. */
  constructor(name: string, scope: Scope.Closeable, ended: (process: Process, afterMs: number) => void) {
    this.name = name
    this.scope = scope
    this.ended = (afterMs) => {
      if (!this.ending) ended(this, afterMs)
      this.ending = true
    }
  }

  readonly end = {
    dies: (afterMs: number): void => {
      this.gone = true
      this.ended(afterMs)
    },
    leaves: (): void => this.ended(0)
  }
}

class Simulation {
  private readonly plan: Plan
  private readonly history: History
  private readonly faults: Faults
  private readonly node = nodeOf("Node")
  private readonly queue: WorkflowQueue.WorkflowQueue
  private readonly works: ReadonlyArray<Work>
  private processes = 0
  /** Acts that go on. */
  private acting = 0
  private act: (act: Act) => void = () => {}

  constructor(plan: Plan, history: History) {
    this.plan = plan
    this.history = history
    this.faults = new Faults(plan)
    const { concurrency, executorConcurrency, others, program, queued } = plan
    this.queue = WorkflowQueue.make("queue", {
      concurrency: concurrency ?? undefined,
      executorConcurrency: executorConcurrency ?? undefined
    })
    this.works = [
      ...queued.map((program, index) => ({ root: `queued ${index}`, program, others: 0, queued: true })),
      { root: first, program, others, queued: false }
    ]
  }

  readonly run = Effect.gen({ self: this }, function*() {
    const { executors } = this.plan
    const database = yield* Layer.build(
      Layer.fresh(SqliteStore.layer({ filename: ":memory:", synchronous: "NORMAL" }))
    )
    yield* Effect.provideContext(makeLedger, database)
    for (let count = 0; count < executors; count++) yield* this.starts(database)
    const outside = yield* this.client("client", database)
    const operator = yield* this.client("operator", database)
    const all = yield* Effect.scope
    this.act = (act) => {
      this.acting++
      const done = Effect.ensuring(this.acts(database, act), Effect.sync(() => this.acting--))
      Effect.runFork(Effect.forkIn(Effect.provideContext(done, operator), all))
    }
    const driven = Effect.gen({ self: this }, function*() {
      const handles = yield* Effect.forEach(this.works, (work) => again(this.begins(work)))
      yield* this.sends
      for (const handle of handles) yield* Effect.exit(handle.result)
      yield* this.quiet(database)
      for (let act = this.faults.takeAct(); act !== undefined; act = this.faults.takeAct()) {
        this.act(act)
        yield* this.quiet(database)
      }
    })
    return yield* Effect.provideContext(driven, outside).pipe(
      Effect.andThen(this.wrong(database)),
      Effect.timeoutOrElse({ duration: limitMs, orElse: () => this.state(database) })
    )
  }).pipe(
    Effect.provide(Logger.layer([Logger.make(({ logLevel, message }) => {
      this.history.wrong.push(`logged as ${logLevel}: ${String(message)}`)
    })])),
    Effect.provideService(References.MinimumLogLevel, "Error")
  )

  private begins({ others, program, queued, root }: Work) {
    const payload = { program, path: "", fails: false, others, from: 0 }
    const { timeoutMs } = this.plan
    return queued
      ? this.queue.enqueue(this.node, payload, { workflowId: root })
      : this.node.start(payload, { workflowId: root, ...timeoutMs === null ? {} : { timeout: timeoutMs } })
  }

  /** To each all that it waits for, in order; where it has ended: to nobody. */
  private readonly sends = Effect.suspend(() =>
    Effect.forEach(this.works, ({ others, root }) =>
      Effect.gen(function*() {
        for (const value of values(others)) {
          yield* again(messageOf("other").send(root, value, { idempotencyKey: `other ${value}` }))
        }
        yield* again(messageOf("end").send(root, 0, { idempotencyKey: "end" }))
      }).pipe(
        Effect.catchIf(
          ({ reason }) => reason._tag === "MessageUndeliverable" && reason.why === "ended",
          () => Effect.void
        )
      ), { discard: true })
  )

  private acts(database: Context.Context<Needs>, act: Act) {
    return Effect.gen({ self: this }, function*() {
      const rows = yield* this.rows(database)
      const one = (ids: ReadonlyArray<string>) => ids.slice(Math.floor(Math.random() * ids.length)).slice(0, 1)
      const ids = rows.filter(concerns[act]).map(({ workflowId }) => workflowId)
      const whom = act === "are resumed" && Math.random() < 0.5 ? ids : one(ids)
      if (whom.length === 0) return
      this.history.happened(act)
      if (act !== "are resumed") yield* again(Client.cancel(whom))
      if (act === "is cancelled") return
      // Of several some may have been resumed already, or have been undone.
      yield* Effect.catchIf(
        again(Client.resume(whom)),
        ({ reason }) => reason._tag === "NotResumable",
        () => Effect.void
      )
      yield* this.sends
    })
  }

  private rows(database: Context.Context<Needs>) {
    return Context.get(database, Store).list({ order: "asc", limit: 1_000, values: false })
  }

  /** Everything is done, and nobody does anything. */
  private quiet(database: Context.Context<Needs>): Effect.Effect<void, StoreError> {
    return Effect.flatMap(
      this.rows(database),
      (rows) =>
        this.acting === 0 && rows.every(({ phase }) => phase === "done")
          ? Effect.void
          : Effect.andThen(Effect.sleep(500), this.quiet(database))
    )
  }

  // ---------------------------------------------------------------------------
  // processes
  // ---------------------------------------------------------------------------

  /** An executor in a process of its own, and after it the next one, and so on. */
  private starts(database: Context.Context<Needs>): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const all = yield* Effect.scope
      const process = new Process(`process ${++this.processes}`, yield* Scope.fork(all), (ended, afterMs) => {
        const another = Effect.andThen(Effect.sleep(afterMs), this.starts(database))
        if (ended.gone) this.history.dies(ended.name)
        // What is gone has no shutdown: nothing of it reaches anybody. Its loops only burden the machine.
        const both = Effect.all([Scope.close(ended.scope, Exit.void), another], { concurrency: "unbounded" })
        Effect.runForkWith(services)(Effect.forkIn(Effect.provideService(both, Scope.Scope, all), all))
      })
      const services = yield* Effect.context<never>()
      const layer = this.workflows(process).pipe(
        Layer.provideMerge(Engine.layer({ ...options, executorId: process.name })),
        Layer.provide(this.storeOf(database, process))
      )
      yield* Effect.forkIn(untilBuilt(layer, process.scope), process.scope)
    })
  }

  private workflows(process: Process) {
    const began = (undoes: boolean) => (path: string) =>
      Effect.flatMap(WorkflowContext.current, ({ step, workflowId }) => {
        // A process that is gone does nothing more.
        if (process.gone) return Effect.never
        const { name: caller } = process
        const of = pathIn(rootOf(workflowId!), path)
        const ended = this.history.began({ caller, path: of, stepId: step!.stepId, workflowId: workflowId!, undoes })
        return Effect.sleep(stepMs()).pipe(
          Effect.onInterrupt(() => Effect.sleep(endingMs())),
          Effect.ensuring(Effect.sync(ended))
        )
      })
    const witness: Witness = {
      began: began(false),
      undoes: began(true),
      woke: (path, due) => this.history.woke(path, due)
    }
    return this.node.toLayer((node) =>
      Effect.flatMap(WorkflowContext.current, ({ workflowId }) => body(witness, this.node, rootOf(workflowId!), node))
        .pipe(
          // What a program does not handle is no part of it.
          Effect.catch((error) => error instanceof Broken ? Effect.fail(error) : Effect.die(error))
        )
    )
  }

  /** A process that runs nothing: whoever starts the program and awaits its end, and whoever steps in meanwhile. */
  private client(name: string, database: Context.Context<Needs>) {
    return Effect.gen({ self: this }, function*() {
      const scope = yield* Effect.scope
      const caller: Caller = { name, gone: false, end: undefined }
      const layer = Layer.provide(Engine.layerClient({ poll: options.poll }), this.storeOf(database, caller))
      return yield* untilBuilt(layer, scope)
    })
  }

  private storeOf(database: Context.Context<Needs>, caller: Caller) {
    const store = wire(
      Context.get(database, Store),
      caller,
      this.faults,
      this.plan,
      this.history,
      (act) => this.act(act)
    )
    return Layer.succeedContext(Context.add(database, Store, store))
  }

  // ---------------------------------------------------------------------------
  // the end
  // ---------------------------------------------------------------------------

  private wrong(database: Context.Context<Needs>) {
    return Effect.gen({ self: this }, function*() {
      const looking = yield* Layer.build(
        Layer.provide(Layer.fresh(Engine.layerClient()), Layer.succeedContext(database))
      )
      const mayBeCut = (id: string) => this.history.mayBeCut(id)
      const rows = yield* this.rows(database)
      const expired = rows.filter(({ reason }) => reason?.includes(`"by":"timeout"`))
      return [
        ...(yield* Effect.forEach(this.works, ({ others, program, root }) => {
          const world = interpret(program, values(others))
          const cut = rows.map(({ workflowId }) => workflowId).filter((id) => rootOf(id) === root && mayBeCut(id))
            .map((id) => id === root ? "" : id.slice(root.length + 1))
          const begun = this.history.begun.filter(({ path }) => path.startsWith(pathIn(root, "")))
            .map(({ path, ...rest }) => ({ ...rest, path: path.slice(pathIn(root, "").length) }))
          return differences(database, this.node, root, world, mayBeCut).pipe(
            Effect.provideContext(looking),
            Effect.map((wrong) => [
              ...wrong,
              ...differBut(
                "steps that ran",
                world.ran,
                pathsOf(begun),
                (path) => cut.some((one) => isWithin(one, path))
              ),
              ...ranAgain(begun, retried(program, "m"))
            ])
          )
        })).flat(),
        ...expired.flatMap(({ completedAt, deadlineAt, workflowId }) =>
          completedAt! < deadlineAt! ? [`"${workflowId}" was out of time too early`] : []
        )
      ]
    })
  }

  private state(database: Context.Context<Needs>) {
    return Effect.map(
      this.rows(database),
      (rows) => [`it does not end: ${JSON.stringify(rows)}`]
    )
  }
}

/** Of an operation, among those of all programs. */
const pathIn = (root: string, path: string): string => `${root}:${path}`

const concerns: { readonly [K in Act]: (row: WorkflowRow) => boolean } = {
  "is cancelled": () => true,
  "are resumed": ({ status }) => status === "CANCELLED",
  "is cancelled and resumed": ({ phase }) => phase === "run"
}

/** As a process that is started again until it comes up. */
const untilBuilt = <A, E>(layer: Layer.Layer<A, E>, scope: Scope.Scope): Effect.Effect<Context.Context<A>> =>
  Effect.gen(function*() {
    const attempt = yield* Scope.fork(scope)
    const exit = yield* Effect.exit(Layer.buildWithScope(Layer.fresh(layer), attempt))
    if (Exit.isSuccess(exit)) return exit.value
    yield* Scope.close(attempt, exit)
    yield* Effect.sleep(100)
    return yield* untilBuilt(layer, scope)
  })

/** How long a step takes: mostly no time, now and then about as long as a lease. */
const stepMs = (): number => {
  const dice = Math.random()
  return dice < 0.6 ? 0 : dice < 0.8 ? Math.random() * 20 : Math.random() * 4_000
}

/** How long one takes that is interrupted: never as long as nobody waits for it any more. */
const endingMs = (): number => Math.random() < 0.7 ? 0 : Math.random() * 1_000

/** As whoever is not told what became of a call makes it again. */
const again = <A, E extends { readonly isRetryable: boolean }, R>(call: Effect.Effect<A, E, R>) =>
  Effect.retry(call, { while: (error) => error.isRetryable, times: 100 })
