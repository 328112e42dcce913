/** Three executors, each at a place of its own, where another one takes its place when it is gone. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { eventually } from "../crash/harness/eventually.ts"
import type { Lab } from "../crash/harness/Lab.ts"
import type { Message, Program } from "../crash/harness/Program.ts"
import * as SideEffects from "../crash/harness/sideEffects.ts"
import type { Stop, Up } from "./figures.ts"
import { Proxy } from "./proxy.ts"

export const places = [0, 1, 2] as const

/** What a process says that is about to be killed by what it runs: its counters. */
export const lastWords = "last words"

export interface Crew {
  readonly lab: Lab
  /** By place. */
  readonly running: Array<Program>
  /** Between each place and PostgreSQL; none on SQLite. */
  readonly proxies: ReadonlyArray<Proxy>
  /** All that there ever were. */
  readonly ever: Array<Program>
  /** Process ids of those that were without a lease at some time. */
  readonly lapsed: Set<number>
  /** How often what was done to them, by name. */
  readonly done: Map<string, number>
  /** When they were frozen, and when they died. */
  readonly stops: Array<Stop>
  /** When each was ready. */
  readonly ups: Array<Up>
  /** What the engines have counted, by process id: the last that each has told. */
  readonly counters: Map<number, Message>
}

const add = (to: Map<string, number>, name: string, count = 1): void => void to.set(name, (to.get(name) ?? 0) + count)

export const did = (crew: Crew, name: string): Effect.Effect<void> => Effect.sync(() => add(crew.done, name))

const proxyBefore = (url: string) =>
  Effect.acquireRelease(Effect.promise(() => Proxy.before(url)), (proxy) => Effect.promise(() => proxy.close()))

/** Through the proxy, and no more patient than an application is by default: whoever cannot connect is started again. */
const through = (proxy: Proxy, url: string): string => {
  const address = new URL(proxy.through(url))
  address.searchParams.delete("connect_timeout")
  return address.toString()
}

/** Clocks of processes are as wrong as this, and nothing may depend on them. */
const clockShifts = [-600_000, 0, 600_000]

const someShift = Effect.map(Random.nextIntBetween(0, clockShifts.length - 1), (index) => clockShifts[index]!)

/** Starts one at the place, again if it ends before it is ready: as a supervisor does while the database is away. */
const start = Effect.fnUntraced(function*(crew: Crew, place: number, clockShiftMs: number) {
  const { place: at } = crew.lab
  const proxy = crew.proxies[place]
  const config = {
    // What was killed is seen at once by its successor at the place, and by the others when its lease has lapsed.
    machine: `machine ${place}`,
    clockShiftMs,
    ...(proxy !== undefined && at.kind === "postgres" ? { place: { ...at, url: through(proxy, at.url) } } : {})
  }
  while (true) {
    const program = yield* crew.lab.run("chaos", config)
    crew.ever.push(program)
    yield* eventually(
      "an executor to be ready, or gone",
      Effect.sync(() => program.ended !== undefined || program.said.some(({ tag }) => tag === "ready")),
      { state: () => program.state }
    )
    if (program.ended !== undefined) continue
    crew.running[place] = program
    crew.ups.push({ pid: program.pid, at: SideEffects.now() })
    if (clockShiftMs !== 0) add(crew.done, "wrong clock")
    return
  }
})

/** Whenever the one at the place has ended, whoever killed it, another one takes its place. */
const keep = (crew: Crew, place: number): Effect.Effect<never, never, Scope.Scope> =>
  Effect.gen(function*() {
    const program = crew.running[place]!
    while (program.ended === undefined) yield* Effect.sleep("5 millis")
    died(crew, program)
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 1000))
    yield* start(crew, place, yield* someShift)
  }).pipe(Effect.forever)

