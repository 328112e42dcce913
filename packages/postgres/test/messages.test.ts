/**
 * The class of bug hunted here: workflows that tell each other things at the same time, in every order: deadlocks, lost
 * wake-ups, numbers given twice, and senders that keep others from writing.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Advance, Answer, Operation, StoreService } from "perdure/Store"
import {
  advance,
  deliver,
  entry,
  event,
  record,
  send,
  start,
  succeed,
  suspend
} from "../../../test/conformance/builders.ts"
import { claim, isDue, join, recorded, rounds, startOwned, submit, write } from "../../../test/conformance/verbs.ts"
import { flushIn, freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

const given = Effect.suspend(() => open(freshSchema()))

/**
 * Runs `body` with so many processes' worth of stores on one schema, and fails when there was a deadlock. The sessions
 * report theirs when they end, so it is counted after that.
 */
const withoutDeadlock = <E, R>(
  count: number,
  body: (stores: ReadonlyArray<StoreService>) => Effect.Effect<unknown, E, R>
) =>
  Effect.gen(function*() {
    const watching = yield* session
    const schema = freshSchema()
    const read = (text: string) => Effect.map(watching.queryValues(text, []), ([row]) => Number(row![0]))
    const deadlocks = read("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    const before = yield* deadlocks
    yield* Effect.scoped(Effect.flatMap(
      Effect.forEach(Array.from({ length: count }), () => Effect.map(open(schema), ({ store }) => store)),
      body
    ))
    yield* Effect.repeat(
      read("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"),
      { until: (others) => others === 0 }
    )
    assert.strictEqual(yield* deadlocks, before)
  })

const shuffled = <A>(items: ReadonlyArray<A>, seed: number): Array<A> => {
  const copy = [...items]
  let state = seed + 1
  for (let i = copy.length - 1; i > 0; i--) {
    state = (state * 1103515245 + 12345) % 2147483648
    const j = state % (i + 1)
    ;[copy[i], copy[j]] = [copy[j]!, copy[i]!]
  }
  return copy
}

const started = (store: StoreService, ids: ReadonlyArray<string>) =>
  write(store, ids.map((workflowId) => start({ workflowId, owner: "i" })))

const tags = (answers: ReadonlyArray<Answer>) => answers.map(({ _tag }) => _tag)

describe("messages on PostgreSQL", () => {
  it.live("workflows that all send to each other at once neither deadlock nor lose or misnumber a message", () =>
    withoutDeadlock(
      4,
      Effect.fnUntraced(function*(stores) {
        const store = stores[0]!
        const ids = Array.from({ length: 12 }, (_, i) => `w${i}`)
        yield* join(store, "i")
        yield* started(store, ids)
        const total = 15
        // each process has some of the workflows, and writes for all of its own at once, to all the others
        yield* Effect.forEach(stores, (mine, process) =>
          Effect.forEach(rounds(total), (round) => {
            const own = ids.filter((_, i) => i % stores.length === process)
            const batch: ReadonlyArray<Operation> = own.map((id, i) =>
              advance(id, 1, {
                records: [record(round)],
                sends: shuffled(ids, round * 31 + i + process).map((to) =>
                  send(to, `${id}-${round}`, { senderId: id })
                ),
                events: round % 3 === 0 ? [event("e", String(round), round)] : []
              })
            )
            return Effect.map(
              write(mine, [...batch, deliver(send(ids[round % ids.length]!, `out-${process}-${round}`))]),
              (
                answers
              ) => assert.deepStrictEqual(tags(answers), [...own.map(() => "Recorded" as const), "Delivered"])
            )
          }), { concurrency: "unbounded", discard: true })
        for (const [i, id] of ids.entries()) {
          const rows = yield* store.messages(id, { topic: null, limit: 10_000 })
          const extra = rounds(total).filter((round) => round % ids.length === i).length * stores.length
          assert.deepStrictEqual(
            rows.map(({ seq }) => seq),
            Array.from({ length: ids.length * total + extra }, (_, n) => n + 1)
          )
          for (const sender of ids) {
            const own = rows.filter(({ senderId }) => senderId === sender).map(({ messageId }) => messageId)
            assert.deepStrictEqual(own, rounds(total).map((round) => `${sender}-${round}`))
          }
        }
      })
    ))

  it.live("suspending, sending, telling and ending across one another neither deadlocks nor loses a wake-up", () =>
    withoutDeadlock(
      2,
      Effect.fnUntraced(function*(stores) {
        const [store, other] = [stores[0]!, stores[1]!]
        yield* join(store, "i")
        for (const round of rounds(40)) {
          const ids = Array.from({ length: 12 }, (_, i) => `${round}-${i}`)
          yield* started(store, ids.flatMap((id) => [`s${id}`, `t${id}`]))
          // what each sleeper waits for: a message, an end, an event, an entry
          const sleeps = ids.map((id, i): Advance =>
            advance(`s${id}`, 1, {
              records: [record(0)],
              end: suspend({
                awaiting: [
                  [],
                  [`t${id}`],
                  [{ workflowId: `t${id}`, on: "event", key: "k" } as const],
                  [{ workflowId: `t${id}`, on: "stream", key: "k", from: 0 } as const]
                ][i % 4]!
              })
            })
          )
          const tells = ids.map((id, i): Operation =>
            [
              deliver(send(`s${id}`, "m")),
              advance(`t${id}`, 1, { end: succeed, sends: [send(`s${ids[(i + 5) % 12]}`, `n${i}`)] }),
              advance(`t${id}`, 1, { events: [event("k", "1")] }),
              advance(`t${id}`, 1, {
                entries: [entry(0, { key: "k" })],
                sends: [send(`t${ids[(i + 8) % 12]}`, `n${i}`)]
              })
            ][i % 4]!
          )
          // each side has half of both, in an order of its own
          const half = (even: boolean) =>
            shuffled([...sleeps, ...tells].filter((_, i) => (i % 2 === 0) === even), round + (even ? 0 : 7))
          const [left, right] = [half(true), half(false)]
          const answers = yield* Effect.all([write(store, left), write(other, right)], { concurrency: 2 })
          const stirred = new Set(
            [...left, ...right].flatMap((operation, i) =>
              answers.flat()[i]!._tag === "Stirred" ? [(operation as Advance).workflowId] : []
            )
          )
          for (const id of ids) {
            if (!stirred.has(`s${id}`)) assert.isTrue(yield* isDue(store, `s${id}`), `s${id} sleeps`)
          }
        }
      })
    ))

  it.live("one that is sent to without end records, sleeps, is claimed and ends all the same", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const others = yield* Effect.forEach([1, 2, 3], () => open(schema))
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      let sent = 0
      const flood = yield* Effect.forkChild(
        Effect.forEach(
          others,
          (other) =>
            Effect.forever(
              Effect.suspend(() =>
                other.store.write(Array.from({ length: 20 }, () => deliver(send("w", `m${sent++}`))))
              )
            ),
          { concurrency: "unbounded" }
        )
      )
      // What the destination asks for is not held up by locks, unless a backend stands still while it holds one.
      let held = 0
      const unlessHeld = Effect.fnUntraced(function*<A, E>(ask: Effect.Effect<A, E>, isHeld: (answer: A) => boolean) {
        while (true) {
          const answer = yield* ask
          if (!isHeld(answer)) return answer
          assert.isAtMost(++held, 3, "it is held up by locks")
        }
      })
      const advanced = (given: Parameters<typeof advance>[2]) =>
        unlessHeld(Effect.map(store.write([advance("w", epoch, given)]), tags), ([tag]) => tag === "Busy")
      const claiming = Effect.catchIf(
        claim(store, "i"),
        ({ reason }) => reason._tag === "StoreUnavailable" && reason.code === "55P03",
        () => Effect.succeed({ claimed: [] })
      )
      let epoch = 1
      for (const round of rounds(50)) {
        const inbox = (yield* store.inboxes(["w"])).get("w")!
        const end = suspend({ inbox, wakeAt: yield* store.now })
        const suspended = yield* advanced({ records: [record(round)], end })
        if (suspended[0] !== "Stirred") {
          assert.deepStrictEqual(suspended, ["Recorded"])
          // its mailbox is locked nearly always, and still one claim is enough
          const { claimed } = yield* unlessHeld(claiming, ({ claimed }) => claimed.length === 0)
          epoch = claimed[0]!.row.epoch
        } else assert.deepStrictEqual(yield* advanced({ records: [record(round)] }), ["Recorded"])
      }
      assert.deepStrictEqual(yield* advanced({ end: succeed }), ["Recorded"])
      yield* Fiber.interrupt(flood)
    }))

  it.live("a thousand messages to one destination cost its row one update, and read a few rows each", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const connection = yield* session
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* submit(store, deliver(send("w", "first")))
      yield* connection.query("BEGIN")
      const sends = Array.from({ length: 1_000 }, (_, i) => send("w", `m${i}`))
      yield* flushIn(connection, schema, [
        deliver(...sends.slice(0, 500)),
        ...sends.slice(500).map((one) => deliver(one))
      ])
      const { rows } = yield* connection.query(
        `SELECT relname, (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::float8 AS read, n_tup_upd::float8 AS updated
         FROM pg_stat_xact_user_tables WHERE schemaname = $1::text AND relname IN ('mailbox', 'message')`,
        [schema]
      )
      const of = (table: string) => rows.find((row) => row.relname === table) as { read: number; updated: number }
      assert.strictEqual(of("mailbox").updated, 1)
      assert.isBelow(of("mailbox").read, 20)
      assert.isBelow(of("message").read, 2_000)
      yield* connection.query("ROLLBACK")
    }))

  it.live("a renewal reads what it forgets of them, on tables that were analyzed when they were empty, too", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* given
      const connection = yield* session
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* sql.unsafe(`ALTER TABLE ${schema}.message SET (autovacuum_enabled = false)`)
      yield* sql.unsafe(`ANALYZE ${schema}.message`)
      // unread, consumed long ago, consumed just now
      yield* sql.unsafe(
        `INSERT INTO ${schema}.message (workflow_id, seq, message_id, topic, payload, codec, sent_at, consumed_by)
         SELECT 'w', n, n, 't', '1', 'json', CASE WHEN n <= 20000 THEN n ELSE ${schema}.now_ms() END,
           CASE WHEN n > 10000 THEN n END FROM generate_series(1, 30000) n`
      )
      yield* connection.query("BEGIN")
      yield* connection.queryValues(`SELECT ${schema}.renew_1(100, 'w', 1, '{}', 'json', 0)`, [])
      const [counts] = yield* connection.queryValues(
        `SELECT n_tup_del, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
         WHERE schemaname = $1::text AND relname = 'message'`,
        [schema]
      )
      const [deleted, read] = counts!.map(Number)
      assert.strictEqual(deleted, 1_000)
      assert.isAtMost(read!, 2_000)
      yield* connection.query("ROLLBACK")
    }))

  it.live("a stranger who holds a destination makes its messages wait or Busy, and no others", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const stranger = yield* session
      yield* join(store, "i")
      yield* started(store, ["held", "free"])
      yield* stranger.query("BEGIN")
      yield* stranger.query(`SELECT 1 FROM ${schema}.ownership WHERE workflow_id = 'held' FOR UPDATE`)
      const batch = [
        deliver(send("held", "m")),
        deliver(send("free", "m")),
        deliver(send("free", "n"), send("held", "n"))
      ]
      assert.deepStrictEqual(tags(yield* store.write(batch)), ["Busy", "Delivered", "Busy"])
      yield* stranger.query("ROLLBACK")
      assert.deepStrictEqual(tags(yield* store.write(batch)), ["Delivered", "Delivered", "Delivered"])
      // its mailbox is there now, so its ownership row is not asked for any more
      yield* stranger.query("BEGIN")
      yield* stranger.query(`SELECT 1 FROM ${schema}.ownership WHERE workflow_id = 'held' FOR UPDATE`)
      assert.deepStrictEqual(tags(yield* store.write([deliver(send("held", "o"))])), ["Delivered"])
      yield* stranger.query("ROLLBACK")
      yield* recorded(store, advance("held", 1, { end: succeed }))
    }))
})
