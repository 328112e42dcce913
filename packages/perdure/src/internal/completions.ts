/**
 * The completion table: what a transaction in another database than the store's leaves there, in the same commit, so that
 * whoever runs it again finds that it has happened. Written in the SQL that PostgreSQL, MySQL and SQLite share.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

export interface Completion {
  /** Of the workflow and the operation in it: see {@link idOf}. More than one: it is found under any of them. */
  readonly ids: Arr.NonEmptyReadonlyArray<string>
  readonly workflowId: string
  readonly outcome: "success" | "failure"
  readonly value: string
}

/**
 * Ids and keys may be longer than what a key of every database holds. Each life of a workflow, and each workflow that has an
 * id after another one, has keys of its own: they differ in when they began.
 */
export const idOf = (workflowId: string, startedAt: number, key: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    const bytes = new TextEncoder().encode(`${workflowId}\n${startedAt}\n${key}`)
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")
  })

/** Once per client. Needs the right to create a table only where there is none. */
export const setUp = (sql: SqlClient): Effect.Effect<void, SqlError> =>
  Effect.suspend(() => {
    if (isSetUp.has(sql)) return Effect.void
    // A value may be as long as a record's, which is more than MySQL's TEXT.
    const text = sql.onDialectOrElse({ mysql: () => sql.literal("LONGTEXT"), orElse: () => sql.literal("TEXT") })
    return Effect.map(
      exists(sql).pipe(Effect.catch(() =>
        // Of two that create it at the same time one may fail, and then it is there.
        Effect.catch(
          sql`CREATE TABLE IF NOT EXISTS perdure_completion (
            id CHAR(64) NOT NULL PRIMARY KEY,
            workflow_id VARCHAR(512) NOT NULL,
            outcome VARCHAR(8) NOT NULL,
            value ${text} NOT NULL,
            created_at BIGINT NOT NULL
          )`,
          (error) => Effect.catch(exists(sql), () => Effect.fail(error))
        )
      )),
      () => void isSetUp.add(sql)
    )
  })

const isSetUp = new WeakSet<SqlClient>()

const exists = (sql: SqlClient) => sql`SELECT id FROM perdure_completion WHERE id = ${""}`

export const find = (
  sql: SqlClient,
  ids: ReadonlyArray<string>
): Effect.Effect<Pick<Completion, "outcome" | "value"> | undefined, SqlError> =>
  Effect.map(
    sql<Pick<Completion, "outcome" | "value">>`
      SELECT outcome, value FROM perdure_completion WHERE ${sql.in("id", ids)}`,
    (rows) => rows[0]
  )

/** Fails with a `UniqueViolation` where it has happened already. `at`: of this process's clock, for retention alone. */
export const insert = (
  sql: SqlClient,
  { ids, outcome, value, workflowId }: Completion,
  at: number
): Effect.Effect<void, SqlError> =>
  Effect.asVoid(
    sql`INSERT INTO perdure_completion ${
      sql.insert(Arr.map(ids, (id) => ({ id, workflow_id: workflowId, outcome, value, created_at: at })))
    }`
  )

/** Workflows with completions older than this, some of them, after `after` in their order. */
export const workflowsBefore = (
  sql: SqlClient,
  at: number,
  after: string,
  limit: number
): Effect.Effect<ReadonlyArray<string>, SqlError> =>
  Effect.map(
    sql<{ workflow_id: string }>`
      SELECT DISTINCT workflow_id FROM perdure_completion
      WHERE created_at < ${at} AND workflow_id > ${after} ORDER BY workflow_id LIMIT ${limit}`,
    (rows) => rows.map((row) => row.workflow_id)
  )

export const removeOf = (sql: SqlClient, workflowIds: ReadonlyArray<string>): Effect.Effect<void, SqlError> =>
  Effect.asVoid(sql`DELETE FROM perdure_completion WHERE ${sql.in("workflow_id", workflowIds)}`)
