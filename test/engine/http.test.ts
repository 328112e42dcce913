/** Workflows behind a real server on loopback, called by the client that their group derives and by plain requests. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { createServer } from "node:http"
import { Auth, Step, Workflow, WorkflowContext } from "perdure"
import { StoreError, StoreUnavailable } from "perdure/Store"
import * as WorkflowApi from "perdure/WorkflowApi"
import * as WorkflowHttp from "perdure/WorkflowHttp"
import { type Needs, onBothStores, type Running, storeOf } from "./harness.ts"

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { sku: Schema.String }) {}

const Order = Workflow.make("Order", {
  payload: { sku: Schema.String, at: Schema.Date },
  success: Schema.Struct({ sku: Schema.String, year: Schema.Int, user: Schema.String }),
  error: OutOfStock
})
const Ping = Workflow.make("Ping", { success: Schema.String })
const Refund = Workflow.make("shop.Refund", { payload: { sku: Schema.String }, requiredRoles: ["clerk"] })
const Endless = Workflow.make("Endless")

const live = Layer.mergeAll(
  Order.toLayer(Effect.fnUntraced(function*({ at, sku }) {
    const { user } = yield* WorkflowContext.current
    if (sku === "none") return yield* new OutOfStock({ sku })
    if (sku === "broken") return yield* Effect.die(new Error("broken"))
    return { sku, year: yield* Step.run("year", Effect.sync(() => at.getUTCFullYear())), user: user ?? "nobody" }
  })),
  Ping.toLayer(() => Effect.map(Effect.orDie(Effect.currentSpan), (span) => span.traceId)),
  Refund.toLayer(() => Effect.void),
  Endless.toLayer(() => Effect.never)
)

const workflows = [Order, Ping, Refund, Endless] as const
const Api = HttpApi.make("shop").add(WorkflowApi.group("workflows", workflows).middleware(WorkflowHttp.Middleware))

/** Whoever names himself in a header: a stand-in for the application's authentication. */
const principal: WorkflowHttp.Options["principal"] = (request) =>
  Effect.succeed(
    request.headers["x-user"] === undefined
      ? undefined
      : { user: request.headers["x-user"], roles: request.headers["x-user"] === "clara" ? ["clerk"] : [] }
  )

const ownKey = (key: string, who: WorkflowHttp.Principal | undefined): string => `${who?.user ?? ""}:${key}`

const routesOf = (options: WorkflowHttp.Options) =>
  Layer.mergeAll(
    HttpApiBuilder.layer(Api).pipe(
      Layer.provide(WorkflowApi.layer(Api, "workflows", workflows)),
      Layer.provide(WorkflowHttp.layer(options))
    ),
    HttpRouter.add(
      "POST",
      "/plain",
      Effect.map(
        Effect.all([Ping.start(), Endless.start()]),
        (handles) => HttpServerResponse.jsonUnsafe(handles.map((handle) => handle.workflowId))
      )
    ).pipe(
      Layer.provide(
        HttpRouter.middleware(
          WorkflowHttp.middleware({ principal, workflowId: ownKey })
        ).layer
      )
    )
  )

/** Serves the routes with this engine; where. `options`: of the derived endpoints. */
const serve = (
  { use }: Running,
  options: WorkflowHttp.Options = { principal }
): Effect.Effect<string, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const services = yield* use(Effect.context<Needs>())
    const server = yield* Layer.build(
      HttpRouter.serve(routesOf(options), {
        disableLogger: true,
        disableListenLog: true,
        routerConfig: { maxParamLength: 1_000 }
      }).pipe(
        Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
        Layer.provide(Layer.succeedContext(services))
      )
    )
    const { address } = Context.get(server, HttpServer.HttpServer)
    if (address._tag === "UnixPathAddress") throw new Error("not on TCP")
    return `http://127.0.0.1:${address.port}`
  })

