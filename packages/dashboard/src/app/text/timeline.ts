/**
 * Where the bars of a timeline stand. Pure.
 *
 * Steps of milliseconds and sleeps of days share one axis, so by default each stretch between two neighbouring times is
 * as wide as the logarithm of how long it is: order and overlap stay true, and nothing vanishes. `linear` is true to time.
 */

export interface Span {
  readonly start: number
  readonly end: number
}

export type Scale = "compressed" | "linear"

/** Maps a time to 0 ... 1. */
export type Position = (time: number) => number

const weight = (ms: number): number => Math.log10(1 + ms)

/** The axis for these spans; times outside are at its ends. */
export const axis = (spans: ReadonlyArray<Span>, scale: Scale): Position => {
  const times = [...new Set(spans.flatMap(({ end, start }) => [start, end]))].sort((a, b) => a - b)
  const first = times[0] ?? 0
  const last = times[times.length - 1] ?? 0
  if (last <= first) return () => 0
  if (scale === "linear") return (time) => Math.min(1, Math.max(0, (time - first) / (last - first)))
  const places = [0]
  for (let i = 1; i < times.length; i++) places.push(places[i - 1]! + weight(times[i]! - times[i - 1]!))
  const whole = places[places.length - 1]!
  return (time) => {
    if (time <= first) return 0
    if (time >= last) return 1
    const index = before(times, time)
    const from = times[index]!
    const part = (time - from) / (times[index + 1]! - from)
    return (places[index]! + part * (places[index + 1]! - places[index]!)) / whole
  }
}

/** The index of the last of the sorted times that is not after this one. */
const before = (times: ReadonlyArray<number>, time: number): number => {
  let low = 0
  let high = times.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (times[middle]! <= time) low = middle
    else high = middle - 1
  }
  return low
}

/** The span that holds all of these; undefined: there are none. */
export const whole = (spans: ReadonlyArray<Span>): Span | undefined => {
  if (spans.length === 0) return undefined
  let start = Infinity
  let end = -Infinity
  for (const span of spans) {
    start = Math.min(start, span.start)
    end = Math.max(end, span.end)
  }
  return { start, end }
}

/**
 * The lane of each span: how many others that began before it still run. Spans that overlap stand in different lanes, so
 * parallel branches can be told from a sequence at a glance.
 */
export const lanes = (spans: ReadonlyArray<Span>): ReadonlyArray<number> => {
  const order = spans.map((_, index) => index).sort((a, b) => spans[a]!.start - spans[b]!.start || a - b)
  const result = new Array<number>(spans.length).fill(0)
  const ends: Array<number> = []
  for (const index of order) {
    const { end, start } = spans[index]!
    let lane = ends.findIndex((busy) => busy <= start)
    if (lane === -1) lane = ends.length
    ends[lane] = end
    result[index] = lane
  }
  return result
}
