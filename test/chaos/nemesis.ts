/**
 * What happens to executors, to their connections, and to the database, in an order of chance. The same seed does the
 * same, as far as timing allows.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as SideEffects from "../crash/harness/sideEffects.ts"
import { onServer } from "../postgres/database.ts"
import type { Postgres } from "../postgres/server.ts"
import * as Crew from "./Crew.ts"
import { leaseMs } from "./executor.ts"
import type { AtMessage, Proxy } from "./proxy.ts"

type Act = Effect.Effect<void, never, Scope.Scope>

const between = (minimumMs: number, maximumMs: number) =>
  Effect.flatMap(Random.nextIntBetween(minimumMs, maximumMs), (ms) => Effect.sleep(ms))

const named = (crew: Crew.Crew, name: string, act: Act): Act => Effect.andThen(act, Crew.did(crew, name))

// -----------------------------------------------------------------------------
// processes
// -----------------------------------------------------------------------------

const kill = Effect.fnUntraced(function*(crew: Crew.Crew, place: number) {
  const program = yield* Crew.tally(crew, place)
  Crew.kill(crew, program)
  yield* Crew.replaced(crew, place, program)
})

const freeze = Effect.fnUntraced(function*(crew: Crew.Crew, place: number, minimumMs: number, maximumMs: number) {
  const program = crew.running[place]!
  if (minimumMs > leaseMs) crew.lapsed.add(program.pid)
  program.signal("SIGSTOP")
  const from = SideEffects.now()
  yield* between(minimumMs, maximumMs)
  Crew.stopped(crew, program, from, SideEffects.now())
  program.signal("SIGCONT")
})

/** To the process at a place. */
const toProcess = (crew: Crew.Crew, place: number): ReadonlyArray<Act> => [
  named(crew, "kill", kill(crew, place)),
  named(crew, "pause", freeze(crew, place, 50, leaseMs / 2)),
  // So long that others take over.
  named(crew, "loss of a lease", freeze(crew, place, leaseMs + 500, 2 * leaseMs + 500))
]

// -----------------------------------------------------------------------------
// connections
// -----------------------------------------------------------------------------

/** As many messages as begin a session and end a few statements. */
const mostMessages = 30
/** An executor that is at rest sends several in this time. */
const messagesWithinMs = 1000

/** Before or after one of the next messages. Whether it has come to that. */
const atMessage = Effect.fnUntraced(function*(proxy: Proxy, what: AtMessage) {
  const when = (yield* Random.nextBoolean) ? "before" : "after"
  proxy.arm(yield* Random.nextIntBetween(1, mostMessages), when, what)
  const until = Date.now() + messagesWithinMs
  while (proxy.isArmed && Date.now() < until) yield* Effect.sleep("5 millis")
  return !proxy.disarm()
})

const killAtMessage = Effect.fnUntraced(function*(crew: Crew.Crew, place: number, proxy: Proxy) {
  const program = yield* Crew.tally(crew, place)
  // Where the database is away no message passes.
  if (!(yield* atMessage(proxy, () => Crew.kill(crew, program)))) Crew.kill(crew, program)
  yield* Crew.replaced(crew, place, program)
})

/** So long that others take over. What is silent is given up after much longer; that it is reset ends it here. */
const vanish = Effect.fnUntraced(function*(crew: Crew.Crew, place: number, proxy: Proxy) {
  crew.lapsed.add(crew.running[place]!.pid)
  proxy.vanish()
  yield* between(leaseMs + 500, 2 * leaseMs + 500)
  proxy.reset()
})

/** To the connections of a place. */
const toConnections = (crew: Crew.Crew, place: number): ReadonlyArray<Act> => {
  const proxy = crew.proxies[place]
  if (proxy === undefined) return []
  return [
    named(crew, "reset", Effect.sync(() => proxy.reset())),
    named(crew, "cut at a message", Effect.asVoid(atMessage(proxy, "cut"))),
    named(crew, "kill at a message", killAtMessage(crew, place, proxy)),
    named(crew, "half-open connections", vanish(crew, place, proxy)),
    // What is done meanwhile is done, and nobody is told: commits are in doubt.
    named(
      crew,
      "withheld answers",
      Effect.gen(function*() {
        proxy.answers = false
        yield* between(100, 600)
        proxy.reset()
        proxy.answers = true
      })
    ),
    named(
      crew,
      "dropped notifications",
      Effect.gen(function*() {
        proxy.notifies = false
        yield* between(1000, 3000)
        proxy.notifies = true
      })
    ),
    named(
      crew,
      "delay",
      Effect.gen(function*() {
        proxy.delayMs = yield* Random.nextIntBetween(20, 200)
        yield* between(500, 1500)
        proxy.delayMs = 0
      })
    )
  ]
}

// -----------------------------------------------------------------------------
// the database
// -----------------------------------------------------------------------------

/** To a PostgreSQL of our own. `database`: the address of the one that is used there. */
const toServer = (crew: Crew.Crew, server: Postgres, database: string): ReadonlyArray<Act> => [
  named(
    crew,
    "terminated backends",
    Effect.asVoid(onServer(
      database,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.4`
    ))
  ),
  named(
    crew,
    "foreign lock",
    Effect.asVoid(onServer(
      database,
      `DO $$ BEGIN LOCK TABLE perdure.ownership IN SHARE ROW EXCLUSIVE MODE; PERFORM pg_sleep(0.7); END $$`
    ))
  ),
  named(crew, "restart", Effect.promise(() => server.restart("immediate")))
]

// -----------------------------------------------------------------------------
// in an order of chance
// -----------------------------------------------------------------------------

/** All of them, one after another, and then again until it is time; at the end everything runs. */
const rounds = (acts: ReadonlyArray<Act>, pauseMs: number, until: number, seed: string): Act => {
  const round = (isFirst: boolean) =>
    Effect.flatMap(
      Random.shuffle(acts),
      Effect.forEach(
        (act) => isFirst || Date.now() < until ? Effect.andThen(between(300, pauseMs), act) : Effect.void,
        { discard: true }
      )
    )
  return Effect.andThen(round(true), Effect.repeat(round(false), { until: () => Date.now() > until })).pipe(
    Random.withSeed(seed),
    Effect.asVoid
  )
}

export const rage = (
  crew: Crew.Crew,
  seed: string,
  forMs: number,
  own?: { readonly server: Postgres; readonly database: string }
): Act => {
  const until = Date.now() + forMs
  return Effect.all([
    ...Crew.places.map((place) =>
      rounds([...toProcess(crew, place), ...toConnections(crew, place)], 2500, until, `${seed}/${place}`)
    ),
    ...(own === undefined ? [] : [rounds(toServer(crew, own.server, own.database), 6000, until, `${seed}/server`)])
  ], { concurrency: "unbounded", discard: true })
}
