/**
 * The class of bug hunted here: a list, or a look at one thing, that walks a table of a hundred thousand rows to show
 * ten. Rows read are counted, no time is measured.
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inspect } from "node:util"
import type { ListFilter } from "perdure/Store"
import { familyStatement } from "../src/internal/sql/erase.ts"
import { executorsStatement } from "../src/internal/sql/executors.ts"
import { quoteLiteral } from "../src/internal/sql/function.ts"
import {
  countStatement,
  countWithinStatement,
  listStatement,
  listWithinStatement,
  type Statement
} from "../src/internal/sql/listing.ts"
import { dueStatement } from "../src/internal/sql/schedules.ts"
import { freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

const rows = 100_000

/** What a year of use leaves behind: nearly all done, a few of everything else, the oldest first. */
const fill = (s: string): ReadonlyArray<string> => [
  `INSERT INTO ${s}.workflow (workflow_id, token, name, version, status, epoch, payload, codec, output, reason, parent_id,
    detached, user_id, roles, created_at, started_at, completed_at, executor_id, max_recovery_attempts, queue, priority,
    partition_key, deduplication_id, attributes, schedule_name, scheduled_at, forked_from)
  SELECT 'w' || n, '', CASE WHEN n % 1000 = 7 THEN 'Rare' ELSE 'Order' || n % 5 END, CASE n % 500 WHEN 3 THEN 'old' ELSE 'new' END,
    CASE WHEN n % 2000 = 11 THEN 'PENDING' WHEN n % 1000 = 13 THEN 'ERROR' ELSE 'SUCCESS' END, 1, '{}', 'json',
    CASE WHEN n % 2000 <> 11 THEN '1' END, NULL, CASE WHEN n % 100 = 17 THEN 'w' || n - 17 END, false,
    CASE WHEN n % 50 = 1 THEN 'user' || n % 1000 END, '[]', n * 10, n * 10 + 1,
    CASE WHEN n % 2000 <> 11 THEN n * 10 + 2 END, 'e' || n % 3, 1, CASE WHEN n % 10 = 2 THEN 'q' || n % 200 END, 0,
    CASE WHEN n % 10 = 2 THEN 'k' || n % 1000 END, CASE WHEN n % 10 = 2 THEN 'd' || n END,
    CASE WHEN n % 100 = 5 THEN '{"tenant":"t' || n % 2000 || '"}' END,
    CASE WHEN n % 1000 = 23 THEN 'nightly' END, CASE WHEN n % 1000 = 23 THEN n END,
    CASE WHEN n % 5000 = 29 THEN 'w' || n - 1 END
  FROM generate_series(1, ${rows}) n`,
  `INSERT INTO ${s}.ownership (workflow_id, name, version, epoch, phase, executor)
  SELECT w.workflow_id, w.name, w.version, 1, 'run', 'i' FROM ${s}.workflow w WHERE w.status = 'PENDING'`,
  `INSERT INTO ${s}.attribute (workflow_id, key, value)
  SELECT w.workflow_id, 'tenant', (w.attributes::json -> 'tenant')::text
  FROM ${s}.workflow w WHERE w.attributes IS NOT NULL`,
  `INSERT INTO ${s}.step (workflow_id, step_id, seq, asked, key, name, kind, outcome, value, attempts, started_at, at,
    rollback, epoch)
  SELECT 'w' || n, 0, 1, 0, 'k', 'k', 'step', 'success', '1', 1, 0, 0, false, 1 FROM generate_series(1, ${rows}) n`,
  `INSERT INTO ${s}.queue_item (workflow_id, queue, name, version, state, rank, enqueued_at, partition_key)
  SELECT 'w' || n, CASE WHEN n % 2 = 0 THEN 'plain' ELSE 'parted' END, 'Order' || n % 5, 'new', 'waiting', 0, n,
    CASE WHEN n % 2 = 1 THEN 'k' || n % 999 END
  FROM generate_series(1, ${rows}) n`,
  `INSERT INTO ${s}.schedule (name, workflow_name, rule, start, origin, paused, next_fire_at, created_at, updated_at)
  SELECT 's' || n, 'Order', '{}', '{}', 'code', n % 10 = 0, 9000000000000 + n, 0, 0 FROM generate_series(1, ${rows}) n`,
  ...["workflow", "ownership", "attribute", "step", "queue_item", "schedule"].map((table) => `ANALYZE ${s}.${table}`)
]

/** Those that have grown. */
const large: ReadonlySet<string> = new Set(["workflow", "attribute", "step", "queue_item"])

const page = { order: "desc", limit: 10 } as const

