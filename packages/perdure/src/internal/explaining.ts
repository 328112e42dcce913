/**
 * What a workflow waits for, since when, and what would wake it: a pure function of what was gathered about it.
 */
import type { ExecutorRow, QueueRow, VersionRow, WorkflowRow } from "../Store.ts"
import type { WorkflowStatus } from "../WorkflowStatus.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** One thing that a suspended workflow waits for. The first that happens wakes it. */
export type Wait =
  | { readonly _tag: "Time"; readonly until: Date }
  | { readonly _tag: "Message"; readonly topic: string; readonly until: Date | undefined }
  /** `status`: of the other workflow; undefined: it does not exist any more. */
  | { readonly _tag: "Result"; readonly workflowId: string; readonly status: WorkflowStatus | undefined }
  | {
    readonly _tag: "Event" | "Stream"
    readonly workflowId: string
    readonly key: string
    readonly status: WorkflowStatus | undefined
    readonly until: Date | undefined
  }
  | { readonly _tag: "Other"; readonly what: string; readonly until: Date | undefined }

/** Which rule of its queue keeps a workflow from starting. */
export type Hold =
  | "paused"
  | "concurrency"
  | "executorConcurrency"
  | "rateLimit"
  | "partition concurrency"
  | "others before it"

/** An executor that is alive. */
export interface Living {
  readonly executorId: string
  readonly version: string
}

/** Why a workflow is where it is. */
export type Why =
  /** An executor has it in memory. `lost`: that executor's lease has ended; another takes it over. */
  | { readonly _tag: "Running"; readonly executorId: string; readonly here: boolean; readonly lost: boolean }
  /** Out of memory until something happens. */
  | { readonly _tag: "Suspended"; readonly waits: ReadonlyArray<Wait>; readonly wakesAt: Date | undefined }
  /** Nothing is in its way: one of these executors takes it next. */
  | { readonly _tag: "Due"; readonly by: ReadonlyArray<Living> }
  | { readonly _tag: "Delayed"; readonly until: Date | undefined; readonly queue: string | undefined }
  | {
    readonly _tag: "Queued"
    readonly queue: string
    /** How many are before it. */
    readonly before: number
    readonly running: number
    readonly waiting: number
    readonly holds: ReadonlyArray<Hold>
    /** The executors that serve the queue and have its code. */
    readonly servedBy: ReadonlyArray<Living>
  }
  /** No living executor has its code (or, of those that have, none serves its queue). */
  | {
    readonly _tag: "NoExecutor"
    readonly name: string
    readonly version: string
    readonly queue: string | undefined
    /** The versions in which living executors have this name. */
    readonly versions: ReadonlyArray<string>
    readonly living: ReadonlyArray<Living>
  }
  | { readonly _tag: "Blocked"; readonly expected: string; readonly actual: string; readonly detail: string }
  | { readonly _tag: "RollingBack"; readonly by: string; readonly running: boolean }
  | { readonly _tag: "DeadLettered"; readonly attempts: number; readonly detail: string }
  | { readonly _tag: "Done"; readonly status: WorkflowStatus }

/** What a workflow waits for, as data and in words. */
export interface Explanation {
  readonly workflowId: string
  readonly status: WorkflowStatus
  readonly why: Why
  /** Since when, as far as that is stored. */
  readonly since: Date | undefined
  /** When it is cancelled if it has not ended. */
  readonly deadline: Date | undefined
  /** What it waits for, and what would wake it. */
  readonly text: string
}

/** What was read about it, at one time as nearly as can be. */
export interface Facts {
  readonly row: WorkflowRow
  readonly now: number
  readonly here: boolean
  readonly executors: ReadonlyArray<ExecutorRow>
  readonly versions: ReadonlyArray<VersionRow>
  readonly queue: QueueRow | undefined
  readonly before: number | null
  readonly awaited: ReadonlyArray<{
    readonly workflowId: string
    readonly on: "end" | "event" | "stream"
    readonly key: string
    readonly status: WorkflowStatus | null
  }>
  /** When the rate limit of its queue lets the next one start; null: now, or there is none. */
  readonly rateFreeAt: number | null
  /** Workflows of its partition key that have started and not ended. */
  readonly partitionRunning: number
}

