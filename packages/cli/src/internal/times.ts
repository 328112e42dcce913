/** Times and durations, as people write and read them. Pure. */
import * as Duration from "effect/Duration"

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** `90s`, `5m`, `1h30m`, `7d`, or Effect's own `5 minutes`. Undefined: it is none. */
export const durationOf = (text: string): Duration.Duration | undefined => {
  if (/^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)]
    return Duration.millis(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * unitMs[unit!]!, 0))
  }
  // `as`: what is no duration is told by the answer.
  const parsed = /^\d+(?:\.\d+)? [a-z]+$/.test(text) ? Duration.fromInput(text as Duration.Input) : undefined
  return parsed?._tag === "Some" ? parsed.value : undefined
}

/** A date or time of ISO 8601 (without a zone: UTC), or a duration: so long before now. Undefined: it is none. */
export const timeOf = (text: string, now: number): Date | undefined => {
  const ago = durationOf(text)
  if (ago !== undefined) return new Date(now - Duration.toMillis(ago))
  if (!/^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/.test(text)) {
    return undefined
  }
  const date = new Date(/(?:Z|[+-]\d{2}:?\d{2})$/.test(text.slice(10)) || text.length === 10 ? text : `${text}Z`)
  return Number.isNaN(date.getTime()) ? undefined : date
}

/** How long something took or takes, in at most two units. */
export const lengthOf = (ms: number): string => {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}ms`
  const seconds = ms / 1_000
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.floor(seconds)}s`
  const units = [["d", 86_400], ["h", 3_600], ["m", 60], ["s", 1]] as const
  const first = units.findIndex(([, size]) => seconds >= size)
  const [unit, size] = units[first]!
  const next = units[first + 1]
  const rest = next === undefined ? 0 : Math.floor((seconds % size) / next[1])
  return `${Math.floor(seconds / size)}${unit}${rest > 0 && next !== undefined ? `${rest}${next[0]}` : ""}`
}

/** When something was or will be, as seen from now. */
export const relative = (date: Date, now: number): string => {
  const ms = date.getTime() - now
  if (Math.abs(ms) < 1_000) return "now"
  return ms < 0 ? `${lengthOf(-ms)} ago` : `in ${lengthOf(ms)}`
}

/** The time of the day in UTC, with the date where that is another day than today's. */
export const clock = (date: Date | undefined, now: number): string => {
  if (date === undefined) return ""
  const [day, time] = date.toISOString().slice(0, -1).split("T")
  return new Date(now).toISOString().startsWith(day!) ? time! : `${day} ${time}`
}

/** The same, after the time itself. */
export const absolute = (date: Date | undefined, now: number): string | undefined =>
  date === undefined ? undefined : `${date.toISOString()}  (${relative(date, now)})`
