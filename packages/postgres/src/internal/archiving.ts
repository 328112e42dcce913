/** Whole histories, read for an export and written by an import. */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { ArchivedEvent, ArchiveStore, EventPlace, History, StoreError } from "perdure/Store"
import type { Database } from "./database.ts"
import { classify, isSqlError, misconfiguration, toStoreError } from "./errors.ts"

const eventsStatement = (s: string): string => `
  SELECT json_build_object('key', e.key, 'n', e.n, 'stepId', e.step_id, 'value', e.value, 'codec', e.codec, 'at', e.at)::text
  FROM ${s}.event e WHERE e.workflow_id = $1::text AND (e.key, e.n) > ($2::text, $3::bigint)
  ORDER BY e.key, e.n LIMIT $4::integer`

const workflowStatement = (s: string): string => `
  INSERT INTO ${s}.workflow (workflow_id, token, name, version, status, epoch, payload, codec, output, reason, parent_id,
    parent_step_id, detached, user_id, roles, assumed_role, created_at, started_at, completed_at, deadline_at, executor_id,
    recovery_attempts, max_recovery_attempts, queue, priority, partition_key, deduplication_id, attributes, schedule_name,
    scheduled_at, forked_from, trace, continuations, life_payload, first_step_id)
  SELECT x."workflowId", gen_random_uuid()::text, x.name, x.version, x.status, x.epoch, x.payload, x.codec, x.output,
    x.reason, x."parentId", x."parentStepId", x.detached, x."user", x.roles::text, x."assumedRole", x."createdAt",
    x."startedAt", x."completedAt", x."deadlineAt", x."executorId", x."recoveryAttempts", x."maxRecoveryAttempts", x.queue,
    x.priority, x."partitionKey", x."deduplicationId", x.attributes::text, x."scheduleName", x."scheduledAt",
    x."forkedFrom", x.trace, x.continuations, CASE WHEN x.continuations > 0 THEN x.payload END, x."firstStepId"
  FROM json_to_record($1::json) AS x("workflowId" text, name text, version text, status text, epoch bigint, payload text,
    codec text, output text, reason text, "parentId" text, "parentStepId" integer, detached boolean, "user" text,
    roles json, "assumedRole" text, "createdAt" bigint, "startedAt" bigint, "completedAt" bigint, "deadlineAt" bigint,
    "executorId" text, "recoveryAttempts" integer, "maxRecoveryAttempts" integer, queue text, priority integer,
    "partitionKey" text, "deduplicationId" text, attributes json, "scheduleName" text, "scheduledAt" bigint,
    "forkedFrom" text, trace text, continuations integer, "firstStepId" integer)
  ON CONFLICT (workflow_id) DO NOTHING RETURNING 1`

const attributesStatement = (s: string): string => `
  INSERT INTO ${s}.attribute (workflow_id, key, value)
  SELECT $2::text, x.key, x.value FROM json_to_recordset($1::json) AS x(key text, value text)`

const recordsStatement = (s: string): string => `
  INSERT INTO ${s}.step (workflow_id, step_id, seq, asked, key, name, kind, outcome, value, attempts, started_at, at,
    child_id, rollback, epoch)
  SELECT $2::text, x."stepId", x.seq, x.asked, x.key, x.name, x.kind, x.outcome, x.value, x.attempts, x."startedAt", x.at,
    x."childId", x.rollback, $3::bigint
  FROM json_to_recordset($1::json) AS x("stepId" integer, seq integer, asked integer, key text, name text, kind text,
    outcome text, value text, attempts integer, "startedAt" bigint, at bigint, "childId" text, rollback boolean)`

const attemptsStatement = (s: string): string => `
  INSERT INTO ${s}.attempt (workflow_id, step_id, attempt, key, name, error, at, retry_at, epoch)
  SELECT $2::text, x."stepId", x.attempt, x.key, x.name, x.error, x.at, x."retryAt", $3::bigint
  FROM json_to_recordset($1::json) AS x("stepId" integer, attempt integer, key text, name text, error text, at bigint,
    "retryAt" bigint)`

const messagesStatement = (s: string): string => `
  INSERT INTO ${s}.message (workflow_id, seq, message_id, topic, payload, codec, sender_id, sent_at, consumed_by)
  SELECT $2::text, x.seq, x."messageId", x.topic, x.payload, x.codec, x."senderId", x."sentAt", x."consumedBy"
  FROM json_to_recordset($1::json) AS x(seq bigint, "messageId" text, topic text, payload text, codec text,
    "senderId" text, "sentAt" bigint, "consumedBy" integer)`

