/** What compiles, what must not, and what is inferred. Nothing here runs: the compiler is the test. */
import { describe, expectTypeOf, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { SqlClient } from "effect/sql/SqlClient"
import type * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import type { Engine } from "perdure/Engine"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import type { StepFailed } from "perdure/StepFailed"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import type { InWorkflow } from "perdure/WorkflowContext"
import type { WorkflowError } from "perdure/WorkflowError"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import type { WorkflowHandle } from "perdure/WorkflowHandle"
import * as WorkflowSchedule from "perdure/WorkflowSchedule"
import * as WorkflowStream from "perdure/WorkflowStream"

class Declared extends Schema.TaggedError<Declared>()("Declared", { n: Schema.Number }) {}
class Undeclared extends Schema.TaggedError<Undeclared>()("Undeclared", {}) {}
class Tool extends Context.Service<Tool, { readonly use: Effect.Effect<number> }>()("types/Tool") {}

const Order = Workflow.make("Order", {
  payload: { id: Schema.String, at: Schema.Date },
  success: Schema.Struct({ total: Schema.Number }),
  error: Declared
})
const Empty = Workflow.make("Empty")
const total = Effect.succeed({ total: 1 })

class Shop extends Context.Service<Shop, {
  readonly charge: (amount: number) => Effect.Effect<{ readonly id: string }, Declared>
  readonly today: Effect.Effect<Date>
  readonly label: (amount: number) => string
}>()("types/Shop") {}

class ShopSteps extends Step.Service<ShopSteps>()("types/ShopSteps", Shop, {
  charge: { error: Declared },
  today: { success: Schema.Date },
  label: "plain"
}) {}

class Approval extends Message.make("approval", { payload: { by: Schema.String, at: Schema.Date } }) {}
const Go = Message.make("go")
class Progress extends WorkflowEvent.make("progress", { value: Schema.Date }) {}
const Ready = WorkflowEvent.make("ready")
class Words extends WorkflowStream.make("words", { value: Schema.Date }) {}

interface Approved {
  readonly by: string
  readonly at: Date
}

/** Type-checked, never called. */
const compiles = (_: () => unknown): void => {}

describe("types", () => {
  it("of executing, starting and handles", () => {
    compiles(() => {
      const payload = { id: "1", at: new Date() }
      expectTypeOf(Order.execute(payload)).toEqualTypeOf<
        Effect.Effect<{ readonly total: number }, Declared | WorkflowError, Engine>
      >()
      expectTypeOf(Order.start(payload)).toEqualTypeOf<
        Effect.Effect<WorkflowHandle<{ readonly total: number }, Declared>, WorkflowError, Engine>
      >()
      expectTypeOf(Order.handle("x").result).toEqualTypeOf<
        Effect.Effect<{ readonly total: number }, Declared | WorkflowError, Engine>
      >()
      expectTypeOf(Empty.execute()).toEqualTypeOf<Effect.Effect<void, WorkflowError, Engine>>()
      expectTypeOf(Order.name).toEqualTypeOf<"Order">()
      expectTypeOf(Client.waitFirst(["a"])).toEqualTypeOf<Effect.Effect<string, WorkflowError, Engine>>()
      Empty.execute(undefined, { workflowId: "x" })
    })
  })

  it("refuse a payload that does not fit", () => {
    compiles(() => {
      // @ts-expect-error the payload is missing
      Order.execute()
      // @ts-expect-error a field is missing
      Order.execute({ id: "1" })
      // @ts-expect-error a field has another type
      Order.start({ id: 1, at: new Date() })
      // @ts-expect-error there is no such option
      Order.execute({ id: "1", at: new Date() }, { workflowID: "x" })
      // @ts-expect-error it takes no payload
      Empty.execute({ id: "1" })
    })
  })

  it("of bodies: what they may fail with, return and need", () => {
    compiles(() => {
      expectTypeOf(Order.toLayer(() => total)).toEqualTypeOf<Layer.Layer<never, WorkflowError, Engine>>()
      expectTypeOf(Order.toLayer(({ id }) => Effect.as(Tool, { total: id.length }))).toEqualTypeOf<
        Layer.Layer<never, WorkflowError, Engine | Tool>
      >()
      Order.toLayer(() => Effect.andThen(Step.run("s", Effect.fail(new Undeclared())), total))
      Order.toLayer(() => Effect.andThen(Empty.execute(), total))
      Order.toLayer(() => Effect.fail(new Declared({ n: 1 })))
      // @ts-expect-error an error that is not declared
      Order.toLayer(() => Effect.fail(new Undeclared()))
      // @ts-expect-error an error that is not declared, through a step's schema
      Order.toLayer(() => Effect.andThen(Step.run("s", Effect.fail(new Undeclared()), { error: Undeclared }), total))
      // @ts-expect-error another result
      Order.toLayer(() => Effect.succeed({ total: "1" }))
      // @ts-expect-error a field that the payload does not have
      Order.toLayer(({ nothing }) => Effect.as(total, nothing))
    })
  })

  it("of steps", () => {
    compiles(() => {
      expectTypeOf(Step.run("s", Effect.succeed(1))).toEqualTypeOf<Effect.Effect<number, StepFailed>>()
      expectTypeOf(Effect.succeed(1).pipe(Step.run("s"))).toEqualTypeOf<Effect.Effect<number, StepFailed>>()
      expectTypeOf(Step.run("s", Effect.fail(new Undeclared()))).toEqualTypeOf<Effect.Effect<never, StepFailed>>()
      expectTypeOf(Step.run("s", Effect.fail(new Declared({ n: 1 })), { error: Declared })).toEqualTypeOf<
        Effect.Effect<never, Declared | StepFailed>
      >()
      expectTypeOf(Step.run("s", Effect.sync(() => new Date()), { success: Schema.Date })).toEqualTypeOf<
        Effect.Effect<Date, StepFailed>
      >()
      expectTypeOf(Step.run("s", Effect.as(Tool, 1))).toEqualTypeOf<Effect.Effect<number, StepFailed, Tool>>()
      expectTypeOf(Step.run("s", Effect.succeed("r"), { rollback: (r) => Effect.as(Tool, r.length) })).toEqualTypeOf<
        Effect.Effect<string, StepFailed, Tool>
      >()
      expectTypeOf(Transaction.run("t", Effect.succeed(1))).toEqualTypeOf<
        Effect.Effect<number, StepFailed | WorkflowError, SqlClient>
      >()
    })
  })

  it("of steps written inline in a combinator keep their services and errors", () => {
    compiles(() => {
      expectTypeOf(Effect.all([Step.run("a", Effect.void), Step.run("b", Effect.void)])).toEqualTypeOf<
        Effect.Effect<[void, void], StepFailed>
      >()
      expectTypeOf(Effect.all([Step.run("a", Effect.as(Tool, 1)), Step.run("b", Effect.void)])).not.toBeAny()
      expectTypeOf<Effect.Services<ReturnType<typeof inline>>>().toEqualTypeOf<Tool>()
      expectTypeOf<Effect.Services<ReturnType<typeof branches>>>().toEqualTypeOf<never>()
      expectTypeOf<Effect.Error<ReturnType<typeof transactions>>>().toEqualTypeOf<StepFailed | WorkflowError>()
    })
  })

  it("refuse a result that cannot be stored without a schema", () => {
    compiles(() => {
      // @ts-expect-error a Date
      Step.run("s", Effect.sync(() => new Date()))
      // @ts-expect-error a Date within
      Step.run("s", Effect.succeed({ items: [{ at: new Date() }] }))
      // @ts-expect-error an Option
      Step.run("s", Effect.succeed(Option.some(1)))
      // @ts-expect-error a bigint
      Step.run("s", Effect.succeed(1n))
      // @ts-expect-error a function
      Step.run("s", Effect.succeed(() => 1))
      // @ts-expect-error an Effect
      Step.run("s", Effect.succeed(Effect.void))
      // @ts-expect-error unknown
      Step.run("s", Effect.succeed<unknown>(1))
      // @ts-expect-error any
      Step.run("s", Effect.succeed<any>(1))
      // @ts-expect-error a Map, data-last
      Effect.succeed(new Map<string, string>()).pipe(Step.run("s"))
      // @ts-expect-error a Date in a transaction
      Transaction.run("t", Effect.sync(() => new Date()))
      // @ts-expect-error the schema is of another type
      Step.run("s", Effect.succeed("text"), { success: Schema.Number })
    })
  })

  it("of schedules and forks", () => {
    compiles(() => {
      const payload = { id: "1", at: new Date() }
      WorkflowSchedule.make("s", { workflow: Order, payload, cron: "* * * * *" })
      WorkflowSchedule.make("s", { workflow: Order, payload, interval: "1 hour", missed: { all: 3 } })
      WorkflowSchedule.make("s", { workflow: Empty, interval: "1 hour" })
      WorkflowSchedule.make("s", { workflow: "ByName", payload: { any: ["json"] }, interval: "1 hour" })
      Client.schedules.create("s", { workflow: Order, payload, cron: "* * * * *", overlap: "skip" })
      // @ts-expect-error no payload
      WorkflowSchedule.make("s", { workflow: Order, cron: "* * * * *" })
      // @ts-expect-error another payload
      WorkflowSchedule.make("s", { workflow: Order, payload: { id: 1 }, cron: "* * * * *" })
      // @ts-expect-error a payload where there is none
      WorkflowSchedule.make("s", { workflow: Empty, payload: 1, cron: "* * * * *" })
      // @ts-expect-error two rules
      WorkflowSchedule.make("s", { workflow: Empty, cron: "* * * * *", interval: "1 hour" })
      // @ts-expect-error no rule
      WorkflowSchedule.make("s", { workflow: Empty })
      // @ts-expect-error a zone of an interval
      WorkflowSchedule.make("s", { workflow: Empty, interval: "1 hour", timeZone: "UTC" })
      expectTypeOf(Client.fork(Order, "w", { payload })).toEqualTypeOf<
        Effect.Effect<WorkflowHandle<{ readonly total: number }, Declared>, WorkflowError, Engine>
      >()
      expectTypeOf(Client.fork("w", { payload: { any: 1 } })).toEqualTypeOf<
        Effect.Effect<string, WorkflowError, Engine>
      >()
      // @ts-expect-error another payload
      Client.fork(Order, "w", { payload: { id: 1 } })
    })
  })

  it("of Step.Service", () => {
    compiles(() => {
      expectTypeOf(ShopSteps.layer).toEqualTypeOf<Layer.Layer<ShopSteps, never, Shop>>()
      Effect.flatMap(ShopSteps, (steps) => {
        expectTypeOf(steps.charge(1)).toEqualTypeOf<Effect.Effect<{ readonly id: string }, Declared | StepFailed>>()
        expectTypeOf(steps.today).toEqualTypeOf<Effect.Effect<Date, StepFailed>>()
        expectTypeOf(steps.label(1)).toEqualTypeOf<string>()
        return Effect.void
      })
      // The durable layer is asked for: forgetting it does not compile where a program must need nothing.
      const body = Order.toLayer(() => Effect.as(ShopSteps, { total: 1 }))
      expectTypeOf(body).toEqualTypeOf<Layer.Layer<never, WorkflowError, Engine | ShopSteps>>()
      // @ts-expect-error a member that is no effect
      Step.Service<never>()("x", Shop, { label: {} })
      // @ts-expect-error a result without a schema that needs one
      Step.Service<never>()("x", Shop, { today: {} })
      // @ts-expect-error no such member
      Step.Service<never>()("x", Shop, { refund: {} })
    })
  })

  it("of messages", () => {
    compiles(() => {
      const value = { by: "ada", at: new Date() }
      expectTypeOf(Approval.topic).toEqualTypeOf<"approval">()
      expectTypeOf(Approval.send("w", value)).toEqualTypeOf<Effect.Effect<void, WorkflowError, Engine>>()
      expectTypeOf(Approval.sendMany([{ workflowId: "w", value, idempotencyKey: "k" }])).toEqualTypeOf<
        Effect.Effect<void, WorkflowError, Engine>
      >()
      expectTypeOf(Approval.receive()).toEqualTypeOf<Effect.Effect<Approved, WorkflowError, InWorkflow>>()
      expectTypeOf(Approval.receive({ key: "k" })).toEqualTypeOf<Effect.Effect<Approved, WorkflowError, InWorkflow>>()
      expectTypeOf(Approval.receive({ timeout: "1 hour" })).toEqualTypeOf<
        Effect.Effect<Option.Option<Approved>, WorkflowError, InWorkflow>
      >()
      expectTypeOf(Go.receive()).toEqualTypeOf<Effect.Effect<void, WorkflowError, InWorkflow>>()
      Go.send("w")
      Go.sendMany([{ workflowId: "w" }])
      // @ts-expect-error the payload is missing
      Approval.send("w")
      // @ts-expect-error a field has another type
      Approval.send("w", { by: "ada", at: "today" })
      // @ts-expect-error the payload is missing
      Approval.sendMany([{ workflowId: "w" }])
      // @ts-expect-error there is no such option
      Approval.receive({ timeouts: "1 hour" })
      // @ts-expect-error it has no payload
      Go.send("w", 1)
    })
  })

  it("of events and streams", () => {
    compiles(() => {
      expectTypeOf(Progress.key).toEqualTypeOf<"progress">()
      expectTypeOf(Progress.set(new Date())).toEqualTypeOf<Effect.Effect<void, WorkflowError, InWorkflow>>()
      expectTypeOf(Progress.get("w")).toEqualTypeOf<Effect.Effect<Date, WorkflowError, Engine>>()
      expectTypeOf(Progress.get("w", { timeout: 1 })).toEqualTypeOf<
        Effect.Effect<Option.Option<Date>, WorkflowError, Engine>
      >()
      expectTypeOf(Words.write(new Date())).toEqualTypeOf<Effect.Effect<void, WorkflowError, InWorkflow>>()
      expectTypeOf(Words.close).toEqualTypeOf<Effect.Effect<void, WorkflowError, InWorkflow>>()
      expectTypeOf(Words.read("w", { from: 3 })).toEqualTypeOf<Stream.Stream<Date, WorkflowError, Engine>>()
      expectTypeOf(Words.readEntries("w")).toEqualTypeOf<
        Stream.Stream<WorkflowStream.Entry<Date>, WorkflowError, Engine>
      >()
      Ready.set()
      // @ts-expect-error the value is missing
      Progress.set()
      // @ts-expect-error another type
      Words.write("word")
    })
  })

  it("let what belongs in a workflow nowhere else", () => {
    compiles(() => {
      const all = Effect.all([Approval.receive(), Progress.set(new Date()), Words.write(new Date()), Words.close])
      expectTypeOf(Empty.toLayer(() => Effect.asVoid(all))).toEqualTypeOf<Layer.Layer<never, WorkflowError, Engine>>()
      expectTypeOf(Empty.toLayer(() => Effect.asVoid(Step.run("set", Effect.orDie(Progress.set(new Date()))))))
        .toEqualTypeOf<
          Layer.Layer<never, WorkflowError, Engine>
        >()
      const outside = (effect: Effect.Effect<unknown, unknown, Engine>) => effect
      outside(Approval.send("w", { by: "ada", at: new Date() }))
      outside(Progress.get("w"))
      // @ts-expect-error only in a workflow
      outside(Approval.receive())
      // @ts-expect-error only in a workflow
      outside(Progress.set(new Date()))
      // @ts-expect-error only in a workflow
      outside(Words.write(new Date()))
      // @ts-expect-error only in a workflow
      outside(Words.close)
    })
  })

  it("of select: what was first, by its label", () => {
    compiles(() => {
      const first = Workflow.select({ approved: Approval.receive(), late: Effect.sleep("1 day"), tool: Tool })
      expectTypeOf<Effect.Error<typeof first>>().toEqualTypeOf<WorkflowError>()
      expectTypeOf<Effect.Services<typeof first>>().toEqualTypeOf<InWorkflow | Tool>()
      Effect.map(first, (one) => {
        if (one._tag === "approved") expectTypeOf(one.value).toEqualTypeOf<Approved>()
        // @ts-expect-error there is no such label
        return one._tag === "withdrawn"
      })
    })
  })
})

const inline = () => Effect.all([Step.run("a", Effect.as(Tool, 1)), Step.run("b", Effect.void)])
const branches = () => Workflow.all({ a: Step.run("a", Effect.void), b: Workflow.race([Step.run("b", Effect.void)]) })
const transactions = () => Effect.all([Transaction.run("t", Effect.void)])
