/**
 * Who may write for a workflow that is not done: the row that every write is fenced by. Each change from outside raises
 * its epoch; a workflow without a row is done.
 */
import type { Phase, Revoked } from "perdure/Store"
import type { Database } from "./database.ts"

/** Why nobody owns it. Kept so that a write sent twice is told from a write that came too late. */
export type Rest = "suspend" | "block" | "release"

export interface Ownership {
  readonly workflow_id: string
  readonly epoch: number
  readonly phase: Exclude<Phase, "done">
  readonly executor: string | null
  readonly rest: Rest | null
  readonly attempts: number
  /** 1: somebody has had it to run its rollbacks, so one of them may have run although none is recorded. */
  readonly undoing: 0 | 1
  /** That it has an item in; `""`: in none. */
  readonly queue: string
}

export const find = (database: Database, workflowId: string): Ownership | undefined =>
  database.get(
    `SELECT workflow_id, epoch, phase, executor, rest, attempts, undoing, queue
     FROM perdure_ownership WHERE workflow_id = ?`,
    workflowId
  )

/** Owned by `executor`, or (null) at rest until somebody claims it. */
export const insert = (
  database: Database,
  row: {
    readonly workflowId: string
    readonly name: string
    readonly version: string
    readonly epoch: number
    readonly executor: string | null
    readonly queue: string
  }
): void => {
  database.run(
    `INSERT INTO perdure_ownership (workflow_id, name, version, epoch, phase, executor, rest, queue)
     VALUES (?, ?, ?, ?, 'run', ?, ?, ?)`,
    row.workflowId,
    row.name,
    row.version,
    row.epoch,
    row.executor,
    row.executor === null ? "release" : null,
    row.queue
  )
}

/** Taken by an executor: whoever wrote before is fenced. */
export const take = (database: Database, workflowId: string, incarnation: string): void => {
  database.run(
    `UPDATE perdure_ownership SET epoch = epoch + 1, executor = ?, rest = NULL, undoing = (phase = 'compensate')
     WHERE workflow_id = ?`,
    incarnation,
    workflowId
  )
}

/** Given up by its owner. The epoch stays, so that the same write sent again is known. */
export const giveUp = (database: Database, workflowId: string, rest: Rest): void => {
  database.run("UPDATE perdure_ownership SET executor = NULL, rest = ? WHERE workflow_id = ?", rest, workflowId)
}

export const giveUpAllOf = (database: Database, incarnation: string): void => {
  database.run("UPDATE perdure_ownership SET executor = NULL, rest = 'release' WHERE executor = ?", incarnation)
}

/** Taken away from outside, to be claimed by anybody: the epoch rises. */
export const release = (
  database: Database,
  workflowId: string,
  set: Pick<Ownership, "phase" | "attempts" | "undoing" | "queue">
): void => {
  database.run(
    `UPDATE perdure_ownership SET epoch = epoch + 1, executor = NULL, rest = 'release',
       phase = ?, attempts = ?, undoing = ?, queue = ?
     WHERE workflow_id = ?`,
    set.phase,
    set.attempts,
    set.undoing,
    set.queue,
    workflowId
  )
}

/** What an incarnation owns. */
export const ownedBy = (database: Database, incarnation: string) =>
  database.all<{ readonly workflow_id: string; readonly epoch: number }>(
    "SELECT workflow_id, epoch FROM perdure_ownership WHERE executor = ? ORDER BY workflow_id",
    incarnation
  ).map((row) => ({ workflowId: row.workflow_id, epoch: row.epoch }))

/** What an incarnation owns of queues. */
export const queuedOf = (database: Database, incarnation: string) =>
  database.all<{ readonly workflow_id: string; readonly queue: string }>(
    "SELECT workflow_id, queue FROM perdure_ownership WHERE executor = ? AND queue <> ''",
    incarnation
  )

/** It came further: what was lost before counts no more. */
export const forgive = (database: Database, workflowId: string): void => {
  database.run("UPDATE perdure_ownership SET attempts = 0 WHERE workflow_id = ?", workflowId)
}

/** Tells the former owner, until it says that it has ended. One that is not known any more has nobody to tell. */
export const revoke = (
  database: Database,
  owner: Pick<Ownership, "workflow_id" | "epoch" | "executor">
): void => {
  if (owner.executor === null) return
  database.run(
    `INSERT INTO perdure_revoked (incarnation, workflow_id, epoch)
     SELECT incarnation, ?, ? FROM perdure_executor WHERE incarnation = ?
     ON CONFLICT (incarnation, workflow_id) DO UPDATE SET epoch = excluded.epoch`,
    owner.workflow_id,
    owner.epoch,
    owner.executor
  )
}

/** What was taken from an incarnation, and may still run there. */
export const revokedOf = (database: Database, incarnation: string): ReadonlyArray<Revoked> =>
  database.all<{ readonly workflow_id: string; readonly epoch: number }>(
    "SELECT workflow_id, epoch FROM perdure_revoked WHERE incarnation = ?",
    incarnation
  ).map((row) => ({ workflowId: row.workflow_id, epoch: row.epoch }))

/** It has ended there. False: that is known, or it was taken away once more since. */
export const forget = (database: Database, incarnation: string, { epoch, workflowId }: Revoked): boolean =>
  database.run(
    "DELETE FROM perdure_revoked WHERE incarnation = ? AND workflow_id = ? AND epoch = ?",
    incarnation,
    workflowId,
    epoch
  ) === 1

/** Whether it was taken from somebody whose lease is good, and who has not said that it has ended. */
export const mayStillRun = (database: Database, workflowId: string, now: number): boolean =>
  database.get(
    `SELECT 1 FROM perdure_executor e CROSS JOIN perdure_revoked r ON r.incarnation = e.incarnation
     WHERE e.dead = 0 AND e.lease_until > ? AND r.workflow_id = ? LIMIT 1`,
    now,
    workflowId
  ) !== undefined
