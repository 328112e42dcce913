/** Restate: its server beside, which pushes work to the process that runs it. */
import * as restate from "@restatedev/restate-sdk"
import * as clients from "@restatedev/restate-sdk-clients"
import { createServer, type Http2Server } from "node:http2"
import { setTimeout } from "node:timers/promises"
import type { Driver, Engine } from "../harness/Engine.ts"
import { type Ports, start } from "./restate/server.ts"

/** What the driver wants to be told of, by the workflows of this process. */
let handled = () => {}
let received = (_: number) => {}
let reached = () => {}
let passed = (_: number) => {}
let held = 0
let holds = false

const one = () => 1

const bench = restate.service({
  name: "bench",
  handlers: {
    sum: async (ctx: restate.Context, steps: number): Promise<number> => {
      let total = 0
      for (let i = 0; i < steps; i++) total += await ctx.run(`step ${i}`, () => i)
      return total
    },
    walk: async (ctx: restate.Context, steps: number): Promise<number> => {
      let total = 0
      for (let i = 0; i < steps; i++) {
        total += await ctx.run(`step ${i}`, () => i)
        passed(i)
      }
      return total
    },
    job: (ctx: restate.Context): Promise<number> =>
      ctx.run("handle", () => {
        handled()
        return 1
      }),
    finish: async (ctx: restate.Context, delayMs: number): Promise<number> => {
      const value = await ctx.run("take", () => setTimeout(delayMs, 1))
      reached()
      return value
    },
    threeSteps: async (ctx: restate.Context): Promise<number> => {
      await ctx.run("first", one)
      await ctx.run("second", () => {
        held++
        return holds ? new Promise<number>(() => {}) : Promise.resolve(1)
      })
      return ctx.run("third", one)
    },
    child: async (ctx: restate.Context): Promise<number> => ctx.run("one", one),
    family: async (ctx: restate.Context, children: number): Promise<number> => {
      const client = ctx.serviceClient<Children>({ name: "bench" })
      const results = await restate.RestatePromise.all(Array.from({ length: children }, () => client.child()))
      return results.reduce((sum, result) => sum + result, 0)
    },
    sleep: async (ctx: restate.Context, ms: number): Promise<void> => ctx.sleep(ms)
  }
})

/** What `family` calls, told apart from it: a type cannot be made of itself. */
type Children = { readonly child: (ctx: restate.Context) => Promise<number> }

/** Messages and events are promises of a workflow, each with a name of its own. */
const mailbox = restate.workflow({
  name: "mailbox",
  handlers: {
    run: async (ctx: restate.WorkflowContext, given: { readonly count: number; readonly delayMs: number }) => {
      for (let i = 0; i < given.count; i++) received(await ctx.promise<number>(`note ${i}`))
      if (given.delayMs === 0) return
      const value = await ctx.run("take", () => setTimeout(given.delayMs, 1))
      reached()
      await ctx.promise<number>("ready").resolve(value)
    },
    send: (ctx: restate.WorkflowSharedContext, value: number): Promise<void> =>
      ctx.promise<number>(`note ${value}`).resolve(value),
    observe: async (ctx: restate.WorkflowSharedContext): Promise<number> => ctx.promise<number>("ready")
  }
})

const listen = (port: number): Promise<Http2Server> => {
  const handler = restate.createEndpointHandler({ services: [bench, mailbox], logger: () => {} })
  const server = createServer(handler)
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", () => resolve(server))
  })
}

const open: Engine["open"] = async ({ address, holds: toHold, runs }): Promise<Driver> => {
  holds = toHold === true
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
  const sender = ingress.serviceSendClient<typeof bench>({ name: "bench" })
  const mailboxOf = (id: string) => ingress.workflowClient<typeof mailbox>({ name: "mailbox" }, id)
  const startOnce = <I>(id: string) => clients.rpc.sendOpts<I>({ idempotencyKey: id })
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
    walk: async (id, steps, inBody) => {
      passed = inBody
      return client.walk(steps, once(id))
    },
    serve: async (inJob) => {
      handled = inJob
    },
    enqueueAndWait: async (id) => void await client.job(once(id)),
    receive: async (id, count, inBody) => {
      received = inBody
      await mailboxOf(id).workflowSubmit({ count, delayMs: 0 })
    },
    send: async (id, value) => mailboxOf(id).send(value),
    publish: async (id, delayMs, setting) => {
      reached = setting
      await mailboxOf(id).workflowSubmit({ count: 0, delayMs })
    },
    observe: async (id) => mailboxOf(id).observe(),
    finish: async (id, delayMs, ending) => {
      reached = ending
      await sender.finish(delayMs, startOnce(id))
    },
    // The same call under the same key attaches.
    result: async (id) => client.finish(0, once(id)),
    startHeld: async (id) => void await sender.threeSteps(startOnce(id)),
    held: () => held,
    family: async (id, children) => client.family(children, once(id)),
    sleep: async (id, ms) => void await sender.sleep(ms, startOnce(id))
  }
}

export default {
  settings:
    "@restatedev/restate-server 1.7.12 and its SDK 1.17.2, a server for each round on the disk that PostgreSQL " +
    "is on, defaults; its log is off; a workflow is a call of a service under an idempotency key, its steps are `ctx.run`",
  backend: start,
  open
} satisfies Engine
