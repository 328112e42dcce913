/** Workflows with everything in them that a session may be needed for: a transaction, a message, a suspension, a queue. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import * as WorkflowQueue from "perdure/WorkflowQueue"

const Amount = Message.make("amount", { payload: Schema.Int })
const Adding = Workflow.make("Adding", { payload: { n: Schema.Int }, success: Schema.Int })
export const queue = WorkflowQueue.make("few at a time", { concurrency: 3 })

/** It saves `n` in the table `public.saved`, which the test makes. */
export const addingLive = Adding.toLayer(Effect.fnUntraced(function*({ n }) {
  const one = yield* Step.run("one", Effect.succeed(1))
  const amount = yield* Amount.receive()
  yield* Effect.sleep("100 millis")
  const saved = yield* Transaction.run(
    "save",
    Effect.flatMap(SqlClient, (sql) => Effect.as(sql`INSERT INTO public.saved (n) VALUES (${n})`, n))
  )
  return one + amount + saved
}))

/** Starts or enqueues one, and waits for its result: {@link sum}. */
export const add = (n: number, options: { readonly workflowId?: string } = {}) =>
  Effect.gen(function*() {
    const handle = n % 2 === 0 ? yield* Adding.start({ n }, options) : yield* queue.enqueue(Adding, { n }, options)
    yield* Amount.send(handle.workflowId, 10)
    return yield* handle.result
  })

export const sum = (n: number): number => n + 11
