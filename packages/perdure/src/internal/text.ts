/**
 * Values as text holding JSON, strictly: what would not come back the same is refused with its path, never bent.
 *
 * | value | |
 * | --- | --- |
 * | null, booleans, finite numbers (`-0` included), strings (any UTF-16), arrays, plain objects | come back equal |
 * | `undefined` as the whole value | comes back: stored as {@link UNDEFINED_TEXT} |
 * | `undefined` as a property | the property is left out; the value is then not `exact` |
 * | `undefined` or a hole in an array, NaN, infinities, bigints, symbols, functions, getters, symbol keys, instances of classes | refused |
 * | anything circular, deeper than the limit, larger than the limit | refused |
 *
 * `toJSON` is never called. An object without prototype comes back with the ordinary one (and is not `exact`); an object
 * met twice comes back as two. A `Proxy` cannot be told from what it shows.
 *
 * The text is safe for a `TEXT` column of any database: NUL and lone surrogates stand in it as six-character escapes.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

export interface Limits {
  readonly maxBytes: number
  readonly maxDepth: number
}

/**
 * 16 MB of UTF-8: far above what belongs in a record, far below what a database or a driver chokes on. 512 levels: the
 * walk and `JSON.stringify` are recursive, and this keeps both within any stack.
 */
export const defaultLimits: Limits = { maxBytes: 16 * 1024 * 1024, maxDepth: 512 }

/**
 * The text of `undefined`: JSON that others read as null. The space keeps it apart from the text of `null`; nothing
 * else is ever written with a space outside a string.
 */
export const UNDEFINED_TEXT = " null"

export interface Text {
  readonly _tag: "Text"
  readonly text: string
  /** The value equals what the text is read as; false: properties were left out, or a prototype differs. */
  readonly exact: boolean
}

/** A value that would not come back the same. `path` is empty for the value as a whole. */
export interface Refused {
  readonly _tag: "Refused"
  readonly path: string
  readonly detail: string
}

/** When counting stopped early, `sizeBytes` is a lower bound. */
export interface TooLarge {
  readonly _tag: "TooLarge"
  readonly sizeBytes: number
  readonly limitBytes: number
}

/** Writes a value as JSON text. Never throws. */
export const stringify = (value: unknown, limits: Limits = defaultLimits): Text | Refused | TooLarge => {
  if (value === undefined) return undefinedText
  const walk: Walk = { exact: true, negativeZero: false, room: limits.maxBytes, path: [], root: value, limits }
  const refusal = typeof value === "object" && value !== null ? container(value, 0, walk) : scalar(value, 0, walk)
  if (refusal !== undefined) return refusal
  if (walk.room < 0) return tooLarge(walk, 0)
  let text: string
  try {
    text = walk.negativeZero ? write(value) : JSON.stringify(value)
  } catch (error) {
    // A proxy that shows something else at the second look, or a stack that was nearly full before we came.
    return { _tag: "Refused", path: "", detail: `writing it threw: ${shown(error)}` }
  }
  // A UTF-16 unit is at most three bytes: only long texts need counting.
  if (text.length * 3 > limits.maxBytes) {
    const sizeBytes = byteLength(text)
    if (sizeBytes > limits.maxBytes) return { _tag: "TooLarge", sizeBytes, limitBytes: limits.maxBytes }
  }
  return { _tag: "Text", text, exact: walk.exact }
}

const undefinedText: Text = { _tag: "Text", text: UNDEFINED_TEXT, exact: true }

/** Reads what {@link stringify} wrote. A key `__proto__` is data: it never sets a prototype. */
export const parse = (text: string): unknown => text === UNDEFINED_TEXT ? undefined : JSON.parse(text)

/** Bytes of a text as UTF-8; a lone surrogate counts three, as its replacement would. */
export const byteLength = (text: string): number => {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) continue
    // A pair is four bytes in two units, anything else above U+07FF three in one.
    if (unit < 0x800) bytes += 1
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) {
      bytes += 2
      index++
    } else bytes += 2
  }
  return bytes
}

