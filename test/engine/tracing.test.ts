/** Spans of a workflow are of one trace, whatever process ran which part of it, and whatever started it. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "./harness.ts"
import { suspends } from "./observing.ts"

const go = Message.make("go", { payload: Schema.Void })
const traceIdOf = Effect.map(Effect.orDie(Effect.currentSpan), ({ traceId }) => traceId)
const Traces = Schema.Array(Schema.String)
const Traced = Workflow.make("Traced", { success: Traces })
const Parent = Workflow.make("Parent", { success: Traces })

/** The traces of its steps and of its body: of those before the wait, and of those after it. */
const live = [
  Traced.toLayer(() =>
    Effect.gen(function*() {
      const before = yield* Step.run("before", traceIdOf)
      yield* go.receive()
      return [before, yield* Step.run("after", traceIdOf), yield* traceIdOf]
    })
  ),
  Parent.toLayer(() =>
    Effect.gen(function*() {
      const child = yield* Traced.start(undefined, { workflowId: "child" })
      yield* go.send("child", undefined)
      return [...yield* child.result, yield* traceIdOf]
    })
  )
]

onBothStores("traces", (claim) => {
  claim(
    "go on after the process has gone, for what was started in a span and for what was not",
    Effect.fnUntraced(function*(given) {
      const first = yield* given.engine(live)
      const caller = Tracer.externalSpan({ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" })
      yield* Effect.withParentSpan(first.use(Traced.start(undefined, { workflowId: "in a span" })), caller)
      for (const workflowId of ["alone", "other"]) yield* first.use(Traced.start(undefined, { workflowId }))
      for (const workflowId of ["in a span", "alone", "other"]) yield* first.use(suspends(workflowId))
      yield* first.close
      const second = yield* given.engine(live)
      const traces: Array<string> = []
      for (const workflowId of ["in a span", "alone", "other"]) {
        yield* second.use(go.send(workflowId, undefined))
        const found = yield* second.use(Traced.handle(workflowId).result)
        assert.lengthOf(new Set(found), 1, workflowId)
        assert.match(found[0]!, /^[0-9a-f]{32}$/)
        traces.push(found[0]!)
      }
      assert.strictEqual(traces[0], caller.traceId)
      assert.lengthOf(new Set(traces), 3)
    })
  )

  claim(
    "of a child are its parent's",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live)
      yield* use(Client.start("Parent", { workflowId: "p" }))
      const traces = yield* use(Parent.handle("p").result)
      assert.lengthOf(traces, 4)
      assert.lengthOf(new Set(traces), 1)
    })
  )
})
