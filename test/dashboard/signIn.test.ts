import * as Client from "perdure/Client"
import { expect } from "vitest"
import { onPages, token } from "./onPages.ts"
import * as World from "./world.ts"

onPages("signing in", (claim) => {
  claim(
    "refuses a wrong token, takes the right one, and keeps it nowhere",
    { signedIn: false, refuses: true },
    async ({ open, page }) => {
      await open("")
      await page.getByLabel("Token").fill("not the token, but as long as one")
      await page.keyboard.press("Enter")
      await page.getByRole("alert").waitFor()
      await page.getByLabel("Token").fill(token)
      await page.getByRole("button", { name: "Sign in" }).click()
      await page.getByRole("heading", { name: "Overview" }).waitFor()

      expect(page.url()).not.toContain(token)
      const kept = await page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
      expect(kept).not.toContain(token)
      expect(kept).not.toContain("perdure_session")
    }
  )

  claim(
    "shows after it what the address asked for, with no error on the console",
    { live: World.live, signedIn: false },
    async ({ open, page, run }) => {
      await run(World.Sleeper.start({ note: "x" }, { workflowId: "sleeper" }))
      await open("workflow?id=sleeper")
      await page.getByLabel("Token").fill(token)
      await page.keyboard.press("Enter")
      await page.getByRole("heading", { name: "sleeper" }).waitFor()
    }
  )

  claim("ends with the session", { refuses: true }, async ({ open, page }) => {
    await open("")
    await page.getByRole("button", { name: "Sign out" }).click()
    await page.getByRole("heading", { name: "Sign in" }).waitFor()
    await open("workflows")
    await page.reload()
    await page.getByRole("heading", { name: "Sign in" }).waitFor()
  })

  claim("works under any path", { live: World.live, server: { path: "/deep/admin" } }, async ({ open, page, run }) => {
    await run(World.Quick.execute({ note: "x" }, { workflowId: "quick" }))
    await open("workflows")
    await page.getByRole("link", { name: "quick" }).click()
    await page.getByRole("heading", { name: "quick" }).waitFor()
  })

  claim(
    "a read-only server shows everything and offers no act",
    { live: World.live, server: { readOnly: true } },
    async (
      { open, page, run }
    ) => {
      await run(World.Sleeper.start({ note: "x" }, { workflowId: "sleeper" }))
      await run(World.slow.enqueue(World.Quick, { note: "x" }))
      await open("workflow?id=sleeper")
      await page.getByText("Read only").waitFor()
      await page.getByRole("heading", { name: "sleeper" }).waitFor()
      for (const act of ["Cancel", "Fork", "Run again…"]) {
        expect(await page.getByRole("button", { name: act }).count()).toBe(0)
      }
      await open("queues?name=slow")
      await page.getByRole("region", { name: "Queue slow" }).waitFor()
      expect(await page.getByRole("button", { name: "Pause the queue" }).count()).toBe(0)
      expect((await run(Client.get("sleeper"))).status).toBe("PENDING")
    }
  )
})
