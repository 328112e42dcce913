/**
 * A transaction's attempts, and the question whether one has committed.
 *
 * The record is written by the transaction itself, as its last statement, with the number that the run gave it; until
 * the commit is known the run delivers nothing else. If the answer to a commit is lost, the transaction is run again
 * with the same record: its key makes the database say whether the first one was there.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type StepRecord, StoreError, TransactionAborted } from "../Store.ts"
import { TransactionMisused, WorkflowError } from "../WorkflowError.ts"
import { answeredWithin, patienceMs } from "./answering.ts"
import { attempt, type Policy } from "./attempts.ts"
import type { StorableSchema, ValueCodec } from "./codec.ts"
import type { Core } from "./core.ts"
import * as Failure from "./failure.ts"
import { untilItPasses } from "./journal.ts"
import * as Metrics from "./metrics.ts"
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
  /** Undefined: the default. */
  readonly timeoutMs: number | undefined
}

/** On SQLite a transaction is the one writer, and the lease waits for it: it must not take the lease's time. */
const timeoutOf = (core: Core, transaction: Transacted): number =>
  transaction.timeoutMs ??
    (core.store.name === "sqlite" ? Math.min(defaultTimeoutMs, core.settings.leaseMs / 2) : defaultTimeoutMs)

/** Limit on the body of a transaction that is not given one. */
export const defaultTimeoutMs = 30_000

