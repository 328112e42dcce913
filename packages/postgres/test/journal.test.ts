/**
 * The class of bug hunted here: a write that is lost, doubled, held up or refused because of what somebody else does to
 * the same rows at the same time. Each test is a failure that a simpler statement has shown.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Answer } from "perdure/Store"
import { advance, childOf, record, release, start, succeed, suspend } from "../../../test/conformance/builders.ts"
import { cancel, claimUntil, join, lapse, startOwned, submit, sweep, write } from "../../../test/conformance/verbs.ts"
import { flushIn, freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

const tags = (answers: ReadonlyArray<Answer>) => answers.map(({ _tag }) => _tag)

const given = Effect.suspend(() => open(freshSchema()))

describe("the journal on PostgreSQL", () => {
  it.live("a takeover that meets a flush hands over what the flush commits", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const flushing = yield* session
      yield* join(store, "old")
      yield* startOwned(store, "w", "old")
      yield* flushing.query("BEGIN")
      yield* flushIn(flushing, schema, [advance("w", 1, { records: [record(0)] })])
      yield* lapse(store)
      yield* join(store, "new")
      assert.strictEqual((yield* sweep(store)).released, 0)
      const takeover = yield* Effect.forkChild(
        Effect.andThen(
          Effect.repeat(sweep(store), { until: ({ released }) => released > 0 }),
          claimUntil(store, "new", "w")
        )
      )
      yield* flushing.query("COMMIT")
      const { records } = yield* Fiber.join(takeover)
      assert.deepStrictEqual(records, [record(0)])
      assert.strictEqual((yield* submit(store, advance("w", 1, { records: [record(1)] })))._tag, "Fenced")
    }))

  it.live("a row that somebody holds makes its own operation Busy and no other", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const holding = yield* session
      yield* join(store, "i")
      for (const id of ["a", "b", "c"]) yield* startOwned(store, id, "i")
      yield* holding.query("BEGIN")
      yield* holding.query(`SELECT 1 FROM ${schema}.ownership WHERE workflow_id = 'b' FOR UPDATE`)
      const batch = ["a", "b", "c"].map((id) => advance(id, 1, { records: [record(0)] }))
      assert.deepStrictEqual(tags(yield* store.write(batch)), ["Recorded", "Busy", "Recorded"])
      yield* holding.query("ROLLBACK")
      assert.deepStrictEqual(tags(yield* store.write(batch)), ["Recorded", "Recorded", "Recorded"])
      assert.lengthOf(yield* store.steps("b"), 1)
    }))

  it.live("a flush that waits for a stranger records nothing for what is cancelled meanwhile", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const stranger = yield* session
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* stranger.query("BEGIN")
      yield* flushIn(stranger, schema, [start({ workflowId: "held" })])
      const writing = yield* Effect.forkChild(store.write([
        start({ workflowId: "held" }),
        advance("w", 1, { records: [record(0)] })
      ]))
      yield* cancel(store, ["w"])
      yield* stranger.query("ROLLBACK")
      const [, answer] = yield* Fiber.join(writing)
      assert.lengthOf(yield* store.steps("w"), answer!._tag === "Recorded" ? 1 : 0)
      assert.include(["Recorded", "Fenced", "Busy"], answer!._tag)
    }))

  it.live("an operation submitted again while the first still runs is Busy; once that has committed, it is Recorded", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const first = yield* session
      yield* join(store, "i")
      for (
        const [id, end] of [["plain", null], ["settled", succeed], ["asleep", suspend()], ["left", release]] as const
      ) {
        yield* startOwned(store, id, "i")
        const operation = advance(id, 1, { records: [record(0)], children: [childOf(id, 0)], end })
        yield* first.query("BEGIN")
        yield* flushIn(first, schema, [operation])
        assert.deepStrictEqual(tags(yield* store.write([operation])), ["Busy"])
        yield* first.query("COMMIT")
        assert.deepStrictEqual(yield* store.write([operation]), [
          { _tag: "Recorded", children: [{ _tag: "Started" }] }
        ])
        assert.lengthOf(yield* store.steps(id), 1)
      }
    }))

  it.live("what a lost commit has written is Recorded even after the next owner took over", () =>
    Effect.gen(function*() {
      const { store } = yield* given
      yield* join(store, "old")
      const operation = advance("w", 1, { records: [record(0)] })
      yield* startOwned(store, "w", "old")
      assert.strictEqual((yield* submit(store, operation))._tag, "Recorded")
      yield* lapse(store)
      yield* sweep(store)
      yield* join(store, "new")
      yield* claimUntil(store, "new", "w")
      assert.strictEqual((yield* submit(store, operation))._tag, "Recorded")
      const more = advance("w", 1, { records: [record(0), record(1)] })
      assert.strictEqual((yield* submit(store, more))._tag, "Fenced")
    }))

  it.live("a start submitted again while the first still runs is Busy, then Started, whether that commits or not", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const first = yield* session
      for (const end of ["COMMIT", "ROLLBACK"]) {
        const operation = start({ workflowId: end })
        yield* first.query("BEGIN")
        yield* flushIn(first, schema, [operation])
        assert.deepStrictEqual(tags(yield* store.write([operation])), ["Busy"])
        yield* first.query(end)
        assert.deepStrictEqual(yield* write(store, [operation]), [{ _tag: "Started" }])
      }
    }))

  it.live("of two clients that start one id at the same time, one has Started it and the other is told that it Exists", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const other = yield* open(schema)
      for (let round = 0; round < 40; round++) {
        const workflowId = `w${round}`
        const answers = yield* Effect.all([
          write(store, [start({ workflowId })]),
          write(other.store, [start({ workflowId })])
        ], { concurrency: 2 })
        assert.sameMembers(tags(answers.flat()), ["Started", "Exists"])
      }
    }))

  it.live("a stranger's open transaction on one id holds up that start and no other", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const stranger = yield* session
      yield* stranger.query("BEGIN")
      yield* flushIn(stranger, schema, [start({ workflowId: "w50" })])
      const batch = Array.from({ length: 100 }, (_, i) => start({ workflowId: `w${i}` }))
      for (let again = 0; again < 3; again++) {
        const answers = yield* store.write(batch)
        assert.deepStrictEqual(
          tags(answers),
          batch.map((_, i) => i === 50 ? "Busy" : "Started")
        )
      }
      yield* stranger.query("COMMIT")
      assert.deepStrictEqual((yield* write(store, batch))[50], { _tag: "Exists", same: true, name: "Order" })
    }))

  it.live("a value that the database refuses fails its own operation", () =>
    Effect.gen(function*() {
      const { store } = yield* given
      yield* join(store, "i")
      const ids = Array.from({ length: 64 }, (_, i) => `w${i}`)
      const long = Array.from({ length: 4_000 }, () => String.fromCharCode(33 + Math.floor(Math.random() * 90))).join(
        ""
      )
      const batch = ids.map((workflowId, i) =>
        start({
          workflowId: i === 7 ? long : workflowId,
          owner: "i",
          ...(i === 20 ? { payload: "\"\0\"" } : {}),
          ...(i === 40 ? { maxRecoveryAttempts: 2 ** 40 } : {})
        })
      )
      const answers = yield* store.write(batch)
      const bad = [7, 20, 40]
      assert.deepStrictEqual(tags(answers), ids.map((_, i) => bad.includes(i) ? "Rejected" : "Started"))
      const good = ids.filter((_, i) => !bad.includes(i))
      const records = yield* store.write(
        good.map((id, i) =>
          advance(id, 1, { records: [record(0, i === 3 ? { value: "\0" } : i === 5 ? { seq: Number.NaN } : {})] })
        )
      )
      assert.deepStrictEqual(tags(records), good.map((_, i) => i === 3 || i === 5 ? "Rejected" : "Recorded"))
    }))

  it.live("workflows that began together and end together stay on their pages: their ends write to no index", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const connection = yield* session
      yield* join(store, "i")
      const ids = Array.from({ length: 200 }, (_, i) => `w${i}`)
      yield* connection.query("BEGIN")
      yield* flushIn(connection, schema, ids.map((workflowId) => start({ workflowId, owner: "i" })))
      yield* flushIn(connection, schema, ids.map((id) => advance(id, 1, { records: [record(0)], end: succeed })))
      const { rows } = yield* connection.query(
        `SELECT n_tup_upd::float8 AS updated, n_tup_hot_upd::float8 AS stayed FROM pg_stat_xact_user_tables
         WHERE schemaname = $1::text AND relname = 'workflow'`,
        [schema]
      )
      assert.deepStrictEqual(rows, [{ updated: 200, stayed: 200 }])
      yield* connection.query("ROLLBACK")
    }))

  it.live("texts with quotes, backslashes, braces and any script come back as they went", () =>
    Effect.gen(function*() {
      const { store } = yield* given
      yield* join(store, "i")
      const odd = "{\"a\":\"it's \\\"odd\\\" \\\\ {NULL,} \u00e9\u4e2d\ud83d\ude80\"}"
      const id = "NULL {\"x\"} \\ ' \u00e9\ud83d\ude80"
      yield* startOwned(store, id, "i", { payload: odd, user: "NULL", roles: ["a,b", "\"", "NULL"] })
      yield* submit(store, advance(id, 1, { records: [record(0, { value: odd, key: "\\N" })] }))
      const row = (yield* store.get(id))!
      assert.deepStrictEqual([row.payload, row.user, row.roles], [odd, "NULL", ["a,b", "\"", "NULL"]])
      assert.deepStrictEqual((yield* store.history(id, -1)).records, [record(0, { value: odd, key: "\\N" })])
    }))

  it.live("a value larger than the driver's default limit is written and read", () =>
    Effect.gen(function*() {
      const { store } = yield* given
      yield* join(store, "i")
      const value = JSON.stringify("x".repeat(20_000_000))
      yield* startOwned(store, "w", "i")
      yield* submit(store, advance("w", 1, { records: [record(0, { value }), record(1)] }))
      const page = yield* store.history("w", -1)
      assert.deepStrictEqual([page.records.length, page.records[0]!.value.length, page.more], [1, value.length, true])
      assert.deepStrictEqual((yield* store.history("w", 0)).records, [record(1)])
    }))

  it.live("settling, waking and suspending across one another neither deadlocks nor loses a wake-up", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* given
      const other = yield* open(schema)
      yield* join(store, "i")
      const deadlocks = sql<{ deadlocks: bigint }>`
        SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`
      const before = yield* deadlocks
      for (let round = 0; round < 25; round++) {
        const ids = Array.from({ length: 10 }, (_, i) => `${round}-${i}`)
        yield* write(
          store,
          ids.flatMap((id) => ["p", "c"].map((kind) => start({ workflowId: `${kind}${id}`, owner: "i" })))
        )
        // each side suspends parents whose children the other side settles, in opposite orders
        const half = (even: boolean) =>
          ids.map((id, i) =>
            (i % 2 === 0) === even
              ? advance(`p${id}`, 1, { end: suspend({ awaiting: [`c${id}`] }) })
              : advance(`c${id}`, 1, { end: succeed })
          )
        yield* Effect.all([
          write(store, half(true)),
          write(other.store, half(false).toReversed())
        ], { concurrency: 2 })
        const rows = yield* Effect.forEach(ids, (id) => store.get(`p${id}`))
        for (const row of rows) assert.isTrue(row!.waits === null || row!.wakeAt !== null, JSON.stringify(row))
      }
      assert.deepStrictEqual(yield* deadlocks, before)
    }))

  it.live("a heartbeat waits for no flush, and a flush for no heartbeat", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const holding = yield* session
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* holding.query("BEGIN")
      yield* flushIn(holding, schema, [
        start({ workflowId: "x", owner: "i" }),
        advance("w", 1, { records: [record(0)] })
      ])
      assert.isTrue((yield* store.heartbeat("i", 60_000, [])).alive)
      yield* holding.query("ROLLBACK")
      yield* holding.query("BEGIN")
      yield* holding.query(`SELECT 1 FROM ${schema}.executor FOR UPDATE`)
      assert.deepStrictEqual(
        tags(yield* store.write([start({ workflowId: "y", owner: "i" }), advance("w", 1, { records: [record(0)] })])),
        ["Started", "Recorded"]
      )
      yield* holding.query("ROLLBACK")
    }))

  it.live("a record under another epoch or another key is never written over", () =>
    Effect.gen(function*() {
      const { store } = yield* given
      yield* join(store, "i")
      for (const id of ["a", "b"]) yield* startOwned(store, id, "i")
      yield* submit(store, advance("a", 1, { records: [record(0)] }))
      const answers = yield* store.write([
        advance("a", 1, { records: [record(0, { key: "other" })] }),
        advance("b", 1, { records: [record(0)] })
      ])
      assert.deepStrictEqual(tags(answers), ["Rejected", "Recorded"])
      assert.deepStrictEqual((yield* store.history("a", -1)).records, [record(0)])
    }))

  it.live("leaving counts no attempt, whoever sweeps meanwhile", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const other = yield* open(schema)
      yield* join(store, "i")
      const ids = Array.from({ length: 1_200 }, (_, i) => `w${i}`)
      yield* write(store, ids.map((workflowId) => start({ workflowId, owner: "i" })))
      const sweeping = yield* Effect.forkChild(Effect.forever(other.store.sweep(100)))
      yield* store.leave("i")
      yield* Fiber.interrupt(sweeping)
      const rows = yield* store.list({ order: "asc", limit: 2_000 })
      assert.deepStrictEqual(rows.filter((row) => row.recoveryAttempts > 0 || row.wakeAt === null), [])
    }))
})
