/** What an engine counts. Names are stable: dashboards and alerts are built on them. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

export const workflowsClaimed = Metric.counter("perdure_workflows_claimed", {
  description: "Workflows taken from the store by this process (woken, recovered or enqueued)",
  incremental: true
})
export const workflowsReleased = Metric.counter("perdure_workflows_recovered", {
  description: "Workflows of lapsed executors that this process gave back to the living",
  incremental: true
})
export const fencedWrites = Metric.counter("perdure_fenced_writes", {
  description: "Writes refused because the workflow had been taken over or cancelled meanwhile",
  incremental: true
})
export const stepsStarted = Metric.counter("perdure_step_attempts", {
  description: "Attempts of steps that were started",
  incremental: true
})
export const stepsRecorded = Metric.counter("perdure_steps_recorded", {
  description: "Outcomes of durable operations that were recorded",
  incremental: true
})
export const leasesLost = Metric.counter("perdure_leases_lost", {
  description: "Times this process found its lease lapsed",
  incremental: true
})
export const scheduledStarts = Metric.counter("perdure_scheduled_starts", {
  description: "Workflows that this process started for schedules",
  incremental: true
})
const batchSize = Metric.histogram("perdure_journal_batch_size", {
  description: "Operations per write of the journal",
  boundaries: Metric.exponentialBoundaries({ start: 1, factor: 2, count: 12 })
})
const failures = Metric.counter("perdure_journal_failures", {
  description: "Writes of the journal, and transactions, that the store failed, and that were made again",
  incremental: true
})

export const journalBatch = (operations: number): Effect.Effect<void> => Metric.update(batchSize, operations)
export const journalFailures: Effect.Effect<void> = Metric.update(failures, 1)
export const count = (metric: Metric.Counter<number>, by = 1): Effect.Effect<void> => Metric.update(metric, by)
