import { expect, it } from "vitest"
import { run } from "../../../test/examples.ts"

it("what was booked before a failure is taken back, the latest first", async () => {
  const said = await run("saga")
  const from = said.indexOf("booking a flight in Venice")
  expect(said.slice(from)).toEqual([
    "booking a flight in Venice",
    "booking a hotel in Venice",
    "cancelling the hotel in Venice",
    "cancelling the flight in Venice",
    "failed: NoCar",
    "step book flight: success",
    "step book hotel: success",
    "step book car: failure",
    "rollback book hotel: success",
    "rollback book flight: success"
  ])
})
