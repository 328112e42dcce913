import type * as Brand from "effect/Brand"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { describe, expectTypeOf, it } from "vitest"
import type { StorableSchema } from "../src/internal/codec.ts"
import * as Codec from "../src/internal/codec.ts"
import type * as Json from "../src/Json.ts"

/** The messages of a refused type; "accepted" for one that passes. */
type Verdict<T> = unknown extends Json.Check<T> ? "accepted" : keyof Json.Check<T>

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}
type Grows<T> = { readonly value: T; readonly next: Grows<Array<T>> }

// An inner type that is assignable to and from the outer one, but has more.
interface Inner {
  readonly child: Inner
  readonly at?: Date
}
interface Outer {
  readonly child: Inner
}

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { sku: Schema.String }) {}

describe("Json.Check accepts", () => {
  it("plain JSON", () => {
    expectTypeOf<Verdict<null>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<boolean>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<number>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<"a" | 1 | null>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<{ a: string; readonly b: ReadonlyArray<{ c: number | null }> }>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<[1, "x", null?]>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<readonly [first: string, ...rest: Array<number>]>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<[]>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<Record<string, number>>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<Record<string, never>>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<{ _tag: "A"; v: number } | { _tag: "B" }>>().toEqualTypeOf<"accepted">()
  })

  it("the absence of a value", () => {
    expectTypeOf<Verdict<void>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<undefined>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<string | undefined>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<{ a?: string; b: string | undefined }>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<never>>().toEqualTypeOf<"accepted">()
  })

  it("brands", () => {
    expectTypeOf<Verdict<string & Brand.Brand<"Id">>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<{ a: string } & Brand.Brand<"Order">>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<number & { readonly __brand: unique symbol }>>().toEqualTypeOf<"accepted">()
  })

  it("recursive types, without end", () => {
    expectTypeOf<Verdict<Json.Json>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<Tree>>().toEqualTypeOf<"accepted">()
    expectTypeOf<Verdict<Grows<string>>>().toEqualTypeOf<"accepted">()
  })
})

describe("Json.Check refuses", () => {
  // oxlint-disable typescript/no-explicit-any -- it is what is refused
  it("what says nothing", () => {
    expectTypeOf<Verdict<any>>().toEqualTypeOf<"success: any; give its schema">()
    expectTypeOf<Verdict<unknown>>().toEqualTypeOf<"success: unknown; give its schema">()
    expectTypeOf<Verdict<{}>>().toEqualTypeOf<"success: an object of which nothing is known; give its schema">()
    expectTypeOf<Verdict<object>>().toEqualTypeOf<"success: an object of which nothing is known; give its schema">()
    expectTypeOf<Verdict<Record<string, unknown>>>().toEqualTypeOf<"success[key]: unknown; give its schema">()
    expectTypeOf<Verdict<Array<any>>>().toEqualTypeOf<"success[]: any; give its schema">()
  })

  // oxlint-enable typescript/no-explicit-any
  it("instances of classes, naming path and class", () => {
    expectTypeOf<Verdict<{ items: Array<{ at: Date }> }>>().toEqualTypeOf<
      "success.items[].at: a class instance (Date); give its schema"
    >()
    expectTypeOf<Verdict<[string, Date?]>>().toEqualTypeOf<"success[1]: a class instance (Date); give its schema">()
    expectTypeOf<Verdict<string | Date | undefined>>().toEqualTypeOf<
      "success: a class instance (Date); give its schema"
    >()
    expectTypeOf<Verdict<Record<string, Map<string, string>>>>().toEqualTypeOf<
      "success[key]: a class instance (Map); give its schema"
    >()
    expectTypeOf<Verdict<Set<string>>>().toEqualTypeOf<"success: a class instance (Set); give its schema">()
    expectTypeOf<Verdict<Uint8Array>>().toEqualTypeOf<"success: a class instance (Uint8Array); give its schema">()
    expectTypeOf<Verdict<Option.Option<number>>>().toEqualTypeOf<
      "success: a class instance (None); give its schema" | "success: a class instance (Some); give its schema"
    >()
    expectTypeOf<Verdict<Duration.Duration>>().toEqualTypeOf<
      "success: an object with functions, or a class instance; give its schema"
    >()
    expectTypeOf<Verdict<DateTime.Utc>>().toEqualTypeOf<"success: a class instance (Utc); give its schema">()
    expectTypeOf<Verdict<Promise<number>>>().toEqualTypeOf<"success: a class instance (Promise); give its schema">()
    expectTypeOf<Verdict<Outer>>().toEqualTypeOf<"success.child.at: a class instance (Date); give its schema">()
    expectTypeOf<Verdict<Error>>().toEqualTypeOf<"success: an error; give its schema">()
    expectTypeOf<Verdict<OutOfStock>>().toEqualTypeOf<"success: an error (OutOfStock); give its schema">()
  })

  it("what JSON does not have", () => {
    expectTypeOf<Verdict<bigint>>().toEqualTypeOf<"success: a bigint; give its schema">()
    expectTypeOf<Verdict<{ a: symbol }>>().toEqualTypeOf<"success.a: a symbol; give its schema">()
    expectTypeOf<Verdict<() => void>>().toEqualTypeOf<"success: a function; give its schema">()
    expectTypeOf<Verdict<{ a?: () => void }>>().toEqualTypeOf<"success.a: a function; give its schema">()
    expectTypeOf<Verdict<Array<string | undefined>>>().toEqualTypeOf<"success[]: undefined in an array; use null">()
  })

  it("an effect that was returned instead of run", () => {
    expectTypeOf<Verdict<Effect.Effect<number>>>().toEqualTypeOf<"success: an effect; yield* it">()
    expectTypeOf<Verdict<Exit.Exit<number>>>().toEqualTypeOf<"success: an Exit; give its schema">()
  })
})

