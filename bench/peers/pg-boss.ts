/** pg-boss: a queue, in the rows that a queue is enough for. A job is one call of a function. */
import { Pool } from "pg"
import { PgBoss } from "pg-boss"
import type { Driver, Engine } from "../harness/Engine.ts"

const batchSize = 100

const open: Engine["open"] = async ({ address, concurrency = 1, runs }): Promise<Driver> => {
  const queue = `jobs-${concurrency}`
  const boss = new PgBoss({ connectionString: address, useListenNotify: true, supervise: runs, schedule: false })
  boss.on("error", console.error)
  await boss.start()
  await boss.createQueue(queue, { notify: true })
  const pool = new Pool({ connectionString: address, max: 1 })
  const ended = new Map<string, () => void>()
  return {
    close: async () => {
      await boss.stop({ graceful: true, timeout: 10_000 })
      await pool.end()
    },
    tally: async () => {
      const { rows } = await pool.query<{ n: string }>("SELECT count(*) AS n FROM pgboss.job WHERE state = 'completed'")
      return { done: Number(rows[0]?.n), steps: null }
    },
    enqueue: async (id) => void await boss.send(queue, { id }),
    enqueueMany: async (ids) => void await boss.insert(queue, ids.map((id) => ({ data: { id } }))),
    serve: async (handled) => {
      const options = {
        batchSize,
        burstWhenBatchFull: true,
        pollingIntervalSeconds: 0.5,
        notifyPollingIntervalSeconds: 0.5
      }
      // A batch that is handled one after another is a concurrency of 1 too.
      await boss.work<{ id: string }>(queue, options, async (jobs) => {
        for (const { data } of jobs) {
          handled()
          ended.get(data.id)?.()
        }
      })
    },
    enqueueAndWait: async (id) => {
      const end = new Promise<void>((resolve) => ended.set(id, resolve))
      await boss.send(queue, { id })
      await end
      ended.delete(id)
    }
  }
}

export default {
  settings: "pg-boss 12.38.0, LISTEN and NOTIFY on, batches of 100 fetched without a pause while they are full, " +
    "polls of 0.5 s (its least); a job is a call of a function, and when it has ended is when that has been called",
  backend: (site) => site.database(),
  open
} satisfies Engine
