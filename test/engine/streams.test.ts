/** Streams: written entry by entry, read from any offset, by anybody. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { setTimeout as after } from "node:timers/promises"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as StepStatus from "perdure/StepStatus"
import * as Workflow from "perdure/Workflow"
import type { InWorkflow } from "perdure/WorkflowContext"
import type { WorkflowError } from "perdure/WorkflowError"
import * as WorkflowStream from "perdure/WorkflowStream"
import { type Given, onBothStores, type Running, storeOf } from "./harness.ts"
import { eventually, Log, reasonOf, recorded, stepsOf, suspends } from "./observing.ts"
import { twiceWell } from "./twice.ts"

class Words extends WorkflowStream.make("words", { value: Schema.String }) {}
const Others = WorkflowStream.make("others", { value: Schema.Date })
const WordsAsNumbers = WorkflowStream.make("words", { value: Schema.Number })
const Say = Message.make("say", { payload: Schema.String })

const Writer = Workflow.make("Writer", { success: Schema.Unknown })
const Quiet = Workflow.make("Writer")
const Reader = Workflow.make("Reader", { success: Schema.Unknown })
/** Longer than any test waits. */
const slow = { poll: "1 hour" } as const

/** Writes what it is told; a full stop closes the stream, an exclamation mark ends the workflow. */
const writing = Writer.toLayer(() =>
  Effect.gen(function*() {
    for (;;) {
      const word = yield* Say.receive()
      if (word === "!") return "done"
      if (word === "?") yield* Effect.die("asked to")
      yield* word === "." ? Words.close : Words.write(word)
    }
  })
)

const say = (engine: Running, words: ReadonlyArray<string>, to = "w") =>
  engine.use(Say.sendMany(words.map((value) => ({ workflowId: to, value }))))

const all = (engine: Running, options?: WorkflowStream.ReadOptions) =>
  engine.use(Stream.runCollect(Words.read("w", options)))

/** Reads on in the background, into the log. */
const follow = (engine: Running, log: Log, options?: WorkflowStream.ReadOptions) =>
  Effect.forkChild(
    Effect.exit(engine.use(Stream.runForEach(Words.read("w", options), (word) => log.add(word)))),
    { startImmediately: true }
  )

const started = (given: Given, options = {}) =>
  Effect.tap(given.engine(writing, options), (engine) => engine.use(Writer.start(undefined, { workflowId: "w" })))

