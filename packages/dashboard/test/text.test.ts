/** What pages say and how they are addressed, as pure functions. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { align } from "../src/app/text/align.ts"
import { counted, inQueue, waiting } from "../src/app/text/counts.ts"
import { inWords } from "../src/app/text/cron.ts"
import { attributesOf, attributeText, filterOf, restricts, searchOf } from "../src/app/text/filters.ts"
import { fieldOf, initial } from "../src/app/text/form.ts"
import { limitsInWords } from "../src/app/text/limits.ts"
import { parseSearch, stringifySearch } from "../src/app/text/search.ts"
import { duration, relative } from "../src/app/text/time.ts"
import { axis } from "../src/app/text/timeline.ts"
import { isPlain, partsOf, visible } from "../src/app/text/visible.ts"

describe("numbers", () => {
  it("say when more than that may be there", () => {
    expect(counted({ count: 1234, more: false })).toBe("1,234")
    expect(counted({ count: 0, more: true })).toBe("0+")
    expect([0, 9999, 10_000].map(inQueue)).toEqual(["0", "9,999", "10,000+"])
    expect([0, 1, 10_000].map(waiting)).toEqual(["0 wait", "1 waits", "10,000+ wait"])
  })
})

describe("text of others", () => {
  it("shows what would hide or reorder it as escapes, and leaves the rest alone", () => {
    expect(visible("a\u202Eb\u0000c\u200B")).toBe("a\\u202eb\\u0000c\\u200b")
    expect(visible("日本語 👩‍👩‍👧 e\u0301\tx\n")).toBe("日本語 👩‍👩‍👧 e\u0301\tx\n")
    expect(partsOf("a\u202Eb").map(({ escaped, text }) => [text, escaped])).toEqual([
      ["a", false],
      ["\\u202e", true],
      ["b", false]
    ])
  })

  it("is shown whole: its parts together are what is visible of it", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(partsOf(text).map((part) => part.text).join("")).toBe(visible(text))
      expect(isPlain(visible(text))).toBe(true)
    }))
  })
})

describe("times", () => {
  it("are told in two units at most", () => {
    const words = [0, 999, 1000, 9940, 59_999, 60_000, 250_000, 3_600_000, 93_784_000].map(duration)
    expect(words).toEqual(["0 ms", "999 ms", "1.0 s", "9.9 s", "59 s", "1 m", "4 m 10 s", "1 h", "1 d 2 h"])
  })

  it("are told from now", () => {
    expect([-500, -5000, -125_000, 172_740_000].map((away) => relative(1e12 + away, 1e12))).toEqual([
      "just now",
      "5 s ago",
      "2 m ago",
      "in 1 d 23 h"
    ])
  })
})

/** As it is stored: there is no -0. */
const attributeValue = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  fc.boolean()
)

describe("an address", () => {
  it("gives back what was put into it, whatever it is", () => {
    fc.assert(fc.property(
      fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.array(fc.string(), { minLength: 2 }))),
      (search) => {
        expect(parseSearch(stringifySearch(search))).toEqual({ ...search })
      }
    ))
  })

  it("restricts by what it knows, and by nothing else", () => {
    const raw = {
      status: ["ERROR", "NONSENSE"],
      name: "Order",
      id: "a",
      tab: "x",
      from: "never",
      attribute: ["n=1", "s=\"1\""]
    }
    expect(filterOf(searchOf(raw))).toEqual({
      status: ["ERROR"],
      name: ["Order"],
      idPrefix: "a",
      attributes: { n: 1, s: "1" }
    })
    for (const nothing of [{ order: "asc", unknown: "x" }, { attribute: "customer" }, { attribute: ["=x", "y"] }]) {
      expect(restricts(filterOf(searchOf(nothing)))).toBe(false)
    }
  })

  it("names an attribute so that it is found by it", () => {
    fc.assert(fc.property(
      fc.oneof(fc.string({ minLength: 1 }), fc.string({ unit: fc.constantFrom("a", "=", "\"", "\\"), minLength: 1 })),
      attributeValue,
      (key, value) => {
        expect(filterOf({ attribute: [attributeText(key, value)] }).attributes).toEqual(
          Object.fromEntries([[key, value]])
        )
      }
    ))
  })
})

