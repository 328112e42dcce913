/**
 * Processes killed at any moment of a write or of a copy of the log into the file. Hunted here: a damaged file, a write
 * that was acknowledged and is gone, a half of one.
 */
import { assert, it } from "@effect/vitest"
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { Store } from "perdure/Store"
import { temporaryFile, temporaryFolder } from "./files.ts"
import { record } from "./operations.ts"
import { type Other, run } from "./processes.ts"
import { ticks } from "./timers.ts"

const kills = 15

/** Lets it write for a while, and kills it. */
const writeAndDie = Effect.fnUntraced(function*(other: Other) {
  assert.strictEqual(yield* other.line, "ready")
  yield* other.tell("go")
  const heard: Array<string> = []
  // Where in a write it is then, nobody can choose from outside: any moment is as good.
  const enough = 1 + Math.floor(Math.random() * 100)
  while (heard.length < enough) heard.push(yield* other.line)
  return [...heard, ...yield* other.kill]
})

const idsOf = (acknowledged: ReadonlyArray<string>, what: string): ReadonlyArray<string> =>
  acknowledged.flatMap((line) => line.startsWith(`${what} `) ? [line.slice(what.length + 1)] : [])

const assertWhole = Effect.gen(function*() {
  const sql = yield* SqlClient
  assert.deepStrictEqual(yield* sql`PRAGMA integrity_check`, [{ integrity_check: "ok" }])
})

const assertKept = Effect.fnUntraced(function*(acknowledged: ReadonlyArray<string>) {
  const store = yield* Store
  const sql = yield* SqlClient
  yield* assertWhole
  const rows = yield* sql<{ workflow_id: string }>`SELECT workflow_id FROM perdure_workflow`
  const there = new Set(rows.map((row) => row.workflow_id))
  assert.deepStrictEqual(idsOf(acknowledged, "started").filter((id) => !there.has(id)), [])
  assert.deepStrictEqual(
    [...there].filter((id) => !there.has(id.endsWith("-twin") ? id.slice(0, -"-twin".length) : `${id}-twin`)),
    [],
    "a half of a write"
  )
  for (const id of idsOf(acknowledged, "recorded")) {
    assert.deepStrictEqual((yield* store.history(id, -1)).records, [record(0), record(1)], id)
  }
})

it.live(`a file outlives ${kills} kills in the midst of writes, with everything that was acknowledged`, () =>
  Effect.gen(function*() {
    const filename = yield* temporaryFile
    // Each is made ready while the one before it writes.
    let next = yield* run("hammer", filename, "life-0")
    let acknowledged = 0
    for (let life = 0; life < kills; life++) {
      const other = next
      next = yield* run("hammer", filename, `life-${life + 1}`)
      const lines = yield* writeAndDie(other)
      assert.isAbove(idsOf(lines, "started").length, 0)
      yield* Effect.provide(assertKept(lines), SqliteStore.layer({ filename }))
      acknowledged += lines.length
    }
    console.log(`${acknowledged} writes were acknowledged by ${kills} processes that were killed`)
  }))

it.live(`${kills} kills in the midst of making a file leave nothing in the way of whoever makes it next`, () =>
  Effect.gen(function*() {
    const folder = yield* temporaryFolder
    let next = yield* run("open", join(folder, "0.db"))
    const found: Array<string> = []
    for (let life = 0; life < kills; life++) {
      const other = next
      next = yield* run("open", join(folder, `${life + 1}.db`))
      assert.strictEqual(yield* other.line, "ready")
      yield* other.tell("go")
      const filename = join(folder, `${life}.db`)
      yield* ticks(1 + Math.floor(Math.random() * 20))
      found.push((yield* other.kill)[0] ?? (existsSync(filename) ? `${statSync(filename).size} bytes` : "no file"))
      yield* Effect.provide(assertWhole, SqliteStore.layer({ filename }))
    }
    console.log(`killed when there was: ${found.join(", ")}`)
  }))
