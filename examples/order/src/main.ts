/**
 * The application: runs order workflows until it is stopped. Orders come from other processes through the store, or one
 * as JSON on the command line.
 *
 *     SERVICES_URL=http://127.0.0.1:4000 node --conditions=perdure:source src/main.ts '{"orderId":"1", ...}'
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer, Logger, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { Engine } from "perdure"
import * as Database from "./Database.ts"
import { stopWithParent } from "./demo/parent.ts"
import { Mail } from "./Mail.ts"
import { Order, ProcessOrder } from "./Order.ts"
import { PaymentSteps, ProcessOrderLive } from "./OrderWorkflow.ts"
import { Payments } from "./Payments.ts"
import { Shop } from "./Shop.ts"

const EngineLive = Engine.layer({ executorId: "shop" })

const ShopLive = Layer.mergeAll(PaymentSteps.layer.pipe(Layer.provide(Payments.layer)), Mail.layer, Shop.layer)

const ApplicationLive = ProcessOrderLive.pipe(
  Layer.provide(ShopLive),
  Layer.provide(FetchHttpClient.layer),
  Layer.provideMerge(EngineLive),
  Layer.provide(Database.layer),
  Layer.provideMerge(Logger.layer([Logger.consoleJson]))
)

const placeOrder = Effect.fn(function*(json: string) {
  const order = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Order))(json)
  yield* ProcessOrder.start(order, { workflowId: order.orderId })
})

const application = Effect.gen(function*() {
  yield* Effect.log("ready")
  const json = process.argv[2]
  if (json !== undefined) yield* placeOrder(json)
  return yield* Effect.never
})

stopWithParent()
application.pipe(Effect.provide(ApplicationLive), NodeRuntime.runMain)
