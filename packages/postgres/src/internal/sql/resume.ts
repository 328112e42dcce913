import { ageing, rank } from "./enqueue.ts"
import { createFunction, readCommitted } from "./function.ts"

/**
 * Makes cancelled (uncompensated), dead-lettered and blocked workflows due again, under a raised epoch.
 *
 * Invariant: a cancelled workflow with a record of a rollback, or that somebody has claimed for its rollbacks, is never run
 * again, for its records may no longer describe the world. One that is blocked among its rollbacks goes on with them; so
 * does, by its body, one that had failed and was rolling back when it was blocked or given up.
 *
 * Invariant: what was taken from a living executor that has not said that it has ended is `held`: it may still run there.
 * Who lives is for another statement to say, before this one: of that and a heartbeat exactly one succeeds.
 *
 * One that was enqueued waits in its queue again, under its deduplication id. One that was debounced has none: others are
 * debounced under it. One whose queue is gone is due like one that never had any.
 *
 * Locks, waiting: the ownership rows that there are, by id, so that none is waited for while a mailbox is held; then workflow
 * after workflow by id the workflow row, and only then looks (last the key of its deduplication id): of two resumes the second
 * finds the first's work.
 */
export const resume = (s: string): string =>
  createFunction({
    name: `${s}.resume_1`,
    parameters: ["p_lock_ms integer", "p_ids text[]"],
    returns: "TABLE (id_ text, result_ text, status_ text, holder_ text)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_id text;
  v_status text;
  v_locked boolean;
  v_owned boolean;
  v_blocked boolean;
  v_phase text;
  v_undoing boolean;
  v_deadline bigint;
  v_queue text;
  v_deduplication text;
  v_holder text;
BEGIN${readCommitted}
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = ANY (p_ids) ORDER BY o.workflow_id FOR UPDATE;
  FOR v_id IN SELECT DISTINCT k.id COLLATE "C" FROM unnest(p_ids) k(id) ORDER BY 1 LOOP
    PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = v_id FOR UPDATE;
    v_locked := FOUND;
    PERFORM 1 FROM ${s}.workflow w WHERE w.workflow_id = v_id FOR NO KEY UPDATE;
    v_now := ${s}.now_ms();
    SELECT w.status, o.workflow_id IS NOT NULL, o.blocked, o.phase, o.undoing, w.deadline_at, coalesce(q.name, ''),
      CASE WHEN q.name IS NOT NULL AND NOT w.debounced THEN w.deduplication_id END
    INTO v_status, v_owned, v_blocked, v_phase, v_undoing, v_deadline, v_queue, v_deduplication
    FROM ${s}.workflow w
    LEFT JOIN ${s}.ownership o ON o.workflow_id = w.workflow_id
    LEFT JOIN ${s}.queue q ON q.name = w.queue
    WHERE w.workflow_id = v_id;
    IF NOT FOUND THEN
      RETURN QUERY SELECT v_id, 'unknown', NULL::text, NULL::text;
      CONTINUE;
    END IF;
    IF v_owned AND NOT v_locked THEN
      RAISE EXCEPTION 'resumed elsewhere meanwhile' USING ERRCODE = 'PD002';
    END IF;
    IF v_blocked AND v_phase = 'compensate' THEN
      -- goes on with its rollbacks, its status and reason kept
      UPDATE ${s}.ownership o SET epoch = o.epoch + 1, attempts = 0, blocked = false WHERE o.workflow_id = v_id;
      UPDATE ${s}.mailbox m SET wake_at = v_now, waits = NULL WHERE m.workflow_id = v_id;
      RETURN QUERY SELECT v_id, 'resumed', v_status, NULL::text;
      CONTINUE;
    END IF;
    IF v_status NOT IN ('CANCELLED', 'DEAD_LETTER', 'BLOCKED') THEN
      RETURN QUERY SELECT v_id, 'refused', v_status, NULL::text;
      CONTINUE;
    END IF;
    IF v_status = 'CANCELLED' AND EXISTS (
      SELECT FROM ${s}.step t WHERE t.workflow_id = v_id AND t.kind = 'rollback' OFFSET 0
    ) THEN
      RETURN QUERY SELECT v_id, 'compensated', v_status, NULL::text;
      CONTINUE;
    END IF;
    IF v_undoing THEN
      -- somebody is at its rollbacks, or was when it lost its lease: one may have run that nobody has recorded
      RETURN QUERY SELECT v_id, 'refused', v_status, NULL::text;
      CONTINUE;
    END IF;
    IF v_status <> 'BLOCKED' AND EXISTS (
      SELECT FROM ${s}.executor e CROSS JOIN LATERAL (
        SELECT FROM ${s}.revoked r WHERE r.incarnation = e.incarnation AND r.workflow_id = v_id OFFSET 0
      ) r
      WHERE e.state = 'alive'
    ) THEN
      RETURN QUERY SELECT v_id, 'held', v_status, NULL::text;
      CONTINUE;
    END IF;

    IF v_deduplication IS NOT NULL THEN
      PERFORM ${s}.free_overdue_1(ARRAY[v_queue], ARRAY[v_deduplication], v_now);
      INSERT INTO ${s}.deduplication (queue, deduplication_id, workflow_id) VALUES (v_queue, v_deduplication, v_id)
      ON CONFLICT (queue, deduplication_id) DO NOTHING;
      SELECT u.workflow_id INTO v_holder
      FROM ${s}.deduplication u WHERE u.queue = v_queue AND u.deduplication_id = v_deduplication;
      IF v_holder IS NULL THEN
        RAISE EXCEPTION 'a deduplication id has just become free' USING ERRCODE = 'PD002';
      END IF;
      IF v_holder <> v_id THEN
        RETURN QUERY SELECT v_id, 'duplicate', v_status, v_holder;
        CONTINUE;
      END IF;
    END IF;
    IF v_queue <> '' THEN
      -- as if enqueued now
      INSERT INTO ${s}.queue_item AS i (workflow_id, queue, name, version, state, rank, enqueued_at, partition_key,
        deduplication_id)
      SELECT w.workflow_id, w.queue, w.name, w.version, 'waiting',
        ${
      rank("w.priority::bigint", "v_now", `(SELECT ${ageing("q.limits")} FROM ${s}.queue q WHERE q.name = w.queue)`)
    },
        v_now, w.partition_key, v_deduplication
      FROM ${s}.workflow w WHERE w.workflow_id = v_id
      ON CONFLICT (workflow_id) DO UPDATE SET state = excluded.state, rank = excluded.rank, seq = excluded.seq,
        enqueued_at = excluded.enqueued_at, partition_key = excluded.partition_key;
      INSERT INTO ${s}.partition_mark (queue, partition_key)
      SELECT w.queue, w.partition_key FROM ${s}.workflow w WHERE w.workflow_id = v_id AND w.partition_key IS NOT NULL;
    END IF;

    IF v_owned THEN
      UPDATE ${s}.ownership o SET epoch = o.epoch + 1, executor = NULL, attempts = 0, blocked = false,
        phase = 'run', undoing = false, queue = v_queue
      WHERE o.workflow_id = v_id;
    ELSE
      INSERT INTO ${s}.ownership (workflow_id, name, version, epoch, ended_epoch, phase, queue)
      SELECT w.workflow_id, w.name, w.version, w.epoch + 1, w.ended_epoch, 'run', v_queue
      FROM ${s}.workflow w WHERE w.workflow_id = v_id;
    END IF;
    -- its counter goes on after the messages that it has
    INSERT INTO ${s}.mailbox (workflow_id, name, version, queue, wake_at, inbox)
    SELECT w.workflow_id, w.name, w.version, v_queue, CASE WHEN v_queue = '' THEN v_now END,
      coalesce((SELECT m.seq FROM ${s}.message m WHERE m.workflow_id = v_id ORDER BY m.seq DESC LIMIT 1), 0)
    FROM ${s}.workflow w WHERE w.workflow_id = v_id
    ON CONFLICT (workflow_id) DO UPDATE SET wake_at = excluded.wake_at, waits = NULL, queue = excluded.queue;
    IF v_deadline > v_now THEN
      INSERT INTO ${s}.deadline (workflow_id, at) VALUES (v_id, v_deadline) ON CONFLICT (workflow_id) DO NOTHING;
    ELSE
      DELETE FROM ${s}.deadline d WHERE d.workflow_id = v_id;
    END IF;
    UPDATE ${s}.workflow w SET status = CASE WHEN v_queue = '' THEN 'PENDING' ELSE 'ENQUEUED' END, reason = NULL, output = NULL, completed_at = NULL,
      recovery_attempts = 0, deadline_at = CASE WHEN v_deadline > v_now THEN v_deadline END
    WHERE w.workflow_id = v_id;
    RETURN QUERY SELECT v_id, 'resumed', CASE WHEN v_queue = '' THEN 'PENDING' ELSE 'ENQUEUED' END, NULL::text;
  END LOOP;
END`
  })
