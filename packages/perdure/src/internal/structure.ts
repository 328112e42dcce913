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
import * as Branch from "./branch.ts"
import type { Operation } from "./operation.ts"
import { CurrentBranch, CurrentRun, type Run } from "./run.ts"

type Concurrency = number | "unbounded" | undefined

const forks = (concurrency: Concurrency): boolean =>
  concurrency === "unbounded" || (concurrency !== undefined && concurrency > 1)

/** Runs `effect` in the branch `label` below `key`, owned by the fiber that it runs on. */
const inBranch = <A, E, R>(
  key: string,
  label: string | number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) =>
    Effect.provideService(effect, CurrentBranch, Branch.make(Branch.pathOf(key, label), fiber))
  )

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

/**
 * The first to settle wins; its index is recorded, so that a replay waits for that one, whatever plain asynchronous
 * work now comes first.
 */
export const race = (
  effects: ReadonlyArray<Effect.Effect<any, any, any>>,
  options: { readonly name?: string | undefined } = {}
): Effect.Effect<any, any, any> =>
  scoped(
    options.name ?? "race",
    (key, run, fiber) => {
      const known = run.peek(`${key}/winner`)
      const expected = known === undefined ? undefined : (JSON.parse(known.value) as number)
      return run.joining(fiber, raceOf(key, effects, expected)).pipe(
        Effect.flatMap(({ exit, index }) => Effect.andThen(run.ask(winner(index), `${key}/winner`), exit))
      )
    },
    () => Effect.raceAllFirst(effects)
  )

const winner = (index: number): Operation => ({
  kind: "race",
  name: "race",
  identity: "race",
  replay: (record) => Exit.succeed(JSON.parse(record.value)),
  perform: () =>
    Effect.succeed({ outcome: "success", value: JSON.stringify(index), exit: Exit.succeed(index), attempts: 1 })
})

const raceOf = (
  key: string,
  effects: ReadonlyArray<Effect.Effect<any, any, any>>,
  expected: number | undefined
): Effect.Effect<{ readonly index: number; readonly exit: Exit.Exit<any, any> }, never, any> =>
  Effect.gen(function*() {
    const won = yield* Deferred.make<{ readonly index: number; readonly exit: Exit.Exit<any, any> }>()
    const racer = (effect: Effect.Effect<any, any, any>, index: number) =>
      Effect.onExit(inBranch(key, index, effect), (exit) =>
        expected === undefined || expected === index
          ? Effect.asVoid(Deferred.succeed(won, { index, exit }))
          : Effect.void)
    const racers = yield* Effect.forEach(effects, (effect, index) =>
      Effect.forkChild(racer(effect, index), { startImmediately: true }))
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
