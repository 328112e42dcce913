/**
 * The class of bug hunted here: work that grows with the square of how many wait for one workflow, or are its children. What
 * is linear takes seconds here, the square takes minutes: each statement has a limit between the two.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Advance } from "perdure/Store"
import { advance, cancelled, event, start, succeed, suspend } from "../../../test/conformance/builders.ts"
import { join, recorded, startOwned, submit } from "../../../test/conformance/verbs.ts"
import { flushIn, freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

const many = 60_000
const limit = "SET statement_timeout = '30s'"

/** So many more rows like the one of `id` in a table, with ids of their own in this column. */
const copies = (schema: string, table: string, column: string, id: string, count = many) =>
  `INSERT INTO ${schema}.${table}
   SELECT (jsonb_populate_record(t, jsonb_build_object('${column}', t.${column} || n))).*
   FROM ${schema}.${table} t CROSS JOIN generate_series(1, ${count}) n WHERE t.${column} = '${id}'`

describe("very many", () => {
  for (
    const [what, on, told] of [
      ["the end", { workflowId: "t", on: "end" }, { end: succeed }],
      ["an event", { workflowId: "t", on: "event", key: "e" }, { events: [event("e", "1")] }]
    ] as const
  ) {
    it.live(`that wait for ${what} of one workflow are all woken at once`, () =>
      Effect.gen(function*() {
        const { schema, sql, store } = yield* open(freshSchema())
        const flushing = yield* session
        yield* join(store, "i")
        for (const id of ["t", "w"]) yield* startOwned(store, id, "i")
        yield* recorded(store, advance("w", 1, { end: suspend({ awaiting: [on] }) }))
        yield* sql.unsafe(copies(schema, "mailbox", "workflow_id", "w"))
        yield* sql.unsafe(copies(schema, "waiter", "waiter_id", "w"))
        yield* flushing.query(limit)
        yield* flushIn(flushing, schema, [advance("t", 1, told as Partial<Advance>)])
        const count = (where: string) =>
          Effect.map(flushing.queryValues(`SELECT count(*) FROM ${schema}.${where}`, []), ([row]) => Number(row![0]))
        assert.deepStrictEqual(
          [yield* count("mailbox WHERE inbox = 1 AND wake_at IS NOT NULL"), yield* count("waiter")],
          [many + 1, 0]
        )
      }))
  }

  it.live("that are cancelled and many children are told apart at once", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* open(freshSchema())
      const cancelling = yield* session
      yield* submit(store, start({ workflowId: "p" }))
      yield* submit(store, start({ workflowId: "c", parentId: "p" }))
      // they have ended, and of most nobody knows: nothing but the search is left to be done
      yield* sql.unsafe(copies(schema, "workflow", "workflow_id", "c", 12_000))
      yield* cancelling.query(limit)
      const { rows } = yield* cancelling.query(
        `SELECT id_ AS id FROM ${schema}.cancel_1(1000,
           ARRAY(SELECT 'x' || n FROM generate_series(1, ${2 * many}) n) || '{p}', $1::text, $1::text, true)
         WHERE result_ = 'cancelled' ORDER BY 1`,
        [cancelled("user")]
      )
      assert.deepStrictEqual(rows.map(({ id }) => id), ["c", "p"])
    }))
})
