/** Where the ways of Effect (contexts, forks, interruption, finalizers) and durability could trip over each other. */
import { assert } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { setTimeout as after } from "node:timers/promises"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "./harness.ts"
import { Log, reaches, reasonOf, recorded, stepsOf, suspends } from "./observing.ts"
import { twice, twiceWell } from "./twice.ts"

const Word = Context.Reference("traps/Word", { defaultValue: () => "outer" })
const word = Effect.withFiber((fiber) => Effect.succeed(fiber.getRef(Word)))

class Tool extends Context.Service<Tool, { readonly name: string }>()("traps/Tool") {}

const Subject = Workflow.make("Subject", { success: Schema.String })
const day = 86_400_000

/** Plain asynchronous work that takes a while in the first run and no time in the next. */
const slowOnce = (ms: number) => {
  let runs = 0
  return Effect.promise(() => runs++ === 0 ? after(ms) : Promise.resolve())
}

/** The other way round. */
const slowLater = (ms: number) => {
  let runs = 0
  return Effect.promise(() => runs++ === 0 ? Promise.resolve() : after(ms))
}

const unbounded = { concurrency: "unbounded" } as const

onBothStores("contexts", (claim) => {
  claim(
    "a first operation inside Effect.provide leaves the old context behind it",
    Effect.fnUntraced(function*(given) {
      const body = Effect.gen(function*() {
        const inner = yield* Effect.all([Step.run("a", word), Effect.map(Tool, (tool) => tool.name)]).pipe(
          Effect.provide(Layer.merge(Layer.succeed(Word, "inner"), Layer.succeed(Tool, { name: "hammer" })))
        )
        const outer = yield* word
        const tool = yield* Effect.serviceOption(Tool)
        return [...inner, outer, yield* Step.run("b", word), tool._tag]
      })
      const { live, replayed, steps } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, ["inner", "hammer", "outer", "outer", "None"])
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(steps, ["0 step a", "1 step b"])
    })
  )

  claim(
    "branches that fork before their own first operation keep their names",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const branch = (name: string, ms: number) =>
        Effect.all([
          Effect.andThen(slowOnce(ms), Step.run("left", log.effect(`${name} left`, `${name}l`))),
          Effect.andThen(slowLater(ms), Step.run("right", log.effect(`${name} right`, `${name}r`)))
        ], unbounded)
      const body = Workflow.all({ a: branch("a", 20), b: branch("b", 5) }, unbounded)
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, { a: ["al", "ar"], b: ["bl", "br"] })
      assert.deepStrictEqual(replayed, live)
      assert.strictEqual(log.entries.length, 4)
    })
  )

  claim(
    "Effect.cached called by two branches runs its step once",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const body = Effect.gen(function*() {
        const shared = yield* Effect.cached(Step.run("shared", log.effect("shared", 7)))
        return yield* Workflow.all(
          [shared, shared, Effect.andThen(Step.run("own", log.effect("own", 1)), shared)],
          unbounded
        )
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, [7, 7, 7])
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(log.entries.toSorted(), ["own", "shared"])
    })
  )

  claim(
    "Effect.cached whose first caller changes with timing never runs its step twice",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        const [slow, quick] = [slowOnce(40), slowLater(40)]
        const live = Subject.toLayer(() =>
          Effect.gen(function*() {
            const shared = yield* Effect.cached(Step.run("shared", log.effect("shared", 7)))
            yield* Workflow.all([Effect.andThen(slow, shared), Effect.andThen(quick, shared)], unbounded)
            yield* log.add("joined")
            yield* Effect.sleep(day)
            return "done"
          })
        )
        const first = yield* given.engine(live)
        yield* first.use(Subject.start(undefined, { workflowId: "w" }))
        yield* first.use(suspends("w"))
        yield* first.close
        yield* given.store.adjustClock(day)
        const second = yield* given.engine(live)
        const info = yield* second.use(reaches("w", "BLOCKED"))
        assert.include(JSON.stringify(info.reason), "shared")
        assert.deepStrictEqual(log.entries, ["shared", "joined"])
      }
    )
  )

  claim(
    "a fork under a context captured in another fiber is in that fiber's branch",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const body = Effect.gen(function*() {
        const captured = yield* Effect.context<never>()
        const mine = yield* Step.run("same", log.effect("body", "body"))
        const [inside, other] = yield* Workflow.all([
          Effect.provideContext(Step.run("other", log.effect("other", "other")), captured),
          Step.run("same", log.effect("branch", "branch"))
        ], unbounded)
        const loose = Effect.runForkWith(captured)(Step.run("loose", log.effect("loose", "loose")))
        return [mine, inside, other, yield* Fiber.join(loose)]
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, ["body", "other", "branch", "loose"])
      assert.deepStrictEqual(replayed, live)
      assert.strictEqual(log.entries.length, 4)
    })
  )

  claim(
    "a step under the context of a workflow that has ended does nothing durable",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      let captured: Context.Context<never> = Context.empty()
      const live = Subject.toLayer(() =>
        Effect.gen(function*() {
          captured = yield* Effect.context<never>()
          return yield* Step.run("a", log.effect("a", "ended"))
        })
      )
      const engine = yield* given.engine(live)
      yield* engine.use(Subject.execute(undefined, { workflowId: "w" }))
      const exit = yield* Effect.exit(Effect.provideContext(Step.run("late", log.effect("late", 1)), captured))
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(log.entries, ["a"])
      assert.deepStrictEqual(yield* engine.use(stepsOf("w")), ["0 step a"])
    })
  )
})

