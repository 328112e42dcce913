/**
 * A transaction's attempts, and the question whether one has committed.
 *
 * The record is written by the transaction itself, as its last statement, with the number that the run gave it; until
 * the commit is known the run delivers nothing else. If the answer to a commit is lost, the transaction is run again
 * with the same record: its key makes the database say whether the first one was there.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { StepRecord, TransactionAborted } from "../Store.ts"
import { TransactionMisused, WorkflowError } from "../WorkflowError.ts"
import { attempt, type Policy } from "./attempts.ts"
import type { StorableSchema, ValueCodec } from "./codec.ts"
import type { Core } from "./core.ts"
import { untilItPasses } from "./journal.ts"
import type { Call, Completed, Slot } from "./operation.ts"
import type { Run } from "./run.ts"
import { attemptSync } from "./starting.ts"

export interface Transacted {
  readonly name: string
  readonly body: Effect.Effect<unknown, unknown>
  readonly success: ValueCodec<any>
  readonly error: StorableSchema<any>
  readonly policy: Policy
  readonly isolation: "read committed" | "repeatable read" | "serializable" | undefined
  readonly timeoutMs: number
}

const conflictAttempts = 20

export const performTransaction = (
  core: Core,
  run: Run,
  call: Call,
  transaction: Transacted
): Effect.Effect<Completed> => {
  let slot: Slot | undefined
  let written: { readonly record: StepRecord; readonly completed: Completed } | undefined

  // Asked for within the transaction, with the value that it is to return.
  const record = (value: unknown): Effect.Effect<StepRecord, unknown> =>
    Effect.flatMap(encode(value), ({ live, text }) => {
      const completed: Completed = {
        outcome: "success",
        value: text,
        exit: Exit.succeed(live),
        attempts: call.attempts.length + 1
      }
      const take = slot === undefined ? call.slot : Effect.succeed(slot)
      return Effect.map(take, (taken) => {
        slot = taken
        written = { record: taken.record(completed), completed }
        return written.record
      })
    })

  const encode = (value: unknown) =>
    attemptSync(() => transaction.success.record(value, `result of transaction "${transaction.name}"`))

  const release = (committed: boolean): void => {
    slot?.release(committed ? written?.record : undefined)
    slot = undefined
  }

  const commit: Effect.Effect<Completed, unknown> = Effect.suspend(() =>
    core.store.transaction(run.workflowId, run.epoch, transaction.body, record, {
      isolation: transaction.isolation,
      timeoutMs: transaction.timeoutMs
    })
  ).pipe(
    Effect.map(() => {
      release(true)
      return written!.completed
    })
  )

  const once = (conflicts: number): Effect.Effect<Completed, unknown> =>
    Effect.catch(commit, (error: unknown) => {
      if (isTag(error, "StoreError") && (error as { readonly isRetryable?: boolean }).isRetryable === true) {
        // The database is away: nothing is recorded of that, and it is tried until it is back.
        release(false)
        return Effect.andThen(Effect.sleep(100), once(conflicts))
      }
      if (!isTag(error, "TransactionAborted")) {
        release(false)
        return Effect.fail(error)
      }
      const { message, why } = error as TransactionAborted
      switch (why) {
        case "conflict":
          release(false)
          return conflicts < conflictAttempts
            ? Effect.andThen(Effect.sleep(Math.random() * Math.min(500, 2 ** conflicts)), once(conflicts + 1))
            : Effect.fail(error)
        case "unknown":
          // The number is kept: the same record goes again.
          return Effect.andThen(Effect.sleep(50), once(conflicts))
        case "exists":
          return Effect.flatMap(existing(core, run, call), (found) => {
            if (found === undefined) return once(conflicts + 1)
            slot?.release(found)
            slot = undefined
            return Effect.succeed(completedOf(found, transaction))
          })
        case "fenced":
          run.stop({ _tag: "Fenced" })
          return Effect.never
        default:
          release(false)
          return Effect.fail(new WorkflowError({ reason: new TransactionMisused({ why, detail: message }) }))
      }
    })

  return Effect.gen(function*() {
    const fresh: { completed: Completed | undefined } = { completed: undefined }
    const done = yield* attempt(core, call, {
      name: transaction.name,
      effect: Effect.map(once(0), (completed) => {
        fresh.completed = completed
      }),
      success: nothing,
      error: transaction.error,
      policy: transaction.policy,
      timeoutMs: undefined
    })
    return fresh.completed ?? done
  }).pipe(
    // Taken back. Once the number was given the transaction may have committed: only the database knows.
    Effect.onInterrupt(() => {
      const held = slot
      if (held === undefined) return Effect.void
      return Effect.map(existing(core, run, call), (found) => held.release(found))
    })
  )
}

/** The record that an earlier commit left, whose answer was lost. */
const existing = (core: Core, run: Run, call: Call): Effect.Effect<StepRecord | undefined> =>
  core.store.history(run.workflowId, call.stepId - 1).pipe(
    Effect.retry(untilItPasses),
    Effect.orDie,
    Effect.map(({ records }) => records.find((record) => record.stepId === call.stepId))
  )

const completedOf = (record: StepRecord, transaction: Transacted): Completed => ({
  outcome: record.outcome,
  value: record.value,
  exit: Exit.succeed(transaction.success.decode(record.value)),
  attempts: record.attempts
})

const isTag = (error: unknown, tag: string): boolean =>
  typeof error === "object" && error !== null && (error as { readonly _tag?: unknown })._tag === tag

const nothing: ValueCodec<any> = {
  encode: () => "null",
  decode: () => undefined,
  live: () => undefined,
  record: () => ({ text: "null", live: undefined })
}
