/** The same done to many at once: only to those that fit and were there, with a count of what was done. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "./harness.ts"
import { reaches, reasonOf, suspends } from "./observing.ts"

const Long = Workflow.make("Long")
const Quick = Workflow.make("Quick", { payload: Schema.Number, success: Schema.Number })
const live = [Long.toLayer(() => Effect.sleep("10000 days")), Quick.toLayer(Effect.succeed)]

onBothStores("many at once", (claim) => {
  claim(
    "cancelAll, resumeAll and deleteAll act on all that fit, over many pages, and count",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live)
      const many = Array.from({ length: 450 }, (_, n) => n)
      yield* Effect.forEach(
        many,
        (n) => use(Long.start(undefined, { workflowId: `w${n}`, attributes: { half: n % 2 } })),
        { concurrency: 50 }
      )
      yield* use(Long.start(undefined, { workflowId: "other" }))
      yield* use(Quick.execute(1, { workflowId: "w done" }))
      const half: Client.Filter = { idPrefix: "w", attributes: { half: 0 } }
      assert.deepStrictEqual(yield* use(Client.cancelAll(half, { dryRun: true })), { matched: 225, changed: 0 })
      assert.strictEqual((yield* use(Client.get("w0"))).status, "PENDING")
      const sofar: Array<Client.BulkResult> = []
      const onProgress = (result: Client.BulkResult) => Effect.sync(() => void sofar.push(result))
      assert.deepStrictEqual(yield* use(Client.cancelAll(half, { detail: "enough", onProgress })), {
        matched: 225,
        changed: 225
      })
      assert.deepStrictEqual(sofar, [{ matched: 200, changed: 200 }, { matched: 225, changed: 225 }])
      const info = yield* use(reaches("w2", "CANCELLED"))
      assert.strictEqual((info.reason as any).detail, "enough")
      assert.strictEqual(yield* use(Client.count({ status: "CANCELLED" })), 225)
      assert.deepStrictEqual(yield* use(Client.cancelAll({ idPrefix: "w" })), { matched: 451, changed: 225 })
      assert.deepStrictEqual(yield* use(Client.resumeAll(half, { dryRun: true })), { matched: 225, changed: 0 })
      assert.strictEqual(yield* use(Client.count({ status: "CANCELLED" })), 450)
      assert.deepStrictEqual(yield* use(Client.resumeAll(half)), { matched: 225, changed: 225 })
      assert.strictEqual((yield* use(Client.get("w0"))).status === "CANCELLED", false)
      assert.deepStrictEqual(yield* use(Client.deleteAll({ idPrefix: "w" }, { dryRun: true })), {
        matched: 451,
        changed: 0
      })
      assert.deepStrictEqual(yield* use(Client.deleteAll({ idPrefix: "w" })), { matched: 451, changed: 226 })
      assert.strictEqual(yield* use(Client.count({ idPrefix: "w" })), 225)
      assert.strictEqual(yield* use(Client.count()), 226)
    })
  )

  claim(
    "a filter that restricts nothing is refused",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live)
      yield* use(Quick.execute(1, { workflowId: "done" }))
      for (
        const filter of [{}, { idPrefix: "" }, { attributes: {} }, { idPrefix: "", attributes: {}, name: undefined }]
      ) {
        for (const operation of [Client.cancelAll, Client.resumeAll, Client.deleteAll]) {
          const reason = yield* reasonOf(use(operation(filter)))
          assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", "filter"])
        }
        assert.isFalse(yield* Client.restricts(filter))
        assert.strictEqual(yield* use(Client.count(filter)), 1)
      }
      assert.isTrue(yield* Client.restricts({ from: new Date(0) }))
      assert.deepStrictEqual(yield* use(Client.deleteAll({ ids: [] })), { matched: 0, changed: 0 })
      assert.strictEqual((yield* use(Client.get("done"))).status, "SUCCESS")
    })
  )

  claim(
    "delete takes what is done, and says what is not; its id is free again",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live)
      yield* use(Quick.execute(1, { workflowId: "done" }))
      yield* use(Long.start(undefined, { workflowId: "long" }))
      yield* use(suspends("long"))
      const running = yield* reasonOf(use(Client.delete(["long", "done"])))
      assert.deepStrictEqual([running._tag, running.workflowId, running.status], ["NotDeletable", "long", "PENDING"])
      assert.strictEqual((yield* reasonOf(use(Client.get("done"))))._tag, "WorkflowNotFound")
      assert.strictEqual((yield* reasonOf(use(Quick.handle("done").result)))._tag, "WorkflowNotFound")
      assert.strictEqual((yield* reasonOf(use(Client.delete("done"))))._tag, "WorkflowNotFound")
      assert.strictEqual(yield* use(Quick.execute(2, { workflowId: "done" })), 2)
    })
  )

  claim(
    "delete takes the whole family where it is told to",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent")
      const parent = Parent.toLayer(() => Effect.asVoid(Quick.execute(1)))
      const { use } = yield* given.engine([...live, parent])
      for (const id of ["alone", "family"]) yield* use(Parent.execute(undefined, { workflowId: id }))
      yield* use(Client.delete("alone"))
      yield* use(Client.delete("family", { children: true }))
      const left = yield* use(Client.list())
      assert.deepStrictEqual(left.workflows.map((info) => info.workflowId), ["alone-0"])
    })
  )
})
