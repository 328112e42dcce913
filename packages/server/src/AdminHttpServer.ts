/**
 * The admin API and the dashboard alone, on Node, beside the application: on loopback, unless told otherwise.
 *
 * ```ts
 * AdminHttpServer.layer({ port: 4400 }).pipe(
 *   Layer.provide([AdminAccess.layerToken({ token }), Engine.layerClient()])
 * )
 * ```
 *
 * Clients that send or read slowly are cut off: ten seconds for the head of a request, half a minute for the whole, a minute
 * without anything going either way.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServer } from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import { createServer, type Server } from "node:http"
import type { Engine } from "perdure/Engine"
import type { WorkflowError } from "perdure/WorkflowError"
import type { AdminAccess } from "./AdminAccess.ts"
import * as AdminServer from "./AdminServer.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** Where a server listens, and how it behaves. */
export interface Options extends AdminServer.Options {
  /** Default: 4400. 0: a free one. */
  readonly port?: number | undefined
  /**
   * The address to listen on. Anything but loopback is reached by others: give `hosts` then, and TLS by a proxy. Default:
   * `"127.0.0.1"`.
   */
  readonly host?: string | undefined
}

/** Where it listens where nothing is given. */
export const defaults = { port: 4400, host: "127.0.0.1" } as const satisfies Options

/** Open connections; more are not accepted. */
const maxConnections = 256

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/** Listens while the layer lives. The `HttpServer` that it provides knows the address. */
export const layer = (
  options: Options = {}
): Layer.Layer<HttpServer, WorkflowError | ServeError, Engine | AdminAccess> =>
  HttpRouter.serve(AdminServer.layer(options), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(
      NodeHttpServer.layer(limited, {
        port: options.port ?? defaults.port,
        host: options.host ?? defaults.host,
        gracefulShutdownTimeout: 0
      })
    )
  ) as Layer.Layer<HttpServer, WorkflowError | ServeError, Engine | AdminAccess>

const limited = (): Server => {
  const server = createServer({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 5_000,
    maxHeaderSize: 32_768
  })
  // Streams of changes say something every few seconds: a socket on which nothing moves has nobody at its other end.
  server.timeout = 60_000
  server.maxConnections = maxConnections
  return server
}
