import { expectEqual, type Workload } from "../harness/Workload.ts"

export default {
  title: "one workflow that starts 1,000 children of one step at once and waits for all of them",
  needs: ["family", "tally"],
  parts: {
    async family(driver, { count, id }: { count: number; id: string }) {
      const from = performance.now()
      expectEqual("sum", await driver.family(id, count), count)
      return performance.now() - from
    },
    tally: (driver) => driver.tally()
  },
  async measure(lab) {
    const process = await lab.start()
    const [warmUp, count] = [lab.count(200), lab.count(1000)]
    await process.call("family", { id: "warm", count: warmUp })
    const ms = await process.call<number>("family", { id: "family", count })
    const { done } = await process.call<{ readonly done: number }>("tally")
    expectEqual("workflows done", done, warmUp + count + 2)
    return [{ row: "W7 1,000 children", unit: "children/s", better: "more", value: count / ms * 1000 }]
  }
} satisfies Workload
