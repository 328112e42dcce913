import { finish } from "./finish.ts"
import { createFunction, readCommitted } from "./function.ts"
import { lockMailboxesOf } from "./mailboxes.ts"

/** A descendant that was asked for, too, has the reason of those that were. */
const reasonOf = (id: string): string => `CASE WHEN ${id} = ANY (p_ids) THEN p_reason ELSE p_child_reason END`

/**
 * Cancels `p_ids` and, with `p_children`, every child that is not detached, however deep, whatever the state of the
 * workflow between. First all of them are locked, one level after the other: a parent's row is locked before its children
 * are looked for, so none can be added meanwhile, for a child is only ever inserted under its parent's fence. Then all are
 * written at once.
 *
 * Returns a row per workflow that was cancelled, children included, and one per asked id that was not.
 *
 * Invariant: a cancelled workflow's epoch is raised in the same commit, so its owner can write nothing more. With a
 * successful step that declared a rollback it goes on, unowned and due, in phase `compensate`; else it is done.
 *
 * It leaves its queue at once, and its deduplication id is free: rollbacks wait for no turn.
 *
 * Locks, waiting: ownership rows of a level, by id; when all are locked, what belongs to them; then their mailboxes and
 * those of waiters, in one pass by id: while one is held no ownership row is waited for. Two cancels that meet in opposite
 * order are told apart by the lock timeout and tried again.
 */
