/**
 * A step that commits together with the application's own SQL.
 *
 * The fence and the record are the transaction's *last* statement: held from its start, a frozen owner would block
 * cancel and takeover for as long as it likes.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { BeginTransaction, SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { type StepRecord, type StoreError, TransactionAborted, type TransactionOptions } from "perdure/Store"
import { classify, isConnectionLost, isInfrastructure, isLockTimeout, sqlState, toStoreError } from "./errors.ts"

/** A setting of the transaction that it began: gone with its end, so that one that the body has begun lacks it. */
const own = "perdure.transaction"

/**
 * FOR SHARE: parallel transactions of one workflow do not block one another, a flush, a takeover and a cancel do. A
 * duplicate key: the record is there already. Tells whether the transaction is still the one that was begun, without
 * which nothing is written, and whether it wrote: if not, this epoch is over.
 */
const recordStatement = (s: string): string => `
  WITH own AS MATERIALIZED (SELECT coalesce(pg_catalog.current_setting('${own}', true), '') = 'open' AS open),
  o AS MATERIALIZED (
    SELECT o.workflow_id, o.epoch FROM ${s}.ownership o
    WHERE o.workflow_id = $1::text AND o.epoch = $2::bigint AND o.ended_epoch < o.epoch FOR SHARE
  ),
  written AS (
    INSERT INTO ${s}.step (workflow_id, step_id, seq, asked, key, name, kind, outcome, value, attempts, started_at, at,
      child_id, rollback, epoch)
    SELECT o.workflow_id, $3::integer, $4::integer, $5::integer, $6::text, $7::text, $8::text, $9::text, $10::text,
      $11::integer, $12::bigint, $13::bigint, $14::text, $15::boolean, o.epoch
    FROM o, own WHERE own.open
    RETURNING 1
  )
  SELECT own.open, EXISTS (SELECT FROM written) AS written FROM own`

const parametersOf = (workflowId: string, epoch: number, r: StepRecord): ReadonlyArray<unknown> => [
  workflowId,
  String(epoch),
  String(r.stepId),
  String(r.seq),
  String(r.asked),
  r.key,
  r.name,
  r.kind,
  r.outcome,
  r.value,
  String(r.attempts),
  String(r.startedAt),
  String(r.at),
  r.childId,
  r.rollback
]

const aborted = (why: TransactionAborted["why"], message: string) => new TransactionAborted({ why, message })

const beginWith = (isolation: TransactionOptions["isolation"]): string | undefined =>
  isolation === undefined ? undefined : `BEGIN ISOLATION LEVEL ${isolation.toUpperCase()}`

/**
 * A process that freezes in its body lets go of its locks all the same, and those who wait for them meanwhile try again
 * before their own time is up: that somebody else holds a lock is not their failure.
 */
const boundsOf = (timeoutMs: number): string => {
  const limit = Math.max(2, Math.ceil(timeoutMs))
  return `SELECT pg_catalog.set_config('${own}', 'open', true),
    pg_catalog.set_config('idle_in_transaction_session_timeout', '${limit + 1_000}', true),
    pg_catalog.set_config('lock_timeout', '${Math.ceil(limit / 2)}', true)`
}

/** How far a transaction got, for telling what its failure means. */
type Stage = "before" | "body" | "fence" | "commit"

