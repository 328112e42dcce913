/**
 * Hunts for values that come back changed, silently: the worst thing a store of values can do.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { deepStrictEqual } from "node:assert"
import { describe, expect, it } from "vitest"
import { byteLength, defaultLimits, parse, stringify, UNDEFINED_TEXT } from "../src/internal/text.ts"

const written = (value: unknown): string => {
  const text = stringify(value)
  if (text._tag !== "Text") throw new Error(`refused: ${JSON.stringify(text)}`)
  return text.text
}

// Tells -0 from 0 and an absent property from an undefined one, and takes a key `constructor` for data, as `expect` does
// not.
const same: (actual: unknown, expected: unknown) => void = deepStrictEqual

// A string of any UTF-16 units: NUL, lone surrogates, separators, marks.
const anyString = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom(
    "",
    "\u0000",
    "\ud800",
    "\udc00x",
    "\u2028\u2029",
    "\u{1f600}",
    "\u202eabc",
    "__proto__",
    "toJSON",
    "constructor",
    "$type"
  )
)

const anyNumber = fc.double({ noNaN: true, noDefaultInfinity: true })

const anyJson: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    anyNumber,
    anyString,
    fc.array(tie("value"), { maxLength: 5 }),
    // Built by definition, not assignment, so that `__proto__` is a key like any other.
    fc.array(fc.tuple(anyString, tie("value")), { maxLength: 5 }).map((entries) => Object.fromEntries(entries))
  )
})).value

describe("a value that is plain JSON", () => {
  it("comes back equal, whatever its strings, keys and numbers", () => {
    fc.assert(fc.property(anyJson, (value) => {
      const text = stringify(value)
      expect(text).toMatchObject({ _tag: "Text", exact: true })
      same(parse(written(value)), value)
    }))
  })

  it("is text that any database takes: no NUL, no control character, no half of a surrogate pair", () => {
    fc.assert(fc.property(anyJson, (value) => {
      const text = written(value)
      expect(text.isWellFormed()).toBe(true)
      // oxlint-disable-next-line no-control-regex
      expect(text).not.toMatch(/[\u0000-\u001f]/)
    }))
    expect(written("a\u0000b\ud800")).toBe("\"a\\u0000b\\ud800\"")
  })

  it("keeps what is nearly nothing (I02)", () => {
    for (const value of [null, "", 0, -0, false, [], {}, [-0, { a: -0, b: [0] }], Number.MIN_VALUE, Number.MAX_VALUE]) {
      same(parse(written(value)), value)
    }
  })

  it("may be undefined as a whole, and is not null then", () => {
    expect(written(undefined)).toBe(UNDEFINED_TEXT)
    expect(parse(UNDEFINED_TEXT)).toBe(undefined)
    expect(parse(written(null))).toBe(null)
    expect(JSON.parse(UNDEFINED_TEXT)).toBe(null)
  })

  it("may have keys that mean something elsewhere", () => {
    const value = JSON.parse(
      `{"__proto__":{"polluted":true},"constructor":1,"toJSON":"data","$type":"Date","json":{"meta":null},"hasOwnProperty":0}`
    )
    const back = parse(written(value)) as object
    same(back, value)
    expect(Object.keys(back)).toStrictEqual(Object.keys(value))
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined)
  })

  it("may meet the same object twice", () => {
    const shared = { a: 1 }
    same(parse(written({ x: shared, y: [shared, shared] })), { x: { a: 1 }, y: [{ a: 1 }, { a: 1 }] })
  })

  it("may be frozen, and may have a million keys", () => {
    same(parse(written(Object.freeze({ a: Object.freeze([1]) }))), { a: [1] })
    const keys = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, index) => [index.toString(36), 1]))
    expect(Object.keys(parse(written(keys)) as object)).toHaveLength(1_000_000)
  })
})

describe("a value that JSON holds nearly", () => {
  it("loses properties that are undefined, and says so", () => {
    expect(stringify({ a: undefined, b: [{ c: undefined }] })).toStrictEqual({
      _tag: "Text",
      text: `{"b":[{}]}`,
      exact: false
    })
    expect(stringify({ a: undefined, b: -0 })).toStrictEqual({ _tag: "Text", text: `{"b":-0}`, exact: false })
  })

  it("gets the ordinary prototype in place of none, and says so", () => {
    expect(stringify(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({
      _tag: "Text",
      text: `{"a":1}`,
      exact: false
    })
  })

  it("ignores what cannot be seen: hidden properties", () => {
    expect(stringify(Object.defineProperty({ a: 1 }, "hidden", { value: 2 }))).toMatchObject({ text: `{"a":1}` })
  })
})

class Point {
  x = 1
}
class Items extends Array {}

const circular: Record<string, unknown> = { a: { b: [] } }
;(circular["a"] as { b: Array<unknown> }).b.push(0, circular["a"])
const wide: Array<unknown> = [Array.from({ length: 1000 }, () => "x")]
wide.push(wide)
const revoked = Proxy.revocable({}, {})
revoked.revoke()

const refused: ReadonlyArray<readonly [string, unknown, string, string | RegExp]> = [
  ["I01 undefined in an array", { a: [1, undefined] }, "a[1]", "undefined in an array; use null"],
  ["I01 a hole", Object.assign([1], { 2: 3 }), "[1]", "a hole in an array; use null"],
  ["I03 NaN", { a: Number.NaN }, "a", "NaN is not a JSON number"],
  ["I03 Infinity", [Infinity], "[0]", "Infinity is not a JSON number"],
  ["I03 -Infinity", -Infinity, "", "-Infinity is not a JSON number"],
  ["I04 a bigint", { n: 2n ** 63n }, "n", "a bigint; give its schema"],
  ["I05 a Date", { at: new Date(0) }, "at", /class \(Date\)/],
  ["I06 a Map", { items: [new Map()] }, "items[0]", /class \(Map\)/],
  ["I06 a Set", new Set(), "", /class \(Set\)/],
  ["I07 a RegExp", /x/, "", /class \(RegExp\)/],
  ["I07 a URL", { u: new URL("http://x") }, "u", /class \(URL\)/],
  ["I07 bytes", new Uint8Array(2), "", /class \(Uint8Array\)/],
  ["I07 a Buffer, whose toJSON is not called", { b: Buffer.from("x") }, "b", /class \(Buffer\)/],
  ["I07 an ArrayBuffer", new ArrayBuffer(1), "", /class \(ArrayBuffer\)/],
  ["I08 a circular value", circular, "a.b[1]", "circular: it is a again"],
  ["I08 a circular value that is wide", wide, "[1]", "circular: it is the whole value again"],
  ["I09 a function", { f: () => 1 }, "f", "a function"],
  ["I09 a symbol", { s: Symbol("x") }, "s", "a symbol (Symbol(x))"],
  ["I09 a symbol key", { a: { [Symbol("x")]: 1 } }, "a", "it has the symbol key Symbol(x)"],
  [
    "I09 an instance of a class",
    { "a b": [new Point()] },
    "[\"a b\"][0]",
    "an instance of a class (Point); give its schema"
  ],
  [
    "I09 an instance of an anonymous class",
    new (class {
      readonly x = 1
    })(),
    "",
    /class \(anonymous\)/
  ],
  ["I09 a subclass of Array", Items.from([1]), "", /class \(Items\)/],
  ["I09 a boxed string", Object("x"), "", /class \(String\)/],
  [
    "I09 a getter, which is not run",
    {
      get a(): never {
        throw new Error("ran")
      }
    },
    "a",
    "a getter; make it a plain property"
  ],
  [
    "I09 a proxy that throws",
    {
      p: new Proxy({ a: 1 }, {
        get: () => {
          throw new Error("trap")
        }
      })
    },
    "p",
    /reading it threw: Error: trap/
  ],
  ["I09 a revoked proxy", { p: revoked.proxy }, "p", /reading it threw: TypeError/],
  ["I09 an array with properties", { m: "abc".match(/b/) }, "m.index", /a property of an array/],
  ["I09 an error", { e: new TypeError("x") }, "e", /an error \(TypeError\)/],
  ["I09 toJSON as a method", { toJSON: () => 1 }, "toJSON", "a function"],
  ["I10 a Promise", { p: Promise.resolve(1) }, "p", /a Promise; await it/],
  ["I10 a thenable", Object.create({ then() {} }), "", /a Promise; await it/],
  ["I10 an effect", Effect.sleep(1), "", "returned an effect: yield* it"],
  ["I10 an effect inside", { a: [Effect.void] }, "a[0]", /^returned an effect: yield\* it/],
  ["I10 a Stream", Stream.make(1), "", /a Stream; run it/],
  ["I10 a Fiber", Effect.runFork(Effect.void), "", /a Fiber; join it/],
  ["I11 an Option", Option.some(1), "", /give its schema/],
  ["I11 an Exit", Exit.succeed(1), "", /for an Exit as a value give its schema/],
  ["I11 a Cause", Cause.fail(1), "", "a Cause; give its schema"],
  ["I11 a Redacted", { password: Redacted.make("secret") }, "password", /a Redacted value/]
]

describe("a value that would come back changed", () => {
  it.each(refused)("is refused with its path: %s", (_, value, path, detail) => {
    const text = stringify(value)
    expect(text).toMatchObject({ _tag: "Refused", path })
    if (text._tag === "Refused") expect(text.detail).toMatch(detail)
  })

  it("is refused when nested too deep, without an overflow (I15)", () => {
    const nested = (levels: number): unknown => {
      let value: unknown = 1
      for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value }
      return value
    }
    expect(stringify(nested(10_000))).toMatchObject({ _tag: "Refused", detail: "nested deeper than 512 levels" })
    expect(stringify(nested(512))).toMatchObject({ _tag: "Text" })
    expect(stringify(nested(513))).toMatchObject({ _tag: "Refused" })
    expect(stringify(nested(4), { ...defaultLimits, maxDepth: 3 })).toMatchObject({
      detail: "nested deeper than 3 levels"
    })
  })
})

describe("a value over the size limit", () => {
  it("is refused by its bytes, not its characters (I13)", () => {
    const limits = { maxBytes: 10, maxDepth: 8 }
    expect(stringify("12345678", limits)).toMatchObject({ _tag: "Text" })
    expect(stringify("123456789", limits)).toStrictEqual({ _tag: "TooLarge", sizeBytes: 11, limitBytes: 10 })
    expect(stringify("äöüß", limits)).toMatchObject({ _tag: "Text" })
    expect(stringify("äöüßä", limits)).toStrictEqual({ _tag: "TooLarge", sizeBytes: 12, limitBytes: 10 })
    expect(stringify("x".repeat(10_000_000))).toMatchObject({ _tag: "Text" })
    expect(stringify("x".repeat(17_000_000))).toMatchObject({ _tag: "TooLarge", limitBytes: defaultLimits.maxBytes })
    expect(stringify(Array.from({ length: 10 }, () => "x".repeat(10_000_000)))).toMatchObject({ _tag: "TooLarge" })
  })

  it("is not over it when its text is not", () => {
    fc.assert(fc.property(anyJson, fc.integer({ min: 1, max: 60 }), (value, maxBytes) => {
      const sizeBytes = new TextEncoder().encode(written(value)).length
      expect(stringify(value, { maxBytes, maxDepth: 100 })._tag).toBe(sizeBytes <= maxBytes ? "Text" : "TooLarge")
    }))
  })

  it("is refused early when sharing makes it explode", () => {
    let value: unknown = "x"
    for (let level = 0; level < 100; level++) value = [value, value]
    expect(stringify(value)).toMatchObject({ _tag: "TooLarge" })
  })
})

it("byteLength counts as UTF-8 does", () => {
  fc.assert(fc.property(anyString, (text) => {
    expect(byteLength(text)).toBe(new TextEncoder().encode(text).length)
  }))
})
