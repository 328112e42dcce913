/** Every row of the table for those who come from DBOS names a test that is there. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")
const page = readFileSync(join(root, "docs/reference/from-dbos.md"), "utf8")

interface Row {
  readonly heading: string
  readonly cells: ReadonlyArray<string>
}

/** The rows of all tables, without their heads. */
const rows: ReadonlyArray<Row> = page.split("\n").reduce<Array<Row>>((found, line, index, lines) => {
  if (!line.startsWith("|") || /^\| *-/.test(line) || /^\| *-/.test(lines[index + 1] ?? "")) return found
  const heading = lines.slice(0, index).findLast((above) => above.startsWith("#")) ?? ""
  const cells = line.split("|").slice(1, -1).map((cell) => cell.trim())
  return [...found, { heading, cells }]
}, [])

/** A test's name as it stands in a source: quotes of its own may be escaped there. */
const isIn = (source: string, name: string): boolean =>
  ["\"", "`"].some((quote) => source.includes(quote + name.replaceAll("\"", "\\\"") + quote))

const problemOf = ({ cells, heading }: Row): ReadonlyArray<string> => {
  const [original, here, , pinned] = cells
  const where = `${heading}, ${original}`
  if (cells.length !== 4) return [`${where}: ${cells.length} cells`]
  if (here === "not here, because" || here === "not here yet, because") return pinned === "nothing" ? [] : [where]
  const named = /^`([^`]+)`: (.+)$/.exec(pinned!)
  if (named === null) return [`${where}: names no test`]
  const [, file, name] = named
  if (!existsSync(join(root, file!))) return [`${where}: there is no ${file}`]
  return isIn(readFileSync(join(root, file!), "utf8"), name!) ? [] : [`${where}: ${file} has no test "${name}"`]
}

it("every row of docs/reference/from-dbos.md names a test that is there", () => {
  expect(rows.length).toBeGreaterThan(150)
  expect(rows.flatMap(problemOf)).toEqual([])
})
