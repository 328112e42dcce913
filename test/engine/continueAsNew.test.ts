/** Loops that run for ever: a life of a workflow ends, and the next begins with nothing but its payload. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import type { WorkflowError } from "perdure/WorkflowError"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { onBothStores, storeOf } from "./harness.ts"
import { Log, reaches, reasonOf, suspends } from "./observing.ts"

const Loop = Workflow.make("Loop", { payload: { n: Schema.Int }, success: Schema.String })
const Child = Workflow.make("Child", { payload: { n: Schema.Int }, success: Schema.Int })
const Word = Message.make("word", { payload: Schema.String })
const Progress = WorkflowEvent.make("progress", { value: Schema.Int })

const childLive = Child.toLayer(({ n }) => Effect.succeed(n * 2))

onBothStores("continueAsNew", (claim) => {
  claim("one result at the end of many lives, and a history of the last one only", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      const engine = yield* given.engine([
        childLive,
        Loop.toLayer(Effect.fnUntraced(function*({ n }) {
          yield* Step.run("work", log.add(`work ${n}`))
          const doubled = yield* Child.execute({ n })
          return n < 5 ? yield* Loop.continueAsNew({ n: n + 1 }) : `${n}, ${doubled}`
        }))
      ])
      const handle = yield* engine.use(Loop.start({ n: 1 }, { workflowId: "w" }))
      assert.strictEqual(yield* engine.use(handle.result), "5, 10")
      assert.deepStrictEqual(log.entries, [1, 2, 3, 4, 5].map((n) => `work ${n}`))
      const info = yield* engine.use(handle.info)
      assert.deepStrictEqual([info.continuations, info.payload], [4, { n: 5 }])
      const steps = yield* engine.use(handle.steps)
      assert.deepStrictEqual(steps.map(({ name, stepId }) => `${stepId} ${name}`), [
        "12 work",
        "13 Child",
        "14 result of Child"
      ])
      assert.strictEqual(yield* engine.use(Child.handle("w-1").result), 2)
      assert.strictEqual(yield* engine.use(Child.handle("w-13").result), 10)
    }))

  claim(
    "a life may end in the first turn of its body, which is interrupted and nothing else",
    (given) =>
      Effect.gen(function*() {
        const exits: Array<Exit.Exit<unknown, unknown>> = []
        const engine = yield* given.engine(Loop.toLayer(({ n }) =>
          n === 5 ? Effect.succeed("5") : Effect.onExit(
            Loop.continueAsNew({ n: n + 1 }),
            (exit) => Effect.sync(() => void exits.push(exit))
          )
        ))
        const handle = yield* engine.use(Loop.start({ n: 1 }, { workflowId: "w" }))
        assert.strictEqual(yield* engine.use(handle.result), "5")
        assert.deepStrictEqual(
          exits.map((exit) => Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)),
          [true, true, true, true]
        )
      })
  )

  claim("what was sent is received in the next life, once and in order", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      const engine = yield* given.engine(Loop.toLayer(Effect.fnUntraced(function*({ n }) {
        const word = yield* Word.receive()
        yield* Progress.set(n)
        yield* Step.run("hear", log.add(word))
        return word === "end" ? `${n}` : yield* Loop.continueAsNew({ n: n + 1 })
      })))
      const handle = yield* engine.use(Loop.start({ n: 1 }, { workflowId: "w" }))
      yield* engine.use(Effect.forEach(["a", "b", "c", "end"], (word) => Word.send("w", word)))
      assert.strictEqual(yield* engine.use(handle.result), "4")
      assert.deepStrictEqual(log.entries, ["a", "b", "c", "end"])
      assert.strictEqual(yield* engine.use(Progress.get("w")), 4)
    }))

  claim("a child that is waited for is cancelled with the life that waits", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine([
        Child.toLayer(() => Effect.never),
        Loop.toLayer(({ n }) =>
          n > 1 ? Effect.succeed("next") : Effect.as(
            Effect.race(
              Child.execute({ n }, { workflowId: "child" }),
              Effect.andThen(Step.run("wait", Effect.asVoid(reaches("child", "PENDING"))), Loop.continueAsNew({ n: 2 }))
            ),
            "never"
          )
        )
      ])
      assert.strictEqual(yield* engine.use(Loop.execute({ n: 1 }, { workflowId: "w" })), "next")
      const reason = yield* reasonOf(engine.use(Child.handle("child").result))
      assert.deepStrictEqual([reason._tag, reason.by], ["WorkflowCancelled", "parent"])
    }))

  claim("so is one whose start is being written just then", (given) =>
    Effect.gen(function*() {
      const store = storeOf(given)
      const { write } = store
      const writing = yield* Deferred.make<void>()
      const leaving = yield* Deferred.make<void>()
      store.write = (batch) =>
        batch.some((one) => one._tag === "Advance" && one.children.length > 0)
          ? Effect.andThen(Deferred.succeed(writing, undefined), Effect.andThen(Deferred.await(leaving), write(batch)))
          : write(batch)
      const left = Effect.onInterrupt(Effect.never, () => Deferred.succeed(leaving, undefined))
      const engine = yield* given.engine([
        Child.toLayer(() => Effect.never),
        Loop.toLayer(({ n }) =>
          n > 1 ? Effect.succeed("next") : Effect.gen(function*() {
            yield* Effect.forkChild(Child.execute({ n }, { workflowId: "child" }))
            yield* Effect.forkChild(left)
            yield* Effect.promise(() => Effect.runPromise(Deferred.await(writing)))
            return yield* Loop.continueAsNew({ n: 2 })
          })
        )
      ])
      assert.strictEqual(yield* engine.use(Loop.execute({ n: 1 }, { workflowId: "w" })), "next")
      const reason = yield* reasonOf(engine.use(Child.handle("child").result))
      assert.deepStrictEqual([reason._tag, reason.by], ["WorkflowCancelled", "parent"])
    }))

  claim(
    "what else runs in the body is interrupted, finalizers included, before the next life begins",
    (given) =>
      Effect.gen(function*() {
        const log = new Log()
        const engine = yield* given.engine(Loop.toLayer(Effect.fnUntraced(function*({ n }) {
          yield* log.add(`life ${n}`)
          if (n === 2) return "done"
          return yield* Workflow.all([
            Step.run("long", Effect.onInterrupt(Effect.never, () => log.add("interrupted"))),
            Effect.andThen(
              Step.run("short", Effect.void),
              Effect.onInterrupt(Loop.continueAsNew({ n: 2 }), () => log.add("finalized"))
            )
          ], { concurrency: "unbounded" }).pipe(Effect.as("never"))
        })))
        const handle = yield* engine.use(Loop.start({ n: 1 }, { workflowId: "w" }))
        assert.strictEqual(yield* engine.use(handle.result), "done")
        assert.strictEqual(log.entries[0], "life 1")
        assert.strictEqual(log.entries.at(-1), "life 2")
        assert.sameMembers(log.entries.slice(1, -1), ["interrupted", "finalized"])
      })
  )

  claim("its clock, its deadline and its place in a queue", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      const queue = WorkflowQueue.make("one at a time", { concurrency: 1 })
      const engine = yield* given.engine([
        Loop.toLayer(Effect.fnUntraced(function*({ n }) {
          const { deadline, workflowId } = yield* WorkflowContext.current
          yield* log.add(`${workflowId} ${n} ${deadline}`)
          yield* Workflow.sleep("1 hour")
          return n < 3 ? yield* Loop.continueAsNew({ n: n + 1 }) : "done"
        })),
        queue.layer
      ])
      const first = yield* engine.use(queue.enqueue(Loop, { n: 1 }, { workflowId: "a", timeout: "30 days" }))
      const second = yield* engine.use(queue.enqueue(Loop, { n: 3 }, { workflowId: "b", timeout: "30 days" }))
      const hours = yield* Effect.forkChild(Effect.forever(Effect.andThen(
        Effect.sleep("100 millis"),
        given.store.adjustClock(3_600_000)
      )))
      assert.strictEqual(yield* engine.use(first.result), "done")
      assert.strictEqual(yield* engine.use(second.result), "done")
      yield* Fiber.interrupt(hours)
      assert.deepStrictEqual(
        log.entries.map((entry) => entry.slice(0, 3)).filter((e, i, all) => all.indexOf(e) === i),
        [
          "a 1",
          "a 2",
          "a 3",
          "b 3"
        ]
      )
      const deadlines = log.entries.filter((entry) => entry.startsWith("a")).map((entry) => entry.split(" ")[2])
      assert.strictEqual(new Set(deadlines).size, 1)
    }))

  claim("a transaction of the same name commits in each life", (given) =>
    Effect.gen(function*() {
      const table = given.sql.literal(`lives_${given.number}`)
      yield* given.sql`CREATE TABLE ${table} (n integer)`
      const add = (n: number) =>
        Effect.flatMap(SqlClient, (sql) => Effect.as(sql`INSERT INTO ${table} (n) VALUES (${n})`, n))
      const engine = yield* given.engine(Loop.toLayer(Effect.fnUntraced(function*({ n }) {
        yield* Transaction.run("add", add(n))
        return n < 3 ? yield* Loop.continueAsNew({ n: n + 1 }) : "done"
      })))
      assert.strictEqual(yield* engine.use(Loop.execute({ n: 1 })), "done")
      const rows = yield* given.sql<{ n: number }>`SELECT n FROM ${table} ORDER BY n`
      assert.deepStrictEqual(rows.map(({ n }) => n), [1, 2, 3])
    }))

  claim("where it makes no sense, or cannot be, it fails, and the life goes on", (given) =>
    Effect.gen(function*() {
      const Other = Workflow.make("Other", { payload: { n: Schema.Int } })
      const tagOf = <A, R>(effect: Effect.Effect<A, WorkflowError, R>) =>
        Effect.map(reasonOf(effect), ({ _tag }) => String(_tag))
      const engine = yield* given.engine(Loop.toLayer(() =>
        Effect.gen(function*() {
          const inStep = yield* Step.run("step", tagOf(Loop.continueAsNew({ n: 2 })))
          const other = yield* tagOf(Other.continueAsNew({ n: 2 }))
          const bad = yield* tagOf(Loop.continueAsNew({ n: 1.5 }))
          const fields = yield* tagOf(Loop.continueAsNew({} as { n: number }))
          return [inStep, other, bad, fields].join(", ")
        })
      ))
      const handle = yield* engine.use(Loop.start({ n: 1 }))
      assert.strictEqual(
        yield* engine.use(handle.result),
        "OutsideWorkflow, InvalidArgument, Unencodable, Unencodable"
      )
      assert.strictEqual((yield* engine.use(handle.info)).continuations, 0)
    }))

  claim(
    "a life is as long as the engine allows, and what is recorded counts for itself",
    (given) =>
      Effect.gen(function*() {
        const log = new Log()
        const live = Loop.toLayer(Effect.fnUntraced(function*({ n }) {
          const one = (i: number) =>
            Step.run(`step ${i}`, log.add(`${n}: ${i}`), { rollback: () => log.add(`rollback ${i}`) })
          const tried = yield* Effect.exit(Effect.forEach([1, 2, 3, 4, 5], one))
          if (n === 1 && tried._tag === "Failure") return yield* Loop.continueAsNew({ n: 2 })
          yield* Word.receive()
          yield* one(6)
          return "done"
        }))
        const first = yield* given.engine(live, { maxSteps: 3 })
        const stopped = yield* first.use(Loop.start({ n: 1 }, { workflowId: "w" }))
        const reason = yield* reasonOf(first.use(stopped.result))
        assert.strictEqual(reason._tag, "WorkflowFailed")
        assert.include(String((yield* first.use(stopped.info)).failure?.message), "at most 3 durable operations")
        assert.deepStrictEqual(
          log.entries,
          ["1: 1", "1: 2", "1: 3", "2: 1", "2: 2", "2: 3"]
            .concat(["rollback 3", "rollback 2", "rollback 1"])
        )
        yield* first.close
        log.entries.length = 0
        const roomy = yield* given.engine(live, { maxSteps: 6 })
        yield* roomy.use(Loop.start({ n: 2 }, { workflowId: "v" }))
        yield* roomy.use(suspends("v"))
        yield* roomy.close
        const narrow = yield* given.engine(live, { maxSteps: 5 })
        yield* narrow.use(Word.send("v", "go"))
        assert.strictEqual((yield* reasonOf(narrow.use(Loop.handle("v").result)))._tag, "WorkflowFailed")
        assert.deepStrictEqual(
          log.entries.filter((entry) => !entry.startsWith("rollback")),
          [1, 2, 3, 4, 5].map((i) => `2: ${i}`)
        )
      })
  )

  claim("rollbacks of earlier lives are void, those of the present one run", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      const engine = yield* given.engine(Loop.toLayer(Effect.fnUntraced(function*({ n }) {
        yield* Step.run("reserve", Effect.void, { rollback: () => log.add(`rollback ${n}`) })
        return n < 2 ? yield* Loop.continueAsNew({ n: n + 1 }) : yield* Effect.die(new Error("too many"))
      })))
      const reason = yield* reasonOf(engine.use(Loop.execute({ n: 1 })))
      assert.strictEqual(reason._tag, "WorkflowFailed")
      assert.deepStrictEqual(log.entries, ["rollback 2"])
    }))

  claim("one that is cancelled between two lives is cancelled", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      const engine = yield* given.engine(Loop.toLayer(Effect.fnUntraced(function*({ n }) {
        yield* Step.run("work", log.add(`${n}`))
        return yield* Loop.continueAsNew({ n: n + 1 })
      })))
      const handle = yield* engine.use(Loop.start({ n: 1 }, { workflowId: "w" }))
      while (log.entries.length < 5) yield* Effect.sleep(5)
      yield* engine.use(handle.cancel)
      const reason = yield* reasonOf(engine.use(handle.result))
      assert.strictEqual(reason._tag, "WorkflowCancelled")
      const ran = log.entries.length
      yield* Effect.sleep(300)
      assert.isAtMost(log.entries.length, ran + 1)
      assert.isAtMost((yield* engine.use(handle.steps)).length, 1)
    }))

  claim("one that is cancelled while its life ends undoes what that life did", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      const store = storeOf(given)
      const { renew } = store
      const [ending, cancelled] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      store.renew = (life) =>
        Effect.andThen(Deferred.succeed(ending, undefined), Effect.andThen(Deferred.await(cancelled), renew(life)))
      const engine = yield* given.engine(Loop.toLayer(Effect.fnUntraced(function*({ n }) {
        yield* Step.run("work", log.add(`${n}`), { rollback: () => log.add(`undo ${n}`) })
        return yield* Loop.continueAsNew({ n: n + 1 })
      })))
      const handle = yield* engine.use(Loop.start({ n: 1 }, { workflowId: "w" }))
      yield* Deferred.await(ending)
      yield* engine.use(handle.cancel)
      yield* Deferred.succeed(cancelled, undefined)
      assert.strictEqual((yield* reasonOf(engine.use(handle.result)))._tag, "WorkflowCancelled")
      assert.deepStrictEqual(log.entries, ["1", "undo 1"])
    }))
})
