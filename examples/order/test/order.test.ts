import { assert, describe, it } from "@effect/vitest"
import { freshDatabase } from "@perdure/test/postgres/database"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import * as Scenario from "../src/demo/scenario.ts"
import * as World from "../src/demo/World.ts"
import { AddressRefused, OutOfStock, PaymentDeclined } from "../src/Order.ts"

const slowOrder = Scenario.killedOrder.orderId

const livesOf = (account: ReadonlyArray<Scenario.Account>) =>
  account.map(({ kind, lives, name }) => [kind, name, ...lives])

const killed = Effect.gen(function*() {
  const receipt = yield* Scenario.killAndRestart
  assert.deepStrictEqual(receipt, { orderId: slowOrder, chargeId: "ch_1", totalCents: 8424, status: "completed" })

  assert.deepStrictEqual(livesOf(yield* Scenario.accountOf(slowOrder)), [
    ["step", "check stock", 1],
    ["step", "calculate total", 1],
    ["transaction", "save order", 1],
    ["step", "charge payment", 1],
    ["step", "send confirmation", 1, 2],
    ["transaction", "complete order", 2]
  ])

  const { requests } = yield* World.World
  assert.deepStrictEqual((yield* requests).map(({ key, request, result }) => [request, key, result]), [
    ["charge", slowOrder, "charged ch_1"],
    ["send", slowOrder, "delivered"],
    ["send", slowOrder, "known key"]
  ])

  const sql = yield* SqlClient.SqlClient
  assert.deepStrictEqual(yield* sql`SELECT order_id, status, charge_id FROM perdure_example_orders`, [
    { order_id: slowOrder, status: "completed", charge_id: "ch_1" }
  ])
  assert.deepStrictEqual(yield* sql`SELECT order_id, sku FROM perdure_example_items`, [
    { order_id: slowOrder, sku: "keyboard" }
  ])
  assert.deepStrictEqual(yield* stock, [["keyboard", 8], ["mouse", 10], ["unicorn", 1]])
})

const failing = Effect.gen(function*() {
  const world = yield* World.World
  yield* world.startApplication()

  assert.instanceOf(yield* Scenario.orderInVain(Scenario.refusedOrder), AddressRefused)
  assert.deepStrictEqual(yield* rollbacksOf(Scenario.refusedOrder.orderId), [
    "charge payment",
    "save order"
  ])
  assert.instanceOf(yield* Scenario.orderInVain(Scenario.declinedOrder), PaymentDeclined)
  assert.deepStrictEqual(yield* rollbacksOf(Scenario.declinedOrder.orderId), ["save order"])
  assert.instanceOf(yield* Scenario.orderInVain(Scenario.soldOutOrder), OutOfStock)
  assert.deepStrictEqual(yield* rollbacksOf(Scenario.soldOutOrder.orderId), [])

  const payments = (yield* world.requests).filter(({ service }) => service === "payments")
  assert.deepStrictEqual(payments.map(({ result }) => result), ["charged ch_1", "refunded", "declined"])
  assert.deepStrictEqual(yield* stock, [["keyboard", 10], ["mouse", 10], ["unicorn", 1]])
})

const stock = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{ sku: string; quantity: number }>`
    SELECT sku, quantity FROM perdure_example_stock ORDER BY sku`
  return rows.map(({ quantity, sku }) => [sku, quantity])
})

const rollbacksOf = (workflowId: string) =>
  Effect.map(
    Scenario.accountOf(workflowId),
    (account) =>
      account.filter(({ kind, outcome }) => kind === "rollback" && outcome === "success").map(({ name }) => name)
  )

const stores = [
  ["SQLite", Effect.succeed(undefined)],
  ["PostgreSQL", freshDatabase]
] as const

for (const [name, database] of stores) {
  describe(`the order example on ${name}`, () => {
    it.live("charges once and saves one order when the application is killed while it sends the mail", () =>
      Effect.flatMap(database, (databaseUrl) => Effect.provide(killed, World.layer({ databaseUrl, slowOrder }))))

    it.live("ends in typed errors, with what was done undone", () =>
      Effect.flatMap(database, (databaseUrl) => Effect.provide(failing, World.layer({ databaseUrl, slowOrder }))))
  })
}
