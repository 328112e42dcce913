/** The programs in the documentation: TypeScript blocks with a file name in a comment above them. */
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Client from "perdure/Client"
import * as Engine from "perdure/Engine"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** The blocks of a page, by file name. */
export const blocksOf = (page: string): ReadonlyArray<readonly [string, string]> =>
  [...readFileSync(join(root, page), "utf8").matchAll(/<!-- (\S+\.ts) -->\s+```ts\n([^]*?)```/g)]
    .map(([, name, code]) => [name!, code!])

export interface Folder {
  readonly path: string
  /** Runs a program of the folder. */
  readonly run: (program: string, ...args: ReadonlyArray<string>) => Running
  /** How many steps of a workflow are on record in one of its databases. */
  readonly recorded: (database: string, workflowId: string) => Promise<number>
  readonly close: () => Promise<void>
}

export interface Running {
  readonly output: () => string
  readonly ended: Promise<string>
  readonly kill: () => Promise<string>
}

/** A folder outside the repository that holds a page's programs, with the repository's packages. */
export const folderOf = (blocks: ReadonlyArray<readonly [string, string]>): Folder => {
  const path = mkdtempSync(join(tmpdir(), "perdure-docs-"))
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"), "junction")
  writeFileSync(join(path, "package.json"), JSON.stringify({ type: "module" }))
  for (const [name, code] of blocks) writeFileSync(join(path, name), code)
  const children: Array<ChildProcess> = []
  return {
    path,
    run: (program, ...args) => {
      const child = spawn(process.execPath, ["--conditions=perdure:source", program, ...args], { cwd: path })
      children.push(child)
      return running(child)
    },
    recorded: (database, workflowId) =>
      Effect.map(Client.steps(workflowId), (steps) => steps.length).pipe(
        Effect.provide(Engine.layerClient()),
        Effect.provide(SqliteStore.layer({ filename: join(path, database) })),
        Effect.runPromise
      ),
    close: async () => {
      for (const child of children) child.kill("SIGKILL")
      rmSync(path, { recursive: true, force: true })
    }
  }
}

const running = (child: ChildProcess): Running => {
  let said = ""
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text
    })
  }
  const ended = new Promise<string>((resolve) => child.once("close", () => resolve(said)))
  return {
    output: () => said,
    ended,
    kill: () => {
      child.kill("SIGKILL")
      return ended
    }
  }
}
