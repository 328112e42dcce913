/** What the conformance suite cannot see: a memory database, the application's transaction, hints, bad rows. */
import { assert, describe, it } from "@effect/vitest"
import { SqliteStore } from "@perdure/sqlite"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { Store } from "perdure/Store"
import { begin } from "./begin.ts"
import { temporaryFile } from "./files.ts"
import { advance, record, start } from "./operations.ts"
import { ticks } from "./timers.ts"

const memory = Layer.fresh(SqliteStore.layer({ filename: ":memory:" }))

const build = Effect.fnUntraced(function*(options: SqliteStore.Options) {
  const context = yield* Layer.build(Layer.fresh(SqliteStore.layer(options)))
  return { store: Context.get(context, Store), sql: Context.get(context, SqlClient) }
})

const options = { isolation: undefined, timeoutMs: 5_000 }
const served = [{ name: "Order", version: "1" }]
const reason = JSON.stringify({ _tag: "Cancelled", by: "user", detail: "" })

describe("a memory database", () => {
  it.effect("belongs to its layer alone", () =>
    Effect.gen(function*() {
      const [one, two] = yield* Effect.all([build({ filename: ":memory:" }), build({ filename: ":memory:" })])
      yield* one.store.write([start("w")])
      assert.isNotNull(yield* one.store.get("w"))
      assert.isNull(yield* two.store.get("w"))
    }))
})

describe("a transaction", () => {
  it.effect("commits the application's rows and the record together", () =>
    Effect.gen(function*() {
      const { notes, sql, store } = yield* begin
      const body = Effect.as(sql`INSERT INTO note VALUES ('a')`, 7)
      const saved = (value: number) => Effect.succeed(record(0, { kind: "transaction", value: String(value) }))
      assert.strictEqual(yield* store.transaction("w", 1, body, saved, options), 7)
      assert.deepStrictEqual(yield* notes, ["a"])
      assert.deepStrictEqual((yield* store.history("w", -1)).records, [record(0, { kind: "transaction", value: "7" })])
      const again = yield* Effect.flip(store.transaction("w", 1, body, saved, options))
      assert.deepInclude(again, { _tag: "TransactionAborted", why: "exists" })
      assert.deepStrictEqual(yield* notes, ["a"])
    }).pipe(Effect.provide(memory)))

  it.effect("leaves nothing when its body fails, its epoch is over, or its record cannot be made", () =>
    Effect.gen(function*() {
      const { notes, sql, store } = yield* begin
      const insert = sql`INSERT INTO note VALUES ('a')`
      const saved = () => Effect.succeed(record(0))
      const failing = Effect.andThen(insert, Effect.fail("no"))
      assert.strictEqual(yield* Effect.flip(store.transaction("w", 1, failing, saved, options)), "no")
      const fenced = yield* Effect.flip(store.transaction("w", 2, insert, saved, options))
      assert.deepInclude(fenced, { _tag: "TransactionAborted", why: "fenced" })
      const unsaved = store.transaction("w", 1, Effect.mapError(insert, () => "sql"), () => Effect.fail("x"), options)
      assert.strictEqual(yield* Effect.flip(unsaved), "x")
      yield* store.cancel(["w"], { reason, childReason: reason, children: true })
      const cancelled = yield* Effect.flip(store.transaction("w", 1, insert, saved, options))
      assert.deepInclude(cancelled, { _tag: "TransactionAborted", why: "fenced" })
      assert.deepStrictEqual(yield* notes, [])
    }).pipe(Effect.provide(memory)))

  it.effect("fails with the application's error when the commit itself is refused", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* begin
      yield* sql`CREATE TABLE parent (id INTEGER PRIMARY KEY)`
      yield* sql`CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`
      const body = sql`INSERT INTO child VALUES (1)`
      const error = yield* Effect.flip(store.transaction("w", 1, body, () => Effect.succeed(record(0)), options))
      assert.strictEqual(error._tag === "SqlError" && error.reason._tag, "ConstraintError")
      assert.deepStrictEqual((yield* store.history("w", -1)).records, [])
      assert.deepStrictEqual(yield* store.write([start("x")]), [{ _tag: "Started" }])
    }).pipe(Effect.provide(memory)))

  it.live("is rolled back when its body takes longer than its limit", () =>
    Effect.gen(function*() {
      const { notes, sql, store } = yield* begin
      const body = Effect.andThen(sql`INSERT INTO note VALUES ('a')`, Effect.never)
      const limited = store.transaction("w", 1, body, () => Effect.succeed(record(0)), { ...options, timeoutMs: 20 })
      const error = yield* Effect.flip(limited)
      assert.match(error.message, /took longer than its limit of 20 ms and was rolled back/)
      assert.deepStrictEqual(yield* notes, [])
    }).pipe(Effect.provide(memory)))

  it.effect("is refused, before anything runs, with another client or inside a transaction", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* begin
      const other = yield* build({ filename: ":memory:" })
      const body = Effect.die("it ran")
      const attempt = store.transaction("w", 1, body, () => Effect.succeed(record(0)), options)
      const foreign = yield* Effect.flip(Effect.provideService(attempt, SqlClient, other.sql))
      assert.deepInclude(foreign, { _tag: "TransactionAborted", why: "foreign" })
      const nested = yield* Effect.flip(sql.withTransaction(attempt))
      assert.deepInclude(nested, { _tag: "TransactionAborted", why: "nested" })
    }).pipe(Effect.provide(memory)))

  it.live("lets the journal of the same process wait for its commit", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* begin
      const body = Effect.gen(function*() {
        const write = yield* Effect.forkDetach(store.write([advance("w", 1, { records: [record(1)] })]))
        yield* Effect.yieldNow
        yield* sql`INSERT INTO note VALUES ('a')`
        return write
      })
      const write = yield* store.transaction("w", 1, body, () => Effect.succeed(record(0)), options)
      assert.deepStrictEqual(yield* Fiber.join(write), [{ _tag: "Recorded", children: [] }])
    }).pipe(Effect.provide(memory)))
})

