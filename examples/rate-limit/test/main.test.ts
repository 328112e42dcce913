import { expect, it } from "vitest"
import { run } from "../../../test/examples.ts"

// Not a time that something took: when each started is in the store, by the clock on which the rate is promised.
it("all calls are made, and each starts a second or more after the third before it", async () => {
  const said = await run("rate-limit")
  expect(said.filter((line) => line.startsWith("asking")).length).toBe(7)
  const later = said.flatMap((line) => /^(\w+) started (\d+) ms after (\w+)$/.exec(line)?.slice(1) ?? [])
  expect(later.filter((_, index) => index % 3 !== 1)).toEqual(
    ["Dakar", "Athens", "Essen", "Berlin", "Fargo", "Cairo", "Genoa", "Dakar"]
  )
  for (const ms of later.filter((_, index) => index % 3 === 1)) expect(Number(ms)).toBeGreaterThanOrEqual(1000)
})