// -----------------------------------------------------------------------------
// deciding
// -----------------------------------------------------------------------------

const dateOf = (ms: number | null): Date | undefined => ms === null ? undefined : new Date(ms)

/** The explanation that the facts allow. */
export const explain = (facts: Facts): Explanation => {
  const { row } = facts
  const why = whyOf(facts)
  return {
    workflowId: row.workflowId,
    status: row.status,
    why,
    since: dateOf(sinceOf(row, why)),
    deadline: row.phase === "run" ? dateOf(row.deadlineAt) : undefined,
    text: textOf(facts, why)
  }
}

const whyOf = (facts: Facts): Why => {
  const { row } = facts
  const reason = reasonOf(row)
  if (row.status === "BLOCKED") {
    return {
      _tag: "Blocked",
      expected: String(reason["expected"] ?? ""),
      actual: String(reason["actual"] ?? ""),
      detail: String(reason["detail"] ?? "")
    }
  }
  if (row.status === "DEAD_LETTER") {
    return {
      _tag: "DeadLettered",
      attempts: Number(reason["attempts"] ?? row.recoveryAttempts),
      detail: String(reason["detail"] ?? "")
    }
  }
  if (row.phase === "done") return { _tag: "Done", status: row.status }
  if (row.phase === "compensate") {
    const running = ownerOf(facts) !== undefined
    const able = livingOf(facts).length > 0
    return running || able ? { _tag: "RollingBack", by: String(reason["by"] ?? "user"), running } : noExecutor(facts)
  }
  if (row.status === "DELAYED") {
    return { _tag: "Delayed", until: dateOf(row.wakeAt), queue: row.queue ?? undefined }
  }
  if (row.status === "ENQUEUED") return waitingOf(facts)
  return pendingOf(facts)
}

const pendingOf = (facts: Facts): Why => {
  const { now, row } = facts
  const waits = waitsOf(facts)
  if (row.waits !== null && (row.wakeAt === null || row.wakeAt > now)) {
    return { _tag: "Suspended", waits, wakesAt: dateOf(row.wakeAt) }
  }
  const owner = ownerOf(facts)
  if (owner !== undefined) return owner
  return facts.queue === undefined || facts.before === null ? dueOf(facts) : waitingOf(facts)
}

/** In memory somewhere: it has no time to be claimed at, waits for nothing, and is in no queue. */
const ownerOf = (facts: Facts): (Why & { readonly _tag: "Running" }) | undefined => {
  const { before, executors, here, row } = facts
  if (here) return { _tag: "Running", executorId: row.executorId ?? "", here, lost: false }
  if (row.executorId === null || row.wakeAt !== null || row.waits !== null || before !== null) return undefined
  const lost = !executors.some(({ executorId, state }) => state === "alive" && executorId === row.executorId)
  return { _tag: "Running", executorId: row.executorId, here, lost }
}

const waitingOf = (facts: Facts): Why => {
  const { before, queue, row } = facts
  if (queue === undefined) return dueOf(facts)
  const servedBy = livingOf(facts)
  if (servedBy.length === 0) return noExecutor(facts)
  return {
    _tag: "Queued",
    queue: queue.name,
    before: before ?? 0,
    running: queue.running,
    waiting: queue.waiting,
    holds: holdsOf(facts, queue, servedBy.length, row.partitionKey !== null),
    servedBy
  }
}

const holdsOf = (facts: Facts, queue: QueueRow, servedBy: number, hasPartition: boolean): ReadonlyArray<Hold> => {
  const { concurrency, executorConcurrency, partitioned } = queue.limits
  const holds: Array<Hold> = []
  if (queue.paused) holds.push("paused")
  if (concurrency !== null && queue.running >= concurrency) holds.push("concurrency")
  if (executorConcurrency !== null && queue.running >= executorConcurrency * servedBy) holds.push("executorConcurrency")
  if (facts.rateFreeAt !== null) holds.push("rateLimit")
  if (hasPartition && partitioned !== null && facts.partitionRunning >= partitioned.concurrency) {
    holds.push("partition concurrency")
  }
  if ((facts.before ?? 0) > 0) holds.push("others before it")
  return holds
}

