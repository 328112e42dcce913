/**
 * Hunts for failures that differ between live and replay, for errors that lose their class or their tag, and for hostile
 * errors that would take the engine down with them.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { deepStrictEqual } from "node:assert"
import { describe, expect, it } from "vitest"
import { type StorableSchema, Undecodable } from "../src/internal/codec.ts"
import {
  decodeStepCause,
  decodeWorkflowFailure,
  encodeStepCause,
  encodeWorkflowCause,
  renderFailure
} from "../src/internal/failure.ts"
import { StepFailed } from "../src/StepFailed.ts"
import { WorkflowError, type WorkflowFailed, WorkflowNotFound } from "../src/WorkflowError.ts"

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { sku: Schema.String, since: Schema.Date }) {}
class Declined extends Schema.TaggedError<Declined>()("Declined", { code: Schema.Number }) {
  override get message(): string {
    return `declined with ${this.code}`
  }
}
class Unregistered extends Data.TaggedError("Unregistered")<{ readonly retryIn: number; readonly at: Date }> {}

const Errors = Schema.Union([OutOfStock, Declined])
const outOfStock = new OutOfStock({ sku: "a-1", since: new Date(0) })

const reasons = (cause: Cause.Cause<unknown>): ReadonlyArray<unknown> =>
  cause.reasons.map((reason) =>
    reason._tag === "Fail" ? { fail: reason.error } : reason._tag === "Die" ? { die: reason.defect } : "interrupt"
  )

/** Errors as data, so that they are compared with everything that a handler may look at. */
const seen = (value: unknown, above: ReadonlyArray<unknown> = []): unknown => {
  if (!(value instanceof Error) || above.includes(value)) return value
  const keys = ["name", "message", "stack", "cause", "errors", ...Object.keys(value)]
  return keys.map((key) => [key, seen((value as unknown as Record<string, unknown>)[key], [...above, value])])
}

const liveAndReplayed = <E>(
  cause: Cause.Cause<unknown>,
  schema?: StorableSchema<E>
): Cause.Cause<E | StepFailed> => {
  const { live, text } = encodeStepCause(cause, schema, "charge")
  const replayed = decodeStepCause(text, schema, "charge")
  // A StepFailed and a schema's class are made anew, with a stack of their own: compared by their fields.
  const shown = (each: Cause.Cause<unknown>): unknown =>
    reasons(each).map((reason) => {
      const { die, fail } = reason as { die?: unknown; fail?: unknown }
      return fail === undefined
        ? seen(die)
        : { fail, message: (fail as Error).message, prototype: Object.getPrototypeOf(fail) }
    })
  deepStrictEqual(shown(replayed), shown(live))
  return live
}

const failureOf = <E>(cause: Cause.Cause<unknown>, schema?: StorableSchema<E>): E | StepFailed => {
  const live = liveAndReplayed(cause, schema)
  const reason = live.reasons[0]
  if (reason?._tag !== "Fail") throw new Error("not a failure")
  return reason.error
}

const defectOf = (defect: unknown): unknown => {
  const live = liveAndReplayed(Cause.die(defect))
  expect(live.reasons).toHaveLength(1)
  const reason = live.reasons[0]
  if (reason?._tag !== "Die") throw new Error("not a defect")
  return reason.defect
}

describe("an error that the step's schema covers (I19)", () => {
  it("comes back as its own class, with its fields", () => {
    const error = failureOf(Cause.fail(outOfStock), Errors)
    expect(error).toBeInstanceOf(OutOfStock)
    expect(error).toStrictEqual(outOfStock)
  })

  it("is caught by its tag after a replay", () => {
    const { text } = encodeStepCause(Cause.fail(new Declined({ code: 7 })), Errors, "charge")
    const replayed = Effect.failCause(decodeStepCause(text, Errors, "charge")).pipe(
      Effect.catchTag("Declined", (error) => Effect.succeed(error.message))
    )
    expect(Effect.runSync(Effect.orDie(replayed))).toBe("declined with 7")
  })

  it("may be any value with a schema", () => {
    expect(failureOf(Cause.fail("no"), Schema.Literals(["no", "never"]))).toBe("no")
    expect(failureOf(Cause.fail(2n), Schema.BigInt)).toBe(2n)
    expect(failureOf(Cause.fail(-0), Schema.Number)).toBe(-0)
    expect(failureOf(Cause.fail(undefined), Schema.Undefined)).toBe(undefined)
  })

  it("becomes StepFailed when the code no longer has the schema, or another one", () => {
    const { text } = encodeStepCause(Cause.fail(new Declined({ code: 7 })), Errors, "charge")
    const cause = decodeStepCause(text, undefined, "charge")
    expect(reasons(cause)).toMatchObject([
      { fail: { _tag: "StepFailed", step: "charge", tag: "Declined", message: "declined with 7", fields: { code: 7 } } }
    ])
    expect(reasons(decodeStepCause(text, OutOfStock, "charge"))).toMatchObject([{ fail: { tag: "Declined" } }])
  })
})

