import { expect, it } from "vitest"
import { run } from "../../../test/examples.ts"

it("of what waits, the highest priority starts next", async () => {
  expect(await run("priority-queue")).toEqual([
    "processing urgent",
    "processing normal",
    "processing low",
    "processing whenever"
  ])
})
