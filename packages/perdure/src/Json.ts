/**
 * Plain JSON as a type, and the check that a type is plain JSON.
 */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** What comes back from storage as it went in, without a schema. */
export type Json = Schema.Json

// -----------------------------------------------------------------------------
// the check
// -----------------------------------------------------------------------------

/**
 * `unknown` for a type that is provably plain JSON; else an object type whose only property *is* the message:
 *
 * ```ts
 * type Checked = Json.Check<{ items: Array<{ at: Date }> }>
 * // { readonly "success.items[].at: a class instance (Date); give its schema": never }
 * ```
 *
 * Intersected with the type of a parameter it changes nothing for a type that passes, and for another makes the call not
 * compile with the message in the compiler's error.
 *
 * *Details*
 *
 * - Accepted: `null`, booleans, numbers, strings, their literals, brands and enums; arrays, tuples, objects, interfaces,
 *   records of accepted types, recursive ones included; optional and readonly properties; unions; `undefined` and `void`
 *   as the whole value or as a property; `never`.
 * - Refused: `any`, `unknown`, `{}`, `object`, functions, symbols, bigints, effects, anything with a method (`Date`,
 *   `Map`, `Option`, errors, ...), `undefined` in an array.
 *
 * *Gotchas*
 *
 * Types do not see everything. A class that has only data fields looks like an interface, NaN looks like a number: these
 * are refused at run time, with the path. A type parameter that is still open is not provably anything: give a schema.
 */
export type Check<T, Path extends string = "success"> = Report<Problem<T, Path, true>>

/**
 * The check of a call that takes an optional schema under `Key` of its options: without the schema it is {@link Check},
 * with it, that the value is one of the schema's.
 *
 * *Details*
 *
 * This is how an operation uses it. `Options` is inferred from the argument, and the guard is intersected with the
 * parameter from which `A` is inferred, so that the message stands at the effect that is to blame, data-first and
 * data-last:
 *
 * ```ts
 * interface Options {
 *   readonly success?: Schema.ConstraintCodec<unknown, unknown, never, never> // needs no services
 * }
 *
 * export const run: {
 *   <const O extends Options = {}>(name: string, options?: O): <A, E, R>(
 *     effect: Effect.Effect<A, E, R> & Json.Guard<A, O>
 *   ) => Effect.Effect<Json.Stored<A, O>, E, R>
 *   <A, E, R, const O extends Options = {}>(
 *     name: string,
 *     effect: Effect.Effect<A, E, R> & Json.Guard<A, O>,
 *     options?: O
 *   ): Effect.Effect<Json.Stored<A, O>, E, R>
 * }
 * ```
 */
export type Guard<A, Options, Key extends string = "success"> = Options extends
  { readonly [K in Key]: { readonly "Type": infer S } }
  ? [A] extends [S] ? unknown : { readonly [M in `${Key}: the effect's value is not one of the schema's`]: S }
  : Check<A, Key>

/** What comes back from storage: the schema's type where there is a schema, else the value's own. */
export type Stored<A, Options, Key extends string = "success"> = Options extends
  { readonly [K in Key]: { readonly "Type": infer S } } ? S : A

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

type Report<Message> = [Message] extends [never] ? unknown : { readonly [M in Message & string]: never }

type Hint = "give its schema"

type IsAny<T> = 0 extends 1 & T ? true : false

/**
 * The messages for `T`, or never. `Seen` are the object types above, so that a recursive type is not looked at twice:
 * each as a function type to which only that of the identical type is assignable (written out where it is used: through
 * an alias the compiler takes assignable for identical). `Level` ends types that grow at every step; what lies deeper is
 * left to run time.
 */
type Problem<T, Path extends string, MayBeUndefined extends boolean, Seen = never, Level extends Array<1> = []> =
  IsAny<T> extends true ? `${Path}: any; ${Hint}`
    : unknown extends T ? `${Path}: unknown; ${Hint}`
    : T extends unknown ? ProblemOfMember<T, Path, MayBeUndefined, Seen, Level>
    : never

