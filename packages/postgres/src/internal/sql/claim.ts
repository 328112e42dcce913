import { createFunction, readCommitted } from "./function.ts"
import { attemptRecord, stepRecord, workflowRow } from "./rows.ts"

/** A page of history: at most this many records, and no more after this many bytes of values. */
const pageRecords = 1000
const pageBytes = 8_000_000

/**
 * One page of records and attempts after `p_after`, as JSON. Attempts come with the page that their step id falls in.
 * Reads only: after a claim no older epoch can write any more, so later pages need no lock.
 */
export const history = (s: string): string =>
  createFunction({
    name: `${s}.history_1`,
    parameters: ["p_id text", "p_after integer"],
    returns: "json",
    volatility: "STABLE",
    body: `
#variable_conflict use_column
DECLARE
  v_records json;
  v_attempts json;
  v_last integer;
  v_taken bigint;
  v_found bigint;
BEGIN
  WITH p AS MATERIALIZED (
    SELECT q.*, count(*) OVER w AS rank, sum(octet_length(q.value)) OVER w - octet_length(q.value) AS before
    FROM (
      SELECT * FROM ${s}.step WHERE workflow_id = p_id AND step_id > p_after ORDER BY step_id LIMIT ${pageRecords + 1}
    ) q WINDOW w AS (ORDER BY q.step_id)
  ), t AS (
    SELECT * FROM p WHERE p.rank <= ${pageRecords} AND p.before < ${pageBytes}
  )
  SELECT (SELECT count(*) FROM p), count(*), max(t.step_id),
    coalesce(json_agg(${stepRecord} ORDER BY t.step_id), '[]')
  INTO v_found, v_taken, v_last, v_records FROM t;
  SELECT coalesce(json_agg(${attemptRecord} ORDER BY a.step_id, a.attempt), '[]') INTO v_attempts
  FROM ${s}.attempt a
  WHERE a.workflow_id = p_id AND a.step_id > p_after AND (v_taken = v_found OR a.step_id <= v_last);
  RETURN json_build_object('records', v_records, 'attempts', v_attempts, 'more', v_taken < v_found);
END`
  })

/**
 * Takes due workflows: oldest first over one probe per served name and version, so rows that nobody here can run never
 * stand in the way.
 *
 * The epoch is raised in one statement and the history read in a later one: a flush that committed in between is seen.
 * A lapsed, dead or unknown incarnation takes nothing; its row is read, never locked.
 *
 * Locks: ownership rows in due order, skipping locked ones, only as many as are taken; then their mailbox rows, by id,
 * waiting; then their workflow rows; their waiter rows, skipping.
 */
