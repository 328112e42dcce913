/** Restate's server: one per round, gone with it, and with this process however it ends. */
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { arch, platform } from "node:os"
import { fileURLToPath } from "node:url"
import { waitFor } from "../../../test/waitFor.ts"
import type { Backend, Site } from "../../harness/Engine.ts"

/** Where its parts listen; `endpoint` is for the process that runs workflows, where the server will look for it. */
export interface Ports {
  readonly ingress: number
  readonly admin: number
  readonly endpoint: number
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")))
    })
  })

const binary = (): string =>
  createRequire(import.meta.url).resolve(`@restatedev/restate-server-${platform()}-${arch()}/bin/restate-server`)

const watchdog = fileURLToPath(new URL("../../../test/postgres/watchdog.ts", import.meta.url))

export const start = async (site: Site): Promise<Backend> => {
  const folder = await site.folder()
  const [ingress, admin, endpoint, node] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const server = spawn(binary(), ["--no-logo", "--base-dir", folder.address, "--node-name", "bench"], {
    cwd: folder.address,
    env: {
      PATH: process.env["PATH"],
      RESTATE_LISTEN_MODE: "tcp",
      RESTATE_BIND_IP: "127.0.0.1",
      RESTATE_BIND_PORT: String(node),
      RESTATE_ADVERTISED_HOST: "127.0.0.1",
      RESTATE_INGRESS__BIND_PORT: String(ingress),
      RESTATE_ADMIN__BIND_PORT: String(admin),
      RESTATE_DISABLE_TELEMETRY: "true",
      RESTATE_LOG_FILTER: "error"
    },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let said = ""
  for (const output of [server.stdout, server.stderr]) {
    output.setEncoding("utf8").on("data", (text: string) => said = (said + text).slice(-10_000))
  }
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()))
  const guard = spawn(process.execPath, [watchdog, folder.address], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"]
  })
  guard.stdin.write(`${server.pid}\n`)
  guard.unref()
  const close = async () => {
    server.kill("SIGKILL")
    await ended
    guard.stdin.end()
    await folder.close()
  }
  const isHealthy = (port: number) =>
    fetch(`http://127.0.0.1:${port}/${port === admin ? "health" : "restate/health"}`).then(({ ok }) => ok, () => false)
  try {
    await waitFor("Restate's server", async () => {
      if (server.exitCode !== null) throw new Error(`Restate's server ended: ${said}`)
      return await isHealthy(admin) && await isHealthy(ingress)
    })
  } catch (error) {
    await close()
    throw error
  }
  return { address: JSON.stringify({ ingress, admin, endpoint } satisfies Ports), close }
}
