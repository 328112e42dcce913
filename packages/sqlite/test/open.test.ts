/** What may stand in the way of opening a file. */
import { assert, describe, it } from "@effect/vitest"
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Store } from "perdure/Store"
import { temporaryFile, temporaryFolder } from "./files.ts"
import { start } from "./operations.ts"
import { type Other, run, runLimited } from "./processes.ts"

const openAndWrite = (options: SqliteStore.Options) =>
  Effect.flatMap(Store, (store) => store.write([start("w")])).pipe(Effect.provide(SqliteStore.layer(options)))

const answerOf = Effect.fnUntraced(function*<E, R>(running: Effect.Effect<Other, E, R>) {
  const other = yield* running
  assert.strictEqual(yield* other.line, "ready")
  yield* other.tell("go")
  return yield* other.line
})

/** Rights do not bind root. */
const someUser = process.getuid?.() === 0 ? ["65534"] : []

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

  it.live("makes neither file nor tables where it may not migrate, and says what is missing", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const state = SqliteStore.schemaState({ filename })
      const none = { installed: null, known: 1 }
      assert.deepStrictEqual(yield* state, none)
      const absent = yield* refusal({ filename, migrate: false })
      assert.strictEqual(absent._tag, "StoreNotMigrated")
      assert.match(absent.message, /does not exist\. Nothing was written\..* perdure migrate up$/)
      assert.isFalse(existsSync(filename))

      const application = new DatabaseSync(filename)
      application.exec("CREATE TABLE mine (id)")
      application.close()
      const before = readFileSync(filename)
      assert.deepStrictEqual(yield* state, none)
      const empty = yield* refusal({ filename, migrate: false })
      assert.deepInclude(empty, { _tag: "StoreNotMigrated", ...none })
      assert.isTrue(readFileSync(filename).equals(before))

      yield* openAndWrite({ filename })
      assert.deepStrictEqual(yield* state, { installed: 1, known: 1 })
      assert.deepStrictEqual(yield* openAndWrite({ filename, migrate: false }), [{ _tag: "Started" }])
    }))

  it.live("is made by its script as it is by itself", () =>
    Effect.gen(function*() {
      const [filename, other] = [yield* temporaryFile, yield* temporaryFile]
      const database = new DatabaseSync(filename)
      database.exec(SqliteStore.migrationSql(null))
      const schema = "SELECT name, sql FROM sqlite_schema ORDER BY name"
      const made = database.prepare(schema).all()
      database.close()
      assert.deepStrictEqual(yield* openAndWrite({ filename, migrate: false }), [{ _tag: "Started" }])
      yield* openAndWrite({ filename: other })
      const reference = new DatabaseSync(other)
      assert.deepStrictEqual(made, reference.prepare(schema).all())
      reference.close()
    }))

  it.live("refuses what is not a database", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      writeFileSync(filename, "Dear diary, ".repeat(100))
      const reason = yield* refusal({ filename })
      assert.deepStrictEqual([reason._tag, reason.code], ["StoreMisconfigured", "SQLITE_NOTADB"])
      assert.match(reason.message, /Could not open the SQLite database .*: file is not a database\. Give the path/)
    }))

  it.live("refuses a file that was cut short, wherever, and leaves it as it is", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      yield* openAndWrite({ filename })
      const whole = readFileSync(filename)
      const pageSize = 4096
      assert.isAbove(whole.length, 10 * pageSize)
      for (
        const length of [
          50,
          pageSize / 2,
          pageSize,
          7 * pageSize,
          whole.length - pageSize,
          whole.length - pageSize / 2,
          whole.length - 1
        ]
      ) {
        writeFileSync(filename, whole.subarray(0, length))
        const reason = yield* refusal({ filename })
        assert.strictEqual(reason._tag, "StoreMisconfigured", `${length}`)
        assert.include(["SQLITE_CORRUPT", "SQLITE_NOTADB"], reason.code)
        assert.match(
          reason.message,
          /Could not open the SQLite database .*(Restore the file from a backup|Give the path)/
        )
        assert.isTrue(readFileSync(filename).equals(whole.subarray(0, length)), `${length}`)
      }
      writeFileSync(filename, whole)
      assert.deepStrictEqual(yield* openAndWrite({ filename }), [{ _tag: "Started" }])
    }))

  it.live("refuses a file that it cannot write", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      yield* openAndWrite({ filename })
      const reason = yield* refusal({ filename: `file:${filename}?mode=ro` })
      assert.deepStrictEqual([reason._tag, reason.code], ["StoreMisconfigured", "SQLITE_READONLY"])
      assert.match(reason.message, /readonly database\. Give the process the right to write/)
    }))

  for (
    const [what, folderMode, fileMode, message] of [
      [
        "the folder of an existing file",
        0o555,
        0o666,
        /readonly database\. Give the process the right to write the file and its/
      ],
      ["the folder of a new file", 0o555, null, /may not write in its folder .*, where SQLite keeps its log\. Give it/],
      ["a folder that it may not enter", 0o600, 0o666, /may not read and write it\. Give it the right to, also in the/],
      ["the file", 0o777, 0o444, /readonly database\. Give the process the right to write the file and its folder/],
      ["the file, nor read it", 0o777, 0o000, /may not read and write it\. Give it the right to, also in the folder/]
    ] as const
  ) {
    it.live.skipIf(process.platform === "win32")(`says so when it may not write ${what}`, () =>
      Effect.gen(function*() {
        const folder = join(yield* temporaryFolder, "data")
        const filename = join(folder, "test.db")
        mkdirSync(folder)
        chmodSync(dirname(folder), 0o755)
        if (fileMode !== null) {
          yield* openAndWrite({ filename })
          chmodSync(filename, fileMode)
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => chmodSync(folder, folderMode)),
          () => Effect.sync(() => chmodSync(folder, 0o777))
        )
        const line = yield* answerOf(run("open", filename, ...someUser))
        assert.match(line, /^StoreMisconfigured: Could not open the SQLite database /)
        assert.match(line, message)
      }))
  }

  for (
    const [what, blocks, message] of [
      [
        "open a file",
        8,
        /there is no room for its index of the log\. Free some space on the disk, or check the limits of/
      ],
      [
        "make its tables",
        80,
        /disk I\/O error\. Check that the disk has space, the limits of the process, and the file system/
      ]
    ] as const
  ) {
    it.live.skipIf(process.platform === "win32")(
      `says so when there is no room to ${what}, and does when there is`,
      () =>
        Effect.gen(function*() {
          const filename = yield* temporaryFile
          if (what === "open a file") yield* openAndWrite({ filename })
          const line = yield* answerOf(runLimited(blocks, "open", filename))
          assert.match(line, /^StoreUnavailable: Could not open the SQLite database /)
          assert.match(line, message)
          assert.strictEqual(yield* answerOf(run("open", filename)), "opened")
        })
    )
  }

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
