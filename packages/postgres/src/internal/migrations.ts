/**
 * The schema's history: numbered, append-only once released. A release that changes a function adds one under a new number
 * (`flush_2`), so that the release before, still running somewhere, keeps calling its own.
 */
import { setAttributes } from "./sql/attributes.ts"
import { cancel } from "./sql/cancel.ts"
import { claim } from "./sql/claim.ts"
import { claimQueue, wakeQueue } from "./sql/claimQueue.ts"
import { nowMs } from "./sql/clock.ts"
import { debounce, freeOverdue } from "./sql/deduplicate.ts"
import { enqueueWorkflow, sendMessage } from "./sql/entryPoints.ts"
import { erase, retainable } from "./sql/erase.ts"
import { failureTable } from "./sql/failureTable.ts"
import { flush } from "./sql/flush.ts"
import { fork } from "./sql/fork.ts"
import { history } from "./sql/history.ts"
import { jsonText, numberText } from "./sql/jsonText.ts"
import { outboxTable } from "./sql/outbox.ts"
import { digest, partition, pickHeads, unkey } from "./sql/partition.ts"
import { position } from "./sql/position.ts"
import {
  changeQueue,
  deleteQueue,
  leaveQueue,
  moveItems,
  promote,
  rateLeft,
  rateStarted,
  rerank,
  setDelay,
  setPriority
} from "./sql/queue.ts"
import { queueTables } from "./sql/queueTables.ts"
import { expire, recover, release } from "./sql/recover.ts"
import { renew } from "./sql/renew.ts"
import { resume } from "./sql/resume.ts"
import { fired } from "./sql/schedules.ts"
import { scheduleTable } from "./sql/scheduleTable.ts"
import { startedMany } from "./sql/startMany.ts"
import { tables } from "./sql/tables.ts"
import { versionTables } from "./sql/versions.ts"
import { tell, wake } from "./sql/wake.ts"

/** The statements of one step, given the quoted name of the schema. */
export type Migration = (s: string) => ReadonlyArray<string>

/** Migration `n` is at index `n - 1` and leaves the schema at version `n`. */
export const migrations: ReadonlyArray<Migration> = [
  (s) => [
    ...tables(s),
    ...failureTable(s),
    ...outboxTable(s),
    ...versionTables(s),
    ...scheduleTable(s),
    ...queueTables(s),
    `INSERT INTO ${s}.meta (schema_version) VALUES (0)`,
    nowMs(s),
    wake(s),
    tell(s),
    numberText(s),
    jsonText(s),
    leaveQueue(s),
    moveItems(s),
    debounce(s),
    freeOverdue(s),
    flush(s),
    ...enqueueWorkflow(s),
    ...sendMessage(s),
    history(s),
    promote(s),
    rateLeft(s),
    rateStarted(s),
    partition(s),
    digest(s),
    unkey(s),
    pickHeads(s),
    wakeQueue(s),
    claimQueue(s),
    claim(s),
    cancel(s),
    resume(s),
    recover(s),
    expire(s),
    release(s),
    erase(s),
    retainable(s),
    setAttributes(s),
    position(s),
    fork(s),
    renew(s),
    changeQueue(s),
    rerank(s),
    deleteQueue(s),
    setPriority(s),
    setDelay(s),
    startedMany(s),
    fired(s)
  ]
]
