/**
 * The class of bug hunted here: a page that is open for long and holds more with every change that it is told of. Time
 * in the page is turned by hand, so that hundreds of changes are seen in little of it; what is counted is what a page
 * holds after its garbage was collected.
 */
import * as Effect from "effect/Effect"
import type { CDPSession, Page } from "playwright-core"
import { expect } from "vitest"
import { onPages, type Shown } from "./onPages.ts"
import * as World from "./world.ts"

const { live } = World
const engine = { queues: [World.slow] }

interface Held {
  readonly nodes: number
  readonly listeners: number
}

const held = async (session: CDPSession): Promise<Held> => {
  // Twice: what finalizers let go is garbage only then.
  await session.send("HeapProfiler.collectGarbage")
  await session.send("HeapProfiler.collectGarbage")
  const { metrics } = await session.send("Performance.getMetrics")
  const of = (name: string) => metrics.find((one) => one.name === name)?.value ?? Number.NaN
  return { nodes: of("Nodes"), listeners: of("JSEventListeners") }
}

/** A second of the page's time each, with something that happens. */
const seconds = async ({ page, run }: Shown, count: number): Promise<void> => {
  for (let second = 0; second < count; second++) {
    await run(World.Quick.execute({ note: "x" }))
    await page.clock.runFor(1000)
  }
}

/** How many answers the page got. */
const answersOf = (page: Page): () => number => {
  let count = 0
  page.on("response", (response) => {
    if (response.url().includes("/api/")) count++
  })
  return () => count
}

const pages = [
  ["overview", "", "Overview"],
  ["list", "workflows", "Workflows"],
  ["workflow", "workflow?id=order", "order"],
  ["messages", "workflow?id=order&tab=messages", "order"],
  ["family", "workflow?id=order&tab=family", "order"],
  ["queues", "queues?name=slow", "Queues"],
  ["schedules", "schedules?name=nightly", "Schedules"],
  ["executors", "executors", "Executors"],
  ["versions", "versions", "Versions"]
] as const

/** Of the page's time, once it is warm. */
const minutes = 3

// What a page holds does not hang on the store: one of them is looked at on both.
onPages("a page that is open for long", (claim) => {
  for (const [name, address, heading] of pages) {
    claim(`holds no more after hundreds of changes: ${name}`, {
      live,
      engine,
      ...(name === "overview" ? {} : { only: "sqlite" })
    }, async (shown) => {
      const { open, page, run } = shown
      await run(World.Order.start(World.anOrder, { workflowId: "order" }))
      await run(World.slow.enqueue(World.Sleeper, { note: "x" }))
      // What a list shows is full before anything is counted.
      await run(
        Effect.forEach(Array.from({ length: 120 }), () => World.Quick.execute({ note: "x" }), { concurrency: 20 })
      )
      await page.clock.install()
      const answers = answersOf(page)
      await open(address)
      await page.getByRole("heading", { name: heading, exact: true }).first().waitFor()
      const session = await page.context().newCDPSession(page)
      await session.send("Performance.enable")
      await seconds(shown, 60)
      const before = await held(session)
      const answered = answers()
      await seconds(shown, 60 * minutes)
      const after = await held(session)
      expect(answers() - answered, "the page has asked again").toBeGreaterThan(minutes)
      expect({ before, after, grown: after.nodes > before.nodes + 200 }).toMatchObject({ grown: false })
      expect({ before, after, grown: after.listeners > before.listeners + 20 }).toMatchObject({ grown: false })
      await session.detach()
    })
  }
})
