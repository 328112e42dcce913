/**
 * Steps: effects whose outcome is recorded once per workflow.
 *
 * A step runs at least once and is recorded exactly once: a crash after its effect and before its record runs it again.
 * What it does outside should therefore be idempotent; `${workflowId}-${stepId}` is the same on every attempt.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { attempt, defaultPolicy, type Policy } from "./internal/attempts.ts"
import * as Codec from "./internal/codec.ts"
import { type Core, CurrentCore } from "./internal/core.ts"
import * as Failure from "./internal/failure.ts"
import { checkKey, checkStepName, durationMs, positiveDurationMs } from "./internal/names.ts"
import type { Operation } from "./internal/operation.ts"
import { rollbackOf } from "./internal/rollback.ts"
import { CurrentRun, type Run } from "./internal/run.ts"
import { refuseInTransaction } from "./internal/transactions.ts"
import type * as Json from "./Json.ts"
import type { StepFailed } from "./StepFailed.ts"
import { InvalidArgument, WorkflowError } from "./WorkflowError.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** A schema whose values can be stored: its codec needs no services. */
export type Storable = Codec.StorableSchema<any>

/** When a failed attempt is followed by another. */
export interface Retry<in E = any> {
  /** Attempts in all. Default: 3. */
  readonly maxAttempts?: number | undefined
  /** Before the second attempt. Default: 500 milliseconds. */
  readonly interval?: Duration.Input | undefined
  /** By which each later interval is longer. Default: 2. */
  readonly factor?: number | undefined
  /** Default: 1 hour. */
  readonly maxInterval?: Duration.Input | undefined
  /**
   * Which typed failures are tried again. Default: those that the `error` schema does not declare (a declared one is an
   * answer, such as a declined payment), and those that call themselves transient. Defects never are.
   */
  readonly while?: ((error: E) => boolean) | undefined
}

/** How a step is recorded and tried. */
export interface Options<
  in A = any,
  in E = any,
  out S extends Storable = Storable,
  out X extends Storable = Storable,
  out RR = any
> {
  /** Of the success. Needed when its type is not plain JSON. */
  readonly success?: S | undefined
  /** Of the errors that are to come back as themselves. What it does not cover becomes `StepFailed`. */
  readonly error?: X | undefined
  /**
   * Default: typed failures are final, except those that call themselves transient (`isRetryable === true`), which get
   * three attempts. Failed attempts are recorded, so a crash gives no fresh budget; the waits between are durable.
   */
  readonly retry?: Retry<E> | undefined
  /** For each attempt. An attempt that takes longer is interrupted and fails with a `TimeoutError`. Default: none. */
  readonly timeout?: Duration.Input | undefined
  /** Identity in its branch instead of the name, where one name is used by several forked fibers. */
  readonly key?: string | undefined
  /** The name under which it was recorded before it was renamed. */
  readonly renamed?: string | undefined
  /**
   * Undoes the step, given its result, when the workflow later fails, is cancelled or times out. Rollbacks run in
   * reverse order of completion, each recorded and tried up to ten times; a crash in the middle does not repeat those
   * that are recorded. A step that was interrupted before it was recorded is not rolled back.
   */
  readonly rollback?: ((result: A) => Effect.Effect<unknown, unknown, RR>) | undefined
}

/** What a step fails with, given its options. */
export type ErrorOf<O> = (O extends { readonly error: { readonly "Type": infer X } } ? X : never) | StepFailed

/** The options that decide a step's types, from the schemas that it was given; `never`: none. */
export type Given<S, X> =
  & ([S] extends [never] ? unknown : { readonly success: S })
  & ([X] extends [never] ? unknown : { readonly error: X })

// -----------------------------------------------------------------------------
// operations
// -----------------------------------------------------------------------------

