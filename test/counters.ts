import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** The engine's counters that are not zero. */
export const counters: Effect.Effect<{ readonly [name: string]: number }> = Effect.map(
  Metric.snapshot,
  (metrics) =>
    Object.fromEntries(
      metrics.flatMap((metric) => metric.type === "Counter" ? [[metric.id, Number(metric.state.count)]] : [])
    )
)
