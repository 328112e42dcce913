/**
 * How values of one type become text and come back: by a schema, or by the strict walk where there is none.
 *
 * What a step returns live must equal what it returns on a replay, so a value is encoded once, and decoded again unless
 * that is proven to give the same.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { InvalidArgument, PayloadTooLarge, Unencodable, WorkflowError } from "../WorkflowError.ts"
import { formatPath, parse, shown, stringify, UNDEFINED_TEXT } from "./text.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** Name of the codec in the `codec` column of every row that holds text written here. */
export const CODEC = "json"

/** A schema that needs no services: one that does is refused by the compiler. */
export type StorableSchema<A> = Schema.ConstraintCodec<A, unknown, never, never>

export interface Recorded<A> {
  readonly text: string
  readonly live: A
}

/**
 * - `encode(value, what)`: the text. Throws a `WorkflowError` (`Unencodable` with the path, or `PayloadTooLarge`);
 *   `what` names the value in its message, as in `result of step "price"`. Does not try whether the text can be read.
 * - `decode(text)`: the value. Throws {@link Undecodable}.
 * - `live(value, what)`: what a reader of the text gets, `decode(encode(value))`. Throws like `encode`.
 * - `record(value, what)`: text and live value in one go: what a step wants. Throws like `encode`.
 */
export interface ValueCodec<A> {
  readonly encode: (value: A, what?: string) => string
  readonly decode: (text: string) => A
  readonly live: (value: A, what?: string) => A
  readonly record: (value: A, what?: string) => Recorded<A>
}