/**
 * Runs the effect as a step of the workflow: data-first `Step.run(name, effect, options?)` and data-last
 * `effect.pipe(Step.run(name, options?))`.
 *
 * *Details*
 *
 * The name is its identity, with its occurrence where it repeats: a loop may use one name. In forked fibers a name must
 * be unique in its branch, or have a `key`.
 *
 * What the step returns live equals what a replay returns. A result that cannot be stored fails the step, on its first
 * run, with a `StepFailed` that names the path.
 *
 * A step within a step, or outside a workflow, is a plain call.
 *
 * **Durability.** The outcome is durable before the next durable operation of the workflow starts, and before anyone
 * outside sees the workflow go on.
 */
export const run: {
  <S extends Storable = never, X extends Storable = never, RR = never>(
    name: string,
    options?: Options<any, any, S, X, RR>
  ): <A, E, R>(
    effect: Effect.Effect<A, E, R> & Json.Guard<A, Given<S, X>>
  ) => Effect.Effect<Json.Stored<A, Given<S, X>>, ErrorOf<Given<S, X>>, R | NoInfer<RR>>
  <A, E, R, S extends Storable = never, X extends Storable = never, RR = never>(
    name: string,
    effect: Effect.Effect<A, E, R> & Json.Guard<A, Given<S, X>>,
    options?: Options<NoInfer<A>, NoInfer<E>, S, X, RR>
  ): Effect.Effect<Json.Stored<A, Given<S, X>>, ErrorOf<Given<S, X>>, R | NoInfer<RR>>
} = ((name: string, second?: unknown, third?: Options): any =>
  Effect.isEffect(second)
    ? runStep(name, second as Effect.Effect<any, any, any>, third ?? {})
    : (effect: Effect.Effect<any, any, any>) => runStep(name, effect, (second as Options | undefined) ?? {})) as any

// -----------------------------------------------------------------------------
// services
// -----------------------------------------------------------------------------

/** A member of a durable service: how it is recorded and tried, or `"plain"` for one that is passed on as it is. */
export type Member<Shape = any, F = any> = "plain" | MemberOptions<Shape, F>

/** How a member is recorded and tried. */
export interface MemberOptions<Shape = any, F = any>
  extends Omit<Options<SuccessOf<F>, FailureOf<F>, Storable, Storable, never>, "rollback" | "key">
{
  /** The step's name. Default: the member's. */
  readonly name?: string | undefined
  /** Identity of a call in its branch, where several forked fibers call the member. */
  readonly key?: ((...args: ArgumentsOf<F>) => string) | undefined
  /**
   * Undoes a call: the name of the plain service's member that takes its result, or a function of the result, the plain
   * service and the call's arguments. See {@link Options.rollback}.
   */
  readonly rollback?:
    | keyof Shape
    | ((result: SuccessOf<F>, service: Shape, ...args: ArgumentsOf<F>) => Effect.Effect<unknown, unknown>)
}

type SuccessOf<F> = EffectOf<F> extends Effect.Effect<infer A, any, any> ? A : any
type FailureOf<F> = EffectOf<F> extends Effect.Effect<any, infer E, any> ? E : any
type ArgumentsOf<F> = F extends (...args: infer Args) => any ? Args : []

type EffectOf<F> = F extends (...args: any) => Effect.Effect<infer A, infer E, infer R> ? Effect.Effect<A, E, R>
  : F extends Effect.Effect<infer A, infer E, infer R> ? Effect.Effect<A, E, R>
  : never

type Checked<Shape, Members> = {
  readonly [K in keyof Members]: K extends keyof Shape ? Members[K] extends "plain" ? unknown
    : [EffectOf<Shape[K]>] extends [never] ?
      { readonly "a durable member must return an Effect; list it as \"plain\"": never }
    : EffectOf<Shape[K]> extends Effect.Effect<infer A, any, any>
      ? Json.Guard<A, Members[K]> & CheckedRollback<Shape, A, Members[K]>
    : never
    : { readonly "the service has no such member": never }
}

type CheckedRollback<Shape, A, M> = M extends { readonly rollback: infer K extends keyof Shape }
  ? Shape[K] extends (result: A) => Effect.Effect<any, any> ? unknown
  : { readonly "rollback: that member does not take the result of this one, or needs services": never }
  : unknown

