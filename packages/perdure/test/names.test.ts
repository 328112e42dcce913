/**
 * Hunts for ids, names and durations that a database, a log or a timer would take amiss later.
 */
import * as Duration from "effect/Duration"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Names from "../src/internal/names.ts"
import { byteLength } from "../src/internal/text.ts"
import { WorkflowError } from "../src/WorkflowError.ts"

const refusal = (
  run: () => unknown
): { readonly argument: string; readonly detail: string; readonly message: string } => {
  try {
    run()
  } catch (error) {
    if (error instanceof WorkflowError && error.reason._tag === "InvalidArgument") return error.reason
    throw error
  }
  throw new Error("accepted")
}

describe("a workflow id (I21)", () => {
  it.each([
    "a",
    " ",
    "order-42",
    "a/b/../c",
    "%2F",
    "'; DROP TABLE x --",
    "\"quoted\"",
    "é",
    "e\u0301",
    "ORDER",
    "order",
    "\u{1f600}",
    "\u202eabc",
    "\u2028",
    "__proto__",
    "x".repeat(255),
    "x".repeat(256),
    "x".repeat(400),
    "ü".repeat(200)
  ])("is taken as it is: %j", (id) => {
    expect(Names.checkWorkflowId(id)).toBe(id)
  })

  it.each<readonly [unknown, RegExp]>([
    ["", /empty/],
    ["x".repeat(401), /at least 401 bytes/],
    ["x".repeat(10_000), /at least 10000 bytes/],
    ["ü".repeat(201), /402 bytes/],
    ["a\nb", /control character U\+000A at 1/],
    ["\u0000", /U\+0000 at 0/],
    ["a\u007f", /U\+007F/],
    ["a\u0085", /U\+0085/],
    ["\ud800", /surrogate/],
    ["\udc00x", /surrogate/],
    [undefined, /of type undefined/],
    [null, /it is null/],
    [42, /of type number/],
    [["a"], /of type object/]
  ])("is refused, naming argument and limit: %j", (id, detail) => {
    const { argument, message } = refusal(() => Names.checkWorkflowId(id))
    expect(argument).toBe("workflow id")
    expect(message).toMatch(detail)
  })

  it("is either refused or fit for every column", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 500 }), (id) => {
      try {
        expect(Names.checkWorkflowId(id)).toBe(id)
      } catch (error) {
        expect(error).toBeInstanceOf(WorkflowError)
        return
      }
      expect(byteLength(id)).toBeLessThanOrEqual(Names.WORKFLOW_ID_BYTES)
      expect(id).not.toMatch(/\p{Cc}/u)
      expect(id.isWellFormed()).toBe(true)
    }))
  })

  it("leaves room for children and their children", () => {
    let id = "x".repeat(Names.WORKFLOW_ID_BYTES)
    for (let level = 0; level < 10; level++) id = Names.childWorkflowId(id, 9_999_999)
    expect(byteLength(id)).toBeLessThanOrEqual(Names.STORED_ID_BYTES)
    expect(
      refusal(() => {
        for (let level = 0; level < 100; level++) id = Names.childWorkflowId(id, level)
      }).argument
    ).toBe("workflow id of a child")
  })
})

describe("names and keys (I23)", () => {
  it.each(
    [
      ["workflow name", Names.checkWorkflowName],
      ["step name", Names.checkStepName],
      ["key", (value: unknown) => Names.checkKey(value)],
      ["partition key", (value: unknown) => Names.checkKey(value, "partition key")]
    ] as const
  )("are like ids, up to 256 bytes: %s", (argument, check) => {
    expect(check("constructor")).toBe("constructor")
    expect(check("send receipt \u{1f600}")).toBe("send receipt \u{1f600}")
    expect(check("x".repeat(256))).toHaveLength(256)
    expect(refusal(() => check("")).argument).toBe(argument)
    expect(refusal(() => check("x".repeat(257))).message).toContain("256 bytes")
    expect(refusal(() => check("a\tb")).argument).toBe(argument)
  })
})

describe("a duration (I29)", () => {
  it.each<readonly [Duration.Input, number]>([
    [1, 1],
    [0.5, 1],
    [1n, 1],
    ["5 minutes", 300_000],
    ["1 day", 86_400_000],
    [{ days: 25 }, 2_160_000_000],
    [2 ** 31, 2 ** 31],
    [Duration.days(36_525), 3_155_760_000_000],
    [[1, 500_000_000], 1_500],
    [Duration.nanos(1n), 1]
  ])("is whole milliseconds, rounded up: %s", (input, millis) => {
    expect(Names.positiveDurationMs("timeout", input)).toBe(millis)
    expect(Names.durationMs("sleep", input)).toBe(millis)
  })

  it("may be zero where that has a meaning", () => {
    expect(Names.durationMs("sleep", 0)).toBe(0)
    expect(Names.durationMs("sleep", { seconds: 0 })).toBe(0)
    expect(refusal(() => Names.positiveDurationMs("timeout", 0)).detail).toBe("it is zero")
  })

  it.each<readonly [unknown, RegExp]>([
    [Number.NaN, /NaN/],
    [[Number.NaN, 0], /NaN/],
    [{ seconds: Number.NaN }, /NaN/],
    [-1, /negative/],
    ["-5 minutes", /negative/],
    [{ hours: -1 }, /negative/],
    [Infinity, /infinite/],
    [-Infinity, /infinite/],
    ["Infinity", /infinite/],
    [Duration.infinity, /infinite/],
    ["1 fortnight", /"1 fortnight" is not a duration/],
    ["", /not a duration/],
    ["5", /not a duration/],
    [{}, /no duration field/],
    [{ second: 1 }, /no duration field, or one that is unknown/],
    [new Date(0), /duration/],
    [null, /not a duration/],
    [undefined, /not a duration/],
    [true, /not a duration/],
    [[1], /not a duration/],
    [Number.MAX_VALUE, /ten thousand years/],
    ["999999999 weeks", /ten thousand years/]
  ])("is refused: %o", (input, detail) => {
    const { argument, message } = refusal(() => Names.durationMs("timeout", input as Duration.Input))
    expect(argument).toBe("timeout")
    expect(message).toMatch(detail)
  })
})
