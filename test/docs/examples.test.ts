/** The examples are what their page says they are. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { linesOf } from "../examples.ts"

const examples = join(import.meta.dirname, "../../examples")
const folders = readdirSync(examples, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : []
)

it("each is in the table of examples/README.md, and nothing else is", () => {
  const page = readFileSync(join(examples, "README.md"), "utf8")
  expect([...page.matchAll(/^\| \[([\w-]+)\]\(\1\//gm)].map(([, name]) => name).sort()).toEqual(folders.sort())
})

it.each([
  "priority-queue",
  "deduplication",
  "partitions",
  "rate-limit",
  "approval",
  "progress",
  "token-stream",
  "nightly-report",
  "fork-and-fix",
  "saga"
])("%s is one program of under a hundred lines", (example) => {
  expect(readdirSync(join(examples, example, "src"))).toEqual(["main.ts"])
  expect(linesOf(example)).toBeLessThan(100)
})
