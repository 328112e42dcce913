/** Attributes of a workflow: what people want to find it by. Checked before anything is written. */
import type { AttributeValue } from "../Store.ts"
import { invalid } from "./invalid.ts"
import { checkKey } from "./names.ts"
import { byteLength } from "./text.ts"

export type Attributes = Readonly<Record<string, AttributeValue>>

/** Most attributes of one workflow. */
const maxCount = 64
/** Longest text of one, in bytes of UTF-8. */
const maxBytes = 1024

/** A copy of the attributes. Throws a `WorkflowError` for what cannot be stored and found again. */
export const checkAttributes = (attributes: unknown): Attributes => {
  if (attributes === undefined) return {}
  if (typeof attributes !== "object" || attributes === null || Array.isArray(attributes)) {
    throw invalid("attributes", "they are not an object", "Give an object of strings, numbers and booleans.")
  }
  const entries = Object.entries(attributes)
  if (entries.length > maxCount) {
    throw invalid("attributes", `there are ${entries.length}`, `Give at most ${maxCount}.`)
  }
  // Without a prototype: `__proto__` is a name like any other.
  const checked: Record<string, AttributeValue> = Object.create(null)
  for (const [key, value] of entries) checked[checkKey(key, "attribute name")] = checkValue(key, value)
  return checked
}

const checkValue = (key: string, value: unknown): AttributeValue => {
  const argument = `attribute "${key}"`
  switch (typeof value) {
    case "boolean":
      return value
    case "number":
      if (Number.isFinite(value)) return value === 0 ? 0 : value
      throw invalid(argument, `it is ${value}`, "Give a finite number.")
    case "string": {
      const sizeBytes = value.length > maxBytes ? value.length : byteLength(value)
      if (sizeBytes > maxBytes) throw invalid(argument, `it is ${sizeBytes} bytes long`, `Give at most ${maxBytes}.`)
      if (!value.isWellFormed() || value.includes("\u0000")) {
        throw invalid(argument, "it has a NUL or half of a surrogate pair", "Give well-formed Unicode text.")
      }
      return value
    }
    default:
      throw invalid(argument, `it is of type ${typeof value}`, "Give a string, a number or a boolean.")
  }
}
