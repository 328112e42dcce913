/**
 * What is started and sent as a part of the application's own transaction: there when that commits, and not before.
 * Whoever should look is told after the commit.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import {
  type Send,
  type SendRefusal,
  type Start,
  type StartAnswer,
  type StoreError,
  type TransactionAborted
} from "../Store.ts"
import { fromStoreError, InvalidArgument, StoreFailed, TransactionMisused, WorkflowError } from "../WorkflowError.ts"
import type { Core } from "./core.ts"
import type { QueueDefinition } from "./queueDefinition.ts"
import { announce } from "./starting.ts"

/** One answer per start. What was written before one that is refused goes with the transaction. */
export const startWithin = (
  core: Core,
  starts: ReadonlyArray<Start>,
  queue: QueueDefinition | undefined
): Effect.Effect<ReadonlyArray<StartAnswer>, WorkflowError> =>
  Effect.gen(function*() {
    const sql = yield* client
    if (queue !== undefined) yield* registered(core, queue)
    const answers = yield* write(core, sql, starts, [])
    yield* sql.afterCommit(announce(core, starts))
    return answers.starts
  })

/** Of each send, why it cannot be delivered; null: it will be, after the commit. */
export const sendWithin = (
  core: Core,
  sends: ReadonlyArray<Send>
): Effect.Effect<ReadonlyArray<SendRefusal | null>, WorkflowError> =>
  Effect.gen(function*() {
    const sql = yield* client
    const answers = yield* write(core, sql, [], sends)
    yield* sql.afterCommit(Effect.sync(() => core.watching.wrote({ workflowId: "", sends, events: [], entries: [] })))
    return answers.sends
  })

const client: Effect.Effect<SqlClient.SqlClient, WorkflowError> = Effect.withFiber((fiber) => {
  const sql = Context.getOption(fiber.context, SqlClient.SqlClient)
  return sql._tag === "Some"
    ? Effect.succeed(sql.value)
    : Effect.fail(misused("nested", "there is no SqlClient in the context, so no transaction to be a part of"))
})

/** The one writer of SQLite is the transaction itself: nothing else can be written before it ends. */
const registered = (core: Core, queue: QueueDefinition): Effect.Effect<void, WorkflowError> =>
  core.store.name !== "sqlite" || core.queues.isRegistered(queue) ? core.queues.registered(queue) : Effect.fail(
    new WorkflowError({
      reason: new InvalidArgument({
        argument: "queue",
        detail: `"${queue.name}" is not registered yet, and on SQLite it cannot be while a transaction is open`,
        remedy: "Provide the queue's layer, or give it to the engine (option `queues`)."
      })
    })
  )

const write = (
  core: Core,
  sql: SqlClient.SqlClient,
  starts: ReadonlyArray<Start>,
  sends: ReadonlyArray<Send>
) =>
  core.store.within(starts, sends).pipe(
    Effect.provideService(SqlClient.SqlClient, sql),
    Effect.mapError((error: TransactionAborted | SqlError | StoreError) => {
      switch (error._tag) {
        case "StoreError":
          return fromStoreError(error)
        case "SqlError":
          return new WorkflowError({ reason: new StoreFailed({ detail: error.message, retryable: false }) })
        case "TransactionAborted":
          return misused(error.why === "foreign" ? "foreign" : "nested", error.message)
      }
    })
  )

const misused = (why: "foreign" | "nested", detail: string): WorkflowError =>
  new WorkflowError({ reason: new TransactionMisused({ why, detail }) })
