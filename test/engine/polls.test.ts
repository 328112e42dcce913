/**
 * Processes between which no hint ever gets through. Hunts for a wait that only a notification ends: hints make things
 * sooner, and everything is found without.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowStream from "perdure/WorkflowStream"
import { type Given, onBothStores, storeOf } from "./harness.ts"
import { eventually, Log, reaches } from "./observing.ts"

const Note = Message.make("note", { payload: Schema.String })
const Seen = WorkflowEvent.make("seen", { value: Schema.String })
const Words = WorkflowStream.make("words", { value: Schema.String })
const Subject = Workflow.make("Subject", { success: Schema.String })
const line = WorkflowQueue.make("line", { concurrency: 1 })

/** What one process would tell another is lost, and what one store would tell itself. */
const deaf = Effect.fnUntraced(function*(given: Given) {
  const store = storeOf(given)
  store.hints = () => Stream.never
  store.hint = () => Effect.void
  const log = new Log()
  const engine = yield* given.engine(Subject.toLayer(() =>
    Effect.gen(function*() {
      const note = yield* Note.receive()
      yield* Seen.set(note)
      yield* Words.write(note)
      yield* Words.close
      const more = yield* Note.receive()
      yield* Step.run("hold", Effect.andThen(log.add("held"), more === "go" ? Effect.void : Effect.never)).pipe(
        Effect.onInterrupt(() => log.add("interrupted"))
      )
      return more
    }).pipe(Effect.orDie)
  ))
  return { client: yield* given.client, engine, log }
})

onBothStores("without any hint", (claim) => {
  claim(
    "what a client starts runs, gets its messages, and is seen in its events, its stream and its result",
    Effect.fnUntraced(function*(given) {
      const { client: { use } } = yield* deaf(given)
      const handle = yield* use(Subject.start(undefined, { workflowId: "w" }))
      const result = yield* Effect.forkChild(use(handle.result))
      const event = yield* Effect.forkChild(use(Seen.get("w")))
      const words = yield* Effect.forkChild(use(Stream.runCollect(Words.read("w"))))
      yield* use(Note.send("w", "hello"))
      assert.strictEqual(yield* Fiber.join(event), "hello")
      assert.deepStrictEqual(yield* Fiber.join(words), ["hello"])
      yield* use(Note.send("w", "go"))
      assert.strictEqual(yield* Fiber.join(result), "go")
    })
  )

  claim(
    "a step is interrupted by a cancel from elsewhere, and a workflow goes on that is resumed from there",
    Effect.fnUntraced(function*(given) {
      const { client: { use }, log } = yield* deaf(given)
      const handle = yield* use(Subject.start(undefined, { workflowId: "w" }))
      yield* use(Note.send("w", "hello"))
      yield* use(Note.send("w", "stay"))
      yield* log.has("held")
      yield* use(handle.cancel)
      yield* log.has("interrupted")
      yield* use(Client.resume("w"))
      yield* log.has("held", 2)
    })
  )

  claim(
    "a place in a queue that is freed in one process is taken in another",
    Effect.fnUntraced(function*(given) {
      const { client: { use } } = yield* deaf(given)
      // Each of the two has the code of one.
      const Other = Workflow.make("Other", { success: Schema.String })
      yield* given.engine(Other.toLayer(() => Effect.succeed("other")), { queues: [line] })
      const first = yield* use(line.enqueue(Subject, undefined, { workflowId: "a" }))
      yield* use(reaches("a", "PENDING"))
      const second = yield* use(line.enqueue(Other, undefined, { workflowId: "b" }))
      assert.strictEqual(yield* use(second.status), "ENQUEUED")
      yield* use(Note.sendMany([{ workflowId: "a", value: "x" }, { workflowId: "a", value: "go" }]))
      assert.deepStrictEqual([yield* use(first.result), yield* use(second.result)], ["go", "other"])
    })
  )

  claim(
    "a schedule that a client makes fires",
    Effect.fnUntraced(function*(given) {
      const { client: { use } } = yield* deaf(given)
      yield* use(Client.schedules.create("often", { workflow: Subject, interval: "1 second" }))
      yield* eventually("a tick", use(Client.count({ schedule: "often" })), (count) => count > 0)
    })
  )
})