describe("an error that no schema covers (I19)", () => {
  it("becomes StepFailed, with its tag, message, plain fields and causes", () => {
    class Wrapped
      extends Data.TaggedError("Wrapped")<{ readonly message: string; readonly cause: unknown; readonly n: number }>
    {}
    const error = failureOf(
      Cause.fail(new Wrapped({ message: "outer", n: 1, cause: new TypeError("inner", { cause: "root" }) })),
      Errors
    )
    expect(error).toBeInstanceOf(StepFailed)
    expect(error).toMatchObject({
      step: "charge",
      tag: "Wrapped",
      message: "outer",
      fields: { n: 1 },
      cause: { tag: "TypeError", message: "inner", fields: {}, cause: { message: "root" } }
    })
  })

  it("keeps plain fields, and of an instance only its class", () => {
    class Request {
      readonly password = "secret"
    }
    const error = Object.assign(new Error("x"), {
      request: new Request(),
      token: Redacted.make("secret"),
      at: new Date(0),
      big: 2n,
      nan: Number.NaN,
      deep: { list: [1, null, undefined, { a: true }] },
      f: () => 1,
      absent: undefined
    })
    const { text } = encodeStepCause(Cause.fail(error), undefined, "charge")
    expect(text).not.toContain("secret")
    expect(failureOf(Cause.fail(error))).toMatchObject({
      tag: "Error",
      fields: {
        request: "[Request]",
        at: "1970-01-01T00:00:00.000Z",
        big: "2",
        nan: "NaN",
        deep: { list: [1, null, null, { a: true }] }
      }
    })
  })

  it("has a tag and a message even when it is no error", () => {
    expect(failureOf(Cause.fail("boom"))).toMatchObject({ tag: "Failure", message: "boom" })
    expect(failureOf(Cause.fail(null))).toMatchObject({ tag: "Failure", message: "null" })
    expect(failureOf(Cause.fail({ code: 1 }))).toMatchObject({
      tag: "Failure",
      message: "{\"code\":1}",
      fields: { code: 1 }
    })
    expect(failureOf(Cause.fail(new Unregistered({ retryIn: 1, at: new Date(0) })))).toMatchObject({
      tag: "Unregistered",
      fields: { retryIn: 1 }
    })
  })

  it("tells by its reason what happened", () => {
    const error = new WorkflowError({ reason: new WorkflowNotFound({ workflowId: "w" }) })
    expect(failureOf(Cause.fail(error))).toMatchObject({
      tag: "WorkflowError",
      cause: { tag: "WorkflowNotFound", fields: { workflowId: "w" } }
    })
  })

  it("stays the StepFailed that it was", () => {
    const inner = new StepFailed({ step: "reserve", tag: "X", message: "m", fields: { a: 1 } })
    expect(failureOf(Cause.fail(inner))).toStrictEqual(inner)
  })

  it("is covered by its schema but over the size limit: StepFailed with the message cut (I14)", () => {
    class Huge extends Schema.TaggedError<Huge>()("Huge", { text: Schema.String }) {}
    const error = failureOf(Cause.fail(new Huge({ text: "x".repeat(17_000_000) })), Huge)
    expect(error).toBeInstanceOf(StepFailed)
  })
})

