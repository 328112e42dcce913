/** Whether what a process holds grows, as pure functions. */

/** After its garbage was collected. Bytes, but for the handles: sockets, files, timers. */
export interface Held {
  readonly heap: number
  readonly rss: number
  readonly handles: number
}

/** A tenth, and as much as caches may still fill. */
const slackBytes = 8_000_000
const slackHandles = 10

/**
 * What is wrong with a row of samples: the last third is held against the second one, since a process is not warm in the
 * first. Nothing: it is flat.
 */
export const growth = (what: string, samples: ReadonlyArray<Held>): ReadonlyArray<string> => {
  const third = Math.floor(samples.length / 3)
  const [before, after] = [samples.slice(third, 2 * third), samples.slice(2 * third)]
  const rises = (name: keyof Held, slack: (from: number) => number): ReadonlyArray<string> => {
    const [from, to] = [median(before.map((one) => one[name])), median(after.map((one) => one[name]))]
    return to > from + slack(from) ? [`${what}: ${name} rose from ${from} to ${to}`] : []
  }
  return [
    ...rises("heap", (from) => from / 10 + slackBytes),
    ...rises("rss", (from) => from / 5 + slackBytes),
    ...rises("handles", () => slackHandles)
  ]
}

export const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
