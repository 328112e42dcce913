/** What is refused, how, and that nothing is done then: every refusal says what is wrong and what to do. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowStream from "perdure/WorkflowStream"
import { type Needs, onBothStores } from "../../../test/engine/harness.ts"
import { suspends } from "../../../test/engine/observing.ts"
import * as AdminAccess from "../src/AdminAccess.ts"
import * as AdminServer from "../src/AdminServer.ts"
import { bearer, isProblem, raw } from "./asking.ts"
import { serve, servedAt, token } from "./serving.ts"

const Long = Workflow.make("Long")
const Card = Workflow.make("Card", {
  payload: { card: Schema.Struct({ number: Schema.String, holder: Schema.String }) },
  success: Schema.String
})
const live = [
  Long.toLayer(() => Effect.sleep("10000 days")),
  Card.toLayer(({ card }) => Step.run("charge", Effect.succeed(`charged ${card.number}`)))
]

onBothStores("an admin server refuses", (claim) => {
  claim("whoever has no token, a wrong one, or one in the URL", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { get, plain, port } = yield* serve(engine)
      const answers = [
        yield* plain("/api/workflows"),
        yield* plain("/metrics"),
        yield* plain("/api/live"),
        yield* plain("/api/workflows", { headers: { authorization: `Bearer ${token}x` } }),
        yield* plain("/api/workflows", { headers: { authorization: "Bearer " } }),
        yield* plain("/api/workflows", { headers: { authorization: `Basic ${btoa(`x:${token}`)}` } }),
        yield* plain(`/api/workflows?token=${encodeURIComponent(token)}&access_token=${encodeURIComponent(token)}`),
        yield* plain("/api/workflows", { headers: { cookie: `perdure_session_${port}=${encodeURIComponent(token)}` } })
      ]
      for (const answer of answers) isProblem(answer, 401, "Unauthenticated")
      assert.strictEqual((yield* get("/api/workflows")).status, 200)
      // What holds no data: the health, the contract, and what a browser asks before it has a session.
      assert.deepStrictEqual((yield* plain("/health")).body, { status: "ok" })
      assert.strictEqual((yield* plain("/openapi.json")).body.info.title, "Perdure admin API")
      assert.deepStrictEqual((yield* plain("/api/session/known")).body, { known: false })
      const short = AdminAccess.layerToken({ token: Redacted.make("short") })
      assert.include(String(yield* Effect.flip(serve(engine, {}, short))), "Invalid token")
    }))

  claim(
    "a session that has ended; one begins by posting the token, and its cookie is for this server's pages only",
    (given) =>
      Effect.gen(function*() {
        const { plain, port, url } = yield* serve(yield* given.engine(live), { path: "/admin" })
        const login = (token: string, headers: Record<string, string> = {}) =>
          plain("/api/session", {
            method: "POST",
            headers: { "content-type": "application/json", ...headers },
            body: JSON.stringify({ token })
          })
        isProblem(yield* login("something else"), 401, "Unauthenticated")
        const begun = yield* login(token)
        assert.strictEqual(begun.status, 204)
        const setCookie = begun.headers.get("set-cookie")!
        // Of this port alone: browsers send a cookie to all ports of a host.
        assert.match(setCookie, new RegExp(`^perdure_session_${port}=[\\w-]{43}; `))
        for (const part of ["HttpOnly", "SameSite=Strict", "Path=/admin", "Max-Age=43200"]) {
          assert.include(setCookie, part)
        }
        assert.notInclude(setCookie, "Secure")
        assert.include((yield* login(token, { "x-forwarded-proto": "https" })).headers.get("set-cookie")!, "Secure")
        const cookie = setCookie.split(";")[0]!
        assert.isTrue((yield* plain("/api/info", { headers: { cookie } })).body.session)
        const foreign = { method: "POST", headers: { cookie, origin: "http://evil.example" } }
        isProblem(yield* plain("/api/session/end", foreign), 403, "ForeignOrigin")
        const own = { method: "POST", headers: { cookie, origin: new URL(url).origin } }
        assert.strictEqual((yield* plain("/api/session/end", own)).status, 204)
        isProblem(yield* plain("/api/info", { headers: { cookie } }), 401, "Unauthenticated")
      })
  )

  claim(
    "a foreign host (DNS rebinding) and a page of another site, whatever credentials they come with",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        yield* engine.use(Long.start(undefined, { workflowId: "w" }))
        const { port } = yield* serve(engine, { hosts: ["LocalHost", "127.0.0.1", "Admin.Example.org:8443"] })
        const own = `127.0.0.1:${port}`
        for (
          const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "admin.example.org"]
        ) {
          isProblem(yield* raw(port, "/api/workflows", { ...bearer, host }), 403, "ForeignHost")
        }
        for (const host of [own, "LOCALHOST:1", "admin.example.org:8443"]) {
          assert.strictEqual((yield* raw(port, "/api/workflows", { ...bearer, host })).status, 200, host)
        }
        const json = { ...bearer, host: own, "content-type": "application/json" }
        const body = JSON.stringify({ ids: ["w"] })
        for (
          const from of [
            { origin: "http://evil.example" },
            { origin: "null" },
            { origin: `https://127.0.0.1:${port + 1}` },
            { "sec-fetch-site": "cross-site" }
          ]
        ) {
          isProblem(yield* raw(port, "/api/workflows/cancel", { ...json, ...from }, "POST", body), 403, "ForeignOrigin")
          isProblem(yield* raw(port, "/api/live", { ...json, ...from }), 403, "ForeignOrigin")
        }
        // What a form of another page can send without being asked.
        const form = yield* raw(port, "/api/workflows/cancel", { ...json, "content-type": "text/plain" }, "POST", body)
        isProblem(form, 400, "ContentType")
        assert.strictEqual((yield* engine.use(Client.get("w"))).status, "PENDING")
        const own_ = { ...json, origin: `http://${own}`, "sec-fetch-site": "same-origin" }
        assert.strictEqual((yield* raw(port, "/api/workflows/cancel", own_, "POST", body)).status, 204)
      })
  )

  claim(
    "every change when it is read-only, and every one that the caller may not make",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        yield* engine.use(Long.start(undefined, { workflowId: "w" }))
        const readOnly = yield* serve(engine, { readOnly: true })
        const asked = { ids: ["w"] }
        isProblem(yield* readOnly.post("/api/workflows/cancel", asked), 403, "ReadOnly")
        isProblem(yield* readOnly.post("/api/workflows/bulk/delete", { filter: asked }), 403, "ReadOnly")
        isProblem(yield* readOnly.post("/api/versions/latest", { version: "v" }), 403, "ReadOnly")
        assert.strictEqual((yield* readOnly.get("/api/workflow?id=w")).status, 200)
        assert.strictEqual((yield* readOnly.post("/api/workflows/bulk/count", { filter: asked })).status, 200)
        assert.deepStrictEqual((yield* readOnly.api.system.info()).allowed, ["view"])

        const access = AdminAccess.layer({
          authenticate: (request) =>
            request.headers["x-user"] === undefined
              ? Effect.fail(AdminAccess.unknown())
              : Effect.succeed({ user: request.headers["x-user"], roles: [] }),
          permits: ({ user }, action) => Effect.succeed(action === "view" ? user !== "mallory" : user === "ada")
        })
        const { get, post } = yield* serve(engine, {}, access)
        const as = (user: string) => ({ "x-user": user })
        isProblem(yield* get("/api/workflows"), 401, "Unauthenticated")
        isProblem(yield* get("/api/workflows", as("mallory")), 403, "PermissionDenied")
        assert.strictEqual((yield* get("/api/workflows", as("bob"))).status, 200)
        isProblem(yield* post("/api/workflows/cancel", asked, as("bob")), 403, "PermissionDenied")
        isProblem(yield* post("/api/session", { token }, as("bob")), 404, "NoSessions")
        assert.strictEqual((yield* engine.use(Client.get("w"))).status, "PENDING")
        assert.strictEqual((yield* post("/api/workflows/cancel", asked, as("ada"))).status, 204)

        const broken = AdminAccess.layer({
          authenticate: () => {
            throw new Error("no key")
          }
        })
        isProblem(yield* (yield* serve(engine, {}, broken)).get("/api/workflows"), 500, "Internal")
      })
  )

  claim("bodies, queries and paths that are too large, malformed or unknown", (given) =>
    Effect.gen(function*() {
      const { get, post, port } = yield* serve(yield* given.engine(live), { limits: { bodyBytes: 10_000 } })
      isProblem(yield* post("/api/workflows/cancel", { ids: ["w"], detail: "x".repeat(20_000) }), 413, "BodyTooLarge")
      // Nothing says beforehand how large it is.
      const chunked = { ...bearer, "content-type": "application/json", "transfer-encoding": "chunked" }
      isProblem(
        yield* raw(port, "/api/workflows/cancel", chunked, "POST", `{"ids":["${"x".repeat(20_000)}"]}`),
        413,
        "BodyTooLarge"
      )
      for (const body of ["", "{", "[]", "{\"ids\":[]}", "{\"ids\":[1]}", "null", "{\"ids\":\"w\"}", "\u0000"]) {
        isProblem(yield* post("/api/workflows/cancel", body), 400, "Malformed")
      }
      for (
        const query of [
          "limit=0",
          "limit=1001",
          "limit=x",
          "status=DONE",
          "from=yesterday",
          "attributes=%7B",
          "order=up"
        ]
      ) {
        isProblem(yield* get(`/api/workflows?${query}`), 400, "Malformed")
      }
      isProblem(yield* get("/api/workflows?cursor=nonsense"), 400, "InvalidArgument")
      isProblem(yield* get("/api/workflow"), 400, "Malformed")
      isProblem(yield* get(`/api/workflow?id=${"x".repeat(2000)}`), 400, "Malformed")
      isProblem(yield* get(`/api/workflow?id=${"x".repeat(17_000)}`), 400, "UrlTooLong")
      isProblem(yield* get("/api/workflow?id=%00"), 400, "InvalidArgument")
      isProblem(yield* get("/api/nothing"), 404, "NoSuchPath")
      isProblem(yield* get("/api/workflows/cancel"), 404, "NoSuchPath")
      isProblem(yield* post("/api/workflows"), 404, "NoSuchPath")
      isProblem(yield* get("/"), 404, "NoSuchPath")
    }))

  claim("methods that a path does not have, whatever a header makes of them", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      yield* engine.use(Long.start(undefined, { workflowId: "w" }))
      const { port } = yield* serve(engine)
      const cancel = JSON.stringify({ ids: ["w"] })
      const json = { ...bearer, "content-type": "application/json" }
      // 404 and not 405: a path and a method are looked for as one. What is said names the method.
      for (const method of ["TRACE", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "POST"]) {
        // Of the others nobody sends a body, and its length is not said.
        const body = /^(PUT|PATCH|POST)$/.test(method) ? cancel : ""
        const answer = yield* raw(port, "/api/workflows", json, method, body)
        isProblem(answer, 404, "NoSuchPath")
        assert.include(answer.body.detail, method)
        assert.notInclude(answer.text, "Bearer")
      }
      const head = yield* raw(port, "/api/workflows", bearer, "HEAD")
      assert.deepStrictEqual([head.status, head.text], [200, ""])
      assert.strictEqual((yield* raw(port, "/api/workflows", {}, "HEAD")).status, 401)
      for (const header of ["x-http-method-override", "x-http-method", "x-method-override"]) {
        isProblem(yield* raw(port, "/api/workflows/cancel", { ...bearer, [header]: "POST" }), 404, "NoSuchPath")
        assert.strictEqual((yield* raw(port, "/api/workflows", { ...bearer, [header]: "DELETE" })).status, 200)
      }
      isProblem(yield* raw(port, "/api/workflows/cancel?_method=POST", bearer), 404, "NoSuchPath")
      assert.strictEqual((yield* engine.use(Client.get("w"))).status, "PENDING")
    }))

  claim(
    "bodies that are no JSON in UTF-8, and numbers that are none; fields that it does not know are ignored",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        yield* engine.use(Effect.forEach(["a", "b", "c"], (workflowId) => Long.start(undefined, { workflowId })))
        const { port, post } = yield* serve(engine)
        const json = { ...bearer, "content-type": "application/json" }
        const cancel = (body: string | Uint8Array) => raw(port, "/api/workflows/cancel", json, "POST", body)
        const a = JSON.stringify({ ids: ["a"] })
        const bad = [
          Buffer.from(a, "utf16le"),
          Buffer.from(`\ufeff${a}`, "utf16le"),
          Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
          `${a}x`,
          `${a}${a}`,
          "{\"ids\":[\"a\"],}",
          "{'ids':['a']}",
          "{\"ids\":[1e999]}"
        ]
        for (const body of bad) isProblem(yield* cancel(body), 400, "Malformed")
        const endless = { name: "Card", payload: { card: { number: "1", holder: "Ada" } }, workflowId: "endless" }
        isProblem(
          yield* post("/api/workflows/start", JSON.stringify(endless).replace("\"Ada\"", "1e999")),
          400,
          "Malformed"
        )
        assert.strictEqual(yield* engine.use(Client.count()), 3)
        assert.strictEqual(yield* engine.use(Client.count({ status: "CANCELLED" })), 0)
        // Of a key that comes twice the last counts, as JSON.parse has it.
        assert.strictEqual((yield* cancel("{\"ids\":[\"a\"],\"ids\":[\"b\"],\"unknown\":{\"deep\":1}}")).status, 204)
        assert.strictEqual((yield* cancel(`\ufeff${JSON.stringify({ ids: ["c"] })}`)).status, 204)
        yield* engine.use(Effect.forEach(["b", "c"], (id) => Effect.exit(Client.result(id))))
        assert.strictEqual((yield* engine.use(Client.get("a"))).status, "PENDING")
      })
  )

  claim(
    "files outside of the dashboard's folder, and to be framed, sniffed or scripted",
    (given) =>
      Effect.gen(function*() {
        const root = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "perdure-files-"))),
          (path) => Effect.sync(() => rmSync(path, { recursive: true }))
        )
        mkdirSync(join(root, "app"))
        writeFileSync(join(root, "secret.txt"), "secret")
        writeFileSync(join(root, "app/index.html"), "<title>dashboard</title>")
        writeFileSync(join(root, "app/main-Ab12_x9Z.js"), "1")
        const engine = yield* given.engine(live)
        const { get, plain, port } = yield* serve(engine, { path: "/admin", dashboard: join(root, "app") })
        const page = yield* plain("/workflows/some?id=1", { headers: { accept: "text/html" } })
        assert.include(page.text, "dashboard")
        assert.strictEqual(page.headers.get("cache-control"), "no-cache")
        assert.include((yield* plain("/")).text, "dashboard")
        const moved = yield* plain("?a=1")
        assert.deepStrictEqual([moved.status, moved.headers.get("location")], [302, "/admin/?a=1"])
        const script = yield* plain("/main-Ab12_x9Z.js")
        assert.deepStrictEqual([script.text, script.headers.get("cache-control")], [
          "1",
          "public, max-age=31536000, immutable"
        ])
        for (
          const path of [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/app/../../secret.txt",
            "//../secret.txt",
            "/..%5csecret.txt",
            "/%00",
            `/${join(root, "secret.txt")}`,
            "/%252e%252e%252fsecret.txt"
          ]
        ) {
          const answer = yield* raw(port, `/admin${path}`, {})
          assert.notInclude(answer.text, "secret", path)
          assert.isAtLeast(answer.status, 400, path)
        }
        isProblem(yield* get("/api/nothing"), 404, "NoSuchPath")
        for (const answer of [page, script, yield* get("/api/workflows"), yield* plain("/api/workflows")]) {
          const policy = answer.headers.get("content-security-policy")!
          for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) {
            assert.include(policy, part)
          }
          assert.notInclude(policy, "unsafe")
          assert.strictEqual(answer.headers.get("x-content-type-options"), "nosniff")
          assert.strictEqual(answer.headers.get("x-frame-options"), "DENY")
          assert.isNull(answer.headers.get("access-control-allow-origin"))
        }
        assert.strictEqual((yield* get("/api/workflows")).headers.get("cache-control"), "no-store")
        const none = Effect.flip(serve(engine, { dashboard: join(root, "nothing") }))
        assert.include(String(yield* none), "Invalid dashboard")
      })
  )

  claim(
    "to show what is redacted, everywhere where it may be; what comes back unchanged is put back",
    (given) =>
      Effect.gen(function*() {
        const Secretive = Workflow.make("Secretive", { payload: { pin: Schema.String }, success: Schema.String })
        const code = Message.make("code", { payload: Schema.Struct({ digits: Schema.String }) })
        const state = WorkflowEvent.make("state", { value: Schema.Struct({ pin: Schema.String, ok: Schema.Boolean }) })
        const trail = WorkflowStream.make("trail", { value: Schema.String })
        const engine = yield* given.engine([
          ...live,
          Secretive.toLayer(({ pin }) =>
            Effect.gen(function*() {
              yield* state.set({ pin, ok: true })
              yield* trail.write(pin)
              const { digits } = yield* code.receive()
              return yield* Step.run("check", Effect.die(Object.assign(new Error(`${pin}${digits}`), { pin })))
            })
          )
        ])
        const { use } = engine
        const { api } = yield* serve(engine, {
          redact: {
            "*": ["payload.card.number", "**.pin", "attributes.email"],
            Card: ["success", "steps.charge.value"],
            Secretive: [
              "events.state.pin",
              "streams.trail",
              "messages.code.digits",
              "failure.message",
              "failure.stack",
              "steps.check.failure"
            ]
          }
        })
        const card = { number: "its number", holder: "Ada" }
        yield* use(Card.execute({ card }, { workflowId: "c", attributes: { email: "ada@example.org", tier: "gold" } }))
        const detail = yield* api.workflows.get({ query: { id: "c" } })
        assert.deepStrictEqual(detail.payload, { card: { number: "[redacted]", holder: "Ada" } })
        assert.deepStrictEqual([detail.success, { ...detail.attributes }], [
          "[redacted]",
          { email: "[redacted]", tier: "gold" }
        ])
        assert.deepStrictEqual(detail.redacted, ["payload.card.number", "success", "attributes.email"])
        const { steps } = yield* api.workflows.steps({ query: { id: "c" } })
        assert.deepStrictEqual([steps[0]!.value, steps[0]!.redacted], ["[redacted]", ["steps.charge.value"]])
        // The holder is edited, the number was never seen.
        const payload = { card: { number: "[redacted]", holder: "Bob" } }
        const { workflowId } = yield* api.acts.fork({ payload: { id: "c", payload } })
        assert.strictEqual(yield* use(Client.result(workflowId)), "charged its number")
        assert.deepStrictEqual((yield* use(Client.get(workflowId))).payload, {
          card: { number: "its number", holder: "Bob" }
        })

        yield* use(Secretive.start({ pin: "a pin" }, { workflowId: "s" }))
        yield* use(suspends("s"))
        yield* use(code.send("s", { digits: "its digits" }))
        yield* Effect.exit(use(Client.result("s")))
        const all = JSON.stringify([
          yield* api.workflows.get({ query: { id: "s" } }),
          yield* api.workflows.list({ query: {} }),
          yield* api.workflows.steps({ query: { id: "s" } }),
          yield* api.workflows.events({ query: { id: "s" } }),
          yield* api.workflows.messages({ query: { id: "s" } }),
          yield* api.workflows.stream({ query: { id: "s", key: "trail" } }),
          yield* api.workflows.explain({ query: { id: "s" } })
        ])
        for (const secret of ["a pin", "its digits", "its number", "ada@example.org"]) assert.notInclude(all, secret)
        assert.include(all, "[redacted]")
      })
  )

  claim("to tell a redacted reason where it says what a workflow waits for", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { use } = engine
      const { api } = yield* serve(engine, { redact: { Long: ["reason.detail"] } })
      yield* use(Long.start(undefined, { workflowId: "w" }))
      const history = yield* use(Client.exportHistory("w"))
      // It arrives blocked, with a reason that says why.
      yield* use(Client.importHistory({ ...history, workflow: { ...history.workflow, workflowId: "copy" } }))
      assert.include((yield* use(Client.explain("copy"))).text, "when it was exported")
      const { text, why } = yield* api.workflows.explain({ query: { id: "copy" } })
      assert.deepInclude(why, { _tag: "Blocked", actual: "an imported one", detail: "[redacted]" })
      assert.strictEqual(text, "[redacted]")
      assert.notInclude((yield* api.workflows.explain({ query: { id: "w" } })).text, "[redacted]")
    }))

  claim("nothing of what the host's own router answers beside it", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      yield* engine.use(Long.start(undefined, { workflowId: `${"x".repeat(300)}/../ä` }))
      const services = yield* engine.use(Effect.context<Needs>())
      const server = yield* Layer.build(
        HttpRouter.serve(
          Layer.mergeAll(
            HttpRouter.add("GET", "/shop", HttpServerResponse.text("shop")),
            HttpRouter.add("GET", "/ops/other", HttpServerResponse.text("other")),
            AdminServer.layer({ path: "/ops/admin" })
          ),
          { disableLogger: true, disableListenLog: true }
        ).pipe(
          Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
          Layer.provide(AdminAccess.layerToken({ token: Redacted.make(token) })),
          Layer.provide(Layer.succeedContext(services))
        )
      )
      const host = yield* servedAt(server as never, "")
      assert.deepStrictEqual([(yield* host.plain("/shop")).text, (yield* host.plain("/ops/other")).text], [
        "shop",
        "other"
      ])
      const admin = yield* servedAt(server as never, "/ops/admin")
      const { workflows } = yield* admin.api.workflows.list({ query: {} })
      assert.lengthOf(workflows, 1)
      const { workflowId } = workflows[0]!
      assert.strictEqual((yield* admin.api.workflows.get({ query: { id: workflowId } })).workflowId, workflowId)
      isProblem(yield* admin.get("/nothing"), 404, "NoSuchPath")
      assert.strictEqual((yield* admin.get("/openapi.json")).body.info.title, "Perdure admin API")
      assert.strictEqual((yield* host.get("/api/workflows")).status, 404)
      for (const path of ["/a b", "/x/../y", "/:id"] as const) {
        assert.include(String(yield* Effect.flip(serve(engine, { path }))), "Invalid path")
      }
    }))
})
