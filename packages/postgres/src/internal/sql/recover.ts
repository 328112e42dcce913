import { finish } from "./finish.ts"
import { createFunction, readCommitted } from "./function.ts"
import { lockMailboxesOf } from "./mailboxes.ts"

/** The reason of a dead letter, from `ownership o` and `workflow p`. */
const deadLettered = `json_build_object('_tag', 'DeadLettered', 'attempts', o.attempts, 'detail',
          'its executor was lost ' || o.attempts || ' times without a new record; at most '
          || p.max_recovery_attempts || ' are allowed')::text`

/**
 * Gives back the workflows of executors that are dead or gone, and dead-letters those that have used up their attempts.
 *
 * An executor is dead only once another, committed statement has said so, under the very condition that its heartbeat
 * excludes; so no heartbeat can revive it between that look and this function.
 *
 * What is of a queue waits there again, in its old place; the rest is due at once.
 *
 * An attempt counts from the last new record: progress starts the count again.
 *
 * Locks: ownership rows of gone executors, skipping locked ones; then what belongs to them; then their mailboxes and those
 * of waiters, in one pass by id. A zombie that writes without
 * pause would be skipped for ever, so what was skipped (`held_`) is locked by a second call that waits, by id.
 */
export const recover = (s: string): string =>
  createFunction({
    name: `${s}.recover_1`,
    parameters: ["p_lock_ms integer", "p_limit integer"],
    returns: "TABLE (released_ bigint, dead_ text[], more_ boolean, held_ boolean)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_count bigint;
  v_gone text[];
  v_ids text[];
  v_lost text[];
  v_queued text[];
  v_leaving text[];
BEGIN${readCommitted}
  -- one probe per executor, however many rows each owns
  WITH RECURSIVE d AS (
    (SELECT o.executor FROM ${s}.ownership o WHERE o.executor IS NOT NULL ORDER BY o.executor LIMIT 1)
    UNION ALL
    SELECT (SELECT o.executor FROM ${s}.ownership o WHERE o.executor > d.executor ORDER BY o.executor LIMIT 1)
    FROM d WHERE d.executor IS NOT NULL
  )
  SELECT array_agg(d.executor) INTO v_gone
  FROM d
  WHERE d.executor IS NOT NULL
    AND coalesce((SELECT e.state FROM ${s}.executor e WHERE e.incarnation = d.executor), 'dead') = 'dead';
  IF v_gone IS NULL THEN
    RETURN QUERY SELECT 0::bigint, '{}'::text[], false, false;
    RETURN;
  END IF;

  IF p_lock_ms = 0 THEN
    SELECT array_agg(l.id) INTO v_ids FROM (
      SELECT o.id FROM unnest(v_gone) g(executor)
      CROSS JOIN LATERAL (
        SELECT o.workflow_id AS id FROM ${s}.ownership o
        WHERE o.executor = g.executor ORDER BY o.workflow_id LIMIT p_limit FOR UPDATE SKIP LOCKED
      ) o LIMIT p_limit
    ) l;
  ELSE
    PERFORM set_config('lock_timeout', p_lock_ms::text, true);
    SELECT array_agg(l.id) INTO v_ids FROM (
      SELECT o.workflow_id AS id FROM ${s}.ownership o
      WHERE o.executor = ANY (v_gone) ORDER BY o.workflow_id LIMIT p_limit FOR UPDATE
    ) l;
  END IF;
  IF v_ids IS NULL THEN
    RETURN QUERY SELECT 0::bigint, '{}'::text[], false,
      EXISTS (SELECT FROM ${s}.ownership o WHERE o.executor = ANY (v_gone));
    RETURN;
  END IF;

  v_now := ${s}.now_ms();
  UPDATE ${s}.ownership o SET
    epoch = o.epoch + 1, executor = NULL,
    attempts = CASE WHEN p.progress > o.progress THEN 1 ELSE o.attempts + 1 END,
    progress = greatest(o.progress, p.progress)
  FROM (
    SELECT q.tid, c.progress FROM unnest(v_ids) k(id)
    CROSS JOIN LATERAL (
      SELECT q.ctid AS tid FROM ${s}.ownership q WHERE q.workflow_id = k.id OFFSET 0
    ) q
    CROSS JOIN LATERAL (
      SELECT count(*) AS progress FROM ${s}.step t WHERE t.workflow_id = k.id
    ) c
  ) p
  WHERE o.ctid = p.tid;

  SELECT array_agg(k.id) INTO v_lost
  FROM unnest(v_ids) k(id)
  CROSS JOIN LATERAL (
    SELECT o.phase, o.attempts FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0
  ) o
  CROSS JOIN LATERAL (
    SELECT w.max_recovery_attempts FROM ${s}.workflow w WHERE w.workflow_id = k.id OFFSET 0
  ) w
  WHERE o.phase = 'run' AND o.attempts > w.max_recovery_attempts;

  SELECT array_agg(o.workflow_id) FILTER (WHERE v_lost IS NULL OR o.workflow_id <> ALL (v_lost)),
    array_agg(o.workflow_id) FILTER (WHERE o.workflow_id = ANY (v_lost))
  INTO v_queued, v_leaving
  FROM ${s}.ownership o WHERE o.workflow_id = ANY (v_ids) AND o.queue > '';
  IF v_queued IS NOT NULL THEN
    PERFORM ${s}.move_items_1(v_queued, 'waiting');
  END IF;
  IF v_leaving IS NOT NULL THEN
    PERFORM ${s}.leave_queue_1(v_leaving);
  END IF;${lockMailboxesOf(s, "v_ids", "v_lost")}
  INSERT INTO ${s}.mailbox (workflow_id, name, version, wake_at)
  SELECT o.workflow_id, o.name, o.version, v_now
  FROM ${s}.ownership o
  WHERE o.workflow_id = ANY (v_ids) AND o.queue = '' AND (v_lost IS NULL OR o.workflow_id <> ALL (v_lost))
  ORDER BY o.workflow_id
  ON CONFLICT (workflow_id) DO UPDATE SET wake_at = excluded.wake_at, waits = NULL, version = excluded.version;

  IF v_lost IS NOT NULL THEN
${finish(s, "v_lost", "'DEAD_LETTER'", deadLettered, "o.epoch")}
    PERFORM ${s}.wake_1(v_lost, v_now);
  END IF;
  RETURN QUERY SELECT cardinality(v_ids) - coalesce(cardinality(v_lost), 0)::bigint, coalesce(v_lost, '{}'),
    cardinality(v_ids) >= p_limit, EXISTS (SELECT FROM ${s}.ownership o WHERE o.executor = ANY (v_gone));
END`
  })

/**
 * Cancels what has passed its deadline, oldest first, with its children.
 *
 * Locks: ownership rows, skipping locked ones, which a second call then waits for; then as `cancel_1`.
 */
export const expire = (s: string): string =>
  createFunction({
    name: `${s}.expire_1`,
    parameters: ["p_wait boolean", "p_lock_ms integer", "p_limit integer", "p_reason text", "p_child_reason text"],
    returns: "TABLE (ids_ text[], more_ boolean, held_ boolean)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint := ${s}.now_ms();
  v_due text[];
  v_ids text[];
  v_expired text[];
  v_held boolean := false;
BEGIN${readCommitted}
  SELECT array_agg(d.workflow_id) INTO v_due FROM (
    SELECT d.workflow_id FROM ${s}.deadline d WHERE d.at <= v_now ORDER BY d.at, d.workflow_id LIMIT p_limit
  ) d;
  IF v_due IS NULL THEN
    RETURN QUERY SELECT '{}'::text[], false, false;
    RETURN;
  END IF;
  IF p_wait THEN
    v_ids := v_due;
    PERFORM set_config('lock_timeout', p_lock_ms::text, true);
    PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = ANY (v_due) ORDER BY o.workflow_id FOR UPDATE;
  ELSE
    SELECT array_agg(l.id) INTO v_ids FROM (
      SELECT k.id FROM unnest(v_due) k(id)
      CROSS JOIN LATERAL (
        SELECT 1 FROM ${s}.ownership o WHERE o.workflow_id = k.id FOR UPDATE SKIP LOCKED
      ) o
    ) l;
    v_held := coalesce(cardinality(v_ids), 0) < cardinality(v_due);
    -- a child goes with its parent, or the parent would be told of its end before its own
    IF v_held THEN
      SELECT array_agg(k.id) INTO v_ids FROM unnest(v_ids) k(id)
      CROSS JOIN LATERAL (
        SELECT w.parent_id, w.detached FROM ${s}.workflow w WHERE w.workflow_id = k.id OFFSET 0
      ) w
      WHERE w.parent_id IS NULL OR w.detached OR w.parent_id <> ALL (v_due) OR w.parent_id = ANY (v_ids);
    END IF;
  END IF;
  -- done, or resumed without it, since the look
  SELECT array_agg(d.workflow_id) INTO v_ids
  FROM ${s}.deadline d WHERE d.workflow_id = ANY (v_ids) AND d.at <= v_now;
  IF v_ids IS NOT NULL THEN
    SELECT array_agg(c.id_) INTO v_expired
    FROM ${s}.cancel_1(p_lock_ms, v_ids, p_reason, p_child_reason, true) c WHERE c.result_ = 'cancelled';
  END IF;
  RETURN QUERY SELECT coalesce(v_expired, '{}'), v_ids IS NOT NULL AND cardinality(v_due) >= p_limit,
    v_held;
END`
  })

