import { expect, it } from "vitest"
import { run } from "../../../test/examples.ts"

it("what is approved is paid, once; what is refused or forgotten is not", async () => {
  const said = await run("approval")
  expect(said.filter((line) => line.startsWith("paying"))).toEqual(["paying 80, approved by ada"])
  expect(said.slice(-4, -1)).toEqual(["dinner: paid", "yacht: refused", "stapler: forgotten"])
  expect(said.at(-1)).toContain("it has ended")
})
