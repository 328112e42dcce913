/** Who runs a workflow: lapsed leases, hand-overs, and code that goes on although it should not. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import { type Operation, StoreError, StoreUnavailable } from "perdure/Store"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import { cancelled } from "../conformance/builders.ts"
import { onBothStores, storeOf } from "./harness.ts"
import { eventually, Log, reaches, reasonOf, recorded, stepsOf } from "./observing.ts"

const Subject = Workflow.make("Subject", { success: Schema.String })
const Child = Workflow.make("Child", { success: Schema.String })
const Poison = Workflow.make("Poison", { maxRecoveryAttempts: 1 })
const short = { lease: "1 hour", heartbeat: "100 millis", suspendAfter: "1 day" } as const
const hour = 3_600_000

const isOf = (operation: Operation, workflowId: string): boolean =>
  "workflowId" in operation && operation.workflowId === workflowId

onBothStores("ownership", (claim) => {
  claim(
    "when the lease lapses the old run is interrupted, and its step is not recorded twice",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        const live = Subject.toLayer(() =>
          Effect.gen(function*() {
            yield* Step.run("before", log.add("before"))
            return yield* Step.run(
              "during",
              Effect.onInterrupt(
                Effect.andThen(
                  log.add("during"),
                  Effect.suspend(() => log.count("during") === 1 ? Effect.never : Effect.succeed("ended"))
                ),
                () => log.add("interrupted")
              )
            )
          })
        )
        const engine = yield* given.engine(live, short)
        yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
        yield* log.has("during")
        yield* given.store.adjustClock(2 * hour)
        assert.strictEqual(yield* engine.use(Subject.handle("w").result), "ended")
        yield* log.has("interrupted")
        assert.deepStrictEqual([log.count("before"), log.count("during"), log.count("interrupted")], [1, 2, 1])
        assert.deepStrictEqual(yield* engine.use(stepsOf("w")), ["0 step before", "1 step during"])
      }
    )
  )

  claim(
    "one that has lost a workflow unawares cancels no child of it",
    Effect.fnUntraced(function*(given) {
      const gates = { a: yield* Deferred.make<void>(), b: yield* Deferred.make<void>() }
      const fenced = yield* Deferred.make<void>()
      const cancels: Array<ReadonlyArray<string>> = []
      const store = storeOf(given)
      const { cancel, heartbeat, write } = store
      store.cancel = (ids, options) => Effect.andThen(Effect.sync(() => cancels.push(ids)), cancel(ids, options))
      store.write = (batch) =>
        Effect.tap(write(batch), (answers) =>
          answers.some(({ _tag }, i) => _tag === "Fenced" && isOf(batch[i]!, "w"))
            ? Deferred.succeed(fenced, undefined)
            : Effect.void)
      const parent = (name: keyof typeof gates) =>
        Subject.toLayer(() =>
          Effect.orDie(Workflow.race([
            Child.execute(undefined, { workflowId: "child" }),
            Step.run("fast", Effect.as(Deferred.await(gates[name]), "fast"))
          ]))
        )
      const child = Child.toLayer(() => Effect.as(Effect.sleep("1 day"), "slow"))
      let [beating, silent, mine] = [0, false, ""]
      store.heartbeat = (incarnation, ...rest) =>
        Effect.suspend(() => {
          if (silent && incarnation === mine) return Effect.never
          beating++
          return Effect.ensuring(heartbeat(incarnation, ...rest), Effect.sync(() => beating--))
        })
      const a = yield* given.engine([parent("a"), child], { ...short, poll: "1 day" })
      mine = (yield* a.use(Client.incarnation))!
      yield* a.use(Subject.start(undefined, { workflowId: "w" }))
      yield* a.use(eventually("the child", given.store.get("child"), (row) => row !== null))
      const epoch = Effect.map(given.store.get("w"), (row) => row!.epoch)
      const before = yield* epoch
      // From now on it is told nothing, and does not know that its lease is over.
      silent = true
      yield* eventually("the last beat", Effect.sync(() => beating), (left) => left === 0)
      yield* given.store.adjustClock(2 * hour)
      const b = yield* given.engine([parent("b"), child], short)
      yield* eventually("the other to own it", epoch, (now) => now > before)
      yield* Deferred.succeed(gates.a, undefined)
      yield* Deferred.await(fenced)
      assert.deepStrictEqual(cancels, [])
      yield* Deferred.succeed(gates.b, undefined)
      assert.strictEqual(yield* b.use(Subject.handle("w").result), "fast")
      yield* b.use(reaches("child", "CANCELLED"))
    })
  )

  claim(
    "a child that is no longer waited for is cancelled once that is durable, and before the parent's end",
    Effect.fnUntraced(function*(given) {
      const happened: Array<string> = []
      const store = storeOf(given)
      const { cancel, write } = store
      store.cancel = (ids, options) =>
        Effect.gen(function*() {
          happened.push("cancelling")
          const answer = yield* cancel(ids, options)
          yield* Effect.sleep(50)
          happened.push("cancelled")
          return answer
        })
      store.write = (batch) =>
        Effect.gen(function*() {
          const ends = batch.some((one) => isOf(one, "w") && one._tag === "Advance" && one.end?._tag === "Settle")
          if (ends) happened.push("ending")
          const answers = yield* write(batch)
          const wins = batch.some((one) => one._tag === "Advance" && one.records.some(({ name }) => name === "fast"))
          if (wins) happened.push("recorded")
          return answers
        })
      const { use } = yield* given.engine([
        Subject.toLayer(() =>
          Effect.orDie(Workflow.race([
            Child.execute(undefined, { workflowId: "child" }),
            Step.run("fast", Effect.as(Effect.sleep(30), "fast"))
          ]))
        ),
        Child.toLayer(() => Effect.as(Effect.sleep("1 day"), "slow"))
      ])
      assert.strictEqual(yield* use(Subject.execute(undefined, { workflowId: "w" })), "fast")
      assert.deepStrictEqual(happened, ["recorded", "cancelling", "cancelled", "ending"])
      yield* use(reaches("child", "CANCELLED"))
    })
  )

  claim(
    "an id that is used again after a delete is another workflow's, whatever still runs of the first one",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const gate = { open: false }
      const live = Subject.toLayer(() =>
        Step.run(
          "work",
          Effect.suspend(() => {
            if (log.count("work") > 0) return Effect.as(log.add("work"), "second")
            const late = Effect.andThen(
              log.add("work"),
              eventually("the gate", Effect.sync(() => gate.open), (open) => open)
            )
            return Effect.as(Effect.uninterruptible(Effect.tap(late, log.add("late"))), "first")
          })
        )
      )
      const engine = yield* given.engine(live, short)
      const epoch = Effect.map(given.store.get("w"), (row) => row!.epoch)
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("work")
      const before = yield* epoch
      yield* engine.use(Client.cancel("w"))
      yield* engine.use(Client.delete("w"))
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      assert.isAbove(yield* epoch, before + 1)
      assert.strictEqual(yield* engine.use(Subject.handle("w").result), "second")
      gate.open = true
      yield* log.has("late")
      assert.deepStrictEqual(
        (yield* engine.use(Client.steps("w"))).map(({ stepId, value }) => [stepId, value]),
        [[0, "second"]]
      )
    })
  )

  claim(
    "a workflow whose executors are lost again and again is dead-lettered, told so, and can be resumed",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        let held = true
        const live = Poison.toLayer(() =>
          Effect.asVoid(Step.run(
            "poison",
            Effect.suspend(() => Effect.andThen(log.add("poison"), held ? Effect.never : Effect.void))
          ))
        )
        const engine = yield* given.engine(live, short)
        yield* engine.use(Poison.start(undefined, { workflowId: "w" }))
        for (const times of [1, 2]) {
          yield* log.has("poison", times)
          yield* given.store.adjustClock(2 * hour)
        }
        const reason = yield* reasonOf(engine.use(Poison.handle("w").result))
        assert.strictEqual(reason._tag, "WorkflowDeadLettered")
        held = false
        yield* engine.use(Client.resume("w"))
        yield* engine.use(reaches("w", "SUCCESS"))
        assert.strictEqual(log.count("poison"), 3)
      }
    )
  )

  claim(
    "a workflow that is cancelled while its claim is on the way does not begin",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        // The store that the engine uses, changed under it.
        const store: { -readonly [K in keyof typeof given.store]: (typeof given.store)[K] } = given.store
        const { claim, heartbeat } = store
        store.heartbeat = (...args) =>
          Effect.tap(heartbeat(...args), ({ revoked }) => log.add(revoked.length > 0 ? "told" : "beat"))
        store.claim = (options) =>
          Effect.tap(claim(options), ({ claimed }) =>
            claimed.length === 0 ? Effect.void : Effect.gen(function*() {
              const by = { reason: cancelled("user"), childReason: cancelled("parent"), children: true }
              yield* store.cancel(claimed.map(({ row }) => row.workflowId), by)
              yield* log.has("told", 1)
            }))
        const live = Subject.toLayer(() => Step.run("work", Effect.as(log.add("ran"), "done")))
        const client = yield* given.client
        yield* client.use(Subject.start(undefined, { workflowId: "w" }))
        const engine = yield* given.engine(live, short)
        assert.strictEqual((yield* engine.use(reasonOf(Subject.handle("w").result)))._tag, "WorkflowCancelled")
        yield* log.has("beat", log.count("beat") + 3)
        assert.strictEqual(log.count("ran"), 0)
      }
    )
  )

  claim(
    "a resume waits for an owner that does not hear of the cancel, until its lease is over",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const answers: Array<string> = []
      const store = storeOf(given)
      const { heartbeat, resume } = store
      let deaf = false
      const lost = new StoreError({ reason: new StoreUnavailable({ message: "the heartbeat is lost" }) })
      store.heartbeat = (...args) => Effect.suspend(() => deaf ? Effect.fail(lost) : heartbeat(...args))
      store.resume = (ids) =>
        Effect.tap(resume(ids), (all) => Effect.sync(() => answers.push(...all.map(({ result }) => result))))
      const live = Subject.toLayer(() => Step.run("work", Effect.andThen(log.add("work"), Effect.never)))
      const engine = yield* given.engine(live, { ...short, shutdown: "10 millis" })
      const client = yield* given.client
      const former = yield* engine.use(Client.incarnation)
      yield* client.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("work")
      deaf = true
      yield* client.use(Client.cancel("w"))
      const resuming = yield* Effect.forkChild(client.use(Client.resume("w")))
      yield* eventually("it to be asked for again", Effect.sync(() => answers.length), (times) => times > 3)
      assert.deepStrictEqual([...new Set(answers)], ["held"])
      assert.strictEqual(yield* client.use(Subject.handle("w").status), "CANCELLED")
      yield* given.store.adjustClock(2 * hour)
      yield* Fiber.join(resuming)
      assert.strictEqual(yield* client.use(Subject.handle("w").status), "PENDING")
      assert.strictEqual(answers.at(-1), "resumed")
      deaf = false
      // Its engine goes on under another lease.
      yield* log.has("work", 2)
      assert.notStrictEqual(yield* engine.use(Client.incarnation), former)
    })
  )

  claim(
    "neither a resume nor a rollback overlaps a step that takes its time to end when it is interrupted",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const slowly = Effect.onInterrupt(
        Effect.andThen(log.add("begin"), Effect.never),
        () => Effect.andThen(Effect.sleep(300), log.add("end"))
      )
      const live = [
        Subject.toLayer(() => Step.run("work", slowly)),
        Child.toLayer(() =>
          Effect.andThen(Step.run("first", Effect.void, { rollback: () => log.add("undo") }), Step.run("work", slowly))
        )
      ]
      const { use } = yield* given.engine(live, { ...short, shutdown: "10 millis" })
      yield* given.engine(live, { ...short, shutdown: "10 millis" })
      yield* use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("begin")
      for (let round = 1; round <= 3; round++) {
        yield* use(Client.cancel("w"))
        yield* use(Client.resume("w"))
        yield* log.has("begin", round + 1)
      }
      yield* use(Client.cancel("w"))
      yield* log.has("end", 4)
      yield* use(Child.start(undefined, { workflowId: "c" }))
      yield* log.has("begin", 5)
      yield* use(Client.cancel("c"))
      yield* log.has("undo")
      const runs = Array.from({ length: 5 }, () => ["begin", "end"])
      assert.deepStrictEqual(log.entries, [...runs.flat(), "undo"])
    })
  )

  claim(
    "nor one that had lost a race when its workflow was cancelled",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const cancelled = yield* Deferred.make<void>()
      const slowly = Effect.onInterrupt(
        Effect.andThen(log.add("begin"), Effect.never),
        () =>
          log.add("lost").pipe(
            Effect.andThen(Deferred.await(cancelled)),
            Effect.andThen(Effect.sleep(300)),
            Effect.andThen(log.add("end"))
          )
      )
      const live = Subject.toLayer(() =>
        Effect.gen(function*() {
          yield* Workflow.race([Step.run("slow", slowly), Step.run("fast", log.has("begin"))])
          return yield* Step.run("after", Effect.as(log.add("after"), "done"))
        })
      )
      const { use } = yield* given.engine(live, short)
      yield* use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("lost")
      yield* use(Client.cancel("w"))
      yield* Deferred.succeed(cancelled, undefined)
      yield* use(Client.resume("w"))
      assert.strictEqual(yield* use(Subject.handle("w").result), "done")
      // Of the race it may have been recorded that it is over, or it is run once more.
      assert.deepStrictEqual(log.entries.slice(0, 3), ["begin", "lost", "end"])
    })
  )

  claim(
    "clean changes of the engine cost no recovery attempts",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      let held = true
      const live = Poison.toLayer(() =>
        Effect.asVoid(
          Step.run("slow", Effect.suspend(() => Effect.andThen(log.add("slow"), held ? Effect.never : Effect.void)))
        )
      )
      for (let times = 1; times <= 4; times++) {
        const engine = yield* given.engine(live)
        if (times === 1) yield* engine.use(Poison.start(undefined, { workflowId: "w" }))
        yield* log.has("slow", times)
        assert.strictEqual((yield* engine.use(Client.get("w"))).recoveryAttempts, 0)
        yield* engine.close
      }
      held = false
      const engine = yield* given.engine(live)
      yield* engine.use(Poison.handle("w").result)
    })
  )

  claim(
    "a shutdown lets a running step finish and records it",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Subject.toLayer(() =>
        Effect.gen(function*() {
          if ((yield* WorkflowContext.current).workflowId !== "w") return "probe"
          yield* Step.run("running", Effect.andThen(log.add("began"), log.has("closing")))
          return yield* Step.run("next", log.effect("next", "ended"))
        })
      )
      const first = yield* given.engine(live, { shutdown: "10 seconds" })
      yield* first.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("began")
      const closing = yield* Effect.forkChild(first.close)
      // Once it closes, what is started here is left to others.
      let probes = 0
      const probe = Effect.suspend(() => Subject.start(undefined, { workflowId: `probe ${++probes}` })).pipe(
        Effect.flatMap((handle) => handle.info)
      )
      yield* first.use(eventually("the engine to close", probe, ({ status }) => status === "ENQUEUED"))
      yield* log.add("closing")
      yield* Fiber.join(closing)
      assert.strictEqual(log.count("next"), 0)
      const second = yield* given.engine(live)
      assert.strictEqual(yield* second.use(Subject.handle("w").result), "ended")
      assert.deepStrictEqual([log.count("began"), log.count("next")], [1, 1])
    })
  )

  claim(
    "two engines take over from one that closes, each workflow in one of them",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      let held = true
      const Numbered = Workflow.make("Numbered", { payload: { n: Schema.Number } })
      const live = Numbered.toLayer(({ n }) =>
        Effect.andThen(
          Step.run("first", log.add(`first ${n}`)),
          Effect.asVoid(Step.run("second", Effect.suspend(() => held ? Effect.never : log.add(`second ${n}`))))
        )
      )
      const ids = Array.from({ length: 50 }, (_, n) => `w${n}`)
      const first = yield* given.engine(live)
      yield* first.use(
        Effect.forEach(ids, (workflowId, n) => Numbered.start({ n }, { workflowId }), { concurrency: "unbounded" })
      )
      for (const id of ids) yield* first.use(recorded(id, 1))
      yield* first.close
      held = false
      const [one, two] = [yield* given.engine(live), yield* given.engine(live)]
      yield* Effect.forEach(ids, (id, n) => (n % 2 ? one : two).use(Numbered.handle(id).result), {
        concurrency: "unbounded"
      })
      yield* eventually("all to have run", Effect.sync(() => log.entries.length), (count) => count >= 100)
      assert.strictEqual(new Set(log.entries).size, 100)
      assert.lengthOf(log.entries, 100)
    })
  )
})
