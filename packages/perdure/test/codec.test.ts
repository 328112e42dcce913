/**
 * Hunts for live values that differ from what a replay gives, and for schemas whose failures are not typed.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as fc from "fast-check"
import { deepStrictEqual } from "node:assert"
import { describe, expect, it } from "vitest"
import * as Codec from "../src/internal/codec.ts"
import { WorkflowError } from "../src/WorkflowError.ts"

class Person extends Schema.Class<Person>("Person")({ name: Schema.String, born: Schema.Date }) {}

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  value: Schema.Number,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

const Order = Schema.Struct({
  id: Schema.String.check(Schema.isNonEmpty()),
  kind: Schema.Literals(["new", "old"]),
  note: Schema.optionalKey(Schema.NullOr(Schema.String)),
  total: Schema.Number,
  tags: Schema.Record(Schema.String, Schema.Boolean),
  pair: Schema.Tuple([Schema.String, Schema.Finite])
})

const reasonOf = (run: () => unknown): WorkflowError["reason"] => {
  try {
    run()
  } catch (error) {
    if (error instanceof WorkflowError) return error.reason
    throw error
  }
  throw new Error("it did not throw")
}

const roundTrip = <A>(schema: Codec.StorableSchema<A> | undefined, value: A): A => {
  const codec = Codec.make(schema)
  const { live, text } = codec.record(value)
  const replayed = codec.decode(text)
  deepStrictEqual(replayed, live)
  deepStrictEqual(codec.live(value), live)
  expect(codec.encode(value)).toBe(text)
  return live
}

describe("without a schema", () => {
  it("live and replayed are the same, whatever the value", () => {
    fc.assert(fc.property(fc.anything({ withNullPrototype: true }), (value) => {
      const codec = Codec.make<unknown>()
      try {
        const { live, text } = codec.record(value)
        deepStrictEqual(codec.decode(text), live)
      } catch (error) {
        expect(error).toBeInstanceOf(WorkflowError)
      }
    }))
  })

  it("void stays undefined, live and replayed", () => {
    expect(roundTrip(undefined, undefined)).toBe(undefined)
  })

  it("leaves out undefined properties live, as a replay will", () => {
    expect(roundTrip<unknown>(undefined, { a: undefined, b: 1 })).toStrictEqual({ b: 1 })
  })

  it("refuses with what, path and reason", () => {
    const codec = Codec.make<unknown>()
    expect(reasonOf(() => codec.encode({ items: [{ at: new Date(0) }] }, "result of step \"price\""))).toMatchObject({
      _tag: "Unencodable",
      what: "result of step \"price\"",
      path: "items[0].at",
      message:
        "The result of step \"price\" cannot be stored, at items[0].at: an instance of a class (Date); give its schema."
    })
    expect(reasonOf(() => codec.encode("x".repeat(17_000_000)))).toMatchObject({
      _tag: "PayloadTooLarge",
      limitBytes: 16_777_216,
      sizeBytes: 17_000_001
    })
  })
})

const cases: ReadonlyArray<readonly [string, Codec.StorableSchema<unknown>, unknown]> = [
  ["I01 void", Schema.Void, undefined],
  ["I01 an optional undefined", Schema.Struct({ a: Schema.optional(Schema.String) }), { a: undefined }],
  ["I02 -0", Schema.Number, -0],
  ["I02 null", Schema.NullOr(Schema.String), null],
  ["I03 NaN", Schema.Number, Number.NaN],
  ["I03 infinities", Schema.Struct({ a: Schema.Array(Schema.Number) }), { a: [Infinity, -Infinity, 1] }],
  ["I04 2^63", Schema.BigInt, 2n ** 63n],
  ["I04 -1n", Schema.Array(Schema.BigInt), [-1n]],
  ["I05 a date before 1970", Schema.Date, new Date(-1)],
  ["I05 the last date", Schema.Date, new Date(8.64e15)],
  [
    "I06 a Map with object keys",
    Schema.ReadonlyMap(Schema.Struct({ a: Schema.Number }), Schema.Date),
    new Map([[{ a: 1 }, new Date(0)]])
  ],
  ["I06 a Set", Schema.ReadonlySet(Schema.BigInt), new Set([1n])],
  ["I07 a RegExp", Schema.RegExp, /a+/gi],
  ["I07 a URL", Schema.URL, new URL("https://example.org/a?b#c")],
  ["I07 bytes", Schema.Uint8Array, new Uint8Array([0, 255])],
  ["I11 an Option", Schema.Option(Schema.Date), Option.some(new Date(0))],
  ["I11 none", Schema.Option(Schema.String), Option.none()],
  ["I11 a Duration", Schema.Duration, Duration.days(1)],
  ["I11 a Redacted, on request", Schema.Redacted(Schema.String), Redacted.make("secret")],
  [
    "I11 an Exit",
    Schema.Exit(Schema.Date, Schema.String, Schema.Unknown),
    Effect.runSyncExit(Effect.succeed(new Date(0)))
  ],
  [
    "I16 dangerous keys",
    Schema.Record(Schema.String, Schema.Number),
    JSON.parse(`{"__proto__":1,"constructor":2,"toJSON":3}`)
  ],
  ["a class", Person, new Person({ name: "Ada", born: new Date(0) })],
  ["a recursive type", Tree, { value: 1, children: [{ value: Number.NaN, children: [] }] }],
  ["a struct", Order, { id: "1", kind: "new", note: null, total: 1.5, tags: { "\u0000": true }, pair: ["a", -0] }]
]

describe("with a schema", () => {
  it.each(cases)("live equals replayed equals given: %s", (_, schema, value) => {
    const live = roundTrip(schema, value)
    if (!Equal.equals(live, value)) deepStrictEqual(live, value)
  })

  it("gives back instances of classes", () => {
    const person = roundTrip(Person, new Person({ name: "Ada", born: new Date(0) }))
    expect(person).toBeInstanceOf(Person)
    expect(person.born).toBeInstanceOf(Date)
  })

  it("leaves out live what the schema does not name, as a replay will", () => {
    const value = { value: 1, children: [], extra: new Date() }
    expect(roundTrip<Tree>(Tree, value)).toStrictEqual({ value: 1, children: [] })
    expect(roundTrip(Schema.Struct({ at: Schema.Date }), { at: new Date(0), extra: 1 } as { at: Date })).toStrictEqual({
      at: new Date(0)
    })
  })

  it("gives live what a lossy schema keeps", () => {
    const Rounded = Schema.Number.pipe(
      Schema.decodeTo(Schema.Number, { decode: SchemaGetter.passthrough(), encode: SchemaGetter.transform(Math.round) })
    )
    expect(roundTrip(Rounded, 1.6)).toBe(2)
  })

  it("live equals replayed for any value of a struct", () => {
    const value = fc.record({
      id: fc.string({ unit: "binary", minLength: 1 }),
      kind: fc.constantFrom("new" as const, "old" as const),
      note: fc.option(fc.string({ unit: "binary" })),
      total: fc.double(),
      tags: fc.dictionary(fc.string({ unit: "binary" }), fc.boolean()),
      pair: fc.tuple(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }))
    }, { requiredKeys: ["id", "kind", "total", "tags", "pair"] })
    fc.assert(fc.property(value, (order) => {
      // Spread: fast-check may give objects without a prototype.
      const given = { ...order, tags: Object.fromEntries(Object.entries(order.tags)) }
      deepStrictEqual(roundTrip(Order, given as typeof Order.Type), given)
    }))
  })

  it("is kept, so that asking again costs nothing", () => {
    expect(Codec.make(Order)).toBe(Codec.make(Order))
  })
})

describe("a value that its schema refuses", () => {
  it("is a typed error with the path: an invalid date (I05)", () => {
    const codec = Codec.make(Schema.Struct({ items: Schema.Array(Schema.Struct({ at: Schema.Date })) }))
    expect(reasonOf(() => codec.encode({ items: [{ at: new Date(Number.NaN) }] }))).toMatchObject({
      _tag: "Unencodable",
      path: "items[0].at",
      detail: "Expected a valid Date"
    })
  })

  it.each<readonly [string, Codec.StorableSchema<unknown>, unknown, RegExp]>([
    ["a check that fails", Order, { id: "", kind: "new", total: 1, tags: {}, pair: ["", 1] }, /length/],
    [
      "a schema that throws",
      Schema.String.pipe(Schema.decodeTo(Schema.String, {
        decode: SchemaGetter.passthrough(),
        encode: SchemaGetter.transform(() => {
          throw new Error("boom")
        })
      })),
      "x",
      /its schema threw: Error: boom/
    ],
    [
      "a schema that waits",
      Schema.String.pipe(Schema.decodeTo(Schema.String, {
        decode: SchemaGetter.passthrough(),
        encode: SchemaGetter.transformEffect((text: string) => Effect.as(Effect.sleep(1), text))
      })),
      "x",
      /asynchronously/
    ],
    [
      "a schema that cannot read what it wrote",
      Schema.String.pipe(Schema.decodeTo(Schema.String, {
        decode: SchemaGetter.transform(() => {
          throw new Error("no")
        }),
        encode: SchemaGetter.passthrough()
      })),
      "x",
      /does not read what it wrote/
    ],
    ["Any, with an instance inside", Schema.Any, { a: new Date() }, /class \(Date\)/],
    ["Unknown, with an instance inside", Schema.Unknown, { a: new Map() }, /./],
    [
      "a Redacted that may not be written",
      Schema.Redacted(Schema.String, { disallowJsonEncode: true }),
      Redacted.make("secret"),
      /Redacted/
    ],
    [
      "a recursive value without end",
      Tree,
      (() => {
        const tree = { value: 1, children: [] as Array<unknown> }
        tree.children.push(tree)
        return tree
      })(),
      /./
    ]
  ])("is a typed error: %s", (_, schema, value, detail) => {
    const reason = reasonOf(() => Codec.make(schema).record(value))
    expect(reason._tag).toBe("Unencodable")
    if (reason._tag === "Unencodable") expect(reason.detail).toMatch(detail)
    expect(reason.message).not.toContain("secret")
  })

  it("is refused when the schema has no JSON form at all", () => {
    expect(reasonOf(() => Codec.make(Schema.Struct({ [Symbol.for("a")]: Schema.String })))).toMatchObject({
      _tag: "InvalidArgument"
    })
  })
})

describe("stored text that the code cannot read", () => {
  it("is Undecodable, with the path", () => {
    const codec = Codec.make(Order)
    expect(() => codec.decode(`{"id":"1","kind":"odd"}`)).toThrow(Codec.Undecodable)
    expect(() => codec.decode(`{"id":"1","kind":"odd"}`)).toThrow(/at kind/)
    expect(() => codec.decode("{")).toThrow(/not JSON/)
    expect(() => Codec.make().decode("")).toThrow(Codec.Undecodable)
  })
})
