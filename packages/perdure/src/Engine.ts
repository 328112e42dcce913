/**
 * The engine: what everything durable in this package needs. One value, one engine; two of them are two engines.
 *
 * `Engine.layer(options)` runs workflows in this process. `Engine.layerClient` only talks to the store: a start means
 * enqueue, results are awaited; for a web tier or a script.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { patienceMs, patient } from "./internal/answering.ts"
import type { Core, EngineSettings } from "./internal/core.ts"
import { DatabaseClock } from "./internal/databaseClock.ts"
import { ExecutorLoops } from "./internal/executor.ts"
import { hear, tell } from "./internal/hearing.ts"
import { invalid } from "./internal/invalid.ts"
import { Journal, untilItPasses } from "./internal/journal.ts"
import { loop } from "./internal/loop.ts"
import { checkKey, positiveDurationMs } from "./internal/names.ts"
import { checkQueueName, DEBOUNCER_QUEUE } from "./internal/queueDefinition.ts"
import { Queues } from "./internal/queues.ts"
import { Scheduler } from "./internal/scheduler.ts"
import { attemptSync } from "./internal/starting.ts"
import { Waiters } from "./internal/waiters.ts"
import { Watching } from "./internal/watching.ts"
import { Store, type StoreError } from "./Store.ts"
import { fromStoreError, type WorkflowError } from "./WorkflowError.ts"
import type { WorkflowQueue } from "./WorkflowQueue.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** How an engine behaves. */
export interface Options {
  /** Names this process role in listings. Default: `"local"`. Each start of the process is its own incarnation anyway. */
  readonly executorId?: string | undefined
  /**
   * The version of the application's code. A workflow is run only by executors of the version that it was started under,
   * and by those that call themselves {@link Options.compatible} with it. Default: `""`: of no version.
   */
  readonly version?: string | undefined
  /**
   * Other versions of the application, mostly older ones, whose workflows this code can run and go on with. What has been
   * started under them keeps its version. Default: none.
   */
  readonly compatible?: ReadonlyArray<string> | undefined
  /**
   * The queues that this executor takes workflows from: definitions, whose limits are then told to the store, or names of
   * queues that others declare. What is started without a queue it runs in any case. Default: all queues.
   */
  readonly queues?: ReadonlyArray<WorkflowQueue | string> | undefined
  /**
   * How long this executor's right to its workflows lasts without renewal. When it lapses, others take over; so this is
   * most of the time that a killed process costs, where nobody on its machine sees that it has ended. Shorter recovers
   * sooner and tolerates shorter pauses of the process. Default: 15 seconds.
   */
  readonly lease?: Duration.Input | undefined
  /**
   * How often the lease is renewed and lapsed ones are looked for. Must be at most half the lease. Default: a fifth of the
   * lease.
   */
  readonly heartbeat?: Duration.Input | undefined
  /** How often work is looked for without a hint. Default: 1 second. */
  readonly poll?: Duration.Input | undefined
  /**
   * How long a workflow in which everything waits stays in memory. Waits shorter than this are not worth suspending for;
   * one that only sleeps, and longer than this, leaves memory soon. Default: 5 seconds.
   */
  readonly suspendAfter?: Duration.Input | undefined
  /** How long a replay waits for plain asynchronous work before it calls code and history different. Default: 10 seconds. */
  readonly replayGrace?: Duration.Input | undefined
  /** How long a shutdown lets running steps finish. Default: 10 seconds. */
  readonly shutdown?: Duration.Input | undefined
  /** Most workflows in memory at once. Default: 10,000. */
  readonly maxRunning?: number | undefined
  /**
   * Most durable operations of one life of a workflow: a further one fails with `TooManySteps`. What is recorded counts
   * for itself, so lowering it harms nothing. Default: 100,000.
   */
  readonly maxSteps?: number | undefined
}

/** What an engine does where an option is not given. */
export const defaults = {
  executorId: "local",
  version: "",
  lease: "15 seconds",
  poll: "1 second",
  suspendAfter: "5 seconds",
  replayGrace: "10 seconds",
  shutdown: "10 seconds",
  maxRunning: 10_000,
  maxSteps: 100_000
} as const satisfies Options

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/** A running engine. What it does is reached through the other modules. */
export interface EngineService {
  readonly executorId: string
  readonly version: string
  /** Whether workflows run in this process. */
  readonly runsWorkflows: boolean
  /** @internal */
  readonly core: Core
}

