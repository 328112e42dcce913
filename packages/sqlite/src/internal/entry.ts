/** The entries of streams: numbered without a gap by the one owner that writes, each there once. */
import type { StreamAnswer, StreamEntry, StreamRead, StreamWrite, Supersede } from "perdure/Store"
import type { Database } from "./database.ts"

/** How many entries the stream has. */
export const nextOffset = (database: Database, workflowId: string, key: string): number =>
  database.get<{ next: number }>(
    "SELECT coalesce(max(offset), -1) + 1 AS next FROM perdure_entry WHERE workflow_id = ? AND key = ?",
    workflowId,
    key
  )!.next

/** Null in the contract: the body writes it itself. A number here, since NULLs are never equal in an index. */
const attemptOf = (entry: StreamWrite): number => entry.attempt ?? -1

/** Appends it. The offset, or undefined when it is there already. */
export const append = (
  database: Database,
  workflowId: string,
  epoch: number,
  entry: StreamWrite,
  now: number
): number | undefined => {
  if (wasAppended(database, workflowId, epoch, entry)) return undefined
  const offset = nextOffset(database, workflowId, entry.key)
  database.run(
    `INSERT INTO perdure_entry (workflow_id, key, offset, value, codec, step_id, attempt, number, epoch, at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    workflowId,
    entry.key,
    offset,
    entry.value,
    entry.codec,
    entry.stepId,
    attemptOf(entry),
    entry.index,
    epoch,
    now
  )
  return offset
}

/** What the step wrote before this attempt of this owner, to any stream. */
export const supersede = (
  database: Database,
  workflowId: string,
  epoch: number,
  { attempt, stepId }: Supersede
): void => {
  database.run(
    `UPDATE perdure_entry INDEXED BY perdure_entry_writer SET superseded = 1
     WHERE workflow_id = ? AND step_id = ? AND attempt >= 0 AND (epoch, attempt) < (?, ?) AND superseded = 0`,
    workflowId,
    stepId,
    epoch,
    attempt
  )
}

export const wasAppended = (database: Database, workflowId: string, epoch: number, entry: StreamWrite): boolean =>
  database.get(
    `SELECT 1 FROM perdure_entry
     WHERE workflow_id = ? AND key = ? AND step_id = ? AND epoch = ? AND attempt = ? AND number = ?`,
    workflowId,
    entry.key,
    entry.stepId,
    epoch,
    attemptOf(entry),
    entry.index
  ) !== undefined

interface Columns {
  readonly offset: number
  readonly value: string | null
  readonly codec: string
  readonly step_id: number
  readonly attempt: number
  readonly superseded: 0 | 1
  readonly at: number
}

const toEntry = (row: Columns): StreamEntry => ({
  offset: row.offset,
  value: row.value,
  codec: row.codec,
  stepId: row.step_id,
  attempt: row.attempt === -1 ? null : row.attempt,
  superseded: row.superseded === 1,
  at: row.at
})

export const read = (database: Database, { from, key, limit, workflowId }: StreamRead): StreamAnswer => {
  const rows = database.all<Columns>(
    `SELECT offset, value, codec, step_id, attempt, superseded, at FROM perdure_entry
     WHERE workflow_id = ? AND key = ? AND offset >= ? ORDER BY offset LIMIT ?`,
    workflowId,
    key,
    from,
    limit + 1
  )
  const entries = rows.slice(0, limit).map(toEntry)
  const row = database.get<{ done: 0 | 1 }>(
    `SELECT NOT EXISTS (SELECT 1 FROM perdure_ownership o WHERE o.workflow_id = w.workflow_id) AS done
     FROM perdure_workflow w WHERE w.workflow_id = ?`,
    workflowId
  )
  if (row === undefined) return { entries, state: "unknown" }
  return { entries, state: row.done === 1 && rows.length <= limit ? "done" : "open" }
}

/** Each stream with its last entry, found by its key without reading the others. */
export const streams = (database: Database, workflowId: string) =>
  database.all<{ key: string; entries: number; closed: 0 | 1 }>(
    `WITH RECURSIVE target (workflow_id) AS (SELECT ?), stream (key) AS (
       SELECT min(e.key) FROM target t JOIN perdure_entry e USING (workflow_id)
       UNION ALL
       SELECT (SELECT min(e.key) FROM target t JOIN perdure_entry e USING (workflow_id) WHERE e.key > stream.key)
       FROM stream WHERE stream.key IS NOT NULL
     )
     SELECT e.key, e.offset + 1 AS entries, e.value IS NULL AND e.superseded = 0 AS closed
     FROM target t CROSS JOIN stream s JOIN perdure_entry e ON e.workflow_id = t.workflow_id AND e.key = s.key
       AND e.offset = (SELECT max(offset) FROM perdure_entry m WHERE m.workflow_id = t.workflow_id AND m.key = s.key)
     ORDER BY e.key`,
    workflowId
  ).map(({ closed, entries, key }) => ({ key, entries, closed: closed === 1 }))