describe("a defect (I18)", () => {
  it("stays a defect, with name, message, stack, fields and causes", () => {
    const original = Object.assign(new RangeError("outer", { cause: new Error("inner") }), { code: "E1" })
    const defect = defectOf(original) as Error & { code: string }
    expect(defect).toBeInstanceOf(Error)
    expect(defect).toMatchObject({ name: "RangeError", message: "outer", code: "E1", stack: original.stack })
    expect((defect.cause as Error).message).toBe("inner")
    expect(String(defect)).toBe("RangeError: outer")
  })

  it("keeps the errors of an AggregateError", () => {
    const defect = defectOf(new AggregateError([new Error("a"), "b", new TypeError("c")], "many")) as AggregateError
    expect(defect).toBeInstanceOf(AggregateError)
    expect(defect.errors.map((each: Error) => each.message)).toStrictEqual(["a", "b", "c"])
  })

  it.each([["a string", "boom"], ["a number", 42], ["-0", -0], ["null", null], ["undefined", undefined], [
    "false",
    false
  ], ["data", { a: [1] }]])(
    "that is plain data is the same data: %s (I17)",
    (_, value) => {
      expect(defectOf(value)).toStrictEqual(value)
    }
  )

  const circular = new Error("circular") as Error & { self?: unknown }
  circular.cause = circular
  circular.self = circular
  const two = new Error("two", { cause: circular })
  circular.cause = two
  const throwing = new Error("x")
  Object.defineProperty(throwing, "message", {
    get: () => {
      throw new Error("no message")
    }
  })
  Object.defineProperty(throwing, "field", {
    enumerable: true,
    get: () => {
      throw new Error("no field")
    }
  })
  const revoked = Proxy.revocable(new Error("x"), {})
  revoked.revoke()
  const trap = (): never => {
    throw new Error("trap")
  }
  const hostile = new Proxy(new Error("x"), {
    get: trap,
    ownKeys: trap,
    getPrototypeOf: trap,
    getOwnPropertyDescriptor: trap,
    has: trap
  })
  const chain = Array.from({ length: 1000 }).reduce<Error>(
    (cause, _, index) => new Error(`level ${index}`, { cause }),
    new Error("root")
  )
  const wide = new AggregateError(Array.from({ length: 10_000 }, () => new AggregateError([circular, chain])), "wide")
  class WithTag extends Data.TaggedError("WithTag")<{ readonly n: number }> {}
  class Subclass extends Error {
    override readonly name = "Subclass"
    readonly extra = { list: [1, 2] }
  }

  it.each<readonly [string, unknown, object]>([
    ["a circular cause", circular, { message: "circular" }],
    ["a message that cannot be read", throwing, { message: "(its message cannot be read)" }],
    ["a frozen error", Object.freeze(new Error("frozen")), { message: "frozen" }],
    ["a subclass with fields", new Subclass("sub"), { name: "Subclass", message: "sub", extra: { list: [1, 2] } }],
    ["a tagged error", new WithTag({ n: 1 }), { name: "WithTag", n: 1 }],
    ["a revoked proxy", revoked.proxy, { name: "Defect" }],
    ["a proxy that throws at everything", hostile, { name: "Defect" }],
    ["a chain of a thousand causes", chain, { message: "level 999" }],
    ["a tree of ten thousand errors", wide, { message: "wide" }],
    ["a function", function thrown() {}, { message: "a function thrown" }],
    ["a symbol", Symbol("s"), { message: "Symbol(s)" }],
    ["a bigint", 1n, { message: "1" }],
    ["an object without prototype", Object.assign(Object.create(null), { message: "bare", f: () => 1 }), {
      message: "bare"
    }],
    ["an instance", new Map([["a", 1]]), { name: "Map" }],
    ["a dangerous field", Object.assign(new Error("x"), JSON.parse(`{"__proto__":{"polluted":1}}`)), { message: "x" }],
    ["weird text", new Error("\u0000\ud800"), { message: "\u0000\ud800" }]
  ])("is rendered, bounded, whatever it is: %s (I17)", (_, thrown, expected) => {
    const { text } = encodeStepCause(Cause.die(thrown), undefined, "charge")
    expect(text.length).toBeLessThan(600_000)
    const defect = defectOf(thrown) as Error
    expect(defect).toBeInstanceOf(Error)
    for (const [key, value] of Object.entries(expected)) expect(defect[key as keyof Error]).toStrictEqual(value)
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined)
  })

  it("has a message of five megabytes cut, with a mark (I14)", () => {
    const error = new Error("\u{1f600}".repeat(1_250_000) + "x".repeat(2_500_000))
    const { text } = encodeStepCause(Cause.die(error), undefined, "charge")
    expect(text.length).toBeLessThan(40_000)
    const message = (defectOf(error) as Error).message
    expect(message).toMatch(/\.\.\. \(cut: 5000000 characters\)$/)
    expect(message.isWellFormed()).toBe(true)
    expect(failureOf(Cause.fail(error))).toMatchObject({ message })
  })

  // How many errors are over the limit: in ASCII, in text of three bytes, in characters that JSON writes as six.
  it.each([["ASCII", 8, "x"], ["three bytes", 3, "\u20ac"], ["escapes", 2, "\u0001"]])(
    "that is over the limit as a whole keeps what it is and says, with a mark: %s (I14)",
    (_, count, text) => {
      const fields = Object.fromEntries(Array.from({ length: 256 }, (_, key) => [key, text.repeat(9000)]))
      const huge = Array.from({ length: count }).reduce<Error | undefined>(
        (cause) => Object.assign(new RangeError("huge", { cause }), fields),
        undefined
      )
      const says = "huge (cut: its fields and causes are too large)"
      const defect = defectOf(huge) as Error
      expect([defect.name, defect.message, Object.keys(defect)]).toStrictEqual(["RangeError", says, []])
      const stepFailed = failureOf(Cause.fail(huge))
      expect(stepFailed).toMatchObject({ _tag: "StepFailed", tag: "RangeError", message: says, fields: {} })
      for (const cause of [Cause.fail(huge), Cause.die(huge)]) {
        expect(renderFailure(encodeWorkflowCause(cause, undefined)).detail).toMatchObject({ message: says, fields: {} })
      }
    }
  )

  it.each([["a revoked proxy", revoked.proxy], ["a proxy that throws at everything", hostile]])(
    "may as well be failed with: %s (I17)",
    (_, error) => {
      expect(failureOf(Cause.fail(error))).toMatchObject({ tag: "Unreadable" })
      expect(renderFailure(encodeWorkflowCause(Cause.fail(error), undefined)).detail.tag).toBe("Unreadable")
    }
  )

  it("anything at all may be thrown or failed with", () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withNullPrototype: true,
          withSparseArray: true
        }),
        (value) => {
          const step = encodeStepCause(Cause.die(value), undefined, "charge")
          const shown = (cause: Cause.Cause<unknown>): unknown =>
            reasons(cause).map((reason) => seen((reason as { readonly die: unknown }).die))
          deepStrictEqual(shown(decodeStepCause(step.text, undefined, "charge")), shown(step.live))
          expect(failureOf(Cause.fail(value))).toBeInstanceOf(StepFailed)
          expect(
            decodeWorkflowFailure(encodeWorkflowCause(Cause.die(value), undefined), undefined, {
              workflowId: "w",
              name: "W"
            })
          )
            .toBeInstanceOf(WorkflowError)
        }
      )
    )
  })
})

