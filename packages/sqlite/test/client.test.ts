/** The application's SqlClient on the store's file. */
import { assert, describe, it } from "@effect/vitest"
import { SqliteStore } from "@perdure/sqlite"
import * as Effect from "effect/Effect"
import { SafeIntegers, SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"

const memory = SqliteStore.layer({ filename: ":memory:" })

const withTable = Effect.gen(function*() {
  const sql = yield* SqlClient
  yield* sql`CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price REAL)`
  return sql
})

const test = (name: string, body: Effect.Effect<unknown, unknown, SqlClient>) =>
  it.effect(name, () => Effect.provide(body, memory))

describe("the application's SqlClient", () => {
  test(
    "writes and reads rows in every form",
    Effect.gen(function*() {
      const sql = yield* withTable
      const rows = [{ id: 1, name: "a", price: 1.5 }, { id: 2, name: "b", price: null }] as const
      assert.deepStrictEqual(yield* sql`INSERT INTO item ${sql.insert(rows).returning("*")}`, rows)
      assert.deepStrictEqual(yield* sql`SELECT * FROM item WHERE id IN ${sql.in([1, 2])}`, rows)
      assert.deepStrictEqual(yield* sql`SELECT id, name FROM item ORDER BY id`.values, [[1, "a"], [2, "b"]])
      assert.deepStrictEqual(yield* sql`SELECT id FROM item`.unprepared, [{ id: 1 }, { id: 2 }])
      assert.deepStrictEqual(yield* sql`DELETE FROM item WHERE id = ${2}`.raw, { changes: 1, lastInsertRowid: 2 })
      assert.deepStrictEqual(yield* sql`SELECT id FROM item`.raw, [{ id: 1 }])
      assert.deepStrictEqual([...yield* Stream.runCollect(sql`SELECT name FROM item`.stream)], [{ name: "a" }])
    })
  )

  test(
    "does not hold the database while a stream is consumed",
    Effect.gen(function*() {
      const sql = yield* withTable
      yield* sql`INSERT INTO item ${sql.insert([{ id: 1, name: "a" }, { id: 2, name: "b" }])}`
      const update = (id: unknown) => sql`UPDATE item SET price = 1 WHERE id = ${id}`
      yield* Stream.runForEach(sql<{ id: number }>`SELECT id FROM item`.stream, ({ id }) => update(id))
      assert.deepStrictEqual(yield* sql`SELECT price FROM item`.values, [[1], [1]])
    })
  )

  test(
    "rolls a nested transaction back alone",
    Effect.gen(function*() {
      const sql = yield* withTable
      const insert = (id: number) => sql`INSERT INTO item ${sql.insert({ id, name: String(id) })}`
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* insert(1)
        const nested = sql.withTransaction(Effect.andThen(insert(2), Effect.fail("no" as const)))
        assert.strictEqual(yield* Effect.flip(nested), "no")
        yield* sql.withTransaction(insert(3))
      }))
      assert.deepStrictEqual(yield* sql`SELECT id FROM item ORDER BY id`.values, [[1], [3]])
    })
  )

  test(
    "tells what failed",
    Effect.gen(function*() {
      const sql = yield* withTable
      yield* sql`INSERT INTO item ${sql.insert({ id: 1, name: "a" })}`
      const reason = (statement: Effect.Effect<unknown, { reason: { _tag: string } }>) =>
        Effect.map(Effect.flip(statement), (error) => error.reason._tag)
      assert.strictEqual(yield* reason(sql`INSERT INTO item ${sql.insert({ id: 2, name: "a" })}`), "UniqueViolation")
      assert.strictEqual(yield* reason(sql`INSERT INTO item ${sql.insert({ id: 2, name: null })}`), "ConstraintError")
      assert.strictEqual(yield* reason(sql`SELECT * FROM nothing`), "UnknownError")
    })
  )

  for (
    const [what, value, message] of [
      ["a boolean", true, /Parameter 1 is a boolean\. SQLite has none: bind 0 or 1/],
      ["a Date", new Date(0), /Parameter 1 is a Date\. SQLite has none: bind value\.toISOString\(\)/],
      ["an object", { a: 1 }, /Parameter 1 is an object\. SQLite has none: bind JSON\.stringify/],
      ["NaN", Number.NaN, /Parameter 1 is NaN, which SQLite stores as NULL/]
    ] as const
  ) {
    test(
      `refuses ${what} and says what to bind instead`,
      Effect.gen(function*() {
        const sql = yield* SqlClient
        assert.match((yield* Effect.flip(sql`SELECT ${value} AS value`)).message, message)
      })
    )
  }

  test(
    "reads integers beyond 2^53 as bigints when asked, and else refuses to round them",
    Effect.gen(function*() {
      const sql = yield* SqlClient
      const large = 9_007_199_254_740_993n
      const select = sql`SELECT ${large} AS value`
      assert.match((yield* Effect.flip(select)).message, /Read it with SqlClient\.SafeIntegers set to true/)
      assert.deepStrictEqual(yield* Effect.provideService(select, SafeIntegers, true), [{ value: large }])
      assert.deepStrictEqual(yield* sql`SELECT 1 AS value`, [{ value: 1 }])
    })
  )

  test(
    "sees a changed table through a statement that it has prepared before",
    Effect.gen(function*() {
      const sql = yield* withTable
      yield* sql`INSERT INTO item ${sql.insert({ id: 1, name: "a" })}`
      const all = sql`SELECT * FROM item`
      assert.deepStrictEqual(yield* all, [{ id: 1, name: "a", price: null }])
      yield* sql`ALTER TABLE item ADD COLUMN color TEXT`
      assert.deepStrictEqual(yield* all, [{ id: 1, name: "a", price: null, color: null }])
    })
  )
})
