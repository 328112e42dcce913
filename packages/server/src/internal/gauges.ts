/** Metrics in Prometheus' text format: what this process counts, and what the store says at the moment. */
import * as Effect from "effect/Effect"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Client from "perdure/Client"
import type { Engine } from "perdure/Engine"
import { queueCountLimit } from "perdure/Store"
import type { WorkflowError } from "perdure/WorkflowError"
import type { WorkflowStatus } from "perdure/WorkflowStatus"

/** So far is counted. A gauge that shows it says "at least". */
const limit = 10_000

const active: ReadonlyArray<WorkflowStatus> = ["ENQUEUED", "DELAYED", "PENDING", "BLOCKED", "DEAD_LETTER"]

interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const escape = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\"", "\\\"").replaceAll("\n", "\\n")

const family = (name: string, help: string, samples: ReadonlyArray<Sample>): string =>
  samples.length === 0 ? "" : [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    ...samples.map(({ labels, value }) =>
      `${name}{${Object.entries(labels).map(([key, text]) => `${key}="${escape(text)}"`).join(",")}} ${value}`
    ),
    ""
  ].join("\n")

/** All of it, as one text. */
export const metrics: Effect.Effect<string, WorkflowError, Engine> = Effect.gen(function*() {
  const counted = yield* PrometheusMetrics.format()
  const [queues, executors, { now }, statuses] = yield* Effect.all([
    Client.queues.list,
    Client.executors,
    Client.store,
    Effect.forEach(
      active,
      (status) => Effect.map(Client.count({ status }, { limit }), (value) => ({ labels: { status }, value }))
    )
  ])
  const ofQueue = (value: (queue: typeof queues[number]) => number): ReadonlyArray<Sample> =>
    queues.map((queue) => ({ labels: { queue: queue.name }, value: value(queue) }))
  return [
    counted,
    family("perdure_workflows", `Workflows that are not done, or dead letters, up to ${limit}`, statuses),
    family(
      "perdure_queue_waiting",
      `Workflows that wait in a queue, up to ${queueCountLimit}`,
      ofQueue(({ waiting }) => waiting)
    ),
    family(
      "perdure_queue_delayed",
      `Workflows that are delayed for a queue, up to ${queueCountLimit}`,
      ofQueue((q) => q.delayed)
    ),
    family(
      "perdure_queue_running",
      `Workflows that have a place in a queue, up to ${queueCountLimit}`,
      ofQueue((q) => q.running)
    ),
    family(
      "perdure_queue_oldest_seconds",
      "How long the one that waits longest has waited",
      ofQueue(({ oldest }) => oldest === undefined ? 0 : Math.max(0, (now.getTime() - oldest.getTime()) / 1000))
    ),
    family("perdure_queue_paused", "Whether a queue is paused", ofQueue(({ paused }) => paused ? 1 : 0)),
    family(
      "perdure_executor_workflows",
      "Workflows that an executor owns",
      executors.map(({ executorId, incarnation, owned, state, version }) => ({
        labels: { executor: executorId, incarnation, version, state },
        value: owned
      }))
    )
  ].join("")
})
