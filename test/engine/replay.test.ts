/** What a body sees again, and what does not happen again. */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "./harness.ts"
import { eventually, failureOf, Log, reasonOf, stepsOf, suspends } from "./observing.ts"
import { twice, twiceWell } from "./twice.ts"

const day = 86_400_000
const unbounded = { concurrency: "unbounded" } as const
const Subject = Workflow.make("Subject", { success: Schema.Unknown })
const Note = Message.make("note", { payload: Schema.String })
const Child = Workflow.make("Child", { payload: { n: Schema.Number }, success: Schema.Number })

onBothStores("replay", (claim) => {
  claim(
    "a completed step is not run again",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const body = Effect.gen(function*() {
        const a = yield* Step.run("a", log.effect("a", { n: 1 }))
        const b = yield* log.effect("b", [a.n, 2]).pipe(Step.run("b"))
        const c = yield* Effect.exit(Step.run("c", Effect.andThen(log.add("c"), Effect.fail("no"))))
        return [a, b, Exit.isFailure(c)]
      })
      const { live, replayed, steps } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, [{ n: 1 }, [1, 2], true])
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(log.entries, ["a", "b", "c"])
      assert.deepStrictEqual(steps, ["0 step a", "1 step b", "2 step c"])
    })
  )

  claim(
    "a step that was running when the engine closed runs again, those before it do not",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        let held = true
        const live = Subject.toLayer(() =>
          Effect.gen(function*() {
            const a = yield* Step.run("a", log.effect("a", 1))
            const b = yield* Step.run(
              "b",
              Effect.suspend(() => Effect.andThen(log.add("b"), held ? Effect.never : Effect.succeed(2)))
            )
            return a + b
          })
        )
        const first = yield* given.engine(live)
        yield* first.use(Subject.start(undefined, { workflowId: "w" }))
        yield* log.has("b")
        yield* first.close
        held = false
        const second = yield* given.engine(live)
        assert.strictEqual(yield* second.use(Subject.handle("w").result), 3)
        assert.deepStrictEqual(log.entries, ["a", "b", "b"])
      }
    )
  )

  claim(
    "a workflow that sleeps leaves memory, says what it waits for, and goes on",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Subject.toLayer(() =>
        Effect.gen(function*() {
          yield* log.add("body")
          yield* Effect.sleep("730 days")
          return yield* Step.run("after", log.effect("after", "done"))
        }).pipe(Effect.onInterrupt(() => log.add("left")))
      )
      const engine = yield* given.engine(live)
      const handle = yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      const info = yield* engine.use(suspends("w"))
      assert.strictEqual(info.waits[0]?.what, "sleep")
      assert.approximately(info.waits[0]!.until!.getTime() - info.startedAt!.getTime(), 730 * day, 60_000)
      yield* log.has("left")
      yield* given.store.adjustClock(729 * day)
      assert.strictEqual((yield* engine.use(handle.info)).status, "PENDING")
      yield* given.store.adjustClock(day)
      assert.strictEqual(yield* engine.use(handle.result), "done")
      assert.strictEqual(log.count("after"), 1)
    })
  )

  claim(
    "a sleep in memory is not over before the database's clock says so",
    Effect.fnUntraced(function*(given) {
      const live = Subject.toLayer(() =>
        Effect.gen(function*() {
          yield* Step.run("before", Effect.void)
          yield* Effect.sleep("50 millis")
          return yield* Step.run("after", Effect.orDie(given.store.now))
        })
      )
      const engine = yield* given.engine(live, { suspendAfter: "1 day" })
      const after = yield* engine.use(Subject.execute(undefined, { workflowId: "w" }))
      const [before] = yield* engine.use(Client.steps("w"))
      // To the millisecond, to which every time is rounded.
      assert.isAtLeast(after as number, before!.completedAt!.getTime() + 50 - 1)
    })
  )

  claim(
    "a jump of the database's clock wakes a sleeping workflow that is in memory",
    Effect.fnUntraced(function*(given) {
      const engine = yield* given.engine(
        Subject.toLayer(() => Effect.as(Effect.andThen(Step.run("a", Effect.void), Effect.sleep(day)), "woken")),
        { suspendAfter: "2 days" }
      )
      const handle = yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      yield* engine.use(eventually("the step", Client.steps("w"), (steps) => steps.length > 0))
      yield* given.store.adjustClock(day)
      assert.strictEqual(yield* engine.use(handle.result), "woken")
    })
  )

  claim(
    "time in a body is durable: sleep, timeout, retry with a schedule, the clock",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      let attempts = 0
      const body = Effect.gen(function*() {
        const begin = yield* Clock.currentTimeMillis
        yield* Effect.sleep("5 millis")
        const slept = yield* Clock.currentTimeMillis
        const late = yield* Effect.timeoutOption(Effect.never, "5 millis")
        const failing = Effect.suspend(() =>
          Step.run(
            "flaky",
            Effect.andThen(log.add("flaky"), attempts++ < 2 ? Effect.fail("again") : Effect.succeed("well"))
          )
        )
        const well = yield* Effect.retry(failing, { schedule: Schedule.exponential("2 millis"), times: 5 })
        const random = yield* Random.next
        return [slept - begin >= 5, late._tag, well, begin, random, yield* Clock.currentTimeMillis]
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live.slice(0, 3), [true, "None", "well"])
      assert.deepStrictEqual(replayed, live)
      assert.strictEqual(log.count("flaky"), 3)
    })
  )

  claim(
    "of two timers of one time, what was asked for between them comes after both, live and replayed",
    Effect.fnUntraced(function*(given) {
      const body = Effect.suspend(() => {
        const woken = Promise.withResolvers<void>()
        // Its limit is over when it is asked for: the time of its branch is that of the start.
        const late = Effect.andThen(Effect.promise(() => woken.promise), Note.receive({ timeout: 16 }))
        return Effect.all([
          Effect.andThen(Effect.sleep(36), Effect.sync(() => woken.resolve())),
          Effect.map(Effect.timeoutOption(late, 36), ({ _tag }) => _tag)
        ], unbounded)
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(live, [undefined, "None"])
    })
  )

  claim(
    "a timer of a time that the body has seen fires first, also where the clock was set back behind it",
    Effect.fnUntraced(function*(given) {
      const won: Array<string> = []
      const body = Effect.suspend(() => {
        const woken = Promise.withResolvers<void>()
        const asleep = Promise.withResolvers<void>()
        const early = Effect.andThen(Effect.sleep(day), Step.run("first", Effect.void)).pipe(
          Effect.andThen(Effect.sync(() => woken.resolve())),
          Effect.andThen(Step.run("second", Effect.promise(() => asleep.promise))),
          Effect.as("step")
        )
        // Its branch knows the time of the start only, so it is over as it begins.
        const late = Effect.promise(() => woken.promise).pipe(
          Effect.andThen(Effect.sync(() => asleep.resolve())),
          Effect.andThen(Effect.sleep(day / 2)),
          Effect.as("timer")
        )
        return Effect.race(early, late)
      })
      const live = Subject.toLayer(() =>
        Effect.tap(body, (winner) => Effect.andThen(Effect.sync(() => won.push(winner)), Effect.sleep(day)))
      )
      const shown = (times: number) =>
        eventually(
          `the body to come to its sleep, run ${times}`,
          Effect.map(Client.get("subject"), ({ reason, status }) => ({ reason, status, won })),
          () => won.length >= times
        )
      const first = yield* given.engine(live, { suspendAfter: "30 days" })
      yield* first.use(Subject.start(undefined, { workflowId: "subject" }))
      yield* given.store.adjustClock(day)
      yield* first.use(shown(1))
      yield* given.store.adjustClock(-0.9 * day)
      yield* first.close
      const second = yield* given.engine(live)
      yield* second.use(shown(2))
      assert.deepStrictEqual(won, ["timer", "timer"])
    })
  )

  claim(
    "Effect.retry with a long schedule suspends between the attempts",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Subject.toLayer(() =>
        Effect.retry(
          Step.run(
            "flaky",
            Effect.flatMap(
              log.add("flaky"),
              () => log.count("flaky") < 3 ? Effect.fail("again") : Effect.succeed("well")
            )
          ),
          Schedule.spaced("10 days")
        )
      )
      const engine = yield* given.engine(live)
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      for (const times of [1, 2]) {
        yield* log.has("flaky", times)
        yield* engine.use(suspends("w"))
        yield* given.store.adjustClock(10 * day)
      }
      assert.strictEqual(yield* engine.use(Subject.handle("w").result), "well")
      assert.strictEqual(log.count("flaky"), 3)
    })
  )

  claim(
    "Workflow.now, randomUUID and patch are recorded",
    Effect.fnUntraced(function*(given) {
      const body = Effect.gen(function*() {
        const now = DateTime.toEpochMillis(yield* Workflow.now())
        const uuids = [yield* Workflow.randomUUID(), yield* Workflow.randomUUID()]
        return { now, uuids, patched: yield* Workflow.patch("one") }
      })
      const { live, replayed, steps } = yield* twiceWell(given, body)
      assert.deepStrictEqual(replayed, live)
      assert.isTrue(live.patched)
      assert.notStrictEqual(live.uuids[0], live.uuids[1])
      assert.deepStrictEqual(steps, ["0 now now", "1 uuid randomUUID", "2 uuid randomUUID", "3 patch patch one"])
    })
  )

  claim(
    "Workflow.sleepUntil the past returns at once, and a bad time is refused",
    Effect.fnUntraced(function*(given) {
      const engine = yield* given.engine(Subject.toLayer(() =>
        Effect.gen(function*() {
          yield* Workflow.sleepUntil(new Date(0))
          return (yield* reasonOf(Workflow.sleepUntil(new Date(Number.NaN))))._tag
        })
      ))
      assert.strictEqual(yield* engine.use(Subject.execute()), "InvalidArgument")
    })
  )
})

