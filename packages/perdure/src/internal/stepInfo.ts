/** One durable operation of a workflow, as users list it. */
import type { FailureDetail } from "../StepFailed.ts"
import type { RecordKind, StepRow } from "../Store.ts"
import { failureOfAwaited, type Recorded } from "./awaiting.ts"
import { branchOf } from "./branch.ts"
import { textFound } from "./outcomes.ts"
import { dateOf, failureOf, readable } from "./readable.ts"
import type { Awaited } from "./waiters.ts"

/**
 * An attempt that failed and was, or is, to be followed by another. When it began is not recorded: the first with the step,
 * every other when the one before it says that it was due, or later where nobody was there.
 */
export interface FailedAttempt {
  readonly failure: FailureDetail
  /** When it failed. */
  readonly at: Date
  /** When the next one is, or was, due. */
  readonly retryAt: Date
}

/** One durable operation of a workflow, as stored. */
export interface StepInfo {
  /** Order of calls, from 0. */
  readonly stepId: number
  /** Order in which outcomes reached the body, from 1. Undefined while only failed attempts are recorded. */
  readonly seq: number | undefined
  /** Operations and labels of the branches that it is in, outermost first, as in `["forEach", "0"]`. Empty: the body. */
  readonly branch: ReadonlyArray<string>
  readonly name: string
  readonly kind: RecordKind
  /** Undefined while only failed attempts are recorded. */
  readonly outcome: "success" | "failure" | undefined
  /** The encoded value of a success. */
  readonly value: unknown
  readonly failure: FailureDetail | undefined
  /** All, also the one with the outcome. */
  readonly attempts: number
  /** Oldest first. */
  readonly failedAttempts: ReadonlyArray<FailedAttempt>
  readonly startedAt: Date
  readonly completedAt: Date | undefined
  readonly childId: string | undefined
}

export const stepOf = (row: StepRow): StepInfo => ({
  stepId: row.stepId,
  seq: row.seq ?? undefined,
  branch: branchOf(row.key),
  name: row.name,
  kind: row.kind,
  outcome: row.outcome ?? undefined,
  value: row.outcome === "success" && row.value !== null ? valueOf(row.kind, row.value) : undefined,
  failure: row.outcome === "failure" && row.value !== null ? failureIn(row, row.value) : undefined,
  attempts: row.attempts,
  failedAttempts: row.failedAttempts.map(({ at, error, retryAt }) => ({
    failure: failureOf(error),
    at: new Date(at),
    retryAt: new Date(retryAt)
  })),
  // Whoever took the workflow over recorded when it began there: the attempts before failed before that.
  startedAt: new Date(Math.min(row.startedAt, row.failedAttempts[0]?.at ?? Infinity)),
  completedAt: dateOf(row.completedAt),
  childId: row.childId ?? undefined
})

/** What the body got: some kinds of operations record more than that. */
const valueOf = (kind: RecordKind, value: string): unknown => {
  switch (kind) {
    case "result": {
      const awaited = readable(value) as Awaited
      return awaited._tag === "Done" ? readable(awaited.outcome.output ?? "") : awaited
    }
    case "receive":
    case "get event": {
      const text = textFound(value)
      return text === undefined ? undefined : readable(text)
    }
    default:
      return readable(value)
  }
}

const failureIn = ({ childId, kind }: StepRow, value: string): FailureDetail => {
  const awaited = kind === "result" ? readable(value) as Recorded : undefined
  return awaited?._tag === "Done" || awaited?._tag === "Unknown" || awaited?._tag === "Late"
    ? failureOfAwaited(childId ?? "", awaited)
    : failureOf(value)
}
