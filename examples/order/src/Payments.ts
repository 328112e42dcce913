/** The payment gateway, over HTTP. */
import { Context, Effect, Layer, Schema } from "effect"
import { HttpClientResponse } from "effect/http"
import { PaymentDeclined } from "./Order.ts"
import * as Remote from "./Remote.ts"
import type { ServiceUnavailable } from "./Remote.ts"

const Answer = Schema.Struct({ chargeId: Schema.String })

export class Payments extends Context.Service<Payments, {
  /** Takes the amount once per order, however often it is asked for, and returns the id of the charge. */
  charge(orderId: string, amountCents: number): Effect.Effect<string, PaymentDeclined | ServiceUnavailable>
  /** Gives it back, once. */
  refund(chargeId: string): Effect.Effect<void, ServiceUnavailable>
}>()("shop/Payments") {
  static readonly layer = Layer.effect(
    Payments,
    Effect.gen(function*() {
      const post = yield* Remote.connect("payments")
      return {
        charge: Effect.fnUntraced(function*(orderId, amountCents) {
          yield* Effect.log(`POST /payments/charge, key ${orderId}`)
          const response = yield* post("charge", orderId, { amountCents })
          if (response.status === 402) return yield* new PaymentDeclined({ why: "insufficient funds" })
          const { chargeId } = yield* Remote.read("payments", HttpClientResponse.schemaBodyJson(Answer)(response))
          return chargeId
        }),
        refund: Effect.fnUntraced(function*(chargeId) {
          yield* Effect.log(`POST /payments/refund, key ${chargeId}`)
          yield* post("refund", chargeId, { chargeId })
        })
      }
    })
  )
}
