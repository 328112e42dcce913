import { expect, it } from "vitest"
import { run } from "../../../test/examples.ts"

it("the updates of a user run one at a time and in their order, those of another beside them", async () => {
  const said = await run("partitions")
  for (const user of ["user-123", "user-456"]) {
    expect(said.filter((line) => line.startsWith(user)).map((line) => line.replace(/, \d running/, ""))).toEqual(
      [1, 2, 3].flatMap((update) => [`${user}: update ${update} begins`, `${user}: update ${update} ends`])
    )
  }
  // Of each user one, so never more than two; and two where the one of another user is under way.
  const running = said.flatMap((line) => /, (\d+) running$/.exec(line)?.[1] ?? [])
  expect(running).toHaveLength(6)
  expect([...new Set(running)].sort()).toEqual(["1", "2"])
})
