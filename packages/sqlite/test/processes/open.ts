/** Opens the store when it is told a line, and says what became of it. */
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { Store } from "perdure/Store"

console.log("ready")
await once(process.stdin, "data")
const result = await Effect.runPromise(
  Effect.flatMap(Store, (store) => store.now).pipe(
    Effect.provide(SqliteStore.layer({ filename: process.argv[2]! })),
    Effect.match({ onSuccess: () => "opened", onFailure: (error) => `${error.reason._tag}: ${error.message}` })
  )
)
console.log(result)
process.stdin.destroy()