onBothStores("children", (claim) => {
  const childLive = (log: Log) => Child.toLayer(({ n }) => Step.run("double", log.effect(`child ${n}`, n * 2)))

  claim(
    "ids are the parent's with the step id, and results are recorded",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Subject.toLayer(() =>
        Effect.gen(function*() {
          yield* Step.run("first", Effect.void)
          const awaited = yield* Child.execute({ n: 1 })
          const handle = yield* Child.start({ n: 2 })
          const named = yield* Child.start({ n: 3 }, { workflowId: "named" })
          yield* Effect.sleep(day)
          return [awaited, yield* handle.result, handle.workflowId, yield* named.result]
        })
      )
      const first = yield* given.engine([live, childLive(log)])
      yield* first.use(Subject.start(undefined, { workflowId: "p" }))
      yield* first.use(suspends("p"))
      yield* first.close
      yield* given.store.adjustClock(day)
      const second = yield* given.engine([live, childLive(log)])
      const { use } = second
      assert.deepStrictEqual(yield* use(Subject.handle("p").result), [2, 4, "p-3", 6])
      assert.deepStrictEqual(log.entries.toSorted(), ["child 1", "child 2", "child 3"])
      const { workflows } = yield* use(Client.list({ parentId: "p" }))
      assert.deepStrictEqual(workflows.map((row) => row.workflowId).toSorted(), ["named", "p-1", "p-3"])
      assert.deepStrictEqual((yield* use(Client.steps("p"))).map((step) => [step.kind, step.childId]), [
        ["step", undefined],
        ["child", "p-1"],
        ["result", "p-1"],
        ["child", "p-3"],
        ["child", "named"],
        ["result", "p-3"],
        ["result", "named"]
      ])
    })
  )

  claim(
    "a parent that waits for a child leaves memory, and goes on when the child is done",
    Effect.fnUntraced(
      function*(given) {
        const live = Subject.toLayer(() => Child.execute({ n: 5 }))
        const child = Child.toLayer(({ n }) => Effect.as(Effect.sleep(day), n * 2))
        const engine = yield* given.engine([live, child])
        yield* engine.use(Subject.start(undefined, { workflowId: "p" }))
        yield* engine.use(suspends("p"))
        yield* engine.use(suspends("p-0"))
        yield* given.store.adjustClock(day)
        assert.strictEqual(yield* engine.use(Subject.handle("p").result), 10)
      }
    )
  )

  claim(
    "a child's declared error reaches the parent as itself, live and replayed",
    Effect.fnUntraced(function*(given) {
      class Bad extends Schema.TaggedError<Bad>()("Bad", { n: Schema.Number }) {}
      const Failing = Workflow.make("Failing", { error: Bad })
      const live = Subject.toLayer(() =>
        Effect.gen(function*() {
          const error: unknown = yield* Effect.flip(Effect.andThen(Failing.execute(), Effect.die("it succeeded")))
          yield* log.add(String(error instanceof Bad && error.n === 4))
          yield* Effect.sleep(day)
          return "ended"
        })
      )
      const log = new Log()
      const engine = yield* given.engine([live, Failing.toLayer(() => Effect.fail(new Bad({ n: 4 })))])
      yield* engine.use(Subject.start(undefined, { workflowId: "p" }))
      yield* engine.use(suspends("p"))
      yield* given.store.adjustClock(day)
      assert.strictEqual(yield* engine.use(Subject.handle("p").result), "ended")
      assert.deepStrictEqual(log.entries, ["true", "true"])
    })
  )

  claim(
    "interrupting the wait for a child in a body cancels the child",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Subject.toLayer(() =>
        Workflow.race([
          Child.execute({ n: 1 }, { workflowId: "child" }),
          Step.run("enough", Effect.as(log.has("child"), 0))
        ])
      )
      const engine = yield* given.engine([live, Child.toLayer(() => Effect.andThen(log.add("child"), Effect.never))])
      assert.strictEqual(yield* engine.use(Subject.execute(undefined, { workflowId: "p" })), 0)
      const reason = yield* reasonOf(engine.use(Child.handle("child").result))
      assert.deepStrictEqual([reason._tag, reason.by], ["WorkflowCancelled", "parent"])
    })
  )

  claim(
    "interrupting the wait for what somebody else has started, or what is detached, does not cancel it",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const open = yield* Deferred.make<void>()
      const live = Subject.toLayer(() =>
        Workflow.race([
          Child.execute({ n: 1 }, { workflowId: "shared" }),
          Child.execute({ n: 2 }, { workflowId: "detached", detached: true }),
          Step.run("enough", Effect.as(log.has("child", 2), 0))
        ])
      )
      const child = Child.toLayer(({ n }) => Effect.as(Effect.andThen(log.add("child"), Deferred.await(open)), n))
      const engine = yield* given.engine([live, child])
      yield* engine.use(Child.start({ n: 1 }, { workflowId: "shared" }))
      assert.strictEqual(yield* engine.use(Subject.execute(undefined, { workflowId: "p" })), 0)
      yield* Deferred.succeed(open, undefined)
      for (const [id, n] of [["shared", 1], ["detached", 2]] as const) {
        assert.strictEqual(yield* engine.use(Child.handle(id).result), n)
      }
    })
  )

  claim(
    "a child id that is taken by another start is a conflict, recorded",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const body = Effect.gen(function*() {
        yield* Child.start({ n: 1 }, { workflowId: "taken" })
        return (yield* reasonOf(Child.start({ n: 2 }, { workflowId: "taken" })))._tag as string
      })
      const live = Subject.toLayer(() => Effect.tap(body, (tag) => Effect.andThen(log.add(tag), Effect.sleep(day))))
      const engine = yield* given.engine([live, childLive(new Log())])
      yield* engine.use(Subject.start(undefined, { workflowId: "p" }))
      yield* engine.use(suspends("p"))
      yield* given.store.adjustClock(day)
      assert.strictEqual(yield* engine.use(Subject.handle("p").result), "WorkflowConflict")
      assert.deepStrictEqual(log.entries, ["WorkflowConflict", "WorkflowConflict"])
    })
  )
})

