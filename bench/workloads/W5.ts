import { setTimeout } from "node:timers/promises"
import { expectEqual, machineTime, median, type Workload } from "../harness/Workload.ts"

const delayMs = 50
let endedAt = 0

export default {
  title: "two processes: from the end of a workflow's body to its result where it is waited for; median",
  needs: ["finish", "result"],
  parts: {
    async finish(driver, { id }: { id: string }) {
      endedAt = 0
      await driver.finish(id, delayMs, () => {
        endedAt = machineTime()
      })
    },
    async result(driver, { id }: { id: string }) {
      expectEqual("result", await driver.result(id), 1)
      return machineTime()
    },
    async endedAt() {
      while (endedAt === 0) await setTimeout(5)
      return endedAt
    }
  },
  async measure(lab) {
    const runner = await lab.start()
    const client = await lab.start({ executor: "client", runs: false })
    const times: Array<number> = []
    for (let i = 0; i < lab.count(50); i++) {
      const id = `finishing-${i}`
      await runner.call("finish", { id })
      const seenAt = await client.call<number>("result", { id })
      times.push(seenAt - await runner.call<number>("endedAt"))
    }
    return [{ row: "W5 completion to result, p50", unit: "ms", better: "less", value: median(times) }]
  }
} satisfies Workload
