/** The versions of the application: known since the first executor joined with them. */
import * as Effect from "effect/Effect"
import type { StoreError, VersionRow } from "perdure/Store"
import type { Database } from "./database.ts"
import { setLatestStatement, versionsStatement } from "./sql/versions.ts"

export const make = (database: Database) => {
  const versionsSql = versionsStatement(database.s)
  const setLatestSql = setLatestStatement(database.s)

  const versions: Effect.Effect<ReadonlyArray<VersionRow>, StoreError> = Effect.map(
    database.query(versionsSql),
    (rows) =>
      rows.map(([version, createdAt, latestAt]) => ({
        version: version as string,
        createdAt: Number(createdAt),
        latestAt: Number(latestAt)
      }))
  )

  const setLatestVersion = (version: string): Effect.Effect<boolean, StoreError> =>
    Effect.map(database.query(setLatestSql, [version]), (rows) => rows.length > 0)

  return { versions, setLatestVersion }
}
