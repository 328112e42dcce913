/**
 * The table of bad input: every kind of odd value that a caller can give, where it can be given, and what becomes of it.
 * Either it comes back as it was, live, replayed and in another process, or it is refused with a typed error that says
 * what, why and what to do, before any table has a row more.
 *
 * Rows are numbered I01 to I52. What bodies do is in badInputBodies.test.ts, what stands in a row and is tested elsewhere:
 *
 * - I09 (a getter, a proxy that throws), I10: packages/perdure/test/text.test.ts; I11 (classes, `Cause`, `Exit`):
 *   packages/perdure/test/codec.test.ts.
 * - I17 (causes in circles, `AggregateError`, a message that throws): values.test.ts and packages/perdure/test/failure.test.ts.
 * - I20, second half (a retry predicate that never resolves): a predicate is a function of the error, not an effect.
 * - I27, second half (another database, at registration): a transaction's client is known when it runs, not before.
 * - I31 (limits that a queue is given at run time): client.test.ts, "limits that make no sense are refused, ...".
 * - I44, I45 (bodies, methods): http.test.ts for what `WorkflowApi` derives; the admin API: packages/server/test/
 *   securing.test.ts and hostile.test.ts.
 * - I21, I43 at the command line: packages/cli/test/hostile.test.ts, failing.test.ts.
 * - I48 (another protocol or serializer): there is no protocol between client and executor but the tables, and each row
 *   names its codec; a schema that is newer than the code is refused: packages/postgres/test/migrations.test.ts, "a schema
 *   of a newer release is refused and not written to", and packages/sqlite/test/open.test.ts.
 * - I50, I51 (connection strings, pools): packages/postgres/test/connecting.test.ts.
 * - I52 (environment of a process): test/crash/environment.test.ts.
 */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as Debouncer from "perdure/Debouncer"
import { Engine } from "perdure/Engine"
import * as EnqueueOptions from "perdure/EnqueueOptions"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import type { InWorkflow } from "perdure/WorkflowContext"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowGroup from "perdure/WorkflowGroup"
import * as WorkflowId from "perdure/WorkflowId"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowSchedule from "perdure/WorkflowSchedule"
import * as WorkflowStream from "perdure/WorkflowStream"
import * as WorkflowTimeout from "perdure/WorkflowTimeout"
import { carries, carriesNone, made, type Refusal, refusesAll, refusesInBody } from "./badInput.ts"
import { onBothStores } from "./harness.ts"
import { eventually, failureOf, Log, reaches, reasonOf, recorded, stepsOf, suspends } from "./observing.ts"
import { twice, twiceWell } from "./twice.ts"

const long = "x".repeat(10_000)
const plain = Schema.Unknown
const day = 86_400_000

const Echo = Workflow.make("Echo", { payload: { n: Schema.Number }, success: Schema.Number })
const EchoLive = Echo.toLayer(({ n }) => Effect.succeed(n))
const Other = Workflow.make("Other", { payload: { n: Schema.Number }, success: Schema.Number })
const Sleeper = Workflow.make("Sleeper")
const SleeperLive = Sleeper.toLayer(() => Effect.sleep("1 day"))
const Note = Message.make("note", { payload: Schema.Number })
const Told = WorkflowStream.make("told", { value: Schema.Number })
const queue = WorkflowQueue.make("plain")
const parted = WorkflowQueue.make("parted", { partitioned: true })

/** What the types forbid, as a program without types gives it. */
const untyped = (value: unknown): any => value

/** Texts that no id, name or key may be. */
const badTexts: ReadonlyArray<readonly [string, unknown]> = [
  ["empty", ""],
  ["of 10,000 characters", long],
  ["with a NUL", "a\0b"],
  ["with a line break", "a\nb"],
  ["with half a surrogate pair", "\ud800"],
  ["undefined", undefined],
  ["null", null],
  ["a number", 1]
]

const each = (
  argument: string,
  ask: (text: any) => Effect.Effect<unknown, unknown, any>,
  but: ReadonlyArray<string> = []
): ReadonlyArray<Refusal> =>
  badTexts.filter(([what]) => !but.includes(what)).map(([what, text]) =>
    [`${argument} ${what}`, () => ask(text), "InvalidArgument", argument] as const
  )

