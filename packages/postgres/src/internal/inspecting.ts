/** The check-up: the schema against what the migrations make, and rows that nothing will move. */
import * as Effect from "effect/Effect"
import type { InspectionStore, SchemaProblem, Stray } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import { compareConstraints, type Declared, declaredIn, type Row } from "./constraints.ts"
import type { Database } from "./database.ts"
import { migrations } from "./migrations.ts"
import { catalogStatement, constraintsStatement, needsStatement, straysStatement } from "./sql/inspecting.ts"

/** What there is or should be, by `kind name`; the text is a column's type or a function's body. */
type Catalog = ReadonlyMap<string, string>

interface Expected {
  readonly catalog: Catalog
  readonly tables: ReadonlyMap<string, Declared>
}

/**
 * What the migrations make, read off their own statements: the tables with their columns and constraints, the indexes, the
 * functions, the triggers. A migration that alters or drops something has to be taught here; the conformance suite tells.
 */
export const expected = (s: string): Expected => {
  const catalog = new Map<string, string>()
  const tables = new Map<string, Declared>()
  for (const statement of migrations.flatMap((migration) => migration(s))) {
    const text = statement.trimStart()
    const [, unique, index] = /^CREATE (UNIQUE )?INDEX (\w+) /.exec(text) ?? []
    if (index !== undefined) catalog.set(`index ${index}`, unique === undefined ? "" : "unique")
    const [, trigger, on] = /^CREATE TRIGGER (\w+) [^]*? ON \S+\.(\w+)\s/.exec(text) ?? []
    if (trigger !== undefined) catalog.set(`trigger ${on}.${trigger}`, "enabled")
    if (text.startsWith(`CREATE TABLE ${s}.`)) tableOf(text.slice(`CREATE TABLE ${s}.`.length), catalog, tables)
    if (text.startsWith(`CREATE FUNCTION ${s}.`)) functionOf(text.slice(`CREATE FUNCTION ${s}.`.length), catalog)
  }
  return { catalog, tables }
}

const tableOf = (text: string, catalog: Map<string, string>, tables: Map<string, Declared>): void => {
  const open = text.indexOf("(")
  const table = text.slice(0, open).trim()
  catalog.set(`table ${table}`, "")
  const parts = partsOf(text.slice(open + 1).replace(/--.*/g, ""))
  tables.set(table, declaredIn(parts))
  for (const part of parts) {
    const [, column, type] = /^\s*([a-z_]+)\s+([a-z]+)/.exec(part) ?? []
    if (column !== undefined && type !== undefined) catalog.set(`column ${table}.${column}`, type)
  }
}

/** What stands between commas, up to the parenthesis that closes it all. Constraints begin with a capital. */
const partsOf = (text: string): ReadonlyArray<string> => {
  const parts: Array<string> = []
  let depth = 0
  let from = 0
  for (let at = 0; at < text.length && depth >= 0; at++) {
    if (text[at] === "(") depth += 1
    else if (text[at] === ")") depth -= 1
    if (depth < 0 || (depth === 0 && text[at] === ",")) {
      parts.push(text.slice(from, at))
      from = at + 1
    }
  }
  return parts
}

const functionOf = (text: string, catalog: Map<string, string>): void => {
  const name = text.slice(0, text.indexOf("("))
  const [, dollars] = /\bAS \$\$([^]*)\$\$/.exec(text) ?? []
  const begin = text.indexOf("\nAS '") + "\nAS '".length
  catalog.set(
    `function ${name}`,
    dollars ?? text.slice(begin, text.lastIndexOf("'")).replaceAll("''", "'")
  )
}

/** What is not as it should be. What is there besides is the administrator's business. Pure. */
export const compare = (should: Catalog, is: Catalog): ReadonlyArray<SchemaProblem> => {
  const problems: Array<SchemaProblem> = []
  for (const [object, text] of should) {
    const found = is.get(object)
    if (found === undefined) problems.push({ object, problem: "missing", detail: "it is not there" })
    else if (object.startsWith("index ") && found === "invalid") {
      problems.push({ object, problem: "invalid", detail: "the server does not use it" })
    } else if (found !== text) {
      const detail = object.startsWith("column ")
        ? `it is of type ${found}, not ${text}`
        : object.startsWith("trigger ")
        ? `it is ${found}`
        : object.startsWith("index ")
        ? text === "unique" ? "it is not unique" : "it is unique"
        : "its body is another"
      problems.push({ object, problem: "changed", detail })
    }
  }
  // An invalid index of somebody else's in the schema costs every write as much.
  for (const [object, text] of is) {
    if (!should.has(object) && object.startsWith("index ") && text === "invalid") {
      problems.push({ object, problem: "invalid", detail: "the server does not use it" })
    }
  }
  return problems
}

export const make = (database: Database): InspectionStore => {
  const should = expected(database.s)
  return {
    schemaProblems: Effect.gen(function*() {
      const rows = yield* database.once(catalogStatement, [database.schema])
      const constraints = yield* database.once(constraintsStatement, [database.schema])
      const is = new Map(rows.map(([kind, name, text]) => [`${kind} ${name}`, text as string]))
      const problems = compare(should.catalog, is)
      const missing = new Set(problems.flatMap(({ object, problem }) => problem === "missing" ? object : []))
      // The rows' shape is the statement's.
      const found = constraints.map(([json]) => JSON.parse(json as string) as Row)
      return [...problems, ...compareConstraints(should.tables, found, missing)]
    }),
    strays: (limit) =>
      Effect.map(
        database.once(straysStatement(database.s), [String(limit)]),
        (rows) =>
          rows.map(([workflowId, status, why]) => ({
            workflowId: workflowId as string,
            status: status as WorkflowStatus | null,
            why: why as Stray["why"]
          }))
      ),
    needs: Effect.map(
      database.once(needsStatement(database.s), []),
      (rows) =>
        rows.map(([name, version, workflows, workflowId]) => ({
          name: name as string,
          version: version as string,
          workflows: Number(workflows),
          workflowId: workflowId as string
        }))
    )
  }
}
