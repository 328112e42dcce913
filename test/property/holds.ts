/** A property of random data, by a seed that is told when it fails. */
import * as Effect from "effect/Effect"
import * as fc from "fast-check"

const given = process.env["PERDURE_SEED"]
/** Of all properties of this process. */
export const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)

/** Against hanging, and shrinking without end: below the limit of a test, so that what was found is told. */
export const limitMs = 280_000

/** Fails with the smallest data found for which something is wrong, and with what is. */
export const holds = <A>(
  data: fc.Arbitrary<A>,
  count: number,
  wrong: (value: A) => Effect.Effect<ReadonlyArray<string>, unknown>
): Promise<void> =>
  fc.assert(
    fc.asyncProperty(data, async (value) => {
      const found = await Effect.runPromise(wrong(value))
      if (found.length > 0) throw new Error(found.join("\n"))
    }),
    { seed, numRuns: count, reporter: report, interruptAfterTimeLimit: limitMs, markInterruptAsFailure: true }
  )

export const report = <A>(details: fc.RunDetails<A>): void => {
  if (!details.failed) return
  if (details.counterexample === null) {
    throw new Error(`Only ${details.numRuns} of ${details.runConfiguration.numRuns} were run in ${limitMs} ms`)
  }
  throw new Error(
    `PERDURE_SEED=${seed}, run ${details.numRuns}, shrunk ${details.numShrinks} times:\n${
      String((details.errorInstance as Error | undefined)?.message ?? details.errorInstance)
    }\n${fc.stringify(details.counterexample)}`,
    { cause: details.errorInstance }
  )
}
