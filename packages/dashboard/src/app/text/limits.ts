/** Limits of a queue in words. Pure. */
import type { QueueLimits } from "@perdure/server/AdminApi"
import { duration } from "./time.ts"

export const limitsInWords = (limits: QueueLimits): ReadonlyArray<string> => {
  const words: Array<string> = []
  const add = (prefix: string, given: Pick<QueueLimits, "executorConcurrency" | "rateLimit">) => {
    if (given.executorConcurrency !== null) words.push(`${prefix}${given.executorConcurrency} at once in each executor`)
    if (given.rateLimit !== null) {
      words.push(`${prefix}${given.rateLimit.limit} starts in ${duration(given.rateLimit.periodMs)}`)
    }
  }
  if (limits.concurrency !== null) words.push(`${limits.concurrency} at once`)
  add("", limits)
  if (limits.partitioned !== null) {
    words.push(`of each partition key ${limits.partitioned.concurrency} at once`)
    add("of each partition key ", limits.partitioned)
  }
  if (limits.ageingMs !== null) words.push(`a point of priority for ${duration(limits.ageingMs)} of waiting`)
  return words.length === 0 ? ["no limit"] : words
}