onBothStores("bad input: values", (claim) => {
  claim(
    "I01 undefined is a value; as a property it is kept by a schema, and else left out",
    (given) =>
      Effect.andThen(
        carries(given, Schema.Struct({ a: Schema.optional(Schema.Number) }), [[{ a: undefined }], [{}]]),
        Effect.map(
          twiceWell(
            given,
            Effect.all([Step.run("nothing", Effect.void), Step.run("key", Effect.succeed({ a: undefined, b: 1 }))])
          ),
          ({ live, replayed }) =>
            assert.deepStrictEqual<unknown>([live, replayed], Array(2).fill([undefined, { b: 1 }]))
        )
      )
  )

  claim(
    "I01 sparse arrays and undefined in an array are refused",
    (given) => carriesNone(given, [["a hole", () => new Array(3)], ["undefined in an array", () => [undefined]]])
  )

  claim(
    "I02 null, empty text, 0, -0 and false are values like any other",
    (given) => carries(given, plain, [[null], [""], [0], [-0], [false], [{ a: null, b: "", c: -0, d: false }]])
  )

  claim(
    "I03 NaN and infinities with a schema",
    (given) => carries(given, Schema.Number, [[Number.NaN], [Infinity], [-Infinity]])
  )

  claim(
    "I03 NaN and infinities without a schema are refused",
    (given) => carriesNone(given, [["NaN", () => Number.NaN], ["Infinity", () => Infinity]])
  )

  claim("I04 bigints", (given) => carries(given, Schema.BigInt, [[2n ** 63n], [-1n], [0n]]))

  claim(
    "I05 dates, of any year",
    (given) => carries(given, Schema.Date, [[new Date(0)], [new Date(-1)], [new Date(8.64e15)], [new Date(-8.64e15)]])
  )

  claim(
    "I06 maps and sets, nested, with keys that are objects",
    (given) =>
      carries(given, Schema.ReadonlyMap(Schema.Struct({ k: Schema.Number }), Schema.ReadonlySet(Schema.String)), [
        [new Map([[{ k: 1 }, new Set(["a", "b"])], [{ k: 2 }, new Set()]])],
        [new Map()]
      ])
  )

  claim("I07 regular expressions, URLs and bytes", (given) =>
    carries(
      given,
      Schema.Struct({ exp: Schema.RegExp, url: Schema.URL, bytes: Schema.Uint8Array }),
      [[{ exp: /a\/b/giu, url: new URL("https://ada@example.org/a%20b?c#d"), bytes: new Uint8Array([0, 255]) }]]
    ))

  claim(
    "I05, I06, I07, I09, I10 what only a schema can carry is refused without one, with its path",
    (given) =>
      carriesNone(given, [
        ["an invalid Date", () => new Date(Number.NaN)],
        ["a Date", () => new Date(0)],
        ["a Map", () => new Map()],
        ["a RegExp", () => /x/],
        ["a Buffer", () => Buffer.from("x")],
        ["an ArrayBuffer", () => new ArrayBuffer(1)],
        ["a function", () => () => 1],
        ["a symbol", () => Symbol("x")],
        ["a class instance", () =>
          new (class Point {
            readonly x = 1
          })()],
        ["a revoked Proxy", () => {
          const { proxy, revoke } = Proxy.revocable({}, {})
          revoke()
          return proxy
        }],
        ["a Promise", () => Promise.resolve(1)],
        ["an Effect", () => Effect.void],
        ["a Stream", () => Stream.empty]
      ])
  )

  claim("I08 shared parts come back equal, and apart", (given) => {
    const part = { n: 1 }
    return carries(given, plain, [[{ a: part, b: part, c: [part] }]])
  })

  claim("I08 a circle is refused with its path", (given) =>
    carriesNone(given, [["a circle", () => {
      const circle: Record<string, unknown> = {}
      circle["deep"] = { circle }
      return circle
    }]]))

  claim("I11 Option, Result and Duration with a schema", (given) =>
    carries(
      given,
      Schema.Struct({
        option: Schema.Option(Schema.Option(Schema.Number)),
        result: Schema.Result(Schema.Number, Schema.String),
        duration: Schema.Duration
      }),
      [[{ option: Option.some(Option.none()), result: Result.fail("no"), duration: Duration.days(1) }]]
    ))

  claim("I11 Option, Exit and Redacted without a schema", (given) =>
    carriesNone(given, [
      ["an Option", () => Option.some(1)],
      ["an Exit", () => Exit.succeed(1)],
      ["a Redacted", () => Redacted.make("hush")]
    ]))

  claim(
    "I12 odd texts as values",
    (given) =>
      carries(given, plain, [[["\0", "\ud800", "\u2028", "\u{1F980}", "\u202eabc", "e\u0301", "\\u0000", "'\";--"]]])
  )

  claim("I13 10 MB are carried", (given) => carries(given, plain, [["é".repeat(5 * 1024 * 1024)]]))

  claim(
    "I13 20 MB are too large",
    (given) => carriesNone(given, [["20 MB", () => "x".repeat(20 * 1024 * 1024), "PayloadTooLarge"]])
  )

  claim(
    "I13 a history of ten times 10 MB is replayed",
    Effect.fnUntraced(function*(given) {
      const megabytes = "x".repeat(10 * 1024 * 1024)
      const body = Effect.forEach(
        Array.from({ length: 10 }, (_, i) => i),
        (i) => Effect.map(Step.run("big", Effect.sync(() => `${i}${megabytes}`)), (text) => text.length)
      )
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual([live, replayed], Array(2).fill(Array(10).fill(megabytes.length + 1)))
    })
  )

  claim(
    "I14 5 MB of message and stack are cut with a mark, and the workflow ends",
    Effect.fnUntraced(function*(given) {
      const error = () => Object.assign(new Error("m".repeat(5_000_000)), { stack: "s".repeat(5_000_000) })
      const { live, replayed } = yield* twiceWell(
        given,
        Effect.flip(Step.run("fails", Effect.suspend(() => Effect.fail(error()))))
      )
      assert.isBelow(live.message.length, 20_000)
      assert.match(live.message, /^mmm.*\D+.*/s)
      assert.strictEqual(replayed.message, live.message)
      const engine = yield* given.engine(Echo.toLayer(() => Effect.die(error())))
      assert.strictEqual((yield* reasonOf(engine.use(Echo.execute({ n: 1 }))))._tag, "WorkflowFailed")
    })
  )

  claim(
    "I14 an error whose fields are too large together ends the workflow, rendered without them",
    Effect.fnUntraced(function*(given) {
      const one = (cause: unknown) =>
        Object.assign(
          new Error("huge", { cause }),
          Object.fromEntries(Array.from({ length: 256 }, (_, key) => [key, "x".repeat(8192)]))
        )
      const error = () => Array.from({ length: 8 }).reduce<unknown>((cause) => one(cause), undefined)
      // In a step; where the body ends later than it began; and where it ends at once.
      const bodies = [
        Step.run("fails", Effect.suspend(() => Effect.fail(error()))),
        Effect.andThen(Step.run("works", Effect.void), Effect.suspend(() => Effect.die(error()))),
        Effect.suspend(() => Effect.die(error()))
      ]
      const { use } = yield* given.engine(Echo.toLayer(({ n }) => Effect.as(bodies[n]!, n)))
      for (const n of bodies.keys()) {
        const reason = yield* reasonOf(use(Echo.execute({ n })))
        assert.strictEqual(reason._tag, "WorkflowFailed")
        assert.strictEqual(reason.cause.message, "huge (cut: its fields and causes are too large)")
      }
    })
  )

  claim(
    "I15 a million keys are carried",
    Effect.fnUntraced(function*(given) {
      const keys = () => Object.fromEntries(Array.from({ length: 1_000_000 }, (_, i) => [`k${i}`, 1]))
      const count = Effect.map(Step.run("keys", Effect.sync(keys)), (value) => Object.keys(value).length)
      const { live, replayed } = yield* twiceWell(given, count)
      assert.deepStrictEqual([live, replayed], [1_000_000, 1_000_000])
    }),
    "sqlite"
  )

  claim(
    "I15 nesting of 10,000 is refused",
    (given) =>
      carriesNone(given, [["nesting", () => Array.from({ length: 10_000 }).reduce<unknown>((inner) => [inner], 1)]])
  )

  claim("I16 keys that mean something elsewhere are keys", (given) =>
    Effect.andThen(
      carries(given, plain, [
        [{
          constructor: 1,
          toJSON: "x",
          _tag: "Some",
          $type: 1,
          json: 1,
          meta: {},
          "": 0,
          "a.b": 1,
          hasOwnProperty: 1
        }],
        // An own key of this name, as JSON has it.
        [JSON.parse(`{"__proto__":{"polluted":1},"deep":{"__proto__":null}}`)]
      ]),
      Effect.sync(() => assert.isUndefined(({} as { readonly polluted?: unknown }).polluted))
    ))

  claim(
    "I17 whatever is thrown ends the workflow, rendered as well as can be",
    Effect.fnUntraced(function*(given) {
      const thrown: ReadonlyArray<unknown> = ["text", 42, null, undefined, Object.freeze(new RangeError("cold"))]
      const { use } = yield* given.engine(Echo.toLayer(({ n }) =>
        Effect.sync(() => {
          throw thrown[n]
        })
      ))
      for (const n of thrown.keys()) {
        const reason = yield* reasonOf(use(Echo.execute({ n }, { workflowId: `w${n}` })))
        assert.deepStrictEqual([reason._tag, reason.kind], ["WorkflowFailed", "defect"])
        assert.strictEqual((yield* use(Client.get(`w${n}`))).failure?.message, reason.cause.message)
      }
    })
  )

  claim(
    "I18 failure, defect and interruption are told apart, live and replayed",
    Effect.fnUntraced(function*(given) {
      const kinds = Effect.all([
        Effect.exit(Step.run("fails", Effect.fail(new Error("no")))),
        Effect.exit(Step.run("dies", Effect.die(new Error("bug")))),
        Effect.exit(Step.run("interrupts", Effect.interrupt))
      ])
      const { live, replayed } = yield* twiceWell(given, kinds)
      for (const [fails, dies, interrupts] of [live, replayed]) {
        assert.strictEqual(failureOf(fails)._tag, "StepFailed")
        assert.isTrue(Exit.isFailure(dies) && Cause.hasDies(dies.cause) && !Cause.hasFails(dies.cause))
        assert.strictEqual(failureOf(interrupts).tag, "Interrupted")
      }
    })
  )

  claim(
    "I19 a declared error comes back as itself, another as StepFailed with its tag",
    Effect.fnUntraced(function*(given) {
      class Declared extends Schema.TaggedError<Declared>()("Declared", { n: Schema.Number }) {}
      const caught = Step.run("declared", Effect.fail(new Declared({ n: 1 })), { error: Declared }).pipe(
        Effect.catchTag("Declared", ({ n }) => Effect.succeed(`declared ${n}`)),
        Effect.zip(
          Step.run("other", Effect.fail(new Declared({ n: 2 }))).pipe(
            Effect.catchTag("StepFailed", ({ tag }) => Effect.succeed(tag))
          )
        )
      )
      const { live, replayed } = yield* twiceWell(given, caught)
      assert.deepStrictEqual<unknown>([live, replayed], Array(2).fill(["declared 1", "Declared"]))
    })
  )

  claim(
    "I20 a retry predicate that throws ends the retries with the step's own error",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const failing = Step.run("fails", Effect.andThen(log.add("ran"), Effect.fail(new Error("no"))), {
        retry: {
          maxAttempts: 5,
          while: () => {
            throw new Error("odd predicate")
          }
        }
      })
      const { live } = yield* twiceWell(given, Effect.flip(failing))
      assert.deepStrictEqual([live.message, log.count("ran")], ["no", 1])
    })
  )
})

