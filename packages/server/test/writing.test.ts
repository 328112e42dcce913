/** The writes of the dashboard's forms: messages, attributes, schedules. What they do, and each way in which they are refused. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import { onBothStores } from "../../../test/engine/harness.ts"
import { suspends } from "../../../test/engine/observing.ts"
import * as AdminAccess from "../src/AdminAccess.ts"
import { bearer, isProblem, raw } from "./asking.ts"
import { serve } from "./serving.ts"

const approval = Message.make("approval", { payload: Schema.Struct({ by: Schema.String }) })
const go = Message.make("go")

const Approved = Workflow.make("Approved", { success: Schema.String })
const Going = Workflow.make("Going")
const Report = Workflow.make("Report", { payload: { kind: Schema.String }, success: Schema.String })
const Guarded = Workflow.make("Guarded", { requiredRoles: ["clerk"] })

const live = [
  Approved.toLayer(() => Effect.map(approval.receive(), ({ by }) => by)),
  Going.toLayer(() => go.receive()),
  Report.toLayer(({ kind }) => Effect.map(WorkflowContext.current, ({ user }) => `${kind} for ${user ?? "nobody"}`)),
  Guarded.toLayer(() => Effect.void)
]

/** The three, each with a body that would be done. */
const writes = [
  ["/api/workflow/send", { id: "w", topic: "approval", payload: { by: "ada" } }],
  ["/api/workflow/attributes", { id: "w", attributes: { tier: "gold" } }],
  ["/api/schedule/create", { name: "new", workflow: "Report", payload: { kind: "daily" }, intervalMs: 60_000 }]
] as const