// -----------------------------------------------------------------------------
// the walk
// -----------------------------------------------------------------------------

interface Walk {
  exact: boolean
  negativeZero: boolean
  /** Bytes left, counted from below: stops values that are far too large, and what grows without end by sharing. */
  room: number
  /** The keys from the whole value to where the walk is; what lies deeper is of an earlier branch. */
  readonly path: Array<string | number>
  readonly root: unknown
  readonly limits: Limits
}

// A third of the cost of a property descriptor. Part of the language (Annex B), but not of TypeScript's library.
const getterOf = (Object.prototype as any).__lookupGetter__ as (this: object, key: string) => unknown

// Undefined: all is well. `depth` is the number of keys of the path to this value.
const scalar = (value: unknown, depth: number, walk: Walk): Refused | undefined => {
  switch (typeof value) {
    case "string":
      walk.room -= value.length + 1
      return undefined
    case "boolean":
      return undefined
    case "number":
      if (value === 0) {
        if (Object.is(value, -0)) walk.negativeZero = true
      } else if (!Number.isFinite(value)) return refuse(walk, depth, `${value} is not a JSON number`)
      return undefined
    default:
      return value === null ? undefined : refuse(walk, depth, describe(value))
  }
}

const container = (value: object, depth: number, walk: Walk): Refused | TooLarge | undefined => {
  if (depth >= walk.limits.maxDepth) return tooDeep(walk, depth)
  // Reading may throw anywhere: a getter is refused before it is run, but a proxy has traps for everything.
  try {
    return Array.isArray(value) ? array(value, depth, walk) : object(value, depth, walk)
  } catch (error) {
    return refuse(walk, depth, `reading it threw: ${shown(error)}`)
  }
}

const array = (value: ReadonlyArray<unknown>, depth: number, walk: Walk): Refused | TooLarge | undefined => {
  // The prototype of arrays is itself an array, in any realm; that of a subclass is not.
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Array.prototype && !Array.isArray(prototype)) return refuse(walk, depth, describe(value))
  const { path } = walk
  const length = value.length
  for (let index = 0; index < length; index++) {
    const item = value[index]
    path[depth] = index
    if (item === undefined) {
      return refuse(walk, depth + 1, `${index in value ? "undefined" : "a hole"} in an array; use null`)
    }
    const refusal = typeof item === "object" && item !== null
      ? container(item, depth + 1, walk)
      : scalar(item, depth + 1, walk)
    if (refusal !== undefined) return refusal
    if ((walk.room -= 2) < 0) return tooLarge(walk, depth)
  }
  const keys = Object.keys(value)
  if (keys.length !== length) {
    path[depth] = keys[length]!
    return refuse(walk, depth + 1, "a property of an array, which JSON cannot hold; use an object")
  }
  return symbols(value, depth, walk)
}

const object = (value: object, depth: number, walk: Walk): Refused | TooLarge | undefined => {
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype) {
    if (prototype !== null && !isForeignObjectPrototype(prototype)) return refuse(walk, depth, describe(value))
    walk.exact = false
  }
  const { path } = walk
  const keys = Object.keys(value)
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index]!
    path[depth] = key
    if (getterOf.call(value, key) !== undefined) return refuse(walk, depth + 1, "a getter; make it a plain property")
    const item = (value as Record<string, unknown>)[key]
    if (item === undefined) {
      walk.exact = false
      continue
    }
    const refusal = typeof item === "object" && item !== null
      ? container(item, depth + 1, walk)
      : scalar(item, depth + 1, walk)
    if (refusal !== undefined) return refusal
    if ((walk.room -= key.length + 5) < 0) return tooLarge(walk, depth)
  }
  return symbols(value, depth, walk)
}

const symbols = (value: object, depth: number, walk: Walk): Refused | undefined => {
  const found = Object.getOwnPropertySymbols(value)
  if (found.length === 0) return undefined
  const visible = found.find((symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol))
  return visible === undefined ? undefined : refuse(walk, depth, `it has the symbol key ${String(visible)}`)
}

