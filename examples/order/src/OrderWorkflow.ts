/** The workflow: reserve the stock, price the order, save it, take the money, tell the customer. */
import { Effect } from "effect"
import { Step, Transaction } from "perdure"
import { Mail } from "./Mail.ts"
import { AddressRefused, type Item, OutOfStock, PaymentDeclined, ProcessOrder } from "./Order.ts"
import { Payments } from "./Payments.ts"
import { Shop } from "./Shop.ts"

/** Payments as steps: charged once per order, and refunded when the order fails later. */
export class PaymentSteps extends Step.Service<PaymentSteps>()("shop/PaymentSteps", Payments, {
  charge: {
    name: "charge payment",
    error: PaymentDeclined,
    retry: { maxAttempts: 5, interval: "200 millis", while: (error) => error._tag === "ServiceUnavailable" },
    rollback: (chargeId) => Effect.flatMap(Payments, (payments) => payments.refund(chargeId))
  }
}) {}

/** With 8% tax, and 10.00 for shipping below 50.00. */
export const totalCentsOf = (items: ReadonlyArray<Item>): number => {
  const subtotal = items.reduce((sum, item) => sum + item.priceCents * item.quantity, 0)
  return subtotal + Math.round(subtotal * 0.08) + (subtotal < 5000 ? 1000 : 0)
}

export const ProcessOrderLive = ProcessOrder.toLayer(Effect.fn(function*(order) {
  const shop = yield* Shop
  const payments = yield* PaymentSteps
  const mail = yield* Mail
  yield* Effect.log(`processing ${order.orderId}`)

  // A step is recorded after it has run, so a crash in between runs it again: what it does is idempotent by the order.
  yield* Step.run("reserve stock", shop.reserve(order.orderId, order.items), {
    error: OutOfStock,
    rollback: () => shop.release(order.orderId)
  })
  const totalCents = yield* Step.run("calculate total", Effect.sync(() => totalCentsOf(order.items)))

  // A transaction and its record are one commit: these rows are inserted once, whatever happens.
  yield* Transaction.run("save order", shop.save(order, totalCents))

  const chargeId = yield* payments.charge(order.orderId, totalCents)

  yield* Step.run("send confirmation", mail.confirm(order.email, order.orderId, totalCents), {
    error: AddressRefused,
    retry: { maxAttempts: 5, interval: "200 millis", while: (error) => error._tag === "ServiceUnavailable" }
  })
  yield* Transaction.run("complete order", shop.complete(order.orderId, chargeId))

  return { orderId: order.orderId, chargeId, totalCents, status: "completed" } as const
}))
