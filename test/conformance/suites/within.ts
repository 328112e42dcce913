import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { SqlClient } from "effect/sql/SqlClient"
import type { Send, Start } from "perdure/Store"
import type { Client, Suite } from "../Backend.ts"
import { advance, record, send, start, suspend } from "../builders.ts"
import { limits, place } from "../queues.ts"
import { claimIds, historyOf, isDue, join, recorded, startDone, startOwned, submit, sweep } from "../verbs.ts"

/** A table of the application, which outlives a test where tests share a database. */
const shop = ({ sql }: Client) =>
  Effect.andThen(sql`CREATE TABLE IF NOT EXISTS paid (id TEXT NOT NULL)`, sql`DELETE FROM paid`)

const pay = ({ sql }: Client) => sql`INSERT INTO paid (id) VALUES ('p')`

const payments = ({ sql }: Client) => Effect.map(sql`SELECT id FROM paid`, (rows) => rows.length)

/** As a part of whatever transaction the client is in. */
const within = ({ sql, store }: Client, starts: ReadonlyArray<Start>, sends: ReadonlyArray<Send> = []) =>
  Effect.provideService(store.within(starts, sends), SqlClient, sql)

const idsOf = ({ store }: Client, workflowId: string) =>
  Effect.map(store.messages(workflowId, { topic: null, limit: 9 }), (rows) => rows.map(({ messageId }) => messageId))

/** Sweeps, which has sent messages delivered and does not wait for them, until so many are there. */
const delivered = (client: Client, workflowId: string, count: number) =>
  Effect.repeat(Effect.andThen(sweep(client.store), idsOf(client, workflowId)), { until: (ids) => ids.length >= count })

const started = { _tag: "Started" } as const

