import { expect, it } from "vitest"
import { run } from "../../../test/examples.ts"

// That the rate holds is for test/conformance to show, on the database's clock: here it is seen through the machine's load.
it("all calls are made, and the fourth is told by how much it came after the first", async () => {
  const said = await run("rate-limit")
  expect(said.filter((line) => line.startsWith("asking")).length).toBe(7)
  expect(said.filter((line) => / came \S+ s after /.test(line)).length).toBe(4)
})
