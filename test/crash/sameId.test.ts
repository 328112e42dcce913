/**
 * Fifty starts of one workflow id at once, each from a process of its own or nearly. Hunts for a second execution, and
 * for two callers that are told different things.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { startPostgres } from "../postgres/server.ts"
import * as Lab from "./harness/Lab.ts"
import type { Message } from "./harness/Program.ts"

/** Many processes need many connections: a server of their own. */
const crowded = Effect.flatMap(
  Effect.acquireRelease(
    Effect.promise(() => startPostgres({ settings: { max_connections: "500" } })),
    (server) => Effect.promise(() => server.close())
  ),
  (server) => Lab.onDatabase(server.url, 1)
)

const long = process.env["PERDURE_LONG"] === "1"
const processes = long ? 50 : 10
const starts = 50

Lab.onBothStores(`${starts} starts of one id, from ${processes} processes at once`, (kind) => {
  it.live("are one execution with one result for all, and another input is refused", () =>
    Effect.gen(function*() {
      const lab = yield* kind === "sqlite" ? Lab.make(kind) : crowded
      // A lease that fifty processes that start at once on two cores can hold.
      const engine = { lease: "20 seconds", heartbeat: "1 second" }
      const programs = yield* Effect.forEach(
        Array.from({ length: processes }),
        () => lab.run("executor", { engine })
      )
      yield* Effect.forEach(programs, (program) => program.hear("ready"), { concurrency: "unbounded" })
      const race = (payload: { readonly steps: number; readonly workMs: number }) =>
        Effect.gen(function*() {
          const command = { do: "execute", name: "Job", workflowId: "same", payload, times: starts / processes }
          for (const program of programs) program.tell(command)
          const answers = yield* Effect.forEach(programs, (program) => program.hear("execute"))
          return answers.flatMap((answer: Message) => answer["outcomes"] as Array<string>)
        })

      const outcomes = yield* race({ steps: 3, workMs: 50 })
      assert.strictEqual(outcomes.length, starts)
      assert.strictEqual(new Set(outcomes).size, 1, JSON.stringify([...new Set(outcomes)]))
      assert.match(outcomes[0]!, /^success: \[\d+,\d+,\d+\]$/)
      const ran = lab.sideEffects().map((effect) => effect.step)
      assert.deepStrictEqual(ran, ["step 0", "step 1", "step 2"])
      assert.strictEqual(new Set(lab.sideEffects().map((effect) => effect.pid)).size, 1, "one process runs it")

      assert.deepStrictEqual([...new Set(yield* race({ steps: 4, workMs: 50 }))], ["failure: WorkflowConflict"])
      assert.strictEqual(lab.sideEffects().length, 3)
    }))
})
