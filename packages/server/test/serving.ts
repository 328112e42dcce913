/** A real server on loopback with an engine behind it, the typed client, and plain requests. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Engine } from "perdure/Engine"
import type { Needs, Running } from "../../../test/engine/harness.ts"
import * as AdminAccess from "../src/AdminAccess.ts"
import { AdminApi } from "../src/AdminApi.ts"
import * as AdminHttpServer from "../src/AdminHttpServer.ts"

export const token = "a token that is long enough"

export interface Plain {
  readonly status: number
  readonly body: any
  readonly text: string
  readonly headers: Headers
}

export interface Served {
  readonly url: string
  readonly port: number
  readonly api: HttpApiClient.ForApi<typeof AdminApi>
  /** With the token. */
  readonly get: (path: string, headers?: Record<string, string>) => Effect.Effect<Plain>
  readonly post: (path: string, body?: unknown, headers?: Record<string, string>) => Effect.Effect<Plain>
  /** With nothing that is not said. */
  readonly plain: (path: string, init?: RequestInit) => Effect.Effect<Plain>
}

const plainOf = async (response: Response): Promise<Plain> => {
  const text = await response.text()
  const isJson = response.headers.get("content-type")?.includes("json") === true
  return { status: response.status, text, headers: response.headers, body: isJson ? JSON.parse(text) : undefined }
}

const defaultAccess = AdminAccess.layerToken({ token: Redacted.make(token) })

/** Serves this engine, alone on a free port. */
export const serve = (
  { use }: Running,
  options: AdminHttpServer.Options = {},
  access: Layer.Layer<AdminAccess.AdminAccess, unknown, Engine> = defaultAccess
): Effect.Effect<Served, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const services = yield* use(Effect.context<Needs>())
    const server = yield* Layer.build(
      AdminHttpServer.layer({ port: 0, ...options }).pipe(
        Layer.provide(access),
        Layer.provide(Layer.succeedContext(services))
      )
    )
    return yield* servedAt(server, options.path ?? "")
  })

/** What is served by the `HttpServer` of a context. */
export const servedAt = (
  server: Context.Context<HttpServer.HttpServer>,
  path: string
): Effect.Effect<Served> =>
  Effect.gen(function*() {
    const { address } = Context.get(server, HttpServer.HttpServer)
    if (address._tag === "UnixPathAddress") throw new Error("not on TCP")
    const url = `http://127.0.0.1:${address.port}${path}`
    const api = yield* HttpApiClient.make(AdminApi, {
      baseUrl: url,
      transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(token))
    }).pipe(Effect.provide(FetchHttpClient.layer))
    const plain = (path: string, init: RequestInit = {}) =>
      Effect.promise(async () => plainOf(await fetch(`${url}${path}`, { redirect: "manual", ...init })))
    const authorized = (headers: Record<string, string> = {}) => ({ authorization: `Bearer ${token}`, ...headers })
    return {
      url,
      port: address.port,
      api,
      plain,
      get: (path, headers) => plain(path, { headers: authorized(headers) }),
      post: (path, body, headers) =>
        plain(path, {
          method: "POST",
          headers: authorized({ "content-type": "application/json", ...headers }),
          ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
        })
    }
  })
