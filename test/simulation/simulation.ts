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
import * as Engine from "perdure/Engine"
import { Store } from "perdure/Store"
import * as WorkflowContext from "perdure/WorkflowContext"
import { body, Broken, messageOf, nodeOf, type Witness } from "../property/programs/body.ts"
import { differ, differences } from "../property/programs/differences.ts"
import { interpret } from "../property/programs/reference.ts"
import { makeLedger, ranAgain, retried, values } from "../property/programs/run.ts"
import { History } from "./history.ts"
import { onMachine } from "./machine.ts"
import type { Plan } from "./plan.ts"
import { options } from "./settings.ts"
import { type Caller, Faults, wire } from "./wire.ts"

/** By then everything has ended, whatever went wrong: all that is planned takes less. */
const limitMs = 900_000

/** What went otherwise than it must; empty: nothing. `counts`: of what happened, to be added to. */
export const simulate = async (plan: Plan, counts: Map<string, number>): Promise<ReadonlyArray<string>> => {
  const history = new History(counts)
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

const root = "program"

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
  private processes = 0

  constructor(plan: Plan, history: History) {
    this.plan = plan
    this.history = history
    this.faults = new Faults(plan)
  }

  readonly run = Effect.gen({ self: this }, function*() {
    const { executors, others, program } = this.plan
    const database = yield* Layer.build(
      Layer.fresh(SqliteStore.layer({ filename: ":memory:", synchronous: "NORMAL" }))
    )
    yield* Effect.provideContext(makeLedger, database)
    for (let count = 0; count < executors; count++) yield* this.starts(database)
    const outside = yield* this.client(database)
    const driven = Effect.gen({ self: this }, function*() {
      const started = this.node.start({ program, path: "", fails: false, others }, { workflowId: root })
      const handle = yield* again(started)
      for (const value of values(others)) {
        yield* again(messageOf("other").send(root, value, { idempotencyKey: `other ${value}` }))
      }
      yield* again(messageOf("end").send(root, 0, { idempotencyKey: "end" }))
      yield* Effect.exit(handle.result)
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

  // ---------------------------------------------------------------------------
  // processes
  // ---------------------------------------------------------------------------

  /** An executor in a process of its own, and after it the next one, and so on. */
  private starts(database: Context.Context<Needs>): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function*() {
      const all = yield* Effect.scope
      const process = new Process(`process ${++this.processes}`, yield* Scope.fork(all), (ended, afterMs) => {
        const another = Effect.andThen(Effect.sleep(afterMs), this.starts(database))
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
    const began = (path: string) =>
      Effect.flatMap(WorkflowContext.current, ({ step, workflowId }) => {
        // A process that is gone does nothing more.
        if (process.gone) return Effect.never
        this.history.began({ caller: process.name, path, stepId: step!.stepId, workflowId: workflowId! })
        return Effect.sleep(stepMs())
      })
    const witness: Witness = { began }
    return this.node.toLayer((node) =>
      body(witness, this.node, root, node).pipe(
        // What a program does not handle is no part of it.
        Effect.catch((error) => error instanceof Broken ? Effect.fail(error) : Effect.die(error))
      )
    )
  }

  /** Whoever starts the program, sends it messages and awaits its end. */
  private client(database: Context.Context<Needs>) {
    return Effect.gen({ self: this }, function*() {
      const scope = yield* Effect.scope
      const caller: Caller = { name: "client", gone: false, end: undefined }
      const layer = Layer.provide(Engine.layerClient({ poll: options.poll }), this.storeOf(database, caller))
      return yield* untilBuilt(layer, scope)
    })
  }

  private storeOf(database: Context.Context<Needs>, caller: Caller) {
    const store = wire(Context.get(database, Store), caller, this.faults, this.plan, this.history)
    return Layer.succeedContext(Context.add(database, Store, store))
  }

  // ---------------------------------------------------------------------------
  // the end
  // ---------------------------------------------------------------------------

  private wrong(database: Context.Context<Needs>) {
    return Effect.gen({ self: this }, function*() {
      const { others, program } = this.plan
      const { begun } = this.history
      const world = interpret(program, values(others))
      const looking = yield* Layer.build(
        Layer.provide(Layer.fresh(Engine.layerClient()), Layer.succeedContext(database))
      )
      return [
        ...yield* Effect.provideContext(differences(database, this.node, root, world), looking),
        ...differ("steps that ran", [...world.ran].toSorted(), [...new Set(begun.map(({ path }) => path))].toSorted()),
        ...ranAgain(begun, retried(program, "m"))
      ]
    })
  }

  private state(database: Context.Context<Needs>) {
    return Effect.map(
      Context.get(database, Store).list({ idPrefix: root, order: "asc", limit: 100, values: false }),
      (rows) => [`it does not end: ${JSON.stringify(rows)}`]
    )
  }
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

/** As whoever is not told what became of a call makes it again. */
const again = <A, E extends { readonly isRetryable: boolean }, R>(call: Effect.Effect<A, E, R>) =>
  Effect.retry(call, { while: (error) => error.isRetryable, times: 100 })
