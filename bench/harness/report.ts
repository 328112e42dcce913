/**
 * `docs/reference/benchmarks.md`: a section for each workload, with its table and what it was measured on. A run writes
 * those of its workloads, and leaves the others as they are: a whole run takes hours.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { arch, cpus, release, totalmem, type } from "node:os"
import { engineNames, loadEngine, loadWorkload, workloadNames } from "./catalog.ts"
import { settings } from "./site.ts"

export interface Run {
  /** By workload. */
  readonly tables: ReadonlyMap<string, string>
  readonly rounds: number
  readonly scale: number
  readonly postgres: string
}

const file = new URL("../../docs/reference/benchmarks.md", import.meta.url)
const begins = "<!-- measured: everything below is written by `npm run bench -- --write` -->"

const sectionOf = async (run: Run, workload: string, table: string): Promise<string> => {
  const processors = cpus()
  return [
    `### ${workload}`,
    "",
    `${(await loadWorkload(workload)).title}.`,
    "",
    `Measured on ${new Date().toISOString().slice(0, 10)} in ${run.rounds} rounds${
      run.scale === 1 ? "" : `, all counts times ${run.scale} (a short run, whose numbers mean little)`
    }: ${processors.length} cores (${processors[0]?.model.trim() ?? "unknown"}), ` +
    `${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()} ${arch()}, Node ${process.version}, PostgreSQL ` +
    `${run.postgres}.`,
    "",
    table
  ].join("\n")
}

/** By workload, as they stand in the file. */
const sectionsIn = (text: string): ReadonlyMap<string, string> =>
  new Map(text.split(/^(?=### )/m).slice(1).map((section) => [/^### (\S+)/.exec(section)![1]!, section.trimEnd()]))

/** What people have written above the line stays. */
export const write = async (run: Run): Promise<void> => {
  const [above = "", measured = ""] = readFileSync(file, "utf8").split(begins)
  const sections = new Map(sectionsIn(measured))
  for (const [workload, table] of run.tables) sections.set(workload, await sectionOf(run, workload, table))
  const all = workloadNames().flatMap((name) => sections.get(name) ?? [])
  const named = engineNames().filter((name) => all.some((section) => section.includes(`| ${name} `)))
  const engines = await Promise.all(named.map(async (name) => `- \`${name}\`: ${(await loadEngine(name)).settings}`))
  writeFileSync(
    file,
    `${above}${
      [
        begins,
        "## Measured",
        "On each machine the database runs on it too, with fsync on and " +
        `${Object.entries(settings).map(([name, value]) => `\`${name}=${value}\``).join(", ")}.`,
        engines.join("\n"),
        ...all
      ].join("\n\n")
    }\n`
  )
}
