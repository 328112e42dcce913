import { setTimeout } from "node:timers/promises"
import { expectEqual, machineTime, median, type Process, type Workload } from "../harness/Workload.ts"

const pauseMs = 30
const delayMs = 50

/** In the process that runs the workflows: when each thing happened, by its number. */
const times: Array<number> = []

const messages = async (runner: Process, client: Process, count: number): Promise<number> => {
  await runner.call("receive", { count })
  const sent = await client.call<ReadonlyArray<number>>("send", { count })
  const received = await runner.call<ReadonlyArray<number>>("times", { count })
  return median(received.map((at, i) => at - sent[i]!))
}

const events = async (runner: Process, client: Process, count: number): Promise<number> => {
  const seen: Array<number> = []
  for (let i = 0; i < count; i++) {
    await runner.call("publish", { i })
    seen.push(await client.call<number>("observe", { i }))
  }
  const set = await runner.call<ReadonlyArray<number>>("times", { count })
  return median(seen.map((at, i) => at - set[i]!))
}

export default {
  title:
    "two processes: from a send to its receipt in a waiting workflow, and from the setting of an event to the end " +
    "of a wait for it; medians",
  needs: ["receive", "send", "publish", "observe"],
  parts: {
    async receive(driver, { count }: { count: number }) {
      times.length = 0
      await driver.receive("receiver", count, (value) => {
        // A replay says again what it was told before.
        if (value < times.length) return
        expectEqual("message", value, times.length)
        times.push(machineTime())
      })
    },
    async send(driver, { count }: { count: number }) {
      const sent: Array<number> = []
      for (let i = 0; i < count; i++) {
        // The workflow waits for it by then.
        await setTimeout(pauseMs * (1 + Math.random()))
        sent.push(machineTime())
        await driver.send("receiver", i)
      }
      return sent
    },
    async publish(driver, { i }: { i: number }) {
      if (i === 0) times.length = 0
      await driver.publish(`publisher-${i}`, delayMs, () => {
        times[i] = machineTime()
      })
    },
    async observe(driver, { i }: { i: number }) {
      expectEqual("event", await driver.observe(`publisher-${i}`), 1)
      return machineTime()
    },
    async times(_, { count }: { count: number }) {
      while (times.length < count) await setTimeout(5)
      return times
    }
  },
  async measure(lab) {
    const runner = await lab.start()
    const client = await lab.start({ executor: "client", runs: false })
    const count = lab.count(100)
    const common = { unit: "ms", better: "less" } as const
    return [
      { row: "W4 send to receive, p50", value: await messages(runner, client, count), ...common },
      { row: "W4 set to get, p50", value: await events(runner, client, count), ...common }
    ]
  }
} satisfies Workload
