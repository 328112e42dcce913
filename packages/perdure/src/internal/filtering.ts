/** Which workflows a caller means: checked, and as the store takes it. */
import * as Schema from "effect/Schema"
import type { ListFilter } from "../Store.ts"
import { WorkflowStatus } from "../WorkflowStatus.ts"
import { type Attributes, checkAttributes } from "./attributes.ts"
import { invalid } from "./invalid.ts"

type OneOrMore<A> = A | ReadonlyArray<A>

/** Which workflows. What is not given does not restrict; all that is given has to fit. */
export interface Filter {
  /** At most 1,000. */
  readonly ids?: ReadonlyArray<string> | undefined
  readonly status?: OneOrMore<WorkflowStatus> | undefined
  readonly name?: OneOrMore<string> | undefined
  readonly idPrefix?: string | undefined
  /** The user on whose behalf they run. */
  readonly user?: string | undefined
  readonly version?: OneOrMore<string> | undefined
  /** The executor that owns them, or owned them last. */
  readonly executorId?: string | undefined
  /** The queue that they were enqueued in, whether they still wait there or not. */
  readonly queue?: OneOrMore<string> | undefined
  /** True: only those that were enqueued in some queue. */
  readonly queued?: boolean | undefined
  readonly partitionKey?: string | undefined
  readonly deduplicationId?: string | undefined
  readonly forkedFrom?: string | undefined
  /** Whether another was forked from them. */
  readonly wasForked?: boolean | undefined
  readonly parentId?: string | undefined
  readonly hasParent?: boolean | undefined
  /** All of these, with these values. */
  readonly attributes?: Attributes | undefined
  /** The schedule that started them. */
  readonly schedule?: string | undefined
  /** Created at or after. */
  readonly from?: Date | undefined
  /** Created before. */
  readonly to?: Date | undefined
  readonly startedFrom?: Date | undefined
  readonly startedTo?: Date | undefined
  readonly completedFrom?: Date | undefined
  readonly completedTo?: Date | undefined
}

/** What restricts a {@link ListFilter}, without its page. */
export type Restrictions = Omit<ListFilter, "order" | "limit" | "after">

const isStatus = Schema.is(WorkflowStatus)

/** Most values that one restriction may list. */
const maxValues = 1000

/** Only what restricts is in it. Throws a `WorkflowError` for what makes no sense. */
export const restrictionsOf = (filter: Filter): Restrictions => {
  const given: Record<string, unknown> = {
    ids: listOf("ids", filter.ids, textOf),
    status: listOf("status", filter.status, statusOf),
    names: listOf("name", filter.name, textOf),
    idPrefix: optional("idPrefix", filter.idPrefix, prefixOf),
    user: optional("user", filter.user, textOf),
    versions: listOf("version", filter.version, textOf),
    executorId: optional("executorId", filter.executorId, textOf),
    queues: listOf("queue", filter.queue, textOf),
    queued: optional("queued", filter.queued, booleanOf),
    partitionKey: optional("partitionKey", filter.partitionKey, textOf),
    deduplicationId: optional("deduplicationId", filter.deduplicationId, textOf),
    forkedFrom: optional("forkedFrom", filter.forkedFrom, textOf),
    wasForked: optional("wasForked", filter.wasForked, booleanOf),
    parentId: optional("parentId", filter.parentId, textOf),
    hasParent: optional("hasParent", filter.hasParent, booleanOf),
    attributes: attributesOf(filter.attributes),
    scheduleName: optional("schedule", filter.schedule, textOf),
    createdFrom: optional("from", filter.from, timeOf),
    createdTo: optional("to", filter.to, timeOf),
    startedFrom: optional("startedFrom", filter.startedFrom, timeOf),
    startedTo: optional("startedTo", filter.startedTo, timeOf),
    completedFrom: optional("completedFrom", filter.completedFrom, timeOf),
    completedTo: optional("completedTo", filter.completedTo, timeOf)
  }
  for (const key of Object.keys(given)) if (given[key] === undefined) delete given[key]
  // `as`: the fields above are those of the type, one by one.
  return given as Restrictions
}

/** Whether anything is left out. Throws a `WorkflowError` for what makes no sense. */
export const restricts = (filter: Filter): boolean => Object.keys(restrictionsOf(filter)).length > 0

type Check<A> = (argument: string, value: unknown) => A

