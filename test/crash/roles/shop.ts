/** The shop of docs/operating/runbook.md, in good and in bad health. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Engine, Message, Step, Workflow, WorkflowQueue } from "perdure"
import { type Place, storeLayer } from "../harness/Place.ts"
import { obey, say } from "../harness/voice.ts"
import * as World from "../workflows/World.ts"
import type { Role } from "./Role.ts"

export interface Config {
  readonly place: Place
  readonly log: string
  readonly executorId: string
  readonly version: string
  readonly lease?: Engine.Options["lease"]
  /** `renamed`: the step has another name. */
  readonly charge?: "works" | "hangs" | "kills" | "renamed"
}

export const Approval = Message.make("approval", { payload: Schema.Struct({ by: Schema.String }) })

/** Reserves, charges, asks for an approval where the item is made to measure, and ships. */
export const Order = Workflow.make("Order", {
  payload: { item: Schema.String },
  success: Schema.String,
  maxRecoveryAttempts: 2
})

/** Sends a mail, which never ends where the charge hangs. */
export const Mail = Workflow.make("Mail", {})

export const mails = WorkflowQueue.make("mails", { concurrency: 1 })

const orderLive = (charge: Config["charge"]) =>
  Order.toLayer(Effect.fnUntraced(function*({ item }) {
    yield* Step.run("reserve", World.did("reserve"))
    yield* Step.run(
      charge === "renamed" ? "bill" : "charge",
      charge === "hangs"
        ? World.hold("charge")
        : Effect.andThen(
          World.did("charge"),
          Effect.sync(() => void (charge === "kills" && process.kill(process.pid, "SIGKILL")))
        )
    )
    if (item === "made to measure") yield* Approval.receive()
    yield* Step.run("ship", World.did("ship"))
    return item
  }))

export const play: Role = ({ charge, executorId, lease = "2 seconds", log, place, version }: Config) => {
  const live = Layer.mergeAll(
    orderLive(charge),
    Mail.toLayer(() => Step.run("send", charge === "hangs" ? World.hold("send") : World.did("send"))),
    mails.layer
  )
  const engine = Engine.layer({
    executorId,
    version,
    lease,
    heartbeat: "400 millis",
    poll: "100 millis",
    suspendAfter: "100 millis"
  })
  return Effect.gen(function*() {
    yield* obey({})
    yield* say("ready")
    return yield* Effect.never
  }).pipe(
    Effect.provide(live),
    Effect.provide(World.layer(log)),
    Effect.provide(engine),
    Effect.provide(storeLayer(place))
  )
}
