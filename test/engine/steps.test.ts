/** Steps: attempts, retries, timeouts, services, and what undoes them. */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import * as StepStatus from "perdure/StepStatus"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import { onBothStores } from "./harness.ts"
import { eventually, failureOf, Log, reaches, reasonOf, recorded, stepsOf, suspends } from "./observing.ts"
import { twice, twiceWell } from "./twice.ts"

const day = 86_400_000
const Subject = Workflow.make("Subject", { success: Schema.Unknown })

class Busy extends Schema.TaggedError<Busy>()("Busy", { n: Schema.Number }) {
  get isRetryable(): boolean {
    return true
  }
}
class Final extends Schema.TaggedError<Final>()("Final", { n: Schema.Number }) {}

class Prices extends Context.Service<Prices, {
  readonly of: (item: string) => Effect.Effect<number, Final>
  readonly today: Effect.Effect<Date>
  readonly currency: () => string
}>()("steps/Prices") {}

class PriceSteps extends Step.Service<PriceSteps>()("steps/PriceSteps", Prices, {
  of: { error: Final, name: "price of" },
  today: { success: Schema.Date },
  currency: "plain"
}) {}

onBothStores("attempts", (claim) => {
  const quick = { interval: "1 milli" } as const

  claim(
    "are made, all of them, when the waits between them come to fractions of a millisecond",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const failing = Step.run("failing", Effect.andThen(log.add("failing"), Effect.fail("no")), {
        retry: { ...quick, factor: 1.3, maxAttempts: 7, while: () => true }
      })
      const engine = yield* given.engine(Subject.toLayer(() => failing))
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      yield* engine.use(reaches("w", "ERROR"))
      const [step] = yield* engine.use(Client.steps("w"))
      assert.deepStrictEqual([log.count("failing"), step!.attempts, step!.failedAttempts.length], [7, 7, 6])
    })
  )

  claim(
    "a transient error gets three attempts by default, another error one",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const body = Effect.gen(function*() {
        const busy = yield* Effect.flip(
          Step.run("busy", Effect.andThen(log.add("busy"), Effect.fail(new Busy({ n: 1 }))), { error: Busy })
        )
        const final = yield* Effect.flip(
          Step.run("final", Effect.andThen(log.add("final"), Effect.fail(new Final({ n: 2 }))), { error: Final })
        )
        const dead = yield* Effect.exit(
          Step.run("dead", Effect.andThen(log.add("dead"), Effect.die(new Busy({ n: 3 }))))
        )
        return [busy._tag, final._tag, dead._tag]
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, ["Busy", "Final", "Failure"])
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(log.entries, ["busy", "busy", "busy", "final", "dead"])
    })
  )

  claim(
    "a retry policy decides how often and for which errors",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const failing = (name: string, n: (times: number) => number) =>
        Effect.flatMap(log.add(name), () => Effect.fail(new Final({ n: n(log.count(name)) })))
      const well = Effect.suspend(() =>
        Effect.flatMap(log.add("well"), () => log.count("well") < 3 ? Effect.fail("no") : Effect.succeed("well"))
      )
      const body = Effect.gen(function*() {
        const five = yield* Effect.flip(
          Step.run("five", failing("five", (n) => n), { retry: { ...quick, maxAttempts: 5 } })
        )
        const answer = yield* Effect.flip(
          Step.run("answer", failing("answer", (n) => n), { error: Final, retry: quick })
        )
        const two = yield* Effect.flip(
          Step.run("two", failing("two", (n) => n), {
            error: Final,
            retry: { ...quick, maxAttempts: 9, while: (error: Final) => error.n < 2 }
          })
        )
        const thrown = yield* Effect.flip(
          Step.run("thrown", failing("thrown", (n) => n), {
            retry: {
              ...quick,
              while: () => {
                throw new Error("in the predicate")
              }
            }
          })
        )
        return [five, answer, two, thrown, yield* Step.run("well", well, { retry: quick })].map((one: any) =>
          one.n ?? one.fields?.n ?? one
        )
      })
      const { live, replayed } = yield* twiceWell(given, body)
      // A declared error is an answer: final, unless `while` says otherwise.
      assert.deepStrictEqual(live, [5, 1, 2, 1, "well"])
      assert.deepStrictEqual(replayed, live)
      const counts = ["five", "answer", "two", "thrown", "well"].map((name) => log.count(name))
      assert.deepStrictEqual(counts, [5, 1, 2, 1, 3])
    })
  )

  claim(
    "failed attempts are recorded: a restart between two gives no fresh budget",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const attempt = Effect.gen(function*() {
        const status = yield* StepStatus.Current
        yield* log.add(`${status?.name} ${status?.stepId}: ${status?.currentAttempt} of ${status?.maxAttempts}`)
        return yield* Effect.fail("no")
      })
      const live = Subject.toLayer(() =>
        Effect.map(
          Effect.flip(Step.run("tries", attempt, { retry: { maxAttempts: 3, interval: "1 day", factor: 1 } })),
          ({ _tag, message }) => [_tag, message]
        )
      )
      for (let n = 0; n < 3; n++) {
        const engine = yield* given.engine(live)
        if (n === 0) yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
        yield* log.has(`tries 0: ${n} of 3`)
        if (n === 2) {
          assert.deepStrictEqual(yield* engine.use(Subject.handle("w").result), ["StepFailed", "no"])
          const [step] = yield* engine.use(Client.steps("w"))
          assert.deepStrictEqual([step?.attempts, step?.failedAttempts.length, step?.outcome], [3, 2, "failure"])
          const [first, second] = step!.failedAttempts
          for (const { at, retryAt } of [first!, second!]) {
            assert.strictEqual(retryAt.getTime() - at.getTime(), 3_600_000)
          }
          // The next is due within an hour at the most. Each restart was recorded where it went on: the step began before the first attempt failed.
          assert.isAtMost(step!.startedAt.getTime(), first!.at.getTime())
          assert.isAtMost(first!.retryAt.getTime(), second!.at.getTime())
          break
        }
        const waiting = yield* engine.use(suspends("w"))
        assert.strictEqual(waiting.waits[0]?.what, "retry of tries")
        const [step] = yield* engine.use(Client.steps("w"))
        assert.deepStrictEqual(
          [step?.name, step?.outcome, step?.failedAttempts.map(({ failure }) => failure.message)],
          [
            "tries",
            undefined,
            Array.from({ length: n + 1 }, () => "no")
          ]
        )
        yield* engine.close
        yield* given.store.adjustClock(day)
      }
      assert.strictEqual(log.entries.length, 3)
    })
  )

  claim(
    "a step that runs again has the same id, though others were recorded meanwhile",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      let held = true
      const step = (name: string, end: Effect.Effect<void>) =>
        Step.run(
          name,
          Effect.flatMap(
            WorkflowContext.current,
            (place) => Effect.andThen(log.add(`${name}: ${place.workflowId}-${place.step?.stepId}`), end)
          )
        )
      const hold = Effect.suspend(() => held ? Effect.never : Effect.void)
      const live = Subject.toLayer(() =>
        Workflow.all([
          step("first", hold),
          Effect.andThen(step("second", Effect.void), step("third", hold)),
          Effect.andThen(step("fourth", Effect.void), step("fifth", Effect.void))
        ], { concurrency: "unbounded" }).pipe(Effect.as("ended"))
      )
      const ids = (names: ReadonlyArray<string>) =>
        names.map((name) => log.entries.filter((entry) => entry.startsWith(name)))
      const one = yield* given.engine(live)
      yield* one.use(Subject.start(undefined, { workflowId: "w" }))
      yield* one.use(recorded("w", 3))
      yield* eventually("all to run", Effect.sync(() => log.entries), (entries) => entries.length === 5)
      yield* one.close
      const before = ids(["first", "third"])
      held = false
      const two = yield* given.engine(live)
      yield* two.use(Subject.handle("w").result)
      const again = (entries: ReadonlyArray<string>) => [...entries, ...entries]
      assert.deepStrictEqual(ids(["first", "third"]), before.map(again))
      assert.strictEqual(new Set(log.entries).size, 5)
      assert.lengthOf(log.entries, 7)
    })
  )

  claim(
    "an attempt that takes longer than its timeout is interrupted, fails, and may be retried",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        const hanging = Effect.onInterrupt(Effect.andThen(log.add("began"), Effect.never), () => log.add("interrupted"))
        const body = Effect.flip(
          Step.run("hangs", hanging, { timeout: "20 millis", retry: { maxAttempts: 2, interval: "1 milli" } })
        )
        const { live, replayed } = yield* twiceWell(given, body)
        assert.deepStrictEqual([live._tag, live.tag, replayed.tag], ["StepFailed", "TimeoutError", "TimeoutError"])
        assert.deepStrictEqual(log.entries, ["began", "interrupted", "began", "interrupted"])
      }
    )
  )

  claim(
    "a step within a step is part of it, one outside a workflow a plain call",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const inner = Step.run("inner", log.effect("inner", 2), { retry: { maxAttempts: 2 } })
      const body = Step.run("outer", Effect.map(inner, (n) => n + 1))
      const { live, replayed, steps } = yield* twiceWell(given, body)
      assert.deepStrictEqual([live, replayed, steps], [3, 3, ["0 step outer"]])
      assert.strictEqual(yield* body, 3)
      assert.deepStrictEqual(log.entries, ["inner", "inner"])
      const failed = yield* Effect.flip(Step.run("plain", Effect.fail(new Error("no"))))
      assert.deepStrictEqual([failed._tag, failed.step, failed.message], ["StepFailed", "plain", "no"])
      assert.instanceOf(
        yield* Effect.flip(Step.run("plain", Effect.fail(new Final({ n: 1 })), { error: Final })),
        Final
      )
    })
  )

  claim(
    "a step may use any concurrency, and fork",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const many = Effect.forEach([1, 2, 3], (n) => Step.run("same", log.effect("same", n)), {
        concurrency: "unbounded"
      })
      const { live, replayed, steps } = yield* twiceWell(given, Step.run("many", many))
      assert.deepStrictEqual([live, replayed, steps, log.entries.length], [[1, 2, 3], [1, 2, 3], ["0 step many"], 3])
    })
  )

  claim(
    "a step that interrupts itself fails, and its workflow goes on",
    Effect.fnUntraced(function*(given) {
      const { live, replayed } = yield* twice(given, Step.run("odd", Effect.interrupt))
      assert.deepStrictEqual([failureOf(live)._tag, failureOf(live).tag], ["StepFailed", "Interrupted"])
      assert.deepStrictEqual(failureOf(replayed).tag, "Interrupted")
    })
  )

  claim(
    "WorkflowContext tells where the code is",
    Effect.fnUntraced(function*(given) {
      const places: Array<WorkflowContext.WorkflowContext> = []
      const look = Effect.flatMap(WorkflowContext.current, (place) => Effect.sync(() => void places.push(place)))
      const live = Subject.toLayer(() => Effect.as(Effect.andThen(look, Step.run("in step", look)), "seen"))
      const engine = yield* given.engine(live, { executorId: "one", version: "v7" })
      yield* engine.use(Subject.execute(undefined, { workflowId: "w", timeout: "1 hour" }))
      yield* look
      const [body, step, outside] = places
      assert.deepStrictEqual(
        [body?.workflowId, body?.workflowName, body?.step, body?.executorId, body?.applicationVersion],
        ["w", "Subject", undefined, "one", "v7"]
      )
      assert.isNumber(body?.deadline)
      assert.deepStrictEqual({ ...step?.step }, { stepId: 0, name: "in step", currentAttempt: 0, maxAttempts: 3 })
      assert.deepStrictEqual([outside?.workflowId, outside?.step, outside?.roles], [undefined, undefined, []])
    })
  )

  for (
    const [argument, options] of [
      ["retry.maxAttempts", { retry: { maxAttempts: 0 } }],
      ["retry.maxAttempts", { retry: { maxAttempts: 1.5 } }],
      ["retry.factor", { retry: { factor: 0.5 } }],
      ["retry.factor", { retry: { factor: Number.NaN } }],
      ["retry.interval", { retry: { interval: "-1 second" as any } }],
      ["step timeout", { timeout: 0 }],
      ["step timeout", { timeout: Infinity }],
      ["key", { key: "" }],
      ["step name", { renamed: "" }]
    ] as const
  ) {
    claim(`a step refuses ${argument} of ${JSON.stringify(options)}`, () =>
      Effect.sync(() => {
        try {
          Step.run("bad", Effect.void, options)
        } catch (error: any) {
          assert.strictEqual(error.reason?._tag, "InvalidArgument")
          return assert.strictEqual(error.reason.argument, argument)
        }
        assert.fail("it was accepted")
      }), "sqlite")
  }
})

