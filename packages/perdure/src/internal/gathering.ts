/** Reads what an explanation needs to know of a workflow, and no more. */
import * as Effect from "effect/Effect"
import type { QueueRow, StoreError, WorkflowRow } from "../Store.ts"
import { fromStoreError, type WorkflowError } from "../WorkflowError.ts"
import type { Core } from "./core.ts"
import { explain, type Explanation, type Facts } from "./explaining.ts"
import * as Managing from "./managing.ts"

/** So far a place in a queue is counted. */
const positionLimit = 10_000

export const explainById = (core: Core, workflowId: string): Effect.Effect<Explanation, WorkflowError> =>
  Effect.flatMap(
    Effect.mapError(gather(core, workflowId), fromStoreError),
    (facts) => facts === undefined ? Effect.fail(Managing.notFound(workflowId)) : Effect.succeed(explain(facts))
  )

const gather = (core: Core, workflowId: string): Effect.Effect<Facts | undefined, StoreError> =>
  Effect.gen(function*() {
    const { store } = core
    const row = yield* store.get(workflowId)
    if (row === null) return undefined
    const now = yield* store.now
    const active = row.phase !== "done"
    const queue = active && row.queue !== null ? (yield* store.queues([row.queue]))[0] : undefined
    return {
      row,
      now,
      here: core.executor?.isRunning(workflowId) === true,
      executors: active ? yield* store.executors : [],
      versions: active ? yield* store.versions : [],
      queue,
      before: queue === undefined ? null : yield* store.position(workflowId, positionLimit),
      awaited: row.waits === null ? [] : yield* store.awaited(workflowId),
      // As the store counts it: what was started is found among all that ever was in the queue, by no index.
      rateFreeAt: queue === undefined || queue.limits.rateLimit === null ? null : yield* store.rateFreeAt(queue.name),
      partitionRunning: queue === undefined ? 0 : yield* partitionRunning(core, queue, row)
    }
  })

const partitionRunning = (core: Core, queue: QueueRow, row: WorkflowRow): Effect.Effect<number, StoreError> => {
  const { partitioned } = queue.limits
  return partitioned === null || row.partitionKey === null ? Effect.succeed(0) : core.store.count({
    queues: [queue.name],
    partitionKey: row.partitionKey,
    status: ["PENDING"],
    order: "desc",
    limit: partitioned.concurrency
  })
}
