/** Tables for people: aligned columns of escaped text, cut to the width of the terminal. */
import * as CliOutput from "effect/cli/CliOutput"
import { type Color, paint } from "./color.ts"
import { line } from "./printable.ts"

export interface Column {
  readonly title: string
  /** May be cut to fit the terminal. What is copied from (an id) is not. */
  readonly shrinks?: boolean
  readonly align?: "left" | "right"
}

export type Cell = string | { readonly text: string; readonly color: Color }

const gap = 2
const leastWidth = 6

const textOf = (cell: Cell): string => line(typeof cell === "string" ? cell : cell.text)

/** Undefined: as wide as it is. */
export interface Style {
  readonly width: number | undefined
  readonly colors: boolean
}

/** The lines of a table. `rows` have one cell per column. */
export const render = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  style: Style
): string => {
  const texts = rows.map((row) => row.map(textOf))
  const natural = columns.map((column, index) =>
    Math.max(CliOutput.displayWidth(column.title), ...texts.map((row) => CliOutput.displayWidth(row[index]!)))
  )
  const widths = fitted(columns, natural, style.width)
  const lineOf = (cells: ReadonlyArray<string>, colors: ReadonlyArray<Color | undefined>): string =>
    cells.map((text, index) => {
      const shown = cut(text, widths[index]!)
      const room = " ".repeat(Math.max(0, widths[index]! - CliOutput.displayWidth(shown)))
      const painted = paint(shown, colors[index], style.colors)
      return columns[index]!.align === "right" ? room + painted : painted + room
    }).join(" ".repeat(gap)).trimEnd()
  return [
    lineOf(columns.map(({ title }) => title), columns.map(() => "dim")),
    ...texts.map((row, index) =>
      lineOf(row, rows[index]!.map((cell) => typeof cell === "string" ? undefined : cell.color))
    )
  ].join("\n")
}

/** The widest that may shrink gives way first. */
const fitted = (
  columns: ReadonlyArray<Column>,
  natural: ReadonlyArray<number>,
  width: number | undefined
): ReadonlyArray<number> => {
  const widths = [...natural]
  if (width === undefined) return widths
  let excess = widths.reduce((sum, one) => sum + one, 0) + gap * (columns.length - 1) - width
  while (excess > 0) {
    const candidates = widths.flatMap((one, index) =>
      columns[index]!.shrinks === true && one > Math.max(leastWidth, CliOutput.displayWidth(columns[index]!.title))
        ? [index]
        : []
    )
    if (candidates.length === 0) break
    widths[candidates.reduce((widest, index) => widths[index]! > widths[widest]! ? index : widest)]! -= 1
    excess -= 1
  }
  return widths
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** At most so wide; what is left out shows as an ellipsis. */
export const cut = (text: string, width: number): string => {
  if (CliOutput.displayWidth(text) <= width) return text
  let kept = ""
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    used += CliOutput.displayWidth(segment)
    if (used > width - 1) break
    kept += segment
  }
  return `${kept}…`
}

/** Names and values under one another; what has no value is left out. */
export const facts = (
  pairs: ReadonlyArray<readonly [name: string, value: Cell | undefined]>,
  style: Style
): string => {
  const shown = pairs.filter((pair): pair is readonly [string, Cell] => pair[1] !== undefined && textOf(pair[1]) !== "")
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) =>
    `${paint(name.padEnd(width), "dim", style.colors)}  ${
      paint(textOf(value), typeof value === "string" ? undefined : value.color, style.colors)
    }`
  ).join("\n")
}
