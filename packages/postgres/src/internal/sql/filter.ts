/**
 * A list's filter as SQL over `workflow w`: pure. What selects few is put so that the planner can begin with it, by an
 * index of its own; everything else narrows the walk by creation.
 */
import type { ListFilter } from "perdure/Store"
import { afterPrefix } from "../prefix.ts"

/** What a workflow that is not done can be. Only these have an ownership row, or are being rolled back. */
const active: ReadonlySet<string> = new Set(["ENQUEUED", "DELAYED", "PENDING", "BLOCKED"])

/** What one that did not end well can be. These have a row in `failure`. */
const failed: ReadonlySet<string> = new Set(["ERROR", "CANCELLED", "DEAD_LETTER"])

/** More rows than this are not gathered and sorted for a page. */
const manyHeld = 20_000

/** Whether those of the filter's statuses, in their narrow tables, are too many to begin with. Null: they are not there. */
export const crowdedStatement = (s: string, { status = [] }: ListFilter): string | null => {
  const holders = status.length === 0 ? undefined : holdersOf(s, status)
  return holders === undefined
    ? null
    : `SELECT count(*) > ${manyHeld} FROM (SELECT 1 FROM (${holders}) h LIMIT ${manyHeld + 1}) h`
}

/** The state of the item that a workflow in a queue has. */
const stateOf: Readonly<Record<string, ReadonlyArray<string>>> = {
  ENQUEUED: ["waiting"],
  DELAYED: ["delayed"],
  PENDING: ["running", "parked"]
}

/** Of those that are not done the ones that can be of these statuses: what waits in queues may be very many. */
const ownedOf = (s: string, statuses: ReadonlyArray<string>): string => {
  const owned = `SELECT o.workflow_id FROM ${s}.ownership o`
  if (statuses.includes("ENQUEUED") && statuses.includes("PENDING")) return owned
  const states = statuses.flatMap((status) => stateOf[status] ?? [])
  return [
    ...(statuses.includes("BLOCKED") ? [`${owned} WHERE o.blocked`] : []),
    ...(states.length === 0 ? [] : [
      `${owned} WHERE o.queue = ''`,
      `SELECT i.workflow_id FROM ${s}.queue_item i WHERE i.state IN (${states.map((state) => `'${state}'`).join(", ")})`
    ])
  ].join(" UNION ALL ")
}

/** The narrow tables that between them have every workflow of these statuses; undefined: none have. */
const holdersOf = (s: string, statuses: ReadonlyArray<string>): string | undefined => {
  if (!statuses.every((status) => active.has(status) || failed.has(status))) return undefined
  return [
    ...(statuses.some((status) => active.has(status)) ? [ownedOf(s, statuses)] : []),
    ...(statuses.some((status) => failed.has(status))
      ? [
        `SELECT f.workflow_id FROM ${s}.failure f WHERE f.status IN (${
          statuses.filter((status) => failed.has(status)).map((status) => `'${status}'`).join(", ")
        })`
      ]
      : [])
  ].join(" UNION ALL ")
}

export interface Where {
  readonly condition: string
  readonly parameters: ReadonlyArray<unknown>
}

/** What no index finds in the order of creation. */
const narrows: ReadonlySet<string> = new Set(
  [
    "completedFrom",
    "completedTo",
    "deduplicationId",
    "executorId",
    "partitionKey",
    "startedFrom",
    "startedTo",
    "versions"
  ] satisfies ReadonlyArray<keyof ListFilter>
)

/**
 * The parts of a filter: what an index finds in the order of creation, or few enough to be sorted; and what only narrows
 * that. `crowded`: those of its statuses are not few.
 */
export const partsOf = (
  filter: ListFilter,
  crowded: boolean
): { readonly found: ListFilter; readonly rest: Partial<ListFilter> } => {
  const isHeld = !crowded && filter.status?.every((one) => active.has(one) || failed.has(one)) === true
  const given = Object.entries(filter).filter(([, value]) => value !== undefined)
  // Those that have a parent, or were forked, are in an index; the others are not.
  const isRest = ([key, value]: readonly [string, unknown]) =>
    key === "status" ? !isHeld : narrows.has(key) || ((key === "hasParent" || key === "wasForked") && value === false)
  // `as`: each field is in one of the two, and what is required in the first.
  return {
    found: Object.fromEntries(given.filter((one) => !isRest(one))) as unknown as ListFilter,
    rest: Object.fromEntries(given.filter(isRest)) as Partial<ListFilter>
  }
}

