/**
 * A transaction in another database than the store's. Its commit carries a completion row, whose key the database keeps
 * unique; the record in the store comes after it. So however often it is run, by whomever, it commits once, and everybody
 * gets the value of that commit.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { attempt } from "./attempts.ts"
import * as Completions from "./completions.ts"
import type { Core } from "./core.ts"
import * as Failure from "./failure.ts"
import { untilItPasses } from "./journal.ts"
import type { Call, Completed } from "./operation.ts"
import type { Run } from "./run.ts"
import { attemptSync } from "./starting.ts"
import { defaultTimeoutMs, type Transacted } from "./transacting.ts"

export const performElsewhere = (
  core: Core,
  run: Run,
  call: Call,
  transaction: Transacted,
  sql: SqlClient
): Effect.Effect<Completed> =>
  Effect.gen(function*() {
    // One that was renamed may have committed under either name, and must not be able to under the other one then.
    const keys: Arr.NonEmptyReadonlyArray<string> = call.formerKey === undefined
      ? [call.key]
      : [call.key, call.formerKey]
    const ids = yield* Effect.forEach(keys, (key) => Completions.idOf(run.workflowId, run.startedAt, key))
    const what = `result of transaction "${transaction.name}"`
    /**
     * A commit may have been made, or be made yet: one was sent whose answer was lost, or an earlier owner may have sent
     * one.
     */
    let doubtful = call.again

    const adopt = (found: Pick<Completions.Completion, "outcome" | "value">): Effect.Effect<unknown, unknown> =>
      found.outcome === "success"
        ? Effect.sync(() => transaction.success.decode(found.value))
        : Effect.failCause(Failure.decodeStepCause(found.value, transaction.error, transaction.name))

    const inside = Effect.flatMap(
      Effect.timeout(transaction.body, transaction.timeoutMs ?? defaultTimeoutMs),
      (value) =>
        Effect.flatMap(attemptSync(() => transaction.success.record(value, what)), ({ live, text }) => {
          const completion = { ids, workflowId: run.workflowId, outcome: "success", value: text } as const
          return Effect.as(Completions.insert(sql, completion, Date.now()), live)
        })
    )

    const commit: Effect.Effect<unknown, unknown> = Effect.suspend(() => {
      let committing = false
      const body = Effect.tap(inside, () => Effect.sync(() => void (committing = true)))
      return Effect.catch(failing(sql.withTransaction(body)), (error) => {
        if (!isSqlError(error)) return Effect.fail(error)
        if (error.reason._tag === "UniqueViolation" || isConflict(error)) {
          return Effect.flatMap(Completions.find(sql, ids), (found) => {
            if (found !== undefined) return adopt(found)
            return isConflict(error) ? commit : Effect.fail(error)
          })
        }
        doubtful ||= committing
        return Effect.fail(error)
      })
    })

    const once = Effect.andThen(
      Completions.setUp(sql),
      Effect.flatMap(Completions.find(sql, ids), (found) => found === undefined ? commit : adopt(found))
    )

    /** Puts the failure where the success may come yet: of the two the database lets one be. */
    const settle = (failed: Completed): Effect.Effect<Completed> => {
      const completion = { ids, workflowId: run.workflowId, outcome: "failure", value: failed.value } as const
      return Completions.setUp(sql).pipe(
        Effect.andThen(Completions.insert(sql, completion, Date.now())),
        Effect.as(failed),
        Effect.catch((error) =>
          Effect.flatMap(Completions.find(sql, ids), (found) =>
            found === undefined
              ? Effect.fail(error)
              : Effect.map(Effect.exit(adopt(found)), (exit): Completed => ({ ...failed, ...found, exit })))
        ),
        Effect.tapError((error) => Effect.logWarning(`${transaction.name}: whether it committed is unknown`, error)),
        Effect.retry({ schedule: untilItPasses, while: () => run.running }),
        // The run is over: whoever goes on with it asks again.
        Effect.catch(() => Effect.never)
      )
    }

    const done = yield* attempt(core, call, {
      name: transaction.name,
      effect: once,
      success: transaction.success,
      error: transaction.error,
      policy: transaction.policy,
      timeoutMs: undefined
    })
    return done.outcome === "failure" && doubtful ? yield* settle(done) : done
  })

const isConflict = (error: SqlError): boolean =>
  error.reason._tag === "SerializationError" || error.reason._tag === "DeadlockError"

/** A rollback on a dead connection is a defect: what it hides is the failure of the connection. */
const failing = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
  Effect.catchCause(effect, (cause): Effect.Effect<never, E | SqlError> => {
    const dead = cause.reasons.filter(Cause.isDieReason).find((reason) => isSqlError(reason.defect))
    return dead === undefined ? Effect.failCause(cause) : Effect.fail(dead.defect as SqlError)
  })

/**
 * Deletes completions that nobody can ask for any more: old ones of workflows that ended by themselves or are deleted. A
 * cancelled one may be resumed, and may have committed what it did not record.
 */
export const retain = (core: Core, sql: SqlClient, olderThanMs: number) =>
  Effect.gen(function*() {
    yield* Completions.setUp(sql)
    const before = Date.now() - olderThanMs
    let removed = 0
    for (let after = "";;) {
      const ids = yield* Completions.workflowsBefore(sql, before, after, 500)
      if (ids.length === 0) return removed
      const { done, unknown } = yield* core.store.outcomes(ids)
      const ended = done.filter(({ status }) => status === "SUCCESS" || status === "ERROR")
      const over = [...ended.map((outcome) => outcome.workflowId), ...unknown]
      if (over.length > 0) yield* Completions.removeOf(sql, over)
      removed += over.length
      after = ids[ids.length - 1]
    }
  })
