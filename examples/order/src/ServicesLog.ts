/** The log of the services process: what was really asked of the payment gateway and of the mail service. */
import { Effect, Schema } from "effect"
import { readFileSync } from "node:fs"

/** One request. */
export const Entry = Schema.Struct({
  service: Schema.Literals(["payments", "mail"]),
  request: Schema.String,
  key: Schema.String,
  /** What came of it: `known key` where nothing was done again. */
  result: Schema.String,
  amountCents: Schema.optionalKey(Schema.Int)
})
export type Entry = typeof Entry.Type

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Entry))

/** All requests so far. */
export const read = (file: string): Effect.Effect<ReadonlyArray<Entry>> =>
  Effect.sync(() => readFileSync(file, "utf8").split("\n").filter((line) => line !== "").map((line) => decode(line)))
