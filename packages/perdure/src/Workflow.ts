/**
 * Workflows: durable programs, defined by a name and schemas, implemented by a layer.
 *
 * A definition is a value, apart from its body, so that a client can import it without the body. The body is an Effect;
 * what it does through steps, transactions, children and the functions of this module is recorded, so after a crash the
 * body runs again from its start, recorded outcomes answer for themselves, and the work goes on where it stopped.
 *
 * The one rule: which durable operations a body runs, and in which branch, may depend only on the payload, on recorded
 * outcomes and on the workflow's clock. `Effect.sleep`, `Effect.timeout`, retries with a schedule and the current time
 * are of that clock in a body, and durable. Other effects belong in a step.
 */
import type * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Engine } from "./Engine.ts"
import { executeChild } from "./internal/children.ts"
import * as Codec from "./internal/codec.ts"
import * as Continuing from "./internal/continuing.ts"
import type { Definition } from "./internal/definition.ts"
import { checkKey, checkTargetId, checkWorkflowName, MAX_COUNT, positiveDurationMs } from "./internal/names.ts"
import type { Operation } from "./internal/operation.ts"
import * as Queuing from "./internal/queuing.ts"
import { CurrentRun } from "./internal/run.ts"
import { attemptSync } from "./internal/starting.ts"
import * as Structure from "./internal/structure.ts"
import { isPart } from "./internal/transactions.ts"
import type { StepFailed } from "./StepFailed.ts"
import type { InWorkflow } from "./WorkflowContext.ts"
import { InvalidArgument, TransactionMisused, WorkflowError } from "./WorkflowError.ts"
import * as WorkflowHandle from "./WorkflowHandle.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** A schema whose values can be stored: its codec needs no services. */
export type Storable = Schema.ConstraintCodec<any, any, never, never>

/** How one start differs from the definition. */
export interface ExecuteOptions {
  /**
   * The workflow's id, and its idempotency key: the same id with the same name and payload attaches to the first start,
   * with another it fails with `WorkflowConflict`. 1 to 400 bytes, no control characters. Default: a random UUID; for a
   * child `{parent}-{stepId}`.
   */
  readonly workflowId?: string | undefined
  /** From start to end, on the database's clock. Default: the scope's, else the definition's, else none. */
  readonly timeout?: Duration.Input | undefined
  /** It starts only after so long, on the database's clock; until then it is `DELAYED`. Default: at once. */
  readonly delay?: Duration.Input | undefined
  /**
   * The version of the application that is to run it; `""`: the one that is the latest when it starts. Default: that of
   * the engine that starts it.
   */
  readonly version?: string | undefined
  /** For people, and to search by: at most 64, text of at most 1,024 bytes. Not handed on to children. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>> | undefined
  /** For a child: identity of the start in its branch. Needed where several forked fibers start the same workflow. */
  readonly key?: string | undefined
  /** For a child: it is not cancelled with its parent, and does not inherit the parent's deadline. Default: false. */
  readonly detached?: boolean | undefined
}

/** A workflow's definition. */
export interface Workflow<Name extends string, Payload, Success, Error> {
  readonly name: Name
  readonly payloadSchema: Schema.Codec<Payload, any>
  readonly successSchema: Schema.Codec<Success, any>
  readonly errorSchema: Schema.Codec<Error, any>

  /** @internal */
  readonly definition: Definition

  /**
   * Starts the workflow and waits for its result.
   *
   * *Details*
   *
   * Fails with the workflow's own error, or with a `WorkflowError`. Before anything durable happens it may fail with
   * `InvalidArgument`, `Unencodable`, `PayloadTooLarge` or `WorkflowUnauthorized`.
   *
   * **Durability.** Once the start is durable the workflow runs to its end whatever becomes of this process or of the
   * caller: interrupting the caller outside a workflow detaches it. Inside a body the workflow is a child: its row and
   * the parent's record commit together, its result is recorded, and interrupting the wait cancels it, unless it is detached
   * or was started by somebody else.
   */
  readonly execute: (
    ...args: [Payload] extends [void] ? [payload?: Payload, options?: ExecuteOptions]
      : [payload: Payload, options?: ExecuteOptions]
  ) => Effect.Effect<Success, Error | WorkflowError, Engine>

