import { setTimeout } from "node:timers/promises"
import { collect, expectEqual, median, sumOf, type Workload } from "../harness/Workload.ts"

const bulk = 1000
/** From the beginning until the first is to wake; all of them then wake within an hour. */
const leadMs = 900_000
const hourMs = 3_600_000
const settleMs = 15_000
const windowMs = 120_000
const inFlight = 10

let slept = 0
let late: Array<number> = []
let loaded = 0
let loading = false

/** After a collection, with what is not heap. */
const memory = async (): Promise<number> => {
  await collect()
  return process.memoryUsage().rss / 2 ** 20
}

export default {
  title:
    `1,000,000 suspended workflows that wake within an hour, at their own times: how many begin in a second, memory ` +
    `of the process, and for ${
      windowMs / 1000
    } s how late they wake while it runs ${inFlight} one-step workflows at a time`,
  needs: ["doze", "dozing", "execute"],
  parts: {
    async begin(driver, { count, from }: { count: number; from: number }) {
      driver.dozing(() => slept++, (until) => late.push(Date.now() - until))
      const at = performance.now()
      for (let i = 0; i < count; i += bulk) {
        const some = Math.min(bulk, count - i)
        await driver.doze(Array.from({ length: some }, (_, j) => Math.round(from + (i + j) / count * hourMs)))
      }
      while (slept < count) await setTimeout(50)
      return performance.now() - at
    },
    memory,
    async load(driver) {
      loading = true
      late = []
      let n = 0
      for (let i = 0; i < inFlight; i++) {
        void (async () => {
          while (loading) {
            expectEqual("result", await driver.execute(`load-${n++}`, 1), sumOf(1))
            loaded++
          }
        })()
      }
    },
    async stop() {
      loading = false
      return { loaded, late: late.slice().sort((a, b) => a - b) }
    }
  },
  async measure(lab) {
    const count = lab.count(1_000_000)
    const process = await lab.start()
    const from = Date.now() + Math.max(60_000, leadMs * count / 1_000_000)
    const ms = await process.call<number>("begin", { count, from })
    await setTimeout(Math.max(settleMs, from - Date.now()))
    const resting = await process.call<number>("memory")
    await process.call("load")
    await setTimeout(windowMs)
    const { late, loaded } = await process.call<{ readonly late: ReadonlyArray<number>; readonly loaded: number }>(
      "stop"
    )
    const woken = windowMs / hourMs * count
    if (late.length < woken * 0.95) expectEqual("woken", late.length, woken)
    return [
      { row: "W11 sleepers begun", unit: "workflows/s", better: "more", value: count / ms * 1000 },
      { row: "W11 memory while they sleep", unit: "MB", better: "less", value: resting },
      { row: "W11 memory while they wake", unit: "MB", better: "less", value: await process.call<number>("memory") },
      { row: "W11 wakes too late by, p50", unit: "ms", better: "less", value: median(late) },
      { row: "W11 wakes too late by, p99", unit: "ms", better: "less", value: late[Math.floor(late.length * 0.99)]! },
      { row: "W11 wakes too late by, most", unit: "ms", better: "less", value: late.at(-1)! },
      {
        row: "W11 one-step workflows beside them",
        unit: "workflows/s",
        better: "more",
        value: loaded / windowMs * 1000
      }
    ]
  }
} satisfies Workload
