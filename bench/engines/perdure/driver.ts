/** Perdure, on whichever store: what both of its engines share. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { Engine, Step, Workflow, WorkflowQueue } from "perdure"
import type { Store } from "perdure/Store"
import type { Driver, Opening, Tally } from "../../harness/Engine.ts"

const Sum = Workflow.make("Sum", { payload: { steps: Schema.Int }, success: Schema.Int })

const SumLive = Sum.toLayer(Effect.fnUntraced(function*({ steps }) {
  let sum = 0
  for (let i = 0; i < steps; i++) sum += yield* Step.run(`step ${i}`, Effect.sync(() => i))
  return sum
}))

const Job = Workflow.make("Job", { success: Schema.Int })

const jobLive = (handled: () => void) =>
  Job.toLayer(() =>
    Step.run(
      "handle",
      Effect.sync(() => {
        handled()
        return 1
      })
    )
  )

/** Names of the tables, which differ between the stores. */
export interface Tables {
  readonly workflow: string
  readonly step: string
}

export const open = async (
  opening: Opening,
  store: Layer.Layer<Store | SqlClient, unknown>,
  tables: Tables
): Promise<Required<Driver>> => {
  const jobs = WorkflowQueue.make(
    `jobs-${opening.concurrency ?? 0}`,
    opening.concurrency === undefined ? {} : { executorConcurrency: opening.concurrency }
  )
  const engine = opening.runs
    ? Engine.layer({ executorId: opening.executor, queues: [jobs] })
    : Engine.layerClient()
  const scope = Scope.makeUnsafe()
  const build = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.buildWithScope(layer, scope)
  const context = await Effect.runPromise(build(Layer.provideMerge(engine, store)))
  const run = Effect.runPromiseWith(context)
  if (opening.runs) await run(build(SumLive))
  const sql = Context.get(context, SqlClient)
  const count = async (statement: string) => Number((await run(sql.unsafe<{ readonly n: number }>(statement)))[0]?.n)
  return {
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
    tally: async (): Promise<Tally> => ({
      done: await count(`SELECT count(*) AS n FROM ${tables.workflow} WHERE status = 'SUCCESS'`),
      steps: await count(`SELECT count(*) AS n FROM ${tables.step}`)
    }),
    execute: (id, steps) => run(Sum.execute({ steps }, { workflowId: id })),
    enqueue: (id) => run(Effect.asVoid(jobs.enqueue(Job, undefined, { workflowId: id }))),
    enqueueMany: (ids) =>
      run(Effect.asVoid(
        jobs.enqueueMany(Job, ids.map(() => undefined), { each: (_, index) => ({ workflowId: ids[index] }) })
      )),
    serve: (handled) => run(Effect.asVoid(build(jobLive(handled)))),
    enqueueAndWait: (id) =>
      run(Effect.asVoid(Effect.flatMap(jobs.enqueue(Job, undefined, { workflowId: id }), (handle) => handle.result)))
  }
}
