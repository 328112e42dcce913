/** Kills and freezes executors at random, and starts new ones. The same seed does the same, as far as timing allows. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { Lab } from "../crash/harness/Lab.ts"
import type { Program } from "../crash/harness/Program.ts"
import { leaseMs } from "./executor.ts"

/** So many places at which an executor runs, one after another. */
export const places = 3

/** What was done. */
export interface Done {
  kills: number
  /** Shorter than a lease. */
  pauses: number
  /** So long that others took over. */
  losses: number
}

export interface Crew {
  readonly running: Array<Program>
  readonly done: Done
}

const start = (lab: Lab) => Effect.tap(lab.run("chaos"), (program) => program.hear("ready"))

export const make = (lab: Lab): Effect.Effect<Crew, never, Scope.Scope> =>
  Effect.map(
    Effect.all(Array.from({ length: places }, () => start(lab)), { concurrency: "unbounded" }),
    (running) => ({ running, done: { kills: 0, pauses: 0, losses: 0 } })
  )

const between = (minimumMs: number, maximumMs: number) =>
  Effect.flatMap(Random.nextIntBetween(minimumMs, maximumMs), (ms) => Effect.sleep(ms))

const kill = Effect.fnUntraced(function*(lab: Lab, crew: Crew, place: number) {
  yield* crew.running[place]!.kill
  crew.done.kills++
  yield* between(0, 1000)
  crew.running[place] = yield* start(lab)
})

const freeze = Effect.fnUntraced(function*(crew: Crew, place: number, minimumMs: number, maximumMs: number) {
  const program = crew.running[place]!
  program.signal("SIGSTOP")
  yield* between(minimumMs, maximumMs)
  program.signal("SIGCONT")
})

/** Everything that is done to one of the executors, in an order of chance, with pauses between. */
const round = (lab: Lab, crew: Crew, place: number) =>
  Effect.flatMap(
    Random.shuffle([
      kill(lab, crew, place),
      Effect.tap(freeze(crew, place, 50, leaseMs / 2), () => Effect.sync(() => crew.done.pauses++)),
      Effect.tap(freeze(crew, place, leaseMs + 500, 2 * leaseMs + 500), () => Effect.sync(() => crew.done.losses++))
    ]),
    Effect.forEach((act) => Effect.andThen(between(300, 2500), act), { discard: true })
  )

/** Goes on for so long; at its end everything runs. */
export const rage = (lab: Lab, crew: Crew, seed: string, forMs: number): Effect.Effect<void, never, Scope.Scope> => {
  const until = Date.now() + forMs
  return Effect.forEach(
    Array.from({ length: places }, (_, place) => place),
    (place) =>
      Effect.repeat(round(lab, crew, place), { until: () => Date.now() > until }).pipe(
        Random.withSeed(`${seed}/${place}`)
      ),
    { concurrency: "unbounded", discard: true }
  )
}