/**
 * Gives back what an executor that leaves still owns: due at once, or waiting in its queue; no attempt counted.
 *
 * Locks: its ownership rows, skipping locked ones; then, as a flush that may hold these FOR KEY SHARE (`mailboxes.ts`), the
 * mailboxes that are not there yet, by id, and only then those that are, by id.
 */
export const release = (s: string): string =>
  createFunction({
    name: `${s}.release_1`,
    parameters: ["p_incarnation text", "p_limit integer"],
    returns: "TABLE (released_ integer, left_ boolean)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_ids text[];
  v_queued text[];
BEGIN${readCommitted}
  SELECT array_agg(o.id) INTO v_ids FROM (
    SELECT o.workflow_id AS id FROM ${s}.ownership o
    WHERE o.executor = p_incarnation ORDER BY o.workflow_id LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
  ) o;
  IF v_ids IS NOT NULL THEN
    v_now := ${s}.now_ms();
    SELECT array_agg(o.workflow_id) INTO v_queued
    FROM ${s}.ownership o WHERE o.workflow_id = ANY (v_ids) AND o.queue > '';
    IF v_queued IS NOT NULL THEN
      PERFORM ${s}.move_items_1(v_queued, 'waiting');
    END IF;
    -- whoever gives one of them its first mailbox meanwhile may want the others' next: waited for while none is locked
    INSERT INTO ${s}.mailbox (workflow_id, name, version)
    SELECT o.workflow_id, o.name, o.version
    FROM ${s}.ownership o WHERE o.workflow_id = ANY (v_ids) AND o.queue = '' ORDER BY o.workflow_id
    ON CONFLICT (workflow_id) DO NOTHING;
    WITH o AS (
      UPDATE ${s}.ownership o SET epoch = o.epoch + 1, executor = NULL
      WHERE o.workflow_id = ANY (v_ids)
      RETURNING o.workflow_id, o.name, o.version, o.queue
    )
    INSERT INTO ${s}.mailbox (workflow_id, name, version, wake_at)
    SELECT o.workflow_id, o.name, o.version, v_now FROM o WHERE o.queue = '' ORDER BY o.workflow_id
    ON CONFLICT (workflow_id) DO UPDATE SET wake_at = excluded.wake_at, waits = NULL, version = excluded.version;
  END IF;
  RETURN QUERY SELECT coalesce(cardinality(v_ids), 0),
    EXISTS (SELECT FROM ${s}.ownership o WHERE o.executor = p_incarnation);
END`
  })