/** The durable side of a service: its listed members, each a step. */
export type Durable<Shape, Members> = {
  readonly [K in keyof Members & keyof Shape]: Members[K] extends "plain" ? Shape[K]
    : Shape[K] extends (...args: infer Args) => Effect.Effect<infer A, any, infer R>
      ? (...args: Args) => Effect.Effect<Json.Stored<A, Members[K]>, ErrorOf<Members[K]>, R>
    : Shape[K] extends Effect.Effect<infer A, any, infer R>
      ? Effect.Effect<Json.Stored<A, Members[K]>, ErrorOf<Members[K]>, R>
    : never
}

/**
 * A service whose members are steps, under a tag of its own: forgetting the durable layer does not compile, and tests
 * still swap the plain service below.
 *
 * ```ts
 * class PaymentSteps extends Step.Service<PaymentSteps>()("shop/PaymentSteps", Payments, {
 *   charge: { success: ChargeId, error: PaymentDeclined, retry: { maxAttempts: 3 } }
 * }) {} // PaymentSteps.layer: Layer<PaymentSteps, never, Payments>
 * ```
 *
 * Listed members must return an Effect; members not listed are absent. A step is named after its member, or by `name`.
 * A member's rollback is another member of the plain service: `charge: { rollback: "refund" }` calls `refund` with the
 * result of `charge`.
 *
 * *Gotchas*
 *
 * A function among the options (`rollback`, `retry.while`, `key`) must say the types of its parameters: the compiler
 * infers the members from what is written there.
 */
export const Service =
  <Self>() =>
  <const Id extends string, I, Shape, const Members extends { readonly [K in keyof Shape]?: Member<Shape, Shape[K]> }>(
    id: Id,
    service: Context.Key<I, Shape>,
    members: Members & Checked<Shape, Members>
  ): Context.ServiceClass<Self, Id, Durable<Shape, Members>> & { readonly layer: Layer.Layer<Self, never, I> } => {
    const tag = Context.Service<Self, Durable<Shape, Members>>()(id)
    const layer = Layer.effect(
      tag as Context.Key<Self, Durable<Shape, Members>>,
      Effect.map(service, (plain) => durable(plain, members) as Durable<Shape, Members>)
    )
    return Object.assign(tag, { layer }) as any
  }

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

// `any`: members of all types are wrapped alike; `Durable` is the typed side.
const durable = (plain: any, members: { readonly [name: string]: any }): unknown =>
  Object.fromEntries(
    Object.entries(members).map(([key, member]) => {
      const value = plain[key]
      if (member === "plain") return [key, typeof value === "function" ? value.bind(plain) : value]
      return typeof value === "function"
        ? [key, (...args: ReadonlyArray<unknown>) =>
          runMember(
            key,
            member,
            plain,
            args,
            Effect.suspend(() => value.apply(plain, args))
          )]
        : [key, runMember(key, member, plain, [], value)]
    })
  )

const runMember = (
  key: string,
  member: MemberOptions,
  plain: any,
  args: ReadonlyArray<any>,
  effect: Effect.Effect<any, any, any>
): Effect.Effect<any, any, any> => {
  const { key: keyOf, name, rollback, ...options } = member
  return runStep(name ?? key, effect, {
    ...options,
    ...(keyOf === undefined ? {} : { key: keyOf(...args) }),
    ...(rollback === undefined ? {} : {
      rollback: (result: any) =>
        typeof rollback === "function" ? rollback(result, plain, ...args) : plain[rollback](result)
    })
  })
}

const runStep = (
  name: string,
  effect: Effect.Effect<any, any, any>,
  options: Options
): Effect.Effect<any, any, any> => {
  // Checked once, where the step is described; what is wrong is a mistake in the program.
  const described = describe(name, options)
  return Effect.withFiber((fiber) => {
    const run = fiber.getRef(CurrentRun)
    const core = fiber.getRef(CurrentCore)
    const refused = refuseInTransaction(fiber.context, `step "${name}"`)
    if (refused !== undefined) return Effect.failCause(asStepFailed(name, refused))
    if (run === undefined || core === undefined) return plainly(name, effect, options)
    return run.ask(operationOf(core, run, described, effect, options, fiber.context))
  })
}