  /** Starts the workflow. Succeeds with its handle once the start is durable. Otherwise like {@link Workflow.execute}. */
  readonly start: (
    ...args: [Payload] extends [void] ? [payload?: Payload, options?: ExecuteOptions]
      : [payload: Payload, options?: ExecuteOptions]
  ) => Effect.Effect<WorkflowHandle.WorkflowHandle<Success, Error>, WorkflowError, Engine>

  /**
   * In the body of this workflow: ends this life of it, and begins the next with another payload and an empty history, so
   * that a loop may run for ever.
   *
   * ```ts
   * const poller = Poller.toLayer(Effect.fnUntraced(function*({ cursor }) {
   *   const page = yield* Step.run("read page", readPage(cursor))
   *   yield* Workflow.sleep("1 minute")
   *   return yield* Poller.continueAsNew({ cursor: page.next })
   * }))
   * ```
   *
   * *Details*
   *
   * It is the same workflow: id, handles and who waits for its result, place in its queue, deadline, children, streams,
   * values of events, and messages that it has not received stay; `WorkflowInfo.continuations` counts. What else runs in
   * the body is interrupted, so a child that `execute` waits for just then is cancelled. Fails with `Unencodable` or
   * `PayloadTooLarge` for the payload, with `InvalidArgument` in the body of another workflow, with `OutsideWorkflow` in a
   * step.
   *
   * **Durability.** Everything that the life recorded is durable first; then its end and the next life's beginning are one
   * commit. Before it, the life goes on from its records; after it, nothing of them is left: rollbacks that they declared
   * are void, and what can be forked is the present life. Ids of steps count on over all lives, so what is made of them
   * (ids of children, idempotency keys) is never the same twice. In a workflow that continues, a message's idempotency key
   * is remembered for a day after it was consumed.
   */
  readonly continueAsNew: (
    ...args: [Payload] extends [void] ? [payload?: Payload] : [payload: Payload]
  ) => Effect.Effect<never, WorkflowError, InWorkflow>

  /** The handle of a workflow of this definition. Does not ask the store whether it exists. */
  readonly handle: (workflowId: string) => WorkflowHandle.WorkflowHandle<Success, Error>

  /**
   * The body, as a layer: while it lives, the engine runs workflows of this name.
   *
   * *Details*
   *
   * Each run has a `Scope` of its own; its finalizers run whenever the run leaves memory. The body's other services are
   * captured here, except what belongs to each workflow (principal, deadline, id, clock, random,
   * tracer parent). It may fail with the declared error, `StepFailed` and `WorkflowError`; the last two, and defects,
   * end the workflow in `ERROR` and reach callers as `WorkflowFailed`. When the layer's scope closes, nothing more of
   * this name is claimed and what runs is given back. Registering a name twice fails with `AlreadyRegistered`. With
   * `Engine.layerClient`, which runs no workflows, it registers nothing.
   */
  readonly toLayer: <R>(
    body: (payload: Payload) => Effect.Effect<Success, Error | StepFailed | WorkflowError, R>
  ) => Layer.Layer<never, WorkflowError, Engine | Exclude<R, Scope.Scope | InWorkflow>>
}

/** The payload's type, from its fields or schema. */
export type PayloadOf<P> = P extends Schema.Struct.Fields ? Schema.Struct<P>["Type"]
  : P extends { readonly "Type": infer A } ? A
  : void
/** The type of a schema, or another where there is none. */
export type TypeOf<S, Default> = S extends { readonly "Type": infer A } ? A : Default

/** What defines a workflow, besides its name. See {@link make}. */
export interface Options<
  P extends Storable | Schema.Struct.Fields | undefined,
  S extends Storable | undefined,
  E extends Storable | undefined
