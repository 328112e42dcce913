/**
 * Three executors at work on everything there is, killed and frozen at random. Hunts for what is lost or doubled, for
 * limits that are exceeded while owners change, and for what waits for ever.
 *
 * `PERDURE_SEED` repeats the acts of a run; `PERDURE_CHAOS_SECONDS` is for how long.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { Client } from "perdure"
import { eventually } from "../crash/harness/eventually.ts"
import { freeze } from "../crash/harness/freeze.ts"
import * as Lab from "../crash/harness/Lab.ts"
import type { SideEffect } from "../crash/harness/sideEffects.ts"
import * as Nemesis from "./nemesis.ts"
import * as Themes from "./themes/index.ts"
import type { Outside, Theme } from "./themes/Theme.ts"

const seed = process.env["PERDURE_SEED"] ?? String(Date.now())
const forMs = Number(process.env["PERDURE_CHAOS_SECONDS"] ?? 20) * 1000

/** One theme's work, begun again and again until it is told to stop. */
interface Work {
  readonly theme: Theme
  readonly acts: Array<Fiber.Fiber<unknown, unknown>>
}

const work = Effect.fnUntraced(function*(theme: Theme, until: number) {
  const acts: Array<Fiber.Fiber<unknown, unknown>> = []
  while (Date.now() < until) {
    acts.push(yield* Effect.forkScoped(theme.act(acts.length)))
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
const allEnd = (works: ReadonlyArray<Work>, crew: Nemesis.Crew): Effect.Effect<void, unknown, Outside | Scope.Scope> =>
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

Lab.onBothStores("executors that are killed and frozen", (kind) => {
  it.live("lose nothing, double nothing, exceed no limit, and leave nothing waiting", () =>
    Effect.gen(function*() {
      console.log(`${kind}: seed ${seed}`)
      const lab = yield* Lab.make(kind)
      const themes = Themes.make()
      yield* Effect.gen(function*() {
        for (const theme of themes) yield* theme.prepare ?? Effect.void
        const crew = yield* Nemesis.make(lab)
        const raging = yield* Effect.forkScoped(Nemesis.rage(lab, crew, seed, forMs))
        const until = Date.now() + forMs
        const works = yield* Effect.forEach(themes, (theme) => work(theme, until), { concurrency: "unbounded" })
        yield* Fiber.join(raging)
        // From here on nothing happens any more, except that one stays frozen.
        for (const schedule of yield* Client.schedules.list()) yield* Client.schedules.pause(schedule.name)
        yield* freeze(crew.running[0]!)
        yield* allEnd(works, crew)
        crew.running[0]!.signal("SIGCONT")

        const sideEffects = lab.sideEffects()
        const { done } = crew
        const count = yield* Client.count()
        const again = ranElsewhere(sideEffects)
        console.log(
          `${kind}: ${count} workflows, ${again} steps that ran in two processes, ` +
            `${done.kills} kills, ${done.pauses} pauses, ${done.losses} losses of leases`
        )
        for (const { acts, theme } of works) {
          const wrong = yield* theme.check({ acts: acts.length, sideEffects })
          assert.deepStrictEqual(wrong, [], `${theme.name}, seed ${seed}`)
        }
        const ill = yield* Client.list({ status: ["ERROR", "DEAD_LETTER"] })
        assert.deepStrictEqual(
          ill.workflows.map(({ failure, reason, workflowId }) => [workflowId, failure, reason]),
          []
        )
        // Else the run has shown nothing.
        assert.isAbove(done.kills, 0)
        assert.isAbove(done.losses, 0)
        assert.isAbove(again, 0)
      }).pipe(Effect.provide(lab.client))
    }))
})
