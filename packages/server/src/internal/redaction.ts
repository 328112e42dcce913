/**
 * What must not leave the server: values at paths that its owner names, replaced by a mark before anything is encoded.
 *
 * A path begins with where the value is (`payload`, `success`, `failure`, `reason`, `attributes`, `steps`, `events`,
 * `messages`, `streams`); for the last four the name of the step, event, topic or stream follows. `*` is any one segment,
 * `**` any number of them. What is named is named with all that is in it.
 */
import type { Json } from "perdure/Json"

/** A path as its segments. */
export type Pattern = ReadonlyArray<string>

/** What is shown instead of a value. */
export const mark = "[redacted]"

/** `"payload.card.number"`, or segments where a name has a dot in it. */
export const patternOf = (path: string | Pattern): Pattern => typeof path === "string" ? path.split(".") : path

/** A value without what the patterns name, and where that was. */
export interface Redacted<A> {
  readonly value: A
  readonly paths: ReadonlyArray<string>
}

/** Patterns that may still match below, after one segment. */
const step = (patterns: ReadonlyArray<Pattern>, segment: string): ReadonlyArray<Pattern> =>
  patterns.flatMap(([head, ...rest]): ReadonlyArray<Pattern> => {
    // All below what is named.
    if (head === undefined) return [rest]
    if (head === "**") return [[head, ...rest], ...step([rest], segment)]
    return head === "*" || head === segment ? [rest] : []
  })

const matched = (patterns: ReadonlyArray<Pattern>): boolean =>
  patterns.some((pattern) => pattern.every((segment) => segment === "**"))

const below = (patterns: ReadonlyArray<Pattern>, segments: ReadonlyArray<string>): ReadonlyArray<Pattern> =>
  segments.reduce(step, patterns)

/** Replaces what the patterns name in a value that is at `at`. */
export const redact = <A>(patterns: ReadonlyArray<Pattern>, at: ReadonlyArray<string>, value: A): Redacted<A> => {
  if (patterns.length === 0) return { value, paths: [] }
  const paths: Array<string> = []
  const walk = (value: unknown, left: ReadonlyArray<Pattern>, path: ReadonlyArray<string>): unknown => {
    if (matched(left)) {
      paths.push(path.join("."))
      return mark
    }
    if (left.length === 0 || typeof value !== "object" || value === null || value instanceof Date) return value
    if (Array.isArray(value)) return value.map((item, i) => walk(item, step(left, String(i)), [...path, String(i)]))
    // Without a prototype while it is made: `__proto__` is a name like any other.
    return Object.fromEntries(
      Object.entries(value).map(([key, field]) => [key, walk(field, step(left, key), [...path, key])])
    )
  }
  // The shape stays but for marks, which the contract allows wherever it allows JSON or text.
  return { value: walk(value, below(patterns, at), at) as A, paths }
}

/** Puts back what a caller has got as a mark and returned unchanged. */
export const restore = (
  patterns: ReadonlyArray<Pattern>,
  at: ReadonlyArray<string>,
  given: Json,
  original: unknown
) => {
  const walk = (value: Json, before: unknown, left: ReadonlyArray<Pattern>): Json => {
    if (value === mark && before !== undefined && matched(left)) return before as Json
    if (left.length === 0 || typeof value !== "object" || value === null) return value
    if (Array.isArray(value)) {
      const items: ReadonlyArray<unknown> = Array.isArray(before) ? before : []
      return (value as ReadonlyArray<Json>).map((item, i) => walk(item, items[i], step(left, String(i))))
    }
    const fields = typeof before === "object" && before !== null ? before : {}
    return Object.fromEntries(
      Object.entries(value as { readonly [key: string]: Json }).map(([key, field]) => [
        key,
        walk(field, Object.hasOwn(fields, key) ? (fields as Record<string, unknown>)[key] : undefined, step(left, key))
      ])
    )
  }
  return walk(given, original, below(patterns, at))
}
