/** What whoever watches is shown: figures over time, how far workflows are, that something has changed, streams by key. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import type { Hint } from "perdure/Store"
import * as Workflow from "perdure/Workflow"
import * as WorkflowStream from "perdure/WorkflowStream"
import { onBothStores } from "./harness.ts"
import { eventually, reasonOf, suspends } from "./observing.ts"

const lines = WorkflowStream.make("lines", { value: Schema.String })
const Quick = Workflow.make("Quick", { payload: Schema.Number, success: Schema.Number })
const Writing = Workflow.make("Writing")
const live = [
  Quick.toLayer((n) => Step.run("n", n < 0 ? Effect.die(new Error("negative")) : Effect.succeed(n))),
  Writing.toLayer(() =>
    Effect.gen(function*() {
      for (const line of ["a", "b", "c"]) yield* lines.write(line)
      yield* Effect.sleep("1 day")
      yield* lines.close
    })
  )
]

onBothStores("watching", (claim) => {
  claim(
    "activity and names tell of the newest, and say when there are more",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live)
      for (const n of [1, 2, -1]) yield* Effect.exit(use(Quick.execute(n)))
      const all = yield* use(Client.activity({ buckets: 3 }))
      assert.isTrue(all.complete)
      assert.deepStrictEqual(all.buckets.map(({ created, failed, succeeded }) => [created, succeeded, failed]), [
        [0, 0, 0],
        [0, 0, 0],
        [3, 2, 1]
      ])
      assert.isFalse((yield* use(Client.activity({ limit: 2 }))).complete)
      assert.isTrue((yield* use(Client.names())).complete)
      const some = yield* use(Client.names({ limit: 2 }))
      assert.deepStrictEqual([some.complete, some.names.map(({ ended }) => ended)], [false, [2]])
      for (
        const wrong of [{ limit: 0 }, { buckets: 1001 }, { from: new Date(1), to: new Date(0) }, { to: new Date(NaN) }]
      ) {
        assert.strictEqual((yield* reasonOf(use(Client.activity(wrong))))._tag, "InvalidArgument")
      }
    })
  )

  claim(
    "progress grows with what is recorded, and changes tell when to ask for it",
    Effect.fnUntraced(function*(given) {
      const engine = yield* given.engine(live)
      const client = yield* given.client
      assert.deepStrictEqual(yield* client.use(Client.progress(["w"])), [])
      // Made elsewhere: heard here.
      const heard = yield* Effect.forkScoped(engine.use(Stream.runHead(Client.changes)))
      yield* Effect.yieldNow
      yield* client.use(Client.start("Quick", { payload: 1, workflowId: "w" }))
      yield* client.use(Client.result("w"))
      assert.deepStrictEqual(yield* client.use(Client.progress(["w", "nobody"])), [
        { workflowId: "w", status: "SUCCESS", steps: 1, attempts: 0 }
      ])
      assert.isTrue(Option.isSome(yield* Fiber.join(heard)))
    })
  )

  claim(
    "changes tell of what the same engine does too: of ends, and of what workflows tell",
    Effect.fnUntraced(function*(given) {
      const engine = yield* given.engine(live)
      const heard: Array<Hint> = []
      yield* Effect.forkScoped(
        engine.use(Stream.runForEach(Client.changes, (hint) => Effect.sync(() => void heard.push(hint))))
      )
      yield* Effect.yieldNow
      yield* engine.use(Writing.start(undefined, { workflowId: "w" }))
      yield* engine.use(Client.start("Quick", { payload: 1, workflowId: "v" }))
      for (
        const hint of [
          { _tag: "Stream", workflowId: "w", key: "lines" },
          { _tag: "Done", workflowId: "v" }
        ] satisfies ReadonlyArray<Hint>
      ) {
        yield* eventually(
          `the hint ${hint._tag}`,
          Effect.sync(() => heard.some((one) => JSON.stringify(one) === JSON.stringify(hint))),
          (is) => is
        )
      }
    })
  )

  claim(
    "a stream is read by its key, from its beginning or from its end",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live)
      yield* use(Writing.start(undefined, { workflowId: "w" }))
      yield* use(suspends("w"))
      const values = (page: Client.StreamPage) => page.entries.map(({ value }) => value)
      const first = yield* use(Client.stream("w", "lines", { limit: 2 }))
      assert.deepStrictEqual([values(first), first.next, first.done], [["a", "b"], 2, false])
      const last = yield* use(Client.stream("w", "lines", { from: -1 }))
      assert.deepStrictEqual([values(last), last.next, last.done], [["c"], 3, false])
      assert.deepStrictEqual(values(yield* use(Client.stream("w", "other"))), [])
      assert.strictEqual((yield* reasonOf(use(Client.stream("nobody", "lines"))))._tag, "WorkflowNotFound")
      assert.strictEqual(
        (yield* reasonOf(use(Client.stream("nobody", "lines", { from: -1 }))))._tag,
        "WorkflowNotFound"
      )
      assert.strictEqual((yield* reasonOf(use(Client.stream("w", "lines", { limit: 0 }))))._tag, "InvalidArgument")
      yield* given.store.adjustClock(2 * 86_400_000)
      yield* use(Client.result("w"))
      const end = yield* use(Client.stream("w", "lines", { from: 3 }))
      assert.deepStrictEqual([values(end), end.done], [[undefined], true])
    })
  )
})