/** `proxied`: the database is reached through proxies. */
export const make = Effect.fnUntraced(function*(lab: Lab, seed: string, proxied: boolean) {
  const { place } = lab
  const proxies = proxied && place.kind === "postgres"
    ? yield* Effect.forEach(places, () => proxyBefore(place.url))
    : []
  const crew: Crew = {
    lab,
    running: [],
    proxies,
    ever: [],
    lapsed: new Set(),
    stops: [],
    ups: [],
    done: new Map(),
    counters: new Map()
  }
  // Ended when nobody would take their places any more.
  const programs = yield* Effect.acquireRelease(Scope.make(), Scope.close)
  const at = (place: number) => <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
    effect.pipe(Scope.provide(programs), Random.withSeed(`${seed}/${place}/crew`))
  // The first ones differ in any case.
  yield* Effect.forEach(places, (place) => at(place)(start(crew, place, clockShifts[place]!)), {
    concurrency: "unbounded",
    discard: true
  })
  for (const place of places) yield* Effect.forkScoped(at(place)(keep(crew, place)))
  return crew
})

// -----------------------------------------------------------------------------
// what becomes of them
// -----------------------------------------------------------------------------

/** `kill -9`. */
export const kill = (crew: Crew, program: Program): void => {
  if (program.ended !== undefined) return
  stopped(crew, program, SideEffects.now(), Infinity)
  program.signal("SIGKILL")
}

/** Until another one has taken its place. */
export const replaced = (crew: Crew, place: number, program: Program): Effect.Effect<void> =>
  Effect.asVoid(eventually(
    "another executor to take the place",
    Effect.sync(() => crew.running[place] !== program),
    { state: () => program.state }
  ))

/** Until there is one at each place. */
export const whole = (crew: Crew): Effect.Effect<void> =>
  Effect.asVoid(eventually(
    "an executor to be at each place",
    Effect.sync(() => crew.running.every(({ ended }) => ended === undefined)),
    { state: () => crew.running.map((program) => program.state) }
  ))

/** It does nothing from here until there. */
export const stopped = (crew: Crew, { pid }: Program, from: number, to: number): void =>
  void crew.stops.push({ pid, from, to })

/** It has ended, and was not killed from here. */
const died = (crew: Crew, program: Program): void => {
  const isKnown = crew.stops.some(({ pid, to }) => pid === program.pid && to === Infinity)
  if (!isKnown) stopped(crew, program, SideEffects.now(), Infinity)
  const words = program.said.findLast(({ tag }) => tag === lastWords)
  if (words !== undefined) take(crew, program, words)
}

const take = (crew: Crew, { pid }: Program, counters: Message): void => {
  crew.counters.set(pid, counters)
  if (counters["perdure_leases_lost"] > 0) crew.lapsed.add(pid)
}

/** Takes down what the engine at the place has counted so far, before it is killed. */
export const tally = Effect.fnUntraced(function*(crew: Crew, place: number) {
  const program = crew.running[place]!
  // It may be killed by what it runs, before it answers.
  const counters = yield* Effect.catchDefect(
    program.ask({ do: "counters" }),
    (defect) => program.ended === undefined ? Effect.die(defect) : Effect.undefined
  )
  if (counters !== undefined) take(crew, program, counters)
  return program
})

/** What the engines have counted, in all processes that could be asked before their end. */
export const counted = (crew: Crew): ReadonlyMap<string, number> => {
  const sums = new Map<string, number>()
  for (const counters of crew.counters.values()) {
    for (const [name, count] of Object.entries(counters)) if (typeof count === "number") add(sums, name, count)
  }
  return sums
}

/** Those that ended by themselves after they were ready, or let a failure go unhandled. */
export const unwell = (crew: Crew): ReadonlyArray<unknown> =>
  crew.ever
    .filter(({ ended, said }) =>
      said.some(({ tag }) => tag === "unhandled") ||
      (said.some(({ tag }) => tag === "ready") && ended !== undefined && ended.signal !== "SIGKILL")
    )
    .map((program) => program.state)
