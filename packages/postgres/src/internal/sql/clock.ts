import { createFunction } from "./function.ts"

/**
 * The store's clock: the database's wall clock plus what tests have added. Read once into a variable by each function,
 * after its locks: `wake_at <= clock_timestamp()` itself would be a sequential scan, and `now()` stands still.
 */
export const nowMs = (s: string): string =>
  createFunction({
    name: `${s}.now_ms`,
    parameters: [],
    returns: "bigint",
    volatility: "VOLATILE",
    body: `BEGIN
  RETURN floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
    + (SELECT meta.clock_offset_ms FROM ${s}.meta WHERE meta.one);
END`
  })