describe("the journal", () => {
  it.effect("refuses text that SQLite would give back changed, alone in its batch", () =>
    Effect.gen(function*() {
      const { store } = yield* begin
      const answers = yield* store.write([
        start("a"),
        start("b", { payload: "\ud800" }),
        advance("w", 1, { records: [record(0, { at: 1.5 })] }),
        start("c")
      ])
      assert.deepStrictEqual(answers.map((_) => _._tag), ["Started", "Rejected", "Rejected", "Started"])
      assert.deepStrictEqual(answers[1], { _tag: "Rejected", detail: "text with a lone surrogate" })
      assert.isNull(yield* store.get("b"))
      assert.deepStrictEqual((yield* store.history("w", -1)).records, [])
    }).pipe(Effect.provide(memory)))

  it.effect("refuses another outcome for a step that is recorded", () =>
    Effect.gen(function*() {
      const { store } = yield* begin
      yield* store.write([advance("w", 1, { records: [record(0)] })])
      const [answer] = yield* store.write([advance("w", 1, { records: [record(0, { value: "2" })] })])
      assert.deepStrictEqual(answer, {
        _tag: "Rejected",
        detail: "step 0 of w has another outcome already, or is of another owner"
      })
    }).pipe(Effect.provide(memory)))

  it.effect("lets an operator resume rollbacks that were blocked, and keeps why they run", () =>
    Effect.gen(function*() {
      const { store } = yield* begin
      yield* store.write([advance("w", 1, { records: [record(0, { rollback: true })] })])
      yield* store.cancel(["w"], { reason, childReason: reason, children: true })
      yield* store.heartbeat("A", 60_000, [{ workflowId: "w", epoch: 1 }])
      const { claimed } = yield* store.claim({ incarnation: "A", served, queues: null, limit: 1 })
      assert.deepStrictEqual(claimed.map(({ row }) => [row.status, row.phase, row.epoch]), [[
        "CANCELLED",
        "compensate",
        3
      ]])
      yield* store.write([advance("w", 3, { end: { _tag: "Block", reason: "\"why\"" } })])
      const blocked = yield* store.get("w")
      assert.deepInclude(blocked, { status: "CANCELLED", phase: "compensate", reason, waits: "\"why\"", wakeAt: null })
      assert.deepStrictEqual(yield* store.resume(["w"]), [{ workflowId: "w", result: "resumed" }])
      assert.deepInclude(yield* store.get("w"), { status: "CANCELLED", phase: "compensate", reason, waits: null })
      const again = yield* store.claim({ incarnation: "A", served, queues: null, limit: 1 })
      assert.deepStrictEqual(again.claimed.map(({ row }) => row.epoch), [5])
    }).pipe(Effect.provide(memory)))

  it.live("survives its layer, and says so when it is used after it", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const first = yield* Effect.scoped(Effect.tap(build({ filename }), ({ store }) => store.write([start("w")])))
      const error = yield* Effect.flip(first.store.get("w"))
      assert.strictEqual(error.message, "Could not read a workflow: the store is closed. Its layer's scope has ended.")
      const { store } = yield* build({ filename })
      assert.strictEqual((yield* store.get("w"))?.status, "PENDING")
    }))
})

describe("hints", () => {
  it.live("come when another connection commits, and not for one's own commits", () =>
    Effect.gen(function*() {
      const filename = yield* temporaryFile
      const one = yield* build({ filename, hintInterval: "1 millis" })
      const two = yield* build({ filename })
      const hint = yield* Effect.forkChild(one.store.hints("a").pipe(Stream.take(2), Stream.runCollect), {
        startImmediately: true
      })
      yield* one.store.write([start("mine")])
      yield* ticks(20)
      assert.isUndefined(hint.pollUnsafe())
      yield* two.store.write([start("theirs")])
      assert.deepStrictEqual(yield* Fiber.join(hint), [{ _tag: "Done", workflowId: "*" }, { _tag: "Due", name: "*" }])
    }))
})
