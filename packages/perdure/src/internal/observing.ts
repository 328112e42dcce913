/** What whoever watches asks for: figures over time, how far workflows are, and that something may have changed. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { ActivityRow, Hint, NameRow, Span } from "../Store.ts"
import { fromStoreError, type WorkflowError } from "../WorkflowError.ts"
import type { Core } from "./core.ts"
import { timeOf } from "./filtering.ts"
import { invalid } from "./invalid.ts"
import { attemptSync } from "./starting.ts"

/** Workflows that were created in a range of time. */
export interface SpanOptions {
  /** Created at or after. Default: an hour before `to`. */
  readonly from?: Date | undefined
  /** Created before. Default: now, by the database's clock. */
  readonly to?: Date | undefined
  readonly name?: string | undefined
  /** At most so many of the newest are looked at: 1 to 1,000,000. Default: 100,000. */
  readonly limit?: number | undefined
}

/** What became of the workflows that were created in a stretch of time. */
export interface Bucket {
  readonly at: Date
  readonly created: number
  readonly succeeded: number
  /** Ended in `ERROR`. */
  readonly failed: number
  /** Ended in `CANCELLED` or `DEAD_LETTER`. */
  readonly cancelled: number
}

/** Buckets without a gap, the oldest first. */
export interface Activity {
  readonly from: Date
  readonly to: Date
  readonly bucketMs: number
  /** False: there are more than `limit`, and `from` is when the oldest that was looked at was created. */
  readonly complete: boolean
  readonly buckets: ReadonlyArray<Bucket>
}

/** By name, those that failed most first. */
export interface Names {
  readonly from: Date
  readonly to: Date
  /** False: there are more than `limit`, of which the newest were looked at. */
  readonly complete: boolean
  readonly names: ReadonlyArray<NameRow>
}

const hour = 3_600_000

const wholeOf = (argument: string, value: number, most: number): number => {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw invalid(argument, `it is ${value}`, `Give a whole number from 1 to ${most}.`)
}

const spanOf = (core: Core, options: SpanOptions): Effect.Effect<Span, WorkflowError> =>
  Effect.gen(function*() {
    const now = options.to === undefined ? yield* Effect.mapError(core.store.now, fromStoreError) : 0
    return yield* attemptSync(() => {
      // What is created in this millisecond is there.
      const to = options.to === undefined ? now + 1 : timeOf("to", options.to)
      const from = options.from === undefined ? to - hour : timeOf("from", options.from)
      if (from >= to) throw invalid("range", "it ends before it begins", "Give `from` before `to`.")
      return { from, to, name: options.name ?? null, limit: wholeOf("limit", options.limit ?? 100_000, 1_000_000) }
    })
  })

export const activity = (
  core: Core,
  options: SpanOptions & { readonly buckets?: number | undefined }
): Effect.Effect<Activity, WorkflowError> =>
  Effect.gen(function*() {
    const buckets = yield* attemptSync(() => wholeOf("buckets", options.buckets ?? 60, 1000))
    const span = yield* spanOf(core, options)
    const bucketMs = Math.max(1, Math.ceil((span.to - span.from) / buckets))
    const rows = yield* Effect.mapError(core.store.activity(span, bucketMs), fromStoreError)
    return activityOf(span, bucketMs, rows)
  })

/** Where not all were looked at, the stretch in which the oldest was created is not whole, and is left out with those before. */
export const activityOf = (span: Span, bucketMs: number, rows: ReadonlyArray<ActivityRow>): Activity => {
  const complete = rows.reduce((sum, row) => sum + row.count, 0) < span.limit
  const since = complete ? span.from : rows.reduce((least, row) => Math.min(least, row.since), span.to)
  const first = complete ? 0 : Math.floor((since - span.from) / bucketMs) + 1
  const count = Math.ceil((span.to - span.from) / bucketMs)
  const buckets = Array.from({ length: Math.max(0, count - first) }, (_, i): Bucket => {
    const ofBucket = rows.filter((row) => row.bucket === first + i)
    const sum = (...statuses: ReadonlyArray<ActivityRow["status"]>) =>
      ofBucket.reduce((sum, row) => statuses.includes(row.status) ? sum + row.count : sum, 0)
    return {
      at: new Date(span.from + (first + i) * bucketMs),
      created: ofBucket.reduce((sum, row) => sum + row.count, 0),
      succeeded: sum("SUCCESS"),
      failed: sum("ERROR"),
      cancelled: sum("CANCELLED", "DEAD_LETTER")
    }
  })
  return { from: new Date(since), to: new Date(span.to), bucketMs, complete, buckets }
}

export const names = (core: Core, options: SpanOptions): Effect.Effect<Names, WorkflowError> =>
  Effect.gen(function*() {
    const span = yield* spanOf(core, options)
    const [rows, count] = yield* Effect.mapError(
      Effect.all([
        core.store.names(span),
        core.store.count({
          createdFrom: span.from,
          createdTo: span.to,
          ...(span.name === null ? {} : { names: [span.name] }),
          order: "desc",
          limit: span.limit + 1
        })
      ]),
      fromStoreError
    )
    return {
      from: new Date(span.from),
      to: new Date(span.to),
      complete: count <= span.limit,
      names: [...rows].sort((a, b) => b.failed - a.failed || b.ended - a.ended || (a.name < b.name ? -1 : 1))
    }
  })

/** Hints that a slow reader has no room for are dropped: each only says that it is time to look. */
export const changes = (core: Core): Stream.Stream<Hint> =>
  Stream.callback<Hint>((queue) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const hearer = (hint: Hint) => void Queue.offerUnsafe(queue, hint)
        core.hearers.add(hearer)
        return hearer
      }),
      (hearer) => Effect.sync(() => core.hearers.delete(hearer))
    ), { bufferSize: 1000, strategy: "dropping" })