/** Filters, and how many rows may be read for a page of ten: what is shown, twice over, or all that the rarest part of a filter finds. */
const filters: ReadonlyArray<readonly [name: string, filter: Partial<ListFilter>, most: number]> = [
  ["nothing", {}, 100],
  ["the page after", { after: { createdAt: 500_000, workflowId: "w50000" } }, 100],
  ["ids", { ids: ["w1", "w99999", "nobody"] }, 100],
  ["one id", { ids: ["w1"] }, 100],
  ["the running", { status: ["PENDING", "ENQUEUED", "DELAYED", "BLOCKED"] }, 500],
  ["the blocked", { status: ["BLOCKED"] }, 500],
  ["those in error", { status: ["ERROR"] }, 500],
  ["those that did not end well", { status: ["ERROR", "CANCELLED", "DEAD_LETTER"] }, 500],
  ["the dead letters", { status: ["DEAD_LETTER"] }, 100],
  ["the blocked and the dead letters", { status: ["BLOCKED", "DEAD_LETTER"] }, 500],
  ["a common name", { names: ["Order1"] }, 100],
  ["a rare name", { names: ["Rare"] }, 100],
  ["a name that nobody has", { names: ["Nobody"] }, 100],
  ["rare names", { names: ["Rare", "Nobody"] }, 500],
  ["a prefix", { idPrefix: "w1234" }, 500],
  ["a prefix that nobody has", { idPrefix: "x" }, 100],
  ["a parent", { parentId: "w100" }, 100],
  ["children", { hasParent: true }, 5_000],
  ["forks of one", { forkedFrom: "w28" }, 100],
  ["the forked", { wasForked: true }, 500],
  ["a user", { user: "user1" }, 100],
  ["a user that nobody is", { user: "nobody" }, 100],
  ["a queue", { queues: ["q2"] }, 100],
  ["queues that nobody knows", { queues: ["x", "y"] }, 100],
  ["a partition of a queue", { queues: ["q2"], partitionKey: "k2" }, 1_000],
  ["a deduplication id of a queue", { queues: ["q2"], deduplicationId: "d2" }, 1_000],
  ["a schedule", { scheduleName: "nightly" }, 100],
  ["an attribute", { attributes: { tenant: "t5" } }, 500],
  ["an attribute that nobody has", { attributes: { tenant: "nobody" } }, 100],
  ["a range of creation", { createdFrom: 100_000, createdTo: 100_100 }, 100],
  ["a range of creation of one name", { createdFrom: 100_000, createdTo: 200_000, names: ["Rare"] }, 100]
]

/**
 * Filters that no index serves: what fits may be anywhere, or nowhere. `among`: one in so many has the name, which the
 * planner may find by walking all.
 */
const unserved: ReadonlyArray<readonly [name: string, filter: Partial<ListFilter>, among?: number]> = [
  ["a version that nobody has", { versions: ["nobody"] }],
  ["an executor that nobody is", { executorId: "nobody" }],
  ["an executor among a name", { executorId: "nobody", names: ["Order1"] }, 5],
  ["an executor after a page", { executorId: "nobody", after: { createdAt: 500_000, workflowId: "w50000" } }],
  ["a version of those that ended well", { versions: ["nobody"], status: ["SUCCESS"] }],
  ["a time of ending", { completedFrom: 1, completedTo: 2 }],
  ["a deduplication id of any queue", { deduplicationId: "nothing" }]
]

interface Node {
  readonly "Node Type": string
  readonly "Relation Name"?: string
  readonly "Actual Rows": number
  readonly "Actual Loops": number
  readonly "Rows Removed by Filter"?: number
  readonly "Rows Removed by Index Recheck"?: number
  readonly Plans?: ReadonlyArray<Node>
}

/** The scans of a plan that was run: what they walked, and how many rows they read. */
const scansOf = (
  node: Node
): ReadonlyArray<{ readonly scan: string; readonly table: string; readonly read: number }> => [
  ...(node["Node Type"].includes("Scan") && node["Node Type"] !== "Bitmap Index Scan"
    ? [{
      scan: node["Node Type"],
      table: node["Relation Name"] ?? "",
      read: node["Actual Loops"]
        * (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0))
    }]
    : []),
  ...(node.Plans ?? []).flatMap(scansOf)
]

const explain = Effect.fnUntraced(function*(connection: PgConnection.PgConnection, { parameters, sql }: Statement) {
  const text = parameters.reduceRight<string>(
    (text, value, i) =>
      text.replaceAll(
        `$${i + 1}`,
        () => Array.isArray(value) ? `ARRAY[${value.map(quoteLiteral).join(",")}]` : quoteLiteral(String(value))
      ),
    sql
  )
  const [row] = yield* connection.queryValues(`EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${text}`, [], false)
  const [plan] = (typeof row![0] === "string" ? JSON.parse(row![0]) : row![0]) as [{ Plan: Node }]
  return scansOf(plan.Plan)
})

