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
import * as Workflow from "effect/workflow/Workflow"
import type { Driver, Engine } from "../harness/Engine.ts"

const Sum = Workflow.make("Sum", {
  payload: { id: Schema.String, steps: Schema.Int },
  success: Schema.Int,
  idempotencyKey: ({ id }) => id
})

const SumLive = Sum.toLayer(Effect.fnUntraced(function*({ steps }) {
  let sum = 0
  for (let i = 0; i < steps; i++) {
    sum += yield* Activity.make({ name: `step ${i}`, success: Schema.Int, execute: Effect.sync(() => i) })
  }
  return sum
}))

const pollMs = 50

const open: Engine["open"] = async ({ address }): Promise<Driver> => {
  const sql = PgClient.layer({ url: Redacted.make(address), maxConnections: 20 })
  const runtime = ManagedRuntime.make(
    SumLive.pipe(
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
    execute: (id, steps) => runtime.runPromise(Sum.execute({ id, steps }))
  }
}

export default {
  settings: `effect 4.1.0, ClusterWorkflowEngine on SingleRunner with SQL message storage, 20 connections, no other ` +
    `runner (\`runnerStorage: "memory"\`, \`simulateRemoteSerialization: false\`), polls of ${pollMs} ms instead of 10 s`,
  backend: (site) => site.database(),
  open
} satisfies Engine