> {
  /** Fields or a schema. Default: no payload. */
  readonly payload?: P | undefined
  /** A schema. Default: no result. */
  readonly success?: S | undefined
  /** A schema. Default: no typed error. */
  readonly error?: E | undefined
  /**
   * Starting it needs one of them (see `Auth`), else `WorkflowUnauthorized`. The first that the principal has is its
   * assumed role. Default: none are asked for.
   */
  readonly requiredRoles?: ReadonlyArray<string> | undefined
  /**
   * Lease losses in a row, without a new record between, after which it is dead-lettered. Clean shutdowns, suspensions and
   * deploys do not count. Default: 5.
   */
  readonly maxRecoveryAttempts?: number | undefined
  /** From start to end. Default: none. */
  readonly timeout?: Duration.Input | undefined
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/** How often a workflow may lose its executor without recording anything new, before it is given up. */
export const defaultMaxRecoveryAttempts = 5

/**
 * Defines a workflow. Its name has 1 to 256 bytes and is what it is stored under, so renaming it is a change of code that
 * history sees.
 *
 * Throws a `WorkflowError` (`InvalidArgument`) for what makes no sense.
 */
export const make = <
  const Name extends string,
  P extends Storable | Schema.Struct.Fields | undefined = undefined,
  S extends Storable | undefined = undefined,
  E extends Storable | undefined = undefined
>(
  name: Name,
  options: Options<P, S, E> = {}
): Workflow<Name, PayloadOf<P>, TypeOf<S, void>, TypeOf<E, never>> => {
  const definition: Definition = {
    name: checkWorkflowName(name),
    payload: options.payload === undefined ? Codec.nothing : Codec.make<any>(schemaOf(options.payload)),
    payloadSchema: options.payload === undefined ? undefined : schemaOf(options.payload),
    success: options.success === undefined ? Codec.nothing : Codec.make<any>(options.success),
    successSchema: options.success,
    error: options.error,
    requiredRoles: (options.requiredRoles ?? []).map((role) => checkKey(role, "required role")),
    maxRecoveryAttempts: checkAttempts(options.maxRecoveryAttempts ?? defaultMaxRecoveryAttempts),
    timeoutMs: options.timeout === undefined ? undefined : positiveDurationMs("timeout", options.timeout)
  }
  return fromDefinition(definition, {
    payloadSchema: asCodec(options.payload === undefined ? Schema.Void : schemaOf(options.payload)),
    successSchema: asCodec(options.success ?? Schema.Void),
    errorSchema: asCodec(options.error ?? Schema.Never)
  }) as Workflow<any, any, any, any>
}

// -----------------------------------------------------------------------------
// time, randomness
// -----------------------------------------------------------------------------

/**
 * Sleeps. In a body durable, of any length: a workflow that only waits leaves memory. The same as `Effect.sleep` there.
 *
 * **Durability.** Nothing is written for a short one; a suspended workflow's wake time stands in the store.
 */
export const sleep = (duration: Duration.Input): Effect.Effect<void> => Effect.sleep(duration)

/** Sleeps until a time; returns at once when it has passed. In a body durable. */
export const sleepUntil = (time: DateTime.DateTime.Input): Effect.Effect<void, WorkflowError> =>
  Effect.flatMap(
    attemptSync(() => {
      const parsed = DateTime.make(time)
      if (parsed._tag === "Some") return DateTime.toEpochMillis(parsed.value)
      throw new WorkflowError({
        reason: new InvalidArgument({ argument: "time", detail: "it is not a time", remedy: "Give a valid date." })
      })
    }),
    (due) => Effect.clockWith((clock) => Effect.sleep(Math.max(0, due - clock.currentTimeMillisUnsafe())))
  )

const immediate = <A>(
  kind: "now" | "uuid" | "patch",
  name: string,
  key: string | undefined,
  make: () => A
): Operation => ({
  kind,
  name,
  identity: key ?? name,
  refused: Effect.die,
  replay: (record) => Exit.succeed(JSON.parse(record.value) as A),
  perform: () =>
    Effect.sync(() => {
      const value = make()
      return { outcome: "success", value: JSON.stringify(value), exit: Exit.succeed(value), attempts: 1 }
    })
})

const inBody = <A>(
  operation: (run: { readonly time: () => number }) => Operation,
  outside: Effect.Effect<A>
): Effect.Effect<A> =>
  Effect.withFiber((fiber) => {
    const run = fiber.getRef(CurrentRun)
    return run === undefined ? outside : run.ask(operation({ time: () => run.clock() })) as Effect.Effect<A>
  })

/**
 * The present time of the database's clock, recorded: later than the time of the last event, which is what the workflow's
 * clock shows. Outside a workflow, the clock's.
 *
 * `key`: its identity where several forked fibers ask.
 */
export const now = (options: { readonly key?: string | undefined } = {}): Effect.Effect<DateTime.Utc> =>
  Effect.map(
    inBody(
      ({ time }) => immediate("now", "now", options.key, time),
      Effect.clockWith((clock) => clock.currentTimeMillis)
    ),
    (ms) => DateTime.makeUnsafe(ms)
  )

/** A random UUID, recorded. `key`: its identity where several forked fibers ask. */
export const randomUUID = (options: { readonly key?: string | undefined } = {}): Effect.Effect<string> =>
  inBody(
    () => immediate("uuid", "randomUUID", options.key, () => crypto.randomUUID()),
    Effect.sync(() => crypto.randomUUID())
  )

/**
 * Declares a change of a body's code. True for workflows that come here for the first time, false for those that had
 * passed this point before the change was deployed.
 *
 * ```ts
 * if (yield* Workflow.patch("check fraud")) yield* Step.run("check fraud", checkFraud(order))
 * ```
 *
 * **Durability.** True is recorded. False needs no record: a history that goes on after this point without one is older
 * than the change. Outside a workflow it is true.
 *
 * **Its end.** When no workflow is left that passed this point before the change, drop the call and keep what it guarded:
 * `yield* Step.run("check fraud", checkFraud(order))`. Workflows that have its record go on; one that is older after all
 * is `BLOCKED`, as it is over any insertion.
 *
 * *Gotchas*
 *
 * A workflow that sleeps just after this point has no record yet that is later than it, so there it is true. What then
 * runs before the sleep moves it: a sleep is due counting from the last outcome before it.
 */
export const patch = (id: string): Effect.Effect<boolean> =>
  inBody(
    () => ({ ...immediate("patch", `patch ${id}`, undefined, () => true), passed: Exit.succeed(false) }),
    Effect.succeed(true)
  )

// -----------------------------------------------------------------------------
// structured concurrency
// -----------------------------------------------------------------------------

/** How branches are named and how many run at once. */
export interface BranchOptions {
  /** Identity among other uses in the same branch. Default: the function's name, counted. */
  readonly name?: string | undefined
  /** Default: one after another. */
  readonly concurrency?: number | "unbounded" | undefined
}

/**
 * `Effect.forEach` whose items are branches: in each, names of steps start afresh. The label of a branch is the item's
 * index, or `key(item)`, which survives a change of order.
 */
export const forEach = <X, A, E, R>(
  items: Iterable<X>,
  f: (item: X, index: number) => Effect.Effect<A, E, R>,
  options: BranchOptions & { readonly key?: ((item: X, index: number) => string) | undefined } = {}
): Effect.Effect<Array<A>, E, R> => Structure.forEach(items, f, options)

/** `Effect.all` whose effects are branches, labelled by index or by property. */
export const all: <
  const Arg extends Iterable<Effect.Effect<any, any, any>> | Record<string, Effect.Effect<any, any, any>>
>(
  effects: Arg,
  options?: BranchOptions
) => Effect.All.Return<Arg, { readonly concurrency: "unbounded" }> = Structure.all as any

/**
 * The first to settle, in success or failure; the others are interrupted. The winner is recorded.
 *
 * **Durability.** A loser's step that was not recorded is not started again by a replay.
 */
export const race: <Eff extends Effect.Effect<any, any, any>>(
  effects: ReadonlyArray<Eff>,
  options?: { readonly name?: string | undefined }
) => Effect.Effect<Effect.Success<Eff>, Effect.Error<Eff>, Effect.Services<Eff>> = Structure.race

/** What {@link select} gives: the label of the first, and its value. */
export type Selected<Effects extends Record<string, Effect.Effect<any, any, any>>> = {
  readonly [Label in keyof Effects & string]: {
    readonly _tag: Label
    readonly value: Effect.Success<Effects[Label]>
  }
}[keyof Effects & string]

/**
 * The first of several waits, told by its label; the others are interrupted.
 *
 * ```ts
 * const first = yield* Workflow.select({
 *   approved: Approval.receive(),
 *   withdrawn: Withdrawal.receive(),
 *   late: Effect.sleep("3 days")
 * })
 * if (first._tag === "approved") yield* ship(first.value.by)
 * ```
 *
 * Fails when the first to settle has failed. Without any it dies: of none, nothing is ever the first.
 *
 * **Durability.** Which one was first is recorded. What was interrupted has received, consumed and recorded nothing; the
 * message that it waited for is there for the next receive.
 */
export const select: <const Effects extends Record<string, Effect.Effect<any, any, any>>>(
  effects: Effects,
  options?: { readonly name?: string | undefined }
) => Effect.Effect<
  Selected<Effects>,
  Effect.Error<Effects[keyof Effects & string]>,
  Effect.Services<Effects[keyof Effects & string]>
> = Structure.select as any

/** `Effect.timeout` on the workflow's clock, with the effect in a branch of its own. */
export const timeout = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  duration: Duration.Input,
  options: { readonly name?: string | undefined } = {}
): Effect.Effect<A, E | Cause.TimeoutError, R> => Structure.timeout(effect, duration, options)

