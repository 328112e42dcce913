/** Three executors, each at a place of its own, where another one takes its place when it is gone. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { eventually } from "../crash/harness/eventually.ts"
import type { Lab } from "../crash/harness/Lab.ts"
import type { Program } from "../crash/harness/Program.ts"
import { Proxy } from "./proxy.ts"

export const places = [0, 1, 2] as const

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
  /** What the engines have counted, in all processes that could be asked before their end. */
  readonly counted: Map<string, number>
}

const add = (to: Map<string, number>, name: string, count = 1): void => void to.set(name, (to.get(name) ?? 0) + count)

export const did = (crew: Crew, name: string): Effect.Effect<void> => Effect.sync(() => add(crew.done, name))

const proxyBefore = (url: string) =>
  Effect.acquireRelease(Effect.promise(() => Proxy.before(url)), (proxy) => Effect.promise(() => proxy.close()))

/** Clocks of processes are as wrong as this, and nothing may depend on them. */
const clockShifts = [-600_000, 0, 600_000]

/** Starts one at the place, again if it ends before it is ready: as a supervisor does while the database is away. */
export const start = (crew: Crew, place: number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { place: at } = crew.lab
    const proxy = crew.proxies[place]
    const config = {
      // What was killed is seen at once by its successor at the place, and by the others when its lease has lapsed.
      machine: `machine ${place}`,
      clockShiftMs: clockShifts[yield* Random.nextIntBetween(0, clockShifts.length - 1)],
      ...(proxy !== undefined && at.kind === "postgres" ? { place: { ...at, url: proxy.through(at.url) } } : {})
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
      return
    }
  })

/** `proxied`: the database is reached through proxies. */
export const make = Effect.fnUntraced(function*(lab: Lab, proxied: boolean) {
  const { place } = lab
  const proxies = proxied && place.kind === "postgres"
    ? yield* Effect.forEach(places, () => proxyBefore(place.url))
    : []
  const crew: Crew = { lab, running: [], proxies, ever: [], lapsed: new Set(), done: new Map(), counted: new Map() }
  yield* Effect.forEach(places, (place) => start(crew, place), { concurrency: "unbounded", discard: true })
  return crew
})

/** Takes down what the engine at the place has counted so far, before it is killed. */
export const tally = Effect.fnUntraced(function*(crew: Crew, place: number) {
  const program = crew.running[place]!
  const counters = yield* program.ask({ do: "counters" })
  if (counters["perdure_leases_lost"] > 0) crew.lapsed.add(program.pid)
  for (const [name, count] of Object.entries(counters)) if (typeof count === "number") add(crew.counted, name, count)
})

/** Those that ended by themselves after they were ready, or let a failure go unhandled. */
export const unwell = (crew: Crew): ReadonlyArray<unknown> =>
  crew.ever
    .filter(({ ended, said }) =>
      said.some(({ tag }) => tag === "unhandled") ||
      (said.some(({ tag }) => tag === "ready") && ended !== undefined && ended.signal !== "SIGKILL")
    )
    .map((program) => program.state)
