/** A list's filter as SQL over `perdure_workflow w`. A list of any length is one parameter, so it is one statement. */
import type { ListFilter } from "perdure/Store"
import type { Bind } from "./database.ts"

export interface Where {
  /** Begins with `WHERE`, or is empty. */
  readonly text: string
  readonly params: ReadonlyArray<Bind>
}

/** What one that did not end well can be. */
const failed: ReadonlySet<string> = new Set(["ERROR", "CANCELLED", "DEAD_LETTER"])

/** What one that is not done can be. These have an ownership row. */
const active: ReadonlySet<string> = new Set(["ENQUEUED", "DELAYED", "PENDING", "BLOCKED"])

/** What waits in queues may be very many; everything else that is not done is not. */
export const mayCrowd = ({ status = [] }: ListFilter): boolean =>
  status.includes("ENQUEUED") || status.includes("DELAYED")

/** Whether those of these statuses are few, or in an index: all but `SUCCESS`. */
const isHeld = (statuses: ReadonlyArray<string>): boolean =>
  statuses.every((status) => failed.has(status) || active.has(status))

/** What no index finds in the order of creation. */
const narrows: ReadonlySet<string> = new Set(
  [
    "completedFrom",
    "completedTo",
    "deduplicationId",
    "executorId",
    "hasParent",
    "partitionKey",
    "startedFrom",
    "startedTo",
    "user",
    "versions",
    "wasForked"
  ] satisfies ReadonlyArray<keyof ListFilter>
)

/** What an index finds in the order of creation, or few enough to be sorted; and what only narrows that. */
export const partsOf = (
  filter: ListFilter,
  crowded: boolean
): { readonly found: ListFilter; readonly rest: Partial<ListFilter> } => {
  const held = !crowded && filter.status !== undefined && isHeld(filter.status)
  const given = Object.entries(filter).filter(([, value]) => value !== undefined)
  const isRest = (key: string) => key === "status" ? !held : narrows.has(key)
  // `as`: each field is in one of the two, and what is required in the first.
  return {
    found: Object.fromEntries(given.filter(([key]) => !isRest(key))) as unknown as ListFilter,
    rest: Object.fromEntries(given.filter(([key]) => isRest(key))) as Partial<ListFilter>
  }
}

/** `crowded`: there are too many of its statuses to begin with those. */
export const whereOf = (filter: Partial<ListFilter>, crowded: boolean): Where => {
  const conditions: Array<string> = []
  const params: Array<Bind> = []
  const where = (condition: string, ...values: ReadonlyArray<Bind>) => {
    conditions.push(condition)
    params.push(...values)
  }
  const oneOf = (column: string, values: ReadonlyArray<string> | undefined) => {
    // One value as an equation, so that an index on it also gives the order.
    if (values?.length === 1) where(`w.${column} = ?`, values[0]!)
    else if (values !== undefined) where(`w.${column} IN (SELECT value FROM json_each(?))`, JSON.stringify(values))
  }
  const equal = (column: string, value: string | undefined) => {
    if (value !== undefined) where(`w.${column} = ?`, value)
  }
  const given = (column: string, is: boolean | undefined) => {
    if (is !== undefined) where(`w.${column} IS ${is ? "NOT " : ""}NULL`)
  }
  const between = (column: string, from: number | undefined, to: number | undefined) => {
    if (from !== undefined) where(`w.${column} >= ?`, from)
    if (to !== undefined) where(`w.${column} < ?`, to)
  }
  oneOf("workflow_id", filter.ids)
  oneOf("status", filter.status)
  if (filter.status !== undefined && filter.status.length > 0 && filter.status.every((status) => failed.has(status))) {
    // In the words of the index, or it would not be used.
    where("w.status IN ('ERROR', 'CANCELLED', 'DEAD_LETTER')")
  }
  if (!crowded && filter.status?.some((status) => active.has(status)) === true && isHeld(filter.status)) {
    const others = filter.status.filter((status) => failed.has(status))
    const blocked = filter.status.every((status) => status === "BLOCKED" || failed.has(status))
    const ended = "SELECT f.workflow_id FROM perdure_workflow f WHERE f.status IN ('ERROR', 'CANCELLED', 'DEAD_LETTER')"
    where(
      `w.workflow_id IN (SELECT o.workflow_id FROM perdure_ownership o${blocked ? " WHERE o.rest = 'block'" : ""}${
        others.length === 0 ? "" : ` UNION ALL ${ended}`
      })`
    )
  }
  oneOf("name", filter.names)
  if (filter.idPrefix !== undefined && filter.idPrefix !== "") {
    // A range, which an index serves; LIKE would also give its wildcards a meaning.
    where("w.workflow_id >= ? AND w.workflow_id < ?", filter.idPrefix, `${filter.idPrefix}\u{10FFFF}`)
  }
  equal("parent_id", filter.parentId)
  given("parent_id", filter.hasParent)
  equal("forked_from", filter.forkedFrom)
  if (filter.wasForked !== undefined) {
    const exists = "EXISTS (SELECT 1 FROM perdure_workflow f WHERE f.forked_from = w.workflow_id)"
    where(filter.wasForked ? exists : `NOT ${exists}`)
  }
  equal("user", filter.user)
  oneOf("version", filter.versions)
  equal("executor_id", filter.executorId)
  oneOf("queue", filter.queues)
  given("queue", filter.queued)
  equal("partition_key", filter.partitionKey)
  equal("deduplication_id", filter.deduplicationId)
  equal("schedule_name", filter.scheduleName)
  for (const [key, value] of Object.entries(filter.attributes ?? {})) {
    where(
      "w.workflow_id IN (SELECT a.workflow_id FROM perdure_attribute a WHERE a.key = ? AND a.value = ?)",
      key,
      JSON.stringify(value)
    )
  }
  between("created_at", filter.createdFrom, filter.createdTo)
  between("started_at", filter.startedFrom, filter.startedTo)
  between("completed_at", filter.completedFrom, filter.completedTo)
  if (filter.after !== undefined) {
    const beyond = filter.order === "asc" ? ">" : "<"
    where(`(w.created_at, w.workflow_id) ${beyond} (?, ?)`, filter.after.createdAt, filter.after.workflowId)
  }
  return { text: conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`, params }
}
