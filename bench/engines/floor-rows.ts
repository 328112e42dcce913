/**
 * The floor without an engine: what one pays who inserts a row for each thing that must be durable before the next, each
 * in a commit of its own. A workflow of n steps is its start and n records, the last of which is its end.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import type { Driver, Engine } from "../harness/Engine.ts"

const open: Engine["open"] = async ({ address }): Promise<Driver> => {
  const runtime = ManagedRuntime.make(PgClient.layer({ url: Redacted.make(address), maxConnections: 10 }))
  const sql = await runtime.runPromise(PgClient.PgClient)
  const run = <A>(effect: Effect.Effect<A, unknown>) => runtime.runPromise(effect)
  await run(sql`CREATE TABLE IF NOT EXISTS start (id TEXT PRIMARY KEY, payload TEXT NOT NULL)`)
  await run(sql`CREATE TABLE IF NOT EXISTS record (
    id TEXT NOT NULL, step INTEGER NOT NULL, value TEXT NOT NULL, ended BOOLEAN NOT NULL, PRIMARY KEY (id, step)
  )`)
  const start = (id: string, payload: string) => run(sql`INSERT INTO start (id, payload) VALUES (${id}, ${payload})`)
  const record = (id: string, step: number, value: string, ended: boolean) =>
    run(sql`INSERT INTO record (id, step, value, ended) VALUES (${id}, ${step}, ${value}, ${ended})`)
  const count = async (statement: string) => Number((await run(sql.unsafe<{ readonly n: bigint }>(statement)))[0]?.n)
  return {
    close: () => runtime.dispose(),
    tally: async () => ({
      done: await count("SELECT count(*) AS n FROM record WHERE ended"),
      steps: await count("SELECT count(*) AS n FROM record WHERE step >= 0")
    }),
    execute: async (id, steps) => {
      await start(id, JSON.stringify({ steps }))
      if (steps === 0) await record(id, -1, "0", true)
      let sum = 0
      for (let i = 0; i < steps; i++) {
        sum += i
        await record(id, i, String(i), i === steps - 1)
      }
      return sum
    },
    enqueue: async (id) => void await start(id, "null")
  }
}

export default {
  settings: "no engine: single-row inserts, each a commit, through @effect/sql-pg with 10 connections",
  backend: (site) => site.database(),
  open
} satisfies Engine
