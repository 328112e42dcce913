/** Waiting for a condition, instead of sleeping and hoping. */
import { setTimeout } from "node:timers/promises"

/** Against hanging only: a machine that does ten things at once is slow, and not wrong. */
const patienceMs = 120_000

/** Polls until `look` returns something other than `undefined` or `false`. Past the deadline, fails with what it saw last. */
export const waitFor = async <A>(
  what: string,
  look: () => A | Promise<A>,
  options: { readonly withinMs?: number; readonly state?: () => unknown } = {}
): Promise<Exclude<A, undefined | false>> => {
  const deadline = Date.now() + (options.withinMs ?? patienceMs)
  while (true) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen as Exclude<A, undefined | false>
    if (Date.now() > deadline) {
      throw new Error(
        `Waited in vain for: ${what}${options.state ? `; state: ${JSON.stringify(options.state())}` : ""}`
      )
    }
    await setTimeout(5)
  }
}