onBothStores("bad input: starts", (claim) => {
  claim(
    "I21 workflow ids: what is none is refused, in calls, scopes and questions; distinct bytes are distinct",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(EchoLive)
      // Without types an undefined or a null is none given.
      const absent = ["undefined", "null"]
      yield* refusesAll(given, use, [
        ...each("workflow id", (workflowId) => Echo.start({ n: 1 }, { workflowId }), absent),
        ...each("workflow id", (id) => Echo.start({ n: 1 }).pipe(Effect.provide(WorkflowId.layer(id))), absent),
        ...each("workflow id", (workflowId) => queue.enqueue(Echo, { n: 1 }, { workflowId }), absent),
        ...each("workflow id", (id) => made(() => Echo.handle(id))),
        ...each("workflow id", (id) => Note.send(id, 1)),
        ...each("workflow id", Client.get),
        ...each("workflow id", Client.cancel, [...absent, "a number"]),
        ["401 bytes", () => Echo.start({ n: 1 }, { workflowId: "é".repeat(201) }), "InvalidArgument", "workflow id"]
      ])
      const ids = ["a", "A", " ", "..", "a/b", "%2F", "'\";--", "é", "e\u0301", "\u{1F980}", "x".repeat(400)]
      for (const [n, workflowId] of ids.entries()) {
        assert.strictEqual(yield* use(Echo.execute({ n }, { workflowId })), n)
      }
    })
  )

  claim(
    "I22 an id with another name or input is a conflict; with another queue or version it is the same start",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([EchoLive, Other.toLayer(({ n }) => Effect.succeed(n))])
      yield* use(Echo.execute({ n: 1 }, { workflowId: "w" }))
      yield* use(Effect.provide(Effect.void, queue.layer))
      const again = { workflowId: "w" }
      yield* refusesAll(given, use, [
        ["another name", () => Other.start({ n: 1 }, again), "WorkflowConflict"],
        ["another input", () => Echo.start({ n: 2 }, again), "WorkflowConflict"],
        ["another input, in a queue", () => queue.enqueue(Echo, { n: 2 }, again), "WorkflowConflict"],
        [
          "another name, in a bulk",
          () => queue.enqueueMany(Other, [{ n: 1 }], { each: () => again }),
          "WorkflowConflict"
        ]
      ])
      const before = yield* given.rows
      assert.strictEqual(yield* use(Effect.flatMap(queue.enqueue(Echo, { n: 1 }, again), ({ result }) => result)), 1)
      assert.strictEqual(yield* use(Echo.execute({ n: 1 }, { ...again, version: "v9" })), 1)
      assert.deepStrictEqual(yield* given.rows, before)
    })
  )

  claim(
    "I23 names are checked where they are given; a second registration is refused",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(EchoLive)
      yield* refusesAll(given, use, [
        ...each("workflow name", (name) => made(() => Workflow.make(name))),
        ...each("group name", (name) => made(() => WorkflowGroup.make(name))),
        ...each("step name", (name) => made(() => Step.run(name, Effect.void))),
        ...each("step name", (name) => made(() => Transaction.run(name, Effect.void))),
        ...each("queue name", (name) => made(() => WorkflowQueue.make(name))),
        ...each("topic", (name) => made(() => Message.make(name))),
        ...each("event key", (name) => made(() => WorkflowEvent.make(name))),
        ...each("stream key", (name) => made(() => WorkflowStream.make(name, { value: Schema.Number }))),
        ...each("debouncer name", (name) => made(() => Debouncer.make(name, { workflow: Echo }))),
        [
          "registered twice",
          () => Effect.provide(Effect.void, Echo.toLayer(() => Effect.succeed(2))),
          "AlreadyRegistered"
        ],
        ["a reserved queue", () => made(() => WorkflowQueue.make("perdure.x")), "InvalidArgument", "queue name"]
      ])
      const odd = Workflow.make("constructor", { success: Schema.String })
      const emoji = Workflow.make("\u{1F980}/ %2F", { success: Schema.String })
      const second = yield* given.engine([
        odd.toLayer(() => Step.run("__proto__", Effect.succeed("one"))),
        emoji.toLayer(() => Step.run("toString", Effect.succeed("two")))
      ])
      assert.deepStrictEqual(yield* second.use(Effect.all([odd.execute(), emoji.execute()])), ["one", "two"])
    })
  )

  claim(
    "I24 one name in a loop is counted; twice in forks without a branch is refused",
    Effect.fnUntraced(function*(given) {
      const loop = Effect.forEach([0, 1, 2], (n) => Step.run("same", Effect.succeed(n)))
      const { live, replayed, steps } = yield* twiceWell(given, loop)
      assert.deepStrictEqual([live, replayed], [[0, 1, 2], [0, 1, 2]])
      assert.deepStrictEqual(steps, ["0 step same", "1 step same", "2 step same"])
      const forks = Workflow.make("Forks")
      const { use } = yield* given.engine(
        forks.toLayer(() =>
          Effect.asVoid(Effect.forEach([0, 1], (n) => Step.run("same", Effect.succeed(n)), { concurrency: 2 }))
        )
      )
      const reason = yield* reasonOf(use(forks.execute()))
      const { cause: { cause, tag }, kind } = reason
      assert.deepStrictEqual([kind, tag, cause.tag], ["defect", "WorkflowError", "NameRepeated"])
      assert.match(reason.message, /"same".*"key"/)
    })
  )

  claim(
    "I25 durable operations in a step are part of it or refused; in a transaction they are refused",
    Effect.fnUntraced(function*(given) {
      const inner = Step.run("inner", Effect.succeed(1))
      const forced = <A, E>(effect: Effect.Effect<A, E, InWorkflow>): Effect.Effect<A, E> =>
        effect as Effect.Effect<A, E>
      const reason = (error: any) => error._tag === "WorkflowError" ? error.reason._tag : `${error._tag} ${error.tag}`
      const body = Effect.all([
        Step.run("outer", inner),
        Step.run("sends", Effect.map(reasonOf(forced(Note.receive())), ({ _tag }) => String(_tag))),
        Effect.map(Effect.flip(Transaction.run("transaction", inner)), reason),
        Effect.map(Effect.flip(Transaction.run("told", Effect.as(Told.write(1), 1))), reason)
      ])
      const { live, replayed, steps } = yield* twiceWell(given, body)
      const expected = [1, "OutsideWorkflow", "StepFailed TransactionMisused", "TransactionMisused"]
      assert.deepStrictEqual<unknown>([live, replayed], [expected, expected])
      assert.deepStrictEqual(steps, ["0 step outer", "1 step sends", "2 transaction transaction", "3 transaction told"])
    })
  )

  claim(
    "I26 what is only for a workflow is refused elsewhere: by the compiler, and when it is forced",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([EchoLive, SleeperLive])
      yield* use(Sleeper.start(undefined, { workflowId: "w" }))
      yield* use(suspends("w"))
      const forced = <A, E>(effect: Effect.Effect<A, E, InWorkflow>): Effect.Effect<A, E> =>
        effect as Effect.Effect<A, E>
      const Shown = WorkflowEvent.make("shown", { value: Schema.Number })
      yield* refusesAll(given, use, [
        ["receive", () => forced(Note.receive()), "OutsideWorkflow"],
        ["set", () => forced(Shown.set(1)), "OutsideWorkflow"],
        ["write", () => forced(Told.write(1)), "OutsideWorkflow"],
        ["close", () => forced(Told.close), "OutsideWorkflow"]
      ])
      // A context that a workflow left behind, after its end.
      let left: Context.Context<never> | undefined
      const Leaving = Workflow.make("Leaving")
      const leaving = yield* given.engine(
        Leaving.toLayer(() => Effect.map(Effect.context<never>(), (context) => void (left = context)))
      )
      yield* leaving.use(Leaving.execute(undefined, { workflowId: "gone" }))
      const before = yield* given.rows
      const late = yield* Effect.exit(
        leaving.use(Effect.provideContext(Step.run("late", Effect.succeed(1)), left!))
      )
      // What a workflow has left behind is ended like it.
      assert.isTrue(Exit.hasInterrupts(late), String(late))
      assert.deepStrictEqual(yield* given.rows, before)
      // One that a workflow which still runs has lent to another one.
      let lent: Context.Context<never> | undefined
      const Lender = Workflow.make("Lender")
      const Borrower = Workflow.make("Borrower", { success: Schema.String })
      const lending = yield* given.engine([
        Lender.toLayer(() =>
          Effect.andThen(Effect.map(Effect.context<never>(), (context) => void (lent = context)), Effect.sleep("1 day"))
        ),
        Borrower.toLayer(() =>
          Effect.map(
            Effect.exit(Effect.provideContext(Step.run("lent", Effect.succeed("done")), lent!)),
            (exit) => String(failureOf(exit).tag)
          )
        )
      ], { suspendAfter: "1 hour" })
      yield* lending.use(Lender.start(undefined, { workflowId: "lender" }))
      yield* eventually("the context", Effect.sync(() => lent), (context) => context !== undefined)
      assert.strictEqual(yield* lending.use(Borrower.execute()), "OutsideWorkflow")
      assert.deepStrictEqual(yield* lending.use(stepsOf("lender")), [])
    })
  )

  claim(
    "I27, I28 a transaction elsewhere or in another is refused, and the client is well",
    Effect.fnUntraced(function*(given) {
      const elsewhere = yield* given.elsewhere
      const log = new Log()
      const one = Transaction.run("one", log.effect("ran", 1))
      const step = Step.run("step", log.effect("ran", 1))
      const body = Effect.gen(function*() {
        const sql = yield* SqlClient
        return yield* Effect.all([
          // What is recorded comes first: a replay waits for it only so long, and the rest is plain asynchronous work.
          Effect.exit(one.pipe(Effect.provideContext(elsewhere))),
          Effect.exit(Transaction.run("outer", one)),
          Effect.exit(sql.withTransaction(one)),
          Effect.exit(sql.withTransaction(Effect.andThen(step, step)))
        ])
      })
      const { live, replayed } = yield* twiceWell(given, body)
      for (const exits of [live, replayed]) {
        assert.isTrue(exits.every(Exit.isFailure))
        assert.match(JSON.stringify(exits.map(failureOf)), /foreign.*nested.*nested.*nested/)
      }
      assert.deepStrictEqual(log.entries, [])
      assert.lengthOf(yield* given.sql`SELECT 1 AS one`, 1)
    })
  )

  claim(
    "I29 durations: zero is no wait, negative, NaN, infinite and odd ones are refused, years are fine",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([EchoLive, SleeperLive])
      const bad: ReadonlyArray<readonly [string, any]> = [
        ["negative", -1],
        ["NaN", Number.NaN],
        ["infinite", Infinity],
        ["\"1 fortnight\"", "1 fortnight"],
        ["an empty object", {}],
        ["null", null],
        ["20,000 years", `${20_000 * 366} days`]
      ]
      const of = (argument: string, ask: (duration: any) => Effect.Effect<unknown, unknown, any>, zero: boolean) =>
        [...bad, ...zero ? [] : [["zero", 0] as const]].map(([what, duration]) =>
          [`${argument} ${what}`, () => ask(duration), "InvalidArgument", argument] as const
        )
      yield* refusesAll(
        given,
        use,
        [
          ...of("timeout", (timeout) => Echo.start({ n: 1 }, { timeout }), false),
          ...of("timeout", (timeout) => made(() => Workflow.make("W", { timeout })), false),
          ...of(
            "timeout",
            (timeout) => Echo.start({ n: 1 }).pipe(Effect.provide(WorkflowTimeout.layer(timeout))),
            false
          ),
          ...of("delay", (delay) => Echo.start({ n: 1 }, { delay }), true),
          ...of("delay", (delay) => queue.enqueue(Echo, { n: 1 }, { delay }), true),
          ...of("ageing", (ageing) => made(() => WorkflowQueue.make("q", { ageing })), false),
          ...of("step timeout", (timeout) => made(() => Step.run("s", Effect.void, { timeout })), false),
          ...of(
            "transaction timeout",
            (timeout) => made(() => Transaction.run("t", Effect.void, { timeout })),
            false
          ),
          ...of("retry.interval", (interval) => made(() => Step.run("s", Effect.void, { retry: { interval } })), true),
          ...of("timeout", (timeout) => Client.result("none", { timeout }), false)
        ].filter(([what]) => !what.endsWith("delay null") && what !== "timeout null")
      )
      const years = yield* use(Sleeper.start(undefined, { workflowId: "years", timeout: "36500 days" }))
      assert.strictEqual((yield* use(years.info)).deadline!.getTime() > Date.now() + 90 * 365 * day, true)
      const Century = Workflow.make("Century")
      const { use: useLater } = yield* given.engine(
        Century.toLayer(() => Effect.andThen(Effect.sleep(0), Effect.sleep("36500 days")))
      )
      yield* useLater(Century.start(undefined, { workflowId: "century" }))
      const info = yield* useLater(suspends("century"))
      assert.isAbove(info.waits[0]!.until!.getTime(), Date.now() + 90 * 365 * day)
    })
  )

  claim(
    "I30 a deadline that passes before anybody can run it: the body never starts",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const client = yield* given.client
      yield* client.use(Echo.start({ n: 1 }, { workflowId: "w", timeout: 1 }))
      yield* given.store.adjustClock(1000)
      const { use } = yield* given.engine(Echo.toLayer(({ n }) => log.effect("ran", n)))
      const reason = yield* reasonOf(use(Echo.handle("w").result))
      assert.deepStrictEqual([reason._tag, reason.by, log.entries], ["WorkflowCancelled", "timeout", []])
    })
  )
})