const clientOf = (baseUrl: string) => Effect.provide(HttpApiClient.make(Api, { baseUrl }), FetchHttpClient.layer)

const post = (url: string, headers: Record<string, string> = {}, body?: unknown) =>
  Effect.promise(async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    return { status: response.status, body: await response.text() }
  })

const posted = (url: string, body: string | Uint8Array<ArrayBuffer>) =>
  Effect.promise(async () => {
    const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body })
    return { status: response.status, body: await response.text() }
  })

const at = new Date("2031-05-06T07:08:09.000Z")

onBothStores("workflows behind HTTP", (claim) => {
  claim("are started, awaited and typed by the derived client", ({ engine }) =>
    Effect.gen(function*() {
      const { workflows: api } = yield* clientOf(yield* serve(yield* engine(live)))
      const { workflowId } = yield* api.startOrder({ payload: { sku: "a", at }, headers: {} })
      assert.deepStrictEqual(
        yield* api.resultOrder({ params: { workflowId }, query: {} }),
        { sku: "a", year: 2031, user: "nobody" }
      )
      const none = yield* api.startOrder({ payload: { sku: "none", at }, headers: {} })
      const error = yield* Effect.flip(api.resultOrder({ params: none, query: { waitMs: 30_000 } }))
      assert.instanceOf(error, OutOfStock)
      const broken = yield* api.startOrder({ payload: { sku: "broken", at }, headers: {} })
      const failed = yield* Effect.flip(api.resultOrder({ params: broken, query: {} }))
      assert.deepInclude(failed, { _tag: "Failed", reason: "WorkflowFailed" })
    }))

  claim(
    "take an idempotency key as their id: sent again it is the same start, with another input a conflict",
    (given) =>
      Effect.gen(function*() {
        const { workflows: api } = yield* clientOf(yield* serve(yield* given.engine(live)))
        const headers = { "idempotency-key": "order-1" }
        const first = yield* api.startOrder({ payload: { sku: "a", at }, headers })
        const again = yield* api.startOrder({ payload: { sku: "a", at }, headers })
        assert.deepStrictEqual([first, again], [{ workflowId: "order-1" }, { workflowId: "order-1" }])
        const other = yield* Effect.flip(api.startOrder({ payload: { sku: "b", at }, headers }))
        assert.deepInclude(other, { _tag: "Conflict", reason: "WorkflowConflict" })
        const rows = yield* given.store.list({ names: ["Order"], order: "asc", limit: 10 })
        assert.deepStrictEqual(rows.map((row) => row.workflowId), ["order-1"])
      })
  )

  claim(
    "show nothing under the name of another workflow, and say so when there is no result yet",
    ({ engine }) =>
      Effect.gen(function*() {
        const { workflows: api } = yield* clientOf(yield* serve(yield* engine(live)))
        const { workflowId } = yield* api.startEndless({ headers: {} })
        for (const id of [workflowId, "unknown"]) {
          assert.deepInclude(
            yield* Effect.flip(api.resultOrder({ params: { workflowId: id }, query: {} })),
            { _tag: "NotFound" }
          )
          assert.deepInclude(yield* Effect.flip(api.cancelOrder({ params: { workflowId: id } })), { _tag: "NotFound" })
        }
        const yet = yield* Effect.flip(api.resultEndless({ params: { workflowId }, query: { waitMs: 1 } }))
        assert.deepInclude(yet, { _tag: "NoResultYet" })
        yield* api.cancelEndless({ params: { workflowId } })
        const ended = yield* Effect.flip(api.resultEndless({ params: { workflowId }, query: {} }))
        assert.deepInclude(ended, { _tag: "Conflict", reason: "WorkflowCancelled" })
      })
  )

  claim("carry the principal of the request, and ask for roles", (given) =>
    Effect.gen(function*() {
      const url = yield* serve(yield* given.engine(live))
      const refund = `${url}/shop.Refund`
      assert.strictEqual((yield* post(refund, {}, { sku: "a" })).status, 403)
      assert.strictEqual((yield* post(refund, { "x-user": "ada" }, { sku: "a" })).status, 403)
      const { body, status } = yield* post(refund, { "x-user": "clara" }, { sku: "a" })
      assert.strictEqual(status, 202)
      const row = (yield* given.store.get(JSON.parse(body).workflowId))!
      assert.deepStrictEqual([row.user, row.roles, row.assumedRole], ["clara", ["clerk"], "clerk"])
    }))

  claim("take a request from nobody for nobody's, whoever the application is", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const system = Auth.layer({ user: "system", roles: ["clerk"] })
      const use: Running["use"] = (effect) => engine.use(Effect.provide(effect, system) as typeof effect)
      const url = yield* serve({ ...engine, use })
      assert.strictEqual((yield* post(`${url}/shop.Refund`, {}, { sku: "a" })).status, 403)
    }))

  claim("say nothing of what the database says", (given) =>
    Effect.gen(function*() {
      const url = yield* serve(yield* given.engine(live))
      const message = "no access for user \"secret\""
      storeOf(given).get = () => Effect.fail(new StoreError({ reason: new StoreUnavailable({ message }) }))
      const response = yield* Effect.promise(() => fetch(`${url}/Order/a/result`))
      assert.strictEqual(response.status, 503)
      assert.notInclude(yield* Effect.promise(() => response.text()), "secret")
    }))

  claim(
    "are started by a plain handler under the key of its request, the first of them",
    ({ engine, store }) =>
      Effect.gen(function*() {
        const url = `${yield* serve(yield* engine(live))}/plain`
        const ids = async (response: { readonly body: string }) => JSON.parse(response.body) as Array<string>
        const headers = { "idempotency-key": "k", "x-user": "ada" }
        const first = yield* Effect.flatMap(post(url, headers), (response) => Effect.promise(() => ids(response)))
        const again = yield* Effect.flatMap(post(url, headers), (response) => Effect.promise(() => ids(response)))
        assert.deepStrictEqual([first[0], again[0]], ["ada:k", "ada:k"])
        assert.strictEqual(new Set([...first, ...again]).size, 3)
        assert.strictEqual((yield* store.get("ada:k"))!.user, "ada")
      })
  )

  claim(
    "are started by their endpoints under the id that the application makes of the key",
    (given) =>
      Effect.gen(function*() {
        const url = yield* serve(yield* given.engine(live), { principal, workflowId: ownKey })
        const idFor = (user: string) =>
          Effect.map(
            post(`${url}/Ping`, { "idempotency-key": "k", "x-user": user }),
            ({ body }) => JSON.parse(body).workflowId
          )
        assert.deepStrictEqual(
          [yield* idFor("ada"), yield* idFor("bob"), yield* idFor("ada")],
          ["ada:k", "bob:k", "ada:k"]
        )
      })
  )

  claim("refuse a key that cannot be an id, before anything is started", ({ engine, store }) =>
    Effect.gen(function*() {
      const url = yield* serve(yield* engine(live))
      for (const key of ["x".repeat(401), ""]) {
        for (const path of ["/Ping", "/plain"]) {
          // The plain route puts a user in front, so an empty key is an id there.
          if (path === "/plain" && key === "") continue
          assert.strictEqual((yield* post(`${url}${path}`, { "idempotency-key": key })).status, 400, `${path} ${key}`)
        }
      }
      assert.deepStrictEqual(yield* store.list({ order: "asc", limit: 10 }), [])
    }))

  claim("refuse what cannot be the id of a workflow", ({ engine }) =>
    Effect.gen(function*() {
      const url = yield* serve(yield* engine(live))
      const ask = (method: string, path: string) =>
        Effect.promise(async () => (await fetch(`${url}${path}`, { method })).status)
      for (const id of ["a%00b", "x".repeat(513)]) {
        assert.strictEqual(yield* ask("GET", `/Order/${id}/result`), 400)
        assert.strictEqual(yield* ask("POST", `/Order/${id}/cancel`), 400)
      }
      assert.strictEqual(yield* ask("GET", `/Order/${"x".repeat(512)}/result`), 404)
    }))

  claim("refuse a body that does not fit", ({ engine, store }) =>
    Effect.gen(function*() {
      const url = yield* serve(yield* engine(live))
      for (const body of [undefined, [], { sku: 1, at }, { sku: "a", at: "noon" }]) {
        assert.strictEqual((yield* post(`${url}/Order`, {}, body)).status, 400)
      }
      assert.deepStrictEqual(yield* store.list({ order: "asc", limit: 10 }), [])
    }))

  claim("answer no other method, whatever a header makes of it", ({ engine, store }) =>
    Effect.gen(function*() {
      const url = yield* serve(yield* engine(live))
      const ask = (method: string, path: string, headers: Record<string, string> = {}) =>
        Effect.promise(async () => (await fetch(`${url}${path}`, { method, headers })).status)
      for (const path of ["/Ping", "/plain"]) {
        for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
          for (const header of ["x-http-method-override", "x-http-method", "x-method-override"]) {
            assert.strictEqual(yield* ask(method, path, { [header]: "POST" }), 404, `${method} ${path}`)
          }
        }
      }
      assert.deepStrictEqual(yield* store.list({ order: "asc", limit: 10 }), [])
    }))

  claim(
    "read bodies as JSON in UTF-8: fields that the payload does not have are ignored",
    ({ engine, store }) =>
      Effect.gen(function*() {
        const url = yield* serve(yield* engine(live))
        const order = JSON.stringify({ sku: "a", at })
        const bad = [
          Buffer.from(order, "utf16le"),
          Buffer.from([0x7b, 0xff, 0x7d]),
          `[${order}]`,
          `${order}x`,
          order.replace("\"a\"", "1e999"),
          order.replace("\"a\"", "\"a\u0000")
        ]
        for (const body of bad) assert.strictEqual((yield* posted(`${url}/Order`, body)).status, 400, String(body))
        assert.deepStrictEqual(yield* store.list({ order: "asc", limit: 10 }), [])
        const more = order.replace("{", "{\"sku\":\"z\",\"unknown\":1e999,\"__proto__\":{\"sku\":\"b\"},")
        const { body, status } = yield* posted(`${url}/Order`, more)
        assert.strictEqual(status, 202)
        const { workflows: api } = yield* clientOf(url)
        const result = yield* api.resultOrder({ params: JSON.parse(body), query: {} })
        assert.deepStrictEqual(result, { sku: "a", year: 2031, user: "nobody" })
        assert.notInclude((yield* store.get(JSON.parse(body).workflowId))!.payload, "unknown")
      })
  )

  const traceId = "0af7651916cd43dd8448eb211c80319c"
  const spanId = "b7ad6b7169203331"
  const traced: ReadonlyArray<readonly [string, Record<string, string>]> = [
    ["traceparent", { traceparent: `00-${traceId}-${spanId}-01` }],
    ["b3 in one header", { b3: `${traceId}-${spanId}-1` }],
    ["b3 in several", { "x-b3-traceid": traceId, "x-b3-spanid": spanId, "x-b3-sampled": "1" }]
  ]
  for (const [what, headers] of traced) {
    claim(`go on with the trace of the request: ${what}`, ({ engine, store }) =>
      Effect.gen(function*() {
        const url = yield* serve(yield* engine(live))
        const { body } = yield* post(`${url}/Ping`, { ...headers, "idempotency-key": "traced" })
        assert.deepStrictEqual(JSON.parse(body), { workflowId: "traced" })
        const { workflows: api } = yield* clientOf(url)
        assert.strictEqual(yield* api.resultPing({ params: { workflowId: "traced" }, query: {} }), traceId)
        assert.include((yield* store.get("traced"))!.trace!, traceId)
      }))
  }
})
