/** The mail service, over HTTP. */
import { Context, Effect, Layer } from "effect"
import { AddressRefused } from "./Order.ts"
import * as Remote from "./Remote.ts"
import type { ServiceUnavailable } from "./Remote.ts"

export class Mail extends Context.Service<Mail, {
  /** Tells the customer, once per order. */
  confirm(email: string, orderId: string, totalCents: number): Effect.Effect<void, AddressRefused | ServiceUnavailable>
}>()("shop/Mail") {
  static readonly layer = Layer.effect(
    Mail,
    Effect.gen(function*() {
      const post = yield* Remote.connect("mail")
      return {
        confirm: Effect.fnUntraced(function*(email, orderId, totalCents) {
          yield* Effect.log(`POST /mail/send, key ${orderId}`)
          const response = yield* post("send", orderId, {
            to: email,
            subject: `Order confirmation ${orderId}`,
            body: `Thank you for your order. Total: ${(totalCents / 100).toFixed(2)}`
          })
          if (response.status === 422) return yield* new AddressRefused({ email })
        })
      }
    })
  )
}
