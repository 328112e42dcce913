import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "./harness.ts"
import { Log, suspends } from "./observing.ts"
const W = Workflow.make("W", { payload: { n: Schema.Number }, success: Schema.Number })
onBothStores("smoke", (claim) => {
  claim("runs", Effect.fnUntraced(function*(given) {
    const log = new Log()
    const live = W.toLayer(({ n }) => Effect.gen(function*() {
      const a = yield* Step.run("a", log.effect("a", n))
      yield* Effect.sleep("1 day")
      return a
    }))
    const one = yield* given.engine(live)
    yield* one.use(W.start({ n: 1 }, { workflowId: "w" }))
    yield* one.use(suspends("w"))
    yield* given.store.adjustClock(86_400_000)
    assert.strictEqual(yield* one.use(W.handle("w").result), 1)
    assert.deepStrictEqual(log.entries, ["a"])
  }))
})
