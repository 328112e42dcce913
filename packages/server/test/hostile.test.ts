/** Hostile text in every field that users fill: it comes back as it was, as JSON, and means nothing on the way. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowStream from "perdure/WorkflowStream"
import { onBothStores } from "../../../test/engine/harness.ts"
import { reaches } from "../../../test/engine/observing.ts"
import { serve } from "./serving.ts"

/** Of what ids, names and keys may be: no control characters. */
const hostile = [
  "<script>alert(1)</script>",
  "\"><img src=x onerror=alert(1)>",
  "</title><svg/onload=alert(1)>",
  "javascript:alert(1)",
  "${7*7}{{7*7}}<%= 7*7 %>",
  "__proto__",
  "constructor",
  "toString",
  "..",
  ".",
  "../../etc/passwd",
  "..%2f..%2fetc%2fpasswd",
  "%2e%2e%2f",
  "%",
  "%00",
  "%zz",
  "a/b?c=d&e=f#g",
  "?",
  "#",
  "&limit=1",
  "+ +",
  " leading and trailing ",
  "' OR 1=1 --",
  "\"; DROP TABLE workflow; --",
  "_%_",
  "*",
  "\\",
  "\\u0000",
  "C:\\windows\\system32",
  "null",
  "undefined",
  "NaN",
  "[redacted]",
  "~tilde",
  "\u202Egnp.exe",
  "\u200B\uFEFF",
  "e\u0301 and \u00E9",
  "🏴‍☠️👩‍👩‍👧‍👦",
  "ﷺ𝒳",
  "ß\u2028\u2029",
  "data: x",
  "x".repeat(200)
]
/** And of what only values may be. */
const control = [
  "\u0000",
  "\u001b[31mred\u001b[0m",
  "line\r\nSet-Cookie: a=b",
  "\ud800",
  "id: 1\nevent: x\ndata: y\n\n"
]

const Hostile = Workflow.make("<b>Hostile</b>", {
  payload: {
    text: Schema.String,
    values: Schema.Array(Schema.String),
    key: Schema.Record(Schema.String, Schema.String)
  },
  success: Schema.String
})
const line = WorkflowQueue.make("<i>queue</i> & more/..")