const dueOf = (facts: Facts): Why => {
  const by = livingOf(facts)
  return by.length > 0 ? { _tag: "Due", by } : noExecutor(facts)
}

const served = (executor: ExecutorRow, name: string, version: string): boolean =>
  executor.served.some((one) => one.name === name && one.version === version)

/** The living executors that can run it, and that serve its queue. */
const livingOf = ({ executors, row }: Facts): ReadonlyArray<Living> =>
  executors.filter((executor) =>
    executor.state === "alive" && served(executor, row.name, row.version) &&
    (row.queue === null || executor.queues === null || executor.queues.includes(row.queue))
  ).map(({ executorId, version }) => ({ executorId, version }))

const noExecutor = ({ executors, row }: Facts): Why => {
  const living = executors.filter((executor) => executor.state === "alive")
  return {
    _tag: "NoExecutor",
    name: row.name,
    version: row.version,
    queue: row.queue ?? undefined,
    versions: [
      ...new Set(
        living.flatMap((executor) => executor.served.filter((one) => one.name === row.name).map((one) => one.version))
      )
    ].filter((version) => version !== "" || row.version === ""),
    living: living.map(({ executorId, version }) => ({ executorId, version }))
  }
}

// -----------------------------------------------------------------------------
// what a suspended workflow waits for
// -----------------------------------------------------------------------------

const waitsOf = ({ awaited, row }: Facts): ReadonlyArray<Wait> => {
  const listed = listOf(row.waits)
  const until = (what: string): Date | undefined => dateOf(listed.find((wait) => wait.what === what)?.until ?? null)
  const others = awaited.map((one): Wait => {
    const status = one.status ?? undefined
    if (one.on === "end") return { _tag: "Result", workflowId: one.workflowId, status }
    return {
      _tag: one.on === "event" ? "Event" : "Stream",
      workflowId: one.workflowId,
      key: one.key,
      status,
      until: until(`${one.on} "${one.key}" of "${one.workflowId}"`)
    }
  })
  const own = listed.flatMap(({ until, what }): ReadonlyArray<Wait> => {
    // They are in `awaited`, with more.
    if (/^(?:result of |event "|stream ")/.test(what) && awaited.length > 0) return []
    const topic = /^message "(.*)"$/s.exec(what)?.[1]
    if (topic !== undefined) return [{ _tag: "Message", topic, until: dateOf(until) }]
    if (what === "sleep" && until !== null) return [{ _tag: "Time", until: new Date(until) }]
    return [{ _tag: "Other", what, until: dateOf(until) }]
  })
  return [...own, ...others]
}

const listOf = (text: string | null): ReadonlyArray<{ readonly what: string; readonly until: number | null }> => {
  const parsed = objectOf(text)
  return Array.isArray(parsed) ? parsed as Array<{ what: string; until: number | null }> : []
}

const reasonOf = (row: WorkflowRow): Record<string, unknown> => objectOf(row.reason) as Record<string, unknown>

/** One row that cannot be read must not keep the others from being explained. */
const objectOf = (text: string | null): object => {
  try {
    const parsed: unknown = JSON.parse(text ?? "{}")
    return typeof parsed === "object" && parsed !== null ? parsed : {}
  } catch {
    return {}
  }
}

const sinceOf = (row: WorkflowRow, why: Why): number | null => {
  switch (why._tag) {
    case "Done":
    case "DeadLettered":
      return row.completedAt
    case "Running":
      return row.startedAt
    case "Due":
      return row.wakeAt ?? row.createdAt
    case "Queued":
    case "NoExecutor":
    case "Delayed":
      return row.createdAt
    default:
      return null
  }
}

// -----------------------------------------------------------------------------
// words
// -----------------------------------------------------------------------------

