/** An order shop whose workflows do all that a dashboard shows: branches, retries, waits, children, rollbacks. */
import { Effect, Option, Random, Schema } from "effect"
import { Message, Step, Workflow, WorkflowEvent, WorkflowQueue, WorkflowSchedule, WorkflowStream } from "perdure"

// -----------------------------------------------------------------------------
// definitions
// -----------------------------------------------------------------------------

const Item = Schema.Struct({ sku: Schema.String, quantity: Schema.Int, priceCents: Schema.Int })

/** The card is not good for it. An answer, not a fault: it is not tried again. */
export class PaymentDeclined extends Schema.TaggedError<PaymentDeclined>()("PaymentDeclined", {
  why: Schema.String,
  amountCents: Schema.Int
}) {
  override get message(): string {
    return `The payment of ${this.amountCents / 100} was declined: ${this.why}.`
  }
}

export const Order = Workflow.make("Order", {
  payload: {
    customer: Schema.String,
    items: Schema.Array(Item),
    giftWrap: Schema.Boolean,
    speed: Schema.Literals(["standard", "express"])
  },
  success: Schema.Struct({ chargeId: Schema.String, parcel: Schema.String, totalCents: Schema.Int }),
  error: PaymentDeclined
})

export const Ship = Workflow.make("Ship", {
  payload: { order: Schema.String, speed: Schema.Literals(["standard", "express"]) },
  success: Schema.String
})

export const Report = Workflow.make("Report", { payload: { kind: Schema.String }, success: Schema.String })

export const Reminder = Workflow.make("Reminder", { payload: { customer: Schema.String } })

/** What somebody in the office says of an expensive order. */
export const Approval = Message.make("approval", { payload: { by: Schema.String, approved: Schema.Boolean } })

const State = WorkflowEvent.make("state", { value: Schema.String })
const Log = WorkflowStream.make("log", { value: Schema.String })

/** Two parcels are packed at once. */
export const packing = WorkflowQueue.make("packing", { concurrency: 2 })
/** The mail provider takes twenty in a minute. */
export const mails = WorkflowQueue.make("mails", { rateLimit: { limit: 20, period: "1 minute" } })

// -----------------------------------------------------------------------------
// the world outside
// -----------------------------------------------------------------------------

class Hiccup extends Schema.TaggedError<Hiccup>()("Hiccup", { service: Schema.String }) {
  readonly isRetryable = true
  override get message(): string {
    return `${this.service} did not answer.`
  }
}

/** Takes a while, as services do, and sometimes does not answer. */
const call = Effect.fnUntraced(function*<A>(service: string, fails: number, answer: A) {
  yield* Effect.sleep(yield* Random.nextIntBetween(60, 900))
  if ((yield* Random.next) < fails) return yield* new Hiccup({ service })
  return answer
})

// -----------------------------------------------------------------------------
// bodies
// -----------------------------------------------------------------------------

const OrderLive = Order.toLayer(Effect.fn(function*({ customer, giftWrap, items, speed }) {
  const totalCents = items.reduce((sum, { priceCents, quantity }) => sum + priceCents * quantity, 0)
  yield* State.set("received")

  yield* Workflow.all({
    stock: Workflow.forEach(
      items,
      ({ quantity, sku }) =>
        Step.run(`reserve ${sku}`, call("warehouse", 0.15, { sku, quantity }), {
          rollback: () => call("warehouse", 0, "put back")
        }),
      { concurrency: "unbounded", key: ({ sku }) => sku }
    ),
    fraud: Step.run("check for fraud", call("fraud check", 0.05, { score: 0.12, rules: ["address", "velocity"] })),
    customer: Step.run("load customer", call("customers", 0.05, { customer, since: 2019, tier: "gold" }))
  }, { concurrency: "unbounded" })

  if (totalCents > 40_000) {
    yield* State.set("waits for approval")
    const decision = yield* Approval.receive({ timeout: "2 days" })
    if (Option.isNone(decision) || !decision.value.approved) {
      return yield* new PaymentDeclined({ why: "nobody approved it", amountCents: totalCents })
    }
  }

  yield* State.set("charging")
  const chargeId = yield* Step.run(
    "charge card",
    Effect.suspend((): Effect.Effect<string, PaymentDeclined | Hiccup> =>
      customer === "mallory"
        ? Effect.fail(new PaymentDeclined({ why: "insufficient funds", amountCents: totalCents }))
        : call("payments", 0.1, `ch_${customer}_${totalCents}`)
    ),
    { error: PaymentDeclined, rollback: (id) => call("payments", 0.2, `refunded ${id}`) }
  )
  if (customer === "trudy") {
    // A bug, as it happens: what the warehouse sent is not what the code takes it for.
    yield* Step.run("print invoice", Effect.sync((): string => new Date(Number.NaN).toISOString()))
  }

  yield* State.set("shipping")
  const parcel = yield* (yield* packing.enqueue(Ship, { order: chargeId, speed })).result
  if (giftWrap) yield* Step.run("write card", call("printer", 0, "Many happy returns!"))
  yield* State.set("done")
  return { chargeId, parcel, totalCents }
}))

const ShipLive = Ship.toLayer(Effect.fn(function*({ order, speed }) {
  const places = ["picked", "packed", "labelled", "handed over"]
  for (const place of places) {
    yield* Step.run(
      place,
      call("warehouse", 0.1, place).pipe(Effect.tap((at) => Log.write(`${order}: ${at} (${speed})`)))
    )
    yield* Effect.sleep(speed === "express" ? "300 millis" : "1 second")
  }
  yield* Log.close
  return `parcel-${order}`
}))

const ReportLive = Report.toLayer(({ kind }) => Step.run("write report", call("reports", 0, `${kind}: all is well`)))

const ReminderLive = Reminder.toLayer(Effect.fn(function*({ customer }) {
  yield* Step.run("look up address", call("customers", 0, `${customer}@example.org`))
  yield* Effect.sleep("30 days")
  yield* Step.run("send reminder", call("mail", 0.2, "sent"))
}))

const pulse = WorkflowSchedule.make("pulse report", {
  workflow: Report,
  payload: { kind: "pulse" },
  interval: "15 seconds"
})
const nightly = WorkflowSchedule.make("nightly report", {
  workflow: Report,
  payload: { kind: "sales" },
  cron: "30 2 * * mon-fri",
  timeZone: "Europe/Berlin"
})

/** All of the shop. */
export const live = [OrderLive, ShipLive, ReportLive, ReminderLive, pulse.layer, nightly.layer] as const
