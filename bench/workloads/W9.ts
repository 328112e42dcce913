import { setTimeout } from "node:timers/promises"
import { expectEqual, idsOf, type Lab, machineTime, type Process, type Workload } from "../harness/Workload.ts"

const concurrency = 50
const bulk = 1000
/** Executors that would take minutes are stopped: their rate is known by then. */
const seconds = 10

let handled = 0
let from = 0

/** Workflows per second of so many executors on one queue. */
const rate = async (lab: Lab, executors: number, count: number): Promise<number> => {
  const prefix = `of-${executors}`
  const client = await lab.start({ executor: "client", runs: false, concurrency })
  await client.call("enqueue", { prefix, count })
  const before = await client.call<number>("done")
  const processes = await Promise.all(
    Array.from({ length: executors }, (_, i) => lab.start({ executor: `${prefix}-${i}`, concurrency }))
  )
  await Promise.all(processes.map((process) => process.call("serve")))
  const { at, done } = await ended(client, processes, before, count)
  const begun = await Promise.all(processes.map((process) => process.call<number>("begun")))
  await Promise.all([client, ...processes].map((process) => process.end()))
  return done / (at - Math.min(...begun.filter((time) => time > 0))) * 1000
}

const ended = async (client: Process, processes: ReadonlyArray<Process>, before: number, count: number) => {
  const limit = machineTime() + seconds * 1000
  while (true) {
    const done = await client.call<number>("done") - before
    const at = machineTime()
    if (done >= count || at > limit) {
      const handled = await Promise.all(processes.map((process) => process.call<number>("handled")))
      const sum = handled.reduce((a, b) => a + b, 0)
      if (sum < done) expectEqual("handled", sum, done)
      return { at, done }
    }
    await setTimeout(5)
  }
}

export default {
  title: `one, two and four executors with a concurrency of ${concurrency} each on one queue of 5,000 one-step ` +
    `workflows (stopped after ${seconds} seconds)`,
  needs: ["enqueueMany", "serve", "tally"],
  parts: {
    async enqueue(driver, { count, prefix }: { count: number; prefix: string }) {
      const ids = idsOf(prefix, count)
      for (let i = 0; i < count; i += bulk) await driver.enqueueMany(ids.slice(i, i + bulk))
    },
    done: async (driver) => (await driver.tally()).done,
    async serve(driver) {
      await driver.serve(() => {
        if (handled++ === 0) from = machineTime()
      })
    },
    handled: async () => handled,
    begun: async () => from
  },
  async measure(lab) {
    const count = lab.count(5000)
    const measured = []
    for (const executors of [1, 2, 4]) {
      const row = `W9 drain, ${executors} executor${executors === 1 ? "" : "s"}`
      const value = await rate(lab, executors, count)
      measured.push({ row, unit: "workflows/s", better: "more", value } as const)
    }
    return measured
  }
} satisfies Workload
