/** The store's clock: the machine's, plus an offset that tests move. In the database, so that every process sees it. */
import type { Database } from "./database.ts"

/** Milliseconds since 1970. Read once per transaction, under its lock. */
export const now = (database: Database): number =>
  database.get<{ now: number }>(
    "SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) + clock_offset_ms AS now FROM perdure_meta"
  )!.now

export const adjust = (database: Database, byMs: number): void => {
  database.run("UPDATE perdure_meta SET clock_offset_ms = clock_offset_ms + CAST(? AS INTEGER)", byMs)
}
