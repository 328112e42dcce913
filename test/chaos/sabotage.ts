/**
 * `npm run chaos:sabotage`: breaks a copy of the sources in one way after another, and shows that the tests turn red.
 *
 * `-- --only <part of a name>`: those. Ends with a plain line, and with 1 when something that is broken stays green.
 */
import { spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs, stripVTControlCharacters } from "node:util"
import buildDashboard from "../dashboard/built.ts"
import { type Sabotage, sabotages } from "./sabotages.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** The repository with packages of its own, and everything else that is installed linked. */
const copyTo = (folder: string): void => {
  for (const entry of readdirSync(root)) {
    if (entry === "node_modules" || entry === ".git" || entry === "bench") continue
    cpSync(join(root, entry), join(folder, entry), {
      recursive: true,
      // So that the dashboard counts as built where it is.
      preserveTimestamps: true,
      filter: (path) => (path.endsWith("dashboard/dist") || !path.endsWith("/dist")) && !path.endsWith("/node_modules")
    })
  }
  const modules = join(folder, "node_modules")
  mkdirSync(modules)
  for (const entry of readdirSync(join(root, "node_modules"))) {
    if (entry !== "perdure" && entry !== "@perdure") {
      symlinkSync(join(root, "node_modules", entry), join(modules, entry))
    }
  }
  symlinkSync("../packages/perdure", join(modules, "perdure"))
  mkdirSync(join(modules, "@perdure"))
  for (const name of ["postgres", "sqlite"]) symlinkSync(`../../packages/${name}`, join(modules, "@perdure", name))
  symlinkSync("../../test", join(modules, "@perdure", "test"))
}

interface Result {
  readonly red: boolean
  readonly first: string
}

const run = (folder: string, [file, name]: Sabotage["test"]): Result => {
  const vitest = join(folder, "node_modules/vitest/vitest.mjs")
  const args = ["run", file, "--testTimeout", "120000", "--bail", "1", ...(name === undefined ? [] : ["-t", name])]
  const { status, stderr, stdout } = spawnSync(process.execPath, [vitest, ...args], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 1 << 30,
    // It ends with the first failure, so many simulations cost nothing but where none fails.
    env: { PERDURE_CHAOS_SECONDS: "30", PERDURE_SIMULATIONS: "2000", ...process.env }
  })
  const said = stripVTControlCharacters(stdout + stderr)
  const [, passed, failed] = /^(\d+) passed, (\d+) failed/m.exec(said) ?? []
  const ran = Number(passed ?? 0) + Number(failed ?? 0)
  if (ran === 0 || (status !== 0 && failed === "0")) throw new Error(`The tests did not run:\n${said.slice(-4000)}`)
  const line = said.split("\n").find((line) => /Error: /.test(line) && !/WARN|INFO/.test(line)) ?? ""
  return { red: status !== 0, first: line.trim().slice(0, 200) }
}

const withSabotage = <A>(folder: string, { by, file, name, replace }: Sabotage, f: () => A): A => {
  const path = join(folder, file)
  const source = readFileSync(path, "utf8")
  if (source.split(replace).length !== 2) throw new Error(`"${name}": what it replaces is not in ${file} exactly once`)
  writeFileSync(path, source.replace(replace, () => by))
  try {
    return f()
  } finally {
    writeFileSync(path, source)
  }
}

const { values } = parseArgs({ options: { only: { type: "string", default: "" } } })
const chosen = sabotages.filter(({ name }) => name.includes(values.only))
if (!existsSync(join(root, "node_modules"))) throw new Error("Install first: npm ci")
// In the copy it could not be.
buildDashboard()
const folder = mkdtempSync(join(tmpdir(), "perdure-sabotage-"))
let green = 0
try {
  copyTo(folder)
  for (const sabotage of chosen) {
    const { first, red } = withSabotage(folder, sabotage, () => run(folder, sabotage.test))
    if (!red) green++
    console.log(`${red ? "red  " : "GREEN"} ${sabotage.name}${red ? `: ${first}` : ""}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${chosen.length - green} of ${chosen.length} are noticed`)
process.exit(green === 0 ? 0 : 1)