onBothStores("interruption", (claim) => {
  for (
    const [what, blocked] of [
      ["a step", Effect.asVoid(Step.run("blocked", Effect.never))],
      ["a sleep", Effect.sleep("1 day")],
      ["a step that is uninterruptible itself", Step.run("blocked", Effect.uninterruptible(Effect.never))]
    ] as const
  ) {
    claim(
      `Effect.uninterruptible around ${what} does not hold a cancellation up`,
      Effect.fnUntraced(function*(given) {
        const log = new Log()
        const live = Subject.toLayer(() =>
          Effect.gen(function*() {
            yield* Step.run("first", log.add("first"))
            yield* Effect.uninterruptible(blocked)
            yield* Step.run("after", log.add("after"))
            return "done"
          })
        )
        const engine = yield* given.engine(live, { suspendAfter: "1 day" })
        yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
        yield* log.has("first")
        yield* engine.use(Client.cancel("w"))
        assert.strictEqual((yield* reasonOf(engine.use(Subject.handle("w").result)))._tag, "WorkflowCancelled")
        assert.strictEqual((yield* engine.use(Client.get("w"))).status, "CANCELLED")
        yield* engine.close
        assert.deepStrictEqual(log.entries, ["first"])
      })
    )
  }

  claim(
    "a body may interrupt itself inside and catch it, live and replayed",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const body = Effect.gen(function*() {
        const before = yield* Step.run("before", log.effect("before", 1))
        const caught = yield* Effect.interrupt.pipe(
          Effect.catchCause(() => Step.run("caught", log.effect("caught", 2)))
        )
        return [before, caught, yield* Step.run("after", log.effect("after", 3))]
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, [1, 2, 3])
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(log.entries, ["before", "caught", "after"])
    })
  )

  claim(
    "a body that interrupts itself ends in ERROR",
    Effect.fnUntraced(function*(given) {
      const engine = yield* given.engine(Subject.toLayer(() => Effect.interrupt))
      const reason = yield* reasonOf(engine.use(Subject.execute(undefined, { workflowId: "w" })))
      assert.deepStrictEqual([reason._tag, reason.kind], ["WorkflowFailed", "interrupted"])
    })
  )

  claim(
    "a body cannot swallow a cancellation",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Subject.toLayer(() =>
        Step.run("blocked", Effect.andThen(log.add("started"), Effect.never)).pipe(
          Effect.catchCause(() => Step.run("swallowed", log.effect("swallowed", "swallowed")))
        )
      )
      const engine = yield* given.engine(live)
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("started")
      yield* engine.use(Client.cancel("w"))
      assert.strictEqual((yield* reasonOf(engine.use(Subject.handle("w").result)))._tag, "WorkflowCancelled")
      yield* engine.close
      assert.deepStrictEqual(log.entries, ["started"])
      assert.deepStrictEqual(yield* Effect.flatMap(given.client, ({ use }) => use(stepsOf("w"))), [])
    })
  )

  claim(
    "a body that loops for ever catching interruption ends when it is cancelled",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const stubborn = (effect: Effect.Effect<unknown>) =>
        Effect.forever(Effect.uninterruptible(Effect.catchCause(effect, () => Effect.void)))
      const live = Subject.toLayer(() =>
        Effect.andThen(
          Step.run("first", log.add("first")),
          Effect.as(
            Effect.all([
              stubborn(Effect.sleep("1 hour")),
              stubborn(Effect.orDie(Step.run("step", Effect.never))),
              Effect.forever(Effect.exit(Effect.sleep("1 hour")))
            ], unbounded),
            "never"
          )
        )
      )
      const engine = yield* given.engine(live, { suspendAfter: "1 day" })
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("first")
      yield* engine.use(Client.cancel("w"))
      assert.strictEqual((yield* reasonOf(engine.use(Subject.handle("w").result)))._tag, "WorkflowCancelled")
      // The engine still works, and can be closed.
      const quick = yield* engine.use(Client.list())
      assert.strictEqual(quick.workflows.length, 1)
      yield* engine.close
    })
  )

  claim(
    "a body that loops for ever catching interruption can be suspended and given back",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        const live = Subject.toLayer(() =>
          Effect.gen(function*() {
            yield* Step.run("first", log.add("first"))
            yield* Effect.forever(Effect.catchCause(Effect.sleep("1 hour"), () => Effect.void))
            return ""
          })
        )
        const engine = yield* given.engine(live)
        yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
        yield* engine.use(suspends("w"))
        yield* engine.close
        const next = yield* given.engine(live)
        yield* next.use(Client.cancel("w"))
        yield* next.use(reaches("w", "CANCELLED"))
        assert.deepStrictEqual(log.entries, ["first"])
      }
    )
  )
})

