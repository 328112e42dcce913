/**
 * Three executors at work on everything there is, killed and frozen at random, behind connections that break and before a
 * database that crashes. Hunts for what is lost or doubled, for limits that are exceeded while owners change, and for
 * what waits for ever.
 *
 * `PERDURE_SEED` repeats the acts of a run; `PERDURE_CHAOS_SECONDS` is for how long.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Client } from "perdure"
import type { Store } from "perdure/Store"
import { eventually } from "../crash/harness/eventually.ts"
import { freeze } from "../crash/harness/freeze.ts"
import * as Lab from "../crash/harness/Lab.ts"
import type { SideEffect } from "../crash/harness/sideEffects.ts"
import { freshDatabaseOn } from "../postgres/database.ts"
import { startPostgres } from "../postgres/server.ts"
import * as Crew from "./Crew.ts"
import * as Nemesis from "./nemesis.ts"
import * as Themes from "./themes/index.ts"
import type { Outside, Theme } from "./themes/Theme.ts"

const seed = process.env["PERDURE_SEED"] ?? String(Date.now())
const forMs = Number(process.env["PERDURE_CHAOS_SECONDS"] ?? 20) * 1000
/** Against hanging only. */
const timeout = 2 * forMs + 400_000

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

const work = Effect.fnUntraced(function*(theme: Theme, until: number) {
  const acts: Array<Fiber.Fiber<unknown, unknown>> = []
  const places = yield* Semaphore.make(mostActs)
  while (Date.now() < until) {
    if ((yield* Effect.timeoutOption(Semaphore.take(places, 1), until - Date.now()))._tag === "None") break
    acts.push(yield* Effect.forkScoped(Effect.ensuring(theme.act(acts.length), Semaphore.release(places, 1))))
    yield* Effect.sleep(yield* Random.nextIntBetween(400, 1200))
  }
  return { theme, acts }
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

/** How many steps ran in more than one process. */
const ranElsewhere = (sideEffects: ReadonlyArray<SideEffect>): number => {
  const pids = new Map<string, Set<number>>()
  for (const { pid, step, workflowId } of sideEffects) {
    const key = `${workflowId}/${step}`
    pids.set(key, (pids.get(key) ?? new Set()).add(pid))
  }
  return [...pids.values()].filter((ran) => ran.size > 1).length
}

/** Begins everything, lets it happen, waits until all has ended, and looks at what there is. */
const survive = (
  lab: Lab.Lab,
  crew: Crew.Crew,
  themes: ReadonlyArray<Theme>,
  rage: Effect.Effect<void, never, Scope.Scope>
): Effect.Effect<void, unknown, Outside | Store | Scope.Scope> =>
  Effect.gen(function*() {
    const raging = yield* Effect.forkScoped(rage)
    const until = Date.now() + forMs
    const works = yield* Effect.forEach(themes, (theme) => work(theme, until), { concurrency: "unbounded" })
    yield* Fiber.join(raging)
    // From here on nothing happens any more, except that one stays frozen and nobody is notified of anything.
    for (const proxy of crew.proxies) proxy.notifies = false
    for (const program of crew.running) yield* program.ask({ do: "hush" })
    for (const schedule of yield* Client.schedules.list()) yield* Client.schedules.pause(schedule.name)
    crew.lapsed.add(crew.running[0]!.pid)
    yield* freeze(crew.running[0]!)
    yield* allEnd(works, crew)
    crew.running[0]!.signal("SIGCONT")
    for (const place of Crew.places) yield* Crew.tally(crew, place)

    const sideEffects = lab.sideEffects()
    const again = ranElsewhere(sideEffects)
    console.log(JSON.stringify({
      seed,
      kind: lab.place.kind,
      workflows: yield* Client.count(),
      "steps that ran in two processes": again,
      ...Object.fromEntries(crew.done),
      ...Object.fromEntries(crew.counted)
    }))
    for (const { acts, theme } of works) {
      const wrong = yield* theme.check({ acts: acts.length, sideEffects, lapsed: crew.lapsed })
      assert.deepStrictEqual(wrong, [], `${theme.name}, seed ${seed}`)
    }
    const ill = yield* Client.list({ status: ["ERROR", "DEAD_LETTER"] })
    assert.deepStrictEqual(ill.workflows.map(({ failure, reason, workflowId }) => [workflowId, failure, reason]), [])
    assert.deepStrictEqual(Crew.unwell(crew), [])
    // Else the run has shown nothing.
    assert.isAbove(again, 0)
    assert.isAbove(crew.counted.get("perdure_workflows_recovered") ?? 0, 0)
    for (const name of ["kill", "pause", "loss of a lease"]) assert.isAbove(crew.done.get(name) ?? 0, 0, name)
  })

Lab.onBothStores("executors that are killed and frozen", (kind) => {
  it.live("lose nothing, double nothing, exceed no limit, and leave nothing waiting", () =>
    Effect.gen(function*() {
      console.log(`${kind}: seed ${seed}`)
      const lab = yield* Lab.make(kind)
      yield* Effect.gen(function*() {
        const themes = yield* prepared
        const crew = yield* Crew.make(lab, false)
        yield* survive(lab, crew, themes, Nemesis.rage(crew, seed, forMs))
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
      const crew = yield* Crew.make(lab, true)
      yield* survive(lab, crew, themes, Nemesis.rage(crew, seed, forMs, { server, database }))
      const withheld = crew.proxies.reduce((sum, { counts }) => sum + counts.withheld, 0)
      assert.isAbove(withheld, 0, "answers withheld")
      for (const name of ["reset", "withheld answers", "terminated backends", "restart"]) {
        assert.isAbove(crew.done.get(name) ?? 0, 0, name)
      }
    }).pipe(Effect.provide(lab.client))
  }), timeout)