describe("an interruption in a step (I18)", () => {
  it("from inside becomes StepFailed with the tag Interrupted", () => {
    expect(failureOf(Cause.interrupt(1))).toMatchObject({ _tag: "StepFailed", step: "charge", tag: "Interrupted" })
    const exit = Effect.runSyncExit(Effect.interrupt)
    expect(Exit.isFailure(exit) && failureOf(exit.cause)).toMatchObject({ tag: "Interrupted" })
  })

  it("beside an error or a defect is left out", () => {
    const cause = Cause.combine(Cause.interrupt(1), Cause.combine(Cause.fail(outOfStock), Cause.die("boom")))
    expect(reasons(liveAndReplayed(cause, Errors))).toStrictEqual([{ fail: outOfStock }, { die: "boom" }])
  })
})

describe("several failures at once", () => {
  it("are all kept, up to a limit", () => {
    const many = Cause.fromReasons(
      Array.from({ length: 100 }, (_, index) => Cause.makeFailReason(new Declined({ code: index })))
    )
    expect(liveAndReplayed(many, Errors).reasons).toHaveLength(8)
  })

  it("none at all is a defect that says so", () => {
    expect(reasons(liveAndReplayed(Cause.empty))).toMatchObject([{ die: { message: "It failed with an empty cause" } }])
  })
})

