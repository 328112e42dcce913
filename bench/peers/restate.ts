/** Restate: its server beside, which pushes work to the process that runs it. */
import * as restate from "@restatedev/restate-sdk"
import * as clients from "@restatedev/restate-sdk-clients"
import { createServer, type Http2Server } from "node:http2"
import type { Driver, Engine } from "../harness/Engine.ts"
import { type Ports, start } from "./restate/server.ts"

let handled = () => {}

const bench = restate.service({
  name: "bench",
  handlers: {
    sum: async (ctx: restate.Context, steps: number): Promise<number> => {
      let total = 0
      for (let i = 0; i < steps; i++) total += await ctx.run(`step ${i}`, () => i)
      return total
    },
    job: (ctx: restate.Context): Promise<number> =>
      ctx.run("handle", () => {
        handled()
        return 1
      })
  }
})

const listen = (port: number): Promise<Http2Server> => {
  const handler = restate.createEndpointHandler({ services: [bench], logger: () => {} })
  const server = createServer(handler)
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", () => resolve(server))
  })
}

const open: Engine["open"] = async ({ address, runs }): Promise<Driver> => {
  const ports = JSON.parse(address) as Ports
  const admin = async <A>(path: string, body: object): Promise<A> => {
    const response = await fetch(`http://127.0.0.1:${ports.admin}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body)
    })
    if (!response.ok) throw new Error(`Restate: ${response.status} ${await response.text()}`)
    return await response.json() as A
  }
  const endpoint = runs ? await listen(ports.endpoint) : undefined
  if (runs) await admin("/deployments", { uri: `http://127.0.0.1:${ports.endpoint}` })
  const count = async (query: string) => {
    const { rows } = await admin<{ readonly rows: ReadonlyArray<{ readonly n: number }> }>("/query", { query })
    return Number(rows[0]?.n)
  }
  const ingress = clients.connect({ url: `http://127.0.0.1:${ports.ingress}` })
  const client = ingress.serviceClient<typeof bench>({ name: "bench" })
  const once = <I>(id: string) => clients.rpc.opts<I, number>({ idempotencyKey: id })
  return {
    close: async () => {
      endpoint?.close()
    },
    tally: async () => ({
      done: await count(
        "SELECT count(*) AS n FROM sys_invocation WHERE status = 'completed' AND completion_result = 'success'"
      ),
      steps: await count("SELECT count(*) AS n FROM sys_journal WHERE entry_type = 'Command: Run'")
    }),
    execute: async (id, steps) => client.sum(steps, once(id)),
    serve: async (inJob) => {
      handled = inJob
    },
    enqueueAndWait: async (id) => void await client.job(once(id))
  }
}

export default {
  settings:
    "@restatedev/restate-server 1.7.12 and its SDK 1.17.2, a server for each round on the disk that PostgreSQL " +
    "is on, defaults; its log is off; a workflow is a call of a service under an idempotency key, its steps are `ctx.run`",
  backend: start,
  open
} satisfies Engine
