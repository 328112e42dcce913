/** A stand-in for an OpenTelemetry collector: takes what is exported by OTLP in JSON, and keeps what the example shows. */
import { Effect } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export interface Received {
  readonly spans: Array<{ traceId: string; name: string; service: string }>
  readonly logs: Array<{ traceId: string | undefined; body: string; service: string; workflowId: string | undefined }>
  readonly metrics: Set<string>
}

// `any`: the wire format of OTLP is written down by OpenTelemetry, not here.
const serviceOf = ({ resource }: any): string =>
  resource.attributes.find(({ key }: any) => key === "service.name").value.stringValue

const keep = (received: Received, path: string, body: any): void => {
  for (const resource of body.resourceSpans ?? []) {
    for (const { name, traceId } of resource.scopeSpans.flatMap(({ spans }: any) => spans)) {
      received.spans.push({ traceId, name, service: serviceOf(resource) })
    }
  }
  for (const resource of body.resourceLogs ?? []) {
    for (const record of resource.scopeLogs.flatMap(({ logRecords }: any) => logRecords)) {
      received.logs.push({
        traceId: record.traceId,
        body: record.body.stringValue ?? JSON.stringify(record.body),
        service: serviceOf(resource),
        workflowId: record.attributes.find(({ key }: any) => key === "workflowId")?.value.stringValue
      })
    }
  }
  for (const resource of body.resourceMetrics ?? []) {
    for (const { name } of resource.scopeMetrics.flatMap(({ metrics }: any) => metrics)) received.metrics.add(name)
  }
  if (!path.startsWith("/v1/")) throw new Error(`nothing is exported to ${path}`)
}

/** Listens on loopback while the scope lives. */
export const collector = Effect.acquireRelease(
  Effect.promise(() =>
    new Promise<{ url: string; received: Received; close: () => void }>((resolve) => {
      const received: Received = { spans: [], logs: [], metrics: new Set() }
      const server = createServer((request, response) => {
        let text = ""
        request.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk)).on("end", () => {
          keep(received, request.url!, JSON.parse(text))
          response.setHeader("content-type", "application/json").end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resolve({ url: `http://127.0.0.1:${port}`, received, close: () => void server.close() })
      })
    })
  ),
  ({ close }) => Effect.sync(close)
)
