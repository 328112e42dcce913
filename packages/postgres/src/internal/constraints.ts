/**
 * What rows of a table must be: the constraints that the migrations' statements declare, and those that the server has. Pure.
 *
 * A server gives a check back in words of its own, so a check is known by the columns that it is about and by the values that
 * stand in it; not by its name, which is the server's too.
 */
import type { SchemaProblem } from "perdure/Store"

/** A constraint as the catalog has it. */
export interface Row {
  readonly table: string
  /** As in `pg_constraint.contype`; `n`: not null. */
  readonly type: string
  /** Of a key in its order. */
  readonly columns: ReadonlyArray<string>
  /** As the server words it. */
  readonly definition: string
  readonly valid: boolean
}

/** What the migrations declare of a table. */
export interface Declared {
  readonly columns: ReadonlySet<string>
  /** In words. */
  readonly constraints: ReadonlyArray<string>
}

// -----------------------------------------------------------------------------
// one constraint in words
// -----------------------------------------------------------------------------

const literal = /'(?:[^']|'')*'/g

const primaryKey = (columns: ReadonlyArray<string>): string => `PRIMARY KEY (${columns.join(", ")})`

const notNull = (column: string): string => `NOT NULL of ${column}`

const check = (columns: ReadonlyArray<string>, expression: string): string => {
  const texts = expression.match(literal) ?? []
  const numbers = expression.replace(literal, "").match(/\b\d+\b/g) ?? []
  const values = [...texts, ...numbers].sort()
  return `CHECK of ${[...columns].sort().join(", ")}${values.length === 0 ? "" : ` with ${values.join(", ")}`}`
}

const wordsOf = ({ columns, definition, type }: Row): string =>
  type === "n"
    ? notNull(columns.join())
    : type === "p"
    ? primaryKey(columns)
    : type === "c"
    ? check(columns, definition)
    : definition

// -----------------------------------------------------------------------------
// what is declared
// -----------------------------------------------------------------------------

/** From what stands between a table's parentheses: columns, whose names begin small, and constraints. */
export const declaredIn = (parts: ReadonlyArray<string>): Declared => {
  const declarations = parts.map((part) => ({ part, column: /^\s*([a-z_]+)\s/.exec(part)?.[1] }))
  const columns = new Set(declarations.flatMap(({ column }) => column ?? []))
  const constraints = declarations.flatMap(({ column, part }) => {
    const [before = ""] = part.split(/\bCHECK \(/, 1)
    const [key, list] = /\bPRIMARY KEY(?: \(([^)]*)\))?/.exec(before) ?? []
    const inKey = key === undefined ? [] : list?.split(",").map((one) => one.trim()) ?? [column ?? ""]
    return [
      ...(inKey.length === 0 ? [] : [primaryKey(inKey), ...inKey.map(notNull)]),
      ...(column !== undefined && before.includes("NOT NULL") ? [notNull(column)] : []),
      ...checksIn(part).map((expression) => check(columnsIn(expression, columns), expression))
    ]
  })
  return { columns, constraints: withoutTwins(constraints) }
}

/** A column of a key may say again that it is not null. */
const withoutTwins = (constraints: ReadonlyArray<string>): ReadonlyArray<string> =>
  constraints.filter((words, index) => !words.startsWith("NOT NULL") || constraints.indexOf(words) === index)

const columnsIn = (expression: string, columns: ReadonlySet<string>): ReadonlyArray<string> => [
  ...new Set((expression.replace(literal, "").match(/\b[a-z_]+\b/g) ?? []).filter((word) => columns.has(word)))
]

/** What stands in the parentheses after each `CHECK`. */
const checksIn = (part: string): ReadonlyArray<string> =>
  [...part.matchAll(/\bCHECK \(/g)].map((found) => {
    const from = found.index + found[0].length
    let depth = 1
    let to = from
    for (; depth > 0 && to < part.length; to++) depth += part[to] === "(" ? 1 : part[to] === ")" ? -1 : 0
    return part.slice(from, to - 1)
  })

// -----------------------------------------------------------------------------
// the comparison
// -----------------------------------------------------------------------------

/** `missing`: tables and columns that are not there, of which that is said already. */
export const compareConstraints = (
  tables: ReadonlyMap<string, Declared>,
  rows: ReadonlyArray<Row>,
  missing: ReadonlySet<string>
): ReadonlyArray<SchemaProblem> =>
  [...tables].flatMap(([table, declared]) =>
    missing.has(`table ${table}`)
      ? []
      : differences(
        declared,
        rows.filter((row) => row.table === table),
        (words) => (words.match(/\b[a-z_]+\b/g) ?? []).some((word) => missing.has(`column ${table}.${word}`))
      ).map((
        detail
      ): SchemaProblem => ({ object: `table ${table}`, problem: "changed", detail }))
  )

const differences = (
  { columns, constraints }: Declared,
  rows: ReadonlyArray<Row>,
  isGone: (words: string) => boolean
): ReadonlyArray<string> => {
  const left = [...rows]
  const found: Array<string> = []
  for (const words of constraints) {
    const at = left.findIndex((row) => wordsOf(row) === words)
    const [row] = at < 0 ? [] : left.splice(at, 1)
    if (row?.valid === false) found.push(`its rows were never checked for the constraint ${words}`)
    if (row === undefined && !isGone(words)) found.push(`it lacks the constraint ${words}`)
  }
  // One more refuses rows that the engine writes; but a column that is not ours may be as its owner likes.
  const more = left.filter((row) => row.type !== "n" || columns.has(row.columns.join()))
  return [...found, ...more.map((row) => `it has the constraint ${wordsOf(row)}, which no release makes`)]
}
