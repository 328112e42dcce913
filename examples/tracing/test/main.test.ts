import { expect, it } from "vitest"
import { run } from "../../../test/examples.ts"

it("what two processes did for a workflow arrives as one trace, and their log lines name it", async () => {
  const said = await run("tracing")
  const traces = said.filter((line) => line.startsWith("trace "))
  expect(traces).toHaveLength(1)
  const trace = traces[0]!.slice("trace ".length)
  expect(trace).toMatch(/^[0-9a-f]{32}$/)
  const spans = said.filter((line) => /^ {2}(?:monday|tuesday): /.test(line)).map((line) => line.trim())
  for (
    const span of [
      "monday: step reserve stock",
      "monday: workflow Order",
      "tuesday: step ship",
      "tuesday: workflow Order"
    ]
  ) {
    expect(spans).toContain(span)
  }
  expect(said).toContain(`log of monday: reserving (order-1, ${trace})`)
  expect(said).toContain(`log of tuesday: shipping (order-1, ${trace})`)
  expect(said.at(-1)).toContain("perdure_steps_recorded")
})