const eventRowsStatement = (s: string): string => `
  INSERT INTO ${s}.event (workflow_id, key, n, step_id, value, codec, at, epoch)
  SELECT $2::text, x.key, x.n, x."stepId", x.value, x.codec, x.at, $3::bigint
  FROM json_to_recordset($1::json) AS x(key text, n bigint, "stepId" integer, value text, codec text, at bigint)`

/** The position is as good a number as any: it only tells entries of one writer apart. */
const entriesStatement = (s: string): string => `
  INSERT INTO ${s}.stream (workflow_id, key, position, value, codec, step_id, attempt, number, superseded, at, epoch)
  SELECT $2::text, x.key, x."offset", x.value, x.codec, x."stepId", x.attempt, x."offset", x.superseded, x.at, $3::bigint
  FROM json_to_recordset($1::json) AS x(key text, "offset" bigint, value text, codec text, "stepId" integer,
    attempt integer, superseded boolean, at bigint)`

/** As a workflow rests that its code has blocked: its counter goes on after the messages that it has. */
const blockedStatement = (s: string): string => `
  WITH o AS (
    INSERT INTO ${s}.ownership (workflow_id, name, version, epoch, ended_epoch, phase, blocked)
    SELECT w.workflow_id, w.name, w.version, w.epoch, w.epoch, 'run', true FROM ${s}.workflow w WHERE w.workflow_id = $1::text
  )
  INSERT INTO ${s}.mailbox (workflow_id, name, version, inbox)
  SELECT w.workflow_id, w.name, w.version,
    coalesce((SELECT max(m.seq) FROM ${s}.message m WHERE m.workflow_id = w.workflow_id), 0)
  FROM ${s}.workflow w WHERE w.workflow_id = $1::text`

/** A row that the tables refuse is refused again: whoever made it wrote what no release does. */
const failureOf = (error: SqlError): StoreError =>
  classify(error) === "value"
    ? misconfiguration(`${toStoreError(error).message}; a row of the history is not one that this release writes`)
    : toStoreError(error)

/** Rows of one statement. */
const batch = 1000

export const make = (database: Database): ArchiveStore => {
  const s = database.s
  const insert = Effect.fnUntraced(function*(
    connection: PgConnection.PgConnection,
    statement: string,
    rows: ReadonlyArray<object>,
    parameters: ReadonlyArray<string>
  ): Effect.fn.Return<void, SqlError> {
    for (let from = 0; from < rows.length; from += batch) {
      yield* connection.query(statement, [JSON.stringify(rows.slice(from, from + batch)), ...parameters], false)
    }
  })

  /** Locks only rows that it makes; a start of the same id that is under way is waited for. */
  const write = Effect.fnUntraced(function*(
    connection: PgConnection.PgConnection,
    history: History
  ): Effect.fn.Return<boolean, SqlError> {
    const { workflow } = history
    const { workflowId } = workflow
    const epoch = String(workflow.epoch)
    yield* connection.query("BEGIN ISOLATION LEVEL READ COMMITTED", [], false)
    const [row] = yield* connection.queryValues(workflowStatement(s), [JSON.stringify(workflow)], false)
    if (row === undefined) {
      yield* connection.query("ROLLBACK", [], false)
      return false
    }
    const attributes = Object.entries(workflow.attributes).map(([key, value]) => ({
      key,
      value: JSON.stringify(value)
    }))
    yield* insert(connection, attributesStatement(s), attributes, [workflowId])
    yield* insert(connection, recordsStatement(s), history.records, [workflowId, epoch])
    yield* insert(connection, attemptsStatement(s), history.attempts, [workflowId, epoch])
    yield* insert(connection, messagesStatement(s), history.messages, [workflowId])
    const events = history.events.map((event, index) => ({ ...event, n: index + 1 }))
    yield* insert(connection, eventRowsStatement(s), events, [workflowId, epoch])
    yield* insert(connection, entriesStatement(s), history.entries, [workflowId, epoch])
    if (workflow.phase === "run") yield* connection.query(blockedStatement(s), [workflowId], false)
    yield* connection.query("COMMIT", [], false)
    return true
  })

  const putHistory = (history: History): Effect.Effect<boolean, StoreError> =>
    Effect.scoped(
      Effect.flatMap(database.pool.reserve, (connection) =>
        Effect.onError(write(connection, history), () =>
          Effect.ignore(connection.query("ROLLBACK", [], false))))
    ).pipe(
      Effect.mapError((error) =>
        isSqlError(error) ? failureOf(error) : error
      )
    )

  return {
    eventWrites: (workflowId, { after, limit }) =>
      Effect.map(
        database.query(eventsStatement(s), [workflowId, after?.key ?? "", String(after?.n ?? 0), String(limit)]),
        // built by the statement above
        (rows) => rows.map(([json]) => JSON.parse(json as string) as ArchivedEvent & EventPlace)
      ),
    putHistory
  }
}
