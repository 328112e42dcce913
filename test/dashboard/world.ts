/** Workflows that do all that the dashboard shows, and stop where a test wants to look. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowSchedule from "perdure/WorkflowSchedule"
import * as WorkflowStream from "perdure/WorkflowStream"

export class Declined extends Schema.TaggedError<Declined>()("Declined", { why: Schema.String }) {
  override get message(): string {
    return `The payment was declined: ${this.why}.`
  }
}

class Hiccup extends Schema.TaggedError<Hiccup>()("Hiccup", { service: Schema.String }) {
  readonly isRetryable = true
  override get message(): string {
    return `${this.service} did not answer.`
  }
}

export const Decision = Message.make("decision", { payload: { approved: Schema.Boolean } })
export const Progress = WorkflowEvent.make("progress", { value: Schema.Struct({ done: Schema.Int, of: Schema.Int }) })
export const Log = WorkflowStream.make("log", { value: Schema.String })

export const Order = Workflow.make("Order", {
  payload: {
    customer: Schema.String,
    amount: Schema.Int,
    express: Schema.Boolean,
    size: Schema.Literals(["small", "large"])
  },
  success: Schema.Struct({ charge: Schema.String }),
  error: Declined
})

export const Ship = Workflow.make("Ship", { payload: { order: Schema.String }, success: Schema.String })

export const anOrder = { customer: "ada", amount: 42, express: true, size: "small" } as const

const ShipLive = Ship.toLayer(({ order }) => Step.run("pack", Effect.succeed(`parcel of ${order}`)))

/** Reserves and checks in parallel, tells how far it is, has a child, and waits for a decision. */
const OrderLive = Order.toLayer(Effect.fn(function*({ amount, customer }) {
  let calls = 0
  yield* Workflow.all({
    stock: Step.run(
      "reserve stock",
      Effect.suspend(() =>
        ++calls === 1 ? Effect.fail(new Hiccup({ service: "warehouse" })) : Effect.succeed({ sku: "keyboard", left: 9 })
      ),
      { retry: { maxAttempts: 3, interval: "1 millis" }, rollback: () => Effect.succeed("put back") }
    ),
    fraud: Step.run("check for fraud", Effect.succeed({ score: 0.1 }))
  }, { concurrency: "unbounded" })
  yield* Progress.set({ done: 1, of: 3 })
  yield* Log.write("reserved")
  yield* Ship.execute({ order: customer })
  const { approved } = yield* Decision.receive()
  yield* Log.write(approved ? "approved" : "refused")
  const charge = yield* Step.run(
    "charge card",
    approved ? Effect.succeed(`ch_${amount}`) : Effect.fail(new Declined({ why: "nobody approved it" })),
    { error: Declined }
  )
  yield* Progress.set({ done: 3, of: 3 })
  return { charge }
}))

/** Waits for a message that never comes. */
export const Sleeper = Workflow.make("Sleeper", { payload: { note: Schema.String } })
const SleeperLive = Sleeper.toLayer(() => Decision.receive())

export const Quick = Workflow.make("Quick", { payload: { note: Schema.String }, success: Schema.String })
const QuickLive = Quick.toLayer(({ note }) => Step.run("note", Effect.succeed(note)))

/** A hundred steps at once, so that many cost few commits. */
export const Long = Workflow.make("Long", { payload: { steps: Schema.Int }, success: Schema.Int })
const LongLive = Long.toLayer(Effect.fn(function*({ steps }) {
  yield* Workflow.forEach(
    Array.from({ length: steps }, (_, index) => index),
    (index) => Step.run(`step number ${index}`, Effect.succeed(index)),
    { concurrency: 100 }
  )
  return steps
}))

export const slow = WorkflowQueue.make("slow", { concurrency: 1 })

export const nightly = WorkflowSchedule.make("nightly", {
  workflow: Quick,
  payload: { note: "by night" },
  cron: "30 2 * * mon-fri",
  timeZone: "Europe/Berlin"
})

export const live = [OrderLive, ShipLive, SleeperLive, QuickLive, LongLive, nightly.layer] as const
