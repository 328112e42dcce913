/** Effect's own workflows, on its cluster with SQL storage, one runner. */
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as SingleRunner from "effect/cluster/SingleRunner"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Activity from "effect/workflow/Activity"
import * as DurableClock from "effect/workflow/DurableClock"
import * as Workflow from "effect/workflow/Workflow"
import type { Driver, Engine } from "../harness/Engine.ts"

const id = { id: Schema.String }
const idempotencyKey = (payload: { readonly id: string }) => payload.id

const step = (i: number) => Activity.make({ name: `step ${i}`, success: Schema.Int, execute: Effect.sync(() => i) })

const Sum = Workflow.make("Sum", { payload: { ...id, steps: Schema.Int }, success: Schema.Int, idempotencyKey })
const Walk = Workflow.make("Walk", { payload: { ...id, steps: Schema.Int }, success: Schema.Int, idempotencyKey })
const Held = Workflow.make("Held", { payload: id, success: Schema.Int, idempotencyKey })
const Child = Workflow.make("Child", { payload: id, success: Schema.Int, idempotencyKey })
const Family = Workflow.make("Family", {
  payload: { ...id, children: Schema.Int },
  success: Schema.Int,
  idempotencyKey
})
const Sleeper = Workflow.make("Sleeper", { payload: { ...id, ms: Schema.Int }, idempotencyKey })

/** What the driver wants to be told of, by the workflows of this process. */
class Told {
  passed = (_: number) => {}
  held = 0
}

const live = (told: Told, holds: boolean) => {
  const second = Effect.suspend(() => {
    told.held++
    return holds ? Effect.never : Effect.succeed(1)
  })
  return Layer.mergeAll(
    Sum.toLayer(Effect.fnUntraced(function*({ steps }) {
      let sum = 0
      for (let i = 0; i < steps; i++) sum += yield* step(i)
      return sum
    })),
    Walk.toLayer(Effect.fnUntraced(function*({ steps }) {
      let sum = 0
      for (let i = 0; i < steps; i++) {
        sum += yield* step(i)
        told.passed(i)
      }
      return sum
    })),
    Held.toLayer(Effect.fnUntraced(function*() {
      yield* step(1)
      yield* Activity.make({ name: "second", success: Schema.Int, execute: second })
      return yield* step(3)
    })),
    Child.toLayer(() => step(1)),
    Family.toLayer(Effect.fnUntraced(function*({ children, id }) {
      const ids = Array.from({ length: children }, (_, i) => `${id}-${i}`)
      const results = yield* Effect.forEach(ids, (id) => Child.execute({ id }), { concurrency: "unbounded" })
      return results.reduce((sum, result) => sum + result, 0)
    })),
    Sleeper.toLayer(({ ms }) => DurableClock.sleep({ name: "sleep", duration: ms, inMemoryThreshold: 0 }))
  )
}

const pollMs = 50

const open: Engine["open"] = async ({ address, holds }): Promise<Driver> => {
  const told = new Told()
  const sql = PgClient.layer({ url: Redacted.make(address), maxConnections: 20 })
  const runtime = ManagedRuntime.make(
    live(told, holds === true).pipe(
      Layer.provideMerge(ClusterWorkflowEngine.layer),
      Layer.provide(SingleRunner.layer({
        runnerStorage: "memory",
        shardingConfig: {
          entityMessagePollInterval: pollMs,
          entityReplyPollInterval: pollMs,
          simulateRemoteSerialization: false,
          maxResidentEntities: "unbounded"
        }
      })),
      Layer.provide(NodeCrypto.layerDigest),
      Layer.provideMerge(sql)
    )
  )
  const client = await runtime.runPromise(PgClient.PgClient)
  const count = async (statement: string) =>
    Number((await runtime.runPromise(client.unsafe<{ readonly n: bigint }>(statement)))[0]?.n)
  return {
    close: () => runtime.dispose(),
    tally: async () => ({
      done: await count("SELECT count(*) AS n FROM cluster_messages WHERE tag = 'run' AND processed"),
      steps: await count("SELECT count(*) AS n FROM cluster_messages WHERE tag = 'activity' AND processed")
    }),
    execute: (id, steps) => runtime.runPromise(Sum.execute({ id, steps })),
    walk: (id, steps, passed) => {
      told.passed = passed
      return runtime.runPromise(Walk.execute({ id, steps }))
    },
    startHeld: async (id) => void await runtime.runPromise(Held.execute({ id }, { discard: true })),
    held: () => told.held,
    family: (id, children) => runtime.runPromise(Family.execute({ id, children })),
    sleep: async (id, ms) => void await runtime.runPromise(Sleeper.execute({ id, ms }, { discard: true }))
  }
}

export default {
  settings: `effect 4.1.0, ClusterWorkflowEngine on SingleRunner with SQL message storage, 20 connections, no other ` +
    `runner (\`runnerStorage: "memory"\`, \`simulateRemoteSerialization: false\`), polls of ${pollMs} ms instead of 10 s`,
  backend: (site) => site.database(),
  open
} satisfies Engine
