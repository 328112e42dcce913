/**
 * The examples of the specification's tutorial "first workflow", as its reader would write them here. Names quote the
 * document's headings.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type * as Statement from "effect/sql/Statement"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import * as WorkflowId from "perdure/WorkflowId"
import { type Given, onBothStores } from "../engine/harness.ts"
import { Log, recorded, stepsOf } from "../engine/observing.ts"
import { hearing } from "./hearing.ts"

const Item = Schema.Struct({ productId: Schema.String, price: Schema.Number, quantity: Schema.Number })
type Item = typeof Item.Type
const items: ReadonlyArray<Item> = [
  { productId: "keyboard", price: 30, quantity: 2 },
  { productId: "mouse", price: 15, quantity: 1 }
]

const ProcessOrder = Workflow.make("ProcessOrder", {
  payload: { orderId: Schema.String, customerEmail: Schema.String },
  success: Schema.String
})

/** The tutorial's steps. "Sending" an e-mail is an entry in the log. */
const calculateTotal = (items: ReadonlyArray<Item>) =>
  Step.run("calculate total", Effect.sync(() => items.reduce((sum, item) => sum + item.price * item.quantity, 0)))
const sendConfirmationEmail = (log: Log, email: string, orderId: string) =>
  Step.run("send confirmation email", log.add(`Sending confirmation to ${email} for order ${orderId}`))

/** The tutorial's tables, and its transactions on them. */
const shop = Effect.fnUntraced(function*({ number, sql }: Given) {
  const orders = sql(`orders_of_${number}`)
  const inventory = sql(`inventory_of_${number}`)
  const orderItems = sql(`order_items_of_${number}`)
  const id = sql.onDialectOrElse({
    pg: () => sql.literal("id SERIAL PRIMARY KEY"),
    orElse: () => sql.literal("id INTEGER PRIMARY KEY")
  }) as Statement.Fragment
  yield* sql`CREATE TABLE ${orders} (${id}, order_id TEXT, customer_id TEXT, total DOUBLE PRECISION, status TEXT)`
  yield* sql`CREATE TABLE ${inventory} (product_id TEXT PRIMARY KEY, quantity INTEGER CHECK (quantity >= 0))`
  yield* sql`CREATE TABLE ${orderItems} (order_id INTEGER, product_id TEXT, quantity INTEGER, price DOUBLE PRECISION)`
  yield* sql`INSERT INTO ${inventory} (product_id, quantity) VALUES ('keyboard', 10), ('mouse', 10)`

  const saveOrder = (orderId: string, customerId: string, total: number) =>
    Transaction.run(
      "save order",
      Effect.gen(function*() {
        const sql = yield* SqlClient
        const [row] = yield* sql<{ id: number }>`
          INSERT INTO ${orders} ${sql.insert({ order_id: orderId, customer_id: customerId, total, status: "pending" })}
          RETURNING id`
        return row!.id
      })
    )
  const updateInventory = (items: ReadonlyArray<Item>) =>
    Transaction.run(
      "update inventory",
      Effect.flatMap(SqlClient, (sql) =>
        Effect.forEach(items, ({ productId, quantity }) =>
          sql`UPDATE ${inventory} SET quantity = quantity - ${quantity} WHERE product_id = ${productId}`, {
          discard: true
        }))
    )
  const createOrderRecord = (orderId: string, customerId: string, total: number, items: ReadonlyArray<Item>) =>
    Transaction.run(
      "create order record",
      Effect.gen(function*() {
        const sql = yield* SqlClient
        const [row] = yield* sql<{ id: number }>`
          INSERT INTO ${orders} ${sql.insert({ order_id: orderId, customer_id: customerId, total, status: "new" })}
          RETURNING id`
        for (const { price, productId, quantity } of items) {
          yield* sql`INSERT INTO ${orderItems} ${
            sql.insert({ order_id: row!.id, product_id: productId, quantity, price })
          }`
        }
        return row!.id
      })
    )
  return {
    saveOrder,
    updateInventory,
    createOrderRecord,
    orders: sql<{ order_id: string; total: number }>`SELECT order_id, total FROM ${orders} ORDER BY id`,
    orderItems: sql<{ product_id: string }>`SELECT product_id FROM ${orderItems} ORDER BY product_id`,
    stock: sql<{ quantity: number }>`SELECT quantity FROM ${inventory} ORDER BY product_id`.pipe(
      Effect.map((rows) => rows.map(({ quantity }) => quantity))
    )
  }
})

