/**
 * Hunts for what the engine does otherwise when any call to its store may fail: refused, done without an answer, done later,
 * slow, busy, out of reach, or the last one of its process, with one or two processes at work, while somebody cancels and
 * resumes, and deadlines pass. Then a step that is recorded runs again, or begins in a process that has lost its workflow;
 * something runs beside itself; something is lost or doubled, or recorded after a cancel; rollbacks are left out or out of
 * order; an outcome changes; or somebody waits for ever.
 *
 * Time, chance and faults are simulated, so the same seed gives the same run: `PERDURE_SEED=n` runs those of one seed again,
 * `PERDURE_SIMULATIONS=n` sets how many there are.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { limitMs, report, seed } from "../property/holds.ts"
import { aPlan, faults } from "./plan.ts"
import { simulate } from "./simulation.ts"

const simulations = Number(process.env["PERDURE_SIMULATIONS"] ?? 200)

/** Against hanging, and shrinking without end. */
const limit = Math.max(limitMs, 1_000 * simulations)

/** What faults lead to. */
const followed = [
  "a lease lost",
  "a write fenced",
  "a workflow taken over",
  "a replay",
  "a workflow cancelled",
  "a workflow out of time",
  "a workflow resumed",
  "a rollback",
  "a claim of a queue"
]

describe(`simulations, seed ${seed}`, () => {
  it("come to what the reference says, whatever goes wrong on the way to the store", async () => {
    console.log(`PERDURE_SEED=${seed} PERDURE_SIMULATIONS=${simulations}`)
    const counts = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(aPlan, async (plan) => {
        const wrong = await simulate(plan, counts)
        if (wrong.length > 0) throw new Error(wrong.join("\n"))
      }),
      { seed, numRuns: simulations, reporter: report, interruptAfterTimeLimit: limit, markInterruptAsFailure: true }
    )
    // What did not happen was not survived.
    const atLeast = (times: number) => (what: string) =>
      expect(counts.get(what) ?? 0, what).toBeGreaterThanOrEqual(Math.floor(simulations * times))
    faults.forEach(atLeast(1 / 50))
    followed.forEach(atLeast(1 / 200))
  }, limit + 60_000)

  it("are the same again by the same seed", async () => {
    for (const plan of fc.sample(aPlan, { seed, numRuns: 5 })) {
      const [first, second] = [new Map<string, number>(), new Map<string, number>()]
      // What a process does once only, it has done: dice are thrown for some of it.
      await simulate(plan, new Map())
      await simulate(plan, first)
      await simulate(plan, second)
      expect(second).toEqual(first)
    }
  })
})