export const make = (
  { client: ours, isOurs, s }: {
    readonly s: string
    /** The client that the store's layer provides. */
    readonly client: SqlClient
    readonly isOurs: (client: SqlClient) => Effect.Effect<boolean, StoreError>
  }
) => {
  const recordSql = recordStatement(s)

  return <A, E, R>(
    workflowId: string,
    epoch: number,
    body: Effect.Effect<A, E, R>,
    record: (value: A) => Effect.Effect<StepRecord, E>,
    options: TransactionOptions
  ): Effect.Effect<A, E | TransactionAborted | SqlError | StoreError, R> =>
    Effect.contextWith((context: Context.Context<R>) => {
      const client = Option.getOrElse(Context.getOption(context, SqlClient), () => ours)
      if (Option.isSome(Context.getOption(context, client.transactionService))) {
        return Effect.fail(aborted(
          "nested",
          "The SqlClient is in a transaction already: a durable transaction has to "
            + "begin and commit by itself. Call it outside of withTransaction"
        ))
      }

      let stage: Stage = "before"
      let failed: Cause.Cause<E | TransactionAborted | SqlError> | undefined

      const limited = Effect.timeoutOrElse(body, {
        duration: options.timeoutMs,
        orElse: () =>
          Effect.fail(aborted(
            "timeout",
            `The transaction took longer than its limit of ${options.timeoutMs} ms and was rolled back. `
              + "Keep what is slow out of it, or raise its limit"
          ))
      })

      const inside = Effect.gen(function*() {
        yield* client.unsafe(boundsOf(options.timeoutMs)).unprepared
        stage = "body"
        const value = yield* limited
        const row = yield* record(value)
        stage = "fence"
        const [found] = yield* client.unsafe<{ readonly open: boolean; readonly written: boolean }>(
          recordSql,
          parametersOf(workflowId, epoch, row)
        ).withoutTransform
        if (!found!.open) {
          return yield* aborted("ended", "A statement of its body, such as a COMMIT or a ROLLBACK, has ended it")
        }
        if (!found!.written) {
          return yield* aborted("fenced", `Epoch ${epoch} of workflow ${workflowId} is over; rolled back`)
        }
        stage = "commit"
        return value
      }).pipe(
        // the isolation level is this transaction's, not that of whatever the body opens elsewhere
        Effect.provideService(BeginTransaction, Context.get(context, BeginTransaction)),
        // a rollback on a dead connection is a defect that would hide what the body failed with
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (Exit.isFailure(exit)) failed = exit.cause
          })
        )
      )

      const transaction = client.withTransaction(inside).pipe(
        Effect.provideService(BeginTransaction, beginWith(options.isolation)),
        Effect.catchCause((cause): Effect.Effect<A, E | TransactionAborted | SqlError | StoreError> => {
          const first = failed ?? cause
          const error = errorIn(first)
          if (error === undefined || !isSqlError(error)) return Effect.failCause(first)
          if (stage === "fence" && sqlState(error) === "23505") {
            return Effect.fail(aborted("exists", `Workflow ${workflowId} has this record already; rolled back`))
          }
          if (stage === "fence" && sqlState(error) === "25P02") {
            return Effect.fail(aborted("ended", "A statement of its body has failed, and the body went on"))
          }
          if (classify(error) === "conflict" || isLockTimeout(error)) {
            return Effect.fail(aborted("conflict", `${error.message}; nothing was committed`))
          }
          if (isConnectionLost(error)) {
            return Effect.fail(
              // 25P03: it sat idle for too long before the commit, so there was none
              stage === "commit" && sqlState(error) !== "25P03"
                ? aborted("unknown", `The connection was lost in the commit (${error.message}): look for the record`)
                : toStoreError(error)
            )
          }
          // Around the body only the store speaks; in it, the application does, but the server's troubles are nobody's.
          const troubled = classify(error) === "unavailable" || classify(error) === "misconfigured"
          return Effect.fail(
            troubled && (stage !== "body" || isInfrastructure(error)) ? toStoreError(error) : error
          )
        })
      )

      return Effect.flatMap(isOurs(client), (isOurs): Effect.Effect<
        A,
        E | TransactionAborted | SqlError | StoreError,
        R
      > =>
        isOurs
          ? transaction
          : Effect.fail(aborted(
            "foreign",
            "The SqlClient is not of the store's database, so its commit cannot carry the record; nothing was run"
          )))
    })
}

/** The failure, or the `SqlError` that a rollback on a dead connection was turned into. */
const errorIn = (cause: Cause.Cause<unknown>): unknown => {
  const failure = cause.reasons.find(Cause.isFailReason)
  if (failure !== undefined) return failure.error
  return cause.reasons.find((reason) => Cause.isDieReason(reason) && isSqlError(reason.defect))?._tag === "Die"
    ? cause.reasons.filter(Cause.isDieReason).find((reason) => isSqlError(reason.defect))!.defect
    : undefined
}
