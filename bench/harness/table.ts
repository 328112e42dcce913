/** From the numbers of all rounds to one table. */
import { type Measurement, median } from "./Workload.ts"

/** The numbers of one engine in one row, one per round. */
export interface Cell {
  readonly engine: string
  readonly values: ReadonlyArray<number>
}

export interface Row {
  readonly row: string
  readonly unit: string
  readonly better: Measurement["better"]
  readonly cells: ReadonlyArray<Cell>
}

/** What one engine did in one round of one workload. Nothing: it has no place there. */
export interface Outcome {
  readonly engine: string
  readonly measured: ReadonlyArray<Measurement>
}

/** Each row once, where the workload has it: the first engine may lack some that a later one has. */
const namesOf = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<string> => {
  const names: Array<string> = []
  for (const { measured } of outcomes) {
    const first = names.findIndex((name) => measured.some(({ row }) => row === name))
    let at = first === -1 ? names.length : first
    for (const { row } of measured) {
      const known = names.indexOf(row)
      if (known === -1) names.splice(at++, 0, row)
      else at = known + 1
    }
  }
  return names
}

/** Rows in the order of the workloads, cells in the order of the engines. */
export const rowsOf = (outcomes: ReadonlyArray<Outcome>, engines: ReadonlyArray<string>): ReadonlyArray<Row> =>
  namesOf(outcomes).map((row) => {
    const of = outcomes.flatMap(({ engine, measured }) =>
      measured.filter((measurement) => measurement.row === row).map((measurement) => ({ engine, measurement }))
    )
    const { better, unit } = of[0]!.measurement
    const cells = engines.map((engine) => ({
      engine,
      values: of.filter((other) => other.engine === engine).map(({ measurement }) => measurement.value)
    }))
    return { row, unit, better, cells: cells.filter(({ values }) => values.length > 0) }
  })

const digits = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3)).toString()

/** How often better than `base`: 2 is twice as fast, in milliseconds and in operations per second alike. */
const ratio = (row: Row, base: string, values: ReadonlyArray<number>): string => {
  const other = row.cells.find(({ engine }) => engine === base)
  if (other === undefined) return "-"
  const [mine, theirs] = [median(values), median(other.values)]
  return `${digits(row.better === "less" ? theirs / mine : mine / theirs)}x`
}

const columns = ["row", "engine", "median", "min", "max", "unit", "against"] as const

/** One line per row and engine. `base` is the engine that the last column compares with. */
export const linesOf = (rows: ReadonlyArray<Row>, base: string): ReadonlyArray<ReadonlyArray<string>> =>
  rows.flatMap((row) =>
    row.cells.map(({ engine, values }) => [
      row.row,
      engine,
      digits(median(values)),
      digits(Math.min(...values)),
      digits(Math.max(...values)),
      row.unit,
      ratio(row, base, values)
    ])
  )

/** A Markdown table, aligned so that it reads in a terminal too. */
export const render = (rows: ReadonlyArray<Row>, base: string): string => {
  const head = columns.map((column) => column === "against" ? `against ${base}` : column)
  const lines = [head, ...linesOf(rows, base)]
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)))
  const isNumber = (i: number) => i >= 2 && i !== 5
  const text = (line: ReadonlyArray<string>) =>
    `| ${line.map((cell, i) => isNumber(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join(" | ")} |`
  const rule = `| ${
    widths.map((width, i) => isNumber(i) ? `${"-".repeat(width - 1)}:` : "-".repeat(width)).join(" | ")
  } |`
  return [text(head), rule, ...lines.slice(1).map(text)].join("\n")
}