onBothStores("hostile text", (claim) => {
  claim("comes back as it was, from every field that users fill", (given) =>
    Effect.gen(function*() {
      const live = Hostile.toLayer(({ text, values }) =>
        Effect.gen(function*() {
          yield* WorkflowEvent.make(text, { value: Schema.Array(Schema.String) }).set(values)
          const stream = WorkflowStream.make(text, { value: Schema.String })
          for (const value of values) yield* stream.write(value)
          yield* Message.make(text, { payload: Schema.String }).receive()
          yield* Effect.exit(Step.run(text, Effect.fail(Object.assign(new Error(text), { [text]: text }))))
          return values.join("")
        })
      )
      const engine = yield* given.engine(live, { queues: [line] })
      const { use } = engine
      const { api } = yield* serve(engine)
      // Without a prototype: a key like `__proto__` is one of the value's own.
      const keyed = (text: string): Record<string, string> => Object.fromEntries([[text, text]])
      yield* Effect.forEach(hostile, (text) =>
        Effect.gen(function*() {
          const values = [text, ...control]
          yield* use(line.enqueue(Hostile, { text, values, key: keyed(text) }, {
            workflowId: text,
            attributes: keyed(text)
          }))
          yield* use(Message.make(text, { payload: Schema.String }).send(text, values.join("")))
          yield* use(reaches(text, "SUCCESS"))
          const query = { id: text }
          const detail = yield* api.workflows.get({ query })
          assert.strictEqual(detail.workflowId, text)
          assert.deepStrictEqual(JSON.stringify(detail.payload), JSON.stringify({ text, values, key: keyed(text) }))
          assert.strictEqual(JSON.stringify(detail.attributes), JSON.stringify(keyed(text)))
          assert.strictEqual(detail.success, values.join(""))
          assert.deepStrictEqual([detail.name, detail.queue], [Hostile.name, line.name])
          const { events: [event] } = yield* api.workflows.events({ query })
          assert.deepStrictEqual([event!.key, event!.value], [text, values])
          const { entries } = yield* api.workflows.stream({ query: { ...query, key: text } })
          assert.deepStrictEqual(entries.map(({ value }) => value), values)
          const { messages: [message] } = yield* api.workflows.messages({ query: { ...query, topic: text } })
          assert.deepStrictEqual([message!.topic, message!.payload], [text, values.join("")])
          const { steps } = yield* api.workflows.steps({ query })
          const failed = steps.find(({ outcome }) => outcome === "failure")!
          assert.deepStrictEqual([failed.name, failed.failure!.message], [text, text])
          const found = yield* api.workflows.list({ query: { ids: [text], attributes: keyed(text) } })
          assert.deepStrictEqual(found.workflows.map(({ workflowId }) => workflowId), [text])
          const prefixed = yield* api.workflows.list({ query: { idPrefix: text, limit: 1000 } })
          assert.isTrue(prefixed.workflows.some(({ workflowId }) => workflowId === text))
          assert.isTrue(prefixed.workflows.every(({ workflowId }) => workflowId.startsWith(text)))
        }), { concurrency: 4, discard: true })
      assert.strictEqual((yield* api.queues.get({ query: { name: line.name } })).name, line.name)
      const { cursor } = yield* api.workflows.list({ query: { limit: 10 } })
      assert.lengthOf(
        (yield* api.workflows.list({ query: { limit: 1000, cursor: cursor! } })).workflows,
        hostile.length - 10
      )
      assert.include(yield* api.system.metrics(), "queue=\"<i>queue</i> & more/..\"")
      const deleted = yield* Effect.flatMap(
        api.acts.bulkDelete({ payload: { filter: { ids: hostile } } }),
        Stream.runLast
      )
      assert.deepInclude(deleted, { value: { matched: hostile.length, changed: hostile.length, done: true } })
      assert.strictEqual(yield* use(Client.count()), 0)
    }))

  claim("is refused where it cannot be an id or a key, with what is wrong", (given) =>
    Effect.gen(function*() {
      const { api, post } = yield* serve(yield* given.engine([]))
      for (const text of control) {
        const { body, status } = yield* post("/api/workflows/start", { name: "Some", workflowId: text })
        assert.deepStrictEqual([status, body._tag], [400, "InvalidRequest"], JSON.stringify(text))
      }
      const found = yield* api.workflows.list({ query: { attributes: Object.fromEntries([["__proto__", "x"]]) } })
      assert.deepStrictEqual(found.workflows, [])
      const polluted = yield* post("/api/workflows/bulk/count", "{\"filter\":{\"__proto__\":{\"ids\":[\"a\"]}}}")
      assert.deepStrictEqual(polluted.body, { count: 0, more: false })
    }))

  claim("of values, what JSON does not have comes as its schema writes it", (given) =>
    Effect.gen(function*() {
      const Odd = Workflow.make("Odd", {
        payload: {
          numbers: Schema.Array(Schema.Number),
          big: Schema.BigInt,
          at: Schema.Date,
          bytes: Schema.Uint8Array
        },
        success: Schema.Array(Schema.Number)
      })
      const engine = yield* given.engine(Odd.toLayer(({ numbers }) => Effect.succeed(numbers)))
      const numbers = [-0, Number.NaN, Infinity, -Infinity, 1e308, Number.MIN_VALUE]
      yield* engine.use(Odd.execute(
        { numbers, big: 2n ** 64n, at: new Date(-1), bytes: new Uint8Array([0, 255]) },
        { workflowId: "w" }
      ))
      const { get } = yield* serve(engine)
      const { body, text } = yield* get("/api/workflow?id=w")
      const shown = [0, "NaN", "Infinity", "-Infinity", 1e308, Number.MIN_VALUE]
      assert.deepStrictEqual(body.success, shown)
      assert.deepStrictEqual(body.payload, {
        numbers: shown,
        big: "18446744073709551616",
        at: "1969-12-31T23:59:59.999Z",
        bytes: "AP8="
      })
      assert.notInclude(text, "null,null")
      // In the rows it is what it was.
      assert.deepStrictEqual(yield* engine.use(Odd.handle("w").result), numbers)
    }))
})
