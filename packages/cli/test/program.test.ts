/** The program as users run it: every example of the reference, in a shell, on both stores. */
import * as Effect from "effect/Effect"
import { execFile, spawn } from "node:child_process"
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Client from "perdure/Client"
import { afterAll, beforeAll, expect, it } from "vitest"
import { programOf } from "../../../test/programs.ts"
import * as Cli from "../src/Cli.ts"
import { eventually, onBothStores, untilServed } from "./given.ts"
import { Approved, live, Nap, Order } from "./shop.ts"

const reference = readFileSync(join(import.meta.dirname, "../../../docs/reference/cli.md"), "utf8")

/** The lines of the blocks that are opened by ```sh example. */
const examples = [...reference.matchAll(/^```sh example\n([^]*?)^```$/gm)].flatMap(([, block]) =>
  block!.trimEnd().split("\n")
)

/** `workflow list`, ...: all that there is to be run. */
const commands = Cli.command.subcommands.flatMap(({ commands }) =>
  commands.flatMap((command) => {
    const below = command.subcommands.flatMap((group) => group.commands)
    return below.length === 0 ? [command.name] : below.map(({ name }) => `${command.name} ${name}`)
  })
)

let folder = ""
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "perdure-program-"))
  const script = join(folder, "perdure")
  writeFileSync(script, `#!/bin/sh\nexec "${process.execPath}" "${programOf("packages/cli/src/main.ts")}" "$@"\n`)
  chmodSync(script, 0o700)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

const shell = (line: string, cwd: string, store: string) =>
  new Promise<Ran>((resolve) =>
    execFile("/bin/sh", ["-c", line], {
      cwd,
      env: { PATH: `${folder}:${process.env.PATH}`, HOME: folder, PERDURE_STORE: store }
    }, (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }))
  )

it("every command has an example", () => {
  // The dashboard's is not run here: it does not end by itself.
  for (const command of commands.filter((command) => command !== "dashboard")) {
    expect(examples.some((line) => line.startsWith(`perdure ${command}`)), command).toBe(true)
  }
  expect(reference).toContain("\nperdure dashboard")
})

onBothStores(live, (given) => {
  it("every example does what it says", async () => {
    const { address, effect, kind } = given()
    await effect(Order.execute({ item: "book" }, { workflowId: "order-42" }))
    await effect(Approved.start({ text: "please" }, { workflowId: "approval-1" }))
    await effect(Nap.start(undefined, { workflowId: "nap-1" }))
    const nightly = { workflow: Order, payload: { item: "book" }, cron: "30 2 * * *" }
    await effect(Client.schedules.create("nightly", nightly))
    await eventually(() => effect(Client.explain("approval-1")), ({ why }) => why._tag === "Suspended")
    const cwd = mkdtempSync(join(folder, "work-"))
    for (const line of examples) {
      const { code, err, out } = await shell(line, cwd, address)
      expect([line, code, code === 0 ? "" : `${err}${out}`], kind).toEqual([line, 0, ""])
      expect(out + err, line).not.toBe("")
      expect(out, line).not.toContain("\u001b")
      if (line.startsWith("perdure executor fence")) await untilServed(given())
    }
    const ids = await effect(
      Effect.map(Client.list(), ({ workflows }) => workflows.map(({ workflowId }) => workflowId))
    )
    expect(ids).toEqual(expect.arrayContaining(["order-42", "order-43"]))
    expect(ids).not.toContain("order-42-again")
  })

  it("dashboard serves whoever has the token, on loopback, until it is interrupted", async () => {
    const { address, effect } = given()
    await effect(Order.execute({ item: "not for everybody" }, { workflowId: "hidden" }))
    const child = spawn(
      process.execPath,
      [programOf("packages/cli/src/main.ts"), "dashboard", "--port", "0", "--redact", "payload.item", "--json"],
      {
        env: { PATH: process.env.PATH, PERDURE_STORE: address }
      }
    )
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
    try {
      let out = ""
      child.stdout.setEncoding("utf8").on("data", (text: string) => void (out += text))
      const { token, url } = JSON.parse(await eventually(() => Promise.resolve(out), (said) => said.endsWith("\n")))
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
      expect((await fetch(`${url}api/queues`)).status).toBe(401)
      const headers = { authorization: `Bearer ${token}` }
      const hidden = await fetch(`${url}api/workflow?id=hidden`, { headers })
      expect(await hidden.json()).toMatchObject({ payload: { item: "[redacted]" } })
      const answer = await fetch(`${url}api/queues`, { headers })
      expect(answer.status).toBe(200)
      expect(await answer.text()).toContain("mails")
      child.kill("SIGINT")
      expect(await ended).toBe(130)
    } finally {
      child.kill("SIGKILL")
      await ended
    }
  })
})
