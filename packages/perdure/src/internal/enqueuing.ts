/** What an enqueue asks for: the options of the call over those of the scope, checked. */
import * as Context from "effect/Context"
import * as EnqueueOptions from "../EnqueueOptions.ts"
import type { Enqueued } from "../Store.ts"
import { invalid } from "./invalid.ts"
import { checkKey } from "./names.ts"
import type { QueueDefinition } from "./queueDefinition.ts"

/** A place in a queue, and what is said of the start with it. */
export interface Place {
  readonly enqueued: Enqueued
  readonly onDuplicate: "attach" | "fail"
  readonly version: string | undefined
  readonly delay: EnqueueOptions.EnqueueOptions["delay"]
}

/** Throws a `WorkflowError` for what is refused. */
export const placeOf = (
  queue: QueueDefinition,
  context: Context.Context<never>,
  call: EnqueueOptions.EnqueueOptions
): Place => {
  const scope = Context.get(context, EnqueueOptions.Current)
  const deduplicationId = call.deduplicationId ?? scope.deduplicationId
  return {
    enqueued: {
      queue: queue.name,
      priority: priorityOf(call.priority ?? scope.priority),
      partitionKey: partitionKeyOf(queue, call.partitionKey ?? scope.partitionKey),
      deduplicationId: deduplicationId === undefined ? null : checkKey(deduplicationId, "deduplication id"),
      debounce: null
    },
    onDuplicate: onDuplicateOf(call.onDuplicate ?? scope.onDuplicate ?? "attach"),
    version: call.version ?? scope.version,
    delay: call.delay ?? scope.delay
  }
}

const maxPriority = 2_147_483_647

/** 0: none was given. Throws a `WorkflowError`. */
export const priorityOf = (priority: number | undefined): number => {
  if (priority === undefined) return 0
  if (Number.isInteger(priority) && priority >= 1 && priority <= maxPriority) return priority
  throw invalid("priority", `it is ${priority}`, `Give a whole number from 1 to ${maxPriority}; higher starts first.`)
}

const partitionKeyOf = (queue: QueueDefinition, key: string | undefined): string | null => {
  if (queue.limits.partitioned === null) {
    if (key === undefined) return null
    throw invalid(
      "partition key",
      `the queue "${queue.name}" is not partitioned`,
      "Leave the key out, or declare the queue with `partitioned`."
    )
  }
  if (key !== undefined) return checkKey(key, "partition key")
  throw invalid("partition key", `it is missing, and the queue "${queue.name}" is partitioned`, "Give a key.")
}

const onDuplicateOf = (value: string): "attach" | "fail" => {
  if (value === "attach" || value === "fail") return value
  throw invalid("onDuplicate", `it is ${JSON.stringify(value)}`, "Give \"attach\" or \"fail\".")
}
