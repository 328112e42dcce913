/**
 * The schema, as a list of steps that is only ever appended to. A released step never changes: the previous release may
 * still be running beside this one.
 */
import { notMigrated } from "perdure/Store"
import type { Database } from "./database.ts"
import { misconfigured } from "./errors.ts"
import { initial } from "./schema.ts"

const migrations: ReadonlyArray<string> = [initial]

/** The schema that this code reads and writes. */
export const schemaVersion = migrations.length

/**
 * Brings the tables up to date. Runs inside one BEGIN IMMEDIATE, so of many processes that start at once the first
 * does it and the others find it done. Returns false when nothing was to do (and nothing needs to be committed).
 */
export const migrate = (database: Database): boolean => {
  const current = currentVersion(database)
  if (current > schemaVersion) throw newerSchema(current)
  if (current === schemaVersion) {
    // A write that changes nothing, to learn now and not at the first workflow that the file cannot be written.
    database.run("UPDATE perdure_meta SET schema_version = schema_version")
    return false
  }
  for (const migration of migrations.slice(current)) {
    database.native.exec(migration)
  }
  database.native.exec(stamp(crypto.randomUUID()))
  return true
}

const stamp = (storeId: string): string =>
  `INSERT INTO perdure_meta (only_row, store_id, schema_version) VALUES (1, '${storeId}', ${schemaVersion})
ON CONFLICT (only_row) DO UPDATE SET schema_version = excluded.schema_version;
`

/** What {@link migrate} does from version `from` on (null: from nothing), as a script for a file of its own. */
export const scriptAfter = (from: number | null): string =>
  ["BEGIN IMMEDIATE;\n", ...migrations.slice(from ?? 0), stamp(crypto.randomUUID()), "COMMIT;\n"].join("")

/** Before anything is written, be it only the journal mode. */
export const refuseNewer = (database: Database): void => {
  const current = currentVersion(database)
  if (current > schemaVersion) throw newerSchema(current)
}

/** Where nothing may be made: it has to be there. */
export const refuseOlder = (database: Database): void => {
  const current = currentVersion(database)
  if (current === schemaVersion) return
  const installed = current === 0 ? null : current
  throw notMigrated(`the SQLite database ${database.native.location()}`, { installed, known: schemaVersion })
}

/** 0: no tables yet. */
export const currentVersion = (database: Database): number => {
  const exists = database.get("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'perdure_meta'")
  if (exists === undefined) return 0
  return database.get<{ version: number }>("SELECT schema_version AS version FROM perdure_meta")?.version ?? 0
}

const newerSchema = (current: number) =>
  misconfigured(
    `The database has schema ${current}, and this release of @perdure/sqlite knows up to ${schemaVersion}. `
      + "Nothing was written. Run a release that is at least as new as the one that migrated it."
  )