onBothStores("Step.Service", (claim) => {
  claim(
    "makes steps of the members of a service",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const prices = Layer.succeed(Prices, {
        of: (item) => item === "none" ? Effect.fail(new Final({ n: 0 })) : log.effect(`of ${item}`, item.length),
        today: log.effect("today", new Date(86_400_000)),
        currency: () => "EUR"
      })
      const body = Effect.gen(function*() {
        const steps = yield* PriceSteps
        const missing = yield* Effect.flip(steps.of("none"))
        return [
          yield* steps.of("pear"),
          yield* steps.of("fig"),
          (yield* steps.today).getTime(),
          steps.currency(),
          missing instanceof Final
        ]
      }).pipe(Effect.provide(PriceSteps.layer), Effect.provide(prices))
      const { live, replayed, steps } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, [4, 3, 86_400_000, "EUR", true])
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(log.entries, ["of pear", "of fig", "today"])
      assert.deepStrictEqual(steps, ["0 step price of", "1 step price of", "2 step price of", "3 step today"])
    })
  )

  claim(
    "its layer given to toLayer serves every workflow of it",
    Effect.fnUntraced(function*(given) {
      const prices = Layer.succeed(Prices, {
        of: (item) => Effect.succeed(item.length),
        today: Effect.sync(() => new Date(0)),
        currency: () => "EUR"
      })
      const live = Subject.toLayer(() => Effect.flatMap(PriceSteps, (steps) => Effect.orDie(steps.of("kiwi")))).pipe(
        Layer.provide(PriceSteps.layer),
        Layer.provide(prices)
      )
      const engine = yield* given.engine(live)
      assert.strictEqual(yield* engine.use(Subject.execute(undefined, { workflowId: "a" })), 4)
      assert.strictEqual(yield* engine.use(Subject.execute(undefined, { workflowId: "b" })), 4)
      assert.deepStrictEqual(yield* engine.use(stepsOf("b")), ["0 step price of"])
    })
  )
})

