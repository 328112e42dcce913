/** What stands behind the `?` of an address: plain names and texts, repeated where there are several. Pure. */

export type Search = { readonly [key: string]: string | ReadonlyArray<string> | undefined }

export const parseSearch = (text: string): Record<string, string | ReadonlyArray<string>> => {
  const found = new Map<string, string | ReadonlyArray<string>>()
  for (const [key, value] of new URLSearchParams(text)) {
    const before = found.get(key)
    found.set(key, before === undefined ? value : [...(typeof before === "string" ? [before] : before), value])
  }
  return Object.fromEntries(found)
}

export const stringifySearch = (search: Search): string => {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(search)) {
    if (value === undefined) continue
    for (const one of typeof value === "string" ? [value] : value) params.append(key, one)
  }
  const text = params.toString()
  return text === "" ? "" : `?${text}`
}

/** One text, or the first of several; undefined: none, or nothing in it. */
export const one = (value: unknown): string | undefined => {
  const first: unknown = Array.isArray(value) ? value[0] : value
  return typeof first === "string" && first !== "" ? first : undefined
}

/** All texts. */
export const many = (value: unknown): ReadonlyArray<string> => {
  const values: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
  return values.filter((item): item is string => typeof item === "string" && item !== "")
}
