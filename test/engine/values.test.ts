/** What is stored comes back equal, live, replayed and in another engine; what cannot be is refused on the first run. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import { StepFailed } from "perdure/StepFailed"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "./harness.ts"
import { failureOf, Log, reasonOf } from "./observing.ts"
import { twice, twiceWell } from "./twice.ts"

class Point extends Schema.Class<Point>("Point")({ x: Schema.Number, y: Schema.Number }) {
  get length(): number {
    return Math.hypot(this.x, this.y)
  }
}
class Inner extends Schema.TaggedError<Inner>()("Inner", { at: Schema.Date }) {}
class Outer extends Schema.TaggedError<Outer>()("Outer", { reason: Inner, id: Schema.BigInt }) {}

/** A step whose type the compiler cannot prove storable. */
const step = (name: string, value: unknown): Effect.Effect<any, StepFailed> =>
  Step.run(name, Effect.sync(() => value as any) as Effect.Effect<null>)

const Pass = Workflow.make("Pass", { payload: { value: Schema.Unknown }, success: Schema.Unknown })

onBothStores("values", (claim) => {
  const texts = [
    "",
    "\0",
    "a\0b",
    "\ud800",
    "\udc00x",
    "\u2028\u2029",
    "\u{1F980}",
    "\u202eabc",
    "é\u0301",
    "\\u0000",
    "\r\n\t",
    "'\"`;--"
  ]
  const plain: ReadonlyArray<readonly [string, unknown]> = [
    ["undefined", undefined],
    ["null", null],
    ["texts", texts],
    ["texts as keys", Object.fromEntries(texts.map((text, i) => [text, i]))],
    ["numbers", [0, -0, 1e308, Number.MIN_VALUE, Number.MAX_SAFE_INTEGER, -1.5]],
    ["-0", -0],
    ["false, zero and empty", [false, 0, "", [], {}]],
    [
      "keys that mean something elsewhere",
      JSON.parse(`{"__proto__":{"polluted":1},"constructor":1,"toJSON":"x","_tag":"Some","$type":1,"json":1}`)
    ],
    ["10 MB", "\u00e9x".repeat(3_500_000)],
    ["100,000 keys", Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]))],
    ["nesting of 500", Array.from({ length: 500 }).reduce<unknown>((inner) => [inner], 1)]
  ]
  for (const [what, value] of plain) {
    claim(
      `${what}: equal live and replayed`,
      Effect.fnUntraced(function*(given) {
        const { live, replayed } = yield* twiceWell(given, step("value", value))
        assert.isTrue(equal(live, value), "live")
        assert.isTrue(equal(replayed, value), "replayed")
        assert.isUndefined(({} as any).polluted)
      })
    )
  }

  claim(
    "payloads and results keep odd texts and keys, also for a client elsewhere",
    Effect.fnUntraced(function*(given) {
      const value = { texts, zero: [-0], keys: JSON.parse(`{"__proto__":1}`) }
      const client = yield* given.client
      const handle = yield* client.use(Pass.start({ value }))
      yield* given.engine(Pass.toLayer(({ value }) => Effect.succeed(value)))
      assert.isTrue(equal(yield* client.use(handle.result), value))
      const info = yield* client.use(handle.info)
      assert.isTrue(equal(info.success, value))
    })
  )

  claim(
    "with a schema: dates, bigints, options, classes, undefined and numbers that are not finite",
    Effect.fnUntraced(
      function*(given) {
        const schema = Schema.Struct({
          at: Schema.Date,
          big: Schema.BigInt,
          some: Schema.Option(Schema.Date),
          none: Schema.Option(Schema.String),
          point: Point,
          odd: Schema.Array(Schema.Number),
          map: Schema.ReadonlyMap(Schema.String, Schema.Date),
          bytes: Schema.Uint8Array
        })
        const value = {
          at: new Date(-1),
          big: 2n ** 80n,
          some: Option.some(new Date(8.64e15)),
          none: Option.none<string>(),
          point: new Point({ x: 3, y: 4 }),
          odd: [Number.NaN, Infinity, -Infinity, -0],
          map: new Map([["a", new Date(0)]]),
          bytes: new Uint8Array([0, 255])
        }
        const { live, replayed } = yield* twiceWell(
          given,
          Step.run("value", Effect.succeed(value), { success: schema })
        )
        for (const seen of [live, replayed]) {
          assert.deepStrictEqual([seen.at.getTime(), seen.big, seen.point.length, [...seen.odd]], [
            -1,
            2n ** 80n,
            5,
            value.odd
          ])
          assert.instanceOf(seen.point, Point)
          assert.isTrue(Option.isSome(seen.some) && seen.some.value.getTime() === 8.64e15 && Option.isNone(seen.none))
          assert.deepStrictEqual([...seen.map], [...value.map])
          assert.deepStrictEqual([...seen.bytes], [0, 255])
        }
        assert.isTrue(Equal.equals(live.point, replayed.point))
      }
    )
  )

  claim(
    "a live value is a copy: what is changed later does not show",
    Effect.fnUntraced(function*(given) {
      const mine = { n: 1 }
      const body = Effect.map(Step.run("value", Effect.sync(() => mine)), (seen) => {
        mine.n = 2
        return seen.n
      })
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual([live, replayed], [1, 1])
    })
  )

  const refused: ReadonlyArray<readonly [string, () => unknown, string]> = [
    ["NaN", () => ({ a: [1, Number.NaN] }), "a[1]"],
    ["a hole", () => ({ a: Object.assign([1, 2, 3], { length: 4 }) }), "a[3]"],
    ["undefined in an array", () => [undefined], "[0]"],
    ["a Date", () => ({ at: new Date() }), "at"],
    ["a Map", () => ({ deep: { map: new Map() } }), "deep.map"],
    ["a class instance", () => ({ p: new Point({ x: 1, y: 1 }) }), "p"],
    ["a Buffer", () => ({ b: Buffer.from("x") }), "b"],
    ["a bigint", () => ({ n: 1n }), "n"],
    ["a function", () => ({ f: () => 1 }), "f"],
    ["a symbol", () => ({ s: Symbol("x") }), "s"],
    ["a getter", () => ({
      get g() {
        throw new Error("boo")
      }
    }), "g"],
    ["a circle", () => {
      const a: any = { b: {} }
      a.b.c = a
      return a
    }, "b.c"],
    ["a Promise", () => ({ p: Promise.resolve(1) }), "p"],
    ["an Effect", () => ({ e: Effect.void }), "e"],
    ["a Redacted", () => ({ secret: Redacted.make("hush") }), "secret"],
    ["an Option", () => ({ o: Option.some(1) }), "o"],
    ["nesting of 100,000", () => Array.from({ length: 100_000 }).reduce<unknown>((inner) => [inner], 1), ""],
    ["20 MB", () => "x".repeat(20 * 1024 * 1024), "too large"]
  ]
  for (const [what, value, path] of refused) {
    claim(
      `${what} fails the step with its path, on the first run, once`,
      Effect.fnUntraced(function*(given) {
        const log = new Log()
        const body = Effect.flip(
          Effect.suspend(() => step("odd", value())).pipe(Effect.tapError(() => log.add("failed")))
        )
        const { live, replayed } = yield* twiceWell(given, body)
        assert.strictEqual(live._tag, "StepFailed")
        assert.include(live.message, path)
        assert.notInclude(live.message, "hush")
        assert.strictEqual(replayed.message, live.message)
      }),
      what.length % 2 === 0 ? "sqlite" : "postgres"
    )
  }

  claim(
    "a result of the body that cannot be stored ends the workflow in ERROR, with its path",
    Effect.fnUntraced(
      function*(given) {
        const engine = yield* given.engine(Pass.toLayer(() => Effect.succeed({ deep: new Date() })))
        const reason = yield* reasonOf(engine.use(Pass.execute({ value: 1 })))
        assert.strictEqual(reason._tag, "WorkflowFailed")
        assert.include(reason.message, "deep")
      }
    )
  )

  claim(
    "a secret is stored only where its schema says how",
    Effect.fnUntraced(function*(given) {
      class Denied
        extends Data.TaggedError("Denied")<{ readonly token: Redacted.Redacted<string>; readonly user: string }>
      {}
      const denied = new Denied({ token: Redacted.make("hush-hush"), user: "ada" })
      const { replayed } = yield* twiceWell(given, Effect.flip(Step.run("login", Effect.fail(denied))))
      assert.deepStrictEqual([replayed.tag, replayed.fields["user"]], ["Denied", "ada"])
      const client = yield* given.client
      assert.notInclude(JSON.stringify(yield* client.use(Client.steps("subject"))), "hush-hush")
    })
  )
})

