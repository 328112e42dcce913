/**
 * The class of bug hunted here: what is started and sent within the application's transaction and yet not a part of it, or
 * that reaches beyond it: locks, settings, order.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { BeginTransaction, SqlClient } from "effect/sql/SqlClient"
import type { StoreService } from "perdure/Store"
import { advance, deliver, record, send, start, succeed } from "../../../test/conformance/builders.ts"
import { claimIds, join, recorded, rounds, startOwned, submit, sweep } from "../../../test/conformance/verbs.ts"
import { freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

const given = Effect.suspend(() => open(freshSchema()))

const idsOf = (store: StoreService, workflowId: string) =>
  Effect.map(
    store.messages(workflowId, { topic: null, limit: 10_000 }),
    (rows) => rows.map(({ messageId }) => messageId)
  )

/** Sweeps until so many messages are there. */
const drained = (store: StoreService, workflowId: string, count: number) =>
  Effect.repeat(Effect.andThen(sweep(store), idsOf(store, workflowId)), { until: (ids) => ids.length >= count })

/** Sweeps until nothing is left to be delivered. */
const emptied = ({ schema, sql, store }: Effect.Success<typeof given>) =>
  Effect.repeat(Effect.andThen(sweep(store), sql.unsafe(`SELECT 1 FROM ${schema}.outbox`)), {
    until: ({ length }) => length === 0
  })