export const performTransaction = (
  core: Core,
  run: Run,
  call: Call,
  transaction: Transacted
): Effect.Effect<Completed> => {
  const timeoutMs = timeoutOf(core, transaction)
  let slot: Slot | undefined
  let written: { readonly record: StepRecord; readonly completed: Completed } | undefined
  /** A commit was sent whose answer was lost: it may have been made, or be made yet. */
  let doubtful = false

  const takeSlot: Effect.Effect<Slot> = Effect.suspend(() =>
    slot === undefined
      ? Effect.map(call.slot, (taken) => {
        slot = taken
        return taken
      })
      : Effect.succeed(slot)
  )

  // Asked for within the transaction, with the value that it is to return.
  const record = (value: unknown): Effect.Effect<StepRecord, unknown> =>
    Effect.flatMap(encode(value), ({ live, text }) => {
      const completed: Completed = {
        outcome: "success",
        value: text,
        exit: Exit.succeed(live),
        attempts: call.attempts.length + 1
      }
      return Effect.map(takeSlot, (taken) => {
        written = { record: taken.record(completed), completed }
        return written.record
      })
    })

  const encode = (value: unknown) =>
    attemptSync(() => transaction.success.record(value, `result of transaction "${transaction.name}"`))

  const release = (record: StepRecord | undefined): void => {
    slot?.release(record)
    slot = undefined
    doubtful = false
  }

  const commit: Effect.Effect<Completed, unknown> = Effect.suspend(() =>
    core.store.transaction(run.workflowId, run.epoch, transaction.body, record, {
      isolation: transaction.isolation,
      timeoutMs
    })
  ).pipe(
    // Beyond its body: to begin, to be fenced, to commit.
    answeredWithin(timeoutMs + patienceMs),
    Effect.map(() => {
      release(written!.record)
      return written!.completed
    }),
    counted
  )

  // SQLite has one writer, and a transaction is it from its beginning: it must not wait then for a number that waits for
  // the journal to write.
  const commitInTurn = core.store.name === "sqlite" ? Effect.andThen(takeSlot, commit) : commit

  /**
   * Ends a doubt, with a record that says `cause` unless there is one. It has the key of the one that may be committed
   * yet, so the database puts the two in an order, and whichever is there afterwards is the outcome.
   */
  const settleDoubt = (cause: Cause.Cause<unknown>): Effect.Effect<Completed> =>
    Effect.gen(function*() {
      const { live, text } = Failure.encodeStepCause(cause, transaction.error, transaction.name)
      const failed: Completed = {
        outcome: "failure",
        value: text,
        exit: Exit.failCause(live),
        attempts: call.attempts.length + 1
      }
      const held = yield* takeSlot
      let found = yield* existing(core, run, call)
      if (found === undefined) {
        yield* held.contest(held.record(failed))
        found = yield* existing(core, run, call)
      }
      release(found)
      return found === undefined ? failed : completedOf(found, transaction)
    })

  // In its turn it needs no leave, which would come after the turn: nothing else goes on before, and its commit is fenced.
  const again = (afterMs: number, tries: number): Effect.Effect<Completed, unknown> =>
    Effect.sleep(afterMs).pipe(
      Effect.andThen(Effect.suspend(() => slot === undefined ? call.permission : Effect.void)),
      Effect.andThen(once(tries))
    )

  const once = (tries: number): Effect.Effect<Completed, unknown> =>
    Effect.catch(Effect.catchDefect(commitInTurn, died), (error: unknown) => {
      if (error instanceof StoreError) {
        // The database is away: nothing is recorded of that, and it is tried until it is back.
        if (!doubtful) release(undefined)
        return Metrics.journalFailures.pipe(
          Effect.andThen(Effect.logWarning(
            `${transaction.name}: the database is away, the transaction will be tried again`,
            error.message
          )),
          Effect.andThen(again(Math.min(1000, 50 * 2 ** Math.min(tries, 5)), tries + 1))
        )
      }
      if (!(error instanceof TransactionAborted)) return refused(error)
      const { message, why } = error
      switch (why) {
        case "conflict":
          if (!doubtful) release(undefined)
          return again(Math.random() * Math.min(1000, 2 ** tries), tries + 1)
        case "unknown":
          // The number is kept: the same record goes again.
          doubtful = true
          return Effect.andThen(Metrics.journalFailures, again(50, tries))
        case "exists":
          return Effect.flatMap(existing(core, run, call), (found) => {
            if (found === undefined) return again(50, tries)
            release(found)
            return counted(Effect.succeed(completedOf(found, transaction)))
          })
        case "fenced":
          run.stop({ _tag: "Fenced" })
          return Effect.never
        default:
          return refused(new WorkflowError({ reason: new TransactionMisused({ why, detail: message }) }))
      }
    })

  const refused = (error: unknown): Effect.Effect<Completed, unknown> => ended(Cause.fail(error))
  const died = (defect: unknown): Effect.Effect<Completed, unknown> => ended(Cause.die(defect))
  const ended = (cause: Cause.Cause<unknown>): Effect.Effect<Completed, unknown> => {
    if (doubtful) return settleDoubt(cause)
    release(undefined)
    return Effect.failCause(cause)
  }

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
    // Taken back, or broken: the number must not be left behind. In a run that is over nothing is decided any more.
    Effect.onExit((exit) => {
      if (slot === undefined || run.leaving) return Effect.void
      if (doubtful && Exit.isFailure(exit)) return Effect.asVoid(settleDoubt(exit.cause))
      return Effect.map(existing(core, run, call), release)
    })
  )
}

/** What the transaction has recorded by itself, past the journal that counts the others. */
const counted: <A, E>(recorded: Effect.Effect<A, E>) => Effect.Effect<A, E> = Effect.tap(
  Metrics.count(Metrics.stepsRecorded)
)

/** The record that an earlier commit left, whose answer was lost. */
const existing = (core: Core, run: Run, call: Call): Effect.Effect<StepRecord | undefined> =>
  core.store.history(run.workflowId, call.stepId - 1).pipe(
    Effect.retry({ schedule: untilItPasses, while: () => run.running }),
    // The run is over, and nobody waits for the answer.
    Effect.catch(() => Effect.never),
    Effect.map(({ records }) => records.find((record) => record.stepId === call.stepId))
  )

const completedOf = (record: StepRecord, transaction: Transacted): Completed => ({
  outcome: record.outcome,
  value: record.value,
  exit: record.outcome === "success"
    ? Exit.succeed(transaction.success.decode(record.value))
    : Exit.failCause(Failure.decodeStepCause(record.value, transaction.error, transaction.name)),
  attempts: record.attempts
})

const nothing: ValueCodec<any> = {
  encode: () => "null",
  decode: () => undefined,
  live: () => undefined,
  record: () => ({ text: "null", live: undefined })
}