const quote = (text: string): string => JSON.stringify(text)
const versionOf = (version: string): string => version === "" ? "no version" : `version ${quote(version)}`
const timeOf = (date: Date | undefined): string => date === undefined ? "an unknown time" : date.toISOString()
const untilOf = (date: Date | undefined): string => date === undefined ? "" : `, at most until ${date.toISOString()}`
const namesOf = (living: ReadonlyArray<Living>): string =>
  [...new Set(living.map(({ executorId }) => quote(executorId)))].join(", ")

const textOf = (facts: Facts, why: Why): string => {
  switch (why._tag) {
    case "Running":
      return why.lost
        ? `It was running in ${
          quote(why.executorId)
        }, which is lost. When that one's lease has ended another takes it over.`
        : `It is running in ${quote(why.executorId)}${why.here ? ", in this process" : ""}.`
    case "Suspended":
      return why.waits.length === 0
        ? `It is suspended until ${timeOf(why.wakesAt)}.`
        : `It is suspended, waiting for ${why.waits.map(waitText).join(", or ")}.`
    case "Due":
      return `It is due, and one of these takes it next: ${namesOf(why.by)}.`
    case "Delayed":
      return `It is delayed until ${timeOf(why.until)}${
        why.queue === undefined ? "" : `; then it waits in the queue ${quote(why.queue)}`
      }.`
    case "Queued":
      return queuedText(why)
    case "NoExecutor":
      return noExecutorText(why, facts.versions)
    case "Blocked":
      return `Its code does not fit its history: expected ${why.expected}, found ${why.actual}` +
        `${why.detail === "" ? "" : ` (${why.detail})`}. Deploy code that fits, then resume it.`
    case "RollingBack":
      return `It was cancelled (${why.by}), and its rollbacks are ${why.running ? "running" : "to run"}.`
    case "DeadLettered":
      return `It was given up after ${why.attempts} recovery attempts${why.detail === "" ? "" : `: ${why.detail}`}. ` +
        "Find out what ends its executors, then resume it."
    case "Done":
      return `It is done: ${why.status}.`
  }
}

const waitText = (wait: Wait): string => {
  switch (wait._tag) {
    case "Time":
      return `the time ${wait.until.toISOString()}`
    case "Message":
      return `a message on the topic ${quote(wait.topic)}${untilOf(wait.until)}`
    case "Result":
      return `the result of ${quote(wait.workflowId)} (${wait.status ?? "deleted"})`
    case "Event":
      return `the event ${quote(wait.key)} of ${quote(wait.workflowId)} (${wait.status ?? "deleted"})${
        untilOf(wait.until)
      }`
    case "Stream":
      return `the next entry of the stream ${quote(wait.key)} of ${quote(wait.workflowId)} (${
        wait.status ?? "deleted"
      })${untilOf(wait.until)}`
    case "Other":
      return `${wait.what}${untilOf(wait.until)}`
  }
}

const queuedText = (why: Why & { readonly _tag: "Queued" }): string => {
  const place = why.before === 0 ? "It is the next one" : `It waits, ${why.before} before it,`
  const holds = why.holds.length === 0 ? "nothing holds it" : `held by: ${why.holds.join(", ")}`
  const remedy = why.holds.includes("paused") ? " Resume the queue." : ""
  return `${place} in the queue ${quote(why.queue)} (${why.running} running); ${holds}. ` +
    `Served by ${namesOf(why.servedBy)}.${remedy}`
}

const noExecutorText = (why: Why & { readonly _tag: "NoExecutor" }, versions: ReadonlyArray<VersionRow>): string => {
  const start = `No living executor runs ${quote(why.name)} of ${versionOf(why.version)}` +
    `${why.queue === undefined ? "" : ` and serves the queue ${quote(why.queue)}`}. `
  if (why.living.length === 0) return `${start}No executor lives: start one.`
  if (why.versions.length === 0) return `${start}Of those that live (${namesOf(why.living)}) none has this name.`
  const has = why.versions.map(versionOf).join(", ")
  const latest = versions[0] === undefined ? "" : ` The latest is ${quote(versions[0].version)}.`
  return `${start}They have this name in ${has}.${latest} ` +
    "Start one that fits or calls itself compatible, or fork the workflow to another version."
}
