/** Forks: a new workflow from another's records up to a step, whatever has become of that one. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "./harness.ts"
import { Log, reaches, reasonOf, stepsOf } from "./observing.ts"

const Sum = Workflow.make("Sum", {
  payload: { from: Schema.Number },
  success: Schema.Array(Schema.Number),
  error: Schema.String
})
const Other = Workflow.make("Other")

/** Three steps that say that they ran; the third may fail. */
const sum = (log: Log, third: Effect.Effect<number, string> = Effect.succeed(3)) =>
  Sum.toLayer(({ from }) =>
    Effect.all([
      Step.run("one", log.effect("one", from + 1)),
      Step.run("two", log.effect("two", from + 2)),
      Step.run("three", Effect.andThen(log.add("three"), third), { error: Schema.String })
    ])
  )

onBothStores("forks", (claim) => {
  claim(
    "a fork of a failed workflow does again what is from its step on, and nothing before",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const broken = yield* given.engine(sum(log, Effect.fail("no")))
      assert.strictEqual(yield* broken.use(Effect.flip(Sum.execute({ from: 10 }, { workflowId: "w" }))), "no")
      yield* broken.close
      const { use } = yield* given.engine(sum(log, Effect.succeed(3)))
      const handle = yield* use(Client.fork(Sum, "w", { fromStep: 2, workflowId: "f" }))
      assert.deepStrictEqual(yield* use(handle.result), [11, 12, 3])
      assert.deepStrictEqual(log.entries, ["one", "two", "three", "three"])
      const info = yield* use(Client.get("f"))
      assert.deepStrictEqual([info.forkedFrom, info.name, info.payload], ["w", "Sum", { from: 10 }])
      assert.deepStrictEqual(yield* use(stepsOf("f")), ["0 step one", "1 step two", "2 step three"])
      // The source stays as it is.
      assert.strictEqual((yield* use(Client.get("w"))).status, "ERROR")
      const forks = yield* use(Client.list({ forkedFrom: "w" }))
      assert.deepStrictEqual(forks.workflows.map((one) => one.workflowId), ["f"])
      assert.deepStrictEqual(
        (yield* use(Client.list({ wasForked: true }))).workflows.map((one) => one.workflowId),
        ["w"]
      )
    })
  )

  claim(
    "a fork from its first step may have another payload, version and timeout",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const { use } = yield* given.engine(sum(log))
      yield* use(Sum.execute({ from: 0 }, { workflowId: "w", attributes: { kind: "x" } }))
      const id = yield* use(Client.fork("w", { payload: { from: 100 }, timeout: "1 hour" }))
      assert.deepStrictEqual(yield* use(Client.result(id)), [101, 102, 3])
      const info = yield* use(Client.get(id))
      assert.deepStrictEqual(info.attributes, { kind: "x" })
      assert.isDefined(info.deadline)
      const elsewhere = yield* use(Client.fork("w", { version: "2" }))
      assert.strictEqual((yield* use(Client.get(elsewhere))).version, "2")
      assert.strictEqual((yield* use(Client.explain(elsewhere))).why._tag, "NoExecutor")
      const second = yield* given.engine(sum(log), { version: "2" })
      assert.deepStrictEqual(yield* second.use(Client.result(elsewhere)), [1, 2, 3])
    })
  )

  claim(
    "a workflow that runs, or is cancelled, is forked too",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const { use } = yield* given.engine(sum(log, Effect.never))
      yield* use(Sum.start({ from: 0 }, { workflowId: "w" }))
      yield* log.has("three")
      yield* use(Client.fork("w", { fromStep: 1, workflowId: "running" }))
      yield* log.has("three", 2)
      yield* use(Client.cancel("w"))
      yield* use(Client.fork("w", { fromStep: 2, workflowId: "cancelled" }))
      yield* log.has("three", 3)
      assert.deepStrictEqual([log.count("one"), log.count("two")], [1, 2])
      yield* use(Client.cancel(["running", "cancelled"]))
      yield* use(reaches("running", "CANCELLED"))
    })
  )

  claim(
    "a fork is refused, and nothing made, for what makes no sense",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const { use } = yield* given.engine([sum(log), Other.toLayer(() => Effect.void)])
      yield* use(Sum.execute({ from: 0 }, { workflowId: "w" }))
      yield* use(Other.execute(undefined, { workflowId: "o" }))
      const refused = (options: Client.ForkOptions<any>, id = "w") =>
        Effect.map(reasonOf(use(Client.fork(id, options))), (reason) => [reason._tag, reason.argument])
      for (const fromStep of [-1, 1.5, Number.NaN, Infinity, 4]) {
        assert.deepStrictEqual(yield* refused({ fromStep }), ["InvalidArgument", "fromStep"])
      }
      assert.deepStrictEqual(yield* refused({ fromStep: 1, payload: { from: 1 } }), ["InvalidArgument", "payload"])
      assert.deepStrictEqual(yield* refused({ timeout: 0 }), ["InvalidArgument", "timeout"])
      assert.deepStrictEqual(yield* refused({ workflowId: "" }), ["InvalidArgument", "workflow id"])
      assert.deepStrictEqual(yield* refused({ workflowId: "o" }), ["WorkflowConflict", undefined])
      assert.deepStrictEqual(yield* refused({}, "nowhere"), ["WorkflowNotFound", undefined])
      const other = yield* reasonOf(use(Client.fork(Other, "w")))
      assert.deepStrictEqual([other._tag, other.argument], ["InvalidArgument", "workflow"])
      const wrong = yield* reasonOf(use(Client.fork(Sum, "w", { payload: { from: "x" as any } })))
      assert.strictEqual(wrong._tag, "Unencodable")
      assert.strictEqual(yield* use(Client.count()), 2)
      // All its steps and one more: the end is done again.
      assert.deepStrictEqual(yield* use(Effect.flatMap(Client.fork(Sum, "w", { fromStep: 3 }), (h) => h.result)), [
        1,
        2,
        3
      ])
      assert.deepStrictEqual(log.entries, ["one", "two", "three"])
    })
  )
})
