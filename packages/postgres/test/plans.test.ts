/**
 * The class of bug hunted here: a plan that was made while the tables were empty and walks them once they are not. Rows
 * read are counted, no time is measured.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Operation } from "perdure/Store"
import {
  advance,
  childOf,
  deliver,
  entry,
  event,
  record,
  release,
  send,
  start,
  succeed,
  suspend
} from "../../../test/conformance/builders.ts"
import { limits, queued } from "../../../test/conformance/queues.ts"
import { join, write } from "../../../test/conformance/verbs.ts"
import { flushIn, freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

const size = 50

const debounced = (workflowId: string, id: string) =>
  queued(workflowId, { deduplicationId: `b${id}`, debounce: { limitMs: 9_000_000, expected: null } }, {
    delayMs: 1_000_000
  })

/** Of each kind, `size` operations on workflows whose ids begin with `prefix`. */
const flushes = (prefix: string): ReadonlyArray<readonly [string, ReadonlyArray<Operation>]> => {
  const ids = Array.from({ length: size }, (_, i) => `${prefix}${i}`)
  const each = (f: (id: string, i: number) => Operation) => ids.map(f)
  return [
    ["start", each((id) => start({ workflowId: id, owner: "i", timeoutMs: 60_000 }))],
    ["start again", each((id) => start({ workflowId: id, owner: "i" }))],
    ["record", each((id) => advance(id, 1, { records: [record(0)], children: [childOf(id, 0, { owner: "i" })] }))],
    ["record again", each((id) => advance(id, 1, { records: [record(0)] }))],
    ["fenced", each((id) => advance(id, 7, { records: [record(1)] }))],
    ["suspend", each((id) => advance(id, 1, { end: suspend({ awaiting: [`${id}-0`] }) }))],
    ["suspend again", each((id) => advance(id, 1, { end: suspend({ awaiting: [`${id}-0`] }) }))],
    ["settle and wake", each((id) => advance(`${id}-0`, 1, { end: succeed }))],
    ["settle again", each((id) => advance(`${id}-0`, 1, { end: succeed }))],
    ["start talkers", each((id) => start({ workflowId: `${id}-t`, owner: "i" }))],
    ["start told", each((id) => start({ workflowId: `${id}-u`, owner: "i" }))],
    ["deliver", each((id) => deliver(send(`${id}-t`, "m"), send(`${prefix}0-t`, id)))],
    ["deliver again", each((id) => deliver(send(`${id}-t`, "m"), send(`${prefix}0-t`, id)))],
    ["deliver to nobody", each((id) => deliver(send(`${id}-nobody`, "m")))],
    [
      "consume and tell",
      each((id, i) =>
        advance(`${id}-t`, 1, {
          records: [record(0)],
          consumes: [{ seq: 1, stepId: 0 }],
          sends: [send(`${prefix}${(i + 1) % size}-t`, `n${i}`)],
          events: [event("e", "1")],
          entries: [entry(0), entry(1, { attempt: 1 })],
          supersedes: [{ stepId: 1, attempt: 1 }]
        })
      )
    ],
    [
      "await",
      each((id) =>
        advance(`${id}-t`, 1, {
          end: suspend({
            inbox: id === `${prefix}0` ? size + 2 : 2,
            awaiting: [
              { workflowId: `${id}-u`, on: "event", key: "x" },
              { workflowId: `${id}-u`, on: "stream", key: "x", from: 1 }
            ]
          })
        })
      )
    ],
    ["tell", each((id) => advance(`${id}-u`, 1, { events: [event("x", "1")], entries: [entry(0, { key: "x" })] }))],
    [
      "tell again",
      each((id) => advance(`${id}-u`, 1, { events: [event("x", "1")], entries: [entry(0, { key: "x" })] }))
    ],
    ["tell, fenced", each((id) => advance(`${id}-0`, 1, { events: [event("x", "1")], entries: [entry(0)] }))],
    ["enqueue", each((id) => queued(`${id}-q`, { deduplicationId: id, partitionKey: id }))],
    ["enqueue again", each((id) => queued(`${id}-q`, { deduplicationId: id, partitionKey: id }))],
    ["enqueue duplicates", each((id) => queued(`${id}-d`, { deduplicationId: id }))],
    ["debounce", each((id) => debounced(`${id}-b`, id))],
    ["debounce again", each((id) => debounced(`${id}-c`, id))],
    ["start others", each((id) => start({ workflowId: `${id}-r`, owner: "i" }))],
    [
      "release and block",
      each((id, i) => advance(`${id}-r`, 1, { end: i % 2 === 0 ? release : { _tag: "Block", reason: "{}" } }))
    ]
  ]
}

