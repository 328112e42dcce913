/** A workflow that waits for a person: for a message, and not for ever. It costs no memory while it waits. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Option, Schema } from "effect"
import { Engine, Message, Step, Workflow } from "perdure"

const Decision = Message.make("decision", { payload: { by: Schema.String, approved: Schema.Boolean } })

const Expense = Workflow.make("Expense", {
  payload: { amount: Schema.Number },
  success: Schema.Literals(["paid", "refused", "forgotten"])
})

const ExpenseLive = Expense.toLayer(Effect.fn(function*({ amount }) {
  yield* Step.run("ask", Console.log(`is ${amount} all right?`))
  // In an application: three days.
  const decision = yield* Decision.receive({ timeout: "3 seconds" })
  if (Option.isNone(decision)) return "forgotten"
  const { approved, by } = decision.value
  if (!approved) return "refused"
  yield* Step.run("pay", Console.log(`paying ${amount}, approved by ${by}`))
  return "paid"
}))

const program = Effect.gen(function*() {
  const dinner = yield* Expense.start({ amount: 80 }, { workflowId: "dinner" })
  const yacht = yield* Expense.start({ amount: 80_000 }, { workflowId: "yacht" })
  const stapler = yield* Expense.start({ amount: 8 }, { workflowId: "stapler" })

  // What a web page does when somebody presses a button, in whichever process.
  yield* Decision.send("dinner", { by: "ada", approved: true })
  yield* Decision.send("yacht", { by: "ada", approved: false })

  for (const expense of [dinner, yacht, stapler]) {
    yield* Console.log(`${expense.workflowId}: ${yield* expense.result}`)
  }
  // Whoever presses it too late is told.
  const late = yield* Effect.flip(Decision.send("stapler", { by: "bob", approved: true }))
  yield* Console.log(late.message)
})

program.pipe(
  Effect.provide(ExpenseLive),
  Effect.provide(Engine.layer()),
  Effect.provide(SqliteStore.layer({ filename: ":memory:" })),
  NodeRuntime.runMain
)