onBothStores("forks", (claim) => {
  claim(
    "a detached fork that outlives the body is interrupted at its end and does nothing durable",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        const live = Subject.toLayer(() =>
          Effect.gen(function*() {
            const started = yield* Deferred.make<void>()
            yield* Effect.forkDetach(
              Deferred.succeed(started, undefined).pipe(
                Effect.andThen(Effect.promise(() => after(5))),
                Effect.andThen(Effect.sleep("10 millis")),
                Effect.andThen(Step.run("late", log.add("late"))),
                Effect.onInterrupt(() => Effect.andThen(log.add("interrupted"), Step.run("final", log.add("final"))))
              )
            )
            yield* Deferred.await(started)
            return yield* Step.run("only", Effect.succeed("ended"))
          })
        )
        const engine = yield* given.engine(live)
        assert.strictEqual(yield* engine.use(Subject.execute(undefined, { workflowId: "w" })), "ended")
        yield* log.has("interrupted")
        yield* engine.close
        assert.deepStrictEqual(log.entries, ["interrupted"])
        const client = yield* given.client
        assert.deepStrictEqual(yield* client.use(stepsOf("w")), ["0 step only"])
      }
    )
  )

  claim(
    "a step of a fork that is running when the body ends is interrupted and not recorded",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        const live = Subject.toLayer(() =>
          Effect.gen(function*() {
            yield* Effect.forkDetach(
              Step.run(
                "running",
                Effect.onInterrupt(Effect.andThen(log.add("started"), Effect.never), () => log.add("interrupted"))
              )
            )
            yield* Step.run("waits", log.has("started"))
            return "ended"
          })
        )
        const engine = yield* given.engine(live)
        assert.strictEqual(yield* engine.use(Subject.execute(undefined, { workflowId: "w" })), "ended")
        yield* log.has("interrupted")
        assert.deepStrictEqual(
          yield* engine.use(stepsOf("w")).pipe(
            Effect.map((steps) => steps.filter((step) => step.includes("running")))
          ),
          []
        )
      }
    )
  )

  const twoOfOneName: ReadonlyArray<readonly [string, (log: Log) => Effect.Effect<unknown, any, any>]> = [
    ["at once", (log) => Effect.all([Step.run("same", log.add("ran")), Step.run("same", log.add("ran"))], unbounded)],
    ["one long after the other", (log) =>
      Effect.all([
        Step.run("same", log.add("ran")),
        Effect.andThen(Effect.promise(() => after(30)), Step.run("same", log.add("ran")))
      ], unbounded)],
    ["one in the body, then one in a fork", (log) =>
      Effect.andThen(
        Step.run("same", log.add("ran")),
        Effect.flatMap(Effect.forkChild(Step.run("same", log.add("ran"))), Fiber.join)
      )],
    ["one in a fork, then one in the body", (log) =>
      Effect.andThen(
        Effect.flatMap(Effect.forkChild(Step.run("same", log.add("ran"))), Fiber.join),
        Step.run("same", log.add("ran"))
      )],
    ["by Effect.forEach", (log) => Effect.forEach([1, 2], () => Step.run("same", log.add("ran")), unbounded)]
  ]
  for (const [when, body] of twoOfOneName) {
    claim(
      `a name used twice with forks, ${when}, is refused on the first run`,
      Effect.fnUntraced(function*(given) {
        const log = new Log()
        const engine = yield* given.engine(Subject.toLayer(() => Effect.as(Effect.orDie(body(log)), "ended")))
        const reason = yield* reasonOf(engine.use(Subject.execute(undefined, { workflowId: "w" })))
        assert.strictEqual(reason._tag, "WorkflowFailed")
        assert.include(reason.message, `"same"`)
        assert.include(reason.message, "twice")
        assert.isAtMost(log.count("ran"), 1)
      })
    )
  }

  claim(
    "keys tell equal names in forks apart",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const body = Effect.forEach(
        [3, 2, 1],
        (n) => Effect.andThen(slowOnce(n * 5), Step.run("same", log.effect(`ran ${n}`, n), { key: `item ${n}` })),
        unbounded
      )
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual([live, replayed], [[3, 2, 1], [3, 2, 1]])
      assert.strictEqual(log.entries.length, 3)
    })
  )

  claim(
    "answers come in the recorded order, though a replay has them all at once",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      // The second is done first, as the log decides; what follows depends on the order.
      const body = Effect.gen(function*() {
        const order: Array<string> = []
        const arrive = (name: string) => Effect.sync(() => order.push(name))
        yield* Effect.all([
          Step.run("slow", Effect.andThen(log.has("quick"), log.add("slow"))).pipe(Effect.andThen(arrive("slow"))),
          Step.run("quick", log.add("quick")).pipe(Effect.andThen(arrive("quick"))),
          Effect.sleep("1 hour").pipe(Effect.timeoutOption("1 milli"), Effect.andThen(Effect.void))
        ], unbounded)
        yield* Step.run(`then ${order.join()}`, log.add("then"))
        return order
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, ["quick", "slow"])
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(log.entries, ["quick", "slow", "then"])
    })
  )

  claim(
    "a step that lost against a timer loses on replay too, and is not started again",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        const body = Effect.gen(function*() {
          const lost = yield* Step.run("never", Effect.andThen(log.add("never"), Effect.never)).pipe(
            Effect.timeoutOption("30 millis")
          )
          const won = yield* Step.run("quick", log.effect("quick", 1)).pipe(Effect.timeoutOption("1 hour"))
          return [lost._tag, won._tag]
        })
        const { live, replayed } = yield* twice(given, body)
        assert.deepStrictEqual(live, Exit.succeed(["None", "Some"]))
        assert.deepStrictEqual(replayed, live)
        // A slow start may leave it no time at all.
        assert.isAtMost(log.count("never"), 1)
        assert.strictEqual(log.count("quick"), 1)
      }
    )
  )
})

