/**
 * What the shop cannot undo a crash of: a payment gateway and a mail service, in a process of their own.
 *
 * Both honour idempotency keys: the same key again gets the first answer, and nothing is charged or delivered twice.
 * Every request is a line of the file `SERVICES_LOG`, written before the answer. The gateway declines more than 1,000.00,
 * the mail service knows nobody at `nowhere.example`, and it never answers the first mail about the order `SLOW_ORDER`,
 * though it delivers it.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { appendFileSync } from "node:fs"
import { createServer } from "node:http"
import { stopWithParent } from "./demo/parent.ts"
import type { Entry } from "./ServicesLog.ts"

const headers = HttpServerRequest.schemaHeaders(Schema.Struct({ "idempotency-key": Schema.String }))
const charge = HttpServerRequest.schemaBodyJson(Schema.Struct({ amountCents: Schema.Int }))
const send = HttpServerRequest.schemaBodyJson(Schema.Struct({ to: Schema.String }))

const routes = Effect.gen(function*() {
  const file = yield* Config.String("SERVICES_LOG")
  const slowOrder = yield* Config.String("SLOW_ORDER").pipe(Config.withDefault(""))
  const charges = new Map<string, string>()
  const refunds = new Set<string>()
  const delivered = new Set<string>()

  const note = (entry: Entry): Effect.Effect<void> => {
    const line = JSON.stringify(entry)
    return Effect.andThen(Effect.sync(() => appendFileSync(file, `${line}\n`)), Console.log(line))
  }

  const payments = Effect.gen(function*() {
    const key = (yield* headers)["idempotency-key"]
    const { amountCents } = yield* charge
    const known = charges.get(key)
    const chargeId = known ?? `ch_${charges.size + 1}`
    const declined = amountCents > 100_000
    const result = known !== undefined ? "known key" : declined ? "declined" : `charged ${chargeId}`
    yield* note({ service: "payments", request: "charge", key, result, amountCents })
    if (declined) return HttpServerResponse.empty({ status: 402 })
    charges.set(key, chargeId)
    return HttpServerResponse.jsonUnsafe({ chargeId })
  })

  const refund = Effect.gen(function*() {
    const key = (yield* headers)["idempotency-key"]
    const result = refunds.has(key) ? "known key" : "refunded"
    refunds.add(key)
    yield* note({ service: "payments", request: "refund", key, result })
    return HttpServerResponse.empty()
  })

  const mail = Effect.gen(function*() {
    const key = (yield* headers)["idempotency-key"]
    const { to } = yield* send
    const refused = to.endsWith("@nowhere.example")
    const result = delivered.has(key) ? "known key" : refused ? "refused" : "delivered"
    yield* note({ service: "mail", request: "send", key, result })
    if (refused) return HttpServerResponse.empty({ status: 422 })
    delivered.add(key)
    if (result === "delivered" && key === slowOrder) return yield* Effect.never
    return HttpServerResponse.empty()
  })

  return [
    HttpRouter.route("POST", "/payments/charge", payments),
    HttpRouter.route("POST", "/payments/refund", refund),
    HttpRouter.route("POST", "/mail/send", mail)
  ]
})

const ServicesLive = HttpRouter.serve(HttpRouter.addAll(routes), { disableLogger: true, disableListenLog: true }).pipe(
  Layer.tap(() => HttpServer.addressFormattedWith((url) => Console.log(JSON.stringify({ url })))),
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
)

stopWithParent()
Layer.launch(ServicesLive).pipe(NodeRuntime.runMain)
