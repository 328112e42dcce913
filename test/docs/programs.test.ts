import { assert, describe, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { waitFor } from "../waitFor.ts"
import { type Folder, folderOf, programsOf, type Running } from "./programs.ts"

const inFolderOf = (
  page: string,
  test: (folder: Folder) => Promise<void>,
  more: ReadonlyArray<readonly [string, string]> = []
) =>
async () => {
  const folder = folderOf([...programsOf(page), ...more])
  try {
    await test(folder)
  } finally {
    await folder.close()
  }
}

const said = (running: Running, pattern: RegExp): Promise<string> =>
  waitFor(String(pattern), () => pattern.exec(running.output())?.[1], { state: running.output })

/** Without the lines that name the process. */
const withoutProcess = (output: string): string => output.replaceAll(/^process \d+ .*\n/gm, "")

// That they compile is tested in snippets.test.ts; what is no program of its own is run in running.test.ts.
describe.concurrent("the documentation's programs", () => {
  it(
    "README: what was done before the kill is not done again",
    inFolderOf("README.md", async (folder) => {
      const first = folder.run("signup.ts")
      const code = await said(first, /your code is (\d+)\n/)
      await waitFor("the records", async () => await folder.recorded("signup.db", "signup-ada") === 2)
      assert.strictEqual(await first.kill(), `to ada@example.org: your code is ${code}\n`)
      const rest = `to ada@example.org: have you used ${code}?\ndone: ${code}\n`
      assert.strictEqual(await folder.run("signup.ts").ended, rest)
      assert.strictEqual(await folder.run("signup.ts").ended, `done: ${code}\n`)
    })
  )

  it(
    "docs/start.md: the trip goes on after the kill",
    inFolderOf("docs/start.md", async (folder) => {
      const first = folder.run("trip.ts", "Porto", "trip-2")
      const seat = await said(first, /seat (\d+)\n/)
      await waitFor("the record", async () => await folder.recorded("trip.db", "trip-2") === 1)
      await first.kill()
      const booked = `booked: { flight: 'flight to Porto, seat ${seat}', hotel: 'hotel in Porto' }\n`
      const second = await folder.run("trip.ts", "Porto", "trip-2").ended
      assert.strictEqual(withoutProcess(second), `booking: hotel in Porto\n${booked}`)
      assert.strictEqual(withoutProcess(await folder.run("trip.ts", "Porto", "trip-2").ended), booked)
      assert.strictEqual(
        await folder.run("look.ts").ended,
        "trip-2: SUCCESS\n  0 step book flight: success\n  1 step book hotel: success\n"
      )
    })
  )

  it(
    "docs/start.md: the trip that fails is undone",
    inFolderOf("docs/start.md", async (folder) => {
      const output = withoutProcess(await folder.run("trip.ts", "Atlantis", "trip-3").ended)
      const seat = /seat (\d+)/.exec(output)?.[1]
      assert.strictEqual(
        output,
        `booking: flight to Atlantis, seat ${seat}\nbooking: hotel in Atlantis\n` +
          `cancelling: flight to Atlantis, seat ${seat}\nno room in Atlantis\n`
      )
      assert.strictEqual(
        withoutProcess(await folder.run("trip.ts", "Atlantis", "trip-3").ended),
        "no room in Atlantis\n"
      )
      assert.strictEqual(
        await folder.run("look.ts").ended,
        "trip-3: ERROR\n  0 step book flight: success\n  1 step book hotel: failure\n" +
          "  2 rollback book flight: success\n"
      )
    })
  )

  it(
    "docs/start.md: the worker runs what is started in its database",
    inFolderOf("docs/start.md", async (folder) => {
      const worker = folder.run("worker.ts")
      await waitFor("the database", () => existsSync(join(folder.path, "trip.db")), { state: worker.output })
      await folder.start("trip.db", "Ping")
      await said(worker, /(pong)/)
      await worker.stop()
    })
  )

  it(
    "docs/operating/runbook.md: a program that was asked to end and has, ends with 0",
    inFolderOf("docs/operating/runbook.md", async (folder) => {
      const program = folder.run("given.ts")
      await said(program, /(up)/)
      assert.strictEqual(await program.stop(), 0)
    }, [[
      "given.ts",
      `import { Console, Effect } from "effect"
globalThis.program = Effect.andThen(Console.log("up"), Effect.never)
await import("./main.ts")`
    ]])
  )
})
