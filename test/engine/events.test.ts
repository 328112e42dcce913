/** Events: set by a workflow, read by anybody. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as StepStatus from "perdure/StepStatus"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import { onBothStores } from "./harness.ts"
import { Log, reasonOf, recorded, stepsOf, suspends } from "./observing.ts"
import { twiceWell } from "./twice.ts"

const hour = 3_600_000

class Progress extends WorkflowEvent.make("progress", { value: Schema.Number }) {}
const At = WorkflowEvent.make("at", { value: Schema.Date })
const Ready = WorkflowEvent.make("ready")
const ProgressAsText = WorkflowEvent.make("progress", { value: Schema.String })
const Go = Message.make("go")

const Publisher = Workflow.make("Publisher", { success: Schema.Unknown })
const Reader = Workflow.make("Reader", { success: Schema.Unknown })
/** Longer than any test waits. */
const slow = { poll: "1 hour" } as const

/** Sets the progress each time it is told to. */
const publishing = Publisher.toLayer(() =>
  Effect.gen(function*() {
    yield* Go.receive()
    yield* Progress.set(1)
    yield* Go.receive()
    yield* Progress.set(2)
    yield* Go.receive()
    return "done"
  })
)

onBothStores("events", (claim) => {
  claim("set in a body have the last value, during the workflow and after its end", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(publishing)
      const handle = yield* engine.use(Publisher.start(undefined, { workflowId: "w" }))
      const before = yield* engine.use(Progress.get("w", { timeout: 0 }))
      assert.isTrue(Option.isNone(before))
      yield* engine.use(Go.send("w"))
      assert.strictEqual(yield* engine.use(Progress.get("w")), 1)
      yield* engine.use(Go.send("w"))
      yield* engine.use(recorded("w", 4))
      assert.deepStrictEqual(yield* engine.use(Progress.get("w", { timeout: "1 second" })), Option.some(2))
      yield* engine.use(Go.send("w"))
      yield* engine.use(handle.result)
      assert.strictEqual(yield* engine.use(Progress.get("w")), 2)
      assert.include(yield* engine.use(stepsOf("w")), "1 event progress")
    }))

  claim("all of a workflow are listed, raw", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(Publisher.toLayer(() =>
        Effect.gen(function*() {
          yield* At.set(new Date(0))
          yield* Ready.set()
          yield* Progress.set(1)
          yield* Progress.set(2)
          return "done"
        })
      ))
      yield* engine.use(Publisher.execute(undefined, { workflowId: "w" }))
      const events = yield* engine.use(Client.events("w"))
      assert.deepStrictEqual(events.map(({ key, value }) => [key, value]), [
        ["at", "1970-01-01T00:00:00.000Z"],
        ["progress", 2],
        ["ready", undefined]
      ])
      assert.strictEqual((yield* engine.use(reasonOf(Client.events("nobody"))))._tag, "WorkflowNotFound")
      assert.deepStrictEqual(yield* engine.use(At.get("w")), new Date(0))
      assert.strictEqual(yield* engine.use(Ready.get("w")), undefined)
    }))

  claim(
    "are waited for from another engine, however seldom it polls; all who wait share a look",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(publishing, slow)
        const client = yield* given.engine([], slow)
        yield* engine.use(Publisher.start(undefined, { workflowId: "w" }))
        const waiting = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 50 }), () => client.use(Progress.get("w")), { concurrency: "unbounded" }),
          { startImmediately: true }
        )
        yield* client.use(Go.send("w"))
        assert.deepStrictEqual(yield* Fiber.join(waiting), Array.from({ length: 50 }, () => 1))
      })
  )

  claim(
    "of an unknown workflow are not waited for; of one that ends without setting them no longer",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(
          Publisher.toLayer(() => Effect.andThen(Go.receive(), Effect.die("ended"))),
          slow
        )
        const client = yield* given.engine([], slow)
        assert.strictEqual((yield* client.use(reasonOf(Progress.get("nobody"))))._tag, "WorkflowNotFound")
        const ends = Effect.fnUntraced(function*(workflowId: string, end: Effect.Effect<unknown, unknown>) {
          yield* engine.use(Publisher.start(undefined, { workflowId }))
          const waiting = yield* Effect.forkChild(client.use(reasonOf(Progress.get(workflowId))), {
            startImmediately: true
          })
          yield* end
          assert.deepInclude(yield* Fiber.join(waiting), { _tag: "EventNeverSet", workflowId, key: "progress" })
        })
        yield* ends("fails", engine.use(Go.send("fails")))
        yield* ends("cancelled", engine.use(Publisher.handle("cancelled").cancel))
        const timed = yield* client.use(reasonOf(Progress.get("fails", { timeout: "1 hour" })))
        assert.strictEqual(timed._tag, "EventNeverSet")
      })
  )

  claim("a limit that passes while everything waits in memory lets the body go on", (given) =>
    Effect.gen(function*() {
      const live = Reader.toLayer(() =>
        Effect.gen(function*() {
          yield* Step.run("before", Effect.void)
          const none = yield* Progress.get("w", { timeout: "50 millis" })
          return none._tag
        })
      )
      const engine = yield* given.engine(live, { ...slow, suspendAfter: "1 day" })
      const handle = yield* engine.use(Reader.start(undefined, { workflowId: "w" }))
      yield* engine.use(recorded("w", 2))
      assert.strictEqual(yield* engine.use(handle.result), "None")
    }))

  claim("set and got replay as they were, also that there was none in time", (given) =>
    Effect.gen(function*() {
      const body = Effect.gen(function*() {
        const early = yield* Progress.get("subject", { timeout: 0 })
        const late = yield* Progress.get("subject", { timeout: "5 millis" })
        yield* Progress.set(1)
        const one = yield* Progress.get("subject")
        yield* Progress.set(2)
        const two = yield* Progress.get("subject", { timeout: "1 hour" })
        const unknown = yield* reasonOf(Progress.get("nobody"))
        const unfit = yield* reasonOf(ProgressAsText.get("subject", { key: "as text" }))
        return [early._tag, late._tag, one, Option.getOrNull(two), unknown._tag, unfit._tag, unfit.what]
      })
      const { live, replayed, steps } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, [
        "None",
        "None",
        1,
        2,
        "WorkflowNotFound",
        "Undecodable",
        "event \"progress\" of workflow \"subject\""
      ])
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(steps.slice(0, 4), [
        "0 get event progress",
        "1 get event progress",
        "2 event progress",
        "3 get event progress"
      ])
    }))

  claim(
    "wake a suspended workflow that waits for them, and so does the end of who would set them",
    (given) =>
      Effect.gen(function*() {
        const live = [
          publishing,
          Reader.toLayer(() => Effect.catch(Progress.get("w"), (error) => Effect.succeed(error.reason._tag)))
        ]
        const engine = yield* given.engine(live, slow)
        const client = yield* given.client
        yield* engine.use(Publisher.start(undefined, { workflowId: "w" }))
        yield* engine.use(Reader.start(undefined, { workflowId: "r" }))
        const info = yield* engine.use(suspends("r"))
        assert.deepStrictEqual(info.waits, [{ what: "event \"progress\" of \"w\"", until: undefined }])
        yield* engine.use(Reader.start(undefined, { workflowId: "s" }))
        yield* engine.use(suspends("s"))
        yield* client.use(Go.send("w"))
        assert.strictEqual(yield* engine.use(Reader.handle("r").result), 1)
        assert.strictEqual(yield* engine.use(Reader.handle("s").result), 1)
      })
  )

  claim("that never come end the wait of a suspended workflow", (given) =>
    Effect.gen(function*() {
      const live = [
        Publisher.toLayer(() => Effect.andThen(Go.receive(), Effect.void)),
        Reader.toLayer(() => Effect.map(reasonOf(Progress.get("w")), (reason) => reason._tag))
      ]
      const engine = yield* given.engine(live, slow)
      const client = yield* given.client
      yield* engine.use(Publisher.start(undefined, { workflowId: "w" }))
      yield* engine.use(Reader.start(undefined, { workflowId: "r" }))
      yield* engine.use(suspends("r"))
      yield* engine.use(suspends("w"))
      yield* client.use(Go.send("w"))
      assert.strictEqual(yield* engine.use(Reader.handle("r").result), "EventNeverSet")
    }))

  claim("are waited for within a limit that goes on while no process is there", (given) =>
    Effect.gen(function*() {
      const live = [
        publishing,
        Reader.toLayer(() =>
          Effect.gen(function*() {
            const first = yield* Progress.get("w", { timeout: "1 hour" })
            return [first._tag, yield* Progress.get("w")]
          })
        )
      ]
      const first = yield* given.engine(live)
      yield* first.use(Publisher.start(undefined, { workflowId: "w" }))
      yield* first.use(Reader.start(undefined, { workflowId: "r" }))
      yield* first.use(suspends("r"))
      yield* first.close
      yield* given.store.adjustClock(2 * hour)
      const second = yield* given.engine(live)
      yield* second.use(recorded("r", 1))
      yield* second.use(Go.send("w"))
      assert.deepStrictEqual(yield* second.use(Reader.handle("r").result), ["None", 1])
    }))

  claim(
    "set in a step are there while it runs, and are set again by an attempt that runs again",
    (given) =>
      Effect.gen(function*() {
        const log = new Log()
        const engine = yield* given.engine(Publisher.toLayer(() =>
          Effect.gen(function*() {
            yield* Step.run(
              "publish",
              Effect.gen(function*() {
                const { currentAttempt } = (yield* StepStatus.current)!
                yield* Progress.set(currentAttempt)
                yield* log.add(`set ${currentAttempt}`)
                if (currentAttempt === 0) yield* Effect.fail("again")
                yield* Effect.never
              }),
              { retry: { maxAttempts: 2, interval: 1 } }
            )
          })
        ))
        yield* engine.use(Publisher.start(undefined, { workflowId: "w" }))
        yield* log.has("set 1")
        assert.strictEqual(yield* engine.use(Progress.get("w")), 1)
        assert.deepStrictEqual(yield* engine.use(stepsOf("w")), ["0 step publish"])
      })
  )

  claim(
    "set just before a crash are there when the process is back, with their record",
    (given) =>
      Effect.gen(function*() {
        const log = new Log()
        let held = true
        const live = Publisher.toLayer(() =>
          Effect.gen(function*() {
            yield* Progress.set(7)
            yield* Step.run(
              "hold",
              Effect.suspend(() => Effect.andThen(log.add("held"), held ? Effect.never : Effect.void))
            )
            return yield* Progress.get("w")
          })
        )
        const first = yield* given.engine(live)
        yield* first.use(Publisher.start(undefined, { workflowId: "w" }))
        yield* log.has("held")
        yield* first.close
        held = false
        const second = yield* given.engine(live)
        assert.strictEqual(yield* second.use(Publisher.handle("w").result), 7)
        assert.deepStrictEqual(yield* second.use(stepsOf("w")), [
          "0 event progress",
          "1 step hold",
          "2 get event progress"
        ])
      })
  )

  claim("of a value that cannot be stored are refused, with the path", (given) =>
    Effect.gen(function*() {
      const Anything = WorkflowEvent.make("anything", { value: Schema.Struct({ n: Schema.Number }) })
      const engine = yield* given.engine(Publisher.toLayer(() =>
        Effect.map(reasonOf(Anything.set({ n: "x" as unknown as number })), (reason) => [reason._tag, reason.path])
      ))
      assert.deepStrictEqual(yield* engine.use(Publisher.execute()), ["Unencodable", "n"])
    }))
})
