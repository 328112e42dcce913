/** Taking workflows: the epoch rises first, the history is read after it. */
import type { Claimed, Served } from "perdure/Store"
import * as Admit from "./admit.ts"
import * as Clock from "./clock.ts"
import type { Database } from "./database.ts"
import * as Delay from "./delay.ts"
import * as Due from "./due.ts"
import { isAlive, versionOf } from "./executor.ts"
import { page } from "./history.ts"
import * as Item from "./item.ts"
import * as Mailbox from "./mailbox.ts"
import * as Ownership from "./ownership.ts"
import * as Partition from "./partition.ts"
import * as Queue from "./queue.ts"
import * as Version from "./version.ts"
import { get } from "./workflow.ts"

export interface ClaimOptions {
  readonly incarnation: string
  readonly served: ReadonlyArray<Served>
  readonly queues: ReadonlyArray<string> | null
  readonly limit: number
}

/** Whether a claim would find something. Read without the write lock, since most polls find nothing. */
export const look = (database: Database, asked: ClaimOptions) => {
  const now = Clock.now(database)
  if (!isAlive(database, asked.incarnation, now)) return { now, nextDueAt: null, isDue: false, waiting: false }
  const options = allowed(database, asked)
  const { nextDueAt, waiting } = left(database, options, now)
  return { now, nextDueAt, isDue: Delay.isDue(database, now) || (nextDueAt !== null && nextDueAt <= now), waiting }
}

export const claim = (database: Database, asked: ClaimOptions) => {
  const now = Clock.now(database)
  if (!isAlive(database, asked.incarnation, now)) {
    return { now, claimed: [], nextDueAt: null, contended: false, waiting: false }
  }
  const options = allowed(database, asked)
  const { served } = options
  Delay.promote(database, now)
  const claimed: Array<Claimed> = Due.dueNow(database, "", served, options.limit, now)
    .map((workflowId) => take(database, workflowId, "", options.incarnation, now))
  const queues = shuffled(queuesOf(database, options))
  for (const queue of queues) {
    for (const workflowId of woken(database, queue, options, options.limit - claimed.length, now)) {
      claimed.push(take(database, workflowId, queue.name, options.incarnation, now))
    }
  }
  // Each has its share first, so that a long queue does not keep the others from starting anything.
  for (const shares of [queues.length, 1]) {
    const share = Math.ceil((options.limit - claimed.length) / shares)
    for (const queue of queues) {
      const most = Math.min(share, options.limit - claimed.length)
      claimed.push(...admit(database, queue, options, most, now))
    }
  }
  return { now, claimed, contended: false, ...left(database, options, now) }
}

/** The named ones, or those with something in them. */
const queuesOf = (database: Database, { queues }: ClaimOptions): ReadonlyArray<Queue.Queue> =>
  [...new Set(queues ?? Due.queuesInUse(database))].flatMap((name) => Queue.find(database, name) ?? [])

/** In an order of chance, so that none is always the last one when the limit binds. */
const shuffled = <A>(all: ReadonlyArray<A>): ReadonlyArray<A> =>
  all.map((one) => ({ one, at: Math.random() })).sort((a, b) => a.at - b.at).map(({ one }) => one)

/** What was admitted before goes on, as far as the executor has room for it. */
const woken = (
  database: Database,
  queue: Queue.Queue,
  { incarnation, served }: ClaimOptions,
  most: number,
  now: number
): ReadonlyArray<string> => {
  const room = Math.min(most, Admit.memoryRoom(database, queue, incarnation))
  const limited = (queue.limits.partitioned?.executorConcurrency ?? null) !== null
  if (!limited) return Due.dueNow(database, queue.name, served, room, now)
  if (room <= 0) return []
  const taken = new Map<string, number>()
  return Due.dueNow(database, queue.name, served, scanned, now).filter((workflowId) => {
    const key = Item.find(database, workflowId)?.partition_key ?? null
    if (key === null) return true
    const count = taken.get(key) ?? 0
    if (Admit.partitionMemoryRoom(database, queue, key, incarnation) <= count) return false
    taken.set(key, count + 1)
    return true
  }).slice(0, room)
}

/** How many sleepers are looked at where partitions limit what an executor has in memory. */
const scanned = 1_000