onBothStores("branches", (claim) => {
  claim(
    "names start afresh in forEach, all, race, timeout and fork, also nested",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const step = (value: string) => Step.run("step", log.effect(value, value))
      const body = Effect.gen(function*() {
        const each = yield* Workflow.forEach(
          ["a", "b"],
          (item) => Workflow.forEach([1, 2], (n) => step(`${item}${n}`), unbounded),
          unbounded
        )
        const keyed = yield* Workflow.forEach(["y", "x"], (item) => step(`keyed ${item}`), {
          key: (item) => item,
          ...unbounded
        })
        const all = yield* Workflow.all(
          { l: step("l"), r: Workflow.all([step("r0"), step("r1")], unbounded) },
          unbounded
        )
        const first = yield* Workflow.race([step("racer"), Effect.never])
        const timely = yield* Workflow.timeout(step("in time"), "1 hour")
        const fork = yield* Workflow.fork(
          "fork",
          Effect.andThen(step("forked"), Workflow.all([step("f0"), step("f1")], unbounded))
        )
        const own = yield* step("own")
        return [each, keyed, all, first, timely, yield* Fiber.join(fork), own]
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual<unknown>(live, [
        [["a1", "a2"], ["b1", "b2"]],
        ["keyed y", "keyed x"],
        { l: "l", r: ["r0", "r1"] },
        "racer",
        "in time",
        ["f0", "f1"],
        "own"
      ])
      assert.deepStrictEqual(replayed, live)
      assert.strictEqual(log.entries.length, new Set(log.entries).size)
    })
  )

  claim(
    "a race records its winner; the loser is interrupted and not started again",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const loser = Step.run(
        "loses",
        Effect.onInterrupt(Effect.andThen(log.add("loser"), Effect.never), () => log.add("interrupted"))
      )
      const winner = Step.run("wins", Effect.as(log.has("loser"), "won"))
      const { live, replayed, steps } = yield* twiceWell(given, Workflow.race([loser, winner]))
      assert.deepStrictEqual<unknown>([live, replayed], ["won", "won"])
      assert.deepStrictEqual(log.entries, ["loser", "interrupted"])
      assert.isTrue(steps.some((step) => step.endsWith("race race")))
    })
  )

  claim(
    "a race that is won by a failure fails, live and replayed",
    Effect.fnUntraced(function*(given) {
      const body = Workflow.race([Effect.never, Step.run("fails", Effect.fail("no"))])
      const { live, replayed } = yield* twice(given, body)
      const [before, again] = [failureOf(live), failureOf(replayed)]
      assert.deepStrictEqual([before._tag, before.message], ["StepFailed", "no"])
      assert.deepStrictEqual(again.message, before.message)
    })
  )

  claim(
    "Workflow.timeout of a long wait suspends, and times out",
    Effect.fnUntraced(function*(given) {
      const live = Subject.toLayer(() =>
        Effect.catchTag(Workflow.timeout(Effect.sleep("10 days"), day), "TimeoutError", () => Effect.succeed("late"))
      )
      const engine = yield* given.engine(live)
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      yield* engine.use(suspends("w"))
      yield* given.store.adjustClock(day)
      assert.strictEqual(yield* engine.use(Subject.handle("w").result), "late")
    })
  )

  claim(
    "branches that all sleep let the workflow leave memory",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Subject.toLayer(() =>
        Workflow.forEach(
          [2, 1, 3],
          (n) => Effect.andThen(Effect.sleep(n * day), Step.run("s", log.effect(`${n}`, n))),
          unbounded
        )
      )
      const engine = yield* given.engine(live)
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      for (let past = 1; past <= 3; past++) {
        yield* engine.use(suspends("w"))
        yield* given.store.adjustClock(day)
        yield* log.has(`${past}`)
      }
      assert.deepStrictEqual(yield* engine.use(Subject.handle("w").result), [2, 1, 3])
      assert.deepStrictEqual(log.entries, ["1", "2", "3"])
    })
  )

  claim(
    "outside a workflow they are plain Effect",
    Effect.fnUntraced(function*() {
      const some = yield* Workflow.forEach([1, 2], (n) => Effect.succeed(n + 1))
      const both = yield* Workflow.all({ a: Effect.succeed(1) })
      const one = yield* Workflow.race([Effect.never, Effect.succeed("x")])
      const fork = yield* Effect.flatMap(Workflow.fork("f", Effect.succeed(1)), Fiber.join)
      assert.deepStrictEqual<unknown>([some, both, one, fork], [[2, 3], { a: 1 }, "x", 1])
      assert.isTrue(yield* Workflow.patch("p"))
    })
  )
})