onBothStores("first workflow", (claim) => {
  claim(
    "Basic Workflow",
    Effect.fnUntraced(function*(given) {
      const { heard, layer } = hearing()
      const ProcessOrderLive = ProcessOrder.toLayer(Effect.fn(function*({ customerEmail, orderId }) {
        yield* Effect.logInfo(`Processing order for ${customerEmail}`).pipe(Effect.provide(layer))
        return `Processed order ${orderId}`
      }))
      const { use } = yield* given.engine(ProcessOrderLive)
      const result = yield* use(ProcessOrder.execute({ orderId: "order-123", customerEmail: "customer@example.com" }))
      assert.strictEqual(result, "Processed order order-123")
      assert.deepStrictEqual(heard.map(({ message }) => message), ["Processing order for customer@example.com"])
      // Its id is a generated one.
      const [workflow] = (yield* use(Client.list())).workflows
      assert.match(workflow!.workflowId, /^[0-9a-f-]{36}$/)
    })
  )

  claim(
    "Adding Steps to Workflows",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const CompleteOrder = Workflow.make("CompleteOrder", {
        payload: { orderId: Schema.String, items: Schema.Array(Item), email: Schema.String },
        success: Schema.Struct({ orderId: Schema.String, total: Schema.Number, status: Schema.String })
      })
      const CompleteOrderLive = CompleteOrder.toLayer(Effect.fn(function*({ email, items, orderId }) {
        const total = yield* calculateTotal(items)
        yield* sendConfirmationEmail(log, email, orderId)
        return { orderId, total, status: "completed" }
      }))
      const { use } = yield* given.engine(CompleteOrderLive)
      const order = CompleteOrder.execute({ orderId: "1", items, email: "ada@example.com" }, { workflowId: "order-1" })
      const expected = { orderId: "1", total: 75, status: "completed" }
      assert.deepStrictEqual(yield* use(order), expected)
      assert.deepStrictEqual(yield* use(order), expected)
      assert.deepStrictEqual(log.entries, ["Sending confirmation to ada@example.com for order 1"])
      assert.deepStrictEqual(yield* use(stepsOf("order-1")), [
        "0 step calculate total",
        "1 step send confirmation email"
      ])
    })
  )

  claim(
    "Adding Transactions",
    Effect.fnUntraced(function*(given) {
      const { orders, saveOrder, stock, updateInventory } = yield* shop(given)
      const log = new Log()
      const OrderWithDatabase = Workflow.make("OrderWithDatabase", {
        payload: { orderId: Schema.String, customerId: Schema.String, items: Schema.Array(Item) },
        success: Schema.Struct({ orderId: Schema.String, databaseId: Schema.Number, total: Schema.Number })
      })
      const OrderWithDatabaseLive = OrderWithDatabase.toLayer(Effect.fn(function*({ customerId, items, orderId }) {
        const total = yield* calculateTotal(items)
        const databaseId = yield* saveOrder(orderId, customerId, total)
        yield* updateInventory(items)
        yield* sendConfirmationEmail(log, "ada@example.com", orderId)
        return { orderId, databaseId, total }
      }))
      const { use } = yield* given.engine(OrderWithDatabaseLive)
      assert.deepStrictEqual(yield* use(OrderWithDatabase.execute({ orderId: "1", customerId: "ada", items })), {
        orderId: "1",
        databaseId: 1,
        total: 75
      })
      assert.deepStrictEqual(yield* orders, [{ order_id: "1", total: 75 }])
      assert.deepStrictEqual(yield* stock, [8, 9])

      // More than there is: the transaction fails as a whole.
      const greedy = [items[1]!, { ...items[0]!, quantity: 99 }]
      yield* Effect.flip(use(OrderWithDatabase.execute({ orderId: "2", customerId: "bob", items: greedy })))
      assert.deepStrictEqual(yield* stock, [8, 9])
    })
  )

  claim(
    "Workflow Context and Properties",
    Effect.fnUntraced(function*(given) {
      const { heard, layer } = hearing()
      const Contextual = Workflow.make("Contextual", {
        payload: { userInput: Schema.String },
        success: Schema.Struct({
          workflowId: Schema.UndefinedOr(Schema.String),
          stepId: Schema.UndefinedOr(Schema.Number),
          input: Schema.String
        })
      })
      const ContextualLive = Contextual.toLayer(Effect.fn(function*({ userInput }) {
        const { step, workflowId } = yield* WorkflowContext.current
        yield* Effect.logInfo(`Processing input: ${userInput}`).pipe(Effect.provide(layer))
        yield* Step.run("log", Effect.logInfo("in a step").pipe(Effect.provide(layer)))
        return { workflowId, stepId: step?.stepId, input: userInput }
      }))
      const { use } = yield* given.engine(ContextualLive)
      // There is a step id in a step only; it counts the calls from 0.
      assert.deepStrictEqual(yield* use(Contextual.execute({ userInput: "x" }, { workflowId: "w" })), {
        workflowId: "w",
        stepId: undefined,
        input: "x"
      })
      assert.deepStrictEqual(heard.map(({ message }) => message), ["Processing input: x", "in a step"])
      const [body, step] = heard.map(({ annotations }) => annotations)
      assert.include(Object.values(body!), "w")
      assert.includeMembers(Object.values(step!), ["w", "log", 0])
    })
  )

  claim(
    "Child Workflows",
    Effect.fnUntraced(function*(given) {
      const Child = Workflow.make("Child", { payload: { itemId: Schema.String }, success: Schema.String })
      const Parent = Workflow.make("Parent", {
        payload: { itemIds: Schema.Array(Schema.String) },
        success: Schema.Array(Schema.String)
      })
      const ParentLive = Parent.toLayer(Effect.fn(function*({ itemIds }) {
        // Waits for it.
        const result1 = yield* Child.execute({ itemId: itemIds[0]! })
        // Does not.
        const handle = yield* Child.start({ itemId: itemIds[1]! })
        yield* Step.run("other work", Effect.void)
        const result2 = yield* handle.result
        return [result1, result2]
      }))
      const { use } = yield* given.engine([
        Child.toLayer(({ itemId }) => Effect.succeed(`Processed ${itemId}`)),
        ParentLive
      ])
      assert.deepStrictEqual(yield* use(Parent.execute({ itemIds: ["a", "b"] }, { workflowId: "parent" })), [
        "Processed a",
        "Processed b"
      ])
      const children = (yield* use(Client.list({ parentId: "parent", order: "asc" }))).workflows
      const started = (yield* use(Client.steps("parent"))).filter(({ kind }) => kind === "child")
      assert.deepStrictEqual(children.map(({ workflowId }) => workflowId), started.map(({ childId }) => childId!))
      // Both kinds: the parent's id, and the id of the step that started it.
      assert.deepStrictEqual(
        children.map(({ workflowId }) => workflowId),
        started.map(({ stepId }) => `parent-${stepId}`)
      )
    })
  )

  claim(
    "Setting Workflow IDs",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const { use } = yield* given.engine(
        ProcessOrder.toLayer(({ orderId }) =>
          Step.run("process", log.effect(`ran ${orderId}`, `Processed order ${orderId}`))
        )
      )
      const order = { orderId: "123", customerEmail: "ada@example.com" }
      const process = ProcessOrder.execute(order).pipe(Effect.provide(WorkflowId.layer(`order-${order.orderId}`)))
      assert.strictEqual(yield* use(process), "Processed order 123")
      assert.strictEqual(yield* use(process), "Processed order 123")
      assert.deepStrictEqual(log.entries, ["ran 123"])
    })
  )

  claim(
    "Workflow Recovery",
    Effect.fnUntraced(function*(given) {
      const { orders, saveOrder } = yield* shop(given)
      const log = new Log()
      const Resilient = Workflow.make("Resilient", { payload: { inputData: Schema.String }, success: Schema.String })
      let broken = true
      const ResilientLive = Resilient.toLayer(Effect.fn(function*({ inputData }) {
        yield* saveOrder("order-1", "customer-1", 100)
        const response = yield* Step.run("risky external call", log.effect("called", `answer to ${inputData}`))
        const final = broken ? Effect.never : log.effect("processed", `${response}, processed`)
        return yield* Step.run("process result", final)
      }))
      const first = yield* given.engine(ResilientLive)
      const handle = yield* first.use(Resilient.start({ inputData: "x" }, { workflowId: "w" }))
      yield* first.use(recorded("w", 2))
      yield* first.close

      broken = false
      const second = yield* given.engine(ResilientLive)
      assert.strictEqual(yield* second.use(handle.result), "answer to x, processed")
      assert.deepStrictEqual(log.entries, ["called", "processed"])
      assert.lengthOf(yield* orders, 1)
    })
  )

  claim(
    "Workflow Handles",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(
        ProcessOrder.toLayer(({ orderId }) => Effect.succeed(`Processed order ${orderId}`))
      )
      const handle = yield* use(ProcessOrder.start({ orderId: "order-456", customerEmail: "customer@example.com" }))
      const { workflowId } = handle
      assert.include(["PENDING", "SUCCESS"], yield* use(handle.status))
      assert.strictEqual(yield* use(handle.result), "Processed order order-456")
      assert.strictEqual(yield* use(ProcessOrder.handle(workflowId).status), "SUCCESS")
    })
  )

  claim(
    "Async Workflows",
    Effect.fnUntraced(function*(given) {
      const Child = Workflow.make("Child", { payload: { itemId: Schema.String }, success: Schema.String })
      const Async = Workflow.make("Async", { payload: { data: Schema.String }, success: Schema.String })
      // Every workflow and every step is asynchronous.
      const asyncStep = (input: string) =>
        Step.run(
          "async step",
          Effect.promise(() => new Promise<string>((resolve) => setTimeout(() => resolve(`Processed: ${input}`), 1)))
        )
      const { use } = yield* given.engine([
        Child.toLayer(({ itemId }) => Effect.succeed(`Processed ${itemId}`)),
        Async.toLayer(Effect.fn(function*({ data }) {
          const result1 = yield* asyncStep(data)
          const handle = yield* Child.start({ itemId: result1 })
          return yield* handle.result
        }))
      ])
      assert.strictEqual(yield* use(Async.execute({ data: "test" })), "Processed Processed: test")
    })
  )

  claim(
    "Complete Example",
    Effect.fnUntraced(function*(given) {
      const { createOrderRecord, orderItems, orders } = yield* shop(given)
      const { heard, layer } = hearing()
      const log = new Log()
      class InsufficientInventory extends Schema.TaggedError<InsufficientInventory>()("InsufficientInventory", {}) {}

      const validateInventory = (items: ReadonlyArray<Item>) =>
        Step.run("validate inventory", Effect.sync(() => items.every(({ quantity }) => quantity <= 10)))
      const calculateOrderTotal = (items: ReadonlyArray<Item>) =>
        Step.run(
          "calculate order total",
          Effect.sync(() => {
            const subtotal = items.reduce((sum, item) => sum + item.price * item.quantity, 0)
            return subtotal + subtotal * 0.08 + (subtotal < 50 ? 10 : 0)
          })
        )
      const chargePayment = (customerId: string, amount: number) =>
        Step.run("charge payment", log.effect(`charged ${customerId} ${amount}`, "tx_1"))
      const sendOrderConfirmation = (email: string, orderId: string, total: number) =>
        Step.run("send order confirmation", log.add(`to ${email}: order ${orderId}, $${total.toFixed(2)}`))

      const ProcessCustomerOrder = Workflow.make("ProcessCustomerOrder", {
        payload: {
          orderId: Schema.String,
          customerId: Schema.String,
          customerEmail: Schema.String,
          items: Schema.Array(Item)
        },
        success: Schema.Struct({
          orderId: Schema.String,
          databaseId: Schema.Number,
          transactionId: Schema.String,
          total: Schema.Number,
          status: Schema.Literal("completed")
        }),
        error: InsufficientInventory
      })
      const ProcessCustomerOrderLive = ProcessCustomerOrder.toLayer(
        Effect.fn(function*({ customerEmail, customerId, items, orderId }) {
          yield* Effect.logInfo(`Starting order processing for ${orderId}`)
          if (!(yield* validateInventory(items))) return yield* new InsufficientInventory()
          const total = yield* calculateOrderTotal(items)
          const databaseId = yield* createOrderRecord(orderId, customerId, total, items)
          const transactionId = yield* chargePayment(customerId, total)
          yield* sendOrderConfirmation(customerEmail, orderId, total)
          yield* Effect.logInfo(`Order ${orderId} completed successfully`)
          return { orderId, databaseId, transactionId, total, status: "completed" as const }
        }, Effect.provide(layer))
      )
      const { use } = yield* given.engine(ProcessCustomerOrderLive)
      const order = { orderId: "42", customerId: "ada", customerEmail: "ada@example.com", items }
      assert.deepStrictEqual(yield* use(ProcessCustomerOrder.execute(order, { workflowId: "order-42" })), {
        orderId: "42",
        databaseId: 1,
        transactionId: "tx_1",
        total: 81,
        status: "completed"
      })
      assert.deepStrictEqual(log.entries, ["charged ada 81", "to ada@example.com: order 42, $81.00"])
      assert.deepStrictEqual(yield* orders, [{ order_id: "42", total: 81 }])
      assert.lengthOf(yield* orderItems, 2)
      assert.deepStrictEqual(heard.map(({ message }) => message), [
        "Starting order processing for 42",
        "Order 42 completed successfully"
      ])
      assert.deepStrictEqual(yield* use(stepsOf("order-42")), [
        "0 step validate inventory",
        "1 step calculate order total",
        "2 transaction create order record",
        "3 step charge payment",
        "4 step send order confirmation"
      ])
      const greedy = { ...order, orderId: "43", items: [{ ...items[0]!, quantity: 11 }] }
      assert.instanceOf(yield* Effect.flip(use(ProcessCustomerOrder.execute(greedy))), InsufficientInventory)
    })
  )

  claim(
    "steps are retried where the step says so, and transient failures without being asked",
    Effect.fnUntraced(function*(given) {
      const retry = { maxAttempts: 3, interval: "1 milli" } as const
      const tried = new Map<string, number>()
      const flaky = (name: string, error: unknown, options: { readonly retry?: typeof retry }) =>
        Effect.result(Step.run(
          name,
          Effect.suspend(() => {
            const attempts = (tried.get(name) ?? 0) + 1
            tried.set(name, attempts)
            return attempts < 2 ? Effect.fail(error) : Effect.succeed(attempts)
          }),
          options
        ))
      const Retrying = Workflow.make("Retrying", { success: Schema.Array(Schema.String) })
      const RetryingLive = Retrying.toLayer(() =>
        Effect.map(
          Effect.all([
            flaky("final", new Error("no"), {}),
            flaky("asked", new Error("no"), { retry }),
            flaky("transient", Object.assign(new Error("busy"), { isRetryable: true }), {})
          ]),
          (results) => results.map(({ _tag }) => _tag)
        )
      )
      const { use } = yield* given.engine(RetryingLive)
      assert.deepStrictEqual(yield* use(Retrying.execute()), ["Failure", "Success", "Success"])
    })
  )
})
