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

const ended = "'ERROR', 'CANCELLED', 'DEAD_LETTER'"

/** What is not done and in no queue, also since that is gone. */
const unqueued = "perdure_ownership h WHERE h.queue = ''"

/**
 * The narrow rows among which all of a status are, and none twice: what waits in queues may be very many, and is not read
 * for the sake of what does not.
 */
const holders: Readonly<Record<string, ReadonlyArray<string>>> = {
  ENQUEUED: ["perdure_queue_item h WHERE h.state = 'waiting'", unqueued],
  DELAYED: ["perdure_queue_item h WHERE h.state = 'delayed'"],
  PENDING: ["perdure_queue_item h WHERE h.state = 'running'", unqueued],
  BLOCKED: ["perdure_ownership h WHERE h.rest = 'block'"],
  ...Object.fromEntries([...failed].map((status) => [status, [`perdure_workflow h WHERE h.status IN (${ended})`]]))
}

/** The ids of all that can be of these statuses, some twice. */
const idsOf = (statuses: ReadonlyArray<string>): string =>
  [...new Set(statuses.flatMap((status) => holders[status] ?? []))]
    .map((holder) => `SELECT h.workflow_id FROM ${holder}`)
    .join(" UNION ALL ")

/** Whether those of these statuses are few, or in an index: all but `SUCCESS`. */
const isHeld = (statuses: ReadonlyArray<string>): boolean => statuses.every((status) => status in holders)

/** The ids of what may be too many to be gathered for a page: what waits in queues. Null: none can. */
export const crowdOf = ({ status = [] }: ListFilter): string | null =>
  isHeld(status) && (status.includes("ENQUEUED") || status.includes("DELAYED")) ? idsOf(status) : null

/** What finds few by an index of its own, however many are of a status. */
const finds = ["ids", "idPrefix", "parentId", "forkedFrom", "attributes"] satisfies ReadonlyArray<keyof ListFilter>

/**
 * What to read, in no order, for those of a filter's statuses, each once: from the narrow rows on, since what has ended
 * before may be any number of times as much. Null: those rows do not have them all, or something else finds them sooner.
 */
export const heldBy = (filter: ListFilter): ReadonlyArray<string> | null => {
  if (filter.status === undefined || filter.status.length === 0 || !isHeld(filter.status)) return null
  if (finds.some((key) => filter[key] !== undefined)) return null
  return [...new Set(filter.status)].flatMap((status) =>
    holders[status]!.map((holder) =>
      failed.has(status)
        // Else SQLite would rather read all of a queue or a name that was given.
        ? `(SELECT w.* FROM perdure_workflow w INDEXED BY perdure_workflow_failed
           WHERE w.status = '${status}' AND w.status IN (${ended})) w`
        // CROSS: SQLite leaves the order of the two as it is written.
        : `(SELECT w.* FROM (SELECT h.workflow_id FROM ${holder}) h CROSS JOIN perdure_workflow w USING (workflow_id)
           WHERE w.status = '${status}') w`
    )
  )
}

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
    where(`w.status IN (${ended})`)
  } else if (!crowded && filter.status !== undefined && filter.status.length > 0 && isHeld(filter.status)) {
    where(`w.workflow_id IN (${idsOf(filter.status)})`)
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
