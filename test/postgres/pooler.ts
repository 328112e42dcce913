/**
 * PgBouncer in transaction mode before the tests' PostgreSQL, where the machine has one (`apt-get install pgbouncer`). It
 * listens on loopback, and ends when this process does, however it ends.
 */
import { spawn, spawnSync } from "node:child_process"
import { accessSync, chownSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createConnection } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { unprivileged } from "./account.ts"
import { freePort } from "./server.ts"

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Where PgBouncer is; undefined: nowhere. */
export const pgbouncer: string | undefined = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"]
  .map((folder) => join(folder, "pgbouncer"))
  .find((path) => isExecutable(path) && spawnSync(path, ["--version"]).status === 0)

export interface Pooler {
  /** Of the same database, through the pooler. */
  readonly url: string
  readonly close: () => Promise<void>
}

const configOf = (server: URL, port: number, connections: number): string =>
  `[databases]
* = host=${server.hostname} port=${server.port || 5432} user=${decodeURIComponent(server.username)} password=${
    decodeURIComponent(server.password)
  }
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${connections}
max_client_conn = 200
`

/** `connections`: to the server, shared by all that connect here. */
export const startPooler = async (program: string, url: string, connections: number): Promise<Pooler> => {
  const server = new URL(url)
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), "perdure-pgbouncer-"))
  const config = join(folder, "pgbouncer.ini")
  writeFileSync(config, configOf(server, port, connections), { mode: 0o600 })
  // It refuses to run as root.
  const ids = process.getuid?.() === 0 ? unprivileged() : undefined
  for (const path of ids === undefined ? [] : [folder, config]) chownSync(path, ids!.uid, ids!.gid)
  // The shell ends it when its own input ends, and that does when this process is gone.
  const shell = spawn("sh", ["-c", "\"$0\" -q \"$1\" >\"$1.log\" 2>&1 & read _; kill $!; wait", program, config], {
    stdio: ["pipe", "ignore", "ignore"],
    ...ids
  })
  const ended = new Promise<void>((resolve) => shell.once("exit", () => resolve()))
  const close = async () => {
    shell.stdin.end()
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  for (const deadline = Date.now() + 30_000; !await answers(port);) {
    if (Date.now() > deadline) {
      const said = readFileSync(`${config}.log`, "utf8")
      await close()
      throw new Error(`PgBouncer does not start: ${said}`)
    }
    await setTimeout(20)
  }
  const address = new URL(url)
  address.port = String(port)
  return { url: address.toString(), close }
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port })
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false))
    socket.once("close", () => resolve(false))
    socket.on("connect", () => socket.destroy())
  })
