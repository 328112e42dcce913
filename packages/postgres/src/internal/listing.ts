/** Lists and counts of workflows. */
import * as Effect from "effect/Effect"
import type { BoundedRows, ListFilter, StoreError, WorkflowRow } from "perdure/Store"
import type { Database } from "./database.ts"
import { workflowOf } from "./rows.ts"
import { crowdedStatement } from "./sql/filter.ts"
import { countStatement, countWithinStatement, listStatement, listWithinStatement } from "./sql/listing.ts"

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

  /** Asked before, for a plan is made for its very values. Either is right, so it does not matter what changes in between. */
  const crowded = (filter: ListFilter): Effect.Effect<boolean, StoreError> => {
    const sql = crowdedStatement(database.s, filter)
    return sql === null ? Effect.succeed(false) : Effect.map(database.once(sql, []), ([row]) => row![0] === true)
  }

  const listWithin = (filter: ListFilter, look: number): Effect.Effect<BoundedRows, StoreError> =>
    Effect.gen(function*() {
      const statement = listWithinStatement(database.s, filter, { look, crowded: yield* crowded(filter) })
      if (statement === null) return { rows: yield* list(filter), lookedTo: null }
      const found = yield* database.once(statement.sql, statement.parameters)
      const behind = found.filter(([json]) => json === null)
      const [last, more] = behind
      return {
        rows: found.slice(0, found.length - behind.length).map(([json]) => workflowOf(json as string)),
        lookedTo: last === undefined || more === undefined
          ? null
          : { createdAt: Number(last[1]), workflowId: last[2] as string }
      }
    })

  const countWithin = (
    filter: ListFilter,
    look: number
  ): Effect.Effect<{ readonly count: number; readonly complete: boolean }, StoreError> =>
    Effect.gen(function*() {
      const statement = countWithinStatement(database.s, filter, { look, crowded: yield* crowded(filter) })
      if (statement === null) {
        const found = yield* count(filter)
        return { count: found, complete: found < filter.limit }
      }
      const [row] = yield* database.once(statement.sql, statement.parameters)
      return { count: Number(row![0]), complete: row![1] === true }
    })

  return { list, count, listWithin, countWithin }
}
