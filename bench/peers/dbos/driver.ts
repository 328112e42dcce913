/** DBOS Transact, with or without short polls. */
import { DBOS, type DBOSConfig } from "@dbos-inc/dbos-sdk"
import { enqueueWorkflows, prepareEnqueuedWorkflow } from "@dbos-inc/dbos-sdk/eventreceiver"
import { setTimeout } from "node:timers/promises"
import { Pool } from "pg"
import { copy } from "../../harness/copies.ts"
import type { Driver, Opening } from "../../harness/Engine.ts"

export interface Tuning {
  /** Between two looks at a queue, milliseconds. Default: DBOS's, a second. */
  readonly queuePollMs?: number
  /** Between two looks at the result of a workflow that runs elsewhere. Default: DBOS's, a second. */
  readonly resultPollMs?: number
  /** Connections. Default: DBOS's, 10. */
  readonly poolSize?: number
}

/** What the driver wants to be told of, by the workflows of this process. */
let handled = () => {}
let received = (_: number) => {}
let reached = () => {}
let passed = (_: number) => {}
let held = 0
let holds = false
let polling: { readonly pollingIntervalMs?: number } = {}

const sum = DBOS.registerWorkflow(async (steps: number): Promise<number> => {
  let total = 0
  for (let i = 0; i < steps; i++) total += await DBOS.runStep(async () => i, { name: `step ${i}` })
  return total
}, { name: "sum" })

const walk = DBOS.registerWorkflow(async (steps: number): Promise<number> => {
  let total = 0
  for (let i = 0; i < steps; i++) {
    total += await DBOS.runStep(async () => i, { name: `step ${i}` })
    passed(i)
  }
  return total
}, { name: "walk" })

const job = DBOS.registerWorkflow(
  (): Promise<number> =>
    DBOS.runStep(async () => {
      handled()
      return 1
    }, { name: "handle" }),
  { name: "job" }
)

const receiver = DBOS.registerWorkflow(async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) {
    const value = await DBOS.recv<number>("note", { timeoutSeconds: 60 })
    if (value === null) throw new Error("no message came")
    received(value)
  }
}, { name: "receiver" })

const take = (delayMs: number) => DBOS.runStep(() => setTimeout(delayMs, 1), { name: "take" })

const publisher = DBOS.registerWorkflow(async (delayMs: number): Promise<number> => {
  const value = await take(delayMs)
  reached()
  await DBOS.setEvent("ready", value)
  return value
}, { name: "publisher" })

const finisher = DBOS.registerWorkflow(async (delayMs: number): Promise<number> => {
  const value = await take(delayMs)
  reached()
  return value
}, { name: "finisher" })

const threeSteps = DBOS.registerWorkflow(async (): Promise<number> => {
  await DBOS.runStep(async () => 1, { name: "first" })
  await DBOS.runStep(() => {
    held++
    return holds ? new Promise<number>(() => {}) : Promise.resolve(1)
  }, { name: "second" })
  return DBOS.runStep(async () => 1, { name: "third" })
}, { name: "threeSteps" })

const child = DBOS.registerWorkflow(() => DBOS.runStep(async () => 1, { name: "one" }), { name: "child" })

const parent = DBOS.registerWorkflow(async (children: number): Promise<number> => {
  const handles = []
  for (let i = 0; i < children; i++) handles.push(await DBOS.startWorkflow(child)())
  const results = await Promise.all(handles.map((handle) => handle.getResult(polling)))
  return results.reduce((sum, result) => sum + result, 0)
}, { name: "parent" })

const sleeper = DBOS.registerWorkflow((ms: number) => DBOS.sleepms(ms), { name: "sleeper" })

const silent = { info() {}, debug() {}, warn() {}, error: console.error }

export const open = async (opening: Opening, tuning: Tuning): Promise<Driver> => {
  const queue = `jobs-${opening.concurrency ?? 0}`
  const config: DBOSConfig = {
    name: "bench",
    systemDatabaseUrl: opening.address,
    executorID: opening.executor,
    applicationVersion: "1",
    logger: silent,
    ...(tuning.poolSize === undefined ? {} : { systemDatabasePoolSize: tuning.poolSize }),
    // A process that only enqueues takes nothing from the queue.
    listenQueues: [opening.runs && opening.concurrency !== undefined ? queue : "none"]
  }
  DBOS.setConfig(config)
  holds = opening.holds === true
  if (tuning.resultPollMs !== undefined) polling = { pollingIntervalMs: tuning.resultPollMs }
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
    walk: async (id, steps, inBody) => {
      passed = inBody
      return (await DBOS.startWorkflow(walk, { workflowID: id })(steps)).getResult()
    },
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
      await handle.getResult(polling)
    },
    receive: async (id, count, inBody) => {
      received = inBody
      await DBOS.startWorkflow(receiver, { workflowID: id })(count)
    },
    send: (id, value) => DBOS.send(id, value, "note"),
    publish: async (id, delayMs, setting) => {
      reached = setting
      await DBOS.startWorkflow(publisher, { workflowID: id })(delayMs)
    },
    observe: async (id) => {
      const value = await DBOS.getEvent<number>(id, "ready", { timeoutSeconds: 60 })
      if (value === null) throw new Error("the event was not set")
      return value
    },
    finish: async (id, delayMs, ending) => {
      reached = ending
      await DBOS.startWorkflow(finisher, { workflowID: id })(delayMs)
    },
    result: (id) => DBOS.retrieveWorkflow<number>(id).getResult(polling),
    startHeld: async (id) => void await DBOS.startWorkflow(threeSteps, { workflowID: id })(),
    held: () => held,
    family: async (id, children) => (await DBOS.startWorkflow(parent, { workflowID: id })(children)).getResult(),
    sleep: async (id, ms) => void await DBOS.startWorkflow(sleeper, { workflowID: id })(ms),
    past: (id, count) =>
      copy(
        async (statement) => (await pool.query<object>(statement)).rows,
        [
          { name: "dbos.workflow_status", id: "workflow_uuid", time: "created_at" },
          { name: "dbos.operation_outputs", id: "workflow_uuid" }
        ],
        id,
        count
      ),
    page: async () => {
      const newest = await DBOS.listWorkflows({ status: "SUCCESS", limit: 100, sortDesc: true })
      return newest.map(({ workflowID }) => workflowID)
    },
    cancel: (id) => DBOS.cancelWorkflow(id),
    resume: async (id) => void await DBOS.resumeWorkflow(id)
  }
}
