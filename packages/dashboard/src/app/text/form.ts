/**
 * A form from a JSON Schema. Pure. It covers what payloads mostly are: objects and lists of texts, numbers, booleans and
 * choices. Anything else is a field of JSON; what is valid is for the server to say.
 */

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

interface JsonSchema {
  readonly [key: string]: unknown
}

export type Field =
  | { readonly kind: "text" | "number" | "integer" | "boolean" | "json" }
  | { readonly kind: "choice"; readonly options: ReadonlyArray<Json> }
  | { readonly kind: "object"; readonly fields: ReadonlyArray<NamedField> }
  | { readonly kind: "list"; readonly item: Field }

export interface NamedField {
  readonly name: string
  readonly required: boolean
  readonly hint: string | undefined
  readonly field: Field
}

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const resolve = (schema: unknown, root: JsonSchema, depth: number): JsonSchema => {
  if (!isObject(schema) || depth > 20) return {}
  const reference = schema["$ref"]
  if (typeof reference !== "string") return schema
  let target: unknown = root
  for (const segment of reference.replace(/^#\/?/, "").split("/")) {
    const key = segment.replaceAll("~1", "/").replaceAll("~0", "~")
    target = isObject(target) && Object.hasOwn(target, key) ? target[key] : undefined
  }
  return resolve(target, root, depth + 1)
}

/** Recursive schemas end here: what is deeper is a field of JSON. */
const deepest = 4

/** The field for a schema. */
export const fieldOf = (schema: unknown, root: unknown = schema, depth = 0): Field => {
  const found = resolve(schema, isObject(root) ? root : {}, 0)
  const choices = found["enum"]
  if (Array.isArray(choices) && choices.length > 0) return { kind: "choice", options: choices as ReadonlyArray<Json> }
  switch (found["type"]) {
    case "string":
      return { kind: "text" }
    case "number":
    case "integer":
    case "boolean":
      return { kind: found["type"] }
    case "object":
      return objectOf(found, root, depth)
    case "array":
      return depth < deepest && isObject(found["items"])
        ? { kind: "list", item: fieldOf(found["items"], root, depth + 1) }
        : { kind: "json" }
    default:
      return { kind: "json" }
  }
}

const objectOf = (schema: JsonSchema, root: unknown, depth: number): Field => {
  const properties = schema["properties"]
  if (!isObject(properties) || depth > deepest) return { kind: "json" }
  const required: ReadonlyArray<unknown> = Array.isArray(schema["required"]) ? schema["required"] : []
  return {
    kind: "object",
    fields: Object.entries(properties).map(([name, property]) => ({
      name,
      required: required.includes(name),
      hint: hintOf(property),
      field: fieldOf(property, root, depth + 1)
    }))
  }
}

const hintOf = (schema: unknown): string | undefined => {
  if (!isObject(schema)) return undefined
  const text = schema["description"] ?? schema["title"]
  return typeof text === "string" ? text : undefined
}

/** What a field begins with. */
export const initial = (field: Field): Json => {
  switch (field.kind) {
    case "text":
      return ""
    case "number":
    case "integer":
      return 0
    case "boolean":
      return false
    case "choice":
      return field.options[0] ?? null
    case "object":
      return Object.fromEntries(
        field.fields.filter(({ required }) => required).map((one) => [one.name, initial(one.field)])
      )
    case "list":
      return []
    case "json":
      return null
  }
}