// Object.prototype of another realm (a vm context, an iframe).
const isForeignObjectPrototype = (prototype: object): boolean =>
  Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf")

// -----------------------------------------------------------------------------
// refusals: never on the fast path
// -----------------------------------------------------------------------------

const refuse = (walk: Walk, depth: number, detail: string): Refused => ({
  _tag: "Refused",
  path: formatPath(walk.path.slice(0, depth)),
  detail
})

/** A path as people write it: `items[0].at`, `users["a b"]`. */
export const formatPath = (path: ReadonlyArray<PropertyKey>): string => {
  let text = ""
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`
    else if (typeof key === "string" && !/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)) {
      text += `[${JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}...` : key)}]`
    } else text += text === "" ? String(key) : `.${String(key)}`
  }
  return text.length > 400 ? `${text.slice(0, 200)} ... ${text.slice(-150)}` : text
}

const tooDeep = (walk: Walk, depth: number): Refused =>
  circular(walk, depth) ?? refuse(walk, depth, `nested deeper than ${walk.limits.maxDepth} levels`)

const tooLarge = (walk: Walk, depth: number): Refused | TooLarge =>
  circular(walk, depth) ??
    { _tag: "TooLarge", sizeBytes: walk.limits.maxBytes - walk.room, limitBytes: walk.limits.maxBytes }

// A cycle shows as endless depth or endless size. Only then is it worth looking for.
const circular = (walk: Walk, depth: number): Refused | undefined => {
  const seen = new Map<unknown, number>()
  let node: unknown = walk.root
  for (let index = 0; index <= depth; index++) {
    const first = seen.get(node)
    if (first !== undefined) {
      const target = first === 0 ? "the whole value" : formatPath(walk.path.slice(0, first))
      return refuse(walk, index, `circular: it is ${target} again`)
    }
    seen.set(node, index)
    if (index < depth) node = (node as Record<PropertyKey, unknown>)[walk.path[index]!]
  }
  return undefined
}

const describe = (value: unknown): string => {
  switch (typeof value) {
    case "undefined":
      return "undefined"
    case "bigint":
      return "a bigint; give its schema"
    case "symbol":
      return `a symbol (${String(value)})`
    case "function":
      return "a function"
  }
  if (Redacted.isRedacted(value)) return "a Redacted value, which is stored only with an explicit schema"
  if (Cause.isCause(value)) return "a Cause; give its schema"
  // Effect.succeed and Effect.fail make Exits.
  if (Exit.isExit(value)) return "returned an effect: yield* it (for an Exit as a value give its schema)"
  if (value instanceof Error) return `an error (${className(value)}); fail with it, or give its schema`
  if (Effect.isEffect(value)) return "returned an effect: yield* it"
  if (Stream.isStream(value)) return "a Stream; run it, for instance with Stream.runCollect"
  if (Fiber.isFiber(value)) return "a Fiber; join it"
  if (typeof (value as { then?: unknown }).then === "function") {
    return "a Promise; await it, for instance with Effect.promise"
  }
  return `an instance of a class (${className(value as object)}); give its schema`
}

const className = (value: object): string => {
  const name: unknown = value.constructor?.name
  return typeof name === "string" && name !== "" ? name.slice(0, 80) : "anonymous"
}

/** What was thrown, in a few words. Never throws itself. */
export const shown = (error: unknown): string => {
  try {
    return String(error).slice(0, 200)
  } catch {
    return "something that cannot be shown"
  }
}

// -----------------------------------------------------------------------------
// writing what JSON.stringify bends: negative zero
// -----------------------------------------------------------------------------

// Only for values that the walk has accepted, so the depth is bounded. JSON.parse reads "-0" as it should.
const write = (value: unknown): string => {
  if (Object.is(value, -0)) return "-0"
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`
  const parts: Array<string> = []
  for (const key of Object.keys(value)) {
    const item = (value as Record<string, unknown>)[key]
    if (item !== undefined) parts.push(`${JSON.stringify(key)}:${write(item)}`)
  }
  return `{${parts.join(",")}}`
}
