/** A process of the demo: started with the scope, its output read line by line, gone with the scope. */
import { Cause, Effect, Queue, Schema, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** Something was not as it has to be. */
export class Unexpected extends Schema.TaggedError<Unexpected>()("Unexpected", { what: Schema.String }) {
  override get message(): string {
    return this.what
  }
}

export interface Process {
  readonly pid: number
  /** The first line not yet waited over for which `pick` gives something. */
  readonly waitFor: <A>(what: string, pick: (line: unknown) => A | undefined) => Effect.Effect<A, Unexpected>
  /** `kill -9`; succeeds when the process is gone and what it had printed is heard. */
  readonly kill: Effect.Effect<void>
}

/** What is undefined is taken out of this process's own environment. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface Options {
  readonly args?: ReadonlyArray<string>
  readonly env: Environment
  /** Called with every line of its output, parsed. */
  readonly onLine?: (line: unknown) => void
}

/** Starts a program of this folder's parent. What it prints are lines of JSON. */
export const start = Effect.fnUntraced(
  function*(name: string, options: Options): Effect.fn.Return<Process, never, Scope.Scope> {
    const lines = yield* Queue.unbounded<unknown, Unexpected>()
    let errors = ""
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        fork(fileURLToPath(new URL(`../${name}.ts`, import.meta.url)), options.args ?? [], {
          env: { ...process.env, ...options.env },
          execArgv: ["--conditions=perdure:source"],
          // Ctrl-C is for the demo, which then ends its processes.
          detached: process.platform !== "win32",
          stdio: ["ignore", "pipe", "pipe", "ipc"]
        })
      ),
      killed
    )
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      errors += text
    })
    createInterface(child.stdout!).on("line", (text) => {
      const line = parse(text)
      options.onLine?.(line)
      Queue.offerUnsafe(lines, line)
    })
    child.once("close", (code, signal) => {
      const what = `The process ${name} has ended (${signal ?? code}).\n${errors}`
      Queue.failCauseUnsafe(lines, Cause.fail(new Unexpected({ what })))
    })

    const next = <A>(pick: (line: unknown) => A | undefined): Effect.Effect<A, Unexpected> =>
      Effect.flatMap(Queue.take(lines), (line) => {
        const picked = pick(line)
        return picked === undefined ? next(pick) : Effect.succeed(picked)
      })

    return {
      pid: child.pid!,
      waitFor: (what, pick) =>
        Effect.timeoutOrElse(next(pick), {
          duration: "2 minutes",
          orElse: () => Effect.fail(new Unexpected({ what: `Waited in vain for ${what} of ${name}.\n${errors}` }))
        }),
      kill: killed(child)
    }
  }
)

const killed = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("close", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
