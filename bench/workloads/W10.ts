import { setTimeout } from "node:timers/promises"
import { expectEqual, idsOf, type Lab, type Measurement, median, sumOf, type Workload } from "../harness/Workload.ts"

const concurrency = 50
const bulk = 1000
const jobs = 1000
/** Steps whose median stands for the place that they are at. */
const window = 100

/** How many times as long a late step takes as an early one. */
const longHistory = async (lab: Lab): Promise<ReadonlyArray<Measurement>> => {
  const process = await lab.start()
  if (!process.can("walk")) {
    await process.end()
    return []
  }
  const steps = lab.count(10_000)
  await process.call("walk", { id: "warm", steps: 500 })
  const { early, late } = await process.call<{ early: number; late: number }>("walk", { id: "walk", steps })
  await process.end()
  return [{ row: "W10 step 10,000 against step 10", unit: "times as long", better: "less", value: late / early }]
}

/** Jobs per second of one executor, with so many more of them waiting behind; null: the engine has no such queue. */
const rate = async (lab: Lab, waiting: number): Promise<number | null> => {
  const client = await lab.start({ executor: "client", runs: false, concurrency })
  if (!client.can("enqueueMany") || !client.can("serve")) return null
  await client.call("enqueue", { prefix: `of-${waiting}`, count: waiting })
  await client.end()
  const executor = await lab.start({ executor: "executor", concurrency })
  const ms = await executor.call<number>("take", { count: jobs })
  // What it has taken besides goes back, or is lost with the round.
  await executor.kill()
  return jobs / ms * 1000
}

const backlog = async (lab: Lab): Promise<ReadonlyArray<Measurement>> => {
  const [few, many] = [jobs + lab.count(1000), jobs + lab.count(1_000_000)]
  const alone = await rate(lab, few)
  if (alone === null) return []
  const value = alone / (await rate(lab, many) ?? alone)
  return [{ row: "W10 drain beside 1,000,000 waiting against 1,000", unit: "times as long", better: "less", value }]
}

export default {
  title: "cost as work grows: a step late in a long workflow against an early one, and jobs of a queue with a long " +
    "backlog against those of a short one",
  needs: [],
  parts: {
    async walk(driver, { id, steps }: { id: string; steps: number }) {
      const times: Array<number> = [performance.now()]
      expectEqual("result", await driver.walk(id, steps, () => times.push(performance.now())), sumOf(steps))
      const taken = times.slice(1).map((time, i) => time - times[i]!)
      expectEqual("steps", taken.length, steps)
      return { early: median(taken.slice(10, 10 + window)), late: median(taken.slice(-window)) }
    },
    async enqueue(driver, { count, prefix }: { count: number; prefix: string }) {
      const ids = idsOf(prefix, count)
      for (let i = 0; i < count; i += bulk) await driver.enqueueMany(ids.slice(i, i + bulk))
    },
    async take(driver, { count }: { count: number }) {
      let handled = 0
      let from = 0
      await driver.serve(() => {
        if (handled++ === 0) from = performance.now()
      })
      while (handled < count) await setTimeout(2)
      return performance.now() - from
    }
  },
  async measure(lab) {
    return [...await longHistory(lab), ...await backlog(lab)]
  }
} satisfies Workload
