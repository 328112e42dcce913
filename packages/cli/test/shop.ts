/** Workflows for the command line to look at. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as StepStatus from "perdure/StepStatus"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowStream from "perdure/WorkflowStream"

export class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { sku: Schema.String }) {}

export const Progress = WorkflowEvent.make("progress", { value: Schema.String })
export const Lines = WorkflowStream.make("lines", { value: Schema.String })
export const Approval = Message.make("approval", { payload: Schema.Struct({ by: Schema.String }) })

/** Reserves, prices and ends; fails for the item "none". */
export const Order = Workflow.make("Order", {
  payload: { item: Schema.String },
  success: Schema.Struct({ item: Schema.String, total: Schema.Number }),
  error: OutOfStock
})

/** Waits for an approval, and says so in an event and a stream. */
export const Approved = Workflow.make("Approved", { payload: { text: Schema.String }, success: Schema.String })

/** Has one step, which succeeds at its third attempt. */
export const Flaky = Workflow.make("Flaky", { error: OutOfStock })

/** Sleeps for a day. */
export const Nap = Workflow.make("Nap", {})

export const mails = WorkflowQueue.make("mails", { concurrency: 2 })

export const live = Layer.mergeAll(
  Order.toLayer(Effect.fnUntraced(function*({ item }) {
    yield* Step.run("reserve", item === "none" ? Effect.fail(new OutOfStock({ sku: item })) : Effect.succeed(item), {
      error: OutOfStock
    })
    const total = yield* Step.run("price", Effect.succeed(42))
    return { item, total }
  })),
  Approved.toLayer(Effect.fnUntraced(function*({ text }) {
    yield* Progress.set(`asked: ${text}`)
    yield* Lines.write(text)
    const { by } = yield* Approval.receive()
    yield* Lines.write(by)
    yield* Lines.close
    return by
  })),
  Flaky.toLayer(() =>
    Step.run(
      "call",
      Effect.flatMap(StepStatus.Current, (status) =>
        (status?.currentAttempt ?? 0) < 2 ? Effect.fail(new OutOfStock({ sku: "pen" })) : Effect.void),
      {
        error: OutOfStock,
        retry: {
          maxAttempts: 3,
          interval: "1 millis",
          while: () =>
            true
        }
      }
    )
  ),
  Nap.toLayer(() => Effect.sleep("1 day")),
  mails.layer
)
