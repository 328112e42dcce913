/** Executors: joining, the lease, leaving. Everything here is one autocommit statement per call, pooler or not. */
import * as Effect from "effect/Effect"
import type { ExecutorInfo, ExecutorRow, Heartbeat, Revoked, Served, StoreError } from "perdure/Store"
import type { Database } from "./database.ts"
import { executorsStatement, serveStatement } from "./sql/executors.ts"
import { latestVersion, registerVersion } from "./sql/versions.ts"

const leaveBatch = 500
/** How often a departing executor comes back in vain for rows that somebody held: then recovery finds them. */
const leaveRounds = 50

/**
 * Locks: the executor's own row, which nothing else locks but the sweep that declares it dead. An incarnation that
 * lapsed is never revived, not by joining again either.
 */
const joinStatement = (s: string): string => `
  WITH n AS MATERIALIZED (SELECT ${s}.now_ms() AS now), j AS (
    INSERT INTO ${s}.executor AS e (incarnation, executor_id, version, lease_until)
    SELECT $1::text, $2::text, $3::text, n.now + $4::bigint FROM n
    ON CONFLICT (incarnation) DO UPDATE SET lease_until = excluded.lease_until
    WHERE e.state = 'alive' AND e.lease_until > (SELECT n.now FROM n)
  ), v AS (
    ${registerVersion(s, "$3::text")}
  )
  SELECT n.now FROM n`

/**
 * What ran of the losses `d` has been interrupted: the cancelled among them are due for their rollbacks, unless somebody
 * has had them since. Mailbox rows that somebody holds are skipped: they are due with the former owner's lease anyway.
 */
const ended = (s: string): string =>
  `ended AS (
    UPDATE ${s}.mailbox m SET wake_at = f.now FROM (
      SELECT x.workflow_id, n.now FROM d CROSS JOIN n
      CROSS JOIN LATERAL (
        SELECT o.workflow_id FROM ${s}.ownership o
        WHERE o.workflow_id = d.workflow_id AND o.epoch = d.epoch + 1 AND o.phase = 'compensate'
          AND o.executor IS NULL AND NOT o.blocked OFFSET 0
      ) o
      CROSS JOIN LATERAL (
        SELECT m.workflow_id FROM ${s}.mailbox m
        WHERE m.workflow_id = o.workflow_id AND m.wake_at > n.now AND m.waits IS NULL
        FOR NO KEY UPDATE SKIP LOCKED
      ) x
    ) f WHERE m.workflow_id = f.workflow_id
  )`

/**
 * Renews the lease where it has not lapsed; forgets the losses of which the caller says that they have ended, and reads the
 * others.
 */
const heartbeatStatement = (s: string): string => `
  WITH n AS MATERIALIZED (SELECT ${s}.now_ms() AS now), h AS (
    UPDATE ${s}.executor e SET lease_until = n.now + $2::bigint FROM n
    WHERE e.incarnation = $1::text AND e.state = 'alive' AND e.lease_until > n.now
    RETURNING 1
  ), told AS (
    SELECT * FROM unnest($3::text[], $4::text[]) AS t(workflow_id, epoch)
  ), d AS (
    DELETE FROM ${s}.revoked r USING told t
    WHERE r.incarnation = $1::text AND r.workflow_id = t.workflow_id AND r.epoch = t.epoch::bigint
    RETURNING r.workflow_id, r.epoch
  ), ${ended(s)}
  SELECT n.now, EXISTS (SELECT FROM h), (
    SELECT coalesce(json_agg(json_build_object('workflowId', r.workflow_id, 'epoch', r.epoch)), '[]')::text
    FROM ${s}.revoked r
    WHERE r.incarnation = $1::text AND NOT EXISTS (
      SELECT FROM told t WHERE t.workflow_id = r.workflow_id AND t.epoch::bigint = r.epoch
    )
  ), ${latestVersion(s)} FROM n`

/** Their processes have ended. With the sweep's own word for it: of this and a heartbeat exactly one succeeds. */
const endedStatement = (s: string): string => `
  WITH l AS (
    UPDATE ${s}.executor e SET state = 'dead', lease_until = least(e.lease_until, n.now)
    FROM (SELECT ${s}.now_ms() AS now OFFSET 0) n
    WHERE e.incarnation = ANY ($1::text[]) AND e.state <> 'dead'
  )
  SELECT e.incarnation FROM ${s}.executor e WHERE e.incarnation = ANY ($1::text[])`

