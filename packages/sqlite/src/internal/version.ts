/** The versions of the application that have joined, and which is the latest. */
import type { VersionRow } from "perdure/Store"
import type { Database } from "./database.ts"

/** Always after the latest one before, however little the clock has moved. */
const next = "max(?, (SELECT coalesce(max(latest_at), 0) + 1 FROM perdure_version))"

/** A version that is new is the latest. `""` is none. */
export const join = (database: Database, version: string, now: number): void => {
  if (version === "") return
  database.run(
    `INSERT INTO perdure_version (version, created_at, latest_at) VALUES (?, ?, ${next})
     ON CONFLICT (version) DO NOTHING`,
    version,
    now,
    now
  )
}

export const latest = (database: Database): string =>
  database.get<{ version: string }>("SELECT version FROM perdure_version ORDER BY latest_at DESC LIMIT 1")?.version
    ?? ""

export const setLatest = (database: Database, version: string, now: number): boolean => {
  if (latest(database) === version) return version !== ""
  return database.run(`UPDATE perdure_version SET latest_at = ${next} WHERE version = ?`, now, version) === 1
}

export const versions = (database: Database): ReadonlyArray<VersionRow> =>
  database.all<{ version: string; created_at: number; latest_at: number }>(
    "SELECT version, created_at, latest_at FROM perdure_version ORDER BY latest_at DESC"
  ).map((row) => ({ version: row.version, createdAt: row.created_at, latestAt: row.latest_at }))