/** The engine that the current scope works with. Provided by {@link layer} or {@link layerClient}. */
export class Engine extends Context.Service<Engine, EngineService>()("perdure/Engine") {}

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * An engine that runs workflows in this process.
 *
 * *Details*
 *
 * Building it registers this process with the store; it fails with a `WorkflowError` for options that make no sense and
 * when the store cannot be reached. After that the engine survives what the database does. When its scope closes it
 * claims nothing more, lets running steps finish up to `shutdown`, gives its workflows back and leaves.
 */
export const layer = (options: Options = {}): Layer.Layer<Engine, WorkflowError, Store> =>
  Layer.effect(Engine, make(options, true))

/** An engine that runs no workflows: starts are enqueued for executors, results are awaited. */
export const layerClient = (
  options: Pick<Options, "version" | "poll"> = {}
): Layer.Layer<Engine, WorkflowError, Store> => Layer.effect(Engine, make({ ...options, executorId: "client" }, false))

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

const settingsOf = ({
  compatible = [],
  executorId = defaults.executorId,
  heartbeat,
  lease = defaults.lease,
  maxRunning = defaults.maxRunning,
  maxSteps = defaults.maxSteps,
  poll = defaults.poll,
  queues,
  replayGrace = defaults.replayGrace,
  shutdown = defaults.shutdown,
  suspendAfter = defaults.suspendAfter,
  version = defaults.version
}: Options): EngineSettings => {
  const leaseMs = positiveDurationMs("lease", lease)
  const settings: EngineSettings = {
    executorId: checkKey(executorId, "executorId"),
    version: version === "" ? "" : checkKey(version, "version"),
    leaseMs,
    heartbeatMs: heartbeat === undefined ? Math.ceil(leaseMs / 5) : positiveDurationMs("heartbeat", heartbeat),
    pollMs: positiveDurationMs("poll", poll),
    suspendAfterMs: positiveDurationMs("suspendAfter", suspendAfter),
    replayGraceMs: positiveDurationMs("replayGrace", replayGrace),
    shutdownMs: positiveDurationMs("shutdown", shutdown),
    maxRunning,
    maxSteps,
    compatible: compatible.map((version) => version === "" ? "" : checkKey(version, "compatible version")),
    queues: queues === undefined ? null : [
      ...queues.map((queue) => typeof queue === "string" ? checkQueueName(queue) : queue.name),
      DEBOUNCER_QUEUE.name
    ]
  }
  if (settings.heartbeatMs * 2 > settings.leaseMs) {
    throw invalid("heartbeat", "it is more than half the lease", "Renew at least twice in a lease, better five times.")
  }
  for (const limit of ["maxRunning", "maxSteps"] as const) {
    if (Number.isInteger(settings[limit]) && settings[limit] >= 1) continue
    throw invalid(limit, `it is ${settings[limit]}`, "Give a whole number from 1.")
  }
  return settings
}

