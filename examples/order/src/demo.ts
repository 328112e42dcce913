/**
 * `npm run demo`: an order whose application is killed with `kill -9` while it sends the mail, and orders that fail.
 *
 * It runs on a SQLite file in a temporary folder, or on PostgreSQL at `DATABASE_URL`, and ends with an exit code of 0
 * only if everything was as promised: above all, exactly one charge.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import * as Print from "./demo/Print.ts"
import { Unexpected } from "./demo/Process.ts"
import * as Scenario from "./demo/scenario.ts"
import * as World from "./demo/World.ts"
import type { Order } from "./Order.ts"

const check = (claim: string, holds: boolean): Effect.Effect<void, Unexpected> => {
  Print.claim(claim, holds)
  return holds ? Effect.void : Effect.fail(new Unexpected({ what: `Not as promised: ${claim}` }))
}

const accepted = Effect.gen(function*() {
  const { orderId } = Scenario.killedOrder
  Print.title(`${orderId}: the application is killed while it sends the mail`)
  const receipt = yield* Scenario.killAndRestart

  const account = yield* Scenario.accountOf(orderId)
  Print.account(account)
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql`SELECT order_id, customer_id, total_cents, charge_id, status FROM perdure_example_orders`
  Print.value("receipt", receipt)
  Print.value("order row", rows)

  const world = yield* World.World
  const requests = (yield* world.requests).filter((entry) => entry.key === orderId)
  Print.requests(requests)
  const charges = requests.filter((entry) => entry.request === "charge")
  yield* check(
    "the gateway was asked once, and charged once",
    charges.length === 1 && charges[0]?.result === "charged ch_1"
  )
  yield* check("the order is there once, completed", rows.length === 1 && rows[0]?.status === "completed")
  yield* check(
    "every recorded step ran once; only the one that was killed ran again",
    account.every((step) => step.name === "send confirmation" ? `${step.lives}` === "1,2" : step.lives.length === 1)
  )
  yield* check("the mail was delivered once", requests.filter((entry) => entry.result === "delivered").length === 1)
})

const refused = Effect.fnUntraced(function*(title: string, order: Order, tag: string, undone: ReadonlyArray<string>) {
  Print.title(`${order.orderId}: ${title}`)
  const error = yield* Scenario.orderInVain(order)
  const account = yield* Scenario.accountOf(order.orderId)
  Print.account(account)
  Print.value("error", `${error._tag}: ${error.message}`)
  yield* check(`the caller, another process, gets ${tag} itself`, error._tag === tag)
  const rollbacks = account.filter((step) => step.kind === "rollback" && step.outcome === "success")
  yield* check(
    undone.length === 0 ? "there was nothing to undo" : `undone: ${undone.join(", then ")}`,
    `${rollbacks.map((step) => step.name)}` === `${undone}`
  )
})

const atTheEnd = Effect.gen(function*() {
  Print.title("At the end")
  const sql = yield* SqlClient.SqlClient
  const stock = yield* sql<
    { sku: string; quantity: number }
  >`SELECT sku, quantity FROM perdure_example_stock ORDER BY sku`
  const orders = yield* sql`SELECT order_id, status FROM perdure_example_orders ORDER BY order_id`
  const requests = yield* (yield* World.World).requests
  Print.value("stock", stock)
  Print.value("orders", orders)
  Print.requests(requests.filter((entry) => entry.service === "payments"))
  yield* check("only the completed order has taken from the stock", `${stock.map((row) => row.quantity)}` === "8,10,1")
  const kept = requests.filter((entry) => entry.result.startsWith("charged")).length -
    requests.filter((entry) => entry.result === "refunded").length
  yield* check("exactly one charge is kept", kept === 1)
})

const demo = Effect.gen(function*() {
  yield* accepted
  yield* refused("the mail is refused after the payment", Scenario.refusedOrder, "AddressRefused", [
    "charge payment",
    "save order"
  ])
  yield* refused("the payment is declined", Scenario.declinedOrder, "PaymentDeclined", ["save order"])
  yield* refused("out of stock", Scenario.soldOutOrder, "OutOfStock", [])
  yield* atTheEnd
})

const program = Effect.gen(function*() {
  const databaseUrl = Option.getOrUndefined(yield* Config.option(Config.String("DATABASE_URL")))
  Print.begin(databaseUrl === undefined ? "SQLite" : "PostgreSQL")
  yield* demo.pipe(
    Effect.provide(World.layer({ databaseUrl, slowOrder: Scenario.killedOrder.orderId, observer: Print.observer })),
    Effect.timeout("55 seconds")
  )
  Print.end()
})

program.pipe(Effect.tapError(Print.failed), NodeRuntime.runMain({ disableErrorReporting: true }))
