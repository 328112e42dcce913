/** Spans of a workflow that two processes ran, exported by OTLP, arrive as one trace; its log lines name it. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client, Engine, Message, Step, Workflow } from "perdure"
import { collector } from "./collector.ts"

const Paid = Message.make("paid")
const Order = Workflow.make("Order")

const OrderLive = Order.toLayer(() =>
  Effect.gen(function*() {
    yield* Step.run("reserve stock", Effect.log("reserving"))
    yield* Paid.receive()
    yield* Step.run("ship", Effect.log("shipping"))
  })
)

/** What one process of the application runs, with what it tells its collector. */
const processOf = (name: string, filename: string, baseUrl: string) =>
  OrderLive.pipe(
    Layer.provideMerge(Engine.layer({ executorId: name, suspendAfter: "50 millis" })),
    Layer.provide(SqliteStore.layer({ filename })),
    Layer.provideMerge(Otlp.layerJson({ baseUrl, resource: { serviceName: name } })),
    Layer.provide(FetchHttpClient.layer),
    Layer.fresh
  )

const program = Effect.gen(function*() {
  const { received, url } = yield* collector
  const folder = mkdtempSync(join(tmpdir(), "perdure-tracing-"))
  yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
  const filename = join(folder, "orders.db")

  const waits = Effect.map(Client.get("order-1"), ({ waits }) => waits.length > 0)
  yield* Order.start(undefined, { workflowId: "order-1" }).pipe(
    Effect.andThen(Effect.repeat(Effect.delay(waits, "10 millis"), { until: (waiting) => waiting })),
    Effect.provide(processOf("monday", filename, url))
  )
  yield* Console.log("monday's process has gone; the order waits in the store")
  yield* Paid.send("order-1", undefined).pipe(
    Effect.andThen(Order.handle("order-1").result),
    Effect.provide(processOf("tuesday", filename, url))
  )

  for (const [trace, spans] of Map.groupBy(received.spans, ({ traceId }) => traceId)) {
    if (!spans.some(({ name }) => name.startsWith("workflow"))) continue
    yield* Console.log(`trace ${trace}`)
    for (const { name, service } of spans) yield* Console.log(`  ${service}: ${name}`)
  }
  for (const { body, service, traceId, workflowId } of received.logs) {
    if (workflowId !== undefined) yield* Console.log(`log of ${service}: ${body} (${workflowId}, ${traceId})`)
  }
  yield* Console.log(`metrics: ${[...received.metrics].filter((name) => name.startsWith("perdure")).sort().join(", ")}`)
})

Effect.scoped(program).pipe(NodeRuntime.runMain)
