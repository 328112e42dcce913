/** What `node:sqlite` is asked for while something runs, to be counted and to be explained. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { DatabaseSync, StatementSync } from "node:sqlite"

export interface Asked {
  readonly sql: string
  readonly parameters: ReadonlyArray<unknown>
  /** How many rows it gave. */
  readonly rows: number
  /** Nobody else could write meanwhile. */
  readonly locked: boolean
}

const owners = new WeakMap<StatementSync, DatabaseSync>()
const locked = new WeakSet<DatabaseSync>()
let record: ((asked: Asked) => void) | undefined

const watch = (): () => void => {
  const statement = StatementSync.prototype
  const database = DatabaseSync.prototype
  const { all, get, run } = statement
  const { exec, prepare } = database
  const recorded = <F extends (...args: Array<any>) => any>(call: F, rowsOf: (result: ReturnType<F>) => number) =>
    function(this: StatementSync, ...parameters: Array<unknown>) {
      const result = call.apply(this, parameters)
      const owner = owners.get(this)
      record?.({
        sql: this.sourceSQL,
        parameters,
        rows: rowsOf(result),
        locked: owner !== undefined && locked.has(owner)
      })
      return result
    } as unknown as F
  Object.assign(statement, {
    all: recorded(all, (rows) => rows.length),
    get: recorded(get, (row) => row === undefined ? 0 : 1),
    run: recorded(run, () => 0)
  })
  database.prepare = function(this: DatabaseSync, ...args: Parameters<typeof prepare>) {
    const statement = prepare.apply(this, args)
    owners.set(statement, this)
    return statement
  }
  database.exec = function(this: DatabaseSync, sql: string) {
    exec.call(this, sql)
    record?.({ sql, parameters: [], rows: 0, locked: false })
    if (sql.startsWith("BEGIN IMMEDIATE")) locked.add(this)
    if (!this.isTransaction) locked.delete(this)
  }
  return () => {
    Object.assign(statement, { all, get, run })
    Object.assign(database, { exec, prepare })
  }
}

/** For {@link asking}, until the scope closes; before a store is opened, since it keeps the statements that it has prepared. */
export const watched: Effect.Effect<void, never, Scope.Scope> = Effect.asVoid(
  Effect.acquireRelease(Effect.sync(watch), (unwatch) => Effect.sync(unwatch))
)

/** What an effect gives, and what it has asked for. One at a time, where that is {@link watched}. */
export const asking = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, ReadonlyArray<Asked>], E, R> =>
  Effect.suspend(() => {
    const asked: Array<Asked> = []
    record = (one) => asked.push(one)
    return Effect.ensuring(Effect.map(effect, (a) => [a, asked] as const), Effect.sync(() => record = undefined))
  })

export const rowsOf = (asked: ReadonlyArray<Asked>): number => asked.reduce((sum, { rows }) => sum + rows, 0)

/** How SQLite goes about them: what is walked begins with `SCAN`, what is found by an index with `SEARCH`. */
export const plansOf = Effect.fnUntraced(function*(asked: ReadonlyArray<Asked>) {
  const sql = yield* SqlClient
  const plans = new Set<string>()
  for (const [text, { parameters }] of new Map(asked.map((one) => [one.sql, one]))) {
    if (!/^\s*(?:SELECT|WITH|UPDATE|DELETE)/.test(text)) continue
    for (const { detail } of yield* sql.unsafe<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`, parameters)) {
      plans.add(detail)
    }
  }
  return [...plans]
})
