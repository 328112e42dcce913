/**
 * The class of bug hunted here: a claim that reads more the more is waiting. The plans are made while the tables are empty;
 * then 100,000 wait, in the way or not, and rows read are counted, no time is measured.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { QueueLimits, StoreService } from "perdure/Store"
import { advance, start, suspend } from "../../../test/conformance/builders.ts"
import { enqueue, limits, perKey, queued, takeIds } from "../../../test/conformance/queues.ts"
import { cancel, recorded } from "../../../test/conformance/verbs.ts"
import { freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

const many = 100_000
const taken = 20

interface Case {
  readonly name: string
  readonly given: Partial<QueueLimits>
  /** What waits so often. */
  readonly item: Parameters<typeof queued>
  /** The partition key of copy `n`. */
  readonly key?: string
  /** It is served, and comes before anything else. */
  readonly itself?: boolean
}

const rateLimit = { limit: taken, periodMs: 60_000 }

const cases: ReadonlyArray<Case> = [
  { name: "without limits, with what nobody here serves before it", given: {}, item: ["w", {}, { name: "Aside" }] },
  {
    name: "within limits, with what nobody here serves before it",
    given: { concurrency: taken, executorConcurrency: taken, rateLimit },
    item: ["w", { priority: 9 }, { name: "Aside" }]
  },
  {
    name: "within a rate that it uses up, with what nobody here serves before it",
    given: { rateLimit },
    item: ["w", { priority: 9 }, { name: "Aside" }]
  },
  {
    name: "within a rate of a partitioned queue that it uses up, with very many keys that nobody here serves",
    given: { rateLimit, partitioned: perKey() },
    item: ["w", { partitionKey: "key" }, { name: "Aside" }],
    key: "'key' || n"
  },
  { name: "without limits, of very many that wait", given: {}, item: ["w"], itself: true },
  {
    name: "within limits, of very many that wait",
    given: { concurrency: taken, rateLimit },
    item: ["w"],
    itself: true
  },
  {
    name: "of one hot key",
    given: { partitioned: perKey({ concurrency: 3, executorConcurrency: 3, rateLimit }) },
    item: ["w", { partitionKey: "hot" }],
    itself: true
  },
  {
    name: "beside a hot key whose first one nobody here serves",
    given: { partitioned: perKey() },
    item: ["w", { partitionKey: "hot" }, { name: "Aside" }]
  },
  {
    name: "with very many keys before it that nobody here serves",
    given: { partitioned: perKey() },
    item: ["w", { partitionKey: "key" }, { name: "Aside" }],
    key: "'key' || n"
  },
  { name: "beside very many that are delayed", given: {}, item: ["w", {}, { delayMs: 1_000_000_000 }] }
]

/** So many copies of what waits of `w`, each with a place of its own; the first hundred are whole workflows. */
const fill = (schema: string, key: string | undefined): ReadonlyArray<string> => [
  `INSERT INTO ${schema}.queue_item (workflow_id, queue, name, version, state, rank, enqueued_at, due_at, partition_key)
   SELECT 'w' || n, t.queue, t.name, t.version, t.state, t.rank, t.enqueued_at, t.due_at, ${key ?? "t.partition_key"}
   FROM ${schema}.queue_item t CROSS JOIN generate_series(1, ${many}) n WHERE t.workflow_id = 'w' ORDER BY n`,
  ...["workflow", "ownership"].map((table) =>
    `INSERT INTO ${schema}.${table}
     SELECT (jsonb_populate_record(t, jsonb_build_object('workflow_id', 'w' || n))).*
     FROM ${schema}.${table} t CROSS JOIN generate_series(1, 100) n WHERE t.workflow_id = 'w'`
  ),
  ...(key === undefined ? [] : [
    `INSERT INTO ${schema}.partition (queue, partition_key, running, name, version, rank, seq, ready)
     SELECT i.queue, i.partition_key, 0, i.name, i.version, i.rank, i.seq, true
     FROM ${schema}.queue_item i WHERE i.name = 'Aside'`
  ])
]

