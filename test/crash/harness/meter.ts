/** What the database was asked to do: statements, transactions that wrote, rows written. Counted, so it is the same on every machine. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync, StatementSync } from "node:sqlite"
import { onServer } from "../../postgres/database.ts"
import { startPostgres } from "../../postgres/server.ts"
import { waitFor } from "../../waitFor.ts"
import type { Place } from "./Place.ts"

export interface Counted {
  /** Round trips to PostgreSQL, calls of SQLite. */
  readonly statements: number
  /** Transactions that wrote something. */
  readonly commits: number
  /** Inserted, updated and deleted. */
  readonly rows: number
}

export interface Meter {
  readonly place: Place
  /** At any time. */
  readonly statements: () => number
  /** When nobody is connected any more: only then does PostgreSQL know all that its sessions have done. */
  readonly read: Effect.Effect<Counted>
}

/** A server of its own that logs every statement and does nothing by itself. */
export const postgres: Effect.Effect<Meter, never, Scope.Scope> = Effect.gen(function*() {
  const server = yield* Effect.acquireRelease(
    Effect.promise(() => startPostgres({ settings: { log_statement: "all", autovacuum: "off" } })),
    (server) => Effect.promise(() => server.close())
  )
  const ask = async (statement: string): Promise<number> => {
    const [row] = await Effect.runPromise(onServer(server.url, `/* meter */ ${statement}`))
    return Number((row as { readonly n: unknown }).n)
  }
  const statements = () =>
    server.log().split("\n").filter((line) => /LOG: {2}(statement|execute)/.test(line) && !line.includes("/* meter */"))
      .length
  return {
    place: { kind: "postgres", url: server.url },
    statements,
    read: Effect.promise(async () => {
      await waitFor(
        "all sessions to end",
        async () => await ask("SELECT count(*) AS n FROM pg_stat_activity WHERE backend_type = 'client backend'") === 1
      )
      return {
        statements: statements(),
        commits: await ask("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS n"),
        rows: await ask(
          "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::text AS n FROM pg_stat_user_tables"
        )
      }
    })
  }
})

/** Every call of `node:sqlite` in this process passes here first. */
const watched = { statements: 0, commits: 0, rows: 0 }

const watch = (): () => void => {
  const statement = StatementSync.prototype
  const database = DatabaseSync.prototype
  const { all, get, iterate, run } = statement
  const { exec } = database
  const counted = <F extends (this: any, ...args: Array<any>) => any>(call: F) =>
    function(this: StatementSync, ...args: Array<unknown>) {
      // Whether somebody else has written is looked for by time.
      if (!/data_version/.test(this.sourceSQL)) watched.statements++
      return call.apply(this, args)
    } as F
  Object.assign(statement, { all: counted(all), get: counted(get), iterate: counted(iterate), run: counted(run) })
  database.exec = function(this: DatabaseSync, sql: string) {
    watched.statements++
    const changes = () => Number(Reflect.apply(get, this.prepare("SELECT total_changes() AS n"), [])?.n)
    if (/^BEGIN/i.test(sql)) before.set(this, changes())
    exec.call(this, sql)
    if (!/^COMMIT/i.test(sql)) return
    const written = changes() - (before.get(this) ?? 0)
    watched.rows += written
    if (written > 0) watched.commits++
  }
  const before = new WeakMap<DatabaseSync, number>()
  return () => {
    Object.assign(statement, { all, get, iterate, run })
    database.exec = exec
  }
}

/** A file of its own. */
export const sqlite: Effect.Effect<Meter, never, Scope.Scope> = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "perdure-meter-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  yield* Effect.acquireRelease(Effect.sync(watch), (unwatch) => Effect.sync(unwatch))
  return {
    place: { kind: "sqlite", filename: join(folder, "meter.db") },
    statements: () => watched.statements,
    read: Effect.sync(() => ({ ...watched }))
  }
})