const asStepFailed = (name: string, error: WorkflowError) =>
  Failure.encodeStepCause(Cause.fail(error.reason), undefined, name).live

/** Outside a workflow or within a step: a plain call, with the errors of a step. */
const plainly = (name: string, effect: Effect.Effect<any, any, any>, options: Options): Effect.Effect<any, any, any> =>
  Effect.catchCause(effect, (cause) =>
    cause.reasons.every((reason) => reason._tag !== "Fail")
      ? Effect.failCause(cause)
      : Effect.failCause(Failure.encodeStepCause(cause, options.error, name).live))

interface Described {
  readonly name: string
  readonly identity: string
  readonly renamed: string | undefined
  readonly policy: Policy
  readonly timeoutMs: number | undefined
}

const describe = (name: string, options: Options): Described => ({
  name: checkStepName(name),
  identity: options.key === undefined ? name : checkKey(options.key),
  renamed: options.renamed === undefined ? undefined : checkStepName(options.renamed),
  policy: options.retry === undefined ? defaultPolicy : policyOf(options.retry, options.error),
  timeoutMs: options.timeout === undefined ? undefined : positiveDurationMs("step timeout", options.timeout)
})

/** A checked policy. Throws a `WorkflowError` for what makes no sense. */
export const policyOf = (retry: Retry, error: Storable | undefined): Policy => ({
  maxAttempts: whole("retry.maxAttempts", retry.maxAttempts ?? defaultPolicy.maxAttempts),
  intervalMs: retry.interval === undefined ? defaultPolicy.intervalMs : durationMs("retry.interval", retry.interval),
  factor: atLeastOne("retry.factor", retry.factor ?? defaultPolicy.factor),
  maxIntervalMs: retry.maxInterval === undefined
    ? defaultPolicy.maxIntervalMs
    : durationMs("retry.maxInterval", retry.maxInterval),
  while: retry.while ?? undeclared(error)
})

/** A declared error is an answer, and asking again is not: unless it calls itself transient. */
const undeclared = (error: Storable | undefined): (failure: unknown) => boolean => {
  if (error === undefined) return () => true
  const isDeclared = Schema.is(error)
  return (failure) => !isDeclared(failure) || defaultPolicy.while(failure)
}

const invalid = (argument: string, value: number, remedy: string): WorkflowError =>
  new WorkflowError({ reason: new InvalidArgument({ argument, detail: `it is ${value}`, remedy }) })

const whole = (argument: string, value: number): number => {
  if (Number.isInteger(value) && value >= 1) return value
  throw invalid(argument, value, "Give a whole number from 1.")
}

const atLeastOne = (argument: string, value: number): number => {
  if (Number.isFinite(value) && value >= 1) return value
  throw invalid(argument, value, "Give a number from 1.")
}

const operationOf = (
  core: Core,
  run: Run,
  step: Described,
  effect: Effect.Effect<any, any, any>,
  options: Options,
  context: Context.Context<never>
): Operation => {
  const success = Codec.make<any>(options.success)
  const { rollback } = options
  return {
    kind: "step",
    name: step.name,
    identity: step.identity,
    renamed: step.renamed,
    rollback: rollback !== undefined,
    refused: (error) => Effect.failCause(asStepFailed(step.name, error)),
    replay: (record) =>
      record.outcome === "success"
        ? Exit.succeed(success.decode(record.value))
        : Exit.failCause(Failure.decodeStepCause(record.value, options.error, step.name)),
    perform: (call) =>
      attempt(core, call, {
        name: step.name,
        effect: effect as Effect.Effect<unknown, unknown>,
        success,
        error: options.error,
        policy: step.policy,
        timeoutMs: step.timeoutMs
      }),
    ...(rollback === undefined ? {} : { onDelivered: rollbackOf(core, run, rollback, context) })
  }
}
