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

/**
 * The parent of a workflow's spans where nobody's span has started it: a span that nobody made, of a trace of its own. It
 * follows from what is stored of the workflow, so that the spans of all its runs join, in whatever process and after whatever
 * crash, and nothing has to be written for it.
 */
export const ofWorkflow = (workflowId: string, startedAt: number): Tracer.ExternalSpan => {
  const text = `${startedAt}/${workflowId}`
  const hex = (first: number, lanes: number) =>
    Array.from({ length: lanes }, (_, i) => hash(text, first + i).toString(16).padStart(8, "0")).join("")
  // Ids of zeros only are none.
  return Tracer.externalSpan({ traceId: hex(1, 4), spanId: hex(5, 2), sampled: true })
}

/** 32 bits, well spread; never 0. */
const hash = (text: string, seed: number): number => {
  let h = Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 0x5bd1e995)
    h ^= h >>> 15
  }
  h = Math.imul(h ^ (h >>> 16), 0x2c1b3c6d)
  return ((h ^ (h >>> 13)) >>> 0) || 1
}