onBothStores("errors", (claim) => {
  claim(
    "declared errors come back as themselves, nested ones included",
    Effect.fnUntraced(function*(given) {
      const error = new Outer({ reason: new Inner({ at: new Date(5) }), id: 2n ** 70n })
      const body = Step.run("fails", Effect.fail(error), { error: Schema.Union([Outer, Inner]) }).pipe(
        Effect.catchTag("Outer", (caught) =>
          Effect.succeed([
            caught instanceof Outer,
            caught.reason instanceof Inner,
            caught.reason.at.getTime(),
            String(caught.id)
          ]))
      )
      const { live, replayed } = yield* twiceWell(given, body)
      assert.deepStrictEqual<unknown>([live, replayed], Array(2).fill([true, true, 5, String(2n ** 70n)]))
    })
  )

  claim(
    "an error that no schema covers is StepFailed, with tag, message, fields and causes",
    Effect.fnUntraced(function*(given) {
      class Odd extends Error {
        readonly code = 42
        readonly nested = { a: [1] }
        override name = "Odd"
      }
      const odd = new Odd("the message", { cause: new TypeError("deeper", { cause: "text" }) })
      const { live, replayed } = yield* twiceWell(given, Effect.flip(Step.run("fails", Effect.fail(odd))))
      for (const seen of [live, replayed]) {
        assert.instanceOf(seen, StepFailed)
        assert.deepStrictEqual([seen.step, seen.tag, seen.message, seen.fields["code"]], [
          "fails",
          "Odd",
          "the message",
          42
        ])
        assert.deepStrictEqual(seen.fields["nested"], { a: [1] })
        assert.deepStrictEqual([seen.cause?.tag, seen.cause?.message, seen.cause?.cause?.message], [
          "TypeError",
          "deeper",
          "text"
        ])
      }
    })
  )

  const thrown: ReadonlyArray<readonly [string, () => unknown, (seen: any) => boolean]> = [
    ["a string", () => "text", (seen) => seen === "text"],
    ["null", () => null, (seen) => seen === null],
    ["undefined", () => undefined, (seen) => seen === undefined],
    ["a number", () => 42, (seen) => seen === 42],
    ["a plain object", () => ({ a: 1 }), (seen) => seen.a === 1],
    [
      "a frozen error",
      () => Object.freeze(new RangeError("cold")),
      (seen) => seen.name === "RangeError" && seen.message === "cold"
    ],
    [
      "an AggregateError",
      () => new AggregateError([new Error("one"), "two"], "both"),
      (seen) => seen.message === "both" && seen.errors.length === 2 && seen.errors[0].message === "one"
    ],
    ["a circular cause", () => {
      const e: any = new Error("round")
      e.cause = e
      return e
    }, (seen) => seen.message === "round"],
    ["a getter that throws", () =>
      Object.defineProperty(new Error("x"), "message", {
        get: () => {
          throw new Error("no")
        }
      }), (seen) => seen instanceof Error],
    [
      "5 MB of message",
      () => new Error("x".repeat(5_000_000)),
      (seen) => seen.message.length < 20_000 && seen.message.startsWith("xxx")
    ],
    ["a symbol", () => Symbol("odd"), (seen) => seen instanceof Error]
  ]
  for (const [what, make, holds] of thrown) {
    claim(
      `a defect that is ${what} is a defect live and replayed, and as a workflow's end`,
      Effect.fnUntraced(function*(given) {
        const throws: Effect.Effect<null> = Effect.sync(() => {
          throw make()
        })
        const { live, replayed } = yield* twice(given, Step.run("dies", throws))
        for (const exit of [live, replayed]) {
          assert.isTrue(exit._tag === "Failure" && Cause.hasDies(exit.cause) && !Cause.hasFails(exit.cause))
          assert.isTrue(holds(failureOf(exit)), String(failureOf(exit)?.message))
        }
        const engine = yield* given.engine(Pass.toLayer(() => throws))
        const reason = yield* reasonOf(engine.use(Pass.execute({ value: 1 })))
        assert.deepStrictEqual([reason._tag, reason.kind], ["WorkflowFailed", "defect"])
      })
    )
  }

  claim(
    "a workflow's declared error reaches every caller as itself, others as WorkflowFailed",
    Effect.fnUntraced(
      function*(given) {
        const Failing = Workflow.make("Failing", { payload: { how: Schema.String }, error: Outer })
        const error = new Outer({ reason: new Inner({ at: new Date(5) }), id: 1n })
        const log = new Log()
        const live = Failing.toLayer(({ how }) =>
          how === "declared" ?
            Effect.fail(error)
            : how === "step" ?
            Effect.asVoid(Step.run("breaks", Effect.fail(new Error("broken"))))
            : Effect.andThen(log.add("ran"), Effect.die(new TypeError("bug")))
        )
        const engine = yield* given.engine(live)
        const declared: any = yield* Effect.flip(engine.use(Failing.execute({ how: "declared" }, { workflowId: "d" })))
        assert.instanceOf(declared, Outer)
        assert.instanceOf(declared.reason, Inner)
        const step = yield* reasonOf(engine.use(Failing.execute({ how: "step" }, { workflowId: "s" })))
        assert.deepStrictEqual([step._tag, step.kind, step.stepFailed?.step, step.stepFailed?.message], [
          "WorkflowFailed",
          "failure",
          "breaks",
          "broken"
        ])
        const bug = yield* reasonOf(engine.use(Failing.execute({ how: "bug" }, { workflowId: "b" })))
        assert.deepStrictEqual([bug._tag, bug.kind, bug.cause.tag, bug.cause.message], [
          "WorkflowFailed",
          "defect",
          "TypeError",
          "bug"
        ])
        const client = yield* given.client
        assert.instanceOf(yield* Effect.flip(client.use(Failing.handle("d").result)), Outer)
        assert.strictEqual((yield* reasonOf(client.use(Client.result("d")))).cause.tag, "Outer")
        const info = yield* client.use(Client.get("b"))
        assert.deepStrictEqual([info.status, info.failure?.tag, info.failure?.message], ["ERROR", "TypeError", "bug"])
      }
    )
  )
})

/** Deep equality that tells -0 from 0 and sees own `__proto__` keys. */
function equal(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) return Object.is(a, b)
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [Object.keys(a), Object.keys(b)]
  return left.length === right.length &&
    left.every((key) =>
      Object.hasOwn(b, key) &&
      equal(Object.getOwnPropertyDescriptor(a, key)!.value, Object.getOwnPropertyDescriptor(b, key)!.value)
    )
}
