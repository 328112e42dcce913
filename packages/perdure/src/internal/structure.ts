/**
 * Structured concurrency with labelled branches: Effect's own combinators, each item in a branch of its own, so that
 * names start afresh in it and never depend on timing. Outside a workflow they are plain Effect.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { InvalidArgument, WorkflowError } from "../WorkflowError.ts"
import * as Branch from "./branch.ts"
import { unfitText } from "./names.ts"
import type { Operation } from "./operation.ts"
import { CurrentBranch, CurrentRun, type Run } from "./run.ts"

type Concurrency = number | "unbounded" | undefined

const forks = (concurrency: Concurrency): boolean =>
  concurrency === "unbounded" || (concurrency !== undefined && concurrency > 1)

const unfitLabel = (label: string | number): WorkflowError | undefined =>
  typeof label === "string" ? unfitText("label of a branch", label) : undefined

/** Runs `effect` in the branch `label` below `key`, owned by the fiber that it runs on. */
const inBranch = <A, E, R>(
  key: string,
  label: string | number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const unfit = unfitLabel(label)
    return unfit === undefined
      ? Effect.provideService(effect, CurrentBranch, Branch.make(Branch.pathOf(key, label), fiber))
      : Effect.die(unfit)
  })

/** `inside` with the key of this use of `name`, or `outside` where there is no workflow. */
const scoped = <A, E, R>(
  name: string,
  inside: (key: string, run: Run, fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<A, E, R>,
  outside: () => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const run = fiber.getRef(CurrentRun)
    return run === undefined
      ? outside()
      : Effect.flatMap(run.scopeKey(fiber, name), (key) => inside(key, run, fiber))
  })

export const forEach = <X, A, E, R>(
  items: Iterable<X>,
  f: (item: X, index: number) => Effect.Effect<A, E, R>,
  options: {
    readonly name?: string | undefined
    readonly concurrency?: Concurrency
    readonly key?: ((item: X, index: number) => string) | undefined
  } = {}
): Effect.Effect<Array<A>, E, R> => {
  const plain = { concurrency: options.concurrency }
  return scoped(
    options.name ?? "forEach",
    (key, run, fiber) => {
      const each = Effect.forEach(
        items,
        (item, index) => inBranch(key, options.key?.(item, index) ?? index, f(item, index)),
        plain
      )
      return forks(options.concurrency) ? run.joining(fiber, each) : each
    },
    () => Effect.forEach(items, f, plain)
  )
}

export const all = (
  effects: Iterable<Effect.Effect<any, any, any>> | Record<string, Effect.Effect<any, any, any>>,
  options: { readonly name?: string | undefined; readonly concurrency?: Concurrency } = {}
): Effect.Effect<any, any, any> => {
  const plain = { concurrency: options.concurrency }
  return scoped(
    options.name ?? "all",
    (key, run, fiber) => {
      const labelled = Symbol.iterator in effects
        ? Array.from(effects as Iterable<Effect.Effect<any, any, any>>, (effect, index) => inBranch(key, index, effect))
        : Object.fromEntries(Object.entries(effects).map(([label, effect]) => [label, inBranch(key, label, effect)]))
      const together = Effect.all(labelled as any, plain) as Effect.Effect<any, any, any>
      return forks(options.concurrency) ? run.joining(fiber, together) : together
    },
    () => Effect.all(effects as any, plain) as Effect.Effect<any, any, any>
  )
}

/** The first to settle, in success or failure. */
export const race = (
  effects: ReadonlyArray<Effect.Effect<any, any, any>>,
  options: { readonly name?: string | undefined } = {}
): Effect.Effect<any, any, any> =>
  scoped(
    options.name ?? "race",
    (key, run, fiber) =>
      Effect.flatMap(firstOf(key, effects.map((effect, index) => [index, effect]), run, fiber), ({ exit }) => exit),
    () => Effect.raceAllFirst(effects)
  )

/** The first to settle, told by its label. */
export const select = (
  effects: Record<string, Effect.Effect<any, any, any>>,
  options: { readonly name?: string | undefined } = {}
): Effect.Effect<any, any, any> => {
  const labelled = Object.entries(effects)
  if (labelled.length === 0) return Effect.die(nothingToSelect())
  // Before any of them begins: the label of the first is recorded.
  const unfit = labelled.map(([label]) => unfitLabel(label)).find((one) => one !== undefined)
  if (unfit !== undefined) return Effect.die(unfit)
  const tagged = (label: string | number, effect: Effect.Effect<any, any, any>) =>
    Effect.map(effect, (value) => ({ _tag: label, value }))
  return scoped(
    options.name ?? "select",
    (key, run, fiber) => Effect.flatMap(firstOf(key, labelled, run, fiber), ({ exit, label }) => tagged(label, exit)),
    () => Effect.raceAllFirst(labelled.map(([label, effect]) => tagged(label, effect)))
  )
}

const nothingToSelect = (): WorkflowError =>
  new WorkflowError({
    reason: new InvalidArgument({
      argument: "effects of select",
      detail: "there are none",
      remedy: "Give at least one: of none, nothing is ever the first."
    })
  })

type Labelled = readonly [label: string | number, effect: Effect.Effect<any, any, any>]

interface Won {
  readonly label: string | number
  readonly exit: Exit.Exit<any, any>
}

/**
 * The first to settle wins; its label is recorded, so that a replay waits for that one, whatever plain asynchronous work
 * now comes first.
 */
const firstOf = (
  key: string,
  effects: ReadonlyArray<Labelled>,
  run: Run,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<Won, never, any> => {
  const known = run.peek(`${key}/winner`)
  const expected = known === undefined ? undefined : (JSON.parse(known.value) as string | number)
  return Effect.flatMap(
    run.joining(fiber, raceOf(key, effects, expected)),
    // It never fails.
    (won) => Effect.as(run.ask(winner(won.label), `${key}/winner`) as Effect.Effect<unknown>, won)
  )
}

const winner = (label: string | number): Operation => ({
  kind: "race",
  name: "race",
  identity: "race",
  refused: Effect.die,
  replay: (record) => Exit.succeed(JSON.parse(record.value)),
  perform: () =>
    Effect.succeed({ outcome: "success", value: JSON.stringify(label), exit: Exit.succeed(label), attempts: 1 })
})

const raceOf = (
  key: string,
  effects: ReadonlyArray<Labelled>,
  expected: string | number | undefined
): Effect.Effect<Won, never, any> =>
  Effect.gen(function*() {
    const won = yield* Deferred.make<Won>()
    const racer = ([label, effect]: Labelled) =>
      Effect.onExit(inBranch(key, label, effect), (exit) =>
        expected === undefined || expected === label
          ? Effect.asVoid(Deferred.succeed(won, { label, exit }))
          : Effect.void)
    const racers = yield* Effect.forEach(effects, (one) => Effect.forkChild(racer(one), { startImmediately: true }))
    return yield* Effect.ensuring(Deferred.await(won), Fiber.interruptAll(racers))
  })

export const timeout = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  duration: Duration.Input,
  options: { readonly name?: string | undefined } = {}
): Effect.Effect<A, E | Cause.TimeoutError, R> =>
  scoped(
    options.name ?? "timeout",
    (key, run, fiber) => run.joining(fiber, Effect.timeout(inBranch(key, "in time", effect), duration)),
    () => Effect.timeout(effect, duration)
  )

export const fork = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
  scoped(
    name,
    (key) => Effect.forkChild(inBranch(key, "fork", effect)),
    () => Effect.forkChild(effect)
  )
