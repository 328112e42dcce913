/** Sixty jobs, started from outside, and what must hold of them however many processes ran them. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Client, type Engine } from "perdure"
import { Store } from "perdure/Store"
import { Job } from "../workflows/jobs.ts"
import { eventually } from "./eventually.ts"
import type { SideEffect } from "./sideEffects.ts"

export const count = 60
const steps = 3

const ids = Array.from({ length: count }, (_, index) => `job-${String(index).padStart(2, "0")}`)

/** Enqueues them for whoever runs workflows. */
export const startAll = (workMs: number): Effect.Effect<ReadonlyArray<string>, unknown, Engine.Engine> =>
  Effect.forEach(
    ids,
    (workflowId) => Effect.as(Job.start({ steps, workMs }, { workflowId }), workflowId),
    { concurrency: 20 }
  )

const statuses = Effect.map(
  Client.list({ name: "Job", limit: 1000 }),
  ({ workflows }) =>
    workflows.map(({ executorId, failure, status, workflowId }) =>
      `${workflowId} ${status} ${executorId} ${failure === undefined ? "" : JSON.stringify(failure)}`
    )
)

/** Waits until all have ended. */
export const allDone = Effect.gen(function*() {
  let seen: ReadonlyArray<string> = []
  yield* eventually(
    "all jobs to be done",
    Effect.map(statuses, (now) => {
      seen = now.filter((line) => !line.includes("SUCCESS"))
      return seen.length === 0
    }),
    { state: () => seen }
  )
})

/**
 * Every job has its result, and no step ran after the run that was recorded: a later one would be a second writer that
 * did not know of the record.
 */
export const assertJobs = Effect.fnUntraced(function*(
  workflowIds: ReadonlyArray<string>,
  sideEffects: ReadonlyArray<SideEffect>,
  mostRuns: number
) {
  const store = yield* Store
  for (const workflowId of workflowIds) {
    const result = yield* Job.handle(workflowId).result
    assert.strictEqual(result.length, steps, workflowId)
    const records = yield* store.steps(workflowId)
    assert.deepStrictEqual(records.map((step) => step.value), result.map(String), workflowId)
    for (const step of records) {
      const runs = sideEffects.filter((effect) => effect.workflowId === workflowId && effect.step === step.name)
      assert.strictEqual(String(runs.at(-1)?.pid), step.value, `${workflowId}: ${step.name} ran after its record`)
      assert.isAtMost(runs.length, mostRuns, `${workflowId}: ${step.name} ran too often`)
    }
  }
})

/** This process, the only one left, runs what is started now. */
export const assertUseful = Effect.fnUntraced(function*(pid: number) {
  const result = yield* Job.execute({ steps: 1, workMs: 0 }, { workflowId: `for ${pid}` })
  assert.deepStrictEqual(result, [pid])
})