onBothStores("bad input: queues", (claim) => {
  claim(
    "I31 limits",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(EchoLive)
      const counts = [0, -1, 1.5, Number.NaN, Infinity, untyped("1"), untyped(null), 2 ** 31]
      const of = (argument: string, limits: (n: any) => WorkflowQueue.Limits) =>
        counts.map((n) =>
          [
            `${argument} ${n}`,
            () => made(() => WorkflowQueue.make("q", limits(n))),
            "InvalidArgument",
            argument
          ] as const
        )
      yield* refusesAll(given, use, [
        ...of("concurrency", (concurrency) => ({ concurrency })),
        ...of("executorConcurrency", (executorConcurrency) => ({ executorConcurrency })),
        ...of("rateLimit.limit", (limit) => ({ rateLimit: { limit, period: "1 second" } })),
        ...of("partitioned.concurrency", (concurrency) => ({ partitioned: { concurrency } })),
        [
          "period 0",
          () => made(() => WorkflowQueue.make("q", { rateLimit: { limit: 1, period: 0 } })),
          "InvalidArgument",
          "rateLimit.period"
        ],
        [
          "more in an executor than in all",
          () => made(() => WorkflowQueue.make("q", { concurrency: 1, executorConcurrency: 2 })),
          "InvalidArgument",
          "executorConcurrency"
        ],
        [
          "more in a partition than in the queue",
          () => made(() => WorkflowQueue.make("q", { concurrency: 1, partitioned: { concurrency: 2 } })),
          "InvalidArgument",
          "partitioned.concurrency"
        ]
      ])
    })
  )

  claim(
    "I32, I33, I34 priorities, partition keys, deduplication ids",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(EchoLive)
      yield* use(Effect.provide(Effect.void, [queue.layer, parted.layer]))
      const priorities = [0, -1, 1.5, Number.NaN, Infinity, 2 ** 31, untyped("1")]
      const scoped = (options: EnqueueOptions.EnqueueOptions) =>
        queue.enqueue(Echo, { n: 1 }).pipe(Effect.provide(EnqueueOptions.layer(options)))
      yield* refusesAll(given, use, [
        ...priorities.flatMap((priority): ReadonlyArray<Refusal> => [
          [`priority ${priority}`, () => queue.enqueue(Echo, { n: 1 }, { priority }), "InvalidArgument", "priority"],
          [`priority ${priority} of the scope`, () => scoped({ priority }), "InvalidArgument", "priority"]
        ]),
        ...each("partition key", (partitionKey) => parted.enqueue(Echo, { n: 1 }, { partitionKey })),
        [
          "a partition key where there are none",
          () => queue.enqueue(Echo, { n: 1 }, { partitionKey: "p" }),
          "InvalidArgument",
          "partition key"
        ],
        ...each(
          "deduplication id",
          (deduplicationId) => queue.enqueue(Echo, { n: 1 }, { deduplicationId }),
          ["undefined", "null"]
        ),
        [
          "onDuplicate",
          () => scoped({ deduplicationId: "d", onDuplicate: untyped("ignore") }),
          "InvalidArgument",
          "onDuplicate"
        ],
        ...each("version", (version) => queue.enqueue(Echo, { n: 1 }, { version }), ["undefined", "null", "empty"])
      ])
      // A deduplication id of the scope is not heeded where there is no queue.
      const two = yield* use(
        Effect.all([Echo.start({ n: 1 }), Echo.start({ n: 1 })]).pipe(
          Effect.provide(EnqueueOptions.layer({ deduplicationId: "d" }))
        )
      )
      assert.notStrictEqual(two[0].workflowId, two[1].workflowId)
    })
  )

  claim(
    "I35 bulks: none, one, ten thousand; one that is wrong refuses all; duplicates inside are one",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      yield* use(Effect.provide(Effect.void, queue.layer))
      const payloads = Array.from({ length: 10_000 }, (_, n) => ({ n }))
      yield* refusesAll(given, use, [
        ["one that is wrong", () => queue.enqueueMany(Echo, [{ n: 1 }, { n: untyped("2") }]), "Unencodable"],
        [
          "one with a bad id",
          () =>
            queue.enqueueMany(Echo, [{ n: 1 }, { n: 2 }], {
              each: (_, i) => i === 0 ? {} : { workflowId: "" }
            }),
          "InvalidArgument",
          "workflow id"
        ],
        ["one too many", () => queue.enqueueMany(Echo, [...payloads, { n: 1 }]), "InvalidArgument"]
      ])
      assert.deepStrictEqual(yield* use(queue.enqueueMany(Echo, [])), [])
      const twins = yield* use(
        queue.enqueueMany(Echo, [{ n: 1 }, { n: 1 }], { each: () => ({ deduplicationId: "d" }) })
      )
      assert.strictEqual(twins[0]!.workflowId, twins[1]!.workflowId)
      assert.lengthOf(yield* use(queue.enqueueMany(Echo, payloads)), 10_000)
      assert.strictEqual(yield* use(Client.count()), 10_001)
    })
  )
})