onBothStores("rollbacks", (claim) => {
  const undoing = (log: Log, name: string) =>
    Step.run(name, log.effect(name, name), { rollback: (result) => log.add(`undo ${result}`) })

  claim(
    "run in reverse order of completion when the body fails, recorded",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Subject.toLayer(() =>
        Effect.gen(function*() {
          yield* undoing(log, "a")
          yield* Workflow.all([
            Step.run("slow", Effect.as(log.has("quick"), "slow"), { rollback: () => log.add("undo slow") }),
            undoing(log, "quick")
          ], { concurrency: "unbounded" })
          yield* Step.run("none", log.add("none"))
          return yield* Effect.die("broken")
        })
      )
      const engine = yield* given.engine(live)
      const reason = yield* reasonOf(engine.use(Subject.execute(undefined, { workflowId: "w" })))
      assert.deepStrictEqual([reason._tag, reason.kind], ["WorkflowFailed", "defect"])
      assert.deepStrictEqual(log.entries.slice(-3), ["undo slow", "undo quick", "undo a"])
      const steps = yield* engine.use(Client.steps("w"))
      assert.deepStrictEqual(steps.filter((step) => step.kind === "rollback").map((step) => step.name), [
        "slow",
        "quick",
        "a"
      ])
    })
  )

  claim(
    "do not run for a body that succeeds, nor for a step that failed",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const body = (ends: Effect.Effect<unknown>) =>
        Effect.gen(function*() {
          yield* undoing(log, "a")
          yield* Effect.ignore(Step.run("fails", Effect.fail("no"), { rollback: () => log.add("undo fails") }))
          return yield* ends
        })
      const Failing = Workflow.make("Failing", { success: Schema.Unknown })
      const engine = yield* given.engine([
        Subject.toLayer(() => body(Effect.succeed("well"))),
        Failing.toLayer(() => body(Effect.die("no")))
      ])
      assert.strictEqual(yield* engine.use(Subject.execute()), "well")
      assert.deepStrictEqual(log.entries, ["a"])
      yield* reasonOf(engine.use(Failing.execute()))
      assert.deepStrictEqual(log.entries, ["a", "a", "undo a"])
    })
  )

  claim(
    "have the services of the place where the step was called",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      class Tool extends Context.Service<Tool, string>()("steps/Tool") {}
      const live = Subject.toLayer(() =>
        Effect.gen(function*() {
          yield* Step.run("a", Effect.succeed("result"), {
            rollback: (result) =>
              Effect.gen(function*() {
                const place = yield* WorkflowContext.current
                yield* log.add(`${yield* Tool} ${result} ${place.workflowId} ${place.step?.name}`)
                yield* Step.run("inside", log.add("inside"))
              })
          }).pipe(Effect.provideService(Tool, "hammer"))
          return yield* Effect.die("no")
        })
      )
      const engine = yield* given.engine(live)
      yield* reasonOf(engine.use(Subject.execute(undefined, { workflowId: "w" })))
      assert.deepStrictEqual(log.entries, ["hammer result w rollback of a", "inside"])
      assert.deepStrictEqual(yield* engine.use(stepsOf("w")), ["0 step a", "1 rollback a"])
    })
  )

  claim(
    "are tried again when they fail; one that fails for good does not stop the others",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        const live = Subject.toLayer(() =>
          Effect.gen(function*() {
            yield* Step.run("a", Effect.void, { rollback: () => log.add("undo a") })
            yield* Step.run("b", Effect.void, {
              rollback: () => Effect.andThen(log.add("undo b"), Effect.die("defect"))
            })
            yield* Step.run("c", Effect.void, {
              rollback: () =>
                Effect.flatMap(
                  log.add("undo c"),
                  () => log.count("undo c") < 2 ? Effect.fail("once more") : Effect.void
                )
            })
            return yield* Effect.die("no")
          })
        )
        const engine = yield* given.engine(live)
        yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
        yield* reasonOf(engine.use(Subject.handle("w").result))
        assert.deepStrictEqual(log.entries, ["undo c", "undo c", "undo b", "undo a"])
        const steps = yield* engine.use(Client.steps("w"))
        assert.deepStrictEqual(steps.slice(3).map((step) => [step.name, step.outcome]), [
          ["c", "success"],
          ["b", "failure"],
          ["a", "success"]
        ])
      }
    )
  )

  claim(
    "run when the workflow is cancelled, in memory or suspended; then it cannot be resumed",
    Effect.fnUntraced(
      function*(given) {
        for (const suspendAfter of ["1 day", "20 millis"] as const) {
          const id = `w ${suspendAfter}`
          const log = new Log()
          const live = Subject.toLayer(() =>
            Effect.gen(function*() {
              yield* undoing(log, "a")
              yield* undoing(log, "b")
              yield* Effect.sleep(day)
              yield* undoing(log, "c")
            })
          )
          const engine = yield* given.engine(live, { suspendAfter })
          yield* engine.use(Subject.start(undefined, { workflowId: id }))
          yield* engine.use(suspendAfter === "1 day" ? recorded(id, 2) : suspends(id))
          yield* engine.use(Client.cancel(id, { detail: "enough" }))
          const reason = yield* reasonOf(engine.use(Subject.handle(id).result))
          assert.deepStrictEqual([reason._tag, reason.by, reason.detail], ["WorkflowCancelled", "user", "enough"])
          assert.deepStrictEqual(log.entries, ["a", "b", "undo b", "undo a"])
          const refused = yield* reasonOf(engine.use(Client.resume(id)))
          assert.strictEqual(refused._tag, "NotResumable")
          yield* engine.close
        }
      }
    )
  )

  claim(
    "run when the deadline passes, also without an engine at that time",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Subject.toLayer(() => Effect.andThen(undoing(log, "a"), Effect.sleep("2 days")))
      const first = yield* given.engine(live)
      yield* first.use(Subject.start(undefined, { workflowId: "w", timeout: "1 day" }))
      yield* first.use(suspends("w"))
      yield* first.close
      yield* given.store.adjustClock(day)
      const second = yield* given.engine(live)
      const reason = yield* reasonOf(second.use(Subject.handle("w").result))
      assert.deepStrictEqual([reason._tag, reason.by], ["WorkflowCancelled", "timeout"])
      assert.deepStrictEqual(log.entries, ["a", "undo a"])
    })
  )

  claim(
    "that were running when the engine closed go on in the next one, those recorded do not repeat",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        let held = true
        const live = Subject.toLayer(() =>
          Effect.gen(function*() {
            yield* Step.run("a", Effect.void, {
              rollback: () => Effect.suspend(() => Effect.andThen(log.add("undo a"), held ? Effect.never : Effect.void))
            })
            yield* undoing(log, "b")
            return yield* Effect.die("no")
          })
        )
        const first = yield* given.engine(live)
        yield* first.use(Subject.start(undefined, { workflowId: "w" }))
        yield* log.has("undo a")
        yield* first.close
        held = false
        const second = yield* given.engine(live)
        assert.strictEqual((yield* reasonOf(second.use(Subject.handle("w").result)))._tag, "WorkflowFailed")
        assert.deepStrictEqual(log.entries, ["b", "undo b", "undo a", "undo a"])
      }
    )
  )

  claim(
    "of a workflow that failed do not go over into a success of other code",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = (end: Effect.Effect<unknown, never>) =>
        Subject.toLayer(() =>
          Effect.gen(function*() {
            yield* Step.run("a", Effect.void, { rollback: () => Effect.andThen(log.add("undo a"), Effect.never) })
            yield* undoing(log, "b")
            return yield* end
          })
        )
      const first = yield* given.engine(live(Effect.die("no")))
      yield* first.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("undo a")
      yield* first.close
      const second = yield* given.engine(live(Effect.succeed("well")))
      const { reason } = yield* second.use(reaches("w", "BLOCKED"))
      assert.strictEqual((reason as any).actual, "the end of the workflow")
      assert.deepStrictEqual(log.entries, ["b", "undo b", "undo a"])
      yield* second.close
      const third = yield* given.engine(live(Effect.die("no")))
      yield* third.use(Client.resume("w"))
      yield* log.has("undo a", 2)
      assert.deepStrictEqual(log.entries, ["b", "undo b", "undo a", "undo a"])
    })
  )

  claim(
    "go on in the next engine where it was the result that could not be stored",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const Whole = Workflow.make("Whole", { success: Schema.Int })
      const live = (undoA: Effect.Effect<void>) =>
        Whole.toLayer(() =>
          Effect.gen(function*() {
            yield* Step.run("a", Effect.void, { rollback: () => Effect.andThen(log.add("undo a"), undoA) })
            yield* undoing(log, "b")
            return 10.5
          })
        )
      const first = yield* given.engine(live(Effect.never))
      yield* first.use(Whole.start(undefined, { workflowId: "w" }))
      yield* log.has("undo a")
      yield* first.close
      const second = yield* given.engine(live(Effect.void))
      yield* second.use(reaches("w", "ERROR"))
      assert.deepStrictEqual(log.entries, ["b", "undo b", "undo a", "undo a"])
    })
  )

  claim(
    "a cancelled workflow without rollbacks can be resumed and runs its recorded steps no more",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        const live = Subject.toLayer(() =>
          Effect.gen(function*() {
            yield* Step.run("a", log.add("a"))
            yield* Effect.sleep(day)
            return yield* Step.run("b", log.effect("b", "ended"))
          })
        )
        const engine = yield* given.engine(live)
        yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
        yield* engine.use(suspends("w"))
        yield* engine.use(Client.cancel("w"))
        yield* engine.use(reaches("w", "CANCELLED"))
        yield* given.store.adjustClock(day)
        yield* engine.use(Client.resume("w"))
        yield* engine.use(eventually("the end", Client.get("w"), (info) => info.status === "SUCCESS"))
        assert.deepStrictEqual(log.entries, ["a", "b"])
      }
    )
  )
})
