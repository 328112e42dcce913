import { setTimeout } from "node:timers/promises"
import { eachOf, expectEqual, idsOf, type Workload } from "../harness/Workload.ts"

export default {
  title:
    "1,000 workflows of three steps, killed with their process in the second; from the start of the process that " +
    "follows it until all are done",
  needs: ["startHeld", "held", "tally"],
  parts: {
    async start(driver, { count }: { count: number }) {
      const ids = idsOf("held", count)
      await eachOf(count, 50, (i) => driver.startHeld(ids[i]!))
      while (driver.held() < count) await setTimeout(5)
    },
    async done(driver, { count }: { count: number }) {
      while ((await driver.tally()).done < count) await setTimeout(5)
      const { done, steps } = await driver.tally()
      expectEqual("workflows done", done, count)
      if (steps !== null) expectEqual("steps recorded", steps, 3 * count)
    }
  },
  async measure(lab) {
    const count = lab.count(1000)
    const first = await lab.start({ holds: true })
    await first.call("start", { count })
    await first.kill()
    const from = performance.now()
    const second = await lab.start()
    await second.call("done", { count })
    const value = (performance.now() - from) / 1000
    return [{ row: "W6 killed and restarted until all are done", unit: "s", better: "less", value }]
  }
} satisfies Workload
