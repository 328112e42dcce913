/**
 * The class of bug hunted here: a page that is open for long and holds more with every change that it is told of. Time
 * in the page is turned by hand, so that many changes are seen in little of it; what is counted is what a page
 * holds after its garbage was collected.
 */
import * as Effect from "effect/Effect"
import type { CDPSession, Page, Response } from "playwright-core"
import { expect, vi } from "vitest"
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

/** What the server tells of three times a second at most, as often as the page connects. */
const told = [
  { _tag: "Changed", what: ["workflows", "queues", "schedules", "executors"] },
  { _tag: "Workflow", workflowId: "order", steps: 1, status: "PENDING" }
]
const tellAlways = (page: Page): Promise<unknown> =>
  page.route(
    "**/api/live*",
    (route) =>
      route.fulfill({
        contentType: "text/event-stream",
        body: `retry: 10\n\n${told.map((change) => `data: ${JSON.stringify(change)}\n\n`).join("")}`
      })
  )

/** Something happens, the page is told and has asked again: so many times. */
const changes = async ({ page, run }: Shown, count: number): Promise<void> => {
  let answers = 0
  const answered = (response: Response) => {
    if (response.url().includes("/api/") && !response.url().includes("/api/live")) answers++
  }
  page.on("response", answered)
  for (let change = 0; change < count; change++) {
    const before = answers
    await run(World.Quick.execute({ note: "x" }))
    await vi.waitUntil(async () => {
      await page.clock.runFor(1000)
      return answers > before
    }, { timeout: 60_000, interval: 1 })
  }
  page.off("response", answered)
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

/** What leaks grows in each round; what is just being rendered or let go of does not. */
const rounds = 6
const changesOfRound = 20

// What a page holds does not hang on the store: one of them is looked at on both.
onPages("a page that is open for long", (claim) => {
  for (const [name, address, heading] of pages) {
    claim(`holds no more after many changes: ${name}`, {
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
      await tellAlways(page)
      await open(address)
      await page.getByRole("heading", { name: heading, exact: true }).first().waitFor()
      const session = await page.context().newCDPSession(page)
      await session.send("Performance.enable")
      await changes(shown, 5)
      let before = await held(session)
      const seen: Array<Held> = [before]
      while (seen.length <= rounds) {
        await changes(shown, changesOfRound)
        const after = await held(session)
        const grown = Math.max(after.nodes - before.nodes, after.listeners - before.listeners)
        if (grown < changesOfRound / 2) break
        before = after
        seen.push(after)
      }
      expect(seen.length, `it grows in every round: ${JSON.stringify(seen)}`).toBeLessThanOrEqual(rounds)
      await session.detach()
    })
  }
})
