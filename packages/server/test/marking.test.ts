/** Fields that a workflow's schemas mark as redacted: not shown, with nothing configured, wherever the server has the code. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "../../../test/engine/harness.ts"
import { serve } from "./serving.ts"

const Secret = Schema.Redacted(Schema.String)

class Denied extends Schema.TaggedError<Denied>()("Denied", { user: Schema.String, tried: Secret }) {}

const Login = Workflow.make("Login", {
  payload: { user: Schema.String, password: Secret },
  success: Schema.Struct({ user: Schema.String, token: Secret }),
  error: Denied
})
/** Has the result of two others: of one whose definition it has, and of one that it knows by id. */
const Portal = Workflow.make("Portal", { payload: { user: Schema.String }, success: Schema.String })

const live = [
  Login.toLayer(({ password, user }) =>
    user === "eve"
      ? Effect.fail(new Denied({ user, tried: password }))
      : Effect.succeed({ user, token: Redacted.make(`token of ${Redacted.value(password)}`) })
  ),
  Portal.toLayer(Effect.fnUntraced(function*({ user }) {
    yield* Effect.orDie(Login.execute({ user, password: Redacted.make("hush-hush") }))
    yield* Effect.exit(Login.execute({ user: "eve", password: Redacted.make("hush-hush") }))
    yield* Effect.exit(Client.result("login"))
    return user
  }))
]

const hidden = "[redacted]"

onBothStores("what schemas mark", (claim) => {
  claim(
    "is not shown of payloads, results, errors, schedules, and where another has a result",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        const { use } = engine
        const { api, get } = yield* serve(engine)
        const password = Redacted.make("hush-hush")
        yield* use(Login.execute({ user: "ada", password }, { workflowId: "login" }))
        yield* Effect.exit(use(Login.execute({ user: "eve", password }, { workflowId: "denied" })))
        yield* use(Portal.execute({ user: "ada" }, { workflowId: "portal" }))
        yield* use(
          Client.schedules.create("hourly", { workflow: Login, payload: { user: "ada", password }, interval: "1 hour" })
        )
        const login = yield* api.workflows.get({ query: { id: "login" } })
        assert.deepStrictEqual(login.payload, { user: "ada", password: hidden })
        assert.deepStrictEqual(login.success, { user: "ada", token: hidden })
        assert.deepStrictEqual(login.redacted, ["payload.password", "success.token"])
        const denied = yield* api.workflows.get({ query: { id: "denied" } })
        assert.deepInclude(denied.failure!.fields, { user: "eve", tried: hidden })
        const schedule = yield* api.schedules.get({ query: { name: "hourly" } })
        assert.deepStrictEqual(schedule.payload, { user: "ada", password: hidden })
        const { steps } = yield* api.workflows.steps({ query: { id: "portal" } })
        const results = steps.filter(({ kind }) => kind === "result")
        assert.deepStrictEqual(results.map(({ failure, value }) => failure?.fields["tried"] ?? value), [
          { user: "ada", token: hidden },
          hidden,
          { user: "ada", token: hidden }
        ])
        const first = yield* api.workflows.step({ query: { id: "portal", stepId: results[0]!.stepId } })
        assert.deepStrictEqual([first.value, first.redacted], [{ user: "ada", token: hidden }, ["success.token"]])
        for (const path of ["workflows", "schedules", "workflow/steps?id=portal", "workflow/explain?id=denied"]) {
          const { status, text } = yield* get(`/api/${path}`)
          assert.strictEqual(status, 200)
          assert.notInclude(text, "hush-hush", path)
        }
      })
  )

  claim("is put back where it is returned unchanged, beside what is configured", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { use } = engine
      const { api } = yield* serve(engine, { redact: { Login: ["payload.user"] } })
      yield* use(Login.execute({ user: "ada", password: Redacted.make("hush-hush") }, { workflowId: "login" }))
      const { payload } = yield* api.workflows.get({ query: { id: "login" } })
      assert.deepStrictEqual(payload, { user: hidden, password: hidden })
      const { workflowId } = yield* api.acts.fork({
        payload: { id: "login", payload: { user: "bob", password: hidden } }
      })
      const { token, user } = yield* use(Login.handle(workflowId).result)
      assert.deepStrictEqual([user, Redacted.value(token)], ["bob", "token of hush-hush"])
      // A start says which one its payload is of; what is hidden of one name may not be of another.
      const again = { like: "login", payload: { user: hidden, password: hidden } }
      const started = yield* api.acts.start({ payload: { name: "Login", ...again } })
      const result = yield* use(Login.handle(started.workflowId).result)
      assert.deepStrictEqual([result.user, Redacted.value(result.token)], ["ada", "token of hush-hush"])
      const other = yield* Effect.flip(api.acts.start({ payload: { name: "Portal", ...again } }))
      assert.deepInclude(other, { _tag: "InvalidRequest", reason: "InvalidArgument" })
      const nobody = yield* Effect.flip(api.acts.start({ payload: { name: "Login", ...again, like: "nobody" } }))
      assert.deepInclude(nobody, { _tag: "NotFound", reason: "WorkflowNotFound" })
    }))

  claim("is shown by a server that has not the code: there paths have to be named", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      yield* engine.use(Login.execute({ user: "ada", password: Redacted.make("hush-hush") }, { workflowId: "login" }))
      const beside = yield* given.client
      const open = yield* serve(beside)
      const detail = yield* open.api.workflows.get({ query: { id: "login" } })
      assert.deepStrictEqual(detail.payload, { user: "ada", password: "hush-hush" })
      const named = yield* serve(beside, { redact: { Login: ["payload.password", "success.token"] } })
      assert.notInclude((yield* named.get("/api/workflow?id=login")).text, "hush-hush")
    }))
})
