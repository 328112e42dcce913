import { eachOf, expectEqual, expectTally, sumOf, type Workload } from "../harness/Workload.ts"

interface Run {
  readonly prefix: string
  readonly count: number
  readonly steps: number
  readonly inFlight: number
}

export default {
  title: "2,000 workflows of 1 step and 2,000 of 10 steps from one process, 50 and 200 in flight",
  needs: ["execute", "tally"],
  parts: {
    async run(driver, { count, inFlight, prefix, steps }: Run) {
      const from = performance.now()
      await eachOf(
        count,
        inFlight,
        async (i) => expectEqual("result", await driver.execute(`${prefix}-${i}`, steps), sumOf(steps))
      )
      return performance.now() - from
    },
    tally: (driver) => driver.tally()
  },
  async measure(lab) {
    const process = await lab.start()
    const warmUp = lab.count(500)
    await process.call("run", { prefix: "warm", count: warmUp, steps: 10, inFlight: 50 })
    const expected = { done: warmUp, steps: warmUp * 10 }
    const measured = []
    const count = lab.count(2000)
    for (const steps of [1, 10]) {
      for (const inFlight of [50, 200]) {
        const ms = await process.call<number>("run", { prefix: `${steps}-${inFlight}`, count, steps, inFlight })
        const unit = steps === 1 ? "workflows/s" : "steps/s"
        const value = count * steps / ms * 1000
        measured.push({ row: `W2 ${steps} steps, ${inFlight} in flight`, unit, better: "more", value } as const)
        expected.done += count
        expected.steps += count * steps
      }
    }
    expectTally(await process.call("tally"), expected)
    return measured
  }
} satisfies Workload