// The shape that operations have: see Json.Guard.
interface Options {
  readonly success?: Schema.ConstraintCodec<unknown, unknown, never, never>
  readonly retry?: number
}
declare const run: {
  <const O extends Options = {}>(name: string, options?: O): <A, E, R>(
    effect: Effect.Effect<A, E, R> & Json.Guard<A, O>
  ) => Effect.Effect<Json.Stored<A, O>, E, R>
  <A, E, R, const O extends Options = {}>(
    name: string,
    effect: Effect.Effect<A, E, R> & Json.Guard<A, O>,
    options?: O
  ): Effect.Effect<Json.Stored<A, O>, E, R>
}

const number = Effect.succeed(1)
const dates = Effect.sync(() => ({ items: [{ at: new Date() }] }))
const Dates = Schema.Struct({ items: Schema.Array(Schema.Struct({ at: Schema.Date })) })

// Never called: what matters is what compiles.
const calls = {
  plain: () => [
    run("x", number),
    run("x", number, { retry: 1 }),
    number.pipe(run("x")),
    number.pipe(run("x", { retry: 1 }))
  ],
  schema: () => [run("x", dates, { success: Dates }), dates.pipe(run("x", { success: Dates }))],
  refused: () => [
    // @ts-expect-error "success.items[].at: a class instance (Date); give its schema"
    run("x", dates),
    // @ts-expect-error "success.items[].at: a class instance (Date); give its schema"
    run("x", dates, { retry: 1 }),
    // @ts-expect-error "success.items[].at: a class instance (Date); give its schema"
    dates.pipe(run("x")),
    // @ts-expect-error "success.items[].at: a class instance (Date); give its schema"
    dates.pipe(run("x", { retry: 1 })),
    // @ts-expect-error "success: the effect's value is not one of the schema's"
    run("x", number, { success: Schema.String }),
    // @ts-expect-error "success: the effect's value is not one of the schema's"
    number.pipe(run("x", { success: Schema.String }))
  ]
}

// A schema whose decoding asks for a service.
class Service extends Context.Service<Service, { readonly prefix: string }>()("Service") {}
const Needy = Schema.String.pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transformEffect((text: string) => Effect.map(Service, ({ prefix }) => prefix + text)),
    encode: SchemaGetter.passthrough()
  })
)

describe("Json.Guard", () => {
  it("lets pass what is plain, and what has a schema", () => {
    expectTypeOf(calls.plain).returns.toEqualTypeOf<Array<Effect.Effect<number>>>()
    expectTypeOf(calls.schema).returns.toEqualTypeOf<Array<Effect.Effect<typeof Dates.Type>>>()
  })

  it("gives back the schema's type", () => {
    expectTypeOf<Json.Stored<number, { success: typeof Schema.Number }>>().toEqualTypeOf<number>()
    expectTypeOf<Json.Stored<number, { retry: 1 }>>().toEqualTypeOf<number>()
  })
})

describe("a schema that needs services", () => {
  it("does not compile", () => {
    expectTypeOf<typeof Dates>().toExtend<StorableSchema<typeof Dates.Type>>()
    expectTypeOf<typeof Needy>().not.toExtend<StorableSchema<string>>()
    // @ts-expect-error
    void (() => Codec.make(Needy))
  })
})