onBothStores("bad input: messages, events, streams", (claim) => {
  claim(
    "I36 topics, event and stream keys: literal, whatever they look like",
    Effect.fnUntraced(function*(given) {
      const names = ["*", "a%", "_", "'; DROP TABLE x;--", "__null__topic__", "a::b", "\u{1F980}", "__proto__"]
      const topics = names.map((name) => Message.make(name, { payload: Schema.String }))
      const events = names.map((name) => WorkflowEvent.make(name, { value: Schema.String }))
      const streams = names.map((name) => WorkflowStream.make(name, { value: Schema.String }))
      const Receiver = Workflow.make("Receiver", { success: Schema.Array(Schema.String) })
      const { use } = yield* given.engine(Receiver.toLayer(() =>
        Effect.gen(function*() {
          const received = yield* Effect.forEach(topics, (topic) => topic.receive())
          yield* Effect.forEach(events, (event) => event.set(event.key))
          yield* Effect.forEach(streams, (stream) => Effect.andThen(stream.write(stream.key), stream.close))
          return received
        })
      ))
      yield* use(Receiver.start(undefined, { workflowId: "w" }))
      yield* use(Effect.forEach([...topics].reverse(), (topic) => topic.send("w", topic.topic)))
      assert.deepStrictEqual(yield* use(Receiver.handle("w").result), names)
      assert.deepStrictEqual(yield* use(Effect.forEach(events, (event) => event.get("w"))), names)
      const read = yield* use(Effect.forEach(streams, (stream) => Stream.runCollect(stream.read("w"))))
      assert.deepStrictEqual(read, names.map((name) => [name]))
      assert.deepStrictEqual((yield* use(Client.events("w"))).map(({ key }) => key), [...names].sort())
    })
  )

  claim(
    "names of branches, their labels, and keys of what is recorded hold no text that a store does not keep",
    Effect.fnUntraced(function*(given) {
      const step = Step.run("step", Effect.void)
      const asked = (text: string): ReadonlyArray<Effect.Effect<unknown, unknown, any>> => [
        Workflow.forEach([text], () => step, { key: (item) => item }),
        Workflow.forEach([text], () => step, { name: text }),
        Workflow.all({ [text]: step }),
        Workflow.all([step], { name: text }),
        Workflow.race([step], { name: text }),
        Workflow.select({ [text]: step }),
        Workflow.timeout(step, "1 minute", { name: text }),
        Workflow.fork(text, step),
        Workflow.now({ key: text }),
        Workflow.randomUUID({ key: text }),
        Workflow.patch(text),
        Note.receive({ key: text })
      ]
      const all = ["a\0b", "\ud83d"].flatMap(asked)
      const body = Effect.forEach(all, (ask) => Effect.exit(ask))
      const { live, replayed, steps } = yield* twice<ReadonlyArray<Exit.Exit<unknown, unknown>>, never, any>(
        given,
        body
      )
      for (const exit of [live, replayed]) {
        const reasons = exit._tag === "Success" ? exit.value.map((one) => failureOf(one)?.reason?._tag) : []
        assert.deepStrictEqual(reasons, all.map(() => "InvalidArgument"))
      }
      assert.deepStrictEqual(steps, [])
    })
  )

  claim(
    "I37 receive timeouts: zero looks once, negative and infinite are refused; two at once are served in order",
    Effect.fnUntraced(function*(given) {
      yield* refusesInBody(given, [
        ["negative", () => Note.receive({ timeout: -1 }), "InvalidArgument", "timeout"],
        ["infinite", () => Note.receive({ timeout: Infinity }), "InvalidArgument", "timeout"],
        ["NaN", () => Note.receive({ timeout: Number.NaN }), "InvalidArgument", "timeout"]
      ])
    })
  )

  claim(
    "I37 a timeout of zero, and two receives at once",
    Effect.fnUntraced(function*(given) {
      const Receiver = Workflow.make("Receiver", { success: Schema.Array(Schema.Number) })
      const { use } = yield* given.engine(Receiver.toLayer(() =>
        Effect.gen(function*() {
          const none = yield* Note.receive({ timeout: 0 })
          const two = yield* Workflow.all([Note.receive(), Note.receive()], { concurrency: 2 })
          return [Option.getOrElse(none, () => -1), ...two]
        })
      ))
      const handle = yield* use(Receiver.start(undefined, { workflowId: "w" }))
      yield* use(suspends("w"))
      yield* use(Effect.andThen(Note.send("w", 1), Note.send("w", 2)))
      assert.deepStrictEqual(yield* use(handle.result), [-1, 1, 2])
    })
  )

  claim(
    "I38 offsets that are none; beyond the end; of an unknown workflow; a write after the close",
    Effect.fnUntraced(function*(given) {
      const Writer = Workflow.make("Writer", { success: Schema.String })
      const { use } = yield* given.engine(Writer.toLayer(() =>
        Effect.gen(function*() {
          yield* Told.write(1)
          yield* Told.close
          yield* Told.close
          const reason = yield* reasonOf(Told.write(2))
          return String(reason._tag)
        })
      ))
      assert.strictEqual(yield* use(Writer.execute(undefined, { workflowId: "w" })), "StreamClosed")
      const read = (from: number) => Stream.runCollect(Told.read("w", { from }))
      yield* refusesAll(given, use, [
        ...[-1, 1.5, Number.NaN, Infinity, 2 ** 53].map((from) =>
          [`offset ${from}`, () => read(from), "InvalidArgument", "from"] as const
        ),
        ["unknown", () => Stream.runDrain(Told.read("none")), "WorkflowNotFound"]
      ])
      assert.deepStrictEqual([...(yield* use(read(99)))], [])
    })
  )

  claim(
    "I49 an idempotency key is of its destination; with another payload or topic it is a conflict",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(SleeperLive)
      const Second = Message.make("second", { payload: Schema.Number })
      const once = { idempotencyKey: "k" }
      yield* use(Effect.forEach(["a", "b"], (workflowId) => Sleeper.start(undefined, { workflowId })))
      yield* use(Effect.all([Note.send("a", 1, once), Note.send("a", 1, once), Note.send("b", 2, once)]))
      yield* refusesAll(given, use, [
        ["another payload", () => Note.send("a", 2, once), "MessageConflict"],
        ["another topic", () => Second.send("a", 1, once), "MessageConflict"],
        ["to nobody", () => Note.send("none", 1), "MessageUndeliverable"],
        ...each("idempotency key", (idempotencyKey) => Note.send("a", 1, { idempotencyKey }), ["undefined", "null"])
      ])
      assert.lengthOf(yield* use(Client.messages("a")), 1)
      assert.lengthOf(yield* use(Client.messages("b")), 1)
    })
  )
})

