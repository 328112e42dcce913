/**
 * The workflows that are crashed at every durable write. Between them they use everything that writes: steps, a
 * transaction, a sleep that suspends, a child, a retried step, branches, rollbacks, a failure and a cancel.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { Step, StepStatus, Transaction, Workflow, WorkflowContext } from "perdure"
import { did, hold } from "./World.ts"

export class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}

export const Child = Workflow.make("Child", { payload: { n: Schema.Number }, success: Schema.Number })

const ChildLive = Child.toLayer(Effect.fnUntraced(function*({ n }) {
  return yield* Step.run("double", Effect.as(did("double"), n * 2))
}))

/** A step with a rollback, both with a side effect. */
const undoable = (name: string) =>
  Step.run(name, Effect.as(did(name), `${name} done`), {
    rollback: (result) => result === `${name} done` ? did(`rollback ${name}`) : Effect.die(result)
  })

/** The application's row of this workflow, without any constraint that would hide a second one. */
const save = Transaction.run(
  "save",
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const { workflowId } = yield* WorkflowContext.current
    yield* did("save")
    yield* sql`INSERT INTO ledger (workflow_id, amount) VALUES (${workflowId ?? ""}, 7)`
    return "saved"
  })
)

const flaky = Step.run(
  "flaky",
  Effect.gen(function*() {
    const attempt = (yield* StepStatus.current)?.currentAttempt ?? -1
    yield* did(`flaky, attempt ${attempt}`)
    return attempt < 2 ? yield* new Refused({ why: `attempt ${attempt}` }) : `attempt ${attempt}`
  }),
  { error: Refused, retry: { maxAttempts: 3, interval: "20 millis", factor: 1, while: () => true } }
)

/** Ends well. */
export const Succeeding = Workflow.make("Succeeding", { success: Schema.String, maxRecoveryAttempts: 1000 })

const SucceedingLive = Succeeding.toLayer(() =>
  Effect.gen(function*() {
    const id = yield* Workflow.randomUUID()
    const reserved = yield* undoable("reserve")
    const saved = yield* save
    // Longer than the engine's `suspendAfter`: the workflow leaves memory.
    yield* Effect.sleep("400 millis")
    const doubled = yield* Child.execute({ n: 21 })
    const tried = yield* Effect.orDie(flaky)
    const branches = yield* Workflow.forEach(
      [1, 2, 3],
      (n) => Step.run(`square ${n}`, Effect.as(did(`square ${n}`), n * n)),
      { concurrency: 3 }
    )
    const sameId = yield* Step.run("use id", Effect.as(did("use id"), id))
    return [reserved, saved, doubled, tried, branches, id === sameId].join(", ")
  })
)

/** Ends in a typed failure; its rollbacks run. */
export const Failing = Workflow.make("Failing", { error: Refused, maxRecoveryAttempts: 1000 })

const FailingLive = Failing.toLayer(() =>
  Effect.gen(function*() {
    yield* undoable("reserve")
    yield* save
    yield* Workflow.forEach(["charge", "notify"], undoable, { concurrency: 2 })
    yield* Effect.flatMap(undoable("pack"), () => new Refused({ why: "no stamps" }))
  }).pipe(Effect.catchTag("StepFailed", Effect.die))
)

/** Is cancelled in the middle, with a child under way; its rollbacks run. */
export const Holding = Workflow.make("Holding", { maxRecoveryAttempts: 1000 })
export const HoldingChild = Workflow.make("HoldingChild", { maxRecoveryAttempts: 1000 })

const HoldingLive = Holding.toLayer(() =>
  Effect.gen(function*() {
    yield* undoable("reserve")
    yield* save
    yield* undoable("charge")
    yield* HoldingChild.execute()
    yield* Step.run("never", did("after the cancel"))
  })
)

const HoldingChildLive = HoldingChild.toLayer(() =>
  Effect.andThen(undoable("child's step"), Step.run("hold", hold("hold")))
)

/** Has two lives, each with a step and a transaction of the same names. */
export const Continuing = Workflow.make("Continuing", {
  payload: Schema.UndefinedOr(Schema.Literal("second")),
  success: Schema.String,
  maxRecoveryAttempts: 1000
})

const ContinuingLive = Continuing.toLayer(Effect.fnUntraced(function*(life) {
  const step = yield* Step.run("step", Effect.as(did(`${life ?? "first"} step`), "done"))
  const saved = yield* save
  if (life === undefined) return yield* Continuing.continueAsNew("second")
  return `${life}, ${step}, ${saved}`
}))

export const live = Layer.mergeAll(
  ContinuingLive,
  ChildLive,
  SucceedingLive,
  FailingLive,
  HoldingLive,
  HoldingChildLive
)

export const variants = { Succeeding, Failing, Holding, Continuing }
export type Variant = keyof typeof variants