export const cancel = (s: string): string =>
  createFunction({
    name: `${s}.cancel_1`,
    parameters: ["p_lock_ms integer", "p_ids text[]", "p_reason text", "p_child_reason text", "p_children boolean"],
    returns: "TABLE (id_ text, result_ text, phase_ text, status_ text)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_locked bigint := 0;
  v_found bigint;
  v_count bigint;
  v_level text[];
  v_seen text[];
  v_going text[];
  v_done text[];
  v_both text[];
  v_queued text[];
BEGIN${readCommitted}
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  SELECT coalesce(array_agg(DISTINCT k.id), '{}') INTO v_level FROM unnest(p_ids) k(id);
  v_seen := v_level;
  WHILE cardinality(v_level) > 0 LOOP
    PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = ANY (v_level) ORDER BY o.workflow_id FOR UPDATE;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    v_locked := v_locked + v_count;
    EXIT WHEN NOT p_children;
    -- as sets: each compared with all of an array would cost the square of a wide level
    SELECT coalesce(array_agg(n.id), '{}') INTO v_level
    FROM (
      SELECT w.workflow_id AS id
      FROM unnest(v_level) k(id) CROSS JOIN LATERAL (
        SELECT w.workflow_id FROM ${s}.workflow w WHERE w.parent_id = k.id AND NOT w.detached OFFSET 0
      ) w
      EXCEPT
      SELECT k.id FROM unnest(v_seen) k(id)
    ) n;
    v_seen := v_seen || v_level;
  END LOOP;

  v_now := ${s}.now_ms();
  SELECT count(*), array_agg(o.workflow_id) FILTER (WHERE o.phase = 'run' AND x.rollback),
    array_agg(o.workflow_id) FILTER (WHERE o.phase = 'run' AND NOT x.rollback)
  INTO v_found, v_going, v_done
  FROM unnest(v_seen) k(id)
  CROSS JOIN LATERAL (
    SELECT o.workflow_id, o.phase FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0
  ) o
  CROSS JOIN LATERAL (
    SELECT EXISTS (
      SELECT FROM ${s}.step t WHERE t.workflow_id = k.id AND t.rollback AND t.outcome = 'success' OFFSET 0
    ) AS rollback
  ) x;
  IF v_found > v_locked THEN
    RAISE EXCEPTION 'one that was done has been resumed while others were waited for' USING ERRCODE = 'PD002';
  END IF;
  v_both := v_going || v_done;

  IF v_both IS NOT NULL THEN
    INSERT INTO ${s}.revoked (incarnation, workflow_id, epoch)
    SELECT o.executor, k.id, o.epoch
    FROM unnest(v_both) k(id)
    CROSS JOIN LATERAL (
      SELECT o.executor, o.epoch FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0
    ) o
    WHERE (SELECT e.state FROM ${s}.executor e WHERE e.incarnation = o.executor) = 'alive'
    ORDER BY o.executor, k.id COLLATE "C"
    ON CONFLICT (incarnation, workflow_id) DO UPDATE SET epoch = excluded.epoch;
    DELETE FROM ${s}.waiter x USING (
      SELECT z.tid FROM unnest(v_both) k(id) CROSS JOIN LATERAL (
        SELECT y.ctid AS tid FROM ${s}.waiter y WHERE y.waiter_id = k.id FOR UPDATE SKIP LOCKED
      ) z
    ) d WHERE x.ctid = d.tid;
    DELETE FROM ${s}.deadline d WHERE d.workflow_id = ANY (v_both);
    SELECT array_agg(k.id) INTO v_queued
    FROM unnest(v_both) k(id)
    CROSS JOIN LATERAL (SELECT o.queue FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0) o
    WHERE o.queue > '';
    IF v_queued IS NOT NULL THEN
      PERFORM ${s}.leave_queue_1(v_queued);
    END IF;
${lockMailboxesOf(s, "v_both", "v_done")}
  END IF;

  IF v_going IS NOT NULL THEN
    -- its steps may still run: a living owner ends them first, and says so by a heartbeat; else when its lease ends
    WITH former AS (
      SELECT k.id, e.lease_until
      FROM unnest(v_going) k(id)
      CROSS JOIN LATERAL (
        SELECT o.executor FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0
      ) o
      LEFT JOIN LATERAL (
        SELECT e.lease_until FROM ${s}.executor e WHERE e.incarnation = o.executor AND e.state = 'alive' OFFSET 0
      ) e ON true
    ), o AS (
      UPDATE ${s}.ownership o SET phase = 'compensate', epoch = o.epoch + 1, executor = NULL, blocked = false,
        queue = ''
      WHERE o.workflow_id = ANY (v_going)
      RETURNING o.workflow_id, o.name, o.version
    ), m AS (
      INSERT INTO ${s}.mailbox (workflow_id, name, version, inbox, wake_at)
      SELECT o.workflow_id, o.name, o.version, 1, greatest(v_now, f.lease_until)
      FROM o JOIN former f ON f.id = o.workflow_id
      ON CONFLICT (workflow_id) DO UPDATE SET inbox = mailbox.inbox + 1, wake_at = excluded.wake_at, waits = NULL,
        version = excluded.version, queue = ''
    )
    UPDATE ${s}.workflow w SET status = 'CANCELLED', reason = ${reasonOf("w.workflow_id")}
    WHERE w.workflow_id = ANY (v_going);
  END IF;

  IF v_done IS NOT NULL THEN
${finish(s, "v_done", "'CANCELLED'", reasonOf("k.id"), "o.epoch + 1")}
    PERFORM ${s}.wake_1(v_done, v_now);
  END IF;

  RETURN QUERY
    SELECT k.id, 'cancelled', 'compensate', 'CANCELLED' FROM unnest(v_going) k(id)
    UNION ALL
    SELECT k.id, 'cancelled', 'done', 'CANCELLED' FROM unnest(v_done) k(id);
  RETURN QUERY
    SELECT k.id, CASE WHEN w.status IS NULL THEN 'unknown' ELSE 'done' END, NULL::text, w.status::text
    FROM (SELECT DISTINCT p.id FROM unnest(p_ids) p(id)) k
    LEFT JOIN LATERAL (SELECT w.status FROM ${s}.workflow w WHERE w.workflow_id = k.id OFFSET 0) w ON true
    WHERE v_both IS NULL OR k.id <> ALL (v_both);
END`
  })
