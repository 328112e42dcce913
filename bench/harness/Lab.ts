/** What one round of one workload has: the processes of the engine, and its backend. All of it ends with the round. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { loadEngine } from "./catalog.ts"
import type { Backend, Engine, Opening, Site } from "./Engine.ts"
import { type Asked, closing, type Said } from "./protocol.ts"
import { type Lab, type Measurement, type Process, type Workload } from "./Workload.ts"

/** Against hanging only. */
const limitMs = 1_800_000

/** The engine cannot do what the workload needs. */
export class Unable extends Error {
  override readonly name = "Unable"
}

const entry = fileURLToPath(new URL("child.ts", import.meta.url))

class Child implements Process {
  readonly #child: ChildProcess
  readonly #answers = new Map<number, { resolve: (value: any) => void; reject: (error: Error) => void }>()
  readonly #ended: Promise<void>
  readonly ready: Promise<void>
  #abilities: ReadonlySet<string> = new Set()
  #said = ""

  constructor(engine: string, workload: string, opening: Opening) {
    this.#child = fork(entry, [engine, workload, JSON.stringify(opening)], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "advanced",
      execArgv: [...process.execArgv, "--expose-gc"]
    })
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output?.setEncoding("utf8").on("data", (text: string) => this.#said = (this.#said + text).slice(-20_000))
    }
    this.#ended = new Promise((resolve) => this.#child.once("close", () => resolve()))
    this.ready = new Promise((resolve, reject) => {
      this.#child.on("message", (said: Said) => {
        if (said.tag === "ready") {
          this.#abilities = new Set(said.abilities)
          return resolve()
        }
        const asked = this.#answers.get(said.id)
        this.#answers.delete(said.id)
        if (said.tag === "answer") asked?.resolve(said.value)
        else asked?.reject(new Error(said.message))
      })
      void this.#ended.then(() => {
        const error = new Error(`The process of ${engine} ended by itself. It said:\n${this.#said}`)
        reject(error)
        for (const asked of this.#answers.values()) asked.reject(error)
      })
    })
  }

  can = (ability: string): boolean => this.#abilities.has(ability)

  #asked = 0
  call = <A>(part: string, args: object = {}): Promise<A> =>
    new Promise((resolve, reject) => {
      const asked: Asked = { id: this.#asked++, part, args }
      this.#answers.set(asked.id, { resolve, reject })
      AbortSignal.timeout(limitMs).addEventListener("abort", () => {
        reject(new Error(`"${part}" has not ended. It said:\n${this.#said}`))
      })
      this.#child.send(asked, (error) => {
        if (error) reject(error)
      })
    })

  kill = async (): Promise<void> => {
    this.#child.kill("SIGKILL")
    await this.#ended
  }

  end = async (): Promise<void> => {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), 20_000)
    await this.call(closing).catch(() => this.#child.kill("SIGKILL"))
    await this.#ended
    clearTimeout(kill)
  }
}

export interface Round {
  readonly engine: string
  readonly workload: string
  readonly scale: number
}

/** Measures an engine once. Nothing of it is left behind, however it ends. */
export const measure = async (site: Site, round: Round, workload: Workload): Promise<ReadonlyArray<Measurement>> => {
  const engine: Engine = await loadEngine(round.engine)
  const backend: Backend = await engine.backend(site)
  const processes: Array<Child> = []
  const lab: Lab = {
    countStatements: async () => await backend.countStatements?.() ?? null,
    count: (full) => Math.max(1, Math.round(full * round.scale)),
    start: async (options = {}) => {
      const process = new Child(round.engine, round.workload, {
        address: backend.address,
        executor: "one",
        runs: true,
        ...options
      })
      processes.push(process)
      await process.ready
      const missing = workload.needs.filter((ability) => !process.can(ability))
      if (missing.length > 0) throw new Unable(`it has no ${missing.join(", ")}`)
      return process
    }
  }
  try {
    return await workload.measure(lab)
  } finally {
    await Promise.all(processes.map((process) => process.end()))
    await backend.close()
  }
}
