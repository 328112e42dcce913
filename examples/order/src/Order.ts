/** What an order is, and the definition of the workflow that processes one: all that a client needs to import. */
import { Schema } from "effect"
import { Workflow } from "perdure"

export const Item = Schema.Struct({ sku: Schema.String, quantity: Schema.Int, priceCents: Schema.Int })
export type Item = typeof Item.Type

export const Order = Schema.Struct({
  orderId: Schema.String,
  customerId: Schema.String,
  email: Schema.String,
  items: Schema.Array(Item)
})
export type Order = typeof Order.Type

export const Receipt = Schema.Struct({
  orderId: Schema.String,
  chargeId: Schema.String,
  totalCents: Schema.Int,
  status: Schema.Literal("completed")
})
export type Receipt = typeof Receipt.Type

/** There is less of it than was ordered. */
export class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { sku: Schema.String }) {
  override get message(): string {
    return `There is not enough of ${this.sku} in stock.`
  }
}

/** The gateway will not take the money. */
export class PaymentDeclined extends Schema.TaggedError<PaymentDeclined>()("PaymentDeclined", { why: Schema.String }) {
  override get message(): string {
    return `The payment was declined: ${this.why}.`
  }
}

/** There is no such mailbox, so the customer cannot be told. */
export class AddressRefused extends Schema.TaggedError<AddressRefused>()("AddressRefused", { email: Schema.String }) {
  override get message(): string {
    return `The mail service does not deliver to ${this.email}.`
  }
}

export const ProcessOrder = Workflow.make("ProcessOrder", {
  payload: Order,
  success: Receipt,
  error: Schema.Union([OutOfStock, PaymentDeclined, AddressRefused])
})