const admit = (
  database: Database,
  queue: Queue.Queue,
  { incarnation, served }: ClaimOptions,
  most: number,
  now: number
): ReadonlyArray<Claimed> => {
  const room = Admit.room(database, queue, incarnation, most, now)
  if (room <= 0) return []
  const start = (workflowId: string): Claimed => {
    Admit.note(database, queue, Item.find(database, workflowId)!.partition_key, now)
    return take(database, workflowId, queue.name, incarnation, now)
  }
  const claimed = Admit.first(database, queue.name, served, room).map(start)
  Partition.lookAtFreed(database, queue.name, now)
  if (claimed.length === room) return claimed
  let heads = Admit.heads(database, queue, served, incarnation, room - claimed.length)
  while (claimed.length < room) {
    const [head, ...others] = heads
    if (head === undefined) break
    claimed.push(start(Admit.workflowOf(database, head)))
    heads = [...others, ...Admit.behind(database, queue, served, incarnation, head)].sort(Admit.inOrder)
  }
  return claimed
}

const take = (database: Database, workflowId: string, queue: string, incarnation: string, now: number): Claimed => {
  const version = adopt(database, workflowId, incarnation)
  Ownership.take(database, workflowId, incarnation)
  Mailbox.awake(database, workflowId)
  if (queue !== "") Item.enterMemory(database, workflowId, incarnation, version, now)
  database.run(
    `UPDATE perdure_workflow SET
       status = iif(status IN ('ENQUEUED', 'DELAYED'), 'PENDING', status),
       started_at = coalesce(started_at, ?),
       executor_id = (SELECT executor_id FROM perdure_executor WHERE incarnation = ?)
     WHERE workflow_id = ?`,
    now,
    incarnation,
    workflowId
  )
  return {
    row: get(database, workflowId)!,
    inbox: Mailbox.inbox(database, workflowId),
    ...page(database, workflowId, -1)
  }
}

/** One without a version gets that of the first executor that has it, and keeps it. */
const adopt = (database: Database, workflowId: string, incarnation: string): string => {
  const { version } = database.get<{ version: string }>(
    "SELECT version FROM perdure_ownership WHERE workflow_id = ?",
    workflowId
  )!
  if (version !== "") return version
  const own = versionOf(database, incarnation)
  if (own === "") return own
  for (const table of ["workflow", "ownership", "mailbox"]) {
    database.run(`UPDATE perdure_${table} SET version = ? WHERE workflow_id = ?`, own, workflowId)
  }
  return own
}

/**
 * Of what is left. `nextDueAt`: not later than now when there is more than a claim took, or than it would find nothing.
 * `waiting`: something is not started yet, or was and finds no place in this executor.
 */
const left = (
  database: Database,
  options: ClaimOptions,
  now: number
): { readonly nextDueAt: number | null; readonly waiting: boolean } => {
  const { served } = options
  let next: number | null = null
  let waiting = false
  const consider = (at: number | null) => {
    if (at !== null && (next === null || at < next)) next = at
  }
  for (const pair of served) {
    consider(Due.nextDue(database, "", pair, 0))
    consider(Delay.nextDue(database, pair))
  }
  for (const queue of queuesOf(database, options)) {
    const isDue = Due.dueNow(database, queue.name, served, 1, now).length > 0
    const awake = isDue && woken(database, queue, options, 1, now).length > 0
    waiting ||= isDue || Due.waits(database, queue.name)
    for (const pair of served) consider(Due.nextDue(database, queue.name, pair, awake ? 0 : now + 1))
    if (Admit.hasAny(database, queue, served, options.incarnation, now)) consider(now)
    else consider(Admit.nextFreeAt(database, queue, served, now))
  }
  return { nextDueAt: next, waiting }
}

/**
 * What of it may be claimed, each pair once. What is of no version is for executors of the latest one, or of none; others
 * may ask for it, since they know which that is only since their last heartbeat.
 */
const allowed = (database: Database, asked: ClaimOptions): ClaimOptions => {
  const served = distinct(asked.served)
  const isLatest = () => ["", Version.latest(database)].includes(versionOf(database, asked.incarnation))
  if (!served.some(isUnversioned) || isLatest()) return { ...asked, served }
  return { ...asked, served: served.filter((pair) => !isUnversioned(pair)) }
}

const isUnversioned = ({ version }: Served): boolean => version === ""

/** A pair given twice must not be claimed twice. */
const distinct = (served: ReadonlyArray<Served>): ReadonlyArray<Served> => [
  ...new Map(served.map((pair) => [JSON.stringify([pair.name, pair.version]), pair])).values()
]
