/** What is known by a name alone: started, described, forked with another payload, where the code is at hand and where not. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Auth from "perdure/Auth"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { onBothStores } from "./harness.ts"
import { reasonOf } from "./observing.ts"

const Order = Workflow.make("Order", {
  payload: { sku: Schema.String, at: Schema.Date },
  success: Schema.String
})
const Refund = Workflow.make("Refund", { requiredRoles: ["clerk"] })
const parts = WorkflowQueue.make("parts", { partitioned: true })
const live = [
  Order.toLayer(({ at, sku }) => Step.run("year", Effect.succeed(`${sku} ${at.getUTCFullYear()}`))),
  Refund.toLayer(() => Effect.void)
]
const payload = { sku: "a", at: "2031-05-06T07:08:09.000Z" }

onBothStores("workflows by their names", (claim) => {
  claim(
    "start by name, with the encoded payload, from an engine that has their code and from one that has not",
    Effect.fnUntraced(function*(given) {
      const engine = yield* given.engine(live)
      const client = yield* given.client
      for (const [id, { use }] of [["here", engine], ["elsewhere", client]] as const) {
        assert.strictEqual(
          yield* use(Client.start("Order", { payload, workflowId: id, attributes: { by: "name" } })),
          id
        )
        assert.strictEqual(yield* use(Client.result(id)), "a 2031")
        assert.deepStrictEqual({ ...(yield* use(Client.get(id))).attributes }, { by: "name" })
        // The same start again attaches.
        assert.strictEqual(yield* use(Client.start("Order", { payload, workflowId: id })), id)
        const other = use(Client.start("Order", { payload: { ...payload, sku: "b" }, workflowId: id }))
        assert.strictEqual((yield* reasonOf(other))._tag, "WorkflowConflict")
      }
    })
  )

  claim(
    "are refused before anything is written: a payload that the schema does not read, a role, a queue that is unknown",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live)
      const wrong = yield* reasonOf(use(Client.start("Order", { payload: { sku: "a", at: "soon" } })))
      assert.deepInclude(wrong, { _tag: "InvalidArgument", argument: "payload at at" })
      assert.strictEqual((yield* reasonOf(use(Client.start("Order"))))._tag, "InvalidArgument")
      assert.strictEqual((yield* reasonOf(use(Client.start("Refund"))))._tag, "WorkflowUnauthorized")
      assert.deepInclude(yield* reasonOf(use(Client.start("Order", { payload, queue: "nowhere" }))), {
        _tag: "InvalidArgument",
        argument: "queue"
      })
      assert.deepInclude(yield* reasonOf(use(Client.start("Order", { payload, priority: 3 }))), {
        _tag: "InvalidArgument",
        argument: "priority"
      })
      assert.strictEqual(yield* use(Client.count()), 0)
      const clara = Auth.layer({ user: "clara", roles: ["clerk"] })
      const refund = yield* Effect.provide(use(Client.start("Refund")), clara)
      yield* use(Client.result(refund))
      assert.strictEqual((yield* use(Client.get(refund))).user, "clara")
    })
  )

  claim(
    "wait in a queue that is named, under its limits as they are in the store",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live, { queues: [parts] })
      assert.deepInclude(yield* reasonOf(use(Client.start("Order", { payload, queue: "parts" }))), {
        _tag: "InvalidArgument",
        argument: "partition key"
      })
      const id = yield* use(Client.start("Order", { payload, queue: "parts", partitionKey: "k", priority: 7 }))
      assert.strictEqual(yield* use(Client.result(id)), "a 2031")
      const info = yield* use(Client.get(id))
      assert.deepStrictEqual([info.queue, info.partitionKey, info.priority], ["parts", "k", 7])
      assert.isFalse((yield* use(Client.queues.get("parts"))).overridden)
    })
  )

  claim(
    "are described with a JSON Schema of the encoded payload, where their code is",
    Effect.fnUntraced(function*(given) {
      const engine = yield* given.engine(live)
      const [order, refund, ...more] = yield* engine.use(Client.definitions)
      assert.deepStrictEqual(more, [])
      assert.deepInclude(order!.payloadSchema as object, { type: "object", required: ["sku", "at"] })
      assert.deepStrictEqual(refund, { name: "Refund", requiredRoles: ["clerk"], payloadSchema: undefined })
      assert.deepStrictEqual(yield* (yield* given.client).use(Client.definitions), [])
    })
  )

  claim(
    "are forked with another payload only if the schema reads it, where their code is",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live)
      yield* use(Client.start("Order", { payload, workflowId: "source" }))
      yield* use(Client.result("source"))
      const wrong = yield* reasonOf(use(Client.fork("source", { payload: { sku: 1 } })))
      assert.deepInclude(wrong, { _tag: "InvalidArgument", argument: "payload at sku" })
      assert.strictEqual(yield* use(Client.count()), 1)
      const fork = yield* use(Client.fork("source", { payload: { ...payload, sku: "b" } }))
      assert.strictEqual(yield* use(Client.result(fork)), "b 2031")
    })
  )
})