/** Of what only narrows a walk: `parameters` are those that the statement has already. */
export const narrowing = (s: string, rest: Partial<ListFilter>, parameters: Array<unknown>): Where =>
  conditionsOf(s, rest, parameters, () => undefined)

export const whereOf = (s: string, filter: ListFilter, parameters: Array<unknown> = []): Where =>
  conditionsOf(s, filter, parameters, holdersOf)

const conditionsOf = (
  s: string,
  filter: Partial<ListFilter>,
  parameters: Array<unknown>,
  held: typeof holdersOf
): Where => {
  const conditions: Array<string> = []
  const add = (value: unknown): string => `$${parameters.push(value)}`
  const equal = (column: string, value: string | undefined) => {
    if (value !== undefined) conditions.push(`w.${column} = ${add(value)}::text`)
  }
  // one value as an equation, so that an index on it also gives the order
  const oneOf = (column: string, values: ReadonlyArray<string> | undefined) => {
    if (values?.length === 1) equal(column, values[0])
    else if (values !== undefined) conditions.push(`w.${column} = ANY (${add(values)}::text[])`)
  }
  // numbers travel as text and are cast: the driver would choose a type by the value
  const within = (column: string, from: number | undefined, to: number | undefined) => {
    if (from !== undefined) conditions.push(`w.${column} >= ceil(${add(String(from))}::numeric)::bigint`)
    if (to !== undefined) conditions.push(`w.${column} < ceil(${add(String(to))}::numeric)::bigint`)
  }
  const given = (column: string, is: boolean | undefined) => {
    if (is !== undefined) conditions.push(`w.${column} IS ${is ? "NOT " : ""}NULL`)
  }

  oneOf("workflow_id", filter.ids)
  oneOf("status", filter.status)
  const holders = filter.status === undefined || filter.status.length === 0 ? undefined : held(s, filter.status)
  if (holders !== undefined) conditions.push(`w.workflow_id IN (${holders})`)
  oneOf("name", filter.names)
  if (filter.idPrefix !== undefined && filter.idPrefix !== "") {
    conditions.push(`w.workflow_id >= ${add(filter.idPrefix)}::text`)
    const end = afterPrefix(filter.idPrefix)
    if (end !== null) conditions.push(`w.workflow_id < ${add(end)}::text`)
  }
  equal("parent_id", filter.parentId)
  given("parent_id", filter.hasParent)
  equal("forked_from", filter.forkedFrom)
  if (filter.wasForked === true) {
    conditions.push(`w.workflow_id IN (SELECT f.forked_from FROM ${s}.workflow f WHERE f.forked_from IS NOT NULL)`)
  } else if (filter.wasForked === false) {
    conditions.push(`NOT EXISTS (SELECT FROM ${s}.workflow f WHERE f.forked_from = w.workflow_id)`)
  }
  equal("user_id", filter.user)
  oneOf("version", filter.versions)
  equal("executor_id", filter.executorId)
  oneOf("queue", filter.queues)
  given("queue", filter.queued)
  equal("partition_key", filter.partitionKey)
  equal("deduplication_id", filter.deduplicationId)
  equal("schedule_name", filter.scheduleName)
  for (const [key, value] of Object.entries(filter.attributes ?? {})) {
    conditions.push(
      `w.workflow_id IN (SELECT a.workflow_id FROM ${s}.attribute a `
        + `WHERE a.key = ${add(key)}::text AND a.value = ${add(JSON.stringify(value))}::text)`
    )
  }
  within("created_at", filter.createdFrom, filter.createdTo)
  within("started_at", filter.startedFrom, filter.startedTo)
  within("completed_at", filter.completedFrom, filter.completedTo)
  if (filter.after !== undefined) {
    conditions.push(
      `(w.created_at, w.workflow_id) ${filter.order === "desc" ? "<" : ">"} `
        + `(${add(String(filter.after.createdAt))}::bigint, ${add(filter.after.workflowId)}::text COLLATE "C")`
    )
  }
  return { condition: conditions.length === 0 ? "true" : conditions.join(" AND "), parameters }
}
