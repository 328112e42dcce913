/** Other processes, talked to line by line. */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { programOf } from "../../../test/programs.ts"

export interface Other {
  /** The next line that it prints. Dies with its standard error when it ends without one. */
  readonly line: Effect.Effect<string>
  readonly tell: (line: string) => Effect.Effect<void>
  /** `kill -9`. Returns what it has printed and nobody has read, when it is gone. */
  readonly kill: Effect.Effect<ReadonlyArray<string>>
}

const node = (script: string, args: ReadonlyArray<string>): ReadonlyArray<string> => [
  process.execPath,
  programOf(`packages/sqlite/test/processes/${script}.ts`),
  ...args
]

/** Runs a script of `test/processes`; killed with the scope. */
export const run = (script: string, ...args: ReadonlyArray<string>) => start(node(script, args))

/** The same, in a process that may not make any file longer than so many blocks of 512 bytes. */
export const runLimited = (blocks: number, script: string, ...args: ReadonlyArray<string>) =>
  start(["sh", "-c", `ulimit -S -f ${blocks} && exec "$0" "$@"`, ...node(script, args)])

const start = ([command, ...args]: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(command!, args)
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
    tell: (line) => Effect.sync(() => child.stdin.write(`${line}\n`)),
    kill: Effect.promise(async () => {
      child.kill("SIGKILL")
      const rest: Array<string> = []
      for (let next = await lines.next(); next.done !== true; next = await lines.next()) rest.push(next.value)
      return rest
    })
  })))