describe("with a hundred thousand workflows", () => {
  it.live("a list, and its count, read little more than they show", () =>
    Effect.gen(function*() {
      const { schema, sql } = yield* open(freshSchema())
      for (const statement of fill(schema)) yield* sql.unsafe(statement)
      const connection = yield* session
      for (const [name, filter, most] of filters) {
        const statements = [
          listStatement(schema, { ...page, ...filter }),
          listStatement(schema, { ...page, ...filter, order: "asc" }),
          countStatement(schema, { ...page, ...filter })
        ]
        for (const [i, statement] of statements.entries()) {
          const scans = (yield* explain(connection, statement)).filter(({ table }) => large.has(table))
          const read = scans.reduce((sum, scan) => sum + scan.read, 0)
          assert.isAtMost(read, most, `${["list", "list from the oldest", "count"][i]} of ${name}: ${inspect(scans)}`)
        }
      }
    }))

  it.live("a bounded look at what no index finds reads what it may look at, once, and once more to say how far it was", () =>
    Effect.gen(function*() {
      const { schema, sql } = yield* open(freshSchema())
      for (const statement of fill(schema)) yield* sql.unsafe(statement)
      const connection = yield* session
      const look = 1_000
      for (const [name, filter, among = 1] of unserved) {
        for (const crowded of [false, true]) {
          const statements = [
            listWithinStatement(schema, { ...page, ...filter }, { look, crowded }),
            listWithinStatement(schema, { ...page, ...filter, order: "asc" }, { look, crowded }),
            countWithinStatement(schema, { ...page, ...filter }, { look, crowded })
          ]
          for (const [i, statement] of statements.entries()) {
            const scans = (yield* explain(connection, statement!)).filter(({ table }) => large.has(table))
            const read = scans.reduce((sum, scan) => sum + scan.read, 0)
            assert.isAtMost(
              read,
              2 * among * look + 10,
              `${["list", "list from the oldest", "count"][i]} of ${name}: ${inspect(scans)}`
            )
          }
        }
      }
      const found = listWithinStatement(schema, { ...page, executorId: "e1" }, { look, crowded: false })
      const scans = (yield* explain(connection, found!)).filter(({ table }) => table === "workflow")
      assert.isAtMost(scans.reduce((sum, scan) => sum + scan.read, 0), 100, inspect(scans))
    }))

  it.live("what operators and schedulers do reads little more than it touches", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* open(freshSchema())
      for (const statement of fill(schema)) yield* sql.unsafe(statement)
      yield* store.writeSchedule("create", { name: "due", workflowName: "Order", rule: "{}", start: "{}" }, 0)
      const connection = yield* session
      const ids = "ARRAY(SELECT 'w' || n FROM generate_series(50001, 50100) n)"
      const statements: ReadonlyArray<readonly [name: string, statement: string, parameters: ReadonlyArray<unknown>]> =
        [
          ["position", `SELECT ${schema}.position_1('w50000', 1000)`, []],
          ["position in a partition", `SELECT ${schema}.position_1('w50001', 1000)`, []],
          ["due schedules", dueStatement(schema), ["100", "0", ""]],
          ["family", familyStatement(schema), [["w100", "w200"], true]],
          ["retainable", `SELECT count(*) FROM ${schema}.retainable_1(NULL, 0, NULL, 100)`, []],
          ["retainable of a name", `SELECT count(*) FROM ${schema}.retainable_1('Rare', 0, 10, 100)`, []],
          [
            "erase",
            `SELECT count(*) FROM ${schema}.erase_1(100, ARRAY(SELECT generate_series(1, 100)), ${ids},
            ARRAY(SELECT n * 10 + 2 FROM generate_series(50001, 50100) n), true)`,
            []
          ],
          ["attributes", `SELECT ${schema}.set_attributes_1(100, 'w60000', '{"a":1}')`, []],
          ["fork", `SELECT count(*) FROM ${schema}.fork_1(100, 'w60000', 'f', 't', 7, 1, NULL, NULL, NULL)`, []],
          ["executors", executorsStatement(schema), []]
        ]
      const read = Effect.map(
        connection.query(
          `SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::float8 AS rows
           FROM pg_stat_xact_user_tables WHERE schemaname = $1::text`,
          [schema]
        ),
        ({ rows }) => Number(rows[0]!.rows)
      )
      for (const [name, statement, parameters] of statements) {
        yield* connection.query("BEGIN")
        const before = yield* read
        yield* connection.query(statement, parameters)
        assert.isAtMost((yield* read) - before, 1_500, name)
        yield* connection.query("ROLLBACK")
      }
    }))
})
