/**
 * A process of the engine that is measured: opens it, says what it can do, and runs the workload's parts that the
 * parent asks for. It ends with its parent.
 */
import { loadEngine, loadWorkload } from "./catalog.ts"
import type { Driver, Opening } from "./Engine.ts"
import { type Asked, closing, type Said } from "./protocol.ts"

const say = (said: Said) => new Promise<void>((resolve) => process.send!(said, () => resolve()))

const [engineName = "", workloadName = "", opening = "{}"] = process.argv.slice(2)
process.once("disconnect", () => process.exit(1))
process.once("SIGINT", () => {})
const [engine, workload] = await Promise.all([loadEngine(engineName), loadWorkload(workloadName)])
const driver = await engine.open(JSON.parse(opening) as Opening)

const answer = async ({ args, id, part }: Asked): Promise<void> => {
  try {
    if (part === closing) {
      await driver.close()
      await say({ tag: "answer", id, value: null })
      process.exit(0)
    }
    // The workload has checked that the driver has what its parts need.
    const value = await workload.parts[part]!(driver as Required<Driver>, args)
    await say({ tag: "answer", id, value: value ?? null })
  } catch (error) {
    await say({ tag: "failure", id, message: error instanceof Error ? error.stack ?? error.message : String(error) })
  }
}

process.on("message", (asked) => void answer(asked as Asked))
await say({ tag: "ready", abilities: Object.keys(driver) })
