/**
 * Programs that tests run in processes of their own, by the hundred: each is made one file before the tests begin, since
 * a process that loads 500 modules spends most of its life on that. What they do is the same: the sources, unchanged.
 */
import { createHash } from "node:crypto"
import { existsSync, globSync, mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { build } from "rolldown"
import { inject } from "vitest"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  export interface ProvidedContext {
    /** The folder that holds the programs, each with the path that its source has from the root. */
    programs: string
  }
}

const root = join(import.meta.dirname, "..")
const sources = [
  "test/crash/program.ts",
  "test/conformance/process.ts",
  "packages/sqlite/test/processes/*.ts",
  "packages/cli/src/main.ts"
]
const kept = join(root, "node_modules/.cache/programs")
const keptMs = 24 * 3_600_000

/** Known by what is in it: runs at the same time do not disturb one another, and code compiled once is found again. */
const write = (files: ReadonlyArray<readonly [name: string, code: string]>): string => {
  const folder = join(kept, createHash("sha256").update(JSON.stringify(files)).digest("hex"))
  if (existsSync(folder)) return folder
  const written = `${folder}.${process.pid}`
  for (const [name, code] of files) {
    mkdirSync(dirname(join(written, name)), { recursive: true })
    writeFileSync(join(written, name), code)
  }
  try {
    renameSync(written, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
    rmSync(written, { recursive: true })
  }
  return folder
}

const forgetOthers = (folder: string): void => {
  const now = Date.now()
  utimesSync(folder, now / 1000, now / 1000)
  for (const other of globSync("*", { cwd: kept }).map((name) => join(kept, name))) {
    if (now - statSync(other).mtimeMs > keptMs) rmSync(other, { recursive: true, force: true })
  }
}

export default async function setup(project: TestProject): Promise<void> {
  const entries = globSync(sources, { cwd: root }).map((path) => [path.slice(0, -".ts".length), join(root, path)])
  const { output } = await build({
    input: Object.fromEntries(entries),
    platform: "node",
    resolve: { conditionNames: ["perdure:source", "node", "import", "default"] },
    output: { format: "esm", entryFileNames: "[name].js" },
    write: false,
    logLevel: "warn"
  })
  const folder = write(output.map((file) => [file.fileName, file.type === "chunk" ? file.code : String(file.source)]))
  forgetOthers(folder)
  project.provide("programs", folder)
}

/** The file to run instead of the source with this path. */
export const programOf = (source: string): string => join(inject("programs"), source.replace(/\.ts$/, ".js"))
