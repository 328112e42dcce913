/** Many starts at once: all of them or none, in one commit. */
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Answer, StartAnswer, StartMany, StoreError } from "perdure/Store"
import { decode } from "./answers.ts"
import type { Database } from "./database.ts"
import { encode, flushCall } from "./encoding.ts"
import { classify, refusalOf, toStoreError } from "./errors.ts"
import { startManyStatement } from "./sql/startMany.ts"

/** How long it waits for a key that somebody's open transaction is inserting. */
const lockMs = 100
const conflictRetries = 5

export const make = (database: Database) => {
  const statement = startManyStatement(database.s, flushCall)

  const attempt = (many: StartMany, tries: number): Effect.Effect<Answer, StoreError> =>
    Effect.catch(
      Effect.map(
        Effect.suspend(() => database.run(statement, [many.refuseDuplicates, ...encode(many.starts, lockMs)])),
        // starts are answered by nothing but what a start is answered by
        (rows): Answer => ({ _tag: "StartedMany", starts: decode(many.starts, rows) as ReadonlyArray<StartAnswer> })
      ),
      (error: SqlError): Effect.Effect<Answer, StoreError> => {
        const refusal = refusalOf(error)
        if (refusal !== null) return Effect.succeed(answerOf(refusal as Refusal))
        switch (classify(error)) {
          case "conflict":
            return tries > 0 ? attempt(many, tries - 1) : Effect.succeed({ _tag: "Busy" })
          case "busy":
            return Effect.succeed({ _tag: "Busy" })
          case "value":
            return Effect.succeed({ _tag: "Rejected", detail: toStoreError(error).message })
          default:
            return Effect.fail(toStoreError(error))
        }
      }
    )

  return (many: StartMany): Effect.Effect<Answer, StoreError> =>
    many.starts.length === 0
      ? Effect.succeed({ _tag: "StartedMany", starts: [] })
      : attempt(many, conflictRetries)
}

/** As `started_many_1` words it. */
interface Refusal {
  readonly index: number
  readonly tag: "NoQueue" | "Exists" | "Duplicate"
  readonly name: string
  readonly holder: string
}

const answerOf = ({ holder, index, name, tag }: Refusal): Answer => {
  switch (tag) {
    case "NoQueue":
      return { _tag: "NoQueue", index, queue: name }
    case "Exists":
      return { _tag: "StartRefused", index, answer: { _tag: "Exists", same: false, name } }
    case "Duplicate":
      return { _tag: "StartRefused", index, answer: { _tag: "Duplicate", workflowId: name, name: holder } }
  }
}
