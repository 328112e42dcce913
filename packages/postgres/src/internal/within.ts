/**
 * Starts and sends as a part of the application's own transaction.
 *
 * The same function as the journal's, called on the application's connection and told to wait for nobody's locks and to
 * set nothing: starts insert rows, sends go to the outbox, and no row that was there before is locked. It works at every
 * isolation level: what another transaction has started meanwhile is an error of PostgreSQL's there (40001).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import {
  type Answer,
  type SendRefusal,
  type Start,
  type StartAnswer,
  type StoreError,
  type StoreService,
  TransactionAborted
} from "perdure/Store"
import { decode } from "./answers.ts"
import { encodeTexts, flushStatement } from "./encoding.ts"
import { misconfiguration, unavailable } from "./errors.ts"

/** How often a start is tried again whose id or deduplication id was in the middle of becoming free. */
const tries = 5

export const make = (options: {
  readonly s: string
  readonly isOurs: (client: SqlClient) => Effect.Effect<boolean, StoreError>
  /** Delivers what was sent, beside whoever asks for it. */
  readonly drain: Effect.Effect<void>
}): StoreService["within"] => {
  const statement = flushStatement(options.s)

  const startMany = Effect.fnUntraced(function*(client: SqlClient, starts: ReadonlyArray<Start>) {
    for (let again = 0; again < tries; again++) {
      const rows = yield* client.unsafe(statement, encodeTexts(starts)).values
      const answers = decode(starts, rows)
      if (!answers.some(({ _tag }) => _tag === "Busy")) return yield* Effect.forEach(answers, startAnswer)
    }
    return yield* unavailable("An id that is to be started is in the middle of a change; nothing was started under it")
  })

  return (starts, sends) =>
    Effect.gen(function*() {
      const context = yield* Effect.context<SqlClient>()
      const client = Context.get(context, SqlClient)
      if (!(yield* options.isOurs(client))) {
        return yield* new TransactionAborted({
          why: "foreign",
          message: "The SqlClient is not of the store's database, so its commit cannot carry this; nothing was written"
        })
      }
      if (Option.isNone(Context.getOption(context, client.transactionService))) {
        return yield* new TransactionAborted({
          why: "nested",
          message: "The SqlClient is in no transaction that this could be a part of. Call it inside of withTransaction"
        })
      }
      const started = starts.length === 0 ? [] : yield* startMany(client, starts)
      const refusals: Array<SendRefusal | null> = sends.map(() => null)
      if (sends.length > 0) {
        const rows = yield* client.unsafe(statement, encodeTexts([{ _tag: "Deliver", sends }])).values
        for (const [, part, , why] of rows) refusals[Number(part)] = why as SendRefusal
        yield* client.afterCommit(options.drain)
      }
      return { starts: started, sends: refusals }
    })
}

const startAnswer = (answer: Answer): Effect.Effect<StartAnswer, StoreError> => {
  switch (answer._tag) {
    case "Started":
    case "Exists":
    case "Duplicate":
    case "Debounced":
      return Effect.succeed(answer)
    case "NoQueue":
      return Effect.fail(
        misconfiguration(`Queue ${JSON.stringify(answer.queue)} is not registered; nothing was enqueued`)
      )
    default:
      return Effect.fail(unavailable(`A start was answered ${answer._tag}`))
  }
}
