/** Starts `count` workflows named after itself, ten in flight, against other processes that do the same. */
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import { Store } from "perdure/Store"
import { start } from "../operations.ts"

const [, , filename, name, count] = process.argv

const program = Effect.gen(function*() {
  const store = yield* Store
  const answers = yield* Effect.forEach(
    Array.from({ length: Number(count) }, (_, index) => start(`${name}-${index}`, { owner: null })),
    (operation) => store.write([operation]),
    { concurrency: 10 }
  )
  return answers.flat().filter((answer) => answer._tag === "Started").length
})

console.log("ready")
process.stdin.once("data", () => {
  // However slow the disk is, nobody is to be refused.
  const store = SqliteStore.layer({ filename: filename!, lockTimeout: "10 minutes" })
  Effect.runPromise(program.pipe(Effect.provide(store))).then(
    (started) => console.log(started),
    (error) => console.log(String(error))
  ).finally(() => process.stdin.destroy())
})
