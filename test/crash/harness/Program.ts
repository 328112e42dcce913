/** Real processes, told and heard line by line. Each is killed with its scope. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { programOf } from "../../programs.ts"
import { waitFor } from "../../waitFor.ts"

/** What a program says: a line of JSON. */
export interface Message {
  readonly tag: string
  readonly [field: string]: any
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Programs of one machine see when one of them has ended; those of two machines wait for its lease. Default: one. */
interface Machine {
  readonly machine?: string
}

/** Kept between programs and between runs: there are hundreds of them, and each loads the same. */
const compiled = fileURLToPath(new URL("../../../node_modules/.cache/compiled", import.meta.url))

export class Program {
  readonly said: Array<Message> = []
  ended: Ended | undefined
  private log = ""
  private readonly heard = new Map<string, number>()
  private readonly child: ChildProcess

  constructor(role: string, config: object, folder: string, wrapper: ReadonlyArray<string>) {
    const node = [process.execPath, programOf("test/crash/program.ts"), role, JSON.stringify(config)] as const
    const [command, ...args] = wrapper.length === 0 ? node : [...wrapper, ...node]
    // Programs that do not share the folder of what is temporary know as little of each other as on two machines.
    const machine = join(folder, (config as Machine).machine ?? "machine")
    mkdirSync(machine, { recursive: true })
    this.child = spawn(command!, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], HOME: folder, TMPDIR: machine, NODE_COMPILE_CACHE: compiled }
    })
    this.child.stdin!.on("error", () => {})
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => this.log += text)
    createInterface(this.child.stdout!).on("line", (line) => this.take(line))
    this.child.once("close", (code, signal) => this.ended = { code, signal })
  }

  private take(line: string): void {
    if (line.startsWith("{")) this.said.push(JSON.parse(line) as Message)
    else this.log += `${line}\n`
  }

  get pid(): number {
    return this.child.pid!
  }

  /** What it logged, the end of it. */
  get tail(): string {
    return this.log.slice(-6000)
  }

  /** What to print when something was waited for in vain. */
  get state(): unknown {
    return { pid: this.pid, ended: this.ended, said: this.said.slice(-20).map(short), log: this.tail }
  }

  signal(signal: NodeJS.Signals): void {
    if (this.ended === undefined) this.child.kill(signal)
  }

  tell(command: { readonly do: string; readonly [field: string]: unknown }): void {
    this.child.stdin!.write(`${JSON.stringify(command)}\n`)
  }

  /** The next message with this tag that has not been heard yet. Dies when the program ends without it. */
  hear(tag: string): Effect.Effect<Message> {
    return Effect.promise(() =>
      waitFor(`${tag} from process ${this.pid}`, () => {
        this.complain()
        const from = this.heard.get(tag) ?? 0
        const index = this.said.findIndex((message, at) => at >= from && message.tag === tag)
        if (index < 0) {
          if (this.ended !== undefined) throw new Error(`it ended without saying ${tag}: ${JSON.stringify(this.state)}`)
          return undefined
        }
        this.heard.set(tag, index + 1)
        return this.said[index]
      }, { state: () => this.state })
    )
  }

  /** Asks, and hears the answer, whose tag is the command's. */
  ask(command: { readonly do: string; readonly [field: string]: unknown }): Effect.Effect<Message> {
    return Effect.suspend(() => {
      this.tell(command)
      return this.hear(command.do)
    })
  }

  exit(): Effect.Effect<Ended> {
    return Effect.promise(() =>
      waitFor(`the end of process ${this.pid}`, () => {
        this.complain()
        return this.ended
      }, { state: () => this.state })
    )
  }

  /** `kill -9`, and waits until it is gone. */
  get kill(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.signal("SIGKILL")
      return Effect.promise(() => waitFor("a killed process to be gone", () => this.ended)).pipe(Effect.asVoid)
    })
  }

  /** An unhandled rejection or exception fails every test. */
  private complain(): void {
    const unhandled = this.said.find((message) => message.tag === "unhandled")
    if (unhandled !== undefined) throw new Error(`unhandled in process ${this.pid}: ${unhandled["error"]}`)
  }
}

/**
 * Runs `roles/<role>.ts` with this configuration in a process of its own. `folder`: temporary. `wrapper`: a command that
 * becomes the program, whose command line it is given.
 */
export const run = (
  role: string,
  config: object,
  folder: string,
  wrapper: ReadonlyArray<string> = []
): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(() => new Program(role, config, folder, wrapper)), (program) => program.kill)

const short = (message: Message): string => JSON.stringify(message).slice(0, 400)
