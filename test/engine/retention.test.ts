/** Retention: what is done goes by age, by number, or by both; what is not done stays. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "./harness.ts"
import { reasonOf, suspends } from "./observing.ts"

const day = 86_400_000
const Long = Workflow.make("Long")
const A = Workflow.make("A", { payload: Schema.Number })
const B = Workflow.make("B", { payload: Schema.Number })
const live = [
  Long.toLayer(() => Effect.sleep("10000 days")),
  A.toLayer(() => Effect.void),
  B.toLayer(() => Effect.void)
]

onBothStores("retention", (claim) => {
  claim(
    "retain deletes what is old, keeps the newest of each name, and leaves what is not done",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live)
      yield* use(Long.start(undefined, { workflowId: "long" }))
      yield* use(suspends("long"))
      for (let n = 0; n < 4; n++) {
        yield* use(A.execute(n, { workflowId: `a${n}` }))
        yield* use(B.execute(n, { workflowId: `b${n}` }))
        yield* given.store.adjustClock(day)
      }
      const left = Effect.map(
        use(Client.list({ order: "asc" })),
        ({ workflows }) => workflows.map((info) => info.workflowId).toSorted()
      )
      assert.strictEqual(yield* use(Client.retain({ name: "A", olderThan: "84 hours" })), 1)
      assert.deepStrictEqual(yield* left, ["a1", "a2", "a3", "b0", "b1", "b2", "b3", "long"])
      assert.strictEqual(yield* use(Client.retain({ olderThan: "36 hours", keep: 3 })), 1)
      assert.deepStrictEqual(yield* left, ["a1", "a2", "a3", "b1", "b2", "b3", "long"])
      assert.strictEqual(yield* use(Client.retain({ keep: 1 })), 4)
      assert.deepStrictEqual(yield* left, ["a3", "b3", "long"])
      assert.strictEqual(yield* use(Client.retain({ keep: 0 })), 2)
      assert.strictEqual(yield* use(Client.retain({ olderThan: 0 })), 0)
      assert.deepStrictEqual(yield* left, ["long"])
    })
  )

  claim(
    "retain goes on until there are no more",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(live)
      yield* Effect.forEach(Array.from({ length: 1203 }, (_, n) => n), (n) => use(A.execute(n)), { concurrency: 100 })
      assert.strictEqual(yield* use(Client.retain({ keep: 2 })), 1201)
      assert.strictEqual(yield* use(Client.count()), 2)
    })
  )

  claim(
    "retain is refused without an age or a number, and for what makes no sense",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      for (
        const [argument, options] of [
          ["retention", {}],
          ["retention", { name: "A" }],
          ["keep", { keep: -1 }],
          ["keep", { keep: 1.5 }],
          ["olderThan", { olderThan: "-1 day" as any }],
          ["olderThan", { olderThan: Number.NaN }],
          ["workflow name", { name: "", keep: 1 }]
        ] as const
      ) {
        const reason = yield* reasonOf(use(Client.retain(options)))
        assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", argument])
      }
    })
  )
})