onBothStores("bad input: schedules", (claim) => {
  claim(
    "I39, I40, I41 crons with the position of what is wrong, time zones, names",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(EchoLive)
      const schedule = (name: any, rule: any) => made(() => WorkflowSchedule.make(name, { workflow: Sleeper, ...rule }))
      const created = (name: any, rule: any) => Client.schedules.create(name, { workflow: Sleeper, ...rule })
      const crons = [
        "* * * *",
        "* * * * * * *",
        "60 * * * *",
        "*/0 * * * *",
        "* * 31 2 *",
        "@reboot",
        "",
        "L * * * *",
        "* * * * mon#2",
        "* * 15W * *",
        "1; DROP TABLE x",
        "0 0 0 0 0",
        "a b c d e",
        "-1 * * * *",
        "5-1 * * * *x"
      ]
      const zones = ["Mars/Base", "", "UTC+25", "CET", "EST5EDT", "+25:00", "europe"]
      yield* refusesAll(given, use, [
        ...crons.flatMap((cron): ReadonlyArray<Refusal> => [
          [`cron ${cron}`, () => schedule("s", { cron }), "InvalidArgument", "cron"],
          [`cron ${cron}, created`, () => created("s", { cron }), "InvalidArgument", "cron"]
        ]),
        ...zones.map((timeZone) =>
          [
            `zone ${timeZone}`,
            () => schedule("s", { cron: "0 0 * * *", timeZone }),
            "InvalidArgument",
            "timeZone"
          ] as const
        ),
        ...each("schedule name", (name) => schedule(name, { cron: "* * * * *" })),
        ["a slash", () => schedule("a/b", { cron: "* * * * *" }), "InvalidArgument", "schedule name"],
        ["no rule", () => schedule("s", {}), "InvalidArgument", "rule of a schedule"],
        [
          "two rules",
          () => schedule("s", { cron: "* * * * *", interval: "1 hour" }),
          "InvalidArgument",
          "rule of a schedule"
        ],
        ["an interval of 1 ms", () => schedule("s", { interval: 1 }), "InvalidArgument", "interval"],
        [
          "an anchor that is no date",
          () => schedule("s", { interval: "1 hour", anchor: new Date(Number.NaN) }),
          "InvalidArgument",
          "anchor"
        ],
        ["unknown, paused", () => Client.schedules.pause("none"), "ScheduleNotFound"],
        ["unknown, triggered", () => Client.schedules.trigger("none"), "ScheduleNotFound"]
      ])
      const sixty = yield* Effect.flip(schedule("s", { cron: "0 60 * * * *" })) as Effect.Effect<any>
      assert.match(sixty.message, /minute "60" at position 2/)
      yield* use(created("s", { cron: "0 0 * jan-mar,dec mon" }))
      const range = (from: number, to: number) => ({ from: new Date(from), to: new Date(to) })
      yield* refusesAll(given, use, [
        ["a name that is taken", () => created("s", { cron: "0 0 * * *" }), "ScheduleExists"],
        ["backwards", () => Client.schedules.backfill("s", range(day, 0)), "InvalidArgument"],
        ["no dates", () => Client.schedules.backfill("s", range(Number.NaN, 0)), "InvalidArgument"]
      ])
      yield* use(created("often", { interval: "1 hour" }))
      const tenYears = range(Date.now() - 3650 * day, Date.now() - day)
      yield* refusesAll(given, use, [
        ["ten years of hours", () => Client.schedules.backfill("often", tenYears), "InvalidArgument"]
      ])
    })
  )
})

