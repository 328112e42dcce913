/** graphile-worker: a queue, in the rows that a queue is enough for. A job is one call of a function. */
import { Logger, makeWorkerUtils, run, runMigrations, type Runner, type WorkerEvents } from "graphile-worker"
import { EventEmitter } from "node:events"
import { Pool } from "pg"
import type { Driver, Engine } from "../harness/Engine.ts"

const task = "job"

const open: Engine["open"] = async ({ address, concurrency = 1 }): Promise<Driver> => {
  const pool = new Pool({ connectionString: address, max: Math.max(10, concurrency + 2) })
  const logger = new Logger(() => () => {})
  const common = { pgPool: pool, logger }
  await runMigrations(common)
  const utils = await makeWorkerUtils(common)
  const events = new EventEmitter() as WorkerEvents
  const ended = new Map<string, () => void>()
  let runner: Runner | undefined
  const left = async () =>
    Number((await pool.query<{ n: string }>("SELECT count(*) AS n FROM graphile_worker.jobs")).rows[0]?.n)
  /** Those that there were when this process was opened, and its own since. */
  let seen = await left()
  events.on("job:complete", ({ job }) => {
    ended.get((job.payload as { readonly id: string }).id)?.()
  })
  return {
    close: async () => {
      await runner?.stop()
      await utils.release()
      await pool.end()
    },
    // A job that has ended is deleted.
    tally: async () => ({ done: seen - await left(), steps: null }),
    enqueue: async (id) => {
      await utils.addJob(task, { id })
      seen++
    },
    enqueueMany: async (ids) => {
      await utils.addJobs(ids.map((id) => ({ identifier: task, payload: { id } })))
      seen += ids.length
    },
    serve: async (handled) => {
      runner = await run({
        ...common,
        preset: { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0 } },
        concurrency,
        events,
        noHandleSignals: true,
        taskList: { [task]: () => handled() }
      })
    },
    enqueueAndWait: async (id) => {
      const end = new Promise<void>((resolve) => ended.set(id, resolve))
      seen++
      await utils.addJob(task, { id })
      await end
      ended.delete(id)
    }
  }
}

export default {
  settings:
    "graphile-worker 0.18.0, up to 52 connections, a local queue of 500, completions in batches without a delay; a job is a " +
    "call of a function",
  backend: (site) => site.database(),
  open
} satisfies Engine