/** Stored text that the present code cannot read: code and history disagree. */
export class Undecodable extends Data.TaggedError("Undecodable")<{
  readonly path: string
  readonly detail: string
}> {
  override get message(): string {
    return `A stored value does not fit the code${this.path === "" ? "" : `, at ${this.path}`}: ${this.detail}`
  }
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * The codec of a schema, or of plain JSON where there is none. Kept per schema, so asking again costs a look-up.
 *
 * Throws a `WorkflowError` (`InvalidArgument`) for a schema that has no JSON form at all, such as a struct with symbol
 * keys.
 */
export const make = <A>(schema?: StorableSchema<A> | undefined): ValueCodec<A> => {
  if (schema === undefined) return plain
  const known = codecs.get(schema)
  if (known !== undefined) return known
  const codec = fromSchema(schema)
  codecs.set(schema, codec)
  return codec
}

// `any`: the type of a codec is that of the schema it is kept under, which a map cannot say.
const codecs = new WeakMap<object, ValueCodec<any>>()

/** A value as text, and as the plain JSON that reading the text gives. `live`: that is the value already. */
interface Written {
  readonly text: string
  readonly json: unknown
  readonly live: boolean
}

const codecOf = <A>(write: (value: A, what: string) => Written, revive: (json: unknown) => A): ValueCodec<A> => {
  const record = (value: A, what = "value"): Recorded<A> => {
    const { json, live, text } = write(value, what)
    // Where `live` says so, the JSON is an A.
    return { text, live: live ? json as A : reviveLive(revive, json, what) }
  }
  return {
    encode: (value, what = "value") => write(value, what).text,
    live: (value, what) => record(value, what).live,
    record,
    decode: (text) => revive(parseStored(text))
  }
}

// `any`: one codec serves all types without a schema, since it only looks at values. The live value is a copy: the
// value itself may be changed later by whoever made it, and a replay would not see that.
const plain: ValueCodec<any> = codecOf<any>((value, what) => {
  const { text } = textOf(value, what)
  return { text, json: parse(text), live: true }
}, (json) => json)

/** Of what has no value: nothing is stored, and nothing comes back, whatever was given. */
export const nothing: ValueCodec<any> = codecOf<any>(
  () => ({ text: UNDEFINED_TEXT, json: undefined, live: true }),
  () => undefined
)

const fromSchema = <A>(schema: StorableSchema<A>): ValueCodec<A> => {
  const json = jsonCodec(schema)
  const encodeJson = SchemaParser.encodeUnknownEffect(json)
  const decodeJson = SchemaParser.decodeUnknownEffect(json)
  const encodeSame = SchemaParser.encodeUnknownEffect(schema)
  // Not before the first use: a schema may refer to one that is defined further down.
  let identity: boolean | undefined

  const write = (value: A, what: string): Written => {
    identity ??= isIdentity(schema.ast, new Set())
    if (identity) {
      // The schema's own encoder checks and copies, and leaves out what the schema does not name: what it gives is what
      // decoding will give, unless a number is not finite. Only the JSON codec has a form for those.
      const same = encodeWith(encodeSame, value, what)
      const text = stringify(same)
      if (text._tag === "Text" && text.exact) return { text: text.text, json: same, live: true }
    }
    const encoded = encodeWith(encodeJson, value, what)
    const { exact, text } = textOf(encoded, what)
    return { text, json: exact ? encoded : parse(text), live: false }
  }

  return codecOf(write, (value) => {
    const exit = settle(() => decodeJson(value))
    if (Exit.isSuccess(exit)) return exit.value
    throw new Undecodable(explain(exit))
  })
}

const jsonCodec = <A>(schema: StorableSchema<A>): Schema.ConstraintCodec<A, unknown, never, never> => {
  try {
    return Schema.toCodecJson(schema)
  } catch (error) {
    throw new WorkflowError({
      reason: new InvalidArgument({
        argument: "schema",
        detail: `it has no JSON form: ${shown(error)}`,
        remedy: "Use a schema whose encoded side is JSON."
      })
    })
  }
}

// -----------------------------------------------------------------------------
// proof that decoding gives back what was encoded
// -----------------------------------------------------------------------------

// Nothing in the tree is transformed, and every leaf is what JSON has. Anything not known here is not proven.
const isIdentity = (ast: SchemaAST.AST, seen: Set<SchemaAST.AST>): boolean => {
  if (seen.has(ast)) return true
  seen.add(ast)
  if (ast.encoding !== undefined) return false
  switch (ast._tag) {
    case "Null":
    case "String":
    case "Number":
    case "Boolean":
    case "TemplateLiteral":
    case "Enum":
    case "Never":
      return true
    case "Literal":
      return typeof ast.literal !== "bigint"
    case "Arrays":
      return [...ast.elements, ...ast.rest].every((item) => isIdentity(item, seen))
    case "Objects":
      return ast.propertySignatures.every((property) =>
        typeof property.name === "string" && isIdentity(property.type, seen)
      ) && ast.indexSignatures.every((index) =>
        index.parameter._tag === "String" && isIdentity(index.type, seen) &&
        index.parameter.encoding === undefined
      )
    case "Union":
      return ast.types.every((type) => isIdentity(type, seen))
    case "Suspend":
      return isIdentity(ast.thunk(), seen)
    default:
      return false
  }
}

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

type Parsed<A> = Effect.Effect<A, SchemaIssue.Issue>

// A schema's functions are the user's: they may throw, overflow the stack, or wait.
const settle = <A>(run: () => Parsed<A>): Exit.Exit<A, SchemaIssue.Issue> => {
  try {
    return Effect.runSyncExit(run())
  } catch (error) {
    return Exit.die(error)
  }
}

const encodeWith = <A>(encode: (value: unknown) => Parsed<A>, value: unknown, what: string): A => {
  const exit = settle(() => encode(value))
  if (Exit.isSuccess(exit)) return exit.value
  const explained = explain(exit)
  // A schema that takes anything does not say where the trouble is. The walk does.
  const walked = explained.path === "" ? stringify(value) : undefined
  const { detail, path } = walked?._tag === "Refused" ? walked : explained
  throw new WorkflowError({ reason: new Unencodable({ what, path, detail }) })
}

const reviveLive = <A>(revive: (json: unknown) => A, json: unknown, what: string): A => {
  try {
    return revive(json)
  } catch (error) {
    // Nothing else is thrown by it.
    const { detail, path } = error as Undecodable
    throw new WorkflowError({
      reason: new Unencodable({ what, path, detail: `its schema does not read what it wrote: ${detail}` })
    })
  }
}

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

const explain = (
  exit: Exit.Failure<unknown, SchemaIssue.Issue>
): { readonly path: string; readonly detail: string } => {
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") {
      const first = formatIssue(reason.error).issues[0]
      const path = first?.path?.map((key) => typeof key === "object" ? key.key : key) ?? []
      return { path: formatPath(path), detail: first?.message ?? "it does not fit its schema" }
    }
    if (reason._tag === "Die") {
      const detail = (reason.defect as { readonly _tag?: unknown } | null)?._tag === "AsyncFiberError"
        ? "its schema works asynchronously; do that work in a step, and store its result"
        : `its schema threw: ${shown(reason.defect)}`
      return { path: "", detail }
    }
  }
  return { path: "", detail: "its schema was interrupted" }
}

const textOf = (value: unknown, what: string): { readonly text: string; readonly exact: boolean } => {
  const text = stringify(value)
  switch (text._tag) {
    case "Text":
      return text
    case "Refused":
      throw new WorkflowError({ reason: new Unencodable({ what, path: text.path, detail: text.detail }) })
    case "TooLarge":
      throw new WorkflowError({
        reason: new PayloadTooLarge({ what, sizeBytes: text.sizeBytes, limitBytes: text.limitBytes })
      })
  }
}

const parseStored = (text: string): unknown => {
  try {
    return parse(text)
  } catch (error) {
    throw new Undecodable({ path: "", detail: `it is not JSON: ${shown(error)}` })
  }
}
