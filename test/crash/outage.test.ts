/**
 * PostgreSQL that crashes under load, and is away for long. Hunts for a process that ends or hangs, a start that was
 * acknowledged and is gone, a transaction that was committed twice because the answer to the first was lost.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { setTimeout } from "node:timers/promises"
import { Client } from "perdure"
import { startPostgres } from "../postgres/server.ts"
import { eventually } from "./harness/eventually.ts"
import * as Lab from "./harness/Lab.ts"
import type { Program } from "./harness/Program.ts"

const awayMs = process.env["PERDURE_LONG"] === "1" ? 30_000 : 10_000
/** What is promised; asserted twice as generous. */
const backMs = 10_000

const server = Effect.acquireRelease(
  Effect.promise(() => startPostgres({ fsync: true })),
  (server) => Effect.promise(() => server.close())
)

const accepted = (program: Program): ReadonlyArray<string> =>
  program.said.filter((message) => message.tag === "accepted").map((message) => message["workflowId"] as string)

/** Each of them accepts so many more. */
const goOn = Effect.fnUntraced(function*(programs: ReadonlyArray<Program>, more: number) {
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

const seen = Effect.gen(function*() {
  const seen = new Map<string, Client.WorkflowInfo>()
  let cursor: string | undefined
  do {
    const page: Client.Page = yield* Client.list({
      name: "Entry",
      limit: 1000,
      ...(cursor === undefined ? {} : { cursor })
    })
    for (const info of page.workflows) seen.set(info.workflowId, info)
    cursor = page.cursor
  } while (cursor !== undefined)
  return seen
})

it.live("processes survive crashes and a long absence of PostgreSQL, and lose nothing", () =>
  Effect.gen(function*() {
    const postgres = yield* server
    const lab = yield* Lab.onDatabase(postgres.url)
    yield* Effect.gen(function*() {
      const sql = yield* SqlClient
      yield* sql`CREATE TABLE ledger (workflow_id TEXT, amount INTEGER)`
      const programs = yield* Effect.all([lab.run("executor", { sync: false }), lab.run("executor", { sync: false })])
      for (const program of programs) {
        yield* program.hear("ready")
        program.tell({ do: "load", prefix: String(program.pid), lanes: 20 })
      }
      for (let crash = 0; crash < 3; crash++) {
        yield* goOn(programs, 50)
        yield* Effect.promise(() => postgres.restart("immediate"))
      }
      yield* goOn(programs, 50)
      yield* Effect.promise(() => postgres.stop("immediate"))
      // The absence is what is tested, not a wait for something.
      yield* Effect.promise(() => setTimeout(awayMs))
      yield* Effect.promise(() => postgres.start())
      const backAt = Date.now()
      for (const program of programs) {
        const command = { do: "execute", name: "Entry", payload: { amount: 1 }, workflowId: `back-${program.pid}` }
        assert.deepStrictEqual((yield* program.ask(command))["outcomes"], ["success: 3"])
      }
      const tookMs = Date.now() - backAt
      console.log(`postgres: full service ${tookMs} ms after it was back from ${awayMs / 1000} s of absence`)
      assert.isBelow(tookMs, 2 * backMs)
      yield* goOn(programs, 50)
      for (const program of programs) {
        yield* program.ask({ do: "unload" })
        yield* program.hear("load")
      }

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
      console.log(`postgres: ${all.size} workflows through 3 crashes and an absence`)
    }).pipe(Effect.provide(lab.client))
  }))
