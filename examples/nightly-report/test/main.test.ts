import { expect, it } from "vitest"
import { run } from "../../../test/examples.ts"

it("ticks follow the clock of their time zone, and each is one workflow", async () => {
  const said = await run("nightly-report")
  expect(said.slice(0, 3)).toEqual([
    "2026-03-28T01:30:00.000Z",
    "2026-03-29T01:00:00.000Z",
    "2026-03-30T00:30:00.000Z"
  ])
  const days = ["2026-03-01", "2026-03-02", "2026-03-03"]
  expect(said.filter((line) => line.startsWith("writing")).sort()).toEqual(
    days.map((day) => `writing the sales report of ${day}`)
  )
  expect(said.filter((line) => line.startsWith("nightly report/"))).toEqual(
    days.map((day) => `nightly report/${day}T01:30:00.000Z: sales ${day}`)
  )
})