/** `Effect.forkChild` with the effect in a branch of its own, labelled by `name`. What outlives the body is interrupted. */
export const fork = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.Fiber<A, E>, never, R> => Structure.fork(name, effect)

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

const schemaOf = (payload: Storable | Schema.Struct.Fields): Storable =>
  Schema.isSchema(payload)
    ? payload as Storable
    : Schema.Struct(payload as Schema.Struct.Fields) as unknown as Storable

// `any`: the constraint names only what storing needs; every schema is a codec.
const asCodec = (schema: Storable): Schema.Codec<any, any> => schema as Schema.Codec<any, any>

const checkAttempts = (value: number): number => {
  if (Number.isInteger(value) && value >= 0 && value <= MAX_COUNT) return value
  throw new WorkflowError({
    reason: new InvalidArgument({
      argument: "maxRecoveryAttempts",
      detail: `it is ${value}`,
      remedy: `Give a whole number from 0 to ${MAX_COUNT}.`
    })
  })
}

const waitsWithin = (name: string): WorkflowError =>
  new WorkflowError({
    reason: new TransactionMisused({
      why: "waits",
      detail: `"${name}" was executed as a part of a transaction, before whose commit it does not start`
    })
  })

const fromDefinition = (
  definition: Definition,
  schemas: Pick<Workflow<string, any, any, any>, "payloadSchema" | "successSchema" | "errorSchema">
): Workflow<string, any, any, any> => {
  const handle = (workflowId: string) => WorkflowHandle.make<any, any>(workflowId, definition)
  const start = (payload?: unknown, options: ExecuteOptions = {}): Effect.Effect<string, WorkflowError, Engine> =>
    Effect.flatMap(Engine, ({ core }) => Queuing.start(core, definition, payload, options))
  return {
    ...schemas,
    name: definition.name,
    definition,
    handle: (workflowId) => handle(checkTargetId(workflowId)),
    continueAsNew: (payload?: unknown) => Continuing.continueAsNew(definition, payload),
    start: (payload?: unknown, options?: ExecuteOptions) => Effect.map(start(payload, options), handle),
    execute: (payload?: unknown, options: ExecuteOptions = {}) =>
      Effect.flatMap(Engine, ({ core }) =>
        Effect.withFiber((fiber) => {
          const run = fiber.getRef(CurrentRun)
          if (run !== undefined) return executeChild(core, run, definition, payload, options)
          return isPart(fiber.context)
            ? Effect.fail(waitsWithin(definition.name))
            : Effect.flatMap(start(payload, options), (workflowId) => handle(workflowId).result)
        })),
    toLayer: (body) =>
      Layer.effectDiscard(Effect.gen(function*() {
        const { core } = yield* Engine
        const context = yield* Effect.context<never>()
        const executor = core.executor
        if (executor === undefined) return
        // Each run has a scope of its own, not the layer's.
        const scoped = (payload: unknown) => Effect.scoped(body(payload)) as Effect.Effect<unknown, unknown>
        yield* Effect.acquireRelease(
          executor.register({ definition, body: scoped, context }),
          () => executor.unregister(definition.name)
        )
      })) as Layer.Layer<never, WorkflowError, any>
  }
}