onBothStores("long histories", (claim) => {
  const summing = (steps: number, log: Log) =>
    Subject.toLayer(() =>
      Effect.gen(function*() {
        let sum = 0
        for (let i = 0; i < steps; i++) sum += yield* Step.run("add", Effect.sync(() => (log.entries.push("add"), i)))
        yield* Effect.sleep(day)
        return sum
      })
    )

  claim(
    "1,500 steps replay without running",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = summing(1500, log)
      const first = yield* given.engine(live)
      yield* first.use(Subject.start(undefined, { workflowId: "w" }))
      yield* first.use(eventually("suspension", Client.get("w"), (info) => info.waits.length > 0, 240_000))
      yield* first.close
      yield* given.store.adjustClock(day)
      const second = yield* given.engine(live)
      assert.strictEqual(yield* second.use(Subject.handle("w").result), 1500 * 1499 / 2)
      assert.strictEqual(log.entries.length, 1500)
      const steps = yield* second.use(stepsOf("w"))
      assert.deepStrictEqual([steps.length, steps[1499]], [1500, "1499 step add"])
    })
  )

  claim(
    "a loop of 10,000 steps comes to its end, also after a change of engine",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = summing(10_000, log)
      const first = yield* given.engine(live)
      yield* first.use(Subject.start(undefined, { workflowId: "w" }))
      yield* eventually("half of the steps", Effect.sync(() => log.count("add")), (count) => count >= 5000, 240_000)
      yield* first.close
      const second = yield* given.engine(live)
      yield* second.use(eventually("suspension", Client.get("w"), (info) => info.waits.length > 0, 240_000))
      yield* given.store.adjustClock(day)
      assert.strictEqual(yield* second.use(Subject.handle("w").result), 10_000 * 9_999 / 2)
      assert.isAtMost(log.entries.length, 10_001)
    }),
    "sqlite"
  )
})
