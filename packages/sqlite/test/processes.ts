/** Other processes, talked to line by line. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

export interface Other {
  /** The next line that it prints. Dies with its standard error when it ends without one. */
  readonly line: Effect.Effect<string>
  readonly tell: (line: string) => Effect.Effect<void>
}

/** Runs a script of `test/processes`; killed with the scope. */
export const run = (script: string, ...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const path = fileURLToPath(new URL(`./processes/${script}.ts`, import.meta.url))
      const child = spawn(process.execPath, ["--conditions=perdure:source", path, ...args])
      let errors = ""
      child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text)
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
      return { child, lines, errors: () => errors }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  ).pipe(Effect.map(({ child, errors, lines }): Other => ({
    line: Effect.flatMap(
      Effect.promise(() => lines.next()),
      ({ done, value }) => done === true ? Effect.die(new Error(`it ended: ${errors()}`)) : Effect.succeed(value)
    ),
    tell: (line) => Effect.sync(() => child.stdin.write(`${line}\n`))
  })))
