import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { createConnection } from "node:net"
import { fileURLToPath } from "node:url"
import { waitFor } from "../waitFor.ts"
import { freshDatabase, onServer } from "./database.ts"
import { startPostgres } from "./server.ts"

const accepts = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port: Number(new URL(url).port) })
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false)).once("close", () => resolve(false))
    socket.once("connect", () => socket.destroy())
  })

/** The folders of the servers that this process has started. */
const ofThisProcess = (): ReadonlyArray<string> =>
  spawnSync("ps", ["-A", "-o", "ppid=,args="], { encoding: "utf8" }).stdout.split("\n")
    .filter((line) => line.trim().startsWith(`${process.pid} `) && line.includes("perdure-postgres-"))

describe("the tests' PostgreSQL", () => {
  it.live("keeps what was committed through an immediate restart and a kill, at the same address", () =>
    Effect.gen(function*() {
      const server = yield* Effect.acquireRelease(
        Effect.promise(() => startPostgres({ fsync: true })),
        (server) => Effect.promise(() => server.close())
      )
      const { url, pid } = server
      yield* onServer(url, "CREATE TABLE kept AS SELECT 42 AS answer")
      yield* Effect.promise(() => server.restart("immediate"))
      assert.deepStrictEqual(yield* onServer(url, "SELECT answer FROM kept"), [{ answer: 42 }])
      yield* Effect.promise(() => server.kill())
      assert.isNull(server.pid)
      yield* Effect.promise(() => server.start())
      assert.deepStrictEqual(yield* onServer(url, "SELECT answer FROM kept"), [{ answer: 42 }])
      assert.strictEqual(server.url, url)
      assert.notStrictEqual(server.pid, pid)
    }))

  it.live("is gone when the process that started it is killed", () =>
    Effect.promise(async () => {
      const holder = spawn(process.execPath, [fileURLToPath(new URL("hold.ts", import.meta.url))], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      let said = ""
      holder.stdout.setEncoding("utf8").on("data", (text: string) => said += text)
      const { url } = await waitFor("the server", () => said.includes("\n") && JSON.parse(said) as { url: string })
      assert.isTrue(await accepts(url))
      const [row] = await Effect.runPromise(onServer(url, "SHOW data_directory"))
      const folder = (row as { readonly data_directory: string }).data_directory
      assert.isTrue(existsSync(folder))
      holder.kill("SIGKILL")
      await waitFor("the end of the server", async () => !(await accepts(url)))
      await waitFor("the end of its data", () => !existsSync(folder))
    }))

  it.live("is not started, and says why, where the process that would end it cannot run", () =>
    Effect.promise(async () => {
      // What an old Node lacks.
      const options = process.env["NODE_OPTIONS"]
      process.env["NODE_OPTIONS"] = `${options ?? ""} --no-experimental-strip-types`
      const before = ofThisProcess()
      const failure = await startPostgres().then(
        async (server) => {
          await server.close()
          return "it was started"
        },
        String
      ).finally(() => {
        if (options === undefined) delete process.env["NODE_OPTIONS"]
        else process.env["NODE_OPTIONS"] = options
      })
      assert.include(failure, "No PostgreSQL was started")
      assert.include(failure, process.version)
      assert.include(failure, "npm test")
      assert.include(failure, "ERR_UNKNOWN_FILE_EXTENSION")
      assert.deepStrictEqual(ofThisProcess(), before)
    }))

  it.live("gives each caller an empty database of its own", () =>
    Effect.gen(function*() {
      const urls = [yield* freshDatabase, yield* freshDatabase]
      for (const url of urls) yield* onServer(url, "CREATE TABLE mine (id TEXT PRIMARY KEY)")
    }))
})