export const claim = (s: string): string =>
  createFunction({
    name: `${s}.claim_1`,
    parameters: ["p_incarnation text", "p_names text[]", "p_versions text[]", "p_limit integer"],
    returns: "TABLE (now_ bigint, next_ bigint, claimed_ json)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint := ${s}.now_ms();
  v_next bigint;
  v_executor text;
  v_ids text[];
BEGIN${readCommitted}
  SELECT e.executor_id INTO v_executor
  FROM ${s}.executor e WHERE e.incarnation = p_incarnation AND e.state = 'alive' AND e.lease_until > v_now;

  IF v_executor IS NOT NULL THEN
    SELECT array_agg(l.id) INTO v_ids FROM (
      SELECT c.workflow_id AS id
      FROM (
        SELECT d.workflow_id, d.wake_at
        FROM (SELECT DISTINCT p.name, p.version FROM unnest(p_names, p_versions) AS p(name, version)) p
        CROSS JOIN LATERAL (
          SELECT m.workflow_id, m.wake_at FROM ${s}.mailbox m
          WHERE m.queue = '' AND m.name = p.name AND m.version = p.version AND m.wake_at IS NOT NULL AND m.wake_at <= v_now
          ORDER BY m.wake_at, m.workflow_id LIMIT p_limit * 4 + 16
        ) d
        ORDER BY d.wake_at, d.workflow_id
      ) c
      CROSS JOIN LATERAL (
        SELECT o.workflow_id FROM ${s}.ownership o
        WHERE o.workflow_id = c.workflow_id AND o.executor IS NULL FOR NO KEY UPDATE SKIP LOCKED
      ) o
      LIMIT p_limit
    ) l;
  END IF;

  IF v_ids IS NOT NULL THEN
    -- claimed and suspended again since the probe: its mailbox tells. Waited for: one that gets messages without end would
    -- be skipped without end, and who holds a mailbox waits for nothing that is locked here
    PERFORM set_config('lock_timeout', '1000', true);
    SELECT array_agg(k.id ORDER BY k.n) INTO v_ids
    FROM (
      SELECT u.id, u.n FROM unnest(v_ids) WITH ORDINALITY u(id, n) ORDER BY u.id COLLATE "C"
    ) k
    CROSS JOIN LATERAL (
      SELECT 1 FROM ${s}.mailbox m
      WHERE m.workflow_id = k.id AND m.wake_at <= v_now FOR NO KEY UPDATE
    ) m;
  END IF;

  IF v_ids IS NOT NULL THEN
    UPDATE ${s}.mailbox m SET wake_at = NULL, waits = NULL WHERE m.workflow_id = ANY (v_ids);
    UPDATE ${s}.ownership o SET epoch = o.epoch + 1, executor = p_incarnation, undoing = o.phase = 'compensate'
    WHERE o.workflow_id = ANY (v_ids);
    UPDATE ${s}.workflow w SET
      status = CASE WHEN w.status IN ('ENQUEUED', 'DELAYED') THEN 'PENDING' ELSE w.status END,
      started_at = coalesce(w.started_at, v_now), executor_id = v_executor
    WHERE w.workflow_id = ANY (v_ids)
      AND (w.status IN ('ENQUEUED', 'DELAYED') OR w.started_at IS NULL OR w.executor_id IS DISTINCT FROM v_executor);
    DELETE FROM ${s}.waiter x USING (
      SELECT z.tid FROM unnest(v_ids) k(id) CROSS JOIN LATERAL (
        SELECT y.ctid AS tid FROM ${s}.waiter y WHERE y.waiter_id = k.id FOR UPDATE SKIP LOCKED
      ) z
    ) d WHERE x.ctid = d.tid;
    -- what it lost before and has again is not lost
    DELETE FROM ${s}.revoked r WHERE r.incarnation = p_incarnation AND r.workflow_id = ANY (v_ids);
  END IF;

  SELECT min(d.wake_at) INTO v_next
  FROM (SELECT DISTINCT p.name, p.version FROM unnest(p_names, p_versions) AS p(name, version)) p
  CROSS JOIN LATERAL (
    SELECT m.wake_at FROM ${s}.mailbox m
    WHERE m.queue = '' AND m.name = p.name AND m.version = p.version AND m.wake_at IS NOT NULL
    ORDER BY m.wake_at, m.workflow_id LIMIT 1
  ) d;

  IF v_ids IS NULL THEN
    RETURN QUERY SELECT v_now, v_next, NULL::json;
  ELSE
    RETURN QUERY
      SELECT v_now, v_next, json_build_object('row', ${workflowRow(s)}, 'inbox', coalesce(m.inbox, 0),
        'page', ${s}.history_1(k.id, -1))
      FROM unnest(v_ids) WITH ORDINALITY k(id, n)
      CROSS JOIN LATERAL (SELECT * FROM ${s}.workflow w WHERE w.workflow_id = k.id OFFSET 0) w
      CROSS JOIN LATERAL (SELECT * FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0) o
      LEFT JOIN LATERAL (SELECT * FROM ${s}.mailbox m WHERE m.workflow_id = k.id OFFSET 0) m ON true
      ORDER BY k.n;
  END IF;
END`
  })