it("stored text of a step that was not written here is Undecodable", () => {
  for (const text of ["", "{}", "[]", "[{\"_tag\":\"Other\"}]"]) {
    expect(() => decodeStepCause(text, undefined, "charge")).toThrow(Undecodable)
  }
})

describe("the failure of a workflow", () => {
  const workflow = { workflowId: "order-42", name: "ProcessOrder" }
  const callerGets = (cause: Cause.Cause<unknown>): unknown =>
    decodeWorkflowFailure(encodeWorkflowCause(cause, Errors), Errors, workflow)
  const failedOf = (error: unknown): WorkflowFailed => {
    if (!(error instanceof WorkflowError) || error.reason._tag !== "WorkflowFailed") {
      throw new Error("not WorkflowFailed")
    }
    expect(error.reason).toMatchObject(workflow)
    return error.reason
  }

  it("is the declared error itself", () => {
    const error = callerGets(Cause.fail(outOfStock))
    expect(error).toBeInstanceOf(OutOfStock)
    expect(error).toStrictEqual(outOfStock)
  })

  it("is WorkflowFailed for a step's failure, which is kept", () => {
    const stepFailed = new StepFailed({ step: "charge", tag: "Timeout", message: "too slow", fields: { ms: 1 } })
    const failed = failedOf(callerGets(Cause.fail(stepFailed)))
    expect(failed.kind).toBe("failure")
    expect(failed.stepFailed).toStrictEqual(stepFailed)
    expect(failed.message).toBe(
      "The workflow \"ProcessOrder\" with the id \"order-42\" failed with Timeout in step \"charge\": too slow"
    )
  })

  it("is WorkflowFailed for a defect, an interruption, and an error of the engine", () => {
    const defect = failedOf(callerGets(Cause.die(new TypeError("bug"))))
    expect(defect).toMatchObject({ kind: "defect", cause: { tag: "TypeError", message: "bug" } })
    expect(defect.cause.stack).toContain("bug")
    expect(defect.message).toContain("died of TypeError: bug")
    expect(failedOf(callerGets(Cause.die(undefined)))).toMatchObject({
      kind: "defect",
      cause: { message: "undefined" }
    })
    expect(failedOf(callerGets(Cause.interrupt(1)))).toMatchObject({ kind: "interrupted" })
    const child = new WorkflowError({ reason: new WorkflowNotFound({ workflowId: "w" }) })
    expect(failedOf(callerGets(Cause.fail(child)))).toMatchObject({
      kind: "failure",
      cause: { tag: "WorkflowError", cause: { tag: "WorkflowNotFound" } }
    })
  })

  it("is an error before a defect, as Effect has it", () => {
    expect(callerGets(Cause.combine(Cause.die("bug"), Cause.fail(outOfStock)))).toBeInstanceOf(OutOfStock)
  })

  it("can be told without the schema", () => {
    const text = encodeWorkflowCause(Cause.fail(new Declined({ code: 7 })), Errors)
    expect(renderFailure(text)).toStrictEqual({
      kind: "failure",
      detail: { tag: "Declined", message: "declined with 7", fields: { code: 7 } }
    })
    expect(failedOf(decodeWorkflowFailure(text, undefined, workflow)).cause.tag).toBe("Declined")
    expect(failedOf(decodeWorkflowFailure("garbage", undefined, workflow)).cause.tag).toBe("Unreadable")
  })

  it("can be stored again, inside the failure of a parent", () => {
    const failed = callerGets(Cause.die(new Error("bug")))
    const codec = Schema.toCodecJson(WorkflowError)
    expect(Schema.decodeUnknownSync(codec)(Schema.encodeUnknownSync(codec)(failed))).toStrictEqual(failed)
  })
})
