/**
 * Three executors at work on everything there is, killed and frozen at random, behind connections that break and before a
 * database that crashes. Hunts for what is lost or doubled, for limits that are exceeded while owners change, and for
 * what waits for ever.
 *
 * `PERDURE_SEED` repeats the acts of a run; `PERDURE_CHAOS_SECONDS` is for how long. Where something that a run is for has
 * not happened by then, it goes on for as long again.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Client } from "perdure"
import { Store } from "perdure/Store"
import { eventually } from "../crash/harness/eventually.ts"
import { freeze } from "../crash/harness/freeze.ts"
import * as Lab from "../crash/harness/Lab.ts"
import { listed } from "../crash/harness/listed.ts"
import { now, type SideEffect } from "../crash/harness/sideEffects.ts"
import { freshDatabaseOn } from "../postgres/database.ts"
import { startPostgres } from "../postgres/server.ts"
import { often } from "./checks.ts"
import * as Crew from "./Crew.ts"
import * as Figures from "./figures.ts"
import * as Nemesis from "./nemesis.ts"
import type { Counts } from "./proxy.ts"
import { sure } from "./sure.ts"
import * as Themes from "./themes/index.ts"
import type { Outside, Theme } from "./themes/Theme.ts"

const seed = process.env["PERDURE_SEED"] ?? String(Date.now())
const forMs = Number(process.env["PERDURE_CHAOS_SECONDS"] ?? 20) * 1000
/** What comes by chance may not come at once: it rages so many times at most. */
const mostRages = 3
/** Against hanging only. */
const timeout = (mostRages + 1) * forMs + 400_000

const prepared = Effect.gen(function*() {
  const themes = Themes.make()
  for (const theme of themes) yield* theme.prepare ?? Effect.void
  return themes
})

/** One theme's work, begun again and again until it is told to stop. */
interface Work {
  readonly theme: Theme
  readonly acts: Array<Fiber.Fiber<unknown, unknown>>
}

/** As many as this at once: executors that are killed all the time get less done than is asked of them. */
const mostActs = 6

const work = Effect.fnUntraced(function*({ acts, theme }: Work, until: number) {
  const places = yield* Semaphore.make(mostActs)
  while (Date.now() < until) {
    if ((yield* Effect.timeoutOption(Semaphore.take(places, 1), until - Date.now()))._tag === "None") break
    acts.push(yield* Effect.forkScoped(Effect.ensuring(theme.act(acts.length), Semaphore.release(places, 1))))
    yield* Effect.sleep(yield* Random.nextIntBetween(400, 1200))
  }
})

const unfinished = ["ENQUEUED", "DELAYED", "PENDING", "BLOCKED"] as const

/** What has not ended, and why. */
const leftOver = Effect.flatMap(
  Client.list({ status: unfinished, limit: 20 }),
  ({ workflows }) => Effect.forEach(workflows, ({ workflowId }) => Client.explain(workflowId))
)

/** Everything that was begun has ended, and ended well. */
const allEnd = (works: ReadonlyArray<Work>, crew: Crew.Crew): Effect.Effect<void, unknown, Outside | Scope.Scope> =>
  Effect.gen(function*() {
    const acts = works.flatMap((one) => one.acts)
    const joined = yield* Effect.forkScoped(Effect.forEach(acts, Fiber.join, { discard: true }))
    let left: unknown = undefined
    yield* eventually(
      "everything to end",
      Effect.gen(function*() {
        const exit = joined.pollUnsafe()
        if (exit?._tag === "Failure") return yield* exit
        const waiting = yield* leftOver
        left = waiting
        return exit !== undefined && waiting.length === 0
      }),
      { state: () => [left, crew.running.map((program) => program.state)] }
    )
  })

