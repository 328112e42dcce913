/** Lists and counts of workflows. */
import * as Effect from "effect/Effect"
import type { ListFilter, StoreError, WorkflowRow } from "perdure/Store"
import type { Database } from "./database.ts"
import { workflowOf } from "./rows.ts"
import { countStatement, listStatement } from "./sql/listing.ts"

export const make = (database: Database) => {
  const list = (filter: ListFilter): Effect.Effect<ReadonlyArray<WorkflowRow>, StoreError> =>
    Effect.suspend(() => {
      const { parameters, sql } = listStatement(database.s, filter)
      return Effect.map(database.once(sql, parameters), (rows) => rows.map(([json]) => workflowOf(json as string)))
    })

  const count = (filter: ListFilter): Effect.Effect<number, StoreError> =>
    Effect.suspend(() => {
      const { parameters, sql } = countStatement(database.s, filter)
      return Effect.map(database.once(sql, parameters), (rows) => Number(rows[0]![0]))
    })

  return { list, count }
}