onBothStores("names", (claim) => {
  claim(
    "may have any characters that keys are made of",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const names = [
        "a/b",
        "a",
        "a#1",
        "a",
        "a%2Fb",
        "~rollback/a",
        "~",
        "%",
        "#",
        "/",
        "all/0/x",
        "\u{1F980}",
        "\u{1F980}",
        "é",
        "e\u0301"
      ]
      const body = Effect.gen(function*() {
        const own = yield* Effect.forEach(names, (name, i) => Step.run(name, log.effect(`own ${i}`, i)))
        const branches = yield* Workflow.forEach(
          ["x/y", "x", "x%2Fy", "#", "~"],
          (label) =>
            Workflow.all([
              Step.run("y/z", log.effect(`in ${label}`, label)),
              Step.run("z", log.effect(`in ${label} z`, `${label}z`))
            ]),
          { key: (label) => label, name: "for/Each#1" }
        )
        const inAll = yield* Workflow.all([Step.run("x", log.effect("in all", "all"))])
        return [...own, ...branches.flat(), ...inAll]
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live.slice(0, names.length), names.map((_, i) => i))
      assert.deepStrictEqual(replayed, live)
      assert.strictEqual(log.entries.length, new Set(log.entries).size)
      assert.strictEqual(log.entries.length, names.length + 10 + 1)
    })
  )

  for (
    const [what, name] of [["empty", ""], ["with a line break", "a\nb"], ["of 257 bytes", "n".repeat(257)], [
      "with half a surrogate pair",
      "\ud800"
    ]] as const
  ) {
    claim(
      `a step name that is ${what} is refused before anything runs`,
      Effect.fnUntraced(function*(given) {
        const log = new Log()
        const live = Subject.toLayer(() => Effect.suspend(() => Step.run(name, log.effect("ran", "ran"))))
        const engine = yield* given.engine(live)
        const reason = yield* reasonOf(engine.use(Subject.execute(undefined, { workflowId: "w" })))
        assert.strictEqual(reason._tag, "WorkflowFailed")
        assert.include(reason.message, "step name")
        assert.deepStrictEqual(log.entries, [])
      })
    )
  }
})

