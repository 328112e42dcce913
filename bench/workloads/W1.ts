import { expectEqual, expectTally, median, sumOf, type Workload } from "../harness/Workload.ts"

const cases = [{ steps: 0, full: 500 }, { steps: 1, full: 500 }, { steps: 10, full: 200 }] as const

export default {
  title: "one client, workflows one after another, of 0, 1 and 10 steps; median of the time of each",
  needs: ["execute", "tally"],
  parts: {
    async run(driver, { prefix, count, steps }: { prefix: string; count: number; steps: number }) {
      const times: Array<number> = []
      for (let i = 0; i < count; i++) {
        const from = performance.now()
        const sum = await driver.execute(`${prefix}-${i}`, steps)
        times.push(performance.now() - from)
        expectEqual("result", sum, sumOf(steps))
      }
      return median(times)
    },
    tally: (driver) => driver.tally()
  },
  async measure(lab) {
    const process = await lab.start()
    const warmUp = lab.count(100)
    await process.call("run", { prefix: "warm", count: warmUp, steps: 10 })
    const expected = { done: warmUp, steps: warmUp * 10 }
    const measured = []
    for (const { full, steps } of cases) {
      const count = lab.count(full)
      const value = await process.call<number>("run", { prefix: `of-${steps}`, count, steps })
      measured.push({ row: `W1 ${steps} steps, p50`, unit: "ms", better: "less", value } as const)
      expected.done += count
      expected.steps += count * steps
    }
    expectTally(await process.call("tally"), expected)
    return measured
  }
} satisfies Workload