describe("attributes", () => {
  it("that are shown and not edited are what they were", () => {
    const attributes = {
      "a=b": 1,
      "\"q\"": "x",
      huge: 1e21,
      tiny: -1e-7,
      text: "1e21",
      beyond: "1e999",
      quoted: "\"1\""
    }
    const lines = Object.entries(attributes).map(([key, value]) => attributeText(key, value))
    expect(lines.slice(0, 3)).toEqual(["\"a=b\"=1", "\"\\\"q\\\"\"=x", "huge=1e+21"])
    expect(attributesOf(lines)).toEqual(attributes)
    fc.assert(fc.property(fc.dictionary(fc.string({ minLength: 1 }), attributeValue), (given) => {
      const lines = Object.entries(given).map(([key, value]) => attributeText(key, value))
      expect(attributesOf(lines)).toEqual({ ...given })
    }))
  })

  it("are read from what is typed", () => {
    expect(attributesOf(["n=-1.5E+3", "e=1e5", "far=1e999", "a=b=c", "\"a=b\"=c", "\"a\"b=c", "none", "=x", "\"\"=x"]))
      .toEqual({
        n: -1500,
        e: 100_000,
        far: "1e999",
        a: "b=c",
        "a=b": "c",
        "\"a\"b": "c"
      })
  })
})

describe("a timeline", () => {
  it("keeps the order of times on either scale, from 0 to 1", () => {
    const span = fc.tuple(fc.nat(1e9), fc.nat(1e9)).map(([start, length]) => ({ start, end: start + length }))
    fc.assert(fc.property(
      fc.array(span, { minLength: 1 }),
      fc.constantFrom("compressed" as const, "linear" as const),
      (spans, scale) => {
        const position = axis(spans, scale)
        const places = spans.flatMap(({ end, start }) => [start, end]).sort((a, b) => a - b).map(position)
        expect(places).toEqual([...places].sort((a, b) => a - b))
        expect(places.every((place) => place >= 0 && place <= 1)).toBe(true)
      }
    ))
  })

  it("gives a millisecond beside a day a place that can be seen", () => {
    const position = axis([{ start: 0, end: 5 }, { start: 5, end: 86_400_000 }], "compressed")
    expect(position(5)).toBeGreaterThan(0.05)
  })
})

describe("a comparison", () => {
  const step = (stepId: number, name: string, value: string) => ({ stepId, name, kind: "step", value })
  it("pairs steps of one id and name, and tells what differs", () => {
    const rows = align(
      [step(0, "a", "1"), step(1, "b", "1"), step(2, "c", "1")],
      [step(0, "a", "1"), step(1, "b", "2"), step(2, "d", "1"), step(3, "e", "1")],
      ({ value }) => value
    )
    expect(rows.map(({ difference, left, right }) => [left?.name, right?.name, difference])).toEqual([
      ["a", "a", "same"],
      ["b", "b", "changed"],
      ["c", undefined, "only left"],
      [undefined, "d", "only right"],
      [undefined, "e", "only right"]
    ])
  })
})

describe("a form", () => {
  it("comes from a JSON Schema, with JSON for what it has no field for", () => {
    const schema = {
      type: "object",
      required: ["name", "item", "any"],
      properties: {
        name: { type: "string", description: "whose" },
        item: { $ref: "#/$defs/Item" },
        any: { anyOf: [{ type: "string" }, { type: "number" }] },
        tags: { type: "array", items: { type: "string" } }
      },
      $defs: {
        Item: {
          type: "object",
          required: ["size", "self"],
          properties: { size: { enum: ["s", "l"] }, self: { $ref: "#/$defs/Item" } }
        }
      }
    }
    const field = fieldOf(schema)
    expect(field.kind === "object" ? field.fields.map((one) => [one.name, one.field.kind, one.required, one.hint]) : [])
      .toEqual([
        ["name", "text", true, "whose"],
        ["item", "object", true, undefined],
        ["any", "json", true, undefined],
        ["tags", "list", false, undefined]
      ])
    expect(initial(field)).toMatchObject({ name: "", item: { size: "s" }, any: null })
  })

  it("comes from anything that calls itself a schema", () => {
    fc.assert(
      fc.property(fc.json().map((text): unknown => JSON.parse(text)), (schema) => void initial(fieldOf(schema)))
    )
  })
})

describe("words", () => {
  it("say what limits a queue", () => {
    const none = { concurrency: null, executorConcurrency: null, rateLimit: null, partitioned: null, ageingMs: null }
    expect(limitsInWords(none)).toEqual(["no limit"])
    expect(limitsInWords({ ...none, concurrency: 2, rateLimit: { limit: 10, periodMs: 60_000 } })).toEqual([
      "2 at once",
      "10 starts in 1 m"
    ])
  })

  it("say when a cron rule is due, seconds and names too", async () => {
    expect(await inWords("30 2 * * mon-fri")).toBe("At 02:30, Monday through Friday")
    expect(await inWords("*/10 * * * * *")).toBe("Every 10 seconds")
  })
})
