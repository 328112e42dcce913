/** The span that starts a workflow, as text: W3C `traceparent`, which any process can go on from. */
import * as Context from "effect/Context"
import * as Tracer from "effect/Tracer"

const pattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** Of the span that the context is in. Null: it is in none, or in one whose ids are not of that form. */
export const current = (context: Context.Context<never>): string | null => {
  const span = Context.getOption(context, Tracer.ParentSpan)
  if (span._tag === "None") return null
  const { sampled, spanId, traceId } = span.value
  const text = `00-${traceId.padStart(32, "0")}-${spanId}-${sampled ? "01" : "00"}`
  return pattern.test(text) ? text : null
}

/** The span to be a child of. What cannot be read is as good as none. */
export const parse = (text: string | null): Tracer.ExternalSpan | undefined => {
  const match = text === null ? null : pattern.exec(text)
  if (match === null) return undefined
  const [, traceId, spanId, flags] = match
  return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}
