/** The shop's own tables, in the same database as the workflows. The SQL is common to SQLite and PostgreSQL. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { type Item, type Order, OutOfStock } from "./Order.ts"

export class Shop extends Context.Service<Shop, {
  /** Fails if there is less of an item than was ordered. */
  check(items: ReadonlyArray<Item>): Effect.Effect<void, OutOfStock | SqlError.SqlError>
  /** Inserts the order and its items, and takes them from the stock. For a transaction. */
  save(order: Order, totalCents: number): Effect.Effect<void, OutOfStock | SqlError.SqlError>
  complete(orderId: string, chargeId: string): Effect.Effect<void, SqlError.SqlError>
  /** Marks the order cancelled and puts its items back; done already, it does nothing. */
  cancel(orderId: string): Effect.Effect<void, SqlError.SqlError>
}>()("shop/Shop") {
  static readonly layer = Layer.effect(
    Shop,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* createTables(sql)

      const check = Effect.fnUntraced(function*(items: ReadonlyArray<Item>) {
        yield* Effect.log(items.map((item) => `${item.quantity} x ${item.sku}`).join(", "))
        for (const { quantity, sku } of items) {
          const enough = yield* sql`
            SELECT sku FROM perdure_example_stock WHERE sku = ${sku} AND quantity >= ${quantity}`
          if (enough.length === 0) return yield* new OutOfStock({ sku })
        }
      })

      const save = Effect.fnUntraced(function*({ customerId, items, orderId }: Order, totalCents: number) {
        yield* Effect.log(`1 order, ${items.length} item`)
        yield* sql`
          INSERT INTO perdure_example_orders (order_id, customer_id, total_cents, status)
          VALUES (${orderId}, ${customerId}, ${totalCents}, 'pending')`
        for (const [line, { priceCents, quantity, sku }] of items.entries()) {
          yield* sql`
            INSERT INTO perdure_example_items (order_id, line, sku, quantity, price_cents)
            VALUES (${orderId}, ${line}, ${sku}, ${quantity}, ${priceCents})`
          const taken = yield* sql`
            UPDATE perdure_example_stock SET quantity = quantity - ${quantity}
            WHERE sku = ${sku} AND quantity >= ${quantity} RETURNING sku`
          if (taken.length === 0) return yield* new OutOfStock({ sku })
        }
      })

      const complete = Effect.fnUntraced(function*(orderId: string, chargeId: string) {
        yield* Effect.log(`paid by ${chargeId}`)
        yield* sql`
          UPDATE perdure_example_orders SET status = 'completed', charge_id = ${chargeId} WHERE order_id = ${orderId}`
      })

      const cancel = Effect.fnUntraced(function*(orderId: string) {
        yield* Effect.log(`cancels ${orderId}, puts its items back`)
        const cancelled = yield* sql`
          UPDATE perdure_example_orders SET status = 'cancelled'
          WHERE order_id = ${orderId} AND status <> 'cancelled' RETURNING order_id`
        if (cancelled.length === 0) return
        const items = yield* sql<{ sku: string; quantity: number }>`
          SELECT sku, quantity FROM perdure_example_items WHERE order_id = ${orderId}`
        for (const { quantity, sku } of items) {
          yield* sql`UPDATE perdure_example_stock SET quantity = quantity + ${quantity} WHERE sku = ${sku}`
        }
      }, sql.withTransaction)

      return { check, save, complete, cancel }
    })
  )
}

export const tables = ["items", "orders", "stock"].map((name) => `perdure_example_${name}`)

const createTables = Effect.fnUntraced(function*(sql: SqlClient.SqlClient) {
  yield* sql`CREATE TABLE IF NOT EXISTS perdure_example_stock (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL)`
  yield* sql`CREATE TABLE IF NOT EXISTS perdure_example_orders (
    order_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, total_cents INTEGER NOT NULL, status TEXT NOT NULL,
    charge_id TEXT, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)`
  yield* sql`CREATE TABLE IF NOT EXISTS perdure_example_items (
    order_id TEXT NOT NULL REFERENCES perdure_example_orders (order_id), line INTEGER NOT NULL, sku TEXT NOT NULL,
    quantity INTEGER NOT NULL, price_cents INTEGER NOT NULL, PRIMARY KEY (order_id, line))`
  yield* sql`INSERT INTO perdure_example_stock (sku, quantity)
    VALUES ('keyboard', 10), ('mouse', 10), ('unicorn', 1) ON CONFLICT DO NOTHING`
})
