import { createFunction, readCommitted } from "./function.ts"

/** Columns that an entry of a list has besides what identifies it. */
const eventColumns = "key, n, step_id, value, codec, at"
const entryColumns = "value, codec, step_id, attempt, number, superseded, at"
const attemptColumns = "step_id, attempt, key, name, error, at, retry_at"

/**
 * Makes a workflow of another's records below a step, and of what these wrote.
 *
 * All of it is read and written by one statement, in one snapshot: whatever the source writes or somebody deletes
 * meanwhile, the fork is of one moment. The source's rows are not locked.
 *
 * Numbers: the copied records are numbered anew in the order of theirs, and `asked` counts the copied ones among those
 * that it counted. Copied rows are of epoch 0, which no owner has: nothing that the fork writes is taken for them.
 * Rollbacks are not copied. What a stream has of later steps is left out, so positions are given anew as well.
 *
 * The clock of the body goes on where the copied records are from: it starts when the source's did.
 *
 * Locks: the new workflow's key, waiting.
 */
export const fork = (s: string): string =>
  createFunction({
    name: `${s}.fork_1`,
    parameters: [
      "p_lock_ms integer",
      "p_source text",
      "p_id text",
      "p_token text",
      "p_epoch bigint",
      "p_from integer",
      "p_version text",
      "p_payload text",
      "p_timeout bigint"
    ],
    returns: "TABLE (tag_ text, name_ text, steps_ integer)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint := ${s}.now_ms();
  v_name text;
  v_token text;
  v_steps integer;
BEGIN${readCommitted}
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  WITH records AS MATERIALIZED (
    SELECT t.*, t.step_id < p_from AND t.kind <> 'rollback' AS kept
    FROM ${s}.step t WHERE t.workflow_id = p_source
  ), numbered AS MATERIALIZED (
    SELECT r.*, sum(r.kept::integer) OVER (ORDER BY r.seq) AS number FROM records r
  ), map AS MATERIALIZED (
    SELECT array_agg(n.number ORDER BY n.seq) AS numbers FROM numbered n
  ), source AS MATERIALIZED (
    SELECT w.* FROM ${s}.workflow w WHERE w.workflow_id = p_source AND p_from <= ${stepsOf(s, "p_source")}
  ), forked AS (
    INSERT INTO ${s}.workflow (workflow_id, token, name, version, status, epoch, payload, codec, detached, user_id, roles,
      assumed_role, created_at, started_at, deadline_at, max_recovery_attempts, attributes, forked_from, first_step_id)
    SELECT p_id, p_token, w.name, coalesce(p_version, w.version), 'ENQUEUED', p_epoch, coalesce(p_payload, w.life_payload, w.payload), w.codec,
      false, w.user_id, w.roles, w.assumed_role, v_now,
      CASE WHEN EXISTS (SELECT FROM records r WHERE r.kept) THEN w.started_at END,
      v_now + p_timeout, w.max_recovery_attempts, w.attributes, p_source, w.first_step_id
    FROM source w
    ON CONFLICT (workflow_id) DO NOTHING
    RETURNING workflow_id, name, version, deadline_at
  ), owned AS (
    INSERT INTO ${s}.ownership (workflow_id, name, version, epoch, phase)
    SELECT f.workflow_id, f.name, f.version, p_epoch, 'run' FROM forked f
  ), due AS (
    INSERT INTO ${s}.mailbox (workflow_id, name, version, wake_at)
    SELECT f.workflow_id, f.name, f.version, v_now FROM forked f
  ), timed AS (
    INSERT INTO ${s}.deadline (workflow_id, at)
    SELECT f.workflow_id, f.deadline_at FROM forked f WHERE f.deadline_at IS NOT NULL
  ), labelled AS (
    INSERT INTO ${s}.attribute (workflow_id, key, value)
    SELECT f.workflow_id, a.key, a.value FROM forked f CROSS JOIN LATERAL (
      SELECT * FROM ${s}.attribute a WHERE a.workflow_id = p_source OFFSET 0
    ) a
  ), stepped AS (
    INSERT INTO ${s}.step (workflow_id, step_id, seq, asked, key, name, kind, outcome, value, attempts, started_at, at,
      child_id, rollback, epoch)
    SELECT f.workflow_id, n.step_id, n.number, coalesce(m.numbers[n.asked], 0), n.key, n.name, n.kind, n.outcome, n.value,
      n.attempts, n.started_at, n.at, n.child_id, n.rollback, 0
    FROM forked f CROSS JOIN map m CROSS JOIN numbered n WHERE n.kept
  ), attempted AS (
    INSERT INTO ${s}.attempt (workflow_id, ${attemptColumns}, epoch)
    SELECT f.workflow_id, ${attemptColumns.replaceAll(/\w+/g, "a.$&")}, 0
    FROM forked f CROSS JOIN LATERAL (
      SELECT a.* FROM ${s}.attempt a WHERE a.workflow_id = p_source AND a.step_id < p_from AND EXISTS (
        SELECT FROM ${s}.step t
        WHERE t.workflow_id = a.workflow_id AND t.step_id = a.step_id AND t.kind <> 'rollback'
      )
    ) a
  ), told AS (
    INSERT INTO ${s}.event (workflow_id, ${eventColumns}, epoch)
    SELECT f.workflow_id, ${eventColumns.replaceAll(/\w+/g, "e.$&")}, 0
    FROM forked f CROSS JOIN LATERAL (
      SELECT * FROM ${s}.event e WHERE e.workflow_id = p_source AND e.step_id < p_from OFFSET 0
    ) e
  ), streamed AS (
    INSERT INTO ${s}.stream (workflow_id, key, position, ${entryColumns}, epoch)
    SELECT f.workflow_id, e.key, row_number() OVER (PARTITION BY e.key ORDER BY e.position) - 1,
      ${entryColumns.replaceAll(/\w+/g, "e.$&")}, 0
    FROM forked f CROSS JOIN LATERAL (
      SELECT * FROM ${s}.stream e WHERE e.workflow_id = p_source AND e.step_id < p_from OFFSET 0
    ) e
  )
  SELECT f.name INTO v_name FROM forked f;
  IF v_name IS NOT NULL THEN
    RETURN QUERY SELECT 'Forked', v_name, NULL::integer;
    RETURN;
  END IF;

  -- later snapshot: mine by the token, another's, no such source, no such step, or changed since: again
  SELECT w.name, w.token INTO v_name, v_token FROM ${s}.workflow w WHERE w.workflow_id = p_id;
  IF FOUND THEN
    RETURN QUERY SELECT CASE WHEN v_token = p_token THEN 'Forked' ELSE 'Exists' END, v_name, NULL::integer;
    RETURN;
  END IF;
  PERFORM 1 FROM ${s}.workflow w WHERE w.workflow_id = p_source;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'Unknown', NULL::text, NULL::integer;
    RETURN;
  END IF;
  v_steps := ${stepsOf(s, "p_source")};
  IF p_from <= v_steps THEN
    RAISE EXCEPTION 'the source went on, or the id became free, meanwhile' USING ERRCODE = 'PD002';
  END IF;
  RETURN QUERY SELECT 'NoSuchStep', NULL::text, v_steps;
END`
  })

/** How many steps there are to fork from: up to the last one that is recorded, or has failed attempts. */
const stepsOf = (s: string, id: string): string =>
  `greatest(
      (SELECT coalesce(max(t.step_id) + 1, 0) FROM ${s}.step t WHERE t.workflow_id = ${id} AND t.kind <> 'rollback'),
      (SELECT coalesce(max(a.step_id) + 1, 0) FROM ${s}.attempt a WHERE a.workflow_id = ${id})
    )`
