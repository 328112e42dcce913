import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { defaults } from "../src/Engine.ts"
import { maxBulk } from "../src/internal/bulk.ts"
import { NAME_BYTES, STORED_ID_BYTES, WORKFLOW_ID_BYTES } from "../src/internal/names.ts"
import { backfillLimit } from "../src/internal/schedules.ts"
import { defaultLimits } from "../src/internal/text.ts"
import { countLimit } from "../src/internal/ticks.ts"

const page = readFileSync(new URL("../../../docs/reference/limits.md", import.meta.url), "utf8").split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))

describe("the page of limits", () => {
  for (
    const [what, limit] of [
      ["a payload, a result", `${defaultLimits.maxBytes / 1024 / 1024} MiB of JSON each`],
      ["nesting of a value", `${defaultLimits.maxDepth} levels`],
      ["a workflow's id, as given", `${WORKFLOW_ID_BYTES} bytes, no control characters`],
      ["a workflow's id, as made", `${STORED_ID_BYTES} bytes`],
      ["a name of a workflow", `${NAME_BYTES} bytes, no control characters`],
      ["durable operations", `${defaults.maxSteps.toLocaleString("en")} (the engine's \`maxSteps\`)`],
      ["workflows enqueued together", maxBulk.toLocaleString("en")],
      ["ticks that a schedule makes up for", countLimit.toLocaleString("en")],
      ["ticks that are backfilled", backfillLimit.toLocaleString("en")],
      ["workflows in memory", `${defaults.maxRunning.toLocaleString("en")} (the engine's \`maxRunning\`)`]
    ] as const
  ) {
    it(`says what the code says of ${what}`, () => {
      assert.deepStrictEqual(page.filter((cells) => cells[1]?.startsWith(what)).map((cells) => cells[2]), [limit])
    })
  }
})
