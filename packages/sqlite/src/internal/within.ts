/**
 * Starts and sends as a part of the application's own transaction. It has the one writer's lock already, so they are
 * simply written by its connection, and are there when it commits.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Send, SendRefusal, Start, StartAnswer, StoreError } from "perdure/Store"
import { TransactionAborted } from "perdure/Store"
import * as Clock from "./clock.ts"
import type { Connections } from "./connections.ts"
import type { Database } from "./database.ts"
import { misconfigured, RolledBack, storeError } from "./errors.ts"
import * as Message from "./message.ts"
import { startOne } from "./start.ts"

export interface Answers {
  readonly starts: ReadonlyArray<StartAnswer>
  readonly sends: ReadonlyArray<SendRefusal | null>
}

export const within = (
  connections: Connections,
  client: SqlClient,
  starts: ReadonlyArray<Start>,
  sends: ReadonlyArray<Send>
): Effect.Effect<Answers, TransactionAborted | StoreError, SqlClient> =>
  Effect.contextWith((
    context: Context.Context<SqlClient>
  ): Effect.Effect<Answers, TransactionAborted | StoreError> => {
    if (Context.get(context, SqlClient) !== client) return Effect.fail(foreign)
    if (Context.getOption(context, client.transactionService)._tag === "None") return Effect.fail(none)
    // In one go: no other fiber of the transaction runs between the first statement and the last.
    return Effect.try({
      try: () => {
        if (!connections.writer.native.isTransaction) throw new RolledBack()
        return alone(connections.writer, (database) => perform(database, starts, sends))
      },
      catch: (error) => storeError(error, "start or send within a transaction")
    })
  })

const perform = (database: Database, starts: ReadonlyArray<Start>, sends: ReadonlyArray<Send>): Answers => {
  const now = Clock.now(database)
  return {
    starts: starts.map((start) => {
      const answer = startOne(database, start, now)
      if (answer._tag !== "NoQueue") return answer
      throw misconfigured(
        `Could not start ${start.workflowId}: its queue ${answer.queue} is not registered. `
          + "Provide the queue's layer, or give it to the engine."
      )
    }),
    sends: sends.map((message) => {
      const answer = Message.send(database, message, now)
      return answer === "delivered" || answer === "there" ? null : answer
    })
  }
}

/** All of it or nothing, whatever the application makes of the failure. */
const alone = <A>(database: Database, work: (database: Database) => A): A => {
  database.native.exec("SAVEPOINT perdure_within")
  try {
    return work(database)
  } catch (error) {
    if (database.native.isTransaction) database.native.exec("ROLLBACK TO perdure_within")
    throw error
  } finally {
    if (database.native.isTransaction) database.native.exec("RELEASE perdure_within")
  }
}

const aborted = (why: TransactionAborted["why"], message: string) => new TransactionAborted({ why, message })

const foreign = aborted(
  "foreign",
  "The SqlClient here is not the store's, so its commit cannot hold the start. Nothing was written. "
    + "Use the SqlClient that SqliteStore.layer provides."
)

const none = aborted(
  "nested",
  "There is no transaction here to be a part of. Nothing was written. Do it inside withTransaction."
)