export const startingWithin: Suite = (claim) => {
  claim("what is started is there with the application's rows, and not before", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* shop(given)
      yield* join(given.store, "i")
      const wrote = yield* Deferred.make<void>()
      const commit = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(given.sql.withTransaction(Effect.gen(function*() {
        yield* pay(given)
        const answers = yield* within(given, [
          start({ workflowId: "a" }),
          start({ workflowId: "b", attributes: { a: 1 } })
        ])
        yield* Deferred.succeed(wrote, undefined)
        yield* Deferred.await(commit)
        return answers
      })))
      yield* Deferred.await(wrote)
      assert.isNull(yield* other.store.get("a"))
      yield* Deferred.succeed(commit, undefined)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { starts: [started, started], sends: [] })
      assert.strictEqual(yield* payments(given), 1)
      assert.deepInclude(yield* given.store.get("b"), { status: "ENQUEUED", epoch: 0, attributes: { a: 1 } })
      assert.deepStrictEqual((yield* claimIds(given.store, "i")).sort(), ["a", "b"])
    }))

  claim("what is started and sent is gone with a transaction that is rolled back", (given) =>
    Effect.gen(function*() {
      yield* shop(given)
      yield* join(given.store, "i")
      yield* startOwned(given.store, "w", "i")
      const failing = Effect.gen(function*() {
        yield* pay(given)
        yield* within(given, [start({ workflowId: "a" })], [send("w", "m")])
        return yield* Effect.fail("no")
      })
      assert.strictEqual(yield* Effect.flip(given.sql.withTransaction(failing)), "no")
      yield* sweep(given.store)
      assert.deepStrictEqual([yield* payments(given), yield* given.store.get("a"), yield* idsOf(given, "w")], [
        0,
        null,
        []
      ])
      yield* given.sql.withTransaction(within(given, [start({ workflowId: "a" })]))
      assert.isNotNull(yield* given.store.get("a"))
    }))

  claim(
    "starts are answered as they are outside: there already, taken, a deduplication id that is held",
    (given) =>
      Effect.gen(function*() {
        const { store } = given
        yield* store.registerQueue("q", limits())
        const queue = place({ priority: 3, deduplicationId: "d" })
        yield* submit(store, start({ workflowId: "taken", payload: "0" }))
        const once = start({ workflowId: "a" })
        const { starts } = yield* given.sql.withTransaction(
          within(given, [
            once,
            once,
            start({ workflowId: "taken" }),
            start({ workflowId: "holder", queue }),
            start({ workflowId: "second", queue }),
            start({ workflowId: "later", delayMs: 1e9 })
          ])
        )
        assert.deepStrictEqual(starts, [
          started,
          started,
          { _tag: "Exists", same: false, name: "Order" },
          started,
          { _tag: "Duplicate", workflowId: "holder", name: "Order" },
          started
        ])
        assert.deepInclude(yield* store.get("holder"), { status: "ENQUEUED", queue: "q", priority: 3 })
        assert.strictEqual((yield* store.get("later"))!.status, "DELAYED")
        assert.deepStrictEqual(yield* given.sql.withTransaction(within(given, [once])), {
          starts: [started],
          sends: []
        })
      })
  )

  claim("a message comes after the commit, and wakes who waits for it", (given) =>
    Effect.gen(function*() {
      const { store } = given
      yield* join(store, "i")
      for (const id of ["w", "v"]) yield* startOwned(store, id, "i")
      yield* recorded(store, advance("w", 1, { end: suspend() }))
      const { sends } = yield* given.sql.withTransaction(
        within(given, [], [send("w", "a"), send("v", "a"), send("w", "b"), send("w", "a")])
      )
      assert.deepStrictEqual(sends, [null, null, null, null])
      assert.deepStrictEqual([yield* delivered(given, "w", 2), yield* delivered(given, "v", 1)], [["a", "b"], ["a"]])
      assert.isTrue(yield* isDue(store, "w"))
      yield* sweep(store)
      assert.deepStrictEqual(yield* idsOf(given, "w"), ["a", "b"])
    }))

  claim("each send that cannot be is told, and the others go out", (given) =>
    Effect.gen(function*() {
      const { store } = given
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* startDone(store, "done", "i")
      const { sends } = yield* given.sql.withTransaction(
        within(given, [], [send("nobody", "a"), send("w", "a"), send("done", "a")])
      )
      assert.deepStrictEqual(sends, ["unknown", null, "ended"])
      assert.deepStrictEqual(yield* delivered(given, "w", 1), ["a"])
    }))

  claim("one that is started in the transaction may be sent to in it", (given) =>
    Effect.gen(function*() {
      const { sends } = yield* given.sql.withTransaction(within(given, [start({ workflowId: "a" })], [send("a", "m")]))
      assert.deepStrictEqual(sends, [null])
      assert.deepStrictEqual(yield* delivered(given, "a", 1), ["m"])
    }))

  claim(
    "outside of a transaction, and with another database's client, it is refused",
    (given) =>
      Effect.gen(function*() {
        const other = yield* Effect.flatMap(given.elsewhere, given.connect)
        const outside = yield* Effect.flip(within(given, [start({ workflowId: "a" })]))
        assert.deepInclude(outside, { _tag: "TransactionAborted", why: "nested" })
        const foreign = yield* Effect.flip(
          other.sql.withTransaction(within({ sql: other.sql, store: given.store }, [start({ workflowId: "a" })]))
        )
        assert.deepInclude(foreign, { _tag: "TransactionAborted", why: "foreign" })
        assert.isNull(yield* given.store.get("a"))
      })
  )

  claim("a durable transaction may start and send, with its record or not at all", (given) =>
    Effect.gen(function*() {
      const { sql, store } = given
      yield* shop(given)
      yield* join(store, "i")
      for (const id of ["w", "v"]) yield* startOwned(store, id, "i")
      const options = { isolation: undefined, timeoutMs: 30_000 } as const
      const body = (id: string) =>
        Effect.andThen(pay(given), store.within([start({ workflowId: id })], [send("v", id)]))
      const run = (id: string, epoch: number) =>
        store.transaction("w", epoch, body(id), () => Effect.succeed(record(0)), options).pipe(
          Effect.provideService(SqlClient, sql)
        )
      yield* run("a", 1)
      const fenced = yield* Effect.flip(run("b", 7))
      assert.deepInclude(fenced, { _tag: "TransactionAborted", why: "fenced" })
      assert.deepStrictEqual([(yield* store.get("a")) !== null, yield* store.get("b")], [true, null])
      assert.deepStrictEqual(yield* delivered(given, "v", 1), ["a"])
      assert.lengthOf(yield* historyOf(store, "w"), 1)
    }))
}
