import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import type { Page } from "playwright-core"
import { expect } from "vitest"
import { waitFor } from "../waitFor.ts"
import { onPages, type Shown } from "./onPages.ts"
import * as World from "./world.ts"

const { live } = World

const started = async ({ run }: Pick<Shown, "run">, workflowId: string) => {
  await run(World.Order.start(World.anOrder, { workflowId }))
  await waitFor(`"${workflowId}" to wait`, async () => (await run(Client.get(workflowId))).waits.length > 0)
}

const ended = async (shown: Pick<Shown, "run">, workflowId: string, approved: boolean) => {
  await started(shown, workflowId)
  await shown.run(World.Decision.send(workflowId, { approved }))
  await waitFor(
    `"${workflowId}" to end`,
    async () => ["SUCCESS", "ERROR"].includes((await shown.run(Client.get(workflowId))).status)
  )
}

const Other = Message.make("other", { payload: Schema.Int })

/** Sends "sleeper" one message more than a page has, and looks at the first page of them. */
const messagesOverAPage = async ({ open, page, run }: Shown) => {
  await run(World.Sleeper.start({ note: "x" }, { workflowId: "sleeper" }))
  await run(Effect.forEach(Array.from({ length: 101 }, (_, n) => n), (n) => Other.send("sleeper", n)))
  await open("workflow?id=sleeper&tab=messages")
  const rows = page.getByRole("list", { name: "messages" }).locator("> li")
  await rows.nth(99).waitFor()
  return { rows, more: page.getByRole("button", { name: "Load more" }) }
}

const timeline = (page: Page) => page.getByRole("region", { name: "Timeline of steps" })
const tab = (page: Page, name: string) => page.getByRole("tab", { name }).click()

