/** What may stand in the way of opening a file. */
import { assert, describe, it } from "@effect/vitest"
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Store } from "perdure/Store"
import { temporaryFile, temporaryFolder } from "./files.ts"
import { start } from "./operations.ts"
import { run } from "./processes.ts"

const openAndWrite = (options: SqliteStore.Options) =>
  Effect.flatMap(Store, (store) => store.write([start("w")])).pipe(Effect.provide(SqliteStore.layer(options)))

const refusal = (options: SqliteStore.Options) =>
  Effect.map(Effect.flip(openAndWrite(options)), (error) => error.reason)

describe("opening a file", () => {
  it.live("creates it, and finds everything there the next time", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      assert.deepStrictEqual(yield* openAndWrite({ filename }), [{ _tag: "Started" }])
      assert.deepStrictEqual(yield* openAndWrite({ filename, synchronous: "NORMAL" }), [{ _tag: "Started" }])
      const database = new DatabaseSync(filename)
      assert.strictEqual(database.prepare("PRAGMA journal_mode").get()!.journal_mode, "wal")
      assert.strictEqual(database.prepare("SELECT count(*) AS n FROM perdure_workflow").get()!.n, 1)
      database.close()
    }))

  it.live("migrates it once, however many processes start at once", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const others = yield* Effect.forEach(Array.from({ length: 10 }), () => run("open", filename))
      for (const other of others) assert.strictEqual(yield* other.line, "ready")
      for (const other of others) yield* other.tell("go")
      for (const other of others) assert.strictEqual(yield* other.line, "opened")
    }))

  it.live("refuses a newer schema without writing", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      yield* openAndWrite({ filename })
      const database = new DatabaseSync(filename)
      database.exec("UPDATE perdure_meta SET schema_version = 99; PRAGMA journal_mode = DELETE")
      database.close()
      const before = readFileSync(filename)
      const reason = yield* refusal({ filename })
      assert.strictEqual(reason._tag, "StoreMisconfigured")
      assert.match(
        reason.message,
        /has schema 99, and this release .* knows up to \d+\. Nothing was written\. Run a release/
      )
      assert.isTrue(readFileSync(filename).equals(before))
    }))

  it.live("refuses what is not a database", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      writeFileSync(filename, "Dear diary, ".repeat(100))
      const reason = yield* refusal({ filename })
      assert.deepStrictEqual([reason._tag, reason.code], ["StoreMisconfigured", "SQLITE_NOTADB"])
      assert.match(reason.message, /Could not open the SQLite database .*: file is not a database\. Give the path/)
    }))

  it.live("refuses a file that it cannot write", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      yield* openAndWrite({ filename })
      const reason = yield* refusal({ filename: `file:${filename}?mode=ro` })
      assert.deepStrictEqual([reason._tag, reason.code], ["StoreMisconfigured", "SQLITE_READONLY"])
      assert.match(reason.message, /readonly database\. Give the process the right to write/)
    }))

  it.live("names the folder that does not exist, and the folder that is no file", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const missing = yield* refusal({ filename: join(folder, "no", "test.db") })
      assert.strictEqual(missing._tag, "StoreMisconfigured")
      assert.include(missing.message, `its folder ${join(folder, "no")} does not exist. Create the folder`)
      const noFile = yield* refusal({ filename: folder })
      assert.include(noFile.message, "this is a folder. Give the path of a file in it.")
    }))

  it.live("refuses options that make no sense, before it touches a file", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      for (
        const options of [
          { filename: "" },
          { filename, synchronous: "OFF" as "FULL" },
          { filename, lockTimeout: "2 hours" as const },
          { filename, hintInterval: 0 }
        ]
      ) {
        const reason = yield* refusal(options)
        assert.strictEqual(reason._tag, "StoreMisconfigured")
        assert.match(reason.message, /its option \w+ is /)
      }
    }))
})