/** Who has said farewell has so long to give everything back. */
const leavingMs = 10_000

/**
 * From here on neither a heartbeat nor a claim of this incarnation succeeds. It is not dead while its lease lasts, so no
 * sweep counts an attempt for what it is about to give back; dying on the way, it lapses like any other, and soon: it
 * needs its lease no more.
 */
const farewellStatement = (s: string): string => `
  UPDATE ${s}.executor e SET state = 'leaving', lease_until = least(e.lease_until, n.now + ${leavingMs})
  FROM (SELECT ${s}.now_ms() AS now OFFSET 0) n WHERE e.incarnation = $1::text AND e.state = 'alive'`

/** Its lease is over. The row stays for people to see, until the sweep forgets it, as it does with all that have lapsed. */
const endStatement = (s: string): string => `
  WITH n AS MATERIALIZED (SELECT ${s}.now_ms() AS now), d AS (
    DELETE FROM ${s}.revoked r WHERE r.incarnation = $1::text RETURNING r.workflow_id, r.epoch
  ), ${ended(s)}
  UPDATE ${s}.executor e SET state = 'dead', lease_until = least(e.lease_until, n.now) FROM n
  WHERE e.incarnation = $1::text`

export const make = (database: Database, pulse: Database) => {
  const s = database.s
  const joinSql = joinStatement(s)
  const heartbeatSql = heartbeatStatement(s)
  const endedSql = endedStatement(s)
  const serveSql = serveStatement(s)
  const executorsSql = executorsStatement(s)

  const join = (executor: ExecutorInfo, leaseMs: number): Effect.Effect<number, StoreError> =>
    Effect.map(
      database.query(joinSql, [
        executor.incarnation,
        executor.executorId,
        executor.version,
        String(Math.round(leaseMs))
      ]),
      (rows) => Number(rows[0]![0])
    )

  const heartbeat = (
    incarnation: string,
    leaseMs: number,
    ended: ReadonlyArray<Revoked>
  ): Effect.Effect<Heartbeat, StoreError> =>
    Effect.map(
      pulse.query(heartbeatSql, [
        incarnation,
        String(Math.round(leaseMs)),
        ended.map(({ workflowId }) => workflowId),
        ended.map(({ epoch }) => String(epoch))
      ]),
      (rows) => {
        const [now, alive, revoked, latest] = rows[0]!
        return {
          now: Number(now),
          latestVersion: latest as string,
          alive: alive === true,
          // built by the statement above
          revoked: JSON.parse(revoked as string) as ReadonlyArray<Revoked>
        }
      }
    )

  const lapse = (incarnations: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, StoreError> =>
    Effect.map(database.query(endedSql, [incarnations]), (rows) => rows.map(([incarnation]) => incarnation as string))

  const leave = (incarnation: string): Effect.Effect<void, StoreError> =>
    Effect.gen(function*() {
      yield* database.query(farewellStatement(s), [incarnation])
      for (let vain = 0; vain < leaveRounds;) {
        const rows = yield* database.query(
          `SELECT released_, left_ FROM ${s}.release_1($1::text, $2::integer)`,
          [incarnation, leaveBatch]
        )
        const [released, left] = rows[0]!
        if (left !== true) break
        if (Number(released) > 0) continue
        vain++
        yield* Effect.sleep(20)
      }
      yield* database.query(endStatement(s), [incarnation])
    })

  const serve = (
    incarnation: string,
    served: ReadonlyArray<Served>,
    queues: ReadonlyArray<string> | null
  ): Effect.Effect<void, StoreError> =>
    Effect.asVoid(database.query(serveSql, [
      incarnation,
      JSON.stringify(served.map(({ name, version }) => ({ name, version }))),
      queues === null ? null : JSON.stringify(queues)
    ]))

  const executors: Effect.Effect<ReadonlyArray<ExecutorRow>, StoreError> = Effect.map(
    database.query(executorsSql),
    (rows) =>
      rows.map(([incarnation, executorId, version, state, leaseUntil, owned, served, queues]) => ({
        incarnation: incarnation as string,
        executorId: executorId as string,
        version: version as string,
        state: state as ExecutorRow["state"],
        leaseUntil: Number(leaseUntil),
        owned: Number(owned),
        // written by `serve`
        served: JSON.parse(served as string) as ReadonlyArray<Served>,
        queues: queues === null ? null : JSON.parse(queues as string) as ReadonlyArray<string>
      }))
  )

  return { join, heartbeat, lapse, leave, serve, executors }
}
