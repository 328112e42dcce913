/** What happens in the demo, without its display: the test asserts on the same. */
import { Effect } from "effect"
import { Client } from "perdure"
import { type Order, ProcessOrder } from "../Order.ts"
import { World } from "./World.ts"

const orderOf = (orderId: string, email: string, sku: string, quantity: number, priceCents: number): Order => ({
  orderId,
  customerId: "ada",
  email,
  items: [{ sku, quantity, priceCents }]
})

/** Its mail is delivered but not answered: there the application is killed. */
export const killedOrder = orderOf("order-1", "ada@example.org", "keyboard", 2, 3900)
/** Its mail is refused, after it was paid. */
export const refusedOrder = orderOf("order-2", "ada@nowhere.example", "mouse", 1, 1900)
/** More than the card can pay. */
export const declinedOrder = orderOf("order-3", "ada@example.org", "keyboard", 3, 99_000)
/** More than there are. */
export const soldOutOrder = orderOf("order-4", "ada@example.org", "unicorn", 2, 500)

/** Orders, kills the application while it sends the mail, starts it again, and returns the receipt. */
export const killAndRestart = Effect.gen(function*() {
  const world = yield* World
  const first = yield* world.startApplication(killedOrder)
  yield* first.awaitStep("send confirmation")
  yield* world.awaitRequest("mail", killedOrder.orderId)
  yield* first.kill
  world.observer?.recorded((yield* Client.steps(killedOrder.orderId)).map((step) => step.name))
  // Nobody orders again: what was begun goes on by itself.
  yield* world.startApplication()
  return yield* ProcessOrder.handle(killedOrder.orderId).result
})

/** Orders what cannot end well, and returns the error. */
export const orderInVain = (order: Order) => Effect.flip(ProcessOrder.execute(order, { workflowId: order.orderId }))

/** A durable operation of a workflow: how often it really ran, and in which life of the application. */
export interface Account {
  readonly stepId: number
  readonly kind: string
  readonly name: string
  readonly outcome: string
  readonly value: unknown
  readonly lives: ReadonlyArray<number>
}

/** The records of a workflow, beside what really ran. */
export const accountOf = Effect.fnUntraced(function*(workflowId: string) {
  const world = yield* World
  const steps = yield* Client.steps(workflowId)
  return steps.map(({ kind, name, outcome, stepId, value }): Account => ({
    stepId,
    kind,
    name,
    outcome: outcome ?? "unfinished",
    value,
    lives: world.ran.filter((ran) => ran.workflowId === workflowId && ran.step === name).map((ran) => ran.life)
  }))
})
