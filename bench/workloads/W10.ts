import { setTimeout } from "node:timers/promises"
import { expectEqual, idsOf, type Lab, type Measurement, median, sumOf, type Workload } from "../harness/Workload.ts"

const concurrency = 50
const bulk = 1000
const jobs = 1000
/** Steps, pages or resumes whose median stands for what one takes. */
const window = 100

const timed = async (work: () => Promise<void>): Promise<number> => {
  const from = performance.now()
  await work()
  return performance.now() - from
}

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

/** How many times as long a page of a list and a resume take, with so many more workflows that have ended. */
const finished = async (lab: Lab): Promise<ReadonlyArray<Measurement>> => {
  const process = await lab.start()
  if (!process.can("past")) {
    await process.end()
    return []
  }
  const look = async (id: string, count: number) => {
    await process.call("past", { id, count })
    return process.call<{ page: number; resume: number }>("manage", { prefix: `resumed-${id}` })
  }
  await look("past-warm", window)
  const few = await look("past-few", lab.count(1000))
  const many = await look("past-many", lab.count(1_000_000))
  await process.end()
  const row = (what: string, value: number): Measurement => (
    { row: `W10 ${what} with 1,000,000 finished against 1,000`, unit: "times as long", better: "less", value }
  )
  return [row("page of a list", many.page / few.page), row("resume", many.resume / few.resume)]
}

export default {
  title:
    "cost as work grows: a step late in a long workflow against an early one; the newest hundred that ended well, " +
    "and a resume, with many that have ended against few (copies, made in the database); and jobs of a queue with a " +
    "long backlog against those of a short one, beside all these",
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
    },
    async past(driver, { count, id }: { count: number; id: string }) {
      expectEqual("result", await driver.execute(id, 1), sumOf(1))
      await driver.past(id, count)
    },
    async manage(driver, { prefix }: { prefix: string }) {
      const [pages, resumes] = [new Array<number>(), new Array<number>()]
      for (const id of idsOf(prefix, window)) {
        pages.push(await timed(async () => expectEqual("listed", (await driver.page()).length, 100)))
        await driver.sleep(id, 3_600_000)
        await driver.cancel(id)
        // What was running is not resumed before it has ended where it ran; that is not what is measured.
        await setTimeout(100)
        resumes.push(await timed(() => driver.resume(id)))
      }
      return { page: median(pages), resume: median(resumes) }
    }
  },
  async measure(lab) {
    return [...await longHistory(lab), ...await finished(lab), ...await backlog(lab)]
  }
} satisfies Workload
