/** Times and durations in words. Pure: `now` is given. */

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000]
] as const

/** "840 ms", "3.2 s", "4 m 10 s", "2 d 3 h": two units at most. */
export const duration = (ms: number): string => {
  if (ms < 0) return `-${duration(-ms)}`
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`
  const index = units.findIndex(([, size]) => ms >= size)
  const [unit, size] = units[index] ?? units[3]
  const next = units[index + 1]
  const whole = Math.floor(ms / size)
  if (next === undefined) return `${whole} ${unit}`
  const rest = Math.floor((ms - whole * size) / next[1])
  return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${next[0]}`
}

/** "just now", "3 m ago", "in 2 h 5 m". */
export const relative = (at: number, now: number): string => {
  const away = at - now
  if (Math.abs(away) < 1500) return "just now"
  const text = roughly(Math.abs(away))
  return away < 0 ? `${text} ago` : `in ${text}`
}

/** From hours on in two units: in a day and 23 hours is not in a day. */
const roughly = (ms: number): string => {
  if (ms >= 3_600_000) return duration(ms)
  const [unit, size] = units.find(([, size]) => ms >= size) ?? units[3]
  return `${Math.floor(ms / size)} ${unit}`
}

const two = (value: number): string => String(value).padStart(2, "0")

/** "2026-11-26 01:02:03", in the reader's time zone. */
export const absolute = (at: Date): string =>
  `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` +
  `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`

/** "01:02:03.045", for times within one workflow. */
export const clock = (at: Date): string =>
  `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${
    String(at.getMilliseconds()).padStart(3, "0")
  }`

/** The same, with the date before it where that is another day than of the time that it is seen from. */
export const clockFrom = (at: Date, from: Date): string => {
  const day = absolute(at).slice(0, 10)
  return day === absolute(from).slice(0, 10) ? clock(at) : `${day} ${clock(at)}`
}

/** A time as an `<input type="datetime-local">` takes it, and back. */
export const toInput = (at: Date | undefined): string =>
  at === undefined ? "" : absolute(at).replace(" ", "T").slice(0, 16)
export const fromInput = (text: string): Date | undefined => {
  const at = new Date(text)
  return text === "" || Number.isNaN(at.getTime()) ? undefined : at
}
