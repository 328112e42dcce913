import { expect, it } from "vitest"
import { run } from "../../../test/examples.ts"

it("progress is seen as it is made, and stays readable", async () => {
  const said = await run("progress")
  expect(said).toContain("100 %")
  expect(said.filter((line) => line.startsWith("importing")).length).toBe(4)
  expect(said.slice(-2)).toEqual(["at the end: 4 of 4", "progress"])
})
