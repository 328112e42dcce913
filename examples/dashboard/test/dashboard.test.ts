import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { waitFor } from "../../../test/waitFor.ts"

const program = join(import.meta.dirname, "../src/demo.ts")

it("prints an address and a token that open it, takes orders, and leaves nothing behind on Ctrl-C", async () => {
  const folder = mkdtempSync(join(tmpdir(), "perdure-demo-test-"))
  const child = spawn(process.execPath, ["--conditions=perdure:source", program], {
    env: { ...process.env, PORT: "0", TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let said = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => void (said += text))
  }
  const ended = once(child, "close")
  try {
    const { 1: url } = await waitFor("an address", () => /address\s+(\S+)/.exec(said) ?? undefined, {
      state: () => said
    })
    const token = /token\s+(\S+)/.exec(said)?.[1]
    const headers = { authorization: `Bearer ${token}` }
    expect(await (await fetch(url!)).text()).toContain("<title>Perdure</title>")
    expect((await fetch(`${url}api/workflows`)).status).toBe(401)
    await waitFor("an order, and a subscription that is blocked", async () => {
      const answer = await fetch(`${url}api/workflows`, { headers })
      const { workflows } = await answer.json() as { workflows: ReadonlyArray<{ name: string; status: string }> }
      return workflows.some(({ name }) => name === "Order") && workflows.some(({ status }) => status === "BLOCKED")
    })
    // Its own, and the one by which executors of a machine see each other.
    expect(readdirSync(folder).length).toBe(2)
  } finally {
    child.kill("SIGINT")
  }
  const [code] = await ended
  expect([code, readdirSync(folder)]).toEqual([130, []])
  rmSync(folder, { recursive: true, force: true })
})
