/**
 * SQLite has one writer. Hunted here: a lock that freezes the event loop, that fails what should wait, or that lets one
 * writer into another's transaction.
 */
import { assert, describe, it } from "@effect/vitest"
import { SqliteStore } from "@perdure/sqlite"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { Store } from "perdure/Store"
import { temporaryFile } from "./files.ts"
import { advance, record, start } from "./operations.ts"
import { run } from "./processes.ts"
import { ticks } from "./timers.ts"

/** Where nobody is to give up, however slow the disk is. */
const patient = { lockTimeout: "10 minutes" } as const

const build = Effect.fnUntraced(function*(options: SqliteStore.Options) {
  const context = yield* Layer.build(Layer.fresh(SqliteStore.layer(options)))
  return { store: Context.get(context, Store), sql: Context.get(context, SqlClient) }
})

describe("the one writer", () => {
  it.live("lets the event loop run while another process holds the lock, and writes when it lets go", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const { sql, store } = yield* build({ filename, ...patient })
      yield* sql`CREATE TABLE note (text TEXT NOT NULL)`
      const other = yield* run("hold", filename)
      assert.strictEqual(yield* other.line, "held")
      const write = yield* Effect.forkChild(store.write([start("w")]))
      const note = yield* Effect.forkChild(sql`INSERT INTO note VALUES ('a')`)
      const begin = yield* Effect.forkChild(sql.withTransaction(sql`INSERT INTO note VALUES ('b')`))
      yield* ticks(200)
      for (const fiber of [write, note, begin]) assert.isUndefined(fiber.pollUnsafe())
      // Whoever reads does not wait.
      assert.isNull(yield* store.get("w"))
      yield* other.tell("release")
      assert.strictEqual(yield* other.line, "released")
      assert.deepStrictEqual(yield* Fiber.join(write), [{ _tag: "Started" }])
      yield* Fiber.join(note)
      yield* Fiber.join(begin)
      assert.deepStrictEqual(yield* sql`SELECT text FROM note ORDER BY text`, [{ text: "a" }, { text: "b" }])
    }))

  it.live("gives up after the limit, and is as good as new afterwards", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const { sql, store } = yield* build({ filename, lockTimeout: "50 millis" })
      const other = yield* run("hold", filename)
      yield* other.line
      const error = yield* Effect.flip(store.write([start("w")]))
      assert.strictEqual(error.reason._tag, "StoreUnavailable")
      assert.strictEqual(error.reason.code, "SQLITE_BUSY")
      const failure = yield* Effect.flip(sql.withTransaction(sql`SELECT 1`))
      assert.strictEqual(failure.reason._tag, "LockTimeoutError")
      yield* other.tell("release")
      yield* other.line
      assert.deepStrictEqual(yield* store.write([start("w")]), [{ _tag: "Started" }])
    }))

  it.live("keeps the journal out of an application's transaction, through any connection of this process", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const one = yield* build({ filename })
      const two = yield* build({ filename })
      yield* one.sql`CREATE TABLE note (text TEXT NOT NULL)`
      const opened = yield* Deferred.make<void>()
      const close = yield* Deferred.make<void>()
      const transaction = yield* Effect.forkChild(one.sql.withTransaction(Effect.gen(function*() {
        yield* one.sql`INSERT INTO note VALUES ('a')`
        yield* Deferred.succeed(opened, undefined)
        yield* Deferred.await(close)
        return yield* Effect.fail("rolled back" as const)
      })))
      yield* Deferred.await(opened)
      const writes = yield* Effect.forEach(
        [one, two],
        ({ store }, index) => Effect.forkChild(store.write([start(`w${index}`)]))
      )
      const outside = yield* Effect.forkChild(two.sql`INSERT INTO note VALUES ('b')`)
      yield* ticks(50)
      for (const fiber of [...writes, outside]) assert.isUndefined(fiber.pollUnsafe())
      yield* Deferred.succeed(close, undefined)
      assert.strictEqual(yield* Effect.flip(Fiber.join(transaction)), "rolled back")
      for (const fiber of writes) assert.deepStrictEqual(yield* Fiber.join(fiber), [{ _tag: "Started" }])
      yield* Fiber.join(outside)
      assert.deepStrictEqual(yield* one.sql`SELECT text FROM note`, [{ text: "b" }])
    }))

  it.live("fails the journal, instead of waiting for ever, when a transaction waits for the journal", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* build({ filename: yield* temporaryFile, lockTimeout: "50 millis" })
      const error = yield* Effect.flip(sql.withTransaction(store.write([start("w")])))
      assert.strictEqual(error._tag, "StoreError")
      assert.match(error.message, /a transaction of this process has held it/)
      assert.deepStrictEqual(yield* store.write([start("w")]), [{ _tag: "Started" }])
    }))

  it.live("rolls an abandoned transaction back before it writes", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* build({ filename: yield* temporaryFile })
      yield* sql`CREATE TABLE note (text TEXT NOT NULL)`
      yield* sql`BEGIN`
      yield* sql`INSERT INTO note VALUES ('a')`
      assert.deepStrictEqual(yield* store.write([start("w")]), [{ _tag: "Started" }])
      assert.deepStrictEqual(yield* sql`SELECT text FROM note`, [])
    }))

  it.live("is shared by processes that write as fast as they can, and none of them is refused", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const { store } = yield* build({ filename })
      const names = ["a", "b", "c"]
      const others = yield* Effect.forEach(names, (name) => run("write", filename, name, "300"))
      for (const other of others) assert.strictEqual(yield* other.line, "ready")
      for (const other of others) yield* other.tell("go")
      for (const other of others) assert.strictEqual(yield* other.line, "300")
      assert.lengthOf(yield* store.list({ order: "asc", limit: 10_000 }), 900)
    }))

  it.live("frees the file when a process dies in its transaction", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const { store } = yield* build({ filename })
      yield* Effect.scoped(Effect.flatMap(run("hold", filename), (other) => other.line))
      assert.deepStrictEqual(yield* store.write([start("w"), advance("w", 1, { records: [record(0)] })]), [
        { _tag: "Started" },
        { _tag: "Recorded", children: [] }
      ])
    }))
})
