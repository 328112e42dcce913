/** Entries that programs start one after another, and what must hold of them whatever has happened meanwhile. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { eventually } from "./eventually.ts"
import { listed } from "./listed.ts"
import type { Program } from "./Program.ts"

type Programs = ReadonlyArray<Program>

/** The application's table that entries write to. */
export const createLedger = Effect.flatMap(
  SqlClient,
  (sql) => sql`CREATE TABLE ledger (workflow_id TEXT, amount INTEGER)`
)

/** So many at a time, in each program. */
export const begin = Effect.fnUntraced(function*(programs: Programs, lanes: number) {
  for (const program of programs) {
    yield* program.hear("ready")
    program.tell({ do: "load", prefix: String(program.pid), lanes })
  }
})

const accepted = (program: Program): ReadonlyArray<string> =>
  program.said.filter((message) => message.tag === "accepted").map((message) => message["workflowId"] as string)

/** Each of them accepts so many more. */
export const goOn = Effect.fnUntraced(function*(programs: Programs, more: number) {
  for (const program of programs) {
    const before = accepted(program).length
    yield* eventually(
      "more workflows to be accepted",
      Effect.sync(() => accepted(program).length >= before + more || program.ended !== undefined),
      { state: () => program.state }
    )
    assert.isUndefined(program.ended, program.tail)
  }
})

/** No more are started, and those that are have ended. */
export const end = Effect.fnUntraced(function*(programs: Programs) {
  for (const program of programs) {
    yield* program.ask({ do: "unload" })
    yield* program.hear("load")
  }
})

const seen = Effect.map(
  listed({ name: "Entry" }),
  (workflows) => new Map(workflows.map((info) => [info.workflowId, info]))
)

/** Nothing was refused or lost, everything has ended well, and every transaction was committed once. Tells how many. */
export const assertKept = Effect.fnUntraced(function*(programs: Programs) {
  const sql = yield* SqlClient
  let waiting: ReadonlyArray<unknown> = []
  const all = yield* eventually(
    "everything to end well",
    Effect.map(seen, (all) => {
      waiting = [...all.values()].filter(({ status }) => status !== "SUCCESS").map(
        ({ executorId, failure, reason, status, workflowId }) => [workflowId, status, executorId, failure, reason]
      )
      return waiting.length === 0 && all
    }),
    {
      state: () => [waiting.length, waiting.slice(0, 10), programs.map((program) => program.state)]
    }
  )
  for (const program of programs) {
    assert.isUndefined(program.ended)
    assert.deepStrictEqual(program.said.filter((message) => message.tag === "refused"), [])
    for (const workflowId of accepted(program)) assert.strictEqual(all.get(workflowId)?.success, 3, workflowId)
  }
  const rows = yield* sql<{ workflow_id: string; n: string }>`
    SELECT workflow_id, count(*) AS n FROM ledger GROUP BY workflow_id`
  assert.deepStrictEqual(rows.filter((row) => Number(row.n) !== 1), [], "transactions exactly once")
  assert.deepStrictEqual(rows.map((row) => row.workflow_id).sort(), [...all.keys()].sort())
  return all.size
})