onBothStores("streams", (claim) => {
  claim(
    "are read as they are written, until they are closed, by every reader from where it wants",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* started(given)
        const log = new Log()
        const reading = yield* follow(engine, log)
        yield* say(engine, ["a", "b"])
        yield* log.has("b")
        yield* say(engine, ["c", "."])
        yield* Fiber.join(reading)
        assert.deepStrictEqual(log.entries, ["a", "b", "c"])
        assert.deepStrictEqual(yield* all(engine, { from: 1 }), ["b", "c"])
        // What may come yet from there on is waited for: until the writer has ended, which others need not wait for.
        const beyond = yield* Effect.forkChild(all(engine, { from: 99 }), { startImmediately: true })
        const entries = yield* engine.use(Stream.runCollect(Words.readEntries("w")))
        assert.deepStrictEqual(
          entries.map(({ attempt, offset, superseded, value }) => [offset, value, attempt, superseded]),
          [[0, "a", undefined, false], [1, "b", undefined, false], [2, "c", undefined, false]]
        )
        assert.isUndefined(beyond.pollUnsafe())
        yield* say(engine, ["!"])
        assert.deepStrictEqual(yield* Fiber.join(beyond), [])
      })
  )

  claim("end with their writer: when it succeeds, fails, is cancelled", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(writing, slow)
      const other = yield* given.engine([], slow)
      const ends = Effect.fnUntraced(function*(workflowId: string, end: Effect.Effect<unknown, unknown>) {
        yield* engine.use(Writer.start(undefined, { workflowId }))
        const log = new Log()
        const reading = yield* Effect.forkChild(
          other.use(Stream.runForEach(Words.read(workflowId), (word) => log.add(word))),
          { startImmediately: true }
        )
        yield* say(engine, ["a"], workflowId)
        yield* log.has("a")
        yield* end
        yield* Fiber.join(reading)
        assert.deepStrictEqual(log.entries, ["a"])
      })
      yield* ends("succeeds", say(engine, ["!"], "succeeds"))
      yield* ends("fails", say(engine, ["?"], "fails"))
      yield* ends("cancelled", engine.use(Writer.handle("cancelled").cancel))
    }))

  claim("of an unknown workflow fail at once, and so does an offset that is none", (given) =>
    Effect.gen(function*() {
      const engine = yield* started(given)
      const unknown = yield* engine.use(reasonOf(Stream.runDrain(Words.read("nobody"))))
      assert.strictEqual(unknown._tag, "WorkflowNotFound")
      for (const from of [-1, 0.5, NaN, 2 ** 53]) {
        const reason = yield* engine.use(reasonOf(Stream.runDrain(Words.read("w", { from }))))
        assert.strictEqual(reason._tag, "InvalidArgument")
      }
    }))

  claim("refuse a write after the close, typed, live and after a crash", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      let held = true
      const live = Writer.toLayer(() =>
        Effect.gen(function*() {
          yield* Words.write("a")
          yield* Words.close
          const first = yield* reasonOf(Words.write("b"))
          yield* Words.close
          yield* Step.run(
            "hold",
            Effect.suspend(() => Effect.andThen(log.add("held"), held ? Effect.never : Effect.void))
          )
          const second = yield* reasonOf(Words.write("c"))
          const inStep = yield* Step.run(
            "write",
            Effect.map(reasonOf(Words.write("d")), (reason) => reason._tag as string)
          )
          return [first._tag, second._tag, inStep]
        })
      )
      const one = yield* given.engine(live)
      yield* one.use(Writer.start(undefined, { workflowId: "w" }))
      yield* log.has("held")
      yield* one.close
      held = false
      const two = yield* given.engine(live)
      const closed = ["StreamClosed", "StreamClosed", "StreamClosed"]
      assert.deepStrictEqual(yield* two.use(Writer.handle("w").result), closed)
      assert.deepStrictEqual(yield* all(two), ["a"])
    }))

  claim(
    "refuse a write after the close in later lives too, one that begins in the same millisecond included",
    (given) =>
      Effect.gen(function*() {
        // The clock stands still from the renewal to its claim.
        const store = storeOf(given)
        const { claim } = store
        store.claim = (request) =>
          Effect.map(claim(request), (answer) => ({ ...answer, now: answer.claimed[0]?.row.startedAt ?? answer.now }))
        const Lives = Workflow.make("Lives", { payload: { n: Schema.Int }, success: Schema.Unknown })
        const engine = yield* given.engine(Lives.toLayer(Effect.fnUntraced(function*({ n }) {
          if (n > 1) {
            const reason = yield* reasonOf(Words.write("b"))
            return reason._tag
          }
          yield* Words.write("a")
          yield* Words.close
          return yield* Lives.continueAsNew({ n: n + 1 })
        })))
        const handle = yield* engine.use(Lives.start({ n: 1 }, { workflowId: "w" }))
        assert.strictEqual(yield* engine.use(handle.result), "StreamClosed")
        assert.deepStrictEqual(yield* all(engine), ["a"])
      })
  )

  claim("written in a body have each entry once, whatever ends the process", (given) =>
    Effect.gen(function*() {
      const first = yield* started(given)
      const log = new Log()
      yield* say(first, ["a", "b", "c"])
      yield* first.use(recorded("w", 6))
      yield* first.close
      const second = yield* given.engine(writing)
      const reading = yield* follow(second, log)
      yield* say(second, ["d", "!"])
      yield* Fiber.join(reading)
      assert.deepStrictEqual(log.entries, ["a", "b", "c", "d"])
    }))

  claim(
    "written in a step show the attempt that is recorded, and the others on request",
    (given) =>
      Effect.gen(function*() {
        const log = new Log()
        const gate = { open: false }
        const engine = yield* given.engine(Quiet.toLayer(() =>
          Effect.gen(function*() {
            yield* Words.write("before")
            yield* Step.run(
              "write",
              Effect.gen(function*() {
                const { currentAttempt } = (yield* StepStatus.current)!
                yield* Words.write(`${currentAttempt}a`)
                yield* log.add(`written ${currentAttempt}`)
                if (currentAttempt === 0) {
                  yield* eventually("the gate", Effect.sync(() => gate.open), (open) => open)
                  yield* Effect.fail("again")
                }
                yield* Words.write(`${currentAttempt}b`)
              }),
              { retry: { maxAttempts: 2, interval: 1 } }
            )
            yield* Words.write("after")
          })
        ))
        const seen = new Log()
        yield* engine.use(Writer.start(undefined, { workflowId: "w" }))
        const reading = yield* follow(engine, seen)
        // Visible while the step runs.
        yield* seen.has("0a")
        gate.open = true
        yield* Fiber.join(reading)
        assert.deepStrictEqual(seen.entries, ["before", "0a", "1a", "1b", "after"])
        assert.deepStrictEqual(yield* all(engine), ["before", "1a", "1b", "after"])
        assert.deepStrictEqual(yield* all(engine, { superseded: true }), ["before", "0a", "1a", "1b", "after"])
        const entries = yield* engine.use(Stream.runCollect(Words.readEntries("w", { superseded: true })))
        assert.deepStrictEqual(
          entries.map(({ attempt, offset, stepId, superseded }) => [offset, stepId, attempt, superseded]),
          [[0, 0, undefined, false], [1, 1, 0, true], [2, 1, 1, false], [3, 1, 1, false], [4, 2, undefined, false]]
        )
      })
  )

  /** From now on claims are made before the start of what they claim, by the database's clock. */
  const setBack = (given: Given) => {
    const store = storeOf(given)
    const { claim } = store
    store.claim = (request) =>
      Effect.map(claim(request), (answer) => ({ ...answer, now: (answer.claimed[0]?.row.startedAt ?? answer.now) - 1 }))
  }

  for (
    const [how, before, between] of [
      ["", Effect.void, () => {}],
      [", with plain work before it,", Effect.promise(() => after(100)), () => {}],
      [", and the clock set back,", Effect.void, setBack]
    ] as const
  ) {
    claim(
      `written in a step whose process was lost${how} show the attempt of the next one`,
      (given) =>
        Effect.gen(function*() {
          const log = new Log()
          let life = 1
          const live = Quiet.toLayer(() =>
            Effect.andThen(
              before,
              Step.run(
                "write",
                Effect.gen(function*() {
                  yield* Words.write(`life ${life}`)
                  yield* Words.close
                  yield* log.add(`life ${life}`)
                  if (life === 1) yield* Effect.never
                })
              )
            )
          )
          const first = yield* given.engine(live)
          yield* first.use(Quiet.start(undefined, { workflowId: "w" }))
          yield* log.has("life 1")
          yield* first.close
          between(given)
          life = 2
          const second = yield* given.engine(live)
          yield* second.use(Quiet.handle("w").result)
          assert.deepStrictEqual(yield* all(second), ["life 2"])
          assert.deepStrictEqual(yield* all(second, { superseded: true }), ["life 1", "life 2"])
        })
    )
  }

  /** A step that is tried `attempts` times, whose attempts write what they are told; then the body writes "after". */
  const writes = (...attempts: ReadonlyArray<Effect.Effect<void, WorkflowError | string, InWorkflow>>) =>
    Quiet.toLayer(() =>
      Effect.gen(function*() {
        yield* Step.run(
          "write",
          Effect.flatMap(StepStatus.current, (status) => attempts[status!.currentAttempt]!),
          { retry: { maxAttempts: attempts.length, interval: 1 } }
        ).pipe(Effect.ignore)
        yield* Words.write("after")
      })
    )

  for (
    const [what, attempts, shown] of [
      ["nothing, of a step whose last attempt writes nothing", [["a"], []], []],
      ["nothing of an attempt that closed the stream", [["a", "."], []], []],
      ["what the last attempt wrote, of one that fails for good", [["a"], ["b", "fail"]], ["b"]],
      ["nothing, of one that fails for good in an attempt that writes nothing", [["a"], ["fail"]], []]
    ] as const
  ) {
    claim(`written in a step show ${what}`, (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(writes(
          ...attempts.map((words: ReadonlyArray<string>, attempt) =>
            Effect.gen(function*() {
              for (const word of words) {
                yield* word === "."
                  ? Words.close
                  : word === "fail"
                  ? Effect.void
                  : Words.write(word)
              }
              if (attempt === 0 || words.includes("fail")) yield* Effect.fail("again")
            })
          )
        ))
        yield* engine.use(Quiet.execute(undefined, { workflowId: "w" }))
        assert.deepStrictEqual(yield* all(engine), [...shown, "after"])
      }))
  }

  claim(
    "written in a step whose process was lost show nothing, if the next one writes nothing",
    (given) =>
      Effect.gen(function*() {
        const log = new Log()
        let life = 1
        const live = writes(Effect.suspend(() =>
          life === 2 ? Effect.void : Effect.gen(function*() {
            yield* Words.write("life 1")
            yield* Words.close
            yield* log.add("written")
            yield* Effect.never
          })
        ))
        const first = yield* given.engine(live)
        yield* first.use(Quiet.start(undefined, { workflowId: "w" }))
        yield* log.has("written")
        yield* first.close
        life = 2
        const second = yield* given.engine(live)
        yield* second.use(Quiet.handle("w").result)
        assert.deepStrictEqual(yield* all(second), ["after"])
        const streams = yield* second.use(Client.streams("w"))
        assert.deepStrictEqual(streams.map(({ closed, key }) => [key, closed]), [["words", false]])
      })
  )

  claim("of one workflow are apart", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(Quiet.toLayer(() =>
        Effect.gen(function*() {
          yield* Others.write(new Date(0))
          yield* Words.write("a")
          yield* Others.close
          yield* Words.write("b")
        })
      ))
      yield* engine.use(Quiet.execute(undefined, { workflowId: "w" }))
      assert.deepStrictEqual(yield* all(engine), ["a", "b"])
      assert.deepStrictEqual(yield* engine.use(Stream.runCollect(Others.read("w"))), [new Date(0)])
      assert.deepStrictEqual(yield* engine.use(stepsOf("w")), [
        "0 stream others",
        "1 stream words",
        "2 stream others",
        "3 stream words"
      ])
    }))

  claim("read in a body are recorded chunk by chunk, and replay as they were", (given) =>
    Effect.gen(function*() {
      const engine = yield* started(given)
      yield* say(engine, ["a", "b", "."])
      yield* engine.use(Stream.runDrain(Words.read("w")))
      yield* engine.close
      const body = Effect.gen(function*() {
        const words = yield* Stream.runCollect(Words.read("w"))
        const entries = yield* Stream.runCollect(Words.readEntries("w", { from: 1 }))
        const first = yield* Stream.runHead(Words.read("w", { key: "first" }))
        const unknown = yield* reasonOf(Stream.runDrain(Words.read("nobody")))
        const unfit = yield* reasonOf(Stream.runDrain(WordsAsNumbers.read("w", { key: "unfit" })))
        return [words, entries, first, unknown._tag, unfit._tag, unfit.what]
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live[0], ["a", "b"])
      assert.deepStrictEqual(live.slice(3), [
        "WorkflowNotFound",
        "Undecodable",
        "entry 0 of stream \"words\" of workflow \"w\""
      ])
      assert.deepStrictEqual(replayed, live)
    }))

  claim("wake a suspended workflow that reads them, at every entry and at the end", (given) =>
    Effect.gen(function*() {
      const reading = Reader.toLayer(() => Stream.runCollect(Words.read("w")))
      const engine = yield* given.engine([writing, reading], slow)
      const client = yield* given.client
      yield* engine.use(Writer.start(undefined, { workflowId: "w" }))
      const handle = yield* engine.use(Reader.start(undefined, { workflowId: "r" }))
      const info = yield* engine.use(suspends("r"))
      assert.deepStrictEqual(info.waits, [{ what: "stream \"words\" of \"w\"", until: undefined }])
      yield* say(client, ["a"])
      yield* engine.use(recorded("r", 1))
      yield* engine.use(suspends("r"))
      yield* say(client, ["b"])
      yield* engine.use(recorded("r", 2))
      yield* engine.use(suspends("r"))
      yield* say(client, ["!"])
      assert.deepStrictEqual(yield* engine.use(handle.result), ["a", "b"])
    }))

  claim(
    "are followed from another engine, however seldom it polls, a thousand entries without a gap",
    (given) =>
      Effect.gen(function*() {
        const count = 1000
        const engine = yield* given.engine(
          Quiet.toLayer(() =>
            Step.run(
              "write",
              Effect.forEach(Array.from({ length: count }), (_, index) => Words.write(`${index}`), { discard: true })
            )
          ),
          slow
        )
        const other = yield* given.engine([], slow)
        yield* engine.use(Writer.start(undefined, { workflowId: "w" }))
        const expected = Array.from({ length: count }, (_, index) => [index, `${index}`])
        const entries = yield* other.use(Stream.runCollect(Words.readEntries("w")))
        assert.deepStrictEqual(entries.map(({ offset, value }) => [offset, value]), expected)
      })
  )

  claim("are not written by what a step has left behind", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      const engine = yield* given.engine(Quiet.toLayer(() =>
        Effect.gen(function*() {
          yield* Step.run(
            "leave",
            Effect.asVoid(Effect.forkDetach(
              Effect.sleep(20).pipe(
                Effect.andThen(reasonOf(Words.write("late"))),
                Effect.flatMap((reason) => log.add(reason._tag))
              )
            ))
          )
          yield* Step.run("wait", log.has("OutsideWorkflow"))
        })
      ))
      yield* engine.use(Quiet.execute(undefined, { workflowId: "w" }))
      assert.deepStrictEqual(yield* all(engine), [])
    }))
})