const make = (options: Options, runs: boolean): Effect.Effect<EngineService, WorkflowError, Store | Scope.Scope> =>
  Effect.gen(function*() {
    const settings = yield* attemptSync(() => settingsOf(options))
    const store = patient(yield* Store, patienceMs)
    const context = yield* Effect.context<never>()
    const scope = yield* Effect.scope
    // Closed last, after everything that still needs what is forked in it.
    const background = yield* Scope.make()
    yield* Effect.addFinalizer((exit) =>
      Effect.andThen(
        Scope.close(background, exit),
        Effect.sync(() => {
          journal.close()
          waiters.close()
          watching.close()
        })
      )
    )
    const runFork = Effect.runForkWith(context)
    const fork: Core["fork"] = (effect) => Fiber.runIn(runFork(effect), background)
    const run = (effect: Effect.Effect<void>) => void fork(effect)
    const clock = new DatabaseClock()
    const journal = new Journal(store, {
      lanes: store.name === "sqlite" ? 1 : 2,
      batchSize: 1000,
      batchBytes: 4 * 1024 * 1024,
      patienceMs
    }, run)
    let executor: ExecutorLoops | undefined = undefined as ExecutorLoops | undefined
    let scheduler: Scheduler | undefined = undefined as Scheduler | undefined
    const watching: Watching = new Watching({
      store,
      tell: (hints) => run(tell(core, hints)),
      now: () => clock.now(),
      fork: run,
      isRunning: (workflowId) => executor?.isRunning(workflowId),
      lookForEnd: (workflowId) => waiters.lookAt(workflowId),
      claim: () => executor?.claimNow()
    })
    const waiters: Waiters = new Waiters(
      store,
      run,
      (workflowId) => executor?.isRunning(workflowId) === true,
      (workflowId) => watching.ended(workflowId)
    )
    const queues = new Queues(store, run)
    const polls = yield* signal
    // They know each other: what is made below runs what the core starts.
    const core: Core = {
      store,
      clock,
      journal,
      waiters,
      watching,
      queues,
      settings,
      context,
      fork,
      listener: globalThis.crypto.randomUUID(),
      hearers: new Set(),
      pollNow: () => void Queue.offerUnsafe(polls, undefined),
      get executor() {
        return executor
      },
      schedulesNow: () => scheduler?.lookNow()
    }

    if (!runs) {
      const sentAt = performance.now()
      clock.sync(yield* Effect.mapError(store.now, fromStoreError), sentAt)
      yield* listen(core, polls)
      yield* Effect.addFinalizer(() => Effect.timeoutOption(journal.drained, settings.shutdownMs))
      return serviceOf(core)
    }

    const signals = { claims: yield* signal, beats: yield* signal, sweeps: yield* signal, schedules: yield* signal }
    const schedules = scheduler = new Scheduler(core, signals.schedules)
    const loops = executor = new ExecutorLoops(core, signals)
    yield* Effect.mapError(loops.join, fromStoreError)
    for (const queue of options.queues ?? []) {
      if (typeof queue !== "string") yield* queues.registered(queue.definition)
    }
    // In reverse: first the loops stop being needed, then the workflows are given back, then the journal is empty.
    yield* Effect.addFinalizer(() => Effect.timeoutOption(journal.drained, settings.shutdownMs))
    for (const body of loops.loops) yield* Effect.forkIn(body, scope)
    yield* Effect.forkIn(loop("schedule", signals.schedules, settings.pollMs, schedules.fireDue), scope)
    yield* Effect.addFinalizer(() => schedules.close)
    yield* Effect.addFinalizer(() => loops.shutdown)
    yield* listen(core, polls)
    return serviceOf(core)
  })

const serviceOf = (core: Core): EngineService => ({
  executorId: core.settings.executorId,
  version: core.settings.version,
  runsWorkflows: core.executor !== undefined,
  core
})

/** Several signals before they are heard are one. */
const signal = Queue.dropping<void>(1)

/** Looks for what is waited for at every poll, and acts on hints as long as the store has any. */
const listen = (core: Core, polls: Queue.Queue<void>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    // What others did before it hears may have been missed, after a failure too: everything is looked at once then.
    const missed = Effect.sync(() => {
      core.executor?.claimNow()
      core.executor?.heartbeatNow()
      core.schedulesNow()
      core.pollNow()
    })
    const listening: Effect.Effect<void, StoreError> = Stream.runForEach(
      core.store.hints(core.listener, missed),
      (hint) => Effect.sync(() => hear(core, hint))
    )
    yield* Effect.forkScoped(Effect.retry(listening, untilItPasses))
    // Of two kinds of waiters, one must not keep the others from theirs.
    const all = Effect.flatMap(Effect.exit(core.waiters.poll), (exit) => Effect.andThen(core.watching.poll, exit))
    // Many who wait cost much: whoever writes all the time shall not have them looked for all the time.
    const poll = Effect.flatMap(
      Effect.timed(all),
      ([took]) => Effect.sleep(Math.min(core.settings.pollMs, 4 * Duration.toMillis(took)))
    )
    yield* Effect.forkScoped(loop("poll", polls, core.settings.pollMs, poll))
  })