onBothStores("an admin server", (claim) => {
  claim("sends messages, once under a key, with a payload or none", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { use } = engine
      const { api } = yield* serve(engine)
      yield* use(Approved.start(undefined, { workflowId: "a" }))
      yield* use(suspends("a"))
      yield* api.acts.send({ payload: { id: "a", topic: "approval", payload: { by: "ada" }, key: "k" } })
      assert.strictEqual(yield* use(Client.result("a")), "ada")
      yield* use(Going.start(undefined, { workflowId: "g" }))
      for (const _ of [1, 2]) yield* api.acts.send({ payload: { id: "g", topic: "other", payload: null, key: "k" } })
      const { messages: [message, ...more] } = yield* api.workflows.messages({ query: { id: "g", topic: "other" } })
      assert.deepInclude(message, { topic: "other", payload: null })
      assert.deepStrictEqual([more, message!.senderId, message!.receivedBy], [[], undefined, undefined])
      yield* api.acts.send({ payload: { id: "g", topic: "go" } })
      yield* use(Client.result("g"))
    }))

  claim(
    "refuses a message that nobody would receive, or that makes no sense, and sends nothing",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        const { use } = engine
        const { api, post } = yield* serve(engine)
        yield* use(Report.execute({ kind: "x" }, { workflowId: "ended" }))
        yield* use(Approved.start(undefined, { workflowId: "w" }))
        const send = (body: object) => post("/api/workflow/send", { id: "w", topic: "t", payload: 1, ...body })
        isProblem(yield* send({ id: "nobody" }), 404, "MessageUndeliverable")
        isProblem(yield* send({ id: "ended" }), 409, "MessageUndeliverable")
        assert.strictEqual((yield* send({ key: "k" })).status, 204)
        isProblem(yield* send({ key: "k", payload: 2 }), 409, "MessageConflict")
        isProblem(yield* send({ key: "k", topic: "u" }), 409, "MessageConflict")
        for (const wrong of [{ topic: "" }, { topic: "x".repeat(300) }, { topic: "\u0000" }, { key: "" }, { id: "" }]) {
          isProblem(yield* send(wrong), 400, "InvalidArgument")
        }
        for (const wrong of [{ topic: 1 }, { key: null }, { id: ["w"] }, { topic: "x".repeat(2000) }]) {
          isProblem(yield* send(wrong), 400, "Malformed")
        }
        const { messages } = yield* api.workflows.messages({ query: { id: "w" } })
        assert.deepStrictEqual(messages.map(({ payload, topic }) => [topic, payload]), [["t", 1]])
      })
  )

  claim("replaces attributes, of what runs and of what has ended", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { use } = engine
      const { api } = yield* serve(engine, { redact: { Approved: ["attributes.email"] } })
      const attributes = { email: "ada@example.org", tier: "gold", old: true }
      yield* use(Approved.start(undefined, { workflowId: "w", attributes }))
      yield* use(Report.execute({ kind: "x" }, { workflowId: "ended" }))
      const shown = { ...(yield* api.workflows.get({ query: { id: "w" } })).attributes }
      assert.deepStrictEqual(shown, { ...attributes, email: "[redacted]" })
      // What was not seen is given back as it was shown.
      yield* api.acts.setAttributes({ payload: { id: "w", attributes: { email: "[redacted]", n: -1.5 } } })
      assert.deepStrictEqual({ ...(yield* use(Client.get("w"))).attributes }, { email: "ada@example.org", n: -1.5 })
      yield* api.acts.setAttributes({ payload: { id: "w", attributes: { email: "eve@example.org" } } })
      assert.deepStrictEqual({ ...(yield* use(Client.get("w"))).attributes }, { email: "eve@example.org" })
      // All of them are named: each is shown as there, and stays.
      const closed = yield* serve(engine, { redact: { Approved: ["attributes"] } })
      const hidden = { ...(yield* closed.api.workflows.get({ query: { id: "w" } })).attributes }
      assert.deepStrictEqual(hidden, { email: "[redacted]" })
      yield* closed.api.acts.setAttributes({ payload: { id: "w", attributes: { ...hidden, more: 1 } } })
      assert.deepStrictEqual({ ...(yield* use(Client.get("w"))).attributes }, { email: "eve@example.org", more: 1 })
      yield* api.acts.setAttributes({ payload: { id: "ended", attributes: { done: true } } })
      const found = yield* api.workflows.list({ query: { attributes: { done: true } } })
      assert.deepStrictEqual(found.workflows.map(({ workflowId }) => workflowId), ["ended"])
      yield* api.acts.setAttributes({ payload: { id: "ended", attributes: {} } })
      assert.deepStrictEqual({ ...(yield* use(Client.get("ended"))).attributes }, {})
    }))

  claim("refuses attributes that cannot be stored, and leaves those that there are", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { use } = engine
      const { post } = yield* serve(engine)
      yield* use(Approved.start(undefined, { workflowId: "w", attributes: { tier: "gold" } }))
      const set = (attributes: unknown, id = "w") => post("/api/workflow/attributes", { id, attributes })
      isProblem(yield* set({}, "nobody"), 404, "WorkflowNotFound")
      const tooMany = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`a${n}`, n]))
      for (const wrong of [tooMany, { "": 1 }, { ["k".repeat(300)]: 1 }, { a: "x".repeat(1025) }, { a: "\u0000" }]) {
        isProblem(yield* set(wrong), 400, "InvalidArgument")
      }
      for (const wrong of [{ a: null }, { a: {} }, [], "tier", null]) isProblem(yield* set(wrong), 400, "Malformed")
      assert.deepStrictEqual({ ...(yield* use(Client.get("w"))).attributes }, { tier: "gold" })
    }))

  claim("creates schedules, by a cron or an interval, on behalf of who asks", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { use } = engine
      const access = AdminAccess.layer({ authenticate: () => Effect.succeed({ user: "clara", roles: [] }) })
      const { api } = yield* serve(engine, {}, access)
      const report = { workflow: "Report", payload: { kind: "daily" } }
      yield* api.schedules.create({
        payload: { ...report, name: "nightly", cron: "30 2 * * *", timeZone: "Europe/Berlin", overlap: "skip" }
      })
      yield* api.schedules.create({ payload: { ...report, name: "often", intervalMs: 86_400_000, missed: "skip" } })
      const nightly = yield* api.schedules.get({ query: { name: "nightly", next: 2 } })
      assert.deepInclude(nightly, {
        ...report,
        cron: "30 2 * * *",
        timeZone: "Europe/Berlin",
        missed: "latest",
        overlap: "skip",
        origin: "runtime",
        user: "clara",
        paused: false
      })
      assert.lengthOf(nightly.next, 2)
      const often = yield* api.schedules.get({ query: { name: "often" } })
      assert.deepInclude(often, { intervalMs: 86_400_000, missed: "skip", overlap: "allow" })
      const { workflowId } = yield* api.schedules.trigger({ payload: { name: "often" } })
      assert.strictEqual(yield* use(Client.result(workflowId)), "daily for clara")
    }))

  claim("refuses a schedule that makes no sense, and creates none", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { api, post } = yield* serve(engine)
      const { workflow, ...rest } = { name: "s", workflow: "Report", payload: { kind: "x" }, intervalMs: 60_000 }
      const create = (body: object) => post("/api/schedule/create", { workflow, ...rest, ...body })
      const cron = { intervalMs: undefined, cron: "0 * * * *" }
      for (
        const wrong of [
          { intervalMs: undefined },
          { cron: "0 * * * *" },
          { timeZone: "UTC" },
          { ...cron, cron: "every day" },
          { ...cron, cron: "61 * * * *" },
          { ...cron, timeZone: "Mars/Olympus" },
          { name: "a/b" },
          { name: "" },
          { name: "\u001b" },
          { workflow: "" }
        ]
      ) {
        isProblem(yield* create(wrong), 400, "InvalidArgument")
      }
      for (const wrong of [{ intervalMs: 1 }, { missed: "all" }, { overlap: "maybe" }, { name: 1 }, { cron: null }]) {
        isProblem(yield* create(wrong), 400, "Malformed")
      }
      isProblem(yield* create({ payload: { kind: 1 } }), 400, "InvalidArgument")
      isProblem(yield* create({ workflow: "Guarded", payload: undefined }), 403, "WorkflowUnauthorized")
      assert.deepStrictEqual(yield* api.schedules.list({ query: {} }), { schedules: [] })
      assert.strictEqual((yield* create({})).status, 204)
      isProblem(yield* create({ intervalMs: 120_000 }), 409, "ScheduleExists")
      assert.deepInclude(yield* api.schedules.get({ query: { name: "s" } }), { intervalMs: 60_000 })
    }))

  claim(
    "does none of them for who may not, for a foreign page, or when it is read-only",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        const { use } = engine
        yield* use(Approved.start(undefined, { workflowId: "w" }))
        yield* use(suspends("w"))
        const { plain, port } = yield* serve(engine)
        const readOnly = yield* serve(engine, { readOnly: true })
        const access = AdminAccess.layer({
          authenticate: () => Effect.succeed({ user: "bob", roles: [] }),
          permits: (_, action) => Effect.succeed(["view", "start", "cancel", "fork"].includes(action))
        })
        const limited = yield* serve(engine, {}, access)
        const json = { "content-type": "application/json" }
        const small = yield* serve(engine, { limits: { bodyBytes: 500 } })
        for (const [path, body] of writes) {
          const text = JSON.stringify(body)
          isProblem(yield* plain(path, { method: "POST", headers: json, body: text }), 401, "Unauthenticated")
          isProblem(yield* readOnly.post(path, body), 403, "ReadOnly")
          isProblem(yield* limited.post(path, body), 403, "PermissionDenied")
          const own = { ...bearer, ...json, host: `127.0.0.1:${port}` }
          for (
            const from of [{ origin: "http://evil.example" }, { origin: "null" }, { "sec-fetch-site": "cross-site" }]
          ) {
            isProblem(yield* raw(port, path, { ...own, ...from }, "POST", text), 403, "ForeignOrigin")
          }
          isProblem(yield* raw(port, path, { ...own, host: "evil.example" }, "POST", text), 403, "ForeignHost")
          isProblem(yield* raw(port, path, { ...own, "content-type": "text/plain" }, "POST", text), 400, "ContentType")
          isProblem(yield* small.get(path), 404, "NoSuchPath")
          isProblem(yield* small.post(path, { ...body, detail: "x".repeat(600) }), 413, "BodyTooLarge")
          for (const wrong of ["", "{", "[]", "null", "{}"]) isProblem(yield* small.post(path, wrong), 400, "Malformed")
        }
        assert.deepStrictEqual((yield* readOnly.api.system.info()).allowed, ["view"])
        const info = yield* use(Client.get("w"))
        assert.deepStrictEqual([info.status, { ...info.attributes }], ["PENDING", {}])
        assert.deepStrictEqual(yield* use(Client.messages("w")), [])
        assert.deepStrictEqual(yield* use(Client.schedules.list()), [])
        for (const [path, body] of writes) assert.strictEqual((yield* small.post(path, body)).status, 204)
        assert.strictEqual(yield* use(Client.result("w")), "ada")
      })
  )
})