/** What has happened, of what a run is for. */
const happened = Effect.fnUntraced(function*(crew: Crew.Crew, sideEffects: ReadonlyArray<SideEffect>) {
  const counted = Crew.counted(crew)
  const ofProxies = (count: keyof Counts) => crew.proxies.reduce((sum, { counts }) => sum + counts[count], 0)
  return {
    takeovers: counted.get("perdure_workflows_recovered") ?? 0,
    "steps that ran in two processes": Figures.ranElsewhere(sideEffects),
    replays: Figures.replayed(sideEffects),
    "fenced writes": counted.get("perdure_fenced_writes") ?? 0,
    "dead letters": yield* sure(Client.count({ status: ["DEAD_LETTER"] })),
    reconnections: ofProxies("reconnections"),
    "answers withheld": ofProxies("withheld"),
    "notifications dropped": ofProxies("notificationsDropped"),
    "messages delayed": ofProxies("delayed"),
    ...Object.fromEntries(crew.done)
  }
})

/** So often each minute, at least: a small part of what happens on a machine that has time for it. */
const toProcesses = {
  takeovers: 5,
  "steps that ran in two processes": 2,
  replays: 5,
  "fenced writes": 2,
  "dead letters": 0.5,
  kill: 2,
  pause: 2,
  "loss of a lease": 2,
  "wrong clock": 2
}
const toConnections = {
  ...toProcesses,
  reconnections: 5,
  "answers withheld": 2,
  reset: 2,
  "withheld answers": 2,
  "cut at a message": 2,
  "kill at a message": 2,
  "half-open connections": 2,
  "dropped notifications": 2,
  "notifications dropped": 1,
  delay: 2,
  "messages delayed": 10,
  "terminated backends": 1,
  "foreign lock": 1,
  restart: 1
}

/** Everything is begun and rages, until nobody kills any more and there is an executor at each place. */
const rageOnce = Effect.fnUntraced(function*(
  crew: Crew.Crew,
  works: ReadonlyArray<Work>,
  rage: Effect.Effect<void, never, Scope.Scope>
) {
  const raging = yield* Effect.forkScoped(rage)
  const until = Date.now() + forMs
  yield* Effect.forEach(works, (one) => work(one, until), { concurrency: "unbounded", discard: true })
  yield* Fiber.join(raging)
  const killers = works.filter(({ theme }) => theme.deadLetters !== undefined).flatMap(({ acts }) => acts)
  yield* eventually(
    "what kills by itself to be given up",
    Effect.sync(() => killers.every((act) => act.pollUnsafe() !== undefined)),
    { state: () => crew.running.map((program) => program.state) }
  )
  yield* Crew.whole(crew)
  for (const place of Crew.places) yield* Crew.tally(crew, place)
})

/** When nobody kills any more one stays frozen, nobody is notified of anything, and all that was begun ends. */
const calmDown = Effect.fnUntraced(function*(crew: Crew.Crew, works: ReadonlyArray<Work>) {
  for (const proxy of crew.proxies) proxy.notifies = false
  for (const program of crew.running) yield* program.ask({ do: "hush" })
  for (const schedule of yield* Client.schedules.list()) yield* Client.schedules.pause(schedule.name)
  const frozen = crew.running[0]!
  crew.lapsed.add(frozen.pid)
  const from = yield* freeze(frozen)
  yield* allEnd(works, crew)
  Crew.stopped(crew, frozen, from, now())
  frozen.signal("SIGCONT")
  for (const place of Crew.places) yield* Crew.tally(crew, place)
})

/** What a client is told of all workflows: how they stand, and in what they have ended. */
const told = Effect.gen(function*() {
  const workflows = yield* listed({})
  const ends = yield* Effect.forEach(workflows, ({ workflowId }) => Effect.exit(Client.result(workflowId)), {
    concurrency: "unbounded"
  })
  return workflows.map((info, index) => JSON.stringify([info, ends[index]]))
})

/** Everybody is told the same. `client`: another one, which knows nothing yet. */
const allAgree = Effect.fnUntraced(function*(client: Lab.Lab["client"]) {
  const mine = yield* told
  const theirs = yield* Effect.provide(told, Layer.fresh(client))
  assert.isAbove(mine.length, 0)
  assert.deepStrictEqual(theirs.filter((one, index) => one !== mine[index]), [])
  assert.lengthOf(theirs, mine.length)
})

