import { expect, it } from "vitest"
import { run } from "../../../test/examples.ts"

it("one workflow for a deduplication id at a time", async () => {
  const said = await run("deduplication")
  expect(said.filter((line) => !line.startsWith("reindexing"))).toEqual([
    "the same workflow: true",
    "another document, another workflow: true",
    "refused: DuplicateEnqueued",
    "a new one after its end: true"
  ])
  expect(said.filter((line) => line.startsWith("reindexing")).sort()).toEqual([
    "reindexing doc-1: edited by ada",
    "reindexing doc-1: edited by eve",
    "reindexing doc-2: edited by bob"
  ])
})
