/** A check that finds nothing wrong in a bad history finds nothing at all. */
import { assert, it } from "@effect/vitest"
import { ascending, atMost, atMostIn, exactly, often } from "./checks.ts"

const held = (id: string, from: number, to: number) => ({ id, from, to })

it("two at once are more than one, and one after the other are not", () => {
  assert.lengthOf(atMost("queue", 1, [held("a", 0, 10), held("b", 9, 20)]), 1)
  assert.lengthOf(atMost("queue", 1, [held("a", 0, 10), held("b", 10, 20)]), 0)
  assert.lengthOf(atMost("queue", 1, [held("b", 0, 30), held("a", 5, 6)]), 1)
  assert.lengthOf(atMost("queue", 2, [held("b", 0, 30), held("a", 5, 6), held("c", 6, 7)]), 0)
})

it("a rate counts in any stretch of its period", () => {
  assert.lengthOf(atMostIn("rate", 2, 100, [0, 50, 99]), 1)
  assert.lengthOf(atMostIn("rate", 2, 100, [99, 0, 100]), 0)
  assert.lengthOf(atMostIn("rate", 1, 100, [0, 100, 150]), 1)
})

it("one that is missing, doubled or out of order is not exactly what was expected", () => {
  assert.lengthOf(exactly("messages", [0, 1, 2], [0, 1, 2]), 0)
  for (const bad of [[0, 2], [0, 1, 1, 2], [1, 0, 2], [0, 1]]) assert.lengthOf(exactly("messages", bad, [0, 1, 2]), 1)
})

it("what goes backwards does not ascend", () => {
  assert.lengthOf(ascending("event", [1, 1, 3]), 0)
  assert.lengthOf(ascending("event", [1, 3, 2, 4]), 1)
})

it("what happened less than once, or too seldom for so long a run, has not happened often", () => {
  assert.lengthOf(often({ kill: 2 }, 20_000, { kill: 1 }), 0)
  assert.lengthOf(often({ kill: 2 }, 20_000, { kill: 0 }), 1)
  assert.lengthOf(often({ kill: 2 }, 20_000, {}), 1)
  assert.lengthOf(often({ kill: 2, freeze: 4 }, 120_000, { kill: 4, freeze: 7 }), 1)
})