describe("plans", () => {
  for (const rows of ["no row", "one row"] as const) {
    it.live(`made on tables that were analyzed with ${rows}, they read no more when the tables are full`, () =>
      Effect.gen(function*() {
        const { schema, sql, store } = yield* open(freshSchema())
        const connection = yield* session
        const tables = [
          "workflow",
          "ownership",
          "mailbox",
          "step",
          "attempt",
          "deadline",
          "waiter",
          "message",
          "event",
          "stream",
          "queue_item",
          "deduplication",
          "debounced",
          "partition",
          "partition_mark",
          "executor",
          "revoked"
        ]
        // no new statistics for the plans to be made again with
        yield* sql.unsafe(`UPDATE ${schema}.meta SET analyzed = true`)
        yield* join(store, "i")
        yield* store.registerQueue("q", limits())
        if (rows === "one row") {
          yield* write(store, [start({ workflowId: "one", owner: "i", timeoutMs: 3_600_000 })])
          yield* write(store, [advance("one", 1, {
            records: [record(0)],
            children: [childOf("one", 0)],
            end: suspend({ awaiting: ["one-0"] })
          })])
        }
        for (const table of tables) {
          yield* sql.unsafe(`ALTER TABLE ${schema}.${table} SET (autovacuum_enabled = false)`)
          yield* sql.unsafe(`ANALYZE ${schema}.${table}`)
        }
        const outside = [
          ["claim", `SELECT count(*) FROM ${schema}.claim_1('i', '{Order}', '{1}', NULL, ${size})`],
          [
            "cancel",
            `SELECT count(*) FROM ${schema}.cancel_1(100, ARRAY(SELECT 'x' || n FROM generate_series(0, ${size}) n), '{}', '{}', true)`
          ],
          [
            "resume",
            `SELECT count(*) FROM ${schema}.resume_1(100, ARRAY(SELECT 'x' || n FROM generate_series(0, ${size}) n))`
          ],
          ["expire", `SELECT count(*) FROM ${schema}.expire_1(false, 100, ${size}, '{}', '{}')`],
          ["release", `SELECT count(*) FROM ${schema}.release_1('i', ${size})`],
          ["recover", `SELECT count(*) FROM ${schema}.recover_1(0, ${size})`]
        ] as const
        const read = Effect.map(
          connection.query(
            `SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::float8 AS rows
           FROM pg_stat_xact_user_tables WHERE schemaname = $1::text`,
            [schema]
          ),
          ({ rows }) => Number(rows[0]!.rows)
        )
        const measure = Effect.fnUntraced(function*(prefix: string) {
          const counts = new Map<string, number>()
          yield* connection.query("BEGIN")
          const note = Effect.fnUntraced(function*(what: string, effect: Effect.Effect<unknown, unknown>) {
            const before = yield* read
            yield* effect
            counts.set(what, (yield* read) - before)
          })
          for (const [what, batch] of flushes(prefix)) yield* note(what, flushIn(connection, schema, batch))
          for (const [what, text] of outside) yield* note(what, connection.query(text.replaceAll("'x'", `'${prefix}'`)))
          yield* connection.query("ROLLBACK")
          return counts
        })
        const empty = yield* measure("small")
        for (let part = 0; part < 10; part++) {
          const ids = Array.from({ length: 500 }, (_, i) => `full${part}-${i}`)
          yield* write(store, ids.map((workflowId) => start({ workflowId, owner: "i", timeoutMs: 3_600_000 })))
          yield* write(store, ids.map((id) => deliver(send(id, "m"))))
          yield* write(
            store,
            ids.map((id, i) =>
              advance(id, 1, {
                records: [record(0)],
                events: [event("e", "1")],
                entries: [entry(0)],
                end: suspend({
                  inbox: 1,
                  awaiting: [{ workflowId: ids[(i + 1) % ids.length]!, on: "event", key: "never" }]
                })
              })
            )
          )
          yield* write(store, ids.map((id) => start({ workflowId: `${id}-u`, name: "Unserved" })))
          yield* write(store, ids.map((id) => queued(`${id}-q`, { deduplicationId: id })))
        }
        const full = yield* measure("large")
        // a few rows per operation, and nothing that grows with the ten thousand
        for (const [what, count] of full) {
          assert.isBelow(count, Math.max(empty.get(what)! * 2, size * 30), `${what}: ${empty.get(what)} rows before`)
        }
      }))
  }
})