onPages("the page of a workflow", (claim) => {
  claim("says what it waits for, and goes on before one's eyes", { live }, async ({ open, page, run }) => {
    await started({ run }, "order")
    await open("workflow?id=order")
    const waiting = page.getByRole("region", { name: "It is waiting for" })
    await waiting.getByText("a message on the topic").waitFor()
    expect(await waiting.innerText()).toContain("decision")
    await timeline(page).getByText("waits for message").waitFor()

    await run(World.Decision.send("order", { approved: true }))
    await timeline(page).getByRole("button", { name: /charge card/ }).waitFor()
    await waiting.waitFor({ state: "hidden" })
    await tab(page, "Input and output")
    await page.getByRole("region", { name: "Output" }).getByText("ch_42").waitFor()
    expect(await page.getByRole("region", { name: "Input" }).innerText()).toContain("customer")
  })

  claim("sends the message that it waits for", { live }, async ({ open, page, run }) => {
    await started({ run }, "order")
    await open("workflow?id=order&tab=messages")
    await page.getByText("Nobody has sent it a message").waitFor()
    await page.getByRole("region", { name: "It is waiting for" }).getByText("a message on the topic").waitFor()
    await page.getByRole("button", { name: "Send a message…" }).press("Enter")
    const dialog = page.getByRole("dialog", { name: "Send it a message" })
    expect(await dialog.getByLabel("Topic").inputValue()).toBe("decision")
    await dialog.getByLabel("JSON").fill("{\"approved\": tru")
    expect(await dialog.getByRole("button", { name: "Send", exact: true }).isDisabled()).toBe(true)
    await dialog.getByLabel("JSON").fill("{\"approved\": true}")
    await dialog.getByRole("button", { name: "Send", exact: true }).click()
    await page.getByText("Sent to order.").waitFor()
    await page.getByText(/received by step/).waitFor()
    await waitFor("it to end", async () => (await run(Client.get("order"))).status === "SUCCESS")
    await page.getByRole("button", { name: "Send a message…" }).waitFor({ state: "hidden" })
  })

  claim("edits attributes, by which it is found then", { live }, async ({ open, page, run }) => {
    await run(World.Sleeper.start({ note: "x" }, { workflowId: "tagged", attributes: { customer: "ada", n: "1" } }))
    await open("workflow?id=tagged")
    await page.getByRole("button", { name: "Attributes…" }).click()
    const dialog = page.getByRole("dialog", { name: "Attributes of this workflow" })
    expect(await dialog.getByLabel("Attribute 2").inputValue()).toBe("n=\"1\"")
    await dialog.getByLabel("Attribute 1").fill("customer=grace")
    await dialog.getByLabel("Attribute 3").fill("urgent")
    expect(await dialog.getByRole("button", { name: "Set them" }).isDisabled()).toBe(true)
    await dialog.getByLabel("Attribute 3").fill("urgent=true")
    await page.keyboard.press("Enter")
    await page.getByText("Attributes of tagged are set.").waitFor()
    expect((await run(Client.get("tagged"))).attributes).toEqual({ customer: "grace", n: "1", urgent: true })
    await page.getByRole("link", { name: "customer=grace" }).click()
    await page.getByRole("table", { name: "Workflows" }).getByRole("link", { name: "tagged" }).waitFor()
  })

  claim("shows steps with branches, attempts, children and what failed", { live }, async ({ open, page, run }) => {
    await ended({ run }, "order", false)
    await open("workflow?id=order")
    const steps = timeline(page)
    await steps.getByRole("button", { name: /reserve stock, done.*, 2 attempts/ }).click()
    const panel = page.getByRole("complementary")
    await panel.getByText("all / stock").waitFor()
    await panel.getByText("1 failed attempt").click()
    for (const what of ["Began", "Failed", "Next due"]) await panel.getByText(what, { exact: true }).waitFor()
    await panel.getByText("warehouse did not answer.").waitFor()
    expect(page.url()).toContain("step=")

    await page.keyboard.press("j")
    await panel.getByText("check for fraud").waitFor()
    await page.keyboard.press("Escape")
    await panel.waitFor({ state: "hidden" })
    await steps.getByRole("button", { name: /charge card, failed/ }).waitFor()
    await steps.getByRole("button", { name: /rollback: reserve stock/ }).waitFor()

    await tab(page, "Input and output")
    const error = page.getByRole("region", { name: "Output" })
    await error.getByText("Declined", { exact: true }).waitFor()
    await error.getByText("nobody approved it.").waitFor()

    await tab(page, "Family")
    await page.getByRole("region", { name: "Parents and children" }).getByRole("link").first().click()
    await page.getByRole("link", { name: "order", exact: true }).first().waitFor()
    await tab(page, "Timeline")
    await timeline(page).getByRole("button", { name: /pack/ }).waitFor()
  })

  claim("shows events, messages, and the tail of a stream as it grows", { live }, async ({ open, page, run }) => {
    await started({ run }, "order")
    await open("workflow?id=order&tab=streams")
    const log = page.getByRole("log", { name: "Entries" })
    await log.getByText("reserved").waitFor()
    await run(World.Decision.send("order", { approved: true }))
    await log.getByText("approved").waitFor()
    await tab(page, "Events")
    await page.getByText("progress", { exact: true }).waitFor()
    expect(await page.getByRole("list", { name: "events" }).innerText()).toContain("done")
    await tab(page, "Messages")
    await page.getByRole("link", { name: /received by step/ }).click()
    await page.getByRole("complementary").getByText("decision").waitFor()
  })

  claim("cancels and resumes it", { live }, async ({ open, page, run }) => {
    await run(World.Sleeper.start({ note: "x" }, { workflowId: "sleeper" }))
    await open("workflow?id=sleeper")
    await page.getByRole("button", { name: "Cancel" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Cancel it" }).click()
    await page.getByText("Cancelled sleeper.").waitFor()
    await page.getByRole("button", { name: "Resume" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Resume it" }).click()
    await page.getByText("Resumed sleeper.").waitFor()
    await page.getByRole("region", { name: "It is waiting for" }).waitFor()
    expect((await run(Client.get("sleeper"))).status).toBe("PENDING")
  })

  claim("forks it from a step, and compares the two", { live }, async ({ open, page, run }) => {
    await ended({ run }, "order", false)
    await open("workflow?id=order")
    await timeline(page).getByRole("button", { name: /receive: decision/ }).click()
    await page.getByRole("button", { name: "Fork from here" }).click()
    const dialog = page.getByRole("dialog", { name: "Fork this workflow" })
    await dialog.getByLabel("Its workflow id").fill("second-try")
    await dialog.getByRole("button", { name: "Fork" }).click()
    await page.getByRole("heading", { name: "second-try" }).waitFor()
    await run(World.Decision.send("second-try", { approved: true }))
    await timeline(page).getByRole("button", { name: /charge card, done/ }).waitFor()

    await page.getByRole("link", { name: "compare" }).click()
    await page.getByRole("heading", { name: "Compare" }).waitFor()
    await page.getByRole("group", { name: "another outcome" }).filter({ hasText: "charge card" }).waitFor()
    await page.getByRole("group", { name: "the same" }).filter({ hasText: "check for fraud" }).waitFor()
    await page.getByLabel("Only what differs").check()
    await page.getByRole("group", { name: "the same" }).first().waitFor({ state: "hidden" })
  })

  claim("runs it again with an input that was edited, and says what is wrong with one", { live, refuses: true }, async (
    { open, page, run }
  ) => {
    await run(World.Quick.execute({ note: "first" }, { workflowId: "quick" }))
    await open("workflow?id=quick")
    await page.getByRole("button", { name: "Run again…" }).click()
    const dialog = page.getByRole("dialog", { name: "Run again with another input" })
    await dialog.getByLabel("Workflow id").fill("again")
    await dialog.getByRole("button", { name: "Edit as JSON" }).click()
    await dialog.getByLabel("JSON").fill(`{ "note": `)
    expect(await dialog.getByRole("button", { name: "Start" }).isDisabled()).toBe(true)
    await dialog.getByLabel("JSON").fill(`{ "note": 7 }`)
    await dialog.getByRole("button", { name: "Start" }).click()
    await dialog.getByRole("alert").waitFor()
    await dialog.getByLabel("JSON").fill(`{ "note": "second" }`)
    await dialog.getByRole("button", { name: "Start" }).click()
    await page.getByRole("heading", { name: "again", exact: true }).waitFor()
    expect(await run(World.Quick.handle("again").result)).toBe("second")
  })

  claim(
    "runs it again with what is redacted in its input",
    { live, server: { redact: { Quick: ["payload.note"] } } },
    async ({ open, page, run }) => {
      await run(World.Quick.execute({ note: "not for everybody" }, { workflowId: "quick" }))
      await open("workflow?id=quick")
      await page.getByRole("button", { name: "Run again…" }).click()
      const dialog = page.getByRole("dialog", { name: "Run again with another input" })
      await dialog.getByLabel("Workflow id").fill("again")
      await dialog.getByRole("button", { name: "Start" }).click()
      await page.getByRole("heading", { name: "again", exact: true }).waitFor()
      expect(await run(World.Quick.handle("again").result)).toBe("not for everybody")
    }
  )

  claim("shows messages in pages, and more of them when asked", { live }, async (shown) => {
    const { more, rows } = await messagesOverAPage(shown)
    expect(await rows.count()).toBe(100)
    await more.click()
    await rows.nth(100).waitFor()
    expect(await more.count()).toBe(0)
  })

  claim("shows more messages also where the workflow changes while they are on their way", { live }, async (shown) => {
    const { page, run } = shown
    const { more, rows } = await messagesOverAPage(shown)
    // The second page stays on its way until what else is shown was asked for again, because of the change.
    let changed: Promise<unknown> | undefined
    await page.route(/api\/workflow\/messages\?.*after=[1-9]/, async (route) => {
      if (changed === undefined) {
        changed = page.waitForResponse(/api\/workflow\?/)
        await run(Other.send("sleeper", 101))
        await changed
      }
      await route.continue()
    })
    await more.click()
    await rows.nth(101).waitFor()
    expect(changed).toBeDefined()
  })

  claim("deletes it", { live }, async ({ open, page, run }) => {
    await run(World.Quick.execute({ note: "x" }, { workflowId: "quick" }))
    await open("workflow?id=quick")
    await page.getByRole("button", { name: "Delete" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Delete it" }).click()
    await page.getByText("Deleted quick.").waitFor()
    expect((await run(Effect.flip(Client.get("quick")))).reason._tag).toBe("WorkflowNotFound")
  })

  claim("says so when there is none of that id", { refuses: true }, async ({ open, page }) => {
    await open("workflow?id=nobody")
    await page.getByRole("alert").waitFor()
  })

  claim("shows the first and the last of 10,000 steps, with few rows in the page", { live, only: "sqlite" }, async (
    { open, page, run }
  ) => {
    await run(World.Long.execute({ steps: 10_000 }, { workflowId: "long" }))
    await open("workflow?id=long")
    await timeline(page).getByRole("button", { name: /step number 0,/ }).waitFor()
    expect(await timeline(page).getByRole("listitem").count()).toBeLessThan(120)
    await waitFor("the last step", async () => {
      await page.keyboard.press("End")
      return timeline(page).getByRole("button", { name: /step number 9999/ }).isVisible()
    })
    expect(await timeline(page).getByRole("listitem").count()).toBeLessThan(120)
    await open("workflow?id=long&step=5000")
    await page.getByRole("complementary").getByText("step number 5000").waitFor()
    await timeline(page).getByRole("button", { name: /step number 5000/, pressed: true }).waitFor()
  })
})
