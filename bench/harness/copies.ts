/** Histories that no engine could write in a benchmark's time, out of one that it did write. */

/** Where an engine keeps what is copied. */
export interface Table {
  readonly name: string
  /** Has the id of the workflow. */
  readonly id: string
  /** Has its time, in whole milliseconds: each copy is a millisecond older than the one before. Absent: all alike. */
  readonly time?: string
}

/** A statement, in the words that PostgreSQL and SQLite share. `row` is what is copied, for the names of its columns. */
const copies = (table: Table, row: object, id: string, count: number): string => {
  const columns = Object.keys(row).map((name) => `"${name}"`)
  const values = Object.keys(row).map((name) => {
    if (name === table.id) return `"${name}" || '-' || i`
    return name === table.time ? `"${name}" - i` : `"${name}"`
  })
  return `INSERT INTO ${table.name} (${columns.join(", ")})
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    SELECT ${values.join(", ")} FROM ${table.name}, n WHERE "${table.id}" = '${id}'`
}

/** Copies a workflow, with all that is in these tables of it, and has the planner know of them. */
export const copy = async (
  query: (statement: string) => Promise<ReadonlyArray<object>>,
  tables: ReadonlyArray<Table>,
  id: string,
  count: number
): Promise<void> => {
  for (const table of tables) {
    const [row] = await query(`SELECT * FROM ${table.name} WHERE "${table.id}" = '${id}' LIMIT 1`)
    if (row === undefined) throw new Error(`${table.name} has nothing of ${id}`)
    await query(copies(table, row, id, count))
  }
  await query("ANALYZE")
}
