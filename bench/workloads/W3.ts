import { setTimeout } from "node:timers/promises"
import type { Driver } from "../harness/Engine.ts"
import {
  eachOf,
  expectEqual,
  idsOf,
  type Lab,
  type Measurement,
  median,
  type Process,
  type Workload
} from "../harness/Workload.ts"

/** Callers that enqueue at once. */
const callers = 50
/** How many a bulk enqueue carries. */
const bulk = 1000
/** An executor that would take minutes is stopped: its rate is known by then. */
const seconds = 10

interface Drained {
  readonly handled: number
  readonly done: number
  readonly ms: number
}

/** Serves the queue until so many are done or the time is over. The clock starts with the first one. */
export const drain = async (driver: Required<Driver>, count: number): Promise<Drained> => {
  const before = (await driver.tally()).done
  let handled = 0
  let from = 0
  await driver.serve(() => {
    if (handled++ === 0) from = performance.now()
  })
  const isOver = () => from !== 0 && performance.now() - from > seconds * 1000
  while (handled < count && !isOver()) await setTimeout(2)
  while (true) {
    const done = (await driver.tally()).done - before
    if (done >= count || isOver()) return { handled, done, ms: performance.now() - from }
    await setTimeout(2)
  }
}

const light = async (lab: Lab): Promise<ReadonlyArray<Measurement>> => {
  const process = await lab.start({ executor: "light", concurrency: callers })
  if (!process.can("enqueueAndWait")) {
    await process.end()
    return []
  }
  const value = await process.call<number>("light", { count: lab.count(100) })
  await process.end()
  return [{ row: "W3 lightly loaded, enqueue to done, p50", unit: "ms", better: "less", value }]
}

const enqueueing = async (
  process: Process,
  count: number,
  concurrency: number
): Promise<ReadonlyArray<Measurement>> => {
  const rate = async (part: string, row: string): Promise<Measurement> => {
    const ms = await process.call<number>(part, { prefix: `${part}-${concurrency}`, count })
    return { row, unit: "workflows/s", better: "more", value: count / ms * 1000 }
  }
  const singly = await rate("singly", "W3 enqueue singly, 50 callers")
  return process.can("enqueueMany") ? [singly, await rate("inBulk", "W3 enqueue in bulk, 1,000 at once")] : [singly]
}

const draining = async (lab: Lab, concurrency: number, full: number): Promise<ReadonlyArray<Measurement>> => {
  const client = await lab.start({ executor: "client", runs: false, concurrency })
  if (!client.can("enqueue")) return []
  const count = lab.count(full)
  const enqueued = await enqueueing(client, count, concurrency)
  await client.end()
  if (!client.can("serve")) return concurrency === 1 ? [] : enqueued
  const waiting = count * enqueued.length
  const executor = await lab.start({ executor: `executor-${concurrency}`, concurrency })
  const { done, handled, ms } = await executor.call<Drained>("drain", { count: waiting })
  await executor.end()
  if (done < waiting && ms < seconds * 1000) expectEqual("done", done, waiting)
  if (handled < done) expectEqual("handled", handled, done)
  const row = `W3 drain, one executor of concurrency ${concurrency}`
  const drained = { row, unit: "workflows/s", better: "more", value: done / ms * 1000 } as const
  return concurrency === 1 ? [drained] : [...enqueued, drained]
}

export default {
  title: "a queue: 5,000 one-step workflows enqueued singly and 5,000 in bulk, then drained by another process " +
    "(stopped after ten seconds); and one at a time, from its enqueue to its end, in one process",
  needs: [],
  parts: {
    async singly(driver, { count, prefix }: { count: number; prefix: string }) {
      const ids = idsOf(prefix, count)
      const from = performance.now()
      await eachOf(count, callers, (i) => driver.enqueue(ids[i]!))
      return performance.now() - from
    },
    async inBulk(driver, { count, prefix }: { count: number; prefix: string }) {
      const ids = idsOf(prefix, count)
      const from = performance.now()
      for (let i = 0; i < count; i += bulk) await driver.enqueueMany(ids.slice(i, i + bulk))
      return performance.now() - from
    },
    drain: (driver, { count }: { count: number }) => drain(driver, count),
    async light(driver, { count }: { count: number }) {
      let handled = 0
      await driver.serve(() => handled++)
      const times: Array<number> = []
      for (let i = 0; i < count; i++) {
        const from = performance.now()
        await driver.enqueueAndWait(`light-${i}`)
        times.push(performance.now() - from)
        expectEqual("handled", handled, i + 1)
        // Lightly: not as soon as the last one is done.
        await setTimeout(20 * Math.random())
      }
      return median(times)
    }
  },
  async measure(lab) {
    return [...await light(lab), ...await draining(lab, 50, 5000), ...await draining(lab, 1, 500)]
  }
} satisfies Workload
