/** The options of the layer, checked against sense and each other once, before a file is touched. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { StoreError } from "perdure/Store"
import type { ConnectionOptions } from "./connections.ts"
import { misconfigured } from "./errors.ts"

export interface Settings extends ConnectionOptions {
  readonly hintIntervalMs: number
  readonly migrate: boolean
}

interface Given {
  readonly filename: string
  readonly synchronous: "FULL" | "NORMAL"
  readonly lockTimeout: Duration.Input
  readonly hintInterval: Duration.Input
  readonly migrate: boolean
}

export const resolve = (given: Given): Effect.Effect<Settings, StoreError> => {
  const limitMs = Duration.toMillis(given.lockTimeout)
  const hintIntervalMs = Duration.toMillis(given.hintInterval)
  if (typeof given.filename !== "string" || given.filename === "") {
    return refuse("filename", "is empty", "Give the path of the database file, or \":memory:\" in a test.")
  }
  // Reached from JavaScript and from configuration files, where no type is checked; it goes into the text of a PRAGMA.
  if (given.synchronous !== "FULL" && given.synchronous !== "NORMAL") {
    return refuse("synchronous", "is neither FULL nor NORMAL", "Nothing weaker keeps what it acknowledges.")
  }
  if (!(limitMs >= 0 && limitMs <= 3_600_000)) {
    return refuse("lockTimeout", "is not between 0 and 1 hour", "Some seconds are right for most.")
  }
  if (!(hintIntervalMs >= 1 && hintIntervalMs <= 3_600_000)) {
    return refuse("hintInterval", "is not between 1 millisecond and 1 hour", "10 milliseconds are right for most.")
  }
  const { filename, migrate, synchronous } = given
  return Effect.succeed({ filename, synchronous, limitMs, hintIntervalMs, migrate })
}

const refuse = (option: string, problem: string, remedy: string) =>
  Effect.fail(misconfigured(`Could not open the SQLite store: its option ${option} ${problem}. ${remedy}`))
