/**
 * What an executor holds after it has worked for long, and after it has had nothing to do for long: no more than before.
 * Hunts for what is kept for each workflow that ever was. `npm run soak -- --minutes 60`; without `PERDURE_SOAK_MINUTES` only
 * the rule by which it is judged is looked at.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Client } from "perdure"
import * as Themes from "../chaos/themes/index.ts"
import * as Lab from "../crash/harness/Lab.ts"
import { growth, type Held, median } from "./flat.ts"

const minutes = Number(process.env["PERDURE_SOAK_MINUTES"] ?? 0)
const busyMs = minutes * 60_000 * 0.8
const idleMs = minutes * 60_000 * 0.2

const held = (heap: number, handles = 10): Held => ({ heap, rss: 2 * heap, handles })

it("what rises after the first third has grown, and what only warms up or swings has not", () => {
  const mega = 1_000_000
  const series = (of: (index: number) => Held) => Array.from({ length: 30 }, (_, index) => of(index))
  assert.deepStrictEqual(growth("w", series((index) => held((50 + 20 * (index % 2)) * mega))), [])
  assert.deepStrictEqual(growth("w", series((index) => held((20 + 5 * Math.min(index, 10)) * mega))), [])
  assert.deepStrictEqual(growth("w", series((index) => held((50 + 3 * index) * mega))), [
    "w: heap rose from 95000000 to 125000000",
    "w: rss rose from 190000000 to 250000000"
  ])
  assert.deepStrictEqual(
    growth("w", series((index) => held(50 * mega, 10 + index))),
    ["w: handles rose from 15 to 25"].slice(1)
  )
  assert.deepStrictEqual(growth("w", series((index) => held(50 * mega, 10 + 3 * index))), [
    "w: handles rose from 55 to 85"
  ])
})

/** One act of each theme after the other, all themes beside each other. */
const work = (themes: ReturnType<typeof Themes.make>, until: number) =>
  Effect.forEach(themes, (theme) =>
    Effect.gen(function*() {
      for (let index = 0; Date.now() < until; index++) {
        yield* theme.act(index)
        yield* Effect.sleep(500)
      }
    }), { concurrency: "unbounded", discard: true })

const soak = (kind: Lab.Kind) =>
  Effect.gen(function*() {
    const lab = yield* Lab.make(kind)
    yield* Effect.gen(function*() {
      const themes = Themes.make().filter(({ deadLetters }) => deadLetters === undefined)
      for (const theme of themes) yield* theme.prepare ?? Effect.void
      const program = yield* lab.run("soak", {})
      yield* program.hear("ready")
      const samples = (forMs: number) =>
        Effect.gen(function*() {
          const found: Array<Held> = []
          for (const until = Date.now() + forMs; Date.now() < until;) {
            yield* Effect.sleep(forMs / 60)
            found.push((yield* program.ask({ do: "held" })) as unknown as Held)
          }
          return found
        })
      const working = yield* Effect.forkScoped(work(themes, Date.now() + busyMs))
      const busy = yield* samples(busyMs)
      yield* Fiber.join(working)
      yield* program.ask({ do: "hush" })
      for (const schedule of yield* Client.schedules.list()) yield* Client.schedules.pause(schedule.name)
      const idle = yield* samples(idleMs)
      const megas = (some: ReadonlyArray<Held>) => some.map(({ heap }) => Math.round(heap / 100_000) / 10)
      console.log(JSON.stringify({
        kind,
        workflows: yield* Client.count(),
        "heap while busy, MB": megas(busy),
        "heap while idle, MB": megas(idle),
        "rss, MB": [busy[0]!, busy.at(-1)!, idle.at(-1)!].map(({ rss }) => Math.round(rss / 1_000_000)),
        "handles": [busy, idle].map((some) => median(some.map(({ handles }) => handles)))
      }))
      assert.deepStrictEqual([...growth("busy", busy), ...growth("idle", idle)], [])
    }).pipe(Effect.provide(lab.client))
  })

if (minutes > 0) {
  it.live(
    "an executor holds no more after many workflows, and no more while it waits",
    () =>
      Effect.forEach(["sqlite", "postgres"] as const, (kind) => Effect.scoped(soak(kind)), {
        concurrency: "unbounded",
        discard: true
      }),
    minutes * 60_000 * 2 + 300_000
  )
}
