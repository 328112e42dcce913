/** The filter of the list of workflows: as the address has it, and as the server takes it. Pure. */
import type { Filter } from "@perdure/server/AdminApi"
import { many, one } from "./search.ts"

type Status = NonNullable<Filter["status"]>[number]

const statusNames: ReadonlyArray<string> = [
  "ENQUEUED",
  "DELAYED",
  "PENDING",
  "SUCCESS",
  "ERROR",
  "CANCELLED",
  "DEAD_LETTER",
  "BLOCKED"
]
const isStatus = (text: string): text is Status => statusNames.includes(text)

const texts = ["id", "user", "executor", "schedule", "parent", "forkedFrom", "partition", "from", "to"] as const
const lists = ["name", "queue", "version", "attribute"] as const

/** As the address has it: texts, and lists of texts. Only what restricts is there. */
export type WorkflowsSearch =
  & { readonly [K in (typeof texts)[number]]?: string }
  & { readonly [K in (typeof lists)[number]]?: ReadonlyArray<string> }
  & { readonly status?: ReadonlyArray<Status>; readonly order?: "asc" }

/** Takes what it knows from an address, and leaves the rest. */
export const searchOf = (raw: Record<string, unknown>): WorkflowsSearch => {
  const found: Record<string, unknown> = {}
  for (const key of texts) {
    const value = one(raw[key])
    if (value !== undefined) found[key] = value
  }
  for (const key of lists) {
    const values = many(raw[key])
    if (values.length > 0) found[key] = values
  }
  const status = many(raw["status"]).filter(isStatus)
  if (status.length > 0) found["status"] = status
  if (raw["order"] === "asc") found["order"] = "asc"
  return found as WorkflowsSearch
}

const dateOf = (text: string | undefined): Date | undefined => {
  if (text === undefined) return undefined
  const at = new Date(text)
  return Number.isNaN(at.getTime()) ? undefined : at
}

type Attributes = NonNullable<Filter["attributes"]>
type AttributeValue = Attributes[string]

/**
 * `key=value`: numbers and booleans are meant as such, unless the value is quoted. A key that has a `=` is quoted, as JSON.
 * Undefined: it is none.
 */
export const attributeOf = (text: string): readonly [string, AttributeValue] | undefined => {
  const quoted = /^("(?:[^"\\]|\\.)*")=/s.exec(text)?.[1]
  const key = quoted === undefined ? undefined : unquoted(quoted)
  const equals = quoted === undefined || key === undefined ? text.indexOf("=") : quoted.length
  return equals < 1 || key === "" ? undefined : [key ?? text.slice(0, equals), valueOf(text.slice(equals + 1))]
}

/** Undefined: it has what JSON has not, so the quotes are its own. */
const unquoted = (text: string): string | undefined => {
  try {
    return String(JSON.parse(text))
  } catch {
    return undefined
  }
}

const valueOf = (text: string): AttributeValue => {
  if (text === "true" || text === "false") return text === "true"
  if (/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text))) return Number(text)
  return /^".*"$/s.test(text) ? text.slice(1, -1) : text
}

/** Those of the texts that are one. */
export const attributesOf = (given: ReadonlyArray<string>): Attributes =>
  Object.fromEntries(given.map(attributeOf).filter((one) => one !== undefined))

/** An attribute as {@link attributeOf} reads it: the same one. */
export const attributeText = (key: string, value: AttributeValue): string => {
  const name = key.includes("=") || key.startsWith("\"") ? JSON.stringify(key) : key
  return typeof value === "string" && valueOf(value) !== value ? `${name}="${value}"` : `${name}=${value}`
}

/** As the server takes it. */
export const filterOf = (search: WorkflowsSearch): Filter => {
  const attributes = attributesOf(search.attribute ?? [])
  const given: { -readonly [K in keyof Filter]: Filter[K] | undefined } = {
    status: search.status,
    name: search.name,
    idPrefix: search.id,
    user: search.user,
    version: search.version,
    executorId: search.executor,
    queue: search.queue,
    partitionKey: search.partition,
    schedule: search.schedule,
    parentId: search.parent,
    forkedFrom: search.forkedFrom,
    // Where none could be read nothing is restricted.
    attributes: Object.keys(attributes).length === 0 ? undefined : attributes,
    from: dateOf(search.from),
    to: dateOf(search.to)
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Filter
}

/** Whether anything is left out: what is done to all that fit asks for that. */
export const restricts = (filter: Filter): boolean => Object.keys(filter).length > 0
