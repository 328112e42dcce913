/** JSON values in few words. Pure. */

/** One line of at most so many characters. */
export const preview = (value: unknown, most = 120): string => {
  const text = value === undefined ? "nothing" : JSON.stringify(value) ?? "nothing"
  return text.length > most ? `${text.slice(0, most)}…` : text
}

export const pretty = (value: unknown): string => JSON.stringify(value, null, 2) ?? ""

export type Parsed = { readonly value: unknown } | { readonly problem: string }

/** What somebody typed. */
export const parse = (text: string): Parsed => {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

export const kindOf = (value: unknown): "array" | "object" | "string" | "number" | "boolean" | "null" | "nothing" => {
  if (value === null) return "null"
  if (Array.isArray(value)) return "array"
  switch (typeof value) {
    case "object":
    case "string":
    case "number":
    case "boolean":
      return typeof value as "object" | "string" | "number" | "boolean"
    default:
      return "nothing"
  }
}
