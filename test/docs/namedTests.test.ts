/** The pages whose tables name tests name tests that are there. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")

interface Row {
  readonly where: string
  readonly cells: ReadonlyArray<string>
}

/** The rows of all tables of a page, without their heads. */
const rowsOf = (page: string): ReadonlyArray<Row> =>
  readFileSync(join(root, page), "utf8").split("\n").reduce<Array<Row>>((found, line, index, lines) => {
    if (!line.startsWith("|") || /^\| *-/.test(line) || /^\| *-/.test(lines[index + 1] ?? "")) return found
    const heading = lines.slice(0, index).findLast((above) => above.startsWith("#")) ?? ""
    const cells = line.split("|").slice(1, -1).map((cell) => cell.trim())
    return [...found, { where: `${heading}, ${cells[0]}`, cells }]
  }, [])

/** A test's name as it stands in a source: as a text, or as a template. */
const isIn = (source: string, name: string): boolean =>
  source.includes(JSON.stringify(name)) || source.includes(`\`${name}\``)

/** Of a cell that names tests, each as `file`: name. */
const problemsOf = (where: string, cell: string): ReadonlyArray<string> =>
  cell.split("<br>").flatMap((one) => {
    const named = /^`([^`]+)`: (.+)$/.exec(one)
    if (named === null) return [`${where}: names no test`]
    const [, file, name] = named
    if (!existsSync(join(root, file!))) return [`${where}: there is no ${file}`]
    return isIn(readFileSync(join(root, file!), "utf8"), name!) ? [] : [`${where}: ${file} has no test "${name}"`]
  })

/** Whether a row need name no test, and what it says instead. */
type Excused = (row: Row) => string | undefined

const expectNamed = (page: string, columns: number, atLeast: number, excused: Excused): void => {
  const rows = rowsOf(page)
  expect(rows.length).toBeGreaterThan(atLeast)
  expect(rows.flatMap((row) => {
    if (row.cells.length !== columns) return [`${row.where}: ${row.cells.length} cells`]
    const last = row.cells.at(-1)!
    const instead = excused(row)
    if (instead !== undefined) return last === instead ? [] : [`${row.where}: "${last}" instead of "${instead}"`]
    return problemsOf(row.where, last)
  })).toEqual([])
}

it("every row of docs/reference/from-dbos.md names a test that is there", () => {
  expectNamed(
    "docs/reference/from-dbos.md",
    4,
    250,
    ({ cells: [, here] }) => here === "not here, because" || here === "not here yet, because" ? "nothing" : undefined
  )
})

it("every promise of docs/concepts/guarantees.md names the tests that try to break it, or says that there is none", () => {
  const none = "no test of its own yet"
  expectNamed("docs/concepts/guarantees.md", 3, 40, ({ cells }) => cells.at(-1) === none ? none : undefined)
})
