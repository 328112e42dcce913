import { setTimeout } from "node:timers/promises"
import {
  collect,
  eachOf,
  expectEqual,
  idsOf,
  type Lab,
  type Measurement,
  sumOf,
  type Workload
} from "../harness/Workload.ts"

const hourMs = 3_600_000
/** What an engine does with its sleepers, it has done by then. */
const settleMs = 15_000
const windowMs = 10_000

const startUp = async (lab: Lab): Promise<Measurement> => {
  const from = performance.now()
  const process = await lab.start()
  await process.call("one", { id: "first" })
  const value = performance.now() - from
  await process.end()
  return { row: "W8 start of a process to its first finished workflow", unit: "ms", better: "less", value }
}

export default {
  title:
    "10,000 workflows that sleep for an hour: memory (heap and buffers, after a collection) that the process has " +
    `more after ${settleMs / 1000} s, and statements while nothing happens; and the start of a process`,
  needs: ["sleep", "execute"],
  parts: {
    async one(driver, { id }: { id: string }) {
      expectEqual("result", await driver.execute(id, 1), sumOf(1))
    },
    async memory() {
      await collect()
      const { external, heapUsed } = process.memoryUsage()
      return heapUsed + external
    },
    async sleep(driver, { count }: { count: number }) {
      const ids = idsOf("sleeper", count)
      await eachOf(count, 50, (i) => driver.sleep(ids[i]!, hourMs))
    }
  },
  async measure(lab) {
    const statements = await lab.countStatements()
    // The first process of all makes the tables.
    const first = await lab.start()
    await first.call("one", { id: "zeroth" })
    await first.end()
    const measured: Array<Measurement> = [await startUp(lab)]
    const process = await lab.start()
    await process.call("one", { id: "second" })
    const before = await process.call<number>("memory")
    const count = lab.count(10_000)
    await process.call("sleep", { count })
    await setTimeout(settleMs)
    const value = (await process.call<number>("memory") - before) / 2 ** 20
    measured.push({ row: "W8 10,000 sleepers, added memory", unit: "MB", better: "less", value })
    if (statements !== null) {
      const from = await statements()
      await setTimeout(windowMs)
      const value = (await statements() - from) / windowMs * 1000
      measured.push({ row: "W8 10,000 sleepers, statements when idle", unit: "statements/s", better: "less", value })
    }
    return measured
  }
} satisfies Workload
