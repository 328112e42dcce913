/** Looking at everything through a real server, by the typed client that the contract derives. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowStream from "perdure/WorkflowStream"
import { onBothStores } from "../../../test/engine/harness.ts"
import { eventually, reaches, suspends } from "../../../test/engine/observing.ts"
import { defined } from "../src/internal/defined.ts"
import { serve } from "./serving.ts"

const Order = Workflow.make("Order", { payload: { n: Schema.Number, at: Schema.Date }, success: Schema.Number })
const Waiting = Workflow.make("Waiting")
const Parent = Workflow.make("Parent")
const Broken = Workflow.make("Broken")
const go = Message.make("go", { payload: Schema.String })
const phase = WorkflowEvent.make("phase", { value: Schema.String })
const log = WorkflowStream.make("log", { value: Schema.String })
const Large = Workflow.make("Large", { payload: { text: Schema.String } })
const big = WorkflowStream.make("big", { value: Schema.String })
const numbers = [0, 1, 2, 3, 4]
const one = WorkflowQueue.make("one", { concurrency: 1 })

const live = [
  Order.toLayer(({ n }) => Step.run("double", Effect.succeed(n * 2))),
  Waiting.toLayer(() =>
    Effect.gen(function*() {
      yield* phase.set("waiting")
      for (const line of ["a", "b", "c"]) yield* log.write(line)
      yield* go.receive({ timeout: "10 days" })
    })
  ),
  Parent.toLayer(() => Waiting.execute()),
  Large.toLayer(Effect.fnUntraced(function*({ text }) {
    for (const n of numbers) {
      yield* Step.run(`step ${n}`, Effect.succeed(text))
      yield* WorkflowEvent.make(`e${n}`, { value: Schema.String }).set(text)
      yield* big.write(text)
    }
    yield* go.receive()
  })),
  Broken.toLayer(() => Effect.die(new Error("broken")))
]
const at = new Date("2031-05-06T07:08:09.000Z")

onBothStores("an admin server shows", (claim) => {
  claim("workflows in pages, by every filter, and how many are of each status", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live, { queues: [one], executorId: "here" })
      const { use } = engine
      const { api } = yield* serve(engine)
      for (const n of [1, 2, 3]) {
        yield* use(Order.execute({ n, at }, { workflowId: `order/${n}`, attributes: { tier: "gold", n } }))
      }
      // In another millisecond: within one, lists go by the id.
      yield* given.store.adjustClock(1)
      yield* Effect.exit(use(Broken.execute(undefined, { workflowId: "broken" })))
      const first = yield* api.workflows.list({ query: { limit: 3 } })
      assert.deepStrictEqual(first.workflows.map((row) => row.workflowId), ["broken", "order/3", "order/2"])
      assert.strictEqual(first.workflows[0]!.failure?.message, "broken")
      assert.notProperty(first.workflows[0], "payload")
      const rest = yield* api.workflows.list({ query: { limit: 3, cursor: first.cursor! } })
      assert.deepStrictEqual([rest.workflows.map((row) => row.workflowId), rest.cursor], [["order/1"], undefined])
      const ids = (query: Parameters<typeof api.workflows.list>[0]["query"]) =>
        Effect.map(api.workflows.list({ query }), ({ workflows }) => workflows.map((row) => row.workflowId))
      assert.deepStrictEqual(yield* ids({ attributes: { n: 2 } }), ["order/2"])
      assert.deepStrictEqual(yield* ids({ attributes: { n: 2, tier: "lead" } }), [])
      assert.deepStrictEqual(yield* ids({ idPrefix: "order/", order: "asc", limit: 1 }), ["order/1"])
      assert.deepStrictEqual(yield* ids({ status: ["ERROR", "CANCELLED"] }), ["broken"])
      assert.deepStrictEqual(yield* ids({ name: ["Broken", "Nothing"], executorId: "here" }), ["broken"])
      assert.deepStrictEqual(yield* ids({ from: new Date(Date.now() + 3_600_000) }), [])
      assert.deepStrictEqual(yield* ids({ ids: ["order/1"], hasParent: false, queued: false }), ["order/1"])
      const { counts } = yield* api.workflows.counts({ query: { limit: 2 } })
      assert.deepStrictEqual(counts.filter(({ count }) => count > 0), [
        { status: "SUCCESS", count: 2, more: true },
        { status: "ERROR", count: 1, more: false }
      ])
    }))

  claim(
    "one workflow, its steps in pages, events, messages, streams, family and what it waits for",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        const { use } = engine
        const { api } = yield* serve(engine)
        yield* use(Parent.start(undefined, { workflowId: "p" }))
        yield* use(suspends("p-0"))
        const detail = yield* api.workflows.get({ query: { id: "p-0" } })
        assert.deepInclude(detail, { workflowId: "p-0", status: "PENDING", parentId: "p", payload: null, redacted: [] })
        const page = yield* api.workflows.steps({ query: { id: "p-0", limit: 2 } })
        assert.deepStrictEqual(page.steps.map(({ kind, name, stepId }) => [stepId, kind, name]), [
          [0, "event", "phase"],
          [1, "stream", "log"]
        ])
        const next = yield* api.workflows.steps({ query: { id: "p-0", after: page.next!, values: false } })
        assert.deepStrictEqual([next.steps.map(({ stepId }) => stepId), next.next], [[2, 3], undefined])
        assert.strictEqual((yield* api.workflows.step({ query: { id: "p-0", stepId: 3 } })).stepId, 3)
        assert.deepStrictEqual(
          (yield* api.workflows.ancestors({ query: { id: "p-0" } })).map((row) => row.workflowId),
          [
            "p"
          ]
        )
        const children = yield* api.workflows.list({ query: { parentId: "p" } })
        assert.deepStrictEqual(children.workflows.map((row) => row.workflowId), ["p-0"])
        assert.deepInclude((yield* api.workflows.events({ query: { id: "p-0" } })).events[0], {
          key: "phase",
          value: "waiting"
        })
        assert.deepStrictEqual(yield* api.workflows.streams({ query: { id: "p-0" } }), [
          { key: "log", entries: 3, closed: false }
        ])
        const tail = yield* api.workflows.stream({ query: { id: "p-0", key: "log", from: -2, limit: 10 } })
        assert.deepStrictEqual([tail.entries.map(({ value }) => value), tail.next, tail.done], [["b", "c"], 3, false])
        const why = yield* api.workflows.explain({ query: { id: "p-0" } })
        assert.deepInclude(why.why, { _tag: "Suspended" })
        assert.include(why.text, "a message on the topic \"go\"")
        yield* use(go.send("p-0", "now"))
        yield* use(reaches("p", "SUCCESS"))
        const { messages: [message] } = yield* api.workflows.messages({ query: { id: "p-0" } })
        assert.deepInclude(message, { topic: "go", payload: "now", receivedBy: 4 })
        const unread = yield* api.workflows.messages({ query: { id: "p-0", received: false } })
        assert.deepStrictEqual(unread, { messages: [] })
        assert.isTrue((yield* api.workflows.stream({ query: { id: "p-0", key: "log", from: 3 } })).done)
        const gone = yield* Effect.flip(api.workflows.get({ query: { id: "nobody" } }))
        assert.deepInclude(gone, { _tag: "NotFound", reason: "WorkflowNotFound" })
        const noStep = yield* Effect.flip(api.workflows.step({ query: { id: "p", stepId: 9 } }))
        assert.deepInclude(noStep, { _tag: "NotFound", reason: "NoSuchStep" })
      })
  )

  claim(
    "queues with why their head is not claimed, schedules, executors, versions and definitions",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live, { queues: [one], executorId: "here", version: "v1" })
        const { use } = engine
        const { api } = yield* serve(engine)
        yield* use(one.enqueue(Waiting, undefined, { workflowId: "first" }))
        yield* use(suspends("first"))
        yield* use(one.enqueue(Waiting, undefined, { workflowId: "second" }))
        const [queue] = (yield* api.queues.list()).filter(({ name }) => name === "one")
        assert.deepInclude(queue, { waiting: 1, running: 1, paused: false, servedBy: ["here"] })
        const { head } = yield* api.queues.get({ query: { name: "one" } })
        assert.strictEqual(head?.workflowId, "second")
        assert.deepInclude(head?.why, { _tag: "Queued", holds: ["concurrency"], before: 0 })

        yield* use(Client.schedules.create("nightly", { workflow: Order, payload: { n: 1, at }, cron: "30 2 * * *" }))
        const nightly = yield* api.schedules.get({ query: { name: "nightly", next: 3 } })
        assert.deepInclude(nightly, { workflow: "Order", cron: "30 2 * * *", missed: "latest", overlap: "allow" })
        assert.lengthOf(nightly.next, 3)
        assert.deepStrictEqual(nightly.next[0], nightly.nextFire)
        const { schedules } = yield* api.schedules.list({ query: { paused: false } })
        assert.deepStrictEqual(schedules.map(({ name }) => name), ["nightly"])
        assert.notProperty(schedules[0], "payload")

        const [executor] = yield* api.fleet.executors()
        assert.deepInclude(executor, {
          executorId: "here",
          version: "v1",
          state: "alive",
          here: true,
          queues: ["one", "perdure.debouncer"]
        })
        assert.deepInclude((yield* api.fleet.versions())[0], { version: "v1", latest: true, executors: 1 })
        yield* eventually(
          "what the executor serves",
          api.workflows.definitions(),
          (all) => all.some(({ name, versions }) => name === "Order" && versions.includes("v1"))
        )
        const order = yield* api.workflows.definition({ query: { name: "Order" } })
        assert.isTrue(order.here)
        assert.deepInclude(order.payloadSchema as object, { type: "object", required: ["n", "at"] })
        const missing = yield* Effect.flip(api.queues.get({ query: { name: "nowhere" } }))
        assert.deepInclude(missing, { _tag: "NotFound", reason: "QueueRefused" })
      })
  )

  claim(
    "pages of no more than so many bytes, and of as many items as are asked for",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        const { use } = engine
        // Two items of these fit into a page, a third does not.
        const { api } = yield* serve(engine, { limits: { pageBytes: 3_000 } })
        const text = "x".repeat(1_000)
        yield* use(Large.start({ text }, { workflowId: "w" }))
        yield* use(suspends("w"))
        for (const n of numbers) {
          yield* use(Message.make("other", { payload: Schema.String }).send("w", `${n}${text}`))
          yield* use(Client.schedules.create(`s${n}`, { workflow: Large, payload: { text }, interval: "1 hour" }))
        }
        const id = "w"
        /** All of it, page by page, as what each page has. */
        const pages = <A, Next, R, E>(
          read: (
            after: Next | undefined
          ) => Effect.Effect<{ readonly items: ReadonlyArray<A>; readonly next?: Next }, E, R>
        ) =>
          Effect.gen(function*() {
            const found: Array<ReadonlyArray<A>> = []
            for (let after: Next | undefined = undefined;;) {
              const page: { readonly items: ReadonlyArray<A>; readonly next?: Next } = yield* read(after)
              found.push(page.items)
              if (page.next === undefined) return found
              after = page.next
            }
          })
        const stepsIn = (limit: number, pageBytes: number) =>
          Effect.flatMap(serve(engine, { limits: { pageBytes } }), ({ api }) =>
            pages((after: number | undefined) =>
              Effect.map(
                api.workflows.steps({ query: { id, limit, ...defined({ after }) } }),
                ({ steps, ...rest }) => ({
                  items: steps.map(({ stepId }) =>
                    stepId
                  ),
                  ...rest
                })
              )
            ))
        const all = Array.from({ length: 3 * numbers.length }, (_, n) => n)
        const first = yield* stepsIn(1000, 3_000)
        assert.deepStrictEqual([first[0], first.flat()], [[0, 1], all])
        // One always comes, however large it is; where all fit, the number counts.
        assert.deepStrictEqual(yield* stepsIn(1000, 1), all.map((n) => [n]))
        assert.deepStrictEqual(
          (yield* stepsIn(7, 1_000_000)).map((page) => page.length),
          [7, 7, 1]
        )
        assert.deepStrictEqual(
          yield* pages((after: string | undefined) =>
            Effect.map(
              api.workflows.events({ query: { id, ...defined({ after }) } }),
              ({ events, ...rest }) => ({ items: events.map(({ key }) => key), ...rest })
            )
          ),
          [["e0", "e1"], ["e2", "e3"], ["e4"]]
        )
        assert.deepStrictEqual(
          yield* pages((after: number | undefined) =>
            Effect.map(
              api.workflows.messages({ query: { id, ...defined({ after }) } }),
              ({ messages, ...rest }) => ({ items: messages.map(({ payload }) => String(payload)[0]), ...rest })
            )
          ),
          [["0", "1"], ["2", "3"], ["4"]]
        )
        assert.deepStrictEqual(
          yield* pages((after: string | undefined) =>
            Effect.map(
              api.schedules.list({ query: { limit: 2, ...defined({ after }) } }),
              ({ schedules, ...rest }) => ({ items: schedules.map(({ name }) => name), ...rest })
            )
          ),
          [["s0", "s1"], ["s2", "s3"], ["s4"]]
        )
        const stream = (query: { readonly from?: number; readonly limit?: number }) =>
          Effect.map(
            api.workflows.stream({ query: { id, key: "big", ...query } }),
            ({ done, entries, next }) => [entries.map(({ offset }) => offset), next, done]
          )
        assert.deepStrictEqual(yield* stream({}), [[0, 1], 2, false])
        assert.deepStrictEqual(yield* stream({ from: 4 }), [[4], 5, false])
        // The end of a stream is its newest.
        assert.deepStrictEqual(yield* stream({ from: -100 }), [[3, 4], 5, false])
        assert.deepStrictEqual(yield* stream({ from: -1 }), [[4], 5, false])
        const none = yield* api.workflows.stream({ query: { id, key: "none", from: -10 } })
        assert.deepStrictEqual(none, { entries: [], next: 0, done: false })
      })
  )

  claim("figures over time, health and metrics", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live, { queues: [one] })
      const { api, plain } = yield* serve(engine)
      for (const n of [1, 2]) yield* engine.use(Order.execute({ n, at }))
      yield* Effect.exit(engine.use(Broken.execute(undefined, { workflowId: "b" })))
      const { buckets, complete } = yield* api.system.throughput({ query: { buckets: 10 } })
      assert.isTrue(complete)
      assert.lengthOf(buckets, 10)
      const sum = (field: "created" | "succeeded" | "failed") => buckets.reduce((sum, one) => sum + one[field], 0)
      assert.deepStrictEqual([sum("created"), sum("succeeded"), sum("failed")], [3, 2, 1])
      const { names } = yield* api.system.names({ query: {} })
      assert.deepStrictEqual(names.map(({ ended, failed, name }) => [name, ended, failed]), [["Broken", 1, 1], [
        "Order",
        2,
        0
      ]])
      assert.strictEqual(names[0]!.slowestId, "b")
      assert.deepStrictEqual((yield* plain("/health")).body, { status: "ok" })
      const metrics = yield* api.system.metrics()
      assert.match(metrics, /^perdure_workflows\{status="PENDING"\} 0$/m)
      assert.match(metrics, /^perdure_queue_waiting\{queue="one"\} 0$/m)
      assert.match(metrics, /^# TYPE perdure_steps_recorded counter$/m)
      assert.deepInclude(yield* api.system.info(), {
        store: given.kind,
        readOnly: false,
        runsWorkflows: true,
        session: false
      })
    }))
})
