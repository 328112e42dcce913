/** Acting through a real server: one by one, in bulk with progress, on queues, schedules and versions. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { onBothStores } from "../../../test/engine/harness.ts"
import { reaches, suspends } from "../../../test/engine/observing.ts"
import * as AdminAccess from "../src/AdminAccess.ts"
import { serve } from "./serving.ts"

const Order = Workflow.make("Order", { payload: { n: Schema.Number }, success: Schema.Number })
const Long = Workflow.make("Long")
const Whose = Workflow.make("Whose", { success: Schema.String, requiredRoles: ["clerk"] })
const one = WorkflowQueue.make("one", { concurrency: 1 })
const live = [
  Order.toLayer(({ n }) => Step.run("double", Effect.succeed(n * 2))),
  Long.toLayer(() => Effect.sleep("10000 days")),
  Whose.toLayer(() => Effect.map(WorkflowContext.current, ({ user }) => user ?? "nobody"))
]

onBothStores("an admin server", (claim) => {
  claim("cancels, resumes and deletes", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { use } = engine
      const { api } = yield* serve(engine)
      for (const id of ["a", "b"]) yield* use(Long.start(undefined, { workflowId: id }))
      yield* api.acts.cancel({ payload: { ids: ["a", "b"], detail: "enough" } })
      assert.deepInclude((yield* use(reaches("a", "CANCELLED"))).reason as object, { by: "user", detail: "enough" })
      const running = yield* use(reaches("b", "CANCELLED"))
      assert.strictEqual(running.status, "CANCELLED")
      yield* api.acts.resume({ payload: { ids: ["a"] } })
      yield* use(suspends("a"))
      const refused = yield* Effect.flip(api.acts.resume({ payload: { ids: ["a"] } }))
      assert.deepInclude(refused, { _tag: "Conflict", reason: "NotResumable" })
      assert.deepInclude(yield* Effect.flip(api.acts.delete({ payload: { ids: ["a"] } })), {
        _tag: "Conflict",
        reason: "NotDeletable"
      })
      yield* api.acts.delete({ payload: { ids: ["b"] } })
      assert.deepInclude(yield* Effect.flip(api.acts.cancel({ payload: { ids: ["b"] } })), { _tag: "NotFound" })
    }))

  claim("starts by name and forks, with an input that is checked", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live, { queues: [one] })
      const { use } = engine
      const { api } = yield* serve(engine)
      const started = yield* api.acts.start({
        payload: {
          name: "Order",
          payload: { n: 1 },
          workflowId: "o",
          queue: "one",
          priority: 3,
          attributes: { by: "me" }
        }
      })
      assert.deepStrictEqual(started, { workflowId: "o" })
      assert.strictEqual(yield* use(Client.result("o")), 2)
      const again = yield* api.acts.fork({ payload: { id: "o", payload: { n: 5 }, workflowId: "again" } })
      assert.strictEqual(yield* use(Client.result(again.workflowId)), 10)
      const wrong = yield* Effect.flip(api.acts.fork({ payload: { id: "o", payload: { n: "five" } } }))
      assert.deepInclude(wrong, { _tag: "InvalidRequest", problem: "Invalid payload at n" })
      const beyond = yield* Effect.flip(api.acts.fork({ payload: { id: "o", fromStep: 7 } }))
      assert.deepInclude(beyond, { _tag: "InvalidRequest", problem: "Invalid fromStep" })
      const fromStep = yield* api.acts.fork({ payload: { id: "o", fromStep: 1 } })
      assert.strictEqual(yield* use(Client.result(fromStep.workflowId)), 2)
      assert.strictEqual((yield* use(Client.get(fromStep.workflowId))).forkedFrom, "o")
      const taken = yield* Effect.flip(
        api.acts.start({ payload: { name: "Order", payload: { n: 9 }, workflowId: "o" } })
      )
      assert.deepInclude(taken, { _tag: "Conflict", reason: "WorkflowConflict" })
    }))

  claim("starts on behalf of who asks, and with his roles", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      let asked = 0
      const access = AdminAccess.layer({
        authenticate: (request) =>
          Effect.sync(() => {
            asked++
            return {
              user: request.headers["x-user"] ?? "nobody",
              roles: request.headers["x-user"] === "clara" ? ["clerk"] : []
            }
          })
      })
      const { post } = yield* serve(engine, {}, access)
      const refused = yield* post("/api/workflows/start", { name: "Whose" }, { "x-user": "bob" })
      assert.deepInclude(refused.body, { _tag: "Forbidden", reason: "WorkflowUnauthorized" })
      const { body } = yield* post("/api/workflows/start", { name: "Whose" }, { "x-user": "clara" })
      assert.strictEqual(yield* engine.use(Client.result(body.workflowId)), "clara")
      // Once for each request.
      assert.strictEqual(asked, 2)
    }))

  claim("counts first, then acts on all that fit, and tells how far it is", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { use } = engine
      const { api, post } = yield* serve(engine)
      yield* use(Effect.forEach(
        Array.from({ length: 450 }, (_, n) => n),
        (n) => Long.start(undefined, { workflowId: `w${n}` }),
        { concurrency: 50, discard: true }
      ))
      yield* use(Long.start(undefined, { workflowId: "other" }))
      const filter = { idPrefix: "w" }
      assert.deepStrictEqual(yield* api.workflows.bulkCount({ payload: { filter } }), { count: 450, more: false })
      const cancelled = yield* Stream.runCollect(yield* api.acts.bulkCancel({ payload: { filter, detail: "all" } }))
      assert.deepStrictEqual([...cancelled], [
        { matched: 200, changed: 200, done: false },
        { matched: 400, changed: 400, done: false },
        { matched: 450, changed: 450, done: false },
        { matched: 450, changed: 450, done: true }
      ])
      assert.notStrictEqual((yield* use(Client.get("other"))).status, "CANCELLED")
      const resumed = yield* Stream.runCollect(
        yield* api.acts.bulkResume({ payload: { filter: { ids: ["w1", "w2"], from: new Date(0) } } })
      )
      assert.deepStrictEqual([...resumed].at(-1), { matched: 2, changed: 2, done: true })
      const deleted = yield* Stream.runCollect(yield* api.acts.bulkDelete({ payload: { filter } }))
      assert.deepStrictEqual([...deleted].at(-1), { matched: 450, changed: 448, done: true })
      yield* use(Order.execute({ n: 1 }, { workflowId: "done" }))
      for (const filter of [{}, { idPrefix: "" }, { attributes: {} }]) {
        for (const act of ["cancel", "resume", "delete"]) {
          const everything = yield* post(`/api/workflows/bulk/${act}`, { filter })
          assert.deepInclude(everything.body, { _tag: "InvalidRequest", detail: "it restricts nothing" })
          assert.strictEqual(everything.status, 400)
        }
      }
      assert.strictEqual((yield* use(Client.get("done"))).status, "SUCCESS")
    }))

  claim("sets limits of queues, pauses and resumes them", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live, { queues: [one] })
      const { api } = yield* serve(engine)
      const { limits } = yield* api.queues.get({ query: { name: "one" } })
      yield* api.queues.setLimits({
        payload: { name: "one", limits: { ...limits, concurrency: 7, rateLimit: { limit: 3, periodMs: 1000 } } }
      })
      const changed = yield* api.queues.get({ query: { name: "one" } })
      assert.deepInclude(changed, { overridden: true })
      assert.deepInclude(changed.limits, { concurrency: 7, rateLimit: { limit: 3, periodMs: 1000 } })
      const partitioned = yield* Effect.flip(api.queues.setLimits({
        payload: {
          name: "one",
          limits: { ...limits, partitioned: { concurrency: 1, executorConcurrency: null, rateLimit: null } }
        }
      }))
      assert.deepInclude(partitioned, { _tag: "InvalidRequest", problem: "Invalid partitioned" })
      yield* api.queues.resetLimits({ payload: { name: "one" } })
      assert.deepStrictEqual((yield* api.queues.get({ query: { name: "one" } })).limits, limits)
      yield* api.queues.pause({ payload: { name: "one" } })
      yield* engine.use(one.enqueue(Long, undefined, { workflowId: "held" }))
      const held = yield* api.queues.get({ query: { name: "one" } })
      assert.deepInclude(held.head?.why, { _tag: "Queued", holds: ["paused"] })
      assert.deepInclude(yield* Effect.flip(api.queues.delete({ payload: { name: "one" } })), { _tag: "Conflict" })
      yield* api.queues.resume({ payload: { name: "one" } })
      yield* engine.use(suspends("held"))
    }))

  claim(
    "pauses, resumes, triggers and backfills schedules, and sets the latest version",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live, { version: "v1" })
        const { use } = engine
        const { api } = yield* serve(engine)
        // So seldom that no tick comes while this runs.
        const hours = 10_000
        yield* use(
          Client.schedules.create("seldom", { workflow: Order, payload: { n: 2 }, interval: `${hours} hours` })
        )
        const name = { name: "seldom" }
        yield* api.schedules.pause({ payload: name })
        assert.isTrue((yield* api.schedules.get({ query: name })).paused)
        yield* api.schedules.resume({ payload: name })
        const { workflowId } = yield* api.schedules.trigger({ payload: name })
        assert.strictEqual(yield* use(Client.result(workflowId)), 4)
        const to = new Date()
        const range = { from: new Date(to.getTime() - 3 * hours * 3_600_000), to }
        assert.deepStrictEqual(yield* api.schedules.backfill({ payload: { ...name, ...range } }), {
          ticks: 3,
          started: 3
        })
        assert.deepStrictEqual(yield* api.schedules.backfill({ payload: { ...name, ...range } }), {
          ticks: 3,
          started: 0
        })
        const history = yield* api.workflows.list({ query: { schedule: "seldom" } })
        assert.lengthOf(history.workflows, 4)
        yield* api.schedules.delete({ payload: name })
        assert.deepInclude(yield* Effect.flip(api.schedules.get({ query: name })), { reason: "ScheduleNotFound" })
        yield* api.fleet.setLatest({ payload: { version: "v1" } })
        assert.deepInclude(yield* Effect.flip(api.fleet.setLatest({ payload: { version: "v9" } })), {
          problem: "Invalid version"
        })
      })
  )
})
