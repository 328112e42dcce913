/** The shop's own tables, in the same database as the workflows. The SQL is common to SQLite and PostgreSQL. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { type Item, type Order, OutOfStock } from "./Order.ts"

export class Shop extends Context.Service<Shop, {
  /** Takes the items from the stock and notes for whom; taken already, it does nothing. */
  reserve(orderId: string, items: ReadonlyArray<Item>): Effect.Effect<void, OutOfStock | SqlError.SqlError>
  /** Puts back what was taken for the order, and cancels what was saved of it; done already, it does nothing. */
  release(orderId: string): Effect.Effect<void, SqlError.SqlError>
  /** Inserts the order and its items. */
  save(order: Order, totalCents: number): Effect.Effect<void, SqlError.SqlError>
  complete(orderId: string, chargeId: string): Effect.Effect<void, SqlError.SqlError>
}>()("shop/Shop") {
  static readonly layer = Layer.effect(
    Shop,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* createTables(sql)

      const reserve = Effect.fnUntraced(function*(orderId: string, items: ReadonlyArray<Item>) {
        yield* Effect.log(items.map((item) => `${item.quantity} x ${item.sku}`).join(", "))
        for (const [line, { sku, quantity }] of items.entries()) {
          const noted = yield* sql`
            INSERT INTO perdure_example_reservations (order_id, line, sku, quantity)
            VALUES (${orderId}, ${line}, ${sku}, ${quantity}) ON CONFLICT DO NOTHING RETURNING line`
          if (noted.length === 0) continue
          const taken = yield* sql`
            UPDATE perdure_example_stock SET quantity = quantity - ${quantity}
            WHERE sku = ${sku} AND quantity >= ${quantity} RETURNING sku`
          if (taken.length === 0) return yield* new OutOfStock({ sku })
        }
      }, sql.withTransaction)

      const release = Effect.fnUntraced(function*(orderId: string) {
        yield* Effect.log(`puts back what ${orderId} had reserved, marks it cancelled`)
        const reserved = yield* sql<{ sku: string; quantity: number }>`
          DELETE FROM perdure_example_reservations WHERE order_id = ${orderId} RETURNING sku, quantity`
        for (const { sku, quantity } of reserved) {
          yield* sql`UPDATE perdure_example_stock SET quantity = quantity + ${quantity} WHERE sku = ${sku}`
        }
        yield* sql`UPDATE perdure_example_orders SET status = 'cancelled' WHERE order_id = ${orderId}`
      }, sql.withTransaction)

      const save = Effect.fnUntraced(function*(order: Order, totalCents: number) {
        yield* Effect.log(`1 order, ${order.items.length} items`)
        yield* sql`
          INSERT INTO perdure_example_orders (order_id, customer_id, total_cents, status)
          VALUES (${order.orderId}, ${order.customerId}, ${totalCents}, 'pending')`
        for (const [line, item] of order.items.entries()) {
          yield* sql`
            INSERT INTO perdure_example_items (order_id, line, sku, quantity, price_cents)
            VALUES (${order.orderId}, ${line}, ${item.sku}, ${item.quantity}, ${item.priceCents})`
        }
      })

      const complete = Effect.fnUntraced(function*(orderId: string, chargeId: string) {
        yield* Effect.log(`paid by ${chargeId}`)
        yield* sql`
          UPDATE perdure_example_orders SET status = 'completed', charge_id = ${chargeId} WHERE order_id = ${orderId}`
      })

      return { reserve, release, save, complete }
    })
  )
}

export const tables = ["items", "orders", "reservations", "stock"].map((name) => `perdure_example_${name}`)

const createTables = Effect.fnUntraced(function*(sql: SqlClient.SqlClient) {
  yield* sql`CREATE TABLE IF NOT EXISTS perdure_example_stock (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL)`
  yield* sql`CREATE TABLE IF NOT EXISTS perdure_example_reservations (
    order_id TEXT NOT NULL, line INTEGER NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL,
    PRIMARY KEY (order_id, line))`
  yield* sql`CREATE TABLE IF NOT EXISTS perdure_example_orders (
    order_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, total_cents INTEGER NOT NULL, status TEXT NOT NULL,
    charge_id TEXT, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)`
  yield* sql`CREATE TABLE IF NOT EXISTS perdure_example_items (
    order_id TEXT NOT NULL REFERENCES perdure_example_orders (order_id), line INTEGER NOT NULL, sku TEXT NOT NULL,
    quantity INTEGER NOT NULL, price_cents INTEGER NOT NULL, PRIMARY KEY (order_id, line))`
  yield* sql`INSERT INTO perdure_example_stock (sku, quantity)
    VALUES ('keyboard', 10), ('mouse', 10), ('unicorn', 1) ON CONFLICT DO NOTHING`
})