/** Begins everything, lets it happen, waits until all has ended, and looks at what there is. */
const survive = (
  lab: Lab.Lab,
  crew: Crew.Crew,
  themes: ReadonlyArray<Theme>,
  rage: (seed: string) => Effect.Effect<void, never, Scope.Scope>,
  perMinute: Readonly<Record<string, number>>
): Effect.Effect<void, unknown, Outside | Store | Scope.Scope> =>
  Effect.gen(function*() {
    const works = themes.map((theme): Work => ({ theme, acts: [] }))
    for (let time = 1; time <= mostRages; time++) {
      yield* rageOnce(crew, works, rage(time === 1 ? seed : `${seed}/${time}`))
      const missing = often(perMinute, forMs, yield* happened(crew, lab.sideEffects()))
      if (missing.length === 0) break
      console.log(JSON.stringify({ seed, kind: lab.place.kind, rages: time, missing }))
    }
    yield* calmDown(crew, works)

    const sideEffects = lab.sideEffects()
    const { lapsed, stops, ups } = crew
    const seen = (acts: Work["acts"]) => ({ acts: acts.length, sideEffects, lapsed, stops, ups })
    const has = yield* happened(crew, sideEffects)
    const counts = { ...has, ...Object.fromEntries(Crew.counted(crew)) }
    console.log(JSON.stringify({ seed, kind: lab.place.kind, workflows: yield* Client.count(), ...counts }))
    for (const { acts, theme } of works) {
      assert.deepStrictEqual(yield* theme.check(seen(acts)), [], `${theme.name}, seed ${seed}`)
    }
    const ill = (yield* listed({ status: ["ERROR", "DEAD_LETTER"] })).filter(({ name, status }) =>
      status !== "DEAD_LETTER" || !themes.some(({ deadLetters }) => deadLetters?.includes(name))
    )
    assert.deepStrictEqual(ill.map(({ failure, reason, workflowId }) => [workflowId, failure, reason]), [])
    assert.deepStrictEqual(Crew.unwell(crew), [])
    yield* allAgree(lab.client)
    assert.deepStrictEqual(yield* (yield* Store).strays(10), [])
    const figures: Array<Readonly<Record<string, number>>> = []
    for (const { acts, theme } of works) if (theme.figures !== undefined) figures.push(yield* theme.figures(seen(acts)))
    console.log(JSON.stringify({ seed, kind: lab.place.kind, "worst, milliseconds": Figures.worstOfEach(figures) }))
    // Else the run has shown nothing.
    assert.deepStrictEqual(often(perMinute, forMs, has), [])
  })

Lab.onBothStores("executors that are killed and frozen", (kind) => {
  it.live("lose nothing, double nothing, exceed no limit, and leave nothing waiting", () =>
    Effect.gen(function*() {
      console.log(`${kind}: seed ${seed}`)
      const lab = yield* Lab.make(kind)
      yield* Effect.gen(function*() {
        const themes = yield* prepared
        const crew = yield* Crew.make(lab, seed, false)
        yield* survive(lab, crew, themes, (seed) => Nemesis.rage(crew, seed, forMs), toProcesses)
      }).pipe(Effect.provide(lab.client))
    }), timeout)
})

it.live("nor do they when connections break, answers are lost and PostgreSQL crashes", () =>
  Effect.gen(function*() {
    console.log(`seed ${seed}`)
    const server = yield* Effect.acquireRelease(
      Effect.promise(() => startPostgres({ fsync: true })),
      (server) => Effect.promise(() => server.close())
    )
    const database = yield* freshDatabaseOn(server.url)
    const lab = yield* Lab.onDatabase(database)
    yield* Effect.gen(function*() {
      const themes = yield* prepared
      const crew = yield* Crew.make(lab, seed, true)
      const rage = (seed: string) => Nemesis.rage(crew, seed, forMs, { server, database })
      yield* survive(lab, crew, themes, rage, toConnections)
    }).pipe(Effect.provide(lab.client))
  }), timeout)
