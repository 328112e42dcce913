/** The programs in the documentation: TypeScript blocks with a file name in a comment above them. */
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Client from "perdure/Client"
import * as Engine from "perdure/Engine"
import { blocksOf } from "./blocks.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** The programs of a page, by file name. */
export const programsOf = (page: string): ReadonlyArray<readonly [string, string]> =>
  blocksOf(page).flatMap(({ code, file }) => file === undefined ? [] : [[file, code] as const])

export interface Folder {
  readonly path: string
  /** Runs a program of the folder. */
  readonly run: (program: string, ...args: ReadonlyArray<string>) => Running
  /** How many steps of a workflow are on record in one of its databases. */
  readonly recorded: (database: string, workflowId: string) => Promise<number>
  /** Asks an executor on one of its databases for a workflow, by its name. */
  readonly start: (database: string, name: string) => Promise<string>
  readonly close: () => Promise<void>
}

export interface Running {
  readonly output: () => string
  readonly ended: Promise<string>
  readonly kill: () => Promise<string>
  /** Asks it to end; with which code it does. */
  readonly stop: () => Promise<number | null>
}

/** A folder outside the repository that holds a page's programs, with the repository's packages. */
export const folderOf = (blocks: ReadonlyArray<readonly [string, string]>): Folder => {
  const path = mkdtempSync(join(tmpdir(), "perdure-docs-"))
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"), "junction")
  writeFileSync(join(path, "package.json"), JSON.stringify({ type: "module" }))
  for (const [name, code] of blocks) writeFileSync(join(path, name), code)
  const children: Array<ChildProcess> = []
  const asClient = <A, E>(database: string, effect: Effect.Effect<A, E, Engine.Engine>) =>
    effect.pipe(
      Effect.provide(Engine.layerClient()),
      Effect.provide(SqliteStore.layer({ filename: join(path, database) })),
      Effect.runPromise
    )
  return {
    path,
    run: (program, ...args) => {
      const child = spawn(process.execPath, ["--conditions=perdure:source", program, ...args], { cwd: path })
      children.push(child)
      return running(child)
    },
    recorded: (database, workflowId) =>
      asClient(database, Effect.map(Client.steps(workflowId), (steps) => steps.length)),
    start: (database, name) => asClient(database, Client.start(name)),
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
    },
    stop: async () => {
      child.kill("SIGTERM")
      await ended
      return child.exitCode
    }
  }
}
