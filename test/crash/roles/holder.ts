/** Another program that has the same SQLite file open, and holds its write lock for as long as it lives. */
import * as Effect from "effect/Effect"
import { DatabaseSync } from "node:sqlite"
import type { Place } from "../harness/Place.ts"
import { obey, say } from "../harness/voice.ts"
import type { Role } from "./Role.ts"

export const play: Role = Effect.fnUntraced(function*({ place }: { readonly place: Place & { kind: "sqlite" } }) {
  yield* obey({})
  const database = new DatabaseSync(place.filename, { timeout: 60_000 })
  database.exec("BEGIN IMMEDIATE")
  yield* say("held")
  return yield* Effect.never
})