onBothStores("bad input: looking and steering", (claim) => {
  claim(
    "I42 forks",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([EchoLive, SleeperLive])
      yield* use(Echo.execute({ n: 1 }, { workflowId: "w" }))
      const steps = [-1, 1.5, Number.NaN, Infinity, 2 ** 31, 99]
      yield* refusesAll(given, use, [
        ...steps.map((fromStep) =>
          [`from ${fromStep}`, () => Client.fork("w", { fromStep }), "InvalidArgument", "fromStep"] as const
        ),
        ["of an unknown one", () => Client.fork("none"), "WorkflowNotFound"],
        ["of another name", () => Client.fork(Other, "w"), "InvalidArgument"],
        ["to an id that is taken", () => Client.fork("w", { workflowId: "w" }), "WorkflowConflict"],
        ["to an id that is none", () => Client.fork("w", { workflowId: "" }), "InvalidArgument", "workflow id"],
        [
          "with a payload that does not fit",
          () => Client.fork(Echo, "w", { payload: untyped({ n: "x" }) }),
          "Unencodable"
        ]
      ])
    })
  )

  claim(
    "I43 list filters",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(EchoLive)
      const list = (options: any) => Client.list(options)
      const bad: ReadonlyArray<readonly [string, any, string]> = [
        ["an unknown status", { status: "DONE" }, "status"],
        ["limit 0", { limit: 0 }, "limit"],
        ["limit -1", { limit: -1 }, "limit"],
        ["limit 1e9", { limit: 1e9 }, "limit"],
        ["limit NaN", { limit: Number.NaN }, "limit"],
        ["a bad date", { from: new Date(Number.NaN) }, "from"],
        ["a date as text", { to: "2026-01-01" }, "to"],
        ["an order that is none", { order: "name" }, "order"],
        ["a cursor that is none", { cursor: "x" }, "cursor"],
        ["10,000 ids", { ids: Array.from({ length: 10_000 }, String) }, "ids"],
        ["a name with a NUL", { name: "\0" }, "name"],
        ["an attribute that is an object", { attributes: { a: {} } }, "attribute \"a\""]
      ]
      yield* refusesAll(given, use, [
        ...bad.map(([what, options, argument]) => [what, () => list(options), "InvalidArgument", argument] as const),
        ["a bulk of everything", () => Client.cancelAll({}), "InvalidArgument"]
      ])
      for (const odd of ["%", "_", "'; DROP TABLE x;--", "\\"]) {
        assert.deepStrictEqual((yield* use(list({ idPrefix: odd, name: odd }))).workflows, [])
      }
    })
  )

  claim(
    "I46 the ends of a workflow are told apart, each at once; what runs is not deleted",
    Effect.fnUntraced(function*(given) {
      const Lost = Workflow.make("Lost", { maxRecoveryAttempts: 0 })
      const Moved = Workflow.make("Moved")
      const moved = (name: string) =>
        Moved.toLayer(() => Effect.andThen(Step.run(name, Effect.void), Effect.sleep(day)))
      const former = yield* given.engine(moved("before"), { suspendAfter: "1 day" })
      yield* former.use(Moved.start(undefined, { workflowId: "blocked" }))
      yield* former.use(recorded("blocked", 1))
      yield* former.close
      const losing = yield* given.engine(Lost.toLayer(() => Effect.never), { lease: "2 hours", suspendAfter: "1 day" })
      yield* losing.use(Lost.start(undefined, { workflowId: "dead-lettered" }))
      yield* losing.use(reaches("dead-lettered", "PENDING"))
      const { use } = yield* given.engine([
        Echo.toLayer(({ n }) => n === 0 ? Effect.die("no") : Effect.succeed(n)),
        SleeperLive,
        moved("after")
      ])
      yield* Effect.exit(use(Echo.execute({ n: 0 }, { workflowId: "failed" })))
      yield* use(Sleeper.start(undefined, { workflowId: "cancelled" }))
      yield* use(Client.cancel("cancelled"))
      yield* use(Echo.execute({ n: 1 }, { workflowId: "deleted" }))
      yield* use(Client.delete("deleted"))
      // So long that a lease has lapsed.
      yield* given.store.adjustClock(3 * 3_600_000)
      yield* use(reaches("dead-lettered", "DEAD_LETTER"))
      yield* use(reaches("blocked", "BLOCKED"))
      const tags = yield* use(
        Effect.forEach(
          ["failed", "cancelled", "deleted", "dead-lettered", "blocked"],
          (id) => Effect.map(reasonOf(Client.result(id)), ({ _tag }) => _tag)
        )
      )
      assert.deepStrictEqual(tags, [
        "WorkflowFailed",
        "WorkflowCancelled",
        "WorkflowNotFound",
        "WorkflowDeadLettered",
        "WorkflowBlocked"
      ])
      yield* use(Sleeper.start(undefined, { workflowId: "runs" }))
      yield* use(suspends("runs"))
      yield* refusesAll(given, use, [
        ["what has failed is not resumed", () => Client.resume("failed"), "NotResumable"],
        ["what runs is not deleted", () => Client.delete("runs"), "NotDeletable"],
        ["what is blocked is not deleted", () => Client.delete("blocked"), "NotDeletable"]
      ])
    })
  )

  claim(
    "I47 ten thousand wait for one; those that are interrupted leave nothing behind",
    Effect.fnUntraced(function*(given) {
      const go = yield* Deferred.make<void>()
      const Gated = Workflow.make("Gated", { success: Schema.Number })
      const { use } = yield* given.engine(Gated.toLayer(() => Effect.as(Step.run("gate", Deferred.await(go)), 42)))
      const { core } = yield* use(Engine)
      const waiting = () => (core.waiters as unknown as { readonly waiting: ReadonlyMap<string, Set<unknown>> }).waiting
      const handle = yield* use(Gated.start(undefined, { workflowId: "w" }))
      const waiters = yield* Effect.forEach(
        Array.from({ length: 10_000 }),
        () => Effect.forkChild(use(handle.result))
      )
      yield* eventually("all to wait", Effect.sync(() => waiting().get("w")?.size), (size) => size === 10_000)
      yield* Effect.forEach(waiters.slice(0, 5000), Fiber.interrupt, { discard: true })
      assert.strictEqual(waiting().get("w")?.size, 5000)
      yield* Deferred.succeed(go, undefined)
      const results = yield* Effect.forEach(waiters.slice(5000), Fiber.join)
      assert.deepStrictEqual(new Set(results), new Set([42]))
      assert.strictEqual(waiting().size, 0)
    })
  )

  claim(
    "I52 a clock of 1970, and a thousand years later",
    Effect.fnUntraced(function*(given) {
      yield* given.store.adjustClock(-Date.now())
      const { use } = yield* given.engine([EchoLive, SleeperLive])
      yield* use(Sleeper.start(undefined, { workflowId: "sleeper" }))
      const { createdAt } = yield* use(suspends("sleeper"))
      assert.strictEqual(createdAt.getUTCFullYear(), 1970)
      assert.strictEqual(yield* use(Echo.execute({ n: 1 })), 1)
      yield* given.store.adjustClock(1000 * 365 * day)
      yield* use(reaches("sleeper", "SUCCESS"))
      assert.strictEqual(yield* use(Echo.execute({ n: 1 })), 1)
    })
  )
})
