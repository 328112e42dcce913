/** The first of several waits, recorded. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import { onBothStores } from "./harness.ts"
import { failureOf, Log, reaches, recorded, stepsOf, suspends } from "./observing.ts"
import { twiceWell } from "./twice.ts"

const day = 86_400_000

const A = Message.make("a", { payload: Schema.String })
const B = Message.make("b", { payload: Schema.Number })
const Go = Message.make("go")
const Open = WorkflowEvent.make("open", { value: Schema.Boolean })

const Chooser = Workflow.make("Chooser", { success: Schema.Unknown })
const Opener = Workflow.make("Opener")

const choose = Workflow.select({
  a: A.receive(),
  b: B.receive(),
  open: Open.get("opener"),
  late: Effect.as(Effect.sleep("1 day"), "slept")
})

onBothStores("select", (claim) => {
  claim("says which came first, and what; the others have consumed nothing", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine([
        Opener.toLayer(() => Effect.andThen(A.receive(), Open.set(true))),
        Chooser.toLayer(() => Effect.all([choose, choose, choose, choose]))
      ])
      yield* engine.use(Opener.start(undefined, { workflowId: "opener" }))
      const handle = yield* engine.use(Chooser.start(undefined, { workflowId: "w" }))
      const info = yield* engine.use(suspends("w"))
      assert.deepStrictEqual(info.waits.map(({ what }) => what).sort(), [
        "event \"open\" of \"opener\"",
        "message \"a\"",
        "message \"b\"",
        "sleep"
      ])
      yield* engine.use(B.send("w", 1))
      yield* engine.use(recorded("w", 2))
      yield* engine.use(A.send("w", "x"))
      yield* engine.use(recorded("w", 4))
      yield* engine.use(suspends("w"))
      yield* given.store.adjustClock(day)
      yield* engine.use(recorded("w", 5))
      yield* engine.use(suspends("w"))
      yield* engine.use(A.send("opener", "go"))
      assert.deepStrictEqual(yield* engine.use(handle.result), [
        { _tag: "b", value: 1 },
        { _tag: "a", value: "x" },
        { _tag: "late", value: "slept" },
        { _tag: "open", value: true }
      ])
    }))

  claim(
    "takes a child among the waits: one that is first gives its result, one that is not is cancelled",
    (given) =>
      Effect.gen(function*() {
        const Child = Workflow.make("Child", { payload: { say: Schema.String }, success: Schema.String })
        const parent = Chooser.toLayer(() =>
          Effect.gen(function*() {
            const pick = (id: string) =>
              Workflow.select({ a: A.receive(), child: Child.execute({ say: id }, { workflowId: id }) })
            return [yield* pick("first"), yield* pick("second")]
          })
        )
        const child = Child.toLayer(({ say }) => Effect.as(Go.receive(), say))
        const first = yield* given.engine([parent, child])
        yield* first.use(Chooser.start(undefined, { workflowId: "w" }))
        yield* first.use(suspends("first"))
        yield* first.use(suspends("w"))
        yield* first.use(Go.send("first"))
        // The child of the second choice is there, so the first one has been recorded.
        yield* first.use(suspends("second"))
        yield* first.use(suspends("w"))
        yield* first.close
        const engine = yield* given.engine([parent, child])
        yield* engine.use(A.send("w", "message"))
        assert.deepStrictEqual(yield* engine.use(Chooser.handle("w").result), [
          { _tag: "child", value: "first" },
          { _tag: "a", value: "message" }
        ])
        yield* engine.use(reaches("second", "CANCELLED"))
        assert.strictEqual((yield* engine.use(Child.handle("first").info)).status, "SUCCESS")
      })
  )

  claim("replays its choice, also between the message's record and its own", (given) =>
    Effect.gen(function*() {
      const body = Effect.gen(function*() {
        yield* B.send("subject", 1)
        yield* B.send("subject", 2)
        const first = yield* Workflow.select({ a: A.receive(), b: B.receive() })
        return [first, yield* B.receive({ timeout: 0 })]
      })
      const { live, replayed, steps } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live[0], { _tag: "b", value: 1 })
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(steps.slice(2), ["3 receive b", "4 race race", "5 receive b"])
    }))

  claim("fails when the first has failed, and runs the steps of a loser no more", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      const engine = yield* given.engine(Chooser.toLayer(() =>
        Effect.gen(function*() {
          const failed = yield* Effect.exit(
            Workflow.select({ a: A.receive(), step: Step.run("fail", Effect.fail("no")) })
          )
          const first = yield* Workflow.select({
            fast: Step.run("fast", Effect.succeed("fast")),
            slow: Effect.onInterrupt(Step.run("slow", Effect.never), () => log.add("interrupted"))
          })
          return [failureOf(failed)._tag, first]
        })
      ))
      const result = yield* engine.use(Chooser.execute(undefined, { workflowId: "w" }))
      assert.deepStrictEqual(result, ["StepFailed", { _tag: "fast", value: "fast" }])
      assert.strictEqual(log.count("interrupted"), 1)
      assert.notInclude((yield* engine.use(stepsOf("w"))).join(), "slow")
    }))

  claim("is plain Effect outside a workflow", () =>
    Effect.gen(function*() {
      const first = yield* Workflow.select({ never: Effect.never, now: Effect.succeed(1) })
      assert.deepStrictEqual(first, { _tag: "now", value: 1 })
    }))
})
