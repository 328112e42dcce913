/** DBOS Transact, with or without short polls. */
import { DBOS, type DBOSConfig } from "@dbos-inc/dbos-sdk"
import { enqueueWorkflows, prepareEnqueuedWorkflow } from "@dbos-inc/dbos-sdk/eventreceiver"
import { Pool } from "pg"
import type { Driver, Opening } from "../../harness/Engine.ts"

export interface Tuning {
  /** Between two looks at a queue, milliseconds. Default: DBOS's, a second. */
  readonly queuePollMs?: number
  /** Between two looks at the result of a workflow that runs elsewhere. Default: DBOS's, a second. */
  readonly resultPollMs?: number
}

let handled = () => {}

const sum = DBOS.registerWorkflow(async (steps: number): Promise<number> => {
  let total = 0
  for (let i = 0; i < steps; i++) total += await DBOS.runStep(async () => i, { name: `step ${i}` })
  return total
}, { name: "sum" })

const job = DBOS.registerWorkflow(
  (): Promise<number> =>
    DBOS.runStep(async () => {
      handled()
      return 1
    }, { name: "handle" }),
  { name: "job" }
)

const silent = { info() {}, debug() {}, warn() {}, error: console.error }

export const open = async (opening: Opening, tuning: Tuning): Promise<Driver> => {
  const queue = `jobs-${opening.concurrency ?? 0}`
  const config: DBOSConfig = {
    name: "bench",
    systemDatabaseUrl: opening.address,
    executorID: opening.executor,
    applicationVersion: "1",
    logger: silent,
    // A process that only enqueues takes nothing from the queue.
    listenQueues: [opening.runs && opening.concurrency !== undefined ? queue : "none"]
  }
  DBOS.setConfig(config)
  const pool = new Pool({ connectionString: opening.address, max: 1 })
  const launch = async () => {
    await DBOS.launch()
    if (opening.concurrency === undefined) return
    await DBOS.registerQueue(queue, {
      workerConcurrency: opening.concurrency,
      ...(tuning.queuePollMs === undefined ? {} : { minPollingIntervalMs: tuning.queuePollMs })
    })
  }
  // One that serves a queue takes from it as soon as it is launched.
  const waits = opening.runs && opening.concurrency !== undefined
  if (!waits) await launch()
  const count = async (statement: string) => Number((await pool.query<{ n: string }>(statement)).rows[0]?.n)
  return {
    close: async () => {
      await DBOS.shutdown()
      await pool.end()
    },
    tally: async () => ({
      done: await count("SELECT count(*) AS n FROM dbos.workflow_status WHERE status = 'SUCCESS'"),
      steps: await count("SELECT count(*) AS n FROM dbos.operation_outputs")
    }),
    execute: async (id, steps) => (await DBOS.startWorkflow(sum, { workflowID: id })(steps)).getResult(),
    enqueue: async (id) => void await DBOS.startWorkflow(job, { workflowID: id, queueName: queue })(),
    enqueueMany: async (ids) => {
      const prepared = await Promise.all(
        ids.map((id) => prepareEnqueuedWorkflow(job, [], { workflowID: id, queueName: queue }))
      )
      await enqueueWorkflows(prepared)
    },
    serve: async (inJob) => {
      handled = inJob
      await launch()
    },
    enqueueAndWait: async (id) => {
      const handle = await DBOS.startWorkflow(job, { workflowID: id, queueName: queue })()
      await handle.getResult(tuning.resultPollMs === undefined ? {} : { pollingIntervalMs: tuning.resultPollMs })
    }
  }
}
