import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import type { Page } from "playwright-core"
import { expect } from "vitest"
import { waitFor } from "../waitFor.ts"
import { onPages } from "./onPages.ts"
import * as World from "./world.ts"

const { live } = World

const start = (count: number, prefix: string) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => `${prefix}-${String(index).padStart(3, "0")}`),
    (workflowId) => World.Sleeper.start({ note: workflowId }, { workflowId, attributes: { kind: prefix } }),
    { concurrency: 20, discard: true }
  )

const rowsOf = (page: Page) => page.getByRole("table", { name: "Workflows" }).getByRole("link").allInnerTexts()

/** Waits until the list shows these, in this order. */
const shows = (page: Page, ids: ReadonlyArray<string>) => {
  let seen: ReadonlyArray<string> = []
  return waitFor(`the list to show ${ids.join(", ")}`, async () => {
    seen = await page.getByRole("table", { name: "Workflows" }).isVisible() ? await rowsOf(page) : []
    return JSON.stringify(seen) === JSON.stringify(ids)
  }, { state: () => seen })
}

onPages("the list of workflows", (claim) => {
  claim("says what to do while there are none", {}, async ({ open, page }) => {
    await open("workflows")
    await page.getByText("There are no workflows yet").waitFor()
  })

  claim(
    "where no index finds what fits it says how far it has looked, and looks further",
    { live, server: { limits: { look: 3 } } },
    async ({ another, open, page, run }) => {
      const old = await another(live, { executorId: "old", version: "v0" })
      await Effect.runPromise(old.use(World.Quick.execute({ note: "x" }, { workflowId: "oldest" })))
      await run(start(20, "a"))
      await open("workflows?version=v0")
      await page.getByText("None that fits was found as far as").waitFor()
      const further = page.getByRole("button", { name: "Look further" })
      await further.click()
      await waitFor("the oldest to be found", async () => {
        if (await further.isVisible() && await further.isEnabled()) {
          await further.click({ timeout: 1000 }).catch(() => {})
        }
        return page.getByRole("link", { name: "oldest" }).isVisible()
      })
      await page.getByText("1 shown, all that fit.").waitFor()
      await further.waitFor({ state: "hidden" })
      await Effect.runPromise(old.close)
    }
  )

  claim("keeps its filters in the address", { live }, async ({ open, page, run }) => {
    await run(start(3, "a"))
    await run(World.Quick.execute({ note: "x" }, { workflowId: "quick" }))
    await open("workflows")
    await page.getByRole("button", { name: /^Success/ }).click()
    await shows(page, ["quick"])
    expect(page.url()).toContain("status=SUCCESS")
    await page.getByRole("button", { name: /^Success/ }).click()

    await page.keyboard.press("/")
    await page.keyboard.type("a-00")
    await shows(page, ["a-002", "a-001", "a-000"])
    expect(page.url()).toContain("id=a-00")
    await page.reload()
    await shows(page, ["a-002", "a-001", "a-000"])
    await page.getByRole("button", { name: "Clear all" }).click()
    await shows(page, ["quick", "a-002", "a-001", "a-000"])

    await page.getByRole("button", { name: "More filters" }).click()
    await page.getByLabel("Attribute, as key=value").fill("kind=a")
    await page.keyboard.press("Enter")
    await page.getByLabel("Oldest first").check()
    await shows(page, ["a-000", "a-001", "a-002"])
    await page.getByRole("combobox", { name: "Name" }).selectOption("Quick")
    await page.getByText("No workflow fits").waitFor()
  })

  claim("shows what is started without being asked again", { live }, async ({ open, page, run }) => {
    await open("workflows")
    await page.getByText("There are no workflows yet").waitFor()
    await run(World.Sleeper.start({ note: "x" }, { workflowId: "late" }))
    await shows(page, ["late"])
    await page.getByRole("button", { name: /^Pending 1/ }).waitFor()
  })

  claim("goes by keys, from row to row and into one", { live }, async ({ open, page, run }) => {
    await run(start(3, "k"))
    await open("workflows")
    await shows(page, ["k-002", "k-001", "k-000"])
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await page.keyboard.press("x")
    await page.getByText("1 selected").waitFor()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: "k-001" }).waitFor()
    // A pair of keys is one only if the second comes soon after the first.
    await waitFor("two keys within 1.5 seconds", async () => {
      const from = performance.now()
      await page.keyboard.press("g")
      await page.keyboard.press("q")
      return performance.now() - from < 1500
    })
    await page.getByRole("heading", { name: "Queues" }).waitFor()
    await page.keyboard.press("?")
    await page.getByRole("dialog", { name: "Keys" }).waitFor()
  })

  claim("cancels those that are chosen, with a reason", { live }, async ({ open, page, run }) => {
    await run(start(3, "c"))
    await open("workflows")
    await page.getByLabel("Select c-001").check()
    await page.getByRole("region", { name: "Selection" }).getByRole("button", { name: "Cancel" }).click()
    const dialog = page.getByRole("dialog", { name: "Cancel 1 workflow?" })
    await dialog.getByLabel("Why").fill("it was a test")
    await dialog.getByRole("button", { name: "Cancel 1" }).click()
    await page.getByText("1 cancelled.").waitFor()
    expect(await run(Client.get("c-001"))).toMatchObject({ status: "CANCELLED", reason: { detail: "it was a test" } })
    expect((await run(Client.get("c-000"))).status).toBe("PENDING")
  })

  claim(
    "counts all that fit before it acts on them, and leaves others alone",
    { live },
    async ({ open, page, run }) => {
      await run(start(250, "many"))
      await run(start(2, "other"))
      await open("workflows?id=many")
      await page.getByRole("link", { name: "many-249" }).waitFor()
      for (const [act, done] of [["Cancel", "CANCELLED"], ["Resume", "PENDING"], ["Cancel", "CANCELLED"]] as const) {
        await page.getByLabel("Select all that are shown").check()
        await page.getByRole("button", { name: "Select all that fit the filter" }).click()
        await page.getByText("All that fit", { exact: true }).waitFor()
        await page.getByRole("region", { name: "Selection" }).getByRole("button", { name: act }).click()
        const dialog = page.getByRole("dialog", { name: `${act} 250 workflows?` })
        await dialog.getByRole("button", { name: `${act} 250` }).click()
        await dialog.waitFor({ state: "hidden" })
        expect(await run(Client.count({ idPrefix: "many", status: done }))).toBe(250)
      }
      await page.getByLabel("Select all that are shown").check()
      await page.getByRole("button", { name: "Select all that fit the filter" }).click()
      await page.getByRole("region", { name: "Selection" }).getByRole("button", { name: "Delete" }).click()
      const dialog = page.getByRole("dialog", { name: "Delete 250 workflows?" })
      await dialog.getByRole("button", { name: "Delete 250" }).click()
      await page.getByText("250 deleted.").waitFor()
      await page.getByText("No workflow fits").waitFor()
      expect(await run(Client.count({ status: "PENDING" }))).toBe(2)
    }
  )

  claim("a bulk act stops when it is told to, and says how far it was", { live }, async ({ open, page, run }) => {
    await run(start(5, "stay"))
    await open("workflows?id=stay")
    await page.getByRole("link", { name: "stay-004" }).waitFor()
    await page.getByLabel("Select all that are shown").check()
    await page.getByRole("button", { name: "Select all that fit the filter" }).click()
    await page.getByRole("region", { name: "Selection" }).getByRole("button", { name: "Cancel" }).click()
    // It is held on its way, so that there is something to stop.
    await page.route("**/bulk/cancel", () => new Promise<void>(() => {}))
    const dialog = page.getByRole("dialog", { name: "Cancel 5 workflows?" })
    await dialog.getByRole("button", { name: "Cancel 5" }).click()
    await dialog.getByText("0 looked at, 0 cancelled…").waitFor()
    await dialog.getByRole("button", { name: "Stop" }).press("Enter")
    await dialog.getByText("0 looked at, 0 cancelled, then stopped.").waitFor()
    expect(await dialog.getByRole("alert").count()).toBe(0)
    expect(await run(Client.count({ idPrefix: "stay", status: "PENDING" }))).toBe(5)

    await page.unroute("**/bulk/cancel")
    await dialog.getByRole("button", { name: "Cancel 5" }).click()
    await dialog.waitFor({ state: "hidden" })
    expect(await run(Client.count({ idPrefix: "stay", status: "CANCELLED" }))).toBe(5)
  })

  claim("forgets what is chosen when the filter changes, whichever way", { live }, async ({ open, page, run }) => {
    await run(start(2, "a"))
    await run(start(2, "b"))
    const selected = page.getByRole("region", { name: "Selection" })
    await open("workflows?id=a")
    await shows(page, ["a-001", "a-000"])
    await open("workflows?id=b")
    await shows(page, ["b-001", "b-000"])
    await page.getByLabel("Select b-001").check()
    await selected.getByRole("button", { name: "Cancel" }).click()
    const dialog = page.getByRole("dialog", { name: "Cancel 1 workflow?" })
    await dialog.waitFor()
    await page.goBack()
    await shows(page, ["a-001", "a-000"])
    expect([await dialog.count(), await selected.count()]).toEqual([0, 0])

    await page.getByLabel("Select all that are shown").check()
    await selected.getByRole("button", { name: "Select all that fit the filter" }).click()
    await page.getByText("All that fit", { exact: true }).waitFor()
    await page.getByRole("navigation").getByRole("link", { name: "Workflows" }).click()
    await shows(page, ["b-001", "b-000", "a-001", "a-000"])
    expect(await selected.count()).toBe(0)

    await page.getByLabel("Select b-001").check()
    const field = page.getByLabel("Id begins with")
    await field.pressSequentially("a-")
    await shows(page, ["a-001", "a-000"])
    expect(await selected.count()).toBe(0)
    // Whoever types goes on where he was.
    await page.keyboard.type("000")
    await shows(page, ["a-000"])
    expect(await field.inputValue()).toBe("a-000")
  })

  claim("lets no row be chosen that is still there of the filter before", { live }, async ({ open, page, run }) => {
    await run(start(2, "a"))
    await run(start(2, "b"))
    await open("workflows?id=a")
    await shows(page, ["a-001", "a-000"])
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    await page.route((url) => url.pathname === "/api/workflows" && url.search.includes("idPrefix=b"), async (route) => {
      await held
      await route.continue()
    })
    await open("workflows?id=b")
    await page.getByRole("button", { name: "Remove the filter id b" }).waitFor()
    await shows(page, ["a-001", "a-000"])
    for (const label of ["Select a-001", "Select all that are shown"]) {
      expect(await page.getByLabel(label).isDisabled()).toBe(true)
    }
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    expect(await page.getByRole("region", { name: "Selection" }).count()).toBe(0)
    release()
    await shows(page, ["b-001", "b-000"])
    await page.getByLabel("Select b-001").check()
    await page.getByText("1 selected").waitFor()
  })

  claim("takes no act on everything there is", { live }, async ({ open, page, run }) => {
    await run(start(2, "all"))
    await open("workflows")
    await page.getByLabel("Select all that are shown").check()
    await page.getByText("To take all that fit, filter first.").waitFor()
    expect(await page.getByRole("button", { name: "Select all that fit the filter" }).count()).toBe(0)
  })

  claim("has only the rows in sight in the page, and shows the last when one goes there", { live }, async (
    { open, page, run }
  ) => {
    await run(start(320, "row"))
    await open("workflows?order=asc")
    await page.getByRole("link", { name: "row-000" }).waitFor()
    expect((await rowsOf(page)).length).toBeLessThan(60)
    await waitFor("the end of the list", async () => {
      await page.keyboard.press("End")
      return page.getByRole("link", { name: "row-319" }).isVisible()
    })
    expect((await rowsOf(page)).length).toBeLessThan(60)
  })

  claim("starts a workflow from a form of its schema", { live }, async ({ open, page, run }) => {
    await open("workflows")
    await page.getByRole("button", { name: "Start a workflow" }).click()
    const dialog = page.getByRole("dialog", { name: "Start a workflow" })
    await dialog.getByLabel("Workflow", { exact: true }).selectOption("Order")
    await dialog.getByLabel("Workflow id").fill("by-hand")
    await dialog.getByLabel("customer").fill("grace")
    await dialog.getByLabel("amount").fill("not a number")
    expect(await dialog.getByRole("button", { name: "Start" }).isDisabled()).toBe(true)
    await dialog.getByLabel("amount").fill("7")
    await dialog.getByLabel("express").check()
    await dialog.getByLabel("size").selectOption("large")
    await dialog.getByRole("button", { name: "Start" }).click()
    await page.getByRole("heading", { name: "by-hand" }).waitFor()
    expect((await run(Client.get("by-hand"))).payload).toEqual({
      customer: "grace",
      amount: 7,
      express: true,
      size: "large"
    })
  })
})
