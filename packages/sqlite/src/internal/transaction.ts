/** The application's own SQL and its record, in one commit. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import type { StepRecord, StoreError, TransactionOptions } from "perdure/Store"
import { TransactionAborted } from "perdure/Store"
import type { Connections } from "./connections.ts"
import { isDiskFailure, isRejection, storeError } from "./errors.ts"
import { pause } from "./lock.ts"
import * as Ownership from "./ownership.ts"
import * as Step from "./step.ts"

/**
 * One after the other, under the same semaphore as the journal: check the client, BEGIN IMMEDIATE, the body, its record,
 * the fence and the record's row, COMMIT. The fence is the last statement, so that a body that hangs holds nobody's
 * ownership; with one writer its answer cannot change before the commit. SQLite is serializable whatever isolation was
 * asked for, so there is no `conflict`.
 */
export const transaction = <A, E, R>(
  connections: Connections,
  client: SqlClient.SqlClient,
  workflowId: string,
  epoch: number,
  body: Effect.Effect<A, E, R>,
  record: (value: A) => Effect.Effect<StepRecord, E>,
  options: TransactionOptions
): Effect.Effect<A, E | TransactionAborted | SqlError | StoreError, R> =>
  Effect.contextWith((context: Context.Context<R>) => {
    const given = Context.getOption(context, SqlClient.SqlClient)
    if (given._tag === "Some" && given.value !== client) return Effect.fail(foreign)
    if (Context.getOption(context, client.transactionService)._tag === "Some") return Effect.fail(nested)
    // What fails before or after the body is the store's: no lock for the BEGIN, no disk for the COMMIT. So is what ends
    // the transaction in between.
    let stage: Stage = "begin"
    // SQLite may have ended it under the body, whatever the body made of that: the client tells why.
    const { writer } = connections
    let begun = 0
    const stillOpen = Effect.suspend((): Effect.Effect<void, SqlError | TransactionAborted> => {
      if (writer.native.isTransaction && writer.begun === begun) return Effect.void
      // Or the body has, by a statement: then the client knows of nothing.
      return Effect.matchEffect(writer.native.isTransaction ? Effect.void : Effect.asVoid(client`SELECT 1`), {
        onFailure: (error) => {
          stage = "hold"
          return Effect.fail(error)
        },
        onSuccess: () => {
          stage = "ended"
          return Effect.fail(ended)
        }
      })
    })
    const all = Effect.gen(function*() {
      stage = "body"
      begun = writer.begun
      const value = yield* Effect.catchCause(
        within(options.timeoutMs, body),
        (cause) => Effect.andThen(stillOpen, Effect.failCause(cause))
      )
      const step = yield* record(value)
      yield* stillOpen
      yield* insert(connections, workflowId, epoch, step)
      stage = "commit"
      return value
    })
    return client.withTransaction(all).pipe(
      Effect.provideService(SqlClient.BeginTransaction, undefined),
      Effect.catchCause((cause): Effect.Effect<never, E | TransactionAborted | SqlError | StoreError> => {
        if (stage === "body") return bodyFailed(cause)
        // Of a transaction that is over the rollback fails, and would hide it.
        return stage === "ended" ? Effect.fail(ended) : storeFailed(cause, stage)
      })
    )
  })

/** What may fail. */
type Stage = "begin" | "hold" | "body" | "ended" | "commit"

const aborted = (why: TransactionAborted["why"], message: string) => new TransactionAborted({ why, message })

const foreign = aborted(
  "foreign",
  "The SqlClient here is not the store's, so its commit cannot hold the record too. Nothing was run. "
    + "Use the SqlClient that SqliteStore.layer provides."
)

const nested = aborted(
  "nested",
  "The SqlClient here is in a transaction already, whose commit the record would have to wait for. Nothing was run. "
    + "Run the durable transaction outside of withTransaction."
)

const ended = aborted("ended", "A statement of its body, such as a COMMIT or a ROLLBACK, has ended it")

/** On the machine's timers, since the body's clock may be a workflow's. */
const within = <A, E, R>(timeoutMs: number, body: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(
    body,
    Effect.andThen(
      pause(timeoutMs),
      Effect.fail(aborted(
        "timeout",
        `The transaction took longer than its limit of ${timeoutMs} ms and was rolled back. `
          + "Keep what is slow out of it, or raise its limit."
      ))
    )
  )

/** The fence and the record, as one step that nothing comes between. */
const insert = (connections: Connections, workflowId: string, epoch: number, step: StepRecord) =>
  Effect.suspend((): Effect.Effect<void, TransactionAborted | StoreError> => {
    try {
      const owner = Ownership.find(connections.writer, workflowId)
      if (owner === undefined || owner.epoch !== epoch || owner.executor === null) {
        return Effect.fail(
          aborted("fenced", `Epoch ${epoch} of ${workflowId} is over: the transaction was rolled back.`)
        )
      }
      if (Step.isRecorded(connections.writer, workflowId, step.stepId)) {
        return Effect.fail(
          aborted(
            "exists",
            `Step ${step.stepId} of ${workflowId} is recorded already: the transaction was rolled back.`
          )
        )
      }
      Step.insertRecord(connections.writer, workflowId, epoch, step)
      if (owner.attempts > 0) Ownership.forgive(connections.writer, workflowId)
      return Effect.void
    } catch (error) {
      return Effect.fail(storeError(error, `record step ${step.stepId} of ${workflowId}`))
    }
  })

/**
 * A rollback that fails becomes a defect in `withTransaction` and hides what the body failed with. The connection is
 * rolled back before its next use, so what remains to be said is that the database failed.
 */
const bodyFailed = <E>(cause: Cause.Cause<E>): Effect.Effect<never, E | SqlError> => {
  const dead = cause.reasons.find((reason) => Cause.isDieReason(reason) && isSqlError(reason.defect))
  return dead !== undefined && Cause.isDieReason(dead)
    ? Effect.fail(dead.defect as SqlError)
    : Exit.failCause(cause)
}

const storeFailed = <E>(
  cause: Cause.Cause<E>,
  stage: Exclude<Stage, "body" | "ended">
): Effect.Effect<never, E | SqlError | TransactionAborted | StoreError> => {
  const error = Cause.squash(cause)
  if (!isSqlError(error)) return Exit.failCause(cause)
  const native = error.reason.cause
  // The application's own deferred constraint: the commit was refused, and rolled back.
  if (stage === "commit" && isRejection(native)) return Effect.fail(error)
  return Effect.fail(
    stage === "commit" && isDiskFailure(native)
      ? aborted(
        "unknown",
        `The disk failed in the commit: ${error.message}. Look for the record before running it again.`
      )
      : storeError(native, `${stage} a transaction`)
  )
}
