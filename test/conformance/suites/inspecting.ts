import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Suite, Target } from "../Backend.ts"
import { advance, block, childOf, record, start, suspend } from "../builders.ts"
import { place } from "../queues.ts"
import { join, lapse, recorded, startDone, startOwned, submit } from "../verbs.ts"

/** A table as each store names it. */
const table = (target: Target, name: string): string =>
  target.kind === "sqlite" ? `perdure_${name}` : `"${target.schema}".${name}`

const run = (sql: SqlClient, statement: string) => Effect.orDie(sql.unsafe(statement))

export const inspecting: Suite = (claim) => {
  claim(
    "a schema that was just made has no problems",
    ({ store }) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* store.schemaProblems, [])
      })
  )

  claim(
    "an index that is gone, and a column that is gone with its table, are told",
    ({ sql, store, target }) =>
      Effect.gen(function*() {
        const index = target.kind === "sqlite" ? "perdure_workflow_created" : "workflow_created"
        yield* run(sql, `DROP INDEX ${target.kind === "sqlite" ? index : `"${target.schema}".${index}`}`)
        yield* run(sql, `DROP TABLE ${table(target, "attempt")}`)
        const problems = yield* store.schemaProblems
        assert.isTrue(problems.every(({ problem }) => problem === "missing"))
        const objects = problems.map(({ object }) => object)
        const gone = target.kind === "sqlite" ? "table perdure_attempt" : "table attempt"
        assert.includeMembers(objects, [`index ${index}`, gone])
        if (target.kind === "postgres") assert.include(objects, "column attempt.retry_at")
      })
  )

  claim(
    "what was changed by hand is told",
    ({ sql, store, target }) =>
      Effect.gen(function*() {
        yield* run(sql, `ALTER TABLE ${table(target, "attempt")} RENAME COLUMN retry_at TO again_at`)
        const problems = yield* store.schemaProblems
        assert.deepStrictEqual(
          problems.map(({ object, problem }) => [object, problem]),
          target.kind === "sqlite"
            ? [["table perdure_attempt", "changed"]]
            : [["column attempt.retry_at", "missing"]]
        )
      })
  )

  claim(
    "a key, a check or a NOT NULL that is gone, another or one too many is told",
    ({ sql, store, target }) =>
      Effect.gen(function*() {
        const remade = Effect.fnUntraced(function*(from: string | RegExp, to: string) {
          const [row] = yield* sql<{ sql: string }>`SELECT sql FROM sqlite_schema WHERE name = 'perdure_attempt'`
          yield* run(sql, "DROP TABLE perdure_attempt")
          yield* run(sql, row!.sql.replace(from, to))
          const problems = yield* store.schemaProblems
          yield* run(sql, "DROP TABLE perdure_attempt")
          yield* run(sql, row!.sql)
          return problems.map(({ detail }) => detail)
        })
        if (target.kind === "sqlite") {
          const without = "it was made by other SQL, without"
          assert.deepStrictEqual(yield* remade(/,\s+PRIMARY KEY[^)]+\)(\s+\) STRICT), WITHOUT ROWID/, "$1"), [
            `${without} "PRIMARY KEY (workflow_id, step_id, attempt)"`
          ])
          assert.deepStrictEqual(yield* remade("retry_at    INTEGER NOT NULL", "retry_at    INTEGER"), [
            `${without} "retry_at INTEGER NOT NULL"`
          ])
          assert.deepStrictEqual(yield* remade("CHECK (attempt >= 0)", "CHECK (attempt >= 5)"), [
            `${without} "attempt INTEGER NOT NULL CHECK (attempt >= 0)"`
          ])
          return assert.deepStrictEqual(yield* store.schemaProblems, [])
        }
        const s = `"${target.schema}"`
        for (
          const change of [
            `ALTER TABLE ${s}.attempt DROP CONSTRAINT attempt_pkey`,
            `ALTER TABLE ${s}.attempt DROP CONSTRAINT attempt_attempt_check, ADD CHECK (attempt >= 5)`,
            `ALTER TABLE ${s}.step ALTER COLUMN value DROP NOT NULL`,
            `ALTER TABLE ${s}.mailbox ALTER COLUMN waits SET NOT NULL, ADD COLUMN theirs text NOT NULL`,
            `ALTER TABLE ${s}.message ADD FOREIGN KEY (workflow_id) REFERENCES ${s}.workflow`,
            `ALTER TABLE ${s}.executor DROP CONSTRAINT executor_state_check,
               ADD CHECK (state IN ('alive', 'leaving', 'dead')) NOT VALID`,
            `DROP INDEX ${s}.message_id`,
            `CREATE INDEX message_id ON ${s}.message (workflow_id, message_id)`,
            `CREATE TABLE ${s}.theirs (id text PRIMARY KEY REFERENCES ${s}.workflow)`
          ]
        ) yield* run(sql, change)
        assert.deepStrictEqual(
          (yield* store.schemaProblems).map(({ detail, object }) => `${object}: ${detail}`).sort(),
          [
            "index message_id: it is not unique",
            "table attempt: it has the constraint CHECK of attempt with 5, which no release makes",
            "table attempt: it lacks the constraint CHECK of attempt with 0",
            "table attempt: it lacks the constraint PRIMARY KEY (workflow_id, step_id, attempt)",
            "table executor: its rows were never checked for the constraint CHECK of state with 'alive', 'dead', 'leaving'",
            "table mailbox: it has the constraint NOT NULL of waits, which no release makes",
            `table message: it has the constraint FOREIGN KEY (workflow_id) REFERENCES ${
              s.slice(1, -1)
            }.workflow(workflow_id), which no release makes`,
            "table step: it lacks the constraint NOT NULL of value"
          ]
        )
      })
  )

  claim(
    "a function that was changed, a column of another type, an index that is not used and a trigger that is off are told",
    ({ sql, store, target }) =>
      Effect.gen(function*() {
        if (target.kind !== "postgres") return
        const s = `"${target.schema}"`
        yield* run(
          sql,
          `CREATE OR REPLACE FUNCTION ${s}.now_ms() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN 0; END'`
        )
        yield* run(sql, `ALTER TABLE ${s}.attempt ALTER COLUMN attempt TYPE bigint`)
        yield* run(sql, `ALTER TABLE ${s}.workflow DISABLE TRIGGER failed`)
        yield* run(sql, `DROP TRIGGER gone ON ${s}.workflow`)
        yield* run(
          sql,
          `UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = '${s}.workflow_name'::regclass`
        )
        assert.deepStrictEqual(
          (yield* store.schemaProblems).map(({ object, problem }) => [object, problem]).sort(),
          [
            ["column attempt.attempt", "changed"],
            ["function now_ms", "changed"],
            ["index workflow_name", "invalid"],
            ["trigger workflow.failed", "changed"],
            ["trigger workflow.gone", "missing"]
          ]
        )
      }),
    "postgres"
  )

  claim(
    "workflows in every ordinary state are no strays",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* join(store, "gone")
        yield* store.registerQueue("q", {
          concurrency: 1,
          executorConcurrency: null,
          rateLimit: null,
          partitioned: null,
          ageingMs: null
        })
        yield* startDone(store, "done", "i")
        yield* startOwned(store, "running", "i")
        yield* startOwned(store, "orphan", "gone")
        yield* startOwned(store, "blocked", "i")
        yield* recorded(store, advance("blocked", 1, { end: block }))
        yield* startOwned(store, "asleep", "i")
        yield* recorded(store, advance("asleep", 1, { end: suspend({ wakeAt: (yield* store.now) + 1_000_000 }) }))
        yield* startOwned(store, "receiving", "i")
        yield* recorded(store, advance("receiving", 1, { end: suspend({}) }))
        yield* startOwned(store, "parent", "i")
        yield* recorded(
          store,
          advance("parent", 1, {
            records: [record(0, { kind: "child", childId: "parent-0" })],
            children: [childOf("parent", 0)],
            end: suspend({ awaiting: [{ workflowId: "parent-0", on: "end" }] })
          })
        )
        yield* submit(store, start({ workflowId: "due" }))
        yield* submit(store, start({ workflowId: "later", delayMs: 1_000_000 }))
        yield* submit(store, start({ workflowId: "queued", queue: place({ queue: "q" }) }))
        yield* submit(store, start({ workflowId: "queued later", queue: place({ queue: "q" }), delayMs: 1_000_000 }))
        yield* store.cancel(["running"], { reason: "{}", childReason: "{}", children: false })
        assert.deepStrictEqual(yield* store.strays(100), [])
        yield* lapse(store)
        yield* store.sweep(100)
        assert.deepStrictEqual(yield* store.strays(100), [])
      })
  )

  claim(
    "a workflow that nobody may own, traces without one, and one that nothing wakes are strays",
    ({ sql, store, target }) =>
      Effect.gen(function*() {
        yield* submit(store, start({ workflowId: "lost" }))
        yield* run(sql, `DELETE FROM ${table(target, "ownership")} WHERE workflow_id = 'lost'`)
        yield* submit(store, start({ workflowId: "leftover" }))
        yield* run(sql, `DELETE FROM ${table(target, "workflow")} WHERE workflow_id = 'leftover'`)
        yield* submit(store, start({ workflowId: "asleep" }))
        yield* run(sql, `UPDATE ${table(target, "mailbox")} SET wake_at = NULL WHERE workflow_id = 'asleep'`)
        yield* join(store, "i")
        yield* startOwned(store, "parent", "i")
        yield* recorded(
          store,
          advance("parent", 1, {
            records: [record(0, { kind: "child", childId: "parent-0" })],
            children: [childOf("parent", 0)],
            end: suspend({ awaiting: [{ workflowId: "parent-0", on: "end" }] })
          })
        )
        yield* run(sql, `DELETE FROM ${table(target, "ownership")} WHERE workflow_id = 'parent-0'`)
        const found = yield* store.strays(100)
        assert.deepStrictEqual(found.map(({ why, workflowId }) => [workflowId, why]), [
          ["asleep", "asleep"],
          ["leftover", "leftover"],
          ["lost", "lost"],
          ["parent", "missed"],
          ["parent-0", "lost"]
        ])
        assert.lengthOf(yield* store.strays(2), 2)
      })
  )

  claim(
    "needs tell by name and version what waits for code, and nothing of what is owned, blocked or done",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startDone(store, "done", "i")
        yield* startOwned(store, "running", "i")
        yield* startOwned(store, "blocked", "i")
        yield* recorded(store, advance("blocked", 1, { end: block }))
        yield* submit(store, start({ workflowId: "a", name: "Order", version: "2" }))
        yield* submit(store, start({ workflowId: "b", name: "Order", version: "2" }))
        yield* submit(store, start({ workflowId: "c", name: "Mail", version: "" }))
        assert.deepStrictEqual(yield* store.needs, [
          { name: "Mail", version: "", workflows: 1, workflowId: "c" },
          { name: "Order", version: "2", workflows: 2, workflowId: "a" }
        ])
      })
  )
}
