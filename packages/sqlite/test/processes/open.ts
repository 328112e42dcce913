/** Opens the store when it is told a line, as the user whose number it is given, and says what became of it. */
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { Store } from "perdure/Store"

const [, , filename, user] = process.argv
console.log("ready")
await once(process.stdin, "data")
if (user !== undefined) process.setuid!(Number(user))
const result = await Effect.runPromise(
  Effect.flatMap(Store, (store) => store.now).pipe(
    Effect.provide(SqliteStore.layer({ filename: filename! })),
    Effect.match({ onSuccess: () => "opened", onFailure: (error) => `${error.reason._tag}: ${error.message}` })
  )
)
console.log(result)
process.stdin.destroy()
