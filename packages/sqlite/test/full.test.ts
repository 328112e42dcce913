/**
 * A database that may not grow, by SQLite's own limit: what it says then is what it says of a full disk. Hunted here: a
 * half of a batch, and a transaction that SQLite has ended by itself and that is gone on with, outside of it.
 */
import { assert, describe, it } from "@effect/vitest"
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Store } from "perdure/Store"
import { begin } from "./begin.ts"
import { temporaryFile } from "./files.ts"
import { advance, record, start } from "./operations.ts"

const large = "x".repeat(100_000)
const options = { isolation: undefined, timeoutMs: 5_000 }

const beginFull = Effect.gen(function*() {
  const { notes, sql, store } = yield* begin
  const [{ pages }] = (yield* sql`SELECT page_count AS pages FROM pragma_page_count`) as [{ pages: number }]
  const limit = (more: number) => sql.unsafe(`PRAGMA max_page_count = ${pages + more}`)
  yield* limit(10)
  return {
    store,
    sql,
    notes: Effect.map(notes, (texts) => texts.map((text) => String(text)[0])),
    insert: (text: string) => sql`INSERT INTO note VALUES (${text})`,
    within: (workflowId: string, payload: string) =>
      Effect.asVoid(store.within([start(workflowId, { owner: null, payload })], [])),
    makeRoom: limit(10_000)
  }
})

const test = <A, E>(name: string, body: Effect.Effect<A, E, Store | SqlClient>) =>
  it.live(
    name,
    () => Effect.flatMap(temporaryFile, (filename) => Effect.provide(body, SqliteStore.layer({ filename })))
  )

describe("without room", () => {
  test(
    "the journal writes nothing of a batch, says what is wrong, and reads on; with room the same batch is written",
    Effect.gen(function*() {
      const { makeRoom, store } = yield* beginFull
      const batch = [
        start("a"),
        advance("w", 1, { records: [record(0)] }),
        start("b", { payload: JSON.stringify(large) })
      ]
      for (let time = 0; time < 3; time++) {
        const { reason } = yield* Effect.flip(store.write(batch))
        assert.deepStrictEqual([reason._tag, reason.code], ["StoreUnavailable", "SQLITE_FULL"])
        assert.strictEqual(
          reason.message,
          "Could not write to the journal: database or disk is full. Free some space on the disk."
        )
        assert.deepStrictEqual([yield* store.get("a"), yield* store.get("b")], [null, null])
        assert.deepStrictEqual((yield* store.history("w", -1)).records, [])
      }
      yield* makeRoom
      assert.deepStrictEqual((yield* store.write(batch)).map((_) => _._tag), ["Started", "Recorded", "Started"])
      assert.deepStrictEqual((yield* store.history("w", -1)).records, [record(0)])
    })
  )

  const endings: ReadonlyArray<readonly [string, (failing: Effect.Effect<unknown, SqlError>) => typeof failing]> = [
    ["has gone on after the failure", Effect.ignore],
    ["ends with the failure", (failing) => failing],
    ["breaks", Effect.orDie]
  ]
  for (const [how, goOn] of endings) {
    test(
      `a transaction whose body ${how} leaves nothing, and is for the engine to repeat`,
      Effect.gen(function*() {
        const { insert, makeRoom, notes, store } = yield* beginFull
        const body = Effect.gen(function*() {
          yield* insert("a")
          yield* goOn(insert(large))
          yield* Effect.ignore(insert("b"))
          return 7
        })
        const once = store.transaction("w", 1, body, () => Effect.succeed(record(0)), options)
        const error = yield* Effect.flip(once)
        assert.strictEqual(error._tag, "StoreError")
        assert.strictEqual(
          error.message,
          "Could not hold a transaction: database or disk is full. Free some space on the disk."
        )
        assert.deepStrictEqual(yield* notes, [])
        assert.deepStrictEqual((yield* store.history("w", -1)).records, [])
        yield* makeRoom
        assert.strictEqual(yield* once, 7)
        assert.deepStrictEqual(yield* notes, ["a", "x", "b"])
        assert.deepStrictEqual((yield* store.history("w", -1)).records, [record(0)])
      })
    )
  }

  test(
    "an application's transaction that has gone on after a failure leaves nothing, nested or not",
    Effect.gen(function*() {
      const { insert, makeRoom, notes, sql, store } = yield* beginFull
      for (const attempt of [insert(large), sql.withTransaction(insert(large))]) {
        const error = yield* Effect.flip(sql.withTransaction(Effect.gen(function*() {
          yield* insert("a")
          yield* Effect.ignore(attempt)
          yield* Effect.ignore(insert("b"))
        })))
        assert.match(error.message, /database or disk is full/)
        assert.deepStrictEqual(yield* notes, [])
      }
      yield* makeRoom
      yield* sql.withTransaction(insert("c"))
      assert.deepStrictEqual(yield* notes, ["c"])
      assert.deepStrictEqual(yield* store.write([start("after")]), [{ _tag: "Started" }])
    })
  )

  test(
    "a start within an application's transaction ends it, and does not outlive it",
    Effect.gen(function*() {
      const { insert, notes, sql, store, within } = yield* beginFull
      const error = yield* Effect.flip(sql.withTransaction(Effect.gen(function*() {
        yield* insert("a")
        const refused = yield* Effect.orDie(Effect.flip(within("large", JSON.stringify(large))))
        assert.match(refused.message, /database or disk is full/)
        const second = yield* Effect.orDie(Effect.flip(within("small", "{}")))
        assert.match(second.message, /SQLite has rolled the transaction back/)
        yield* Effect.ignore(insert("b"))
      })))
      assert.match(error.message, /SQLite has rolled the transaction back, as it does when the disk is full or fails/)
      assert.deepStrictEqual(yield* notes, [])
      assert.deepStrictEqual([yield* store.get("large"), yield* store.get("small")], [null, null])
    })
  )
})
