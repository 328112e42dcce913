/** The workflow: check the stock, price the order, save it, take the money, tell the customer. */
import { Effect } from "effect"
import { Step, Transaction } from "perdure"
import { Mail } from "./Mail.ts"
import { AddressRefused, type Item, OutOfStock, PaymentDeclined, ProcessOrder } from "./Order.ts"
import { Payments } from "./Payments.ts"
import { Shop } from "./Shop.ts"

/** Payments as steps: charged once per order, and refunded when the order fails later. */
export class PaymentSteps extends Step.Service<PaymentSteps>()("shop/PaymentSteps", Payments, {
  charge: { name: "charge payment", error: PaymentDeclined, rollback: "refund" }
}) {}

/** With 8% tax, and 10.00 for shipping below 50.00. */
export const price = Effect.fnUntraced(function*(items: ReadonlyArray<Item>) {
  const subtotalCents = items.reduce((sum, item) => sum + item.priceCents * item.quantity, 0)
  const taxCents = Math.round(subtotalCents * 0.08)
  const shippingCents = subtotalCents < 5000 ? 1000 : 0
  yield* Effect.log(`${subtotalCents} + tax ${taxCents} + shipping ${shippingCents} cents`)
  return subtotalCents + taxCents + shippingCents
})

export const ProcessOrderLive = ProcessOrder.toLayer(Effect.fn(function*(order) {
  const shop = yield* Shop
  const payments = yield* PaymentSteps
  const mail = yield* Mail
  yield* Effect.log(`processing ${order.orderId}`)

  yield* Step.run("check stock", shop.check(order.items), { error: OutOfStock })
  const totalCents = yield* Step.run("calculate total", price(order.items))

  // A transaction and its record are one commit: the order is saved once, whatever happens.
  yield* Transaction.run("save order", shop.save(order, totalCents), {
    error: OutOfStock,
    rollback: () => shop.cancel(order.orderId)
  })

  // A step is recorded after it has run, and runs again after a crash in between: so these two give the order's id as
  // an idempotency key.
  const chargeId = yield* payments.charge(order.orderId, totalCents)
  yield* Step.run("send confirmation", mail.confirm(order.email, order.orderId, totalCents), { error: AddressRefused })

  yield* Transaction.run("complete order", shop.complete(order.orderId, chargeId))

  return { orderId: order.orderId, chargeId, totalCents, status: "completed" } as const
}))
