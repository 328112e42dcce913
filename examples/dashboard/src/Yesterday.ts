/**
 * What yesterday's code left behind: a subscription whose history today's code does not fit, so that it is blocked until
 * somebody mends it.
 */
import { Effect } from "effect"
import { Engine, Step, Workflow } from "perdure"

const Subscription = Workflow.make("Subscription", { payload: {} })

const before = Subscription.toLayer(() =>
  Step.run("send welcome", Effect.succeed("sent")).pipe(
    Effect.andThen(Effect.sleep("2 seconds")),
    Effect.andThen(Step.run("send invoice", Effect.succeed("sent")))
  )
)

/** The step was renamed without saying so. */
export const live = Subscription.toLayer(() =>
  Step.run("greet the customer", Effect.succeed("sent")).pipe(
    Effect.andThen(Effect.sleep("2 seconds")),
    Effect.andThen(Step.run("send invoice", Effect.succeed("sent")))
  )
)

/** Starts one with yesterday's code, and lets it come as far as its sleep. */
export const leave = Subscription.start({}, { workflowId: "subscription-ada" }).pipe(
  Effect.andThen(Effect.sleep("500 millis")),
  Effect.provide(before),
  Effect.provide(Engine.layer({ executorId: "yesterday", suspendAfter: "50 millis", shutdown: "50 millis" }))
)