/** A store whose executor `i` has a lease that outlasts the filling, and a claim in a session of its own, undone again. */
const setUp = Effect.gen(function*() {
  const { schema, sql, store } = yield* open(freshSchema())
  const connection = yield* session
  yield* sql.unsafe(`UPDATE ${schema}.meta SET analyzed = true`)
  yield* store.join({ incarnation: "i", executorId: "i", version: "1" }, 36_000_000)
  const claim = Effect.gen(function*() {
    yield* connection.query("BEGIN")
    // One more than it gets, so that it also looks when the rest may start.
    const { rows } = yield* connection.query(
      `SELECT claimed_->'row'->>'workflowId' AS id
       FROM ${schema}.claim_1('i', '{Order,Never}', '{1,1}', NULL, ${taken + 1}) WHERE claimed_ IS NOT NULL`
    )
    const read = yield* connection.query(
      `SELECT coalesce(sum(idx_tup_fetch), 0)::float8 AS fetched,
         coalesce(sum(seq_tup_read) FILTER (WHERE relname NOT IN ('meta', 'queue')), 0)::float8 AS walked
       FROM pg_stat_xact_user_tables WHERE schemaname = $1::text`,
      [schema]
    )
    yield* connection.query("ROLLBACK")
    const { fetched, walked } = read.rows[0]!
    return { ids: rows.map(({ id }) => String(id)), fetched: Number(fetched), walked: Number(walked) }
  })
  return { schema, sql, store, claim }
})

const mine = ({ partitioned }: Partial<QueueLimits>, part: string) =>
  Array.from({ length: taken }, (_, i) => queued(`${part}${i}`, partitioned ? { partitionKey: `${part}${i}` } : {}))

/** Claims once for good, so that nothing of it counts later. */
const claimOnce = Effect.fnUntraced(function*(store: StoreService, given: Partial<QueueLimits>) {
  const ids = mine(given, "before").map(({ workflowId }) => workflowId)
  yield* enqueue(store, mine(given, "before"))
  return Effect.gen(function*() {
    assert.sameMembers(yield* takeIds(store, "i"), ids)
    yield* cancel(store, ids)
  })
})

describe("plans of claims from queues", () => {
  for (const { given, item, itself, key, name } of cases) {
    it.live(`a claim ${name} reads a few rows for each that it takes`, () =>
      Effect.gen(function*() {
        const { claim, schema, sql, store } = yield* setUp
        yield* store.registerQueue("q", limits(given))
        const rest = yield* claimOnce(store, given)
        const empty = yield* claim
        assert.lengthOf(empty.ids, taken)
        yield* rest
        yield* sql.unsafe(`DELETE FROM ${schema}.queue_start`)
        yield* enqueue(store, [queued(...item)])
        for (const text of fill(schema, key)) yield* sql.unsafe(text)
        yield* enqueue(store, mine(given, "after"))
        const full = yield* claim
        assert.strictEqual(full.walked, 0)
        assert.isBelow(full.fetched, empty.fetched * 2 + taken * 20)
        if (itself === true) assert.isNotEmpty(full.ids)
        else assert.sameMembers(full.ids, mine(given, "after").map(({ workflowId }) => workflowId))
      }), 300_000)
  }

  it.live(
    "a claim beside very many that sleep, and were admitted by a queue, reads no more",
    () =>
      Effect.gen(function*() {
        const { claim, schema, sql, store } = yield* setUp
        yield* store.registerQueue("q", limits())
        yield* enqueue(store, [queued("w"), start({ workflowId: "plain" })])
        const empty = yield* claim
        yield* takeIds(store, "i")
        yield* recorded(store, advance("w", 1, { end: suspend({ wakeAt: (yield* store.now) + 1_000_000_000 }) }))
        yield* sql.unsafe(
          `INSERT INTO ${schema}.mailbox (workflow_id, name, version, wake_at, waits, queue)
         SELECT 'w' || n, t.name, t.version, t.wake_at, t.waits, t.queue
         FROM ${schema}.mailbox t CROSS JOIN generate_series(1, ${many}) n WHERE t.workflow_id = 'w'`
        )
        assert.isBelow((yield* claim).fetched, empty.fetched * 2)
      }),
    300_000
  )
})
