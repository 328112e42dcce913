/** Customers, and the office that approves what is expensive. */
import { Effect, Random, Schedule } from "effect"
import { Client } from "perdure"
import { Approval, mails, Order, Reminder } from "./Shop.ts"

const customers = ["ada", "grace", "alan", "edsger", "barbara", "tony", "mallory", "trudy"]
const goods = [["keyboard", 8_900], ["mouse", 3_500], ["monitor", 42_000], ["cable", 900], ["desk", 31_000]] as const

const order = Effect.fnUntraced(function*(number: number) {
  const customer = yield* Random.choice(customers)
  const count = yield* Random.nextIntBetween(1, 3)
  const first = yield* Random.nextIntBetween(0, goods.length - 1)
  const items = Array.from({ length: count }, (_, index) => {
    const [sku, priceCents] = goods[(first + index) % goods.length]!
    return { sku, quantity: 1 + index, priceCents }
  })
  yield* Order.start(
    {
      customer,
      items,
      giftWrap: yield* Random.nextBoolean,
      speed: (yield* Random.next) < 0.4 ? "express" : "standard"
    },
    {
      workflowId: `order-${String(number).padStart(5, "0")}`,
      attributes: { customer, country: yield* Random.choice(["DE", "FR", "US"]), number }
    }
  )
  if (number % 4 === 0) yield* mails.enqueue(Reminder, { customer })
})

/** Approves most of what has waited for a while, and forgets the rest. */
const office = Effect.gen(function*() {
  const { workflows } = yield* Client.list({ name: "Order", status: "PENDING", order: "asc", limit: 50 })
  for (const { waits, workflowId } of workflows) {
    if (!waits.some(({ what }) => what.startsWith("message")) || (yield* Random.next) > 0.3) continue
    yield* Effect.ignore(Approval.send(workflowId, { by: "office@example.org", approved: (yield* Random.next) < 0.8 }))
  }
})

/** An order every now and then, for ever. */
export const run = Effect.gen(function*() {
  let number = 0
  yield* Effect.forkScoped(Effect.repeat(office, Schedule.spaced("5 seconds")))
  return yield* Effect.forever(
    Effect.suspend(() => order(++number)).pipe(
      Effect.andThen(Effect.flatMap(Random.nextIntBetween(400, 1800), (ms) => Effect.sleep(ms)))
    )
  )
})