const optional = <A>(argument: string, value: unknown, check: Check<A>): A | undefined =>
  value === undefined ? undefined : check(argument, value)

const listOf = <A>(argument: string, value: unknown, check: Check<A>): ReadonlyArray<A> | undefined => {
  if (value === undefined) return undefined
  const values: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
  if (values.length > maxValues) {
    throw invalid(argument, `there are ${values.length}`, `Give at most ${maxValues} at a time.`)
  }
  return values.map((one) => check(argument, one))
}

const statusOf: Check<WorkflowStatus> = (argument, value) => {
  if (isStatus(value)) return value
  throw invalid(argument, `"${String(value)}" is none`, `Give one of ${WorkflowStatus.literals.join(", ")}.`)
}

// What no workflow can have is no mistake; what a database cannot compare is.
const textOf: Check<string> = (argument, value) => {
  if (typeof value !== "string") throw invalid(argument, `it is of type ${typeof value}`, "Give a string.")
  if (value.isWellFormed() && !value.includes("\u0000") && value.length <= 10_000) return value
  throw invalid(argument, "it has a NUL, half of a surrogate pair, or is too long", "Give well-formed, shorter text.")
}

/** Undefined: every id begins so. */
const prefixOf: Check<string | undefined> = (argument, value) => textOf(argument, value) || undefined

/** Undefined: every workflow has all of none. */
const attributesOf = (value: unknown): Attributes | undefined => {
  const checked = checkAttributes(value)
  return Object.keys(checked).length === 0 ? undefined : checked
}

const booleanOf: Check<boolean> = (argument, value) => {
  if (typeof value === "boolean") return value
  throw invalid(argument, `it is of type ${typeof value}`, "Give true or false.")
}

/** Milliseconds. Throws a `WorkflowError`. */
export const timeOf: Check<number> = (argument, value) => {
  const ms = value instanceof Date ? value.getTime() : Number.NaN
  if (Number.isFinite(ms)) return ms
  throw invalid(argument, "it is not a valid date", "Give a valid Date.")
}

// -----------------------------------------------------------------------------
// pages
// -----------------------------------------------------------------------------

/** How a list is cut. */
export interface PageOptions {
  /** By creation. Default: newest first. */
  readonly order?: "asc" | "desc" | undefined
  /** 1 to 1,000. Default: 100. */
  readonly limit?: number | undefined
  /** The `cursor` of the page before. */
  readonly cursor?: string | undefined
  /** False: without payloads and successes, which may be large. Default: true. */
  readonly values?: boolean | undefined
  /**
   * At most so many workflows are looked at where no index finds what fits (versions, executors, times of starts and ends):
   * 1 to 1,000,000. Such a page may be short or empty although its cursor goes on. Default: as many as it takes.
   */
  readonly look?: number | undefined
}

/** Throws a `WorkflowError` for what makes no sense. */
export const listFilterOf = (options: Filter & PageOptions): ListFilter => {
  const { cursor, limit = 100, order = "desc" } = options
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw invalid("limit", `it is ${limit}`, "Give a whole number from 1 to 1,000.")
  }
  if (order !== "asc" && order !== "desc") {
    throw invalid("order", `it is "${String(order)}"`, "Give \"asc\" or \"desc\".")
  }
  const values = optional("values", options.values, booleanOf) ?? true
  return {
    ...restrictionsOf(options),
    order,
    limit,
    values,
    ...(cursor === undefined ? {} : { after: parseCursor(cursor) })
  }
}

export const cursorOf = (createdAt: number, workflowId: string): string => `${createdAt}:${workflowId}`

/** Throws a `WorkflowError` for what makes no sense. */
export const lookOf = (look: number): number => {
  if (Number.isInteger(look) && look >= 1 && look <= 1_000_000) return look
  throw invalid("look", `it is ${look}`, "Give a whole number from 1 to 1,000,000.")
}

const parseCursor = (cursor: string): { readonly createdAt: number; readonly workflowId: string } => {
  const colon = typeof cursor === "string" ? cursor.indexOf(":") : 0
  const createdAt = colon > 0 ? Number(cursor.slice(0, colon)) : Number.NaN
  if (Number.isSafeInteger(createdAt)) {
    return { createdAt, workflowId: textOf("cursor", cursor.slice(colon + 1)) }
  }
  throw invalid("cursor", "it is not the cursor of a page", "Give the cursor of the page before, unchanged.")
}
