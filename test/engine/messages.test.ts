/** Messages: to a workflow, from anywhere, once. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as StepStatus from "perdure/StepStatus"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import { onBothStores, storeOf } from "./harness.ts"
import { eventually, Log, reasonOf, recorded, stepsOf, suspends } from "./observing.ts"
import { twiceWell } from "./twice.ts"

const hour = 3_600_000
const day = 24 * hour

class Note extends Message.make("note", { payload: Schema.String }) {}
const Number = Message.make("number", { payload: { n: Schema.Number, at: Schema.optionalKey(Schema.Date) } })
const Go = Message.make("go")
const NoteAsNumber = Message.make("note", { payload: Schema.Number })

const Receiver = Workflow.make("Receiver", { success: Schema.Unknown })
const Sender = Workflow.make("Sender")
const Idle = Workflow.make("Idle")

/** Waits for nothing that a test sends. */
const idle = Idle.toLayer(() => Effect.sleep("1000 days"))
/** Longer than any test waits. */
const slow = { poll: "1 hour" } as const

onBothStores("messages", (claim) => {
  const ways = [
    ["", Go.receive()],
    [", waited for with a limit too", Go.receive({ timeout: "1 hour" })]
  ] as const
  for (const [how, receive] of ways) {
    claim(
      `that come often keep a workflow in memory, however long it goes on${how}`,
      (given) =>
        Effect.gen(function*() {
          const [count, suspendAfter] = [100, 400]
          let bodies = 0
          const times: Array<number> = []
          const engine = yield* given.engine(
            Receiver.toLayer(() =>
              Effect.gen(function*() {
                bodies++
                for (let i = 0; i < count; i++) {
                  times.push(performance.now())
                  yield* receive
                }
                times.push(performance.now())
                return bodies
              })
            ),
            { suspendAfter }
          )
          const handle = yield* engine.use(Receiver.start(undefined, { workflowId: "w" }))
          yield* engine.use(
            Effect.repeat(Effect.andThen(Effect.sleep("15 millis"), Go.send("w")), { times: count - 1 })
          )
          yield* engine.use(handle.result)
          assert.isAbove(times.at(-1)! - times[0]!, 2 * suspendAfter)
          const longest = Math.max(...times.slice(1).map((time, i) => time - times[i]!))
          // A machine that stops for a while makes a wait long.
          assert.isTrue(bodies === 1 || longest >= suspendAfter, `${bodies} runs, waits of ${longest} ms at most`)
        })
    )
  }

  claim("sent from outside is received, typed, in the order sent", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(Receiver.toLayer(() =>
        Effect.gen(function*() {
          const first = yield* Number.receive()
          const second = yield* Number.receive()
          yield* Go.receive()
          return [first.n, first.at?.getTime(), second.n, yield* Note.receive()]
        })
      ))
      const handle = yield* engine.use(Receiver.start(undefined, { workflowId: "w" }))
      yield* engine.use(Number.send("w", { n: 1, at: new Date(5) }))
      yield* engine.use(Number.send("w", { n: 2 }))
      yield* engine.use(Go.send("w"))
      yield* engine.use(Note.send("w", "é"))
      assert.deepStrictEqual(yield* engine.use(handle.result), [1, 5, 2, "é"])
      assert.deepStrictEqual(yield* engine.use(stepsOf("w")), [
        "0 receive number",
        "1 receive number",
        "2 receive go",
        "3 receive note"
      ])
    }))

  claim(
    "sent before anybody waits is kept: a thousand of them, each received once, in order",
    (given) =>
      Effect.gen(function*() {
        const count = 1000
        const engine = yield* given.engine([
          idle,
          Receiver.toLayer(() =>
            Effect.gen(function*() {
              yield* Go.receive()
              const got: Array<string> = []
              for (let i = 0; i < count; i++) got.push(yield* Note.receive())
              return [got, Option.isNone(yield* Note.receive({ timeout: 0 }))]
            })
          )
        ])
        const handle = yield* engine.use(Receiver.start(undefined, { workflowId: "w" }))
        const values = Array.from({ length: count }, (_, index) => `${index}`)
        yield* engine.use(Note.sendMany(values.map((value) => ({ workflowId: "w", value }))))
        yield* engine.use(Go.send("w"))
        assert.deepStrictEqual(yield* engine.use(handle.result), [values, true])
      })
  )

  claim("from a body is sent exactly once, whatever ends the process", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      let held = true
      const live = [
        Receiver.toLayer(() =>
          Effect.gen(function*() {
            const first = yield* Note.receive()
            return [first, (yield* Note.receive({ timeout: "1 day" }))._tag]
          })
        ),
        Sender.toLayer(() =>
          Effect.gen(function*() {
            yield* Note.send("w", "once")
            yield* Step.run(
              "after",
              Effect.suspend(() => Effect.andThen(log.add("after"), held ? Effect.never : Effect.void))
            )
          })
        )
      ]
      const first = yield* given.engine(live)
      yield* first.use(Receiver.start(undefined, { workflowId: "w" }))
      yield* first.use(Sender.start(undefined, { workflowId: "s" }))
      yield* log.has("after")
      yield* first.close
      held = false
      const second = yield* given.engine(live)
      yield* second.use(Sender.handle("s").result)
      yield* second.use(recorded("w", 1))
      yield* second.use(suspends("w"))
      yield* given.store.adjustClock(day)
      assert.deepStrictEqual(yield* second.use(Receiver.handle("w").result), ["once", "None"])
      const sent = yield* given.store.messages("w", { topic: null, limit: 10, consumed: true })
      assert.deepStrictEqual(sent.map((message) => [message.senderId, message.consumedBy]), [["s", 0]])
    }))

  claim("received, its absence and what was sent replay as they were", (given) =>
    Effect.gen(function*() {
      const body = Effect.gen(function*() {
        yield* Note.send("subject", "to myself")
        const got = yield* Note.receive()
        const polled = yield* Note.receive({ timeout: 0 })
        const late = yield* Note.receive({ timeout: "5 millis" })
        const unknown = yield* reasonOf(Note.send("nobody", "x"))
        return [got, polled._tag, late._tag, unknown._tag, unknown.why]
      })
      const { live, replayed, steps } = yield* twiceWell(given, body)
      assert.deepStrictEqual(live, ["to myself", "None", "None", "MessageUndeliverable", "unknown"])
      assert.deepStrictEqual(replayed, live)
      assert.deepStrictEqual(steps, [
        "0 send note",
        "1 receive note",
        "2 receive note",
        "3 receive note",
        "4 send note"
      ])
    }))

  claim(
    "wakes a suspended workflow at once, sent by a client, however seldom the engine polls",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(
          Receiver.toLayer(() =>
            Effect.flatMap(Note.receive(), (first) => Effect.map(Note.receive(), (second) => first + second))
          ),
          slow
        )
        const client = yield* given.client
        const handle = yield* client.use(Receiver.start(undefined, { workflowId: "w" }))
        const info = yield* engine.use(suspends("w"))
        assert.deepStrictEqual(info.waits, [{ what: "message \"note\"", until: undefined }])
        yield* client.use(Note.send("w", "a"))
        yield* engine.use(recorded("w", 1))
        yield* engine.use(suspends("w"))
        yield* client.use(Note.send("w", "b"))
        assert.strictEqual(yield* engine.use(handle.result), "ab")
      })
  )

  claim(
    "wakes one at once whose suspension is written and not yet known to be, however seldom the engine polls",
    (given) =>
      Effect.gen(function*() {
        const store = storeOf(given)
        const { write } = store
        const suspended = yield* Deferred.make<void>()
        const answered = yield* Deferred.make<void>()
        store.write = (batch) =>
          Effect.tap(write(batch), () =>
            batch.every((one) => one._tag !== "Advance" || one.end?._tag !== "Suspend")
              ? Effect.void
              : Effect.andThen(Deferred.succeed(suspended, undefined), Deferred.await(answered)))
        const log = new Log()
        const engine = yield* given.engine(
          Receiver.toLayer(() => Effect.andThen(log.add("runs"), Note.receive())),
          { poll: "1 hour" }
        )
        const client = yield* given.client
        const handle = yield* engine.use(Receiver.start(undefined, { workflowId: "w" }))
        yield* Deferred.await(suspended)
        yield* client.use(Note.send("w", "a"))
        yield* log.has("runs", 2)
        yield* Deferred.succeed(answered, undefined)
        assert.strictEqual(yield* engine.use(handle.result), "a")
      })
  )

  claim(
    "wakes one that waits in memory at once, sent by a client, however seldom the engine polls",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(
          Receiver.toLayer(() => Effect.andThen(Step.run("begin", Effect.void), Note.receive())),
          { ...slow, suspendAfter: "1 hour" }
        )
        const client = yield* given.client
        const handle = yield* client.use(Receiver.start(undefined, { workflowId: "w" }))
        yield* engine.use(recorded("w", 1))
        yield* client.use(Note.send("w", "a"))
        assert.strictEqual(yield* engine.use(handle.result), "a")
      })
  )

  claim("the limit of a receive goes on while no process is there", (given) =>
    Effect.gen(function*() {
      const live = Receiver.toLayer(() =>
        Effect.gen(function*() {
          const first = yield* Note.receive({ timeout: "1 hour" })
          return [first._tag, yield* Note.receive()]
        })
      )
      const first = yield* given.engine(live)
      yield* first.use(Receiver.start(undefined, { workflowId: "w" }))
      yield* first.use(suspends("w"))
      yield* first.close
      yield* given.store.adjustClock(2 * hour)
      // Too late for the first receive, and kept for the second.
      const client = yield* given.client
      yield* client.use(Note.send("w", "late"))
      const second = yield* given.engine(live)
      assert.deepStrictEqual(yield* second.use(Receiver.handle("w").result), ["None", "late"])
    }))

  claim(
    "what was sent within the limit is received, though nobody was there until after it",
    (given) =>
      Effect.gen(function*() {
        const live = Receiver.toLayer(() =>
          Effect.gen(function*() {
            // Of two waits the one that was over first wins, whenever anybody looks.
            const first = yield* Workflow.select({
              note: Note.receive({ timeout: "1 hour" }),
              sleep: Effect.sleep("90 minutes")
            })
            return first._tag === "note" ? Option.getOrElse(first.value, () => "none") : "slept"
          })
        )
        const first = yield* given.engine(live)
        yield* first.use(Receiver.start(undefined, { workflowId: "w" }))
        yield* first.use(Receiver.start(undefined, { workflowId: "v" }))
        yield* first.use(suspends("w"))
        yield* first.use(suspends("v"))
        yield* first.close
        const client = yield* given.client
        yield* client.use(Note.send("w", "in time"))
        yield* given.store.adjustClock(2 * hour)
        const second = yield* given.engine(live)
        assert.strictEqual(yield* second.use(Receiver.handle("w").result), "in time")
        assert.strictEqual(yield* second.use(Receiver.handle("v").result), "none")
      })
  )

  claim("a limit that passes in memory, or while suspended, ends the wait", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(Receiver.toLayer(() =>
        Effect.gen(function*() {
          const short = yield* Note.receive({ timeout: "10 millis" })
          const long = yield* Note.receive({ timeout: "10 days" })
          return [short._tag, long._tag]
        })
      ))
      const handle = yield* engine.use(Receiver.start(undefined, { workflowId: "w" }))
      yield* engine.use(recorded("w", 1))
      const info = yield* engine.use(suspends("w"))
      assert.approximately(info.waits[0]!.until!.getTime() - info.startedAt!.getTime(), 10 * day, 60_000)
      yield* given.store.adjustClock(10 * day)
      assert.deepStrictEqual(yield* engine.use(handle.result), ["None", "None"])
    }))

  claim(
    "two that receive one topic at once are served in the order asked, and share nothing",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(Receiver.toLayer(() =>
          Workflow.forEach(
            [0, 1, 2],
            (index) => Effect.map(Note.receive(), (note) => `${index} ${note}`),
            { concurrency: "unbounded" }
          )
        ))
        const handle = yield* engine.use(Receiver.start(undefined, { workflowId: "w" }))
        yield* engine.use(suspends("w"))
        for (const note of ["a", "b", "c"]) yield* engine.use(Note.send("w", note))
        assert.deepStrictEqual(yield* engine.use(handle.result), ["0 a", "1 b", "2 c"])
      })
  )

  claim("one that loses a race consumes nothing", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(Receiver.toLayer(() =>
        Effect.gen(function*() {
          yield* Go.receive()
          // Both are there: the first asked for wins, the other's stays.
          const won = yield* Workflow.race([Note.receive(), Effect.map(Number.receive(), ({ n }) => `${n}`)])
          const timedOut = yield* Effect.timeoutOption(Go.receive({ key: "late" }), "5 millis")
          return [won, timedOut._tag, yield* Number.receive(), Option.isNone(yield* Note.receive({ timeout: 0 }))]
        })
      ))
      const handle = yield* engine.use(Receiver.start(undefined, { workflowId: "w" }))
      yield* engine.use(Note.send("w", "a"))
      yield* engine.use(Number.send("w", { n: 1 }))
      yield* engine.use(Go.send("w"))
      assert.deepStrictEqual(yield* engine.use(handle.result), ["a", "None", { n: 1 }, true])
    }))

  claim(
    "that does not fit the schema fails the receive, typed and named, and is consumed",
    (given) =>
      Effect.gen(function*() {
        const body = Effect.gen(function*() {
          yield* NoteAsNumber.send("subject", 1, { idempotencyKey: "bad" })
          yield* Note.send("subject", "good")
          const reason = yield* reasonOf(Note.receive())
          return [reason._tag, reason.what, yield* Note.receive()]
        })
        const { live, replayed } = yield* twiceWell(given, body)
        assert.deepStrictEqual(live, ["Undecodable", "message \"bad\" of topic \"note\"", "good"])
        assert.deepStrictEqual(replayed, live)
      })
  )

  claim(
    "to nobody, or to one that has ended, is refused: typed, and with all that was sent together",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine([idle, Receiver.toLayer(() => Effect.succeed("done"))])
        yield* engine.use(Receiver.execute(undefined, { workflowId: "ended" }))
        yield* engine.use(Idle.start(undefined, { workflowId: "idle" }))
        const unknown = yield* engine.use(reasonOf(Note.send("nobody", "x")))
        assert.deepInclude(unknown, {
          _tag: "MessageUndeliverable",
          workflowId: "nobody",
          topic: "note",
          why: "unknown"
        })
        const ended = yield* engine.use(
          reasonOf(Note.sendMany([{ workflowId: "idle", value: "x" }, { workflowId: "ended", value: "x" }]))
        )
        assert.deepInclude(ended, { _tag: "MessageUndeliverable", workflowId: "ended", why: "ended" })
        assert.deepStrictEqual(yield* given.store.messages("idle", { topic: null, limit: 10 }), [])
        yield* engine.use(Note.sendMany([]))
      })
  )

  claim(
    "under an idempotency key is there once; another one under it is a conflict; another workflow's is its own",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(idle)
        for (const workflowId of ["w", "v"]) yield* engine.use(Idle.start(undefined, { workflowId }))
        const send = (to: string, value: string) => engine.use(Note.send(to, value, { idempotencyKey: "k" }))
        yield* send("w", "a")
        yield* send("w", "a")
        yield* send("v", "b")
        const reason = yield* reasonOf(send("w", "b"))
        assert.deepInclude(reason, { _tag: "MessageConflict", workflowId: "w", idempotencyKey: "k" })
        assert.strictEqual((yield* given.store.messages("w", { topic: null, limit: 10 })).length, 1)
        assert.strictEqual((yield* given.store.messages("v", { topic: null, limit: 10 })).length, 1)
      })
  )

  claim(
    "from a step that runs again is there once where it is the same, and not lost where it differs",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine([
          idle,
          Sender.toLayer(() =>
            Step.run(
              "send",
              Effect.gen(function*() {
                const attempt = (yield* StepStatus.current)!.currentAttempt
                yield* Note.send("w", "same")
                yield* Note.send("w", `attempt ${attempt}`)
                if (attempt === 0) yield* Effect.fail("again")
              }),
              { retry: { maxAttempts: 2, interval: 1 } }
            )
          )
        ])
        yield* engine.use(Idle.start(undefined, { workflowId: "w" }))
        yield* engine.use(Sender.execute(undefined, { workflowId: "s" }))
        const sent = yield* given.store.messages("w", { topic: null, limit: 10 })
        assert.deepStrictEqual(sent.map(({ payload }) => payload), ["\"same\"", "\"attempt 0\"", "\"attempt 1\""])
      })
  )

  claim("from a step that another process runs again is there once", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      const sender = (then: Effect.Effect<void>) =>
        Sender.toLayer(() =>
          Step.run(
            "send",
            Effect.gen(function*() {
              const { workflowId } = yield* WorkflowContext.current
              yield* Note.send("w", `by ${workflowId}`)
              yield* log.add(`sent by ${workflowId}`)
              yield* then
            })
          )
        )
      const first = yield* given.engine([idle, sender(Effect.never)])
      yield* first.use(Idle.start(undefined, { workflowId: "w" }))
      yield* first.use(Sender.start(undefined, { workflowId: "started" }))
      yield* (yield* given.client).use(Sender.start(undefined, { workflowId: "claimed" }))
      for (const id of ["started", "claimed"]) yield* log.has(`sent by ${id}`)
      yield* first.close
      const second = yield* given.engine([idle, sender(Effect.void)])
      for (const id of ["started", "claimed"]) yield* second.use(Sender.handle(id).result)
      assert.deepStrictEqual(log.entries.toSorted(), [
        "sent by claimed",
        "sent by claimed",
        "sent by started",
        "sent by started"
      ])
      const sent = yield* given.store.messages("w", { topic: null, limit: 10 })
      assert.deepStrictEqual(sent.map(({ payload }) => payload).toSorted(), ["\"by claimed\"", "\"by started\""])
    }))

  claim(
    "from a step of a workflow that has the id of a deleted one is a message of its own",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine([idle, Sender.toLayer(() => Step.run("send", Note.send("w", "tick")))])
        yield* engine.use(Idle.start(undefined, { workflowId: "w" }))
        for (const count of [1, 2]) {
          yield* engine.use(Sender.execute(undefined, { workflowId: "s" }))
          assert.lengthOf(yield* given.store.messages("w", { topic: null, limit: 10 }), count)
          yield* engine.use(Client.delete("s"))
        }
      })
  )

  claim("from a step whose workflow is another's by then is not sent", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      const gate = yield* Deferred.make<void>()
      // It learns of nothing by itself.
      const store = storeOf(given)
      store.hints = () => Stream.never
      const engine = yield* given.engine([
        idle,
        Sender.toLayer(() =>
          Step.run(
            "send",
            log.add("began").pipe(
              Effect.andThen(Deferred.await(gate)),
              Effect.andThen(Note.send("w", "late")),
              Effect.andThen(log.add("sent")),
              Effect.onInterrupt(() => log.add("interrupted"))
            )
          )
        )
      ], { heartbeat: "1 hour" })
      yield* engine.use(Idle.start(undefined, { workflowId: "w" }))
      yield* engine.use(Sender.start(undefined, { workflowId: "s" }))
      yield* log.has("began")
      yield* given.store.cancel(["s"], { children: false, reason: "{}", childReason: "{}" })
      yield* Deferred.succeed(gate, undefined)
      yield* log.has("interrupted")
      assert.deepStrictEqual(yield* given.store.messages("w", { topic: null, limit: 10 }), [])
      assert.notInclude(log.entries, "sent")
    }))

  claim(
    "of many senders at once: what each has sent comes in its order, everything once",
    (given) =>
      Effect.gen(function*() {
        const senders = 8
        const each = 20
        const engine = yield* given.engine(Receiver.toLayer(() =>
          Effect.gen(function*() {
            const got: Array<string> = []
            for (let i = 0; i < senders * each; i++) got.push(yield* Note.receive())
            return got
          })
        ))
        const clients = yield* Effect.forEach([1, 2], () => given.client)
        const handle = yield* engine.use(Receiver.start(undefined, { workflowId: "w" }))
        yield* Effect.forEach(Array.from({ length: senders }, (_, sender) => sender), (sender) =>
          Effect.forEach(
            Array.from({ length: each }, (_, index) => index),
            (index) => clients[sender % 2]!.use(Note.send("w", `${sender}:${index}`)),
            { discard: true }
          ), { concurrency: "unbounded", discard: true })
        const got = (yield* engine.use(handle.result)) as ReadonlyArray<string>
        assert.strictEqual(new Set(got).size, senders * each)
        for (let sender = 0; sender < senders; sender++) {
          assert.deepStrictEqual(
            got.filter((note) => note.startsWith(`${sender}:`)),
            Array.from({ length: each }, (_, index) => `${sender}:${index}`)
          )
        }
      })
  )

  claim("is not waited for by a workflow that is cancelled", (given) =>
    Effect.gen(function*() {
      const log = new Log()
      const engine = yield* given.engine(
        Receiver.toLayer(() => Effect.onInterrupt(Note.receive(), () => log.add("interrupted"))),
        { suspendAfter: "1 hour" }
      )
      const handle = yield* engine.use(Receiver.start(undefined, { workflowId: "w" }))
      yield* engine.use(eventually("it to run", Client.get("w"), (info) => info.status === "PENDING"))
      yield* engine.use(handle.cancel)
      yield* log.has("interrupted")
      assert.strictEqual((yield* engine.use(reasonOf(handle.result)))._tag, "WorkflowCancelled")
      assert.strictEqual((yield* engine.use(reasonOf(Note.send("w", "x")))).why, "ended")
    }))

  claim("is received by the next owner when the process ends before the record", (given) =>
    Effect.gen(function*() {
      const live = Receiver.toLayer(() =>
        Effect.map(Effect.zip(Note.receive(), Note.receive()), (both) => both.join(" "))
      )
      const first = yield* given.engine(live, { suspendAfter: "1 hour" })
      yield* first.use(Receiver.start(undefined, { workflowId: "w" }))
      yield* first.use(Note.send("w", "a"))
      yield* first.use(recorded("w", 1))
      yield* first.close
      const client = yield* given.client
      yield* client.use(Note.send("w", "b"))
      const second = yield* given.engine(live)
      assert.strictEqual(yield* second.use(Receiver.handle("w").result), "a b")
    }))

  claim("is refused where it is out of place, with the reason", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(Receiver.toLayer(() =>
        Effect.gen(function*() {
          // The body's service reaches its steps, so this is found out when it runs.
          const inStep = yield* Step.run(
            "receive",
            Effect.map(reasonOf(Note.receive()), (reason) => reason._tag as string)
          )
          const negative = yield* reasonOf(Note.receive({ timeout: -1 }))
          return [inStep, negative._tag]
        })
      ))
      assert.deepStrictEqual(yield* engine.use(Receiver.execute()), ["OutsideWorkflow", "InvalidArgument"])
      assert.strictEqual((yield* engine.use(reasonOf(Note.send("", "x"))))._tag, "InvalidArgument")
      assert.strictEqual(
        (yield* engine.use(reasonOf(Note.send("w", "x", { idempotencyKey: "" }))))._tag,
        "InvalidArgument"
      )
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.sync(() => Message.make("")))))
    }))

  claim(
    "sent by a caller that is interrupted is there or not, and nothing is left waiting",
    (given) =>
      Effect.gen(function*() {
        const store = storeOf(given)
        const { write } = store
        let underWay = 0
        store.write = (batch) =>
          Effect.suspend(() => {
            underWay++
            return Effect.ensuring(write(batch), Effect.sync(() => underWay--))
          })
        const engine = yield* given.engine(idle)
        yield* engine.use(Idle.start(undefined, { workflowId: "w" }))
        const sending = yield* Effect.forkChild(engine.use(Note.send("w", "x")), { startImmediately: true })
        yield* Fiber.interrupt(sending)
        yield* engine.use(Note.send("w", "y"))
        // Ends when all that was begun has been answered.
        yield* engine.close
        assert.strictEqual(underWay, 0)
        const sent = yield* given.store.messages("w", { topic: null, limit: 10 })
        const payloads = sent.map(({ payload }) => payload).toSorted()
        assert.deepStrictEqual(payloads, payloads.length === 1 ? ["\"y\""] : ["\"x\"", "\"y\""])
      })
  )
})
