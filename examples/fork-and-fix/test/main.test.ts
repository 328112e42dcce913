import { expect, it } from "vitest"
import { run } from "../../../test/examples.ts"

it("a fork goes on with mended code from a step, and what came before is not done again", async () => {
  const said = await run("fork-and-fix")
  expect(said.filter((line) => line.startsWith("charging"))).toEqual(["charging order-1"])
  expect(said.filter((line) => line.startsWith("failed")).length).toBe(1)
  expect(said.slice(-3)).toEqual([
    "paying out 333 cents, three times",
    "the fork ends with 333",
    "the first stays ERROR"
  ])
})