type ProblemOfMember<T, Path extends string, MayBeUndefined extends boolean, Seen, Level extends Array<1>> = T extends
  string | number | boolean | null ? never
  : T extends undefined | void ? MayBeUndefined extends true ? never : `${Path}: undefined in an array; use null`
  : T extends bigint ? `${Path}: a bigint; ${Hint}`
  : T extends symbol ? `${Path}: a symbol; ${Hint}`
  : T extends Effect.Effect<unknown, unknown, unknown> ? ProblemOfEffect<T, Path>
  : T extends AnyFunction ? `${Path}: a function; ${Hint}`
  : (<G>() => G extends T ? 1 : 2) extends Seen ? never
  : Level["length"] extends 16 ? never
  : T extends ReadonlyArray<unknown> ? ProblemOfArray<T, Path, Seen | (<G>() => G extends T ? 1 : 2), [...Level, 1]>
  : T extends object ? ProblemOfObject<T, Path, Seen | (<G>() => G extends T ? 1 : 2), [...Level, 1]>
  : `${Path}: not plain JSON; ${Hint}`

/** Errors made by Effect, and exits, are effects too. */
type ProblemOfEffect<T, Path extends string> = T extends Error ? `${Path}: an error${NameOf<T>}; ${Hint}`
  : T extends { readonly _tag: "Success" | "Failure" } ? `${Path}: an Exit; ${Hint}`
  : `${Path}: an effect; yield* it`

type ProblemOfArray<T extends ReadonlyArray<unknown>, Path extends string, Seen, Level extends Array<1>> =
  number extends T["length"] ? Problem<T[number], `${Path}[]`, false, Seen, Level>
    : ProblemOfTuple<Required<T>, Path, Seen, Level>

type ProblemOfTuple<T extends ReadonlyArray<unknown>, Path extends string, Seen, Level extends Array<1>> = {
  [K in keyof T]: Problem<T[K], `${Path}[${K & string}]`, false, Seen, Level>
}[number]

type ProblemOfObject<T extends object, Path extends string, Seen, Level extends Array<1>> = [keyof T] extends [never]
  ? `${Path}: an object of which nothing is known; ${Hint}`
  : true extends HasMethod<T> ? `${Path}: ${NameOf<T> extends "" ? "an object with functions, or a class instance"
      : `a class instance${NameOf<T>}`}; ${Hint}`
  : T extends { name: string; message: string; cause?: infer Cause } & Error
    ? unknown extends Cause ? `${Path}: an error; ${Hint}` : ProblemOfProperties<T, Path, Seen, Level>
  : ProblemOfProperties<T, Path, Seen, Level>

type ProblemOfProperties<T extends object, Path extends string, Seen, Level extends Array<1>> = {
  [K in keyof T]-?: K extends string | number ? Problem<T[K], `${Path}${Key<T, K>}`, true, Seen, Level> : never
}[keyof T]

type Key<T, K extends string | number> = string extends keyof T ? "[key]"
  : number extends keyof T ? "[key]"
  : `.${K}`

type AnyFunction = ((...args: Array<never>) => unknown) | (abstract new(...args: Array<never>) => unknown)

/** An interface of data has no functions; an instance of a class nearly always has. */
type HasMethod<T> = { [K in keyof T]-?: IsFunction<T[K]> }[keyof T]

type IsFunction<T> = IsAny<T> extends true ? false
  : [T] extends [never] ? false
  : [T] extends [AnyFunction] ? true
  : false

/** What can be known of the name of a class. */
type NameOf<T> = T extends Date ? " (Date)"
  : T extends ReadonlyMap<unknown, unknown> ? " (Map)"
  : T extends ReadonlySet<unknown> ? " (Set)"
  : T extends RegExp ? " (RegExp)"
  : T extends PromiseLike<unknown> ? " (Promise)"
  : T extends { readonly _tag: infer Tag extends string } ? string extends Tag ? "" : ` (${Tag})`
  : T extends { readonly [Symbol.toStringTag]: infer Tag extends string } ? string extends Tag ? "" : ` (${Tag})`
  : ""
