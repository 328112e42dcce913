/** Hunts for a way to break the sources that does not fit them any more, and so would break nothing. */
import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { sabotages } from "./sabotages.ts"

it("what each sabotage replaces is in the sources, once", () => {
  const counts = sabotages.map(({ file, name, replace }) => {
    const text = readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), "utf8")
    return [name, text.split(replace).length - 1] as const
  })
  assert.deepStrictEqual(counts.filter(([, count]) => count !== 1), [])
  assert.strictEqual(new Set(sabotages.map(({ name }) => name)).size, sabotages.length)
})
