import { createFunction, readCommitted } from "./function.ts"

/**
 * Cancels `p_ids` and, with `p_children`, every child that is not detached, however deep, whatever the state of the
 * workflow between. One level after the other: a parent's row is locked before its children are looked for, so none
 * can be added meanwhile, for a child is only ever inserted under its parent's fence.
 *
 * Returns a row per workflow that was cancelled (`asked_` false: as a child), and one per asked id that was not.
 *
 * Invariant: a cancelled workflow's epoch is raised in the same commit, so its owner can write nothing more. With a
 * successful step that declared a rollback it goes on, unowned and due, in phase `compensate`; else it is done.
 *
 * Locks, waiting: ownership rows of a level, by id; then the rows that belong to them; then waiters' mailboxes by id.
 * Two cancels that meet in opposite order are told apart by the lock timeout and tried again.
 */
export const cancel = (s: string): string =>
  createFunction({
    name: `${s}.cancel_1`,
    parameters: ["p_lock_ms integer", "p_ids text[]", "p_reason text", "p_child_reason text", "p_children boolean"],
    returns: "TABLE (id_ text, asked_ boolean, result_ text, phase_ text, status_ text)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_reason text := p_reason;
  v_level text[];
  v_seen text[];
  v_going text[];
  v_done text[];
  v_all_going text[] := '{}';
  v_all_done text[] := '{}';
BEGIN${readCommitted}
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  SELECT coalesce(array_agg(DISTINCT k.id), '{}') INTO v_level FROM unnest(p_ids) k(id);
  v_seen := v_level;
  WHILE cardinality(v_level) > 0 LOOP
    PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = ANY (v_level) ORDER BY o.workflow_id FOR UPDATE;
    v_now := ${s}.now_ms();
    SELECT array_agg(o.workflow_id) FILTER (WHERE x.rollback), array_agg(o.workflow_id) FILTER (WHERE NOT x.rollback)
    INTO v_going, v_done
    FROM unnest(v_level) k(id)
    JOIN ${s}.ownership o ON o.workflow_id = k.id
    CROSS JOIN LATERAL (
      SELECT EXISTS (
        SELECT FROM ${s}.step t WHERE t.workflow_id = o.workflow_id AND t.rollback AND t.outcome = 'success'
      ) AS rollback
    ) x
    WHERE o.phase = 'run';

    INSERT INTO ${s}.revoked (incarnation, workflow_id, epoch)
    SELECT o.executor, o.workflow_id, o.epoch
    FROM unnest(v_going || v_done) k(id)
    JOIN ${s}.ownership o ON o.workflow_id = k.id
    JOIN ${s}.executor e ON e.incarnation = o.executor
    WHERE e.state = 'alive'
    ORDER BY o.executor, o.workflow_id
    ON CONFLICT (incarnation, workflow_id) DO UPDATE SET epoch = excluded.epoch;

    IF v_going || v_done IS NOT NULL THEN
      DELETE FROM ${s}.waiter x USING (
        SELECT z.target_id, z.waiter_id FROM unnest(v_going || v_done) k(id)
        CROSS JOIN LATERAL (
          SELECT y.target_id, y.waiter_id FROM ${s}.waiter y WHERE y.waiter_id = k.id FOR UPDATE SKIP LOCKED
        ) z
      ) d WHERE x.target_id = d.target_id AND x.waiter_id = d.waiter_id;
      DELETE FROM ${s}.deadline d USING unnest(v_going || v_done) k(id) WHERE d.workflow_id = k.id;
    END IF;

    IF v_going IS NOT NULL THEN
      WITH o AS (
        UPDATE ${s}.ownership o SET phase = 'compensate', epoch = o.epoch + 1, executor = NULL, blocked = false
        FROM unnest(v_going) k(id) WHERE o.workflow_id = k.id
        RETURNING o.workflow_id, o.name, o.version
      ), m AS (
        INSERT INTO ${s}.mailbox (workflow_id, name, version, inbox, wake_at)
        SELECT o.workflow_id, o.name, o.version, 1, v_now FROM o
        ON CONFLICT (workflow_id) DO UPDATE SET inbox = mailbox.inbox + 1, wake_at = v_now, waits = NULL
      )
      UPDATE ${s}.workflow w SET status = 'CANCELLED', reason = v_reason
      FROM o WHERE w.workflow_id = o.workflow_id;
      v_all_going := v_all_going || v_going;
    END IF;

    IF v_done IS NOT NULL THEN
      WITH o AS (
        DELETE FROM ${s}.ownership o USING unnest(v_done) k(id) WHERE o.workflow_id = k.id
        RETURNING o.workflow_id, o.epoch, o.ended_epoch, o.attempts
      ), m AS (
        DELETE FROM ${s}.mailbox m USING unnest(v_done) k(id) WHERE m.workflow_id = k.id
      )
      UPDATE ${s}.workflow w SET status = 'CANCELLED', reason = v_reason, completed_at = v_now, epoch = o.epoch + 1,
        ended_epoch = greatest(w.ended_epoch, o.ended_epoch), recovery_attempts = o.attempts
      FROM o WHERE w.workflow_id = o.workflow_id;
      PERFORM ${s}.wake_1(v_done, v_now);
      v_all_done := v_all_done || v_done;
    END IF;

    EXIT WHEN NOT p_children;
    SELECT coalesce(array_agg(w.workflow_id), '{}') INTO v_level
    FROM unnest(v_level) k(id) JOIN ${s}.workflow w ON w.parent_id = k.id
    WHERE NOT w.detached AND w.workflow_id <> ALL (v_seen);
    v_seen := v_seen || v_level;
    v_reason := p_child_reason;
  END LOOP;

  RETURN QUERY
    SELECT k.id, k.id = ANY (p_ids), 'cancelled', 'compensate', 'CANCELLED' FROM unnest(v_all_going) k(id)
    UNION ALL
    SELECT k.id, k.id = ANY (p_ids), 'cancelled', 'done', 'CANCELLED' FROM unnest(v_all_done) k(id);
  RETURN QUERY
    SELECT k.id, true, CASE WHEN w.workflow_id IS NULL THEN 'unknown' ELSE 'done' END, NULL::text, w.status::text
    FROM (SELECT DISTINCT p.id FROM unnest(p_ids) p(id)) k
    LEFT JOIN ${s}.workflow w ON w.workflow_id = k.id
    WHERE k.id <> ALL (v_all_going) AND k.id <> ALL (v_all_done);
END`
  })
