/**
 * Two processes, each with a store of its own on one database, of which none looks by itself within the hour. Hunts for a
 * wait between them that only a poll ends.
 */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import type { StoreError } from "perdure/Store"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowStream from "perdure/WorkflowStream"
import { Gate, Task } from "./gate.ts"
import { onBothStores, type Process, storeOf } from "./harness.ts"
import { eventually, Log, reaches, reasonOf, suspends } from "./observing.ts"

/** Longer than any test waits. */
const seldom = { poll: "1 hour", heartbeat: "1 hour" } as const
const unpolled = { poll: "1 hour" } as const
const inMemory = { ...seldom, suspendAfter: "1 hour" } as const

const plain = WorkflowQueue.make("plain")
const one = WorkflowQueue.make("one", { concurrency: 1 })
const Go = Message.make("go", { payload: Schema.String })
const Seen = WorkflowEvent.make("seen", { value: Schema.String })
const Words = WorkflowStream.make("words", { value: Schema.String })
const Subject = Workflow.make("Subject", { success: Schema.String })
const Parent = Workflow.make("Parent", { success: Schema.String })

/** Tells what it is told. */
const telling = Subject.toLayer(() =>
  Effect.gen(function*() {
    const word = yield* Go.receive()
    yield* Seen.set(word)
    yield* Words.write(word)
    return yield* Go.receive()
  })
)

/** Done when the next look of this kind in this process was answered: whoever asked for it has to be told from then on. */
const looked = Effect.fnUntraced(function*(process: Process, kind: "outcomes" | "eventValues" | "readStreams") {
  const store = storeOf(process)
  const ask = store[kind] as (asked: any) => Effect.Effect<any, StoreError>
  const answered = yield* Deferred.make<void>()
  store[kind] = (asked: any) => Effect.tap(ask(asked), () => Deferred.succeed(answered, undefined))
  return Deferred.await(answered)
})

onBothStores("between processes that poll once an hour", (claim) => {
  claim(
    "what one starts or enqueues runs in the other, and its result comes back",
    Effect.fnUntraced(function*(given) {
      const gate = new Gate()
      yield* gate.openAll
      yield* given.engine(gate.live, seldom)
      const { use } = yield* (yield* given.besides).clientOf(unpolled)
      for (const id of ["a", "b", "c"]) {
        assert.strictEqual(yield* use(Effect.flatMap(plain.enqueue(Task, { id }), ({ result }) => result)), id)
        assert.strictEqual(yield* use(Task.execute({ id })), id)
      }
    })
  )

  claim(
    "the end of a workflow reaches whoever waits in the other",
    Effect.fnUntraced(function*(given) {
      const gate = new Gate()
      const engine = yield* given.engine(gate.live, seldom)
      yield* engine.use(Task.start({ id: "w" }, { workflowId: "w" }))
      const there = yield* given.besides
      const { use } = yield* there.clientOf(unpolled)
      const waiting = yield* looked(there, "outcomes")
      const result = yield* Effect.forkChild(use(Task.handle("w").result), { startImmediately: true })
      yield* waiting
      yield* gate.open("w")
      assert.strictEqual(yield* Fiber.join(result), "w")
    })
  )

  for (const [where, options] of [["suspended", seldom], ["in memory", inMemory]] as const) {
    claim(
      `a message reaches its receiver in the other, ${where}`,
      Effect.fnUntraced(function*(given) {
        const engine = yield* given.engine(telling, options)
        const { use } = yield* (yield* given.besides).clientOf(unpolled)
        const handle = yield* use(Subject.start(undefined, { workflowId: "w" }))
        yield* where === "suspended" ? engine.use(suspends("w")) : use(reaches("w", "PENDING"))
        yield* use(Go.send("w", "one"))
        yield* use(eventually("the event", Seen.get("w", { timeout: 0 }), ({ _tag }) => _tag === "Some"))
        if (where === "suspended") yield* engine.use(suspends("w"))
        yield* use(Go.send("w", "two"))
        assert.strictEqual(yield* use(handle.result), "two")
      })
    )

    claim(
      `the end of a child reaches its parent in the other, ${where}`,
      Effect.fnUntraced(function*(given) {
        const gate = new Gate()
        yield* given.engine(gate.live, seldom)
        const there = yield* given.besides
        const parent = yield* there.engine(
          Parent.toLayer(() => Task.execute({ id: "child" }, { workflowId: "child" })),
          options
        )
        const waiting = yield* looked(there, "outcomes")
        const handle = yield* parent.use(Parent.start(undefined, { workflowId: "w" }))
        yield* gate.has("child")
        yield* where === "suspended" ? parent.use(suspends("w")) : waiting
        yield* gate.open("child")
        assert.strictEqual(yield* parent.use(handle.result), "child")
      })
    )
  }

  claim(
    "what a workflow sets and writes reaches whoever waits for it in the other",
    Effect.fnUntraced(function*(given) {
      const engine = yield* given.engine(telling, seldom)
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      const there = yield* given.besides
      const { use } = yield* there.clientOf(unpolled)
      const waiting = yield* Effect.all([looked(there, "eventValues"), looked(there, "readStreams")])
      const event = yield* Effect.forkChild(use(Seen.get("w")), { startImmediately: true })
      const words = yield* Effect.forkChild(use(Stream.runCollect(Stream.take(Words.read("w"), 1))), {
        startImmediately: true
      })
      yield* Effect.all(waiting)
      yield* engine.use(Go.send("w", "hello"))
      assert.deepStrictEqual([yield* Fiber.join(event), yield* Fiber.join(words)], ["hello", ["hello"]])
    })
  )

  claim(
    "a cancel interrupts the step in the other",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const engine = yield* given.engine(
        Subject.toLayer(() =>
          Step.run("hold", Effect.andThen(log.add("held"), Effect.never)).pipe(
            Effect.onInterrupt(() => log.add("interrupted"))
          )
        ),
        seldom
      )
      yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
      yield* log.has("held")
      const { use } = yield* (yield* given.besides).clientOf(unpolled)
      yield* use(Subject.handle("w").cancel)
      yield* log.has("interrupted")
    })
  )

  claim(
    "a deadline interrupts the step when it comes",
    Effect.fnUntraced(function*(given) {
      const live = Subject.toLayer(() => Step.run("hold", Effect.never))
      const { use } = yield* given.engine(live, inMemory)
      const { result } = yield* use(Subject.start(undefined, { workflowId: "w", timeout: "300 millis" }))
      const reason = yield* use(reasonOf(result))
      assert.deepStrictEqual([reason._tag, reason.by], ["WorkflowCancelled", "timeout"])
    })
  )

  claim(
    "a place in a queue that is freed in one is taken in the other",
    Effect.fnUntraced(function*(given) {
      const gate = new Gate()
      const engine = yield* given.engine(gate.live, seldom)
      const first = yield* engine.use(one.enqueue(Task, { id: "a" }, { workflowId: "a" }))
      yield* gate.has("a")
      const there = yield* (yield* given.besides).engine(Subject.toLayer(() => Effect.succeed("next")), seldom)
      const next = yield* there.use(one.enqueue(Subject, undefined, { workflowId: "b" }))
      assert.strictEqual(yield* there.use(next.status), "ENQUEUED")
      yield* gate.open("a")
      assert.deepStrictEqual([yield* engine.use(first.result), yield* there.use(next.result)], ["a", "next"])
    })
  )
})
