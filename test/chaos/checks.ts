/** What must hold of a recorded history, as pure functions: each names what is wrong, in words; nothing: all is well. */

/** Something held from `from` until `to`, not included, milliseconds. */
export interface Interval {
  readonly id: string
  readonly from: number
  readonly to: number
}

/** Never more than `limit` of them at the same time. One that ends in the millisecond in which another begins is over. */
export const atMost = (what: string, limit: number, intervals: ReadonlyArray<Interval>): ReadonlyArray<string> => {
  const held = new Set<Interval>()
  for (const { at, begins, interval } of edges(intervals)) {
    if (!begins) held.delete(interval)
    else if (held.add(interval).size > limit) {
      return [`${what}: ${held.size} at once, ${limit} allowed, at ${at}: ${JSON.stringify([...held])}`]
    }
  }
  return []
}

const edges = (intervals: ReadonlyArray<Interval>) =>
  intervals
    .filter(({ from, to }) => from < to)
    .flatMap((interval) => [
      { at: interval.from, begins: true, interval },
      { at: interval.to, begins: false, interval }
    ])
    .sort((a, b) => a.at - b.at || Number(a.begins) - Number(b.begins))

/** Never more than `limit` in any stretch of `periodMs`. */
export const atMostIn = (
  what: string,
  limit: number,
  periodMs: number,
  times: ReadonlyArray<number>
): ReadonlyArray<string> => {
  const sorted = [...times].sort((a, b) => a - b)
  const at = sorted.findIndex((time, index) => index >= limit && time - sorted[index - limit]! < periodMs)
  return at < 0 ? [] : [`${what}: more than ${limit} within ${periodMs} ms, until ${sorted[at]}`]
}

/** Each is there once, and in this order. */
export const exactly = <A>(
  what: string,
  actual: ReadonlyArray<A>,
  expected: ReadonlyArray<A>
): ReadonlyArray<string> => {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)]
  return is === should ? [] : [`${what}: ${is} instead of ${should}`]
}

/** None is less than the one before it. */
export const ascending = (what: string, numbers: ReadonlyArray<number>): ReadonlyArray<string> => {
  const at = numbers.findIndex((number, index) => index > 0 && number < numbers[index - 1]!)
  return at < 0 ? [] : [`${what}: ${numbers[at]} after ${numbers[at - 1]}, at ${at}`]
}

/**
 * Each has happened as often as is said here, by the minute, and once at least: a run that has not seen it has not shown
 * what it is for.
 */
export const often = (
  perMinute: Readonly<Record<string, number>>,
  forMs: number,
  happened: Readonly<Record<string, number>>
): ReadonlyArray<string> =>
  Object.entries(perMinute).flatMap(([what, each]) => {
    const [is, least] = [happened[what] ?? 0, Math.max(1, Math.floor(each * forMs / 60_000))]
    return is < least ? [`${what}: ${is}, and at least ${least} were to happen`] : []
  })

/** `0, 1, 2, ...` */
export const upTo = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)
