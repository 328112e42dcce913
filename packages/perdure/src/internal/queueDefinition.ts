/** A queue as code declares it: its name and its limits, checked. */
import type * as Duration from "effect/Duration"
import type { QueueLimits, RateLimit } from "../Store.ts"
import { invalid } from "./invalid.ts"
import { checkKey, MAX_COUNT, positiveDurationMs } from "./names.ts"

export interface QueueDefinition {
  readonly name: string
  readonly limits: QueueLimits
}

/** At most `limit` starts in any stretch of `period`. */
export interface RateLimitOptions {
  readonly limit: number
  readonly period: Duration.Input
}

export interface PartitionOptions {
  readonly concurrency?: number | undefined
  readonly executorConcurrency?: number | undefined
  readonly rateLimit?: RateLimitOptions | undefined
}

export interface LimitOptions {
  readonly concurrency?: number | undefined
  readonly executorConcurrency?: number | undefined
  readonly rateLimit?: RateLimitOptions | undefined
  readonly partitioned?: boolean | PartitionOptions | undefined
  readonly ageing?: Duration.Input | undefined
}

/** Names that begin so are the engine's own. */
const reserved = "perdure."

/** Where what is debounced without a queue of its own waits. Every executor serves it. */
export const DEBOUNCER_QUEUE: QueueDefinition = {
  name: `${reserved}debouncer`,
  limits: { concurrency: null, executorConcurrency: null, rateLimit: null, partitioned: null, ageingMs: null }
}

export const checkQueueName = (name: unknown): string => {
  const checked = checkKey(name, "queue name")
  if (checked.startsWith(reserved)) {
    throw invalid("queue name", `names that begin with "${reserved}" are the engine's`, "Choose another name.")
  }
  return checked
}

/** The limits that these options mean. Throws a `WorkflowError` for what makes no sense. */
export const limitsOf = (options: LimitOptions): QueueLimits => {
  const concurrency = countOf("concurrency", options.concurrency)
  const executorConcurrency = countOf("executorConcurrency", options.executorConcurrency)
  atMost("executorConcurrency", executorConcurrency, "concurrency", concurrency)
  return {
    concurrency,
    executorConcurrency,
    rateLimit: rateOf("rateLimit", options.rateLimit),
    partitioned: partitionsOf(options.partitioned, concurrency, executorConcurrency),
    ageingMs: options.ageing === undefined ? null : positiveDurationMs("ageing", options.ageing)
  }
}

const partitionsOf = (
  given: boolean | PartitionOptions | undefined,
  queueConcurrency: number | null,
  queueExecutorConcurrency: number | null
): QueueLimits["partitioned"] => {
  if (given === undefined || given === false) return null
  const options = given === true ? {} : given
  const concurrency = countOf("partitioned.concurrency", options.concurrency) ?? 1
  const executorConcurrency = countOf("partitioned.executorConcurrency", options.executorConcurrency)
  if (options.concurrency !== undefined) {
    atMost("partitioned.concurrency", concurrency, "concurrency", queueConcurrency)
  }
  atMost("partitioned.executorConcurrency", executorConcurrency, "partitioned.concurrency", concurrency)
  atMost("partitioned.executorConcurrency", executorConcurrency, "executorConcurrency", queueExecutorConcurrency)
  return { concurrency, executorConcurrency, rateLimit: rateOf("partitioned.rateLimit", options.rateLimit) }
}

const countOf = (argument: string, value: number | undefined): number | null => {
  if (value === undefined) return null
  if (Number.isInteger(value) && value >= 1 && value <= MAX_COUNT) return value
  throw invalid(argument, `it is ${value}`, `Give a whole number from 1 to ${MAX_COUNT}, or leave it out for no limit.`)
}

const rateOf = (argument: string, value: RateLimitOptions | undefined): RateLimit | null =>
  value === undefined ? null : {
    // Not null: it is given.
    limit: countOf(`${argument}.limit`, value.limit) ?? missing(`${argument}.limit`),
    periodMs: positiveDurationMs(`${argument}.period`, value.period)
  }

const missing = (argument: string): never => {
  throw invalid(argument, "it is missing", "Give a whole number from 1.")
}

const atMost = (argument: string, value: number | null, bound: string, limit: number | null): void => {
  if (value === null || limit === null || value <= limit) return
  throw invalid(argument, `it is ${value}, more than ${bound}, which is ${limit}`, `Give at most ${limit}.`)
}
