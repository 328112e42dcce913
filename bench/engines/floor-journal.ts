/**
 * The floor of a journal without an engine: Perdure's flush statement alone, fed by as many writers with the same rows
 * through the same driver. What gathers while two flushes are under way is the next one. No replay, no schemas, no
 * fibers, no leases.
 */
import * as PostgresStore from "@perdure/postgres/PostgresStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { randomUUID } from "node:crypto"
import { type Advance, type Answer, type Operation, Store } from "perdure/Store"
import { advance, record, start } from "../../test/conformance/builders.ts"
import type { Driver, Engine } from "../harness/Engine.ts"
import { expectEqual } from "../harness/Workload.ts"

const lanes = 2

/** Writes what has gathered, so many writes at once. */
const gathering = (write: (batch: ReadonlyArray<Operation>) => Promise<ReadonlyArray<Answer>>) => {
  let waiting: Array<{ operation: Operation; resolve: (answer: Answer) => void; reject: (error: unknown) => void }> = []
  let underWay = 0
  let scheduled = false
  const flush = async () => {
    scheduled = false
    if (waiting.length === 0 || underWay >= lanes) return
    const batch = waiting
    waiting = []
    underWay++
    try {
      const answers = await write(batch.map(({ operation }) => operation))
      batch.forEach(({ resolve }, i) => resolve(answers[i]!))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    underWay--
    soon()
  }
  const soon = () => {
    if (scheduled || waiting.length === 0 || underWay >= lanes) return
    scheduled = true
    setImmediate(() => void flush())
  }
  return (operation: Operation) =>
    new Promise<Answer>((resolve, reject) => {
      waiting.push({ operation, resolve, reject })
      soon()
    })
}

const open: Engine["open"] = async ({ address, executor }): Promise<Driver> => {
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(
    Layer.buildWithScope(PostgresStore.layer({ url: Redacted.make(address) }), scope)
  )
  const store = Context.get(context, Store)
  const sql = Context.get(context, SqlClient)
  const incarnation = randomUUID()
  await Effect.runPromise(store.join({ incarnation, executorId: executor, version: "" }, 3_600_000))
  const startOf = (workflowId: string, payload: string) =>
    start({
      workflowId,
      payload,
      token: randomUUID(),
      name: "Sum",
      version: "",
      owner: incarnation,
      startedAt: Date.now()
    })
  const recordOf = (step: number) => record(step, { value: String(step), startedAt: Date.now(), at: Date.now() })
  const ended = (output: string): Pick<Advance, "end"> => ({ end: { _tag: "Settle", status: "SUCCESS", output } })
  const submit = gathering((batch) => Effect.runPromise(store.write(batch)))
  const written = async (operation: Operation, expected: Answer["_tag"]) =>
    expectEqual("answer", (await submit(operation))._tag, expected)
  const count = async (statement: string) =>
    Number((await Effect.runPromise(sql.unsafe<{ readonly n: bigint }>(statement)))[0]?.n)
  return {
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
    tally: async () => ({
      done: await count("SELECT count(*) AS n FROM perdure.workflow WHERE status = 'SUCCESS'"),
      steps: await count("SELECT count(*) AS n FROM perdure.step")
    }),
    execute: async (id, steps) => {
      await written(startOf(id, JSON.stringify({ steps })), "Started")
      if (steps === 0) await written(advance(id, 1, ended("0")), "Recorded")
      let sum = 0
      for (let i = 0; i < steps; i++) {
        sum += i
        const end = i === steps - 1 ? ended(String(sum)) : {}
        await written(advance(id, 1, { records: [recordOf(i)], ...end }), "Recorded")
      }
      return sum
    }
  }
}

export default {
  settings: "no engine: Perdure's flush statement alone, two flushes at once, through the same driver",
  backend: (site) => site.database(),
  open
} satisfies Engine
