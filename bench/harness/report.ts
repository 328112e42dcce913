/** `docs/reference/benchmarks.md`: the table, and on what it was measured. */
import { readFileSync, writeFileSync } from "node:fs"
import { arch, cpus, release, totalmem, type } from "node:os"
import { loadEngine, loadWorkload } from "./catalog.ts"
import { settings } from "./site.ts"

export interface Run {
  readonly table: string
  readonly engines: ReadonlyArray<string>
  readonly workloads: ReadonlyArray<string>
  readonly rounds: number
  readonly scale: number
  readonly postgres: string
}

const file = new URL("../../docs/reference/benchmarks.md", import.meta.url)
const begins = "<!-- measured: everything below is written by `npm run bench -- --write` -->"

export const reportOf = async (run: Run): Promise<string> => {
  const engines = await Promise.all(
    run.engines.map(async (name) => `- \`${name}\`: ${(await loadEngine(name)).settings}`)
  )
  const workloads = await Promise.all(
    run.workloads.map(async (name) => `- ${name}: ${(await loadWorkload(name)).title}`)
  )
  const processors = cpus()
  return [
    begins,
    "",
    "## Measured",
    "",
    `- Machine: ${processors.length} cores (${processors[0]?.model.trim() ?? "unknown"}), ` +
    `${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()} ${arch()}; the database runs on it too`,
    `- Node ${process.version}, PostgreSQL ${run.postgres}, fsync on, ` +
    Object.entries(settings).map(([name, value]) => `\`${name}=${value}\``).join(", "),
    `- ${run.rounds} rounds${
      run.scale === 1 ? "" : `, all counts times ${run.scale}: a short run, whose numbers mean little`
    }`,
    "",
    ...engines,
    "",
    ...workloads,
    "",
    run.table,
    ""
  ].join("\n")
}

/** What people have written above the line stays. */
export const write = (report: string): void => {
  const [above = ""] = readFileSync(file, "utf8").split(begins)
  writeFileSync(file, above + report)
}
