import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import { expect } from "vitest"
import { waitFor } from "../waitFor.ts"
import { onPages } from "./onPages.ts"
import * as World from "./world.ts"

const { live } = World
const engine = { queues: [World.slow] }

// Run in the page, so they are texts: tests are not compiled for a browser.

const overflow = "document.documentElement.scrollWidth - innerWidth"

/** What a screen reader would have no word for. */
const wordless = `[...document.querySelectorAll("button, a, input, select, textarea")].filter((one) =>
  one.textContent.trim() === "" && !one.hasAttribute("aria-label") && one.labels?.length !== 1
).map((one) => one.outerHTML)`

onPages("overview, queues, schedules, executors, versions", (claim) => {
  claim("the overview counts, and puts what needs somebody on top", { live, engine }, async ({ open, page, run }) => {
    await run(World.Quick.execute({ note: "x" }, { workflowId: "quick" }))
    await run(World.Sleeper.start({ note: "x" }, { workflowId: "sleeper" }))
    await open("")
    await page.getByText("Nothing is blocked or given up.").waitFor()
    await page.getByRole("link", { name: "1 Success" }).waitFor()
    await page.getByRole("link", { name: "1 Pending" }).waitFor()
    await page.getByRole("img", { name: /^Started: 2 created/ }).waitFor()
    await page.getByRole("img", { name: /^What became of them: 1 succeeded/ }).waitFor()
    await page.getByRole("region", { name: "Failing and slowest names" }).getByRole("link", { name: "Quick" }).waitFor()
    await page.getByRole("link", { name: "1 alive" }).waitFor()

    await run(Client.queues.pause("slow"))
    const needs = page.getByRole("region", { name: "Needs attention" })
    await needs.getByRole("link", { name: "slow" }).click()
    await page.getByRole("region", { name: "Queue slow" }).waitFor()
  })

  claim("pauses, resumes and limits a queue, and says why its head waits", { live, engine }, async (
    { open, page, run }
  ) => {
    await run(World.slow.enqueue(World.Sleeper, { note: "x" }, { workflowId: "first" }))
    await run(World.slow.enqueue(World.Sleeper, { note: "x" }, { workflowId: "second" }))
    await open("queues")
    await page.getByRole("link", { name: "slow" }).click()
    const queue = page.getByRole("region", { name: "Queue slow" })
    await queue.getByRole("link", { name: "second" }).waitFor()
    await queue.getByText("held by: concurrency").waitFor()

    await queue.getByRole("button", { name: "Pause the queue" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Pause it" }).click()
    await queue.getByText("paused", { exact: true }).waitFor()
    expect((await run(Client.queues.get("slow"))).paused).toBe(true)
    await queue.getByRole("button", { name: "Resume the queue" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Resume it" }).click()
    await queue.getByText("paused", { exact: true }).waitFor({ state: "hidden" })

    await queue.getByRole("button", { name: "Change the limits" }).click()
    const dialog = page.getByRole("dialog", { name: "Limits of this queue" })
    await dialog.getByLabel("At once, in all executors").fill("0")
    expect(await dialog.getByRole("button", { name: "Set the limits" }).isDisabled()).toBe(true)
    await dialog.getByLabel("At once, in all executors").fill("2")
    await dialog.getByLabel("Starts in a period").fill("10")
    await dialog.getByLabel("The period, in seconds").fill("60")
    await dialog.getByRole("button", { name: "Set the limits" }).click()
    await queue.getByText("10 starts in 1 m").waitFor()
    expect((await run(Client.queues.get("slow"))).limits).toMatchObject({
      concurrency: 2,
      rateLimit: { limit: 10, periodMs: 60_000 }
    })
    await waitFor("the second to start", async () => (await run(Client.get("second"))).status === "PENDING")

    await queue.getByRole("button", { name: "Back to the limits of the code" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Reset the limits" }).click()
    await queue.getByText("as code declares them").waitFor()
  })

  claim("deletes a queue that is empty", { live, engine }, async ({ open, page, run }) => {
    await open("queues?name=slow")
    await page.getByRole("button", { name: "Delete the queue" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Delete it" }).click()
    await page.getByText("Deleted slow.").waitFor()
    expect((await run(Client.queues.list)).map(({ name }) => name)).toEqual([])
  })

  claim("tells a schedule in plain words, fires it, pauses it, makes up for what it missed", { live }, async (
    { open, page, run }
  ) => {
    await open("schedules")
    await page.getByText("At 02:30, Monday through Friday").waitFor()
    await page.getByRole("link", { name: "nightly" }).click()
    const schedule = page.getByRole("region", { name: "Schedule nightly" })
    await waitFor("five next fires", async () => await schedule.getByRole("listitem").count() >= 5)
    await schedule.getByRole("button", { name: "Trigger now" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Trigger it" }).click()
    await schedule.getByText("Success").first().waitFor()
    expect(await run(Client.count({ schedule: "nightly" }))).toBe(1)

    await schedule.getByRole("button", { name: "Pause the schedule" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Pause it" }).click()
    await schedule.getByText("paused", { exact: true }).waitFor()
    expect((await run(Client.schedules.get("nightly"))).paused).toBe(true)
    await schedule.getByRole("button", { name: "Resume the schedule" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Resume it" }).click()
    await schedule.getByText("paused", { exact: true }).waitFor({ state: "hidden" })

    await schedule.getByRole("button", { name: "Backfill…" }).click()
    const dialog = page.getByRole("dialog", { name: "Backfill this schedule" })
    await dialog.getByLabel("From").fill("2026-03-02T00:00")
    await dialog.getByLabel("Before").fill("2026-03-05T00:00")
    await dialog.getByRole("button", { name: "Start them" }).click()
    await page.getByText("3 ticks, 3 started.").waitFor()
    expect(await run(Client.count({ schedule: "nightly" }))).toBe(4)

    await schedule.getByRole("button", { name: "Delete the schedule" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Delete it" }).click()
    await page.getByText("There are no schedules").waitFor()
  })

  claim("creates a schedule from a form, and deletes it", { live, refuses: true }, async ({ open, page, run }) => {
    await open("schedules")
    await page.getByRole("button", { name: "Create a schedule" }).press("Enter")
    const dialog = page.getByRole("dialog", { name: "Create a schedule" })
    const create = dialog.getByRole("button", { name: "Create it" })
    await dialog.getByLabel("Name", { exact: true }).fill("weekly")
    expect(await create.isDisabled()).toBe(true)
    await dialog.getByLabel("Workflow").selectOption("Quick")
    await dialog.getByLabel("note").fill("by the week")
    await dialog.getByLabel("Cron").fill("not a cron")
    await create.click()
    await dialog.getByRole("alert").waitFor()
    await dialog.getByLabel("Cron").fill("0 8 * * mon")
    await dialog.getByText("At 08:00, only on Monday").waitFor()
    await dialog.getByLabel("Time zone").fill("Europe/Berlin")
    await dialog.getByLabel("While the one before goes on").selectOption("skip")
    await create.click()
    const schedule = page.getByRole("region", { name: "Schedule weekly" })
    await schedule.getByText("At 08:00, only on Monday").first().waitFor()
    expect(await run(Client.schedules.get("weekly"))).toMatchObject({
      workflow: "Quick",
      cron: "0 8 * * mon",
      timeZone: "Europe/Berlin",
      overlap: "skip",
      payload: { note: "by the week" },
      origin: "runtime"
    })
    await schedule.getByRole("button", { name: "Delete the schedule" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Delete it" }).click()
    await page.getByText("Deleted weekly.").waitFor()
    expect((await run(Client.schedules.list())).map(({ name }) => name)).toEqual(["nightly"])

    await page.getByRole("button", { name: "Create a schedule" }).click()
    await dialog.getByLabel("Name", { exact: true }).fill("often")
    await dialog.getByLabel("Workflow").selectOption("Quick")
    await dialog.getByLabel("When", { exact: true }).selectOption("interval")
    await dialog.getByLabel("Seconds from one to the next").fill("86400")
    await create.click()
    await page.getByRole("region", { name: "Schedule often" }).waitFor()
    expect((await run(Client.schedules.get("often"))).intervalMs).toBe(86_400_000)
  })

  claim(
    "shows executors, and makes another version the latest",
    { live, engine: { executorId: "one", version: "v1" } },
    async (
      { another, open, page, run }
    ) => {
      const second = await another([], { executorId: "two", version: "v2" })
      await open("executors")
      const first = page.getByRole("listitem").filter({ hasText: "one" }).first()
      await first.getByText("serves this page").waitFor()
      await first.getByText("Sleeper").waitFor()
      await page.getByText("two").first().waitFor()

      await page.getByRole("link", { name: "Versions" }).click()
      const old = page.getByRole("listitem").filter({ hasText: "v1" })
      await old.getByRole("button", { name: "Make it the latest" }).click()
      await page.getByRole("dialog").getByRole("button", { name: "Make it the latest" }).click()
      await old.getByText("latest", { exact: true }).waitFor()
      expect((await run(Client.versions.latest))?.version).toBe("v1")
      await Effect.runPromise(second.close)
    }
  )

  claim("the palette goes to a page, a workflow, a name", { live }, async ({ open, page, run }) => {
    await run(World.Sleeper.start({ note: "x" }, { workflowId: "needle" }))
    await open("")
    await page.getByRole("heading", { name: "Overview" }).waitFor()
    const search = page.getByRole("combobox", { name: "Search" })
    await page.keyboard.press("Control+k")
    await search.fill("need")
    await page.getByRole("option", { name: "needle" }).waitFor()
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: "needle" }).waitFor()
    await page.keyboard.press("Control+k")
    await search.fill("schedu")
    await page.getByRole("option", { name: /Schedules/ }).click()
    await page.getByRole("heading", { name: "Schedules" }).waitFor()
    await page.keyboard.press("Control+k")
    await page.keyboard.press("Escape")
    await search.waitFor({ state: "hidden" })
  })

  const narrow = { viewport: { width: 360, height: 720 } }
  const versioned = { ...engine, version: "v1" }
  claim("every page fits 360 pixels, and says in words what it shows", {
    live,
    engine: versioned,
    browser: narrow
  }, async ({ open, page, run }) => {
    await run(World.Order.start(World.anOrder, { workflowId: "an-order-with-a-rather-long-name-that-has-to-be-cut" }))
    for (const workflowId of ["first", "second"]) {
      await run(World.slow.enqueue(World.Sleeper, { note: "x" }, { workflowId }))
    }
    const id = "an-order-with-a-rather-long-name-that-has-to-be-cut"
    const tab = (name: string) => `workflow?id=${id}&tab=${name}`
    const text = (is: string) => page.getByText(is, { exact: true })
    const link = (name: string) => page.getByRole("link", { name, exact: true })
    const region = (name: string) => page.getByRole("region", { name })
    /** Each address with something of what it asks the server for. */
    const pages = [
      ["", link("nightly"), link("slow"), page.getByRole("img", { name: /^Started: \d/ })],
      ["workflows", link("second")],
      [tab("timeline"), page.getByRole("button", { name: /reserve stock/ })],
      [tab("values"), region("Input").getByText("customer")],
      [tab("events"), text("progress")],
      [tab("messages"), text("Nobody has sent it a message")],
      [tab("streams"), page.getByRole("log").getByText("reserved")],
      [tab("family"), text("It has none. Fork it from a step to try again from there.")],
      ["queues?name=slow", region("Queue slow").getByRole("link", { name: "second" })],
      ["schedules?name=nightly", region("Schedule nightly").getByRole("listitem")],
      ["executors", text("serves this page")],
      ["versions", text("v1")]
    ] as const
    for (const [address, ...loaded] of pages) {
      await open(address)
      for (const one of loaded) await one.first().waitFor()
      await waitFor(`all of "${address}" to be there`, async () => await page.getByText(/^Loading /).count() === 0)
      expect([address, await page.evaluate(overflow)]).toEqual([address, 0])
      const mute = await page.evaluate(wordless)
      expect([address, mute]).toEqual([address, []])
    }
  })

  claim("the theme is remembered", { browser: { colorScheme: "light" } }, async ({ open, page }) => {
    await open("")
    await page.getByRole("button", { name: /Theme: system/ }).click()
    await page.getByRole("button", { name: /Theme: light/ }).click()
    await page.reload()
    await page.getByRole("button", { name: /Theme: dark/ }).waitFor()
    expect(await page.evaluate("getComputedStyle(document.documentElement).colorScheme")).toBe("dark")
  })
})