describe("within the application's transaction", () => {
  for (const isolation of ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]) {
    it.live(`at ${isolation}, starts and sends are there when it commits, and not otherwise`, () =>
      Effect.gen(function*() {
        const { sql, store } = yield* given
        yield* join(store, "i")
        for (const id of ["w", "done"]) yield* startOwned(store, id, "i")
        yield* recorded(store, advance("done", 1, { end: succeed }))
        yield* submit(store, deliver(send("w", "taken")))
        const known = start({ workflowId: "known" })
        yield* submit(store, known)
        const inside = (name: string) =>
          store.within(
            [
              start({ workflowId: name }),
              known,
              { ...known, token: "another" },
              start({ workflowId: "w", payload: "7" })
            ],
            [
              send("w", `${name} 1`),
              send(name, "m"),
              send("nobody", "m"),
              send("done", "m"),
              send("w", "taken", { payload: "8" }),
              send("w", "taken"),
              send("w", `${name} 2`)
            ]
          )
        const run = <E>(body: Effect.Effect<unknown, E, SqlClient>) =>
          sql.withTransaction(body).pipe(
            Effect.provideService(BeginTransaction, `BEGIN ISOLATION LEVEL ${isolation}`),
            Effect.provideService(SqlClient, sql)
          )
        yield* Effect.flip(run(Effect.andThen(inside("lost"), Effect.fail("rolled back" as const))))
        yield* run(Effect.gen(function*() {
          const before = yield* sql`SELECT name, setting FROM pg_settings ORDER BY name`
          assert.deepStrictEqual(yield* inside("kept"), {
            starts: [
              { _tag: "Started" },
              { _tag: "Started" },
              { _tag: "Exists", same: true, name: "Order" },
              { _tag: "Exists", same: false, name: "Order" }
            ],
            sends: [null, null, "unknown", "ended", "conflict", null, null]
          })
          assert.deepStrictEqual(yield* sql`SELECT name, setting FROM pg_settings ORDER BY name`, before)
          assert.isNull(yield* store.get("kept"))
          // nobody is held up: the destination records and ends nothing later than ever
          yield* recorded(store, advance("w", 1, { records: [record(0)] }))
          yield* submit(store, deliver(send("w", "from outside")))
        }))
        assert.strictEqual((yield* store.get("kept"))!.status, "ENQUEUED")
        assert.isNull(yield* store.get("lost"))
        yield* drained(store, "w", 4)
        assert.deepStrictEqual(yield* idsOf(store, "w"), ["taken", "from outside", "kept 1", "kept 2"])
        assert.deepStrictEqual(yield* idsOf(store, "kept"), ["m"])
      }))
  }

  it.live("enqueued starts wait in their queue when it commits, and duplicates are told", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* given
      const limits = {
        concurrency: null,
        executorConcurrency: null,
        rateLimit: null,
        partitioned: null,
        ageingMs: null
      }
      yield* store.registerQueue("q", limits)
      const queued = (workflowId: string, deduplicationId: string | null = null, queue = "q") =>
        start({ workflowId, queue: { queue, priority: 3, partitionKey: null, deduplicationId, debounce: null } })
      const run = (starts: ReadonlyArray<ReturnType<typeof start>>) =>
        Effect.provideService(sql.withTransaction(store.within(starts, [])), SqlClient, sql)
      assert.deepStrictEqual((yield* run([queued("a", "d"), queued("b", "d"), queued("c")])).starts, [
        { _tag: "Started" },
        { _tag: "Duplicate", workflowId: "a", name: "Order" },
        { _tag: "Started" }
      ])
      assert.include((yield* Effect.flip(run([queued("x", null, "none")]))).message, "not registered")
      yield* join(store, "i")
      assert.deepStrictEqual(yield* claimIds(store, "i"), ["a", "c"])
    }))

  it.live("no row that was there before is locked while it is open", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* given
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* submit(store, deliver(send("w", "first")))
      const other = yield* session
      const body = Effect.gen(function*() {
        yield* store.within([start({ workflowId: "new" }), start({ workflowId: "w" })], [send("w", "m")])
        yield* other.query("BEGIN")
        for (const table of ["workflow", "ownership", "mailbox", "message", "executor", "meta"]) {
          yield* other.query(`SELECT 1 FROM ${schema}.${table} FOR UPDATE NOWAIT`)
        }
        yield* other.query("ROLLBACK")
      })
      yield* Effect.provideService(sql.withTransaction(body), SqlClient, sql)
    }))

  it.live("outside of a transaction, and on a client of another database, it is refused, and nothing is written", () =>
    Effect.gen(function*() {
      const { sql, store } = yield* given
      const elsewhere = yield* open(freshSchema(), { database: "postgres" })
      const inside = store.within([start({ workflowId: "new" })], [])
      const nested = yield* Effect.flip(Effect.provideService(inside, SqlClient, sql))
      const foreign = yield* Effect.flip(
        elsewhere.sql.withTransaction(Effect.provideService(inside, SqlClient, elsewhere.sql))
      )
      assert.deepStrictEqual([nested, foreign].map((error) => "why" in error ? error.why : error._tag), [
        "nested",
        "foreign"
      ])
      assert.isNull(yield* store.get("new"))
    }))

  it.live("messages of one sender stay in order, whoever drains, and each is there once", () =>
    Effect.gen(function*() {
      const all = yield* given
      const { schema, sql, store } = all
      const others = yield* Effect.forEach([1, 2, 3], () => open(schema))
      yield* join(store, "i")
      for (const id of ["w", "v"]) yield* startOwned(store, id, "i")
      const total = 60
      const sending = Effect.forEach(rounds(total), (round) =>
        Effect.provideService(
          sql.withTransaction(store.within([], [send("w", `${round}`), send("v", `${round}`), send("w", `${round}+`)])),
          SqlClient,
          sql
        ), { discard: true })
      yield* Effect.all([
        sending,
        ...others.map((other) => Effect.forEach(rounds(total), () => other.store.sweep(10), { discard: true }))
      ], { concurrency: "unbounded" })
      yield* drained(store, "w", 2 * total)
      yield* drained(store, "v", total)
      assert.deepStrictEqual(yield* idsOf(store, "w"), rounds(total).flatMap((round) => [`${round}`, `${round}+`]))
      assert.deepStrictEqual(yield* idsOf(store, "v"), rounds(total).map(String))
      yield* emptied(all)
    }))

  it.live("what cannot be delivered any more is dropped, and the rest of its destination is not", () =>
    Effect.gen(function*() {
      const all = yield* given
      const { sql, store } = all
      yield* join(store, "i")
      for (const id of ["w", "v"]) yield* startOwned(store, id, "i")
      const body = Effect.gen(function*() {
        yield* store.within([], [
          send("w", "a"),
          send("w", "b"),
          send("w", "a", { payload: "1" }),
          send("w", "c"),
          send("v", "a")
        ])
        yield* recorded(store, advance("v", 1, { end: succeed }))
      })
      yield* Effect.provideService(sql.withTransaction(body), SqlClient, sql)
      yield* emptied(all)
      assert.deepStrictEqual([yield* idsOf(store, "w"), yield* idsOf(store, "v")], [["a", "b", "c"], []])
    }))
})
