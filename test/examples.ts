/** Runs an example as its reader does: its program, in a process of its own, and what it says. */
import { execFile, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

const root = join(import.meta.dirname, "..")
const programOf = (example: string) => join(root, "examples", example, "src/main.ts")
const argumentsOf = (example: string, args: ReadonlyArray<string>) => [
  "--conditions=perdure:source",
  programOf(example),
  ...args
]

/** The lines that it prints, when it has ended well. Fails with all that it said if it has not. */
export const run = async (example: string, ...args: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const { stdout } = await promisify(execFile)(process.execPath, argumentsOf(example, args), { timeout: 120_000 })
  return stdout.trimEnd().split("\n")
}

/** Starts it; `said` grows while it runs. Ended with `kill` (or by itself). */
export const start = (example: string, ...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, argumentsOf(example, args), { stdio: ["ignore", "pipe", "pipe"] })
  let said = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => void (said += text))
  }
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()))
  return {
    said: () => said,
    ended,
    kill: async () => {
      child.kill("SIGKILL")
      await ended
    }
  }
}

/** A folder that is there for as long as `use` takes. */
export const withFolder = async <A>(use: (folder: string) => Promise<A>): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "perdure-example-"))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** An example is read in one sitting. */
export const linesOf = (example: string): number => readFileSync(programOf(example), "utf8").split("\n").length
