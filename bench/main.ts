/**
 * `npm run bench`: every engine, every workload, in alternating order, one table.
 *
 * Each engine's turn is processes of its own on a fresh database. One that did not do the work, by its own records, has
 * no number, and the run fails at its end.
 */
import { parseArgs } from "node:util"
import { engineNames, loadEngine, loadWorkload, workloadNames } from "./harness/catalog.ts"
import { installPeers } from "./harness/install.ts"
import { measure, Unable } from "./harness/Lab.ts"
import { write } from "./harness/report.ts"
import { openSite } from "./harness/site.ts"
import { type Outcome, render, rowsOf } from "./harness/table.ts"

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    engines: { type: "string" },
    rounds: { type: "string", default: "3" },
    /** Counts times this: 0.1 for a short run, whose numbers mean little. */
    scale: { type: "string", default: "1" },
    /** The engine that the others are compared with. */
    against: { type: "string", default: "dbos" },
    write: { type: "boolean", default: false }
  }
})

const chosen = (given: string | undefined, all: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (given === undefined) return all
  const names = given.split(",").map((name) => name.trim())
  for (const name of names) {
    if (!all.includes(name)) throw new Error(`There is no ${name}. There are: ${all.join(", ")}`)
  }
  return names
}

const workloads = chosen(options.only, workloadNames())
const engines = chosen(options.engines, engineNames())
const rounds = Number(options.rounds)
const scale = Number(options.scale)

/** In turn: what one engine leaves behind (caches, a warm disk) must not favour always the same next one. */
const order = (round: number): ReadonlyArray<string> => {
  const from = round % engines.length
  const turned = [...engines.slice(from), ...engines.slice(0, from)]
  return round % 2 === 0 ? turned : turned.reverse()
}

await installPeers(engines)
const site = await openSite()
const stop = () => void site.close().finally(() => process.exit(130))
process.once("SIGINT", stop).once("SIGTERM", stop)

const outcomes = new Map(workloads.map((name) => [name, new Array<Outcome>()]))
const failures: Array<string> = []
try {
  for (const workloadName of workloads) {
    const workload = await loadWorkload(workloadName)
    for (let round = 0; round < rounds; round++) {
      for (const engine of order(round)) {
        const { only } = await loadEngine(engine)
        if (only !== undefined && !only.includes(workloadName)) continue
        process.stderr.write(`${workloadName}, round ${round + 1} of ${rounds}: ${engine}\n`)
        try {
          const measured = await measure(site, { engine, workload: workloadName, scale }, workload)
          outcomes.get(workloadName)!.push({ engine, measured })
        } catch (error) {
          if (error instanceof Unable) continue
          failures.push(`${workloadName}, round ${round + 1}, ${engine}: ${String(error)}`)
        }
      }
    }
  }
} finally {
  await site.close()
}

console.log(render(rowsOf([...outcomes.values()].flat(), engines), options.against))
if (failures.length > 0) {
  console.error(["", "Not done, and not in the table:", ...failures].join("\n"))
  process.exitCode = 1
} else if (options.write) {
  const tables = new Map(
    workloads.map((name) => [name, render(rowsOf(outcomes.get(name)!, engines), options.against)])
  )
  await write({ tables, rounds, scale, postgres: site.version })
}