onBothStores("finalizers", (claim) => {
  const finals: ReadonlyArray<readonly [string, (log: Log, main: Effect.Effect<void>) => Effect.Effect<void>]> = [
    ["Effect.ensuring", (log, main) => Effect.ensuring(main, Effect.ignore(Step.run("final", log.add("final"))))],
    ["acquireRelease", (log, main) =>
      Effect.scoped(Effect.andThen(
        Effect.acquireRelease(Effect.void, () => Effect.ignore(Step.run("final", log.add("final")))),
        main
      ))],
    [
      "Effect.onExit with a sleep",
      (log, main) =>
        Effect.onExit(
          main,
          () => Effect.ignore(Effect.andThen(Effect.sleep("1 milli"), Step.run("final", log.add("final"))))
        )
    ]
  ]
  for (const [what, within] of finals) {
    claim(
      `a durable operation in ${what} of a suspended run waits for the real end`,
      Effect.fnUntraced(function*(given) {
        const log = new Log()
        const live = Subject.toLayer(() => Effect.as(within(log, Effect.sleep(day)), "ended"))
        const engine = yield* given.engine(live)
        yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
        yield* engine.use(suspends("w"))
        assert.deepStrictEqual(log.entries, [])
        assert.deepStrictEqual(yield* engine.use(stepsOf("w")), [])
        yield* given.store.adjustClock(day)
        assert.strictEqual(yield* engine.use(Subject.handle("w").result), "ended")
        assert.deepStrictEqual(log.entries, ["final"])
        assert.deepStrictEqual(yield* engine.use(stepsOf("w")), ["0 step final"])
      })
    )

    claim(
      `a durable operation in ${what} of a cancelled run is not recorded, and nothing hangs`,
      Effect.fnUntraced(
        function*(given) {
          const log = new Log()
          const live = Subject.toLayer(() =>
            Effect.as(Effect.andThen(Step.run("first", log.add("first")), within(log, Effect.sleep(day))), "ended")
          )
          const engine = yield* given.engine(live, { suspendAfter: "1 day" })
          yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
          yield* engine.use(recorded("w", 1))
          yield* engine.use(Client.cancel("w"))
          assert.strictEqual((yield* reasonOf(engine.use(Subject.handle("w").result)))._tag, "WorkflowCancelled")
          yield* engine.close
          assert.deepStrictEqual(log.entries, ["first"])
          const client = yield* given.client
          assert.deepStrictEqual(yield* client.use(stepsOf("w")), ["0 step first"])
        }
      )
    )
  }
})
