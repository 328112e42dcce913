import { createFunction, readCommitted } from "./function.ts"

/**
 * Makes cancelled (uncompensated), dead-lettered and blocked workflows due again, under a raised epoch.
 *
 * Invariant: a workflow with a record of a rollback, or that somebody has claimed for its rollbacks, is never run again,
 * for its records may no longer describe the world. One that is blocked among its rollbacks goes on with them.
 *
 * Locks, waiting, workflow after workflow by id: the ownership row, if any, then the workflow row, and only then looks:
 * of two resumes the second finds the first's work.
 */
export const resume = (s: string): string =>
  createFunction({
    name: `${s}.resume_1`,
    parameters: ["p_lock_ms integer", "p_ids text[]"],
    returns: "TABLE (id_ text, result_ text, status_ text)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_id text;
  v_status text;
  v_owned boolean;
  v_blocked boolean;
  v_phase text;
  v_undoing boolean;
  v_deadline bigint;
BEGIN${readCommitted}
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  FOR v_id IN SELECT DISTINCT k.id COLLATE "C" FROM unnest(p_ids) k(id) ORDER BY 1 LOOP
    PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = v_id FOR UPDATE;
    PERFORM 1 FROM ${s}.workflow w WHERE w.workflow_id = v_id FOR NO KEY UPDATE;
    v_now := ${s}.now_ms();
    SELECT w.status, o.workflow_id IS NOT NULL, o.blocked, o.phase, o.undoing, w.deadline_at
    INTO v_status, v_owned, v_blocked, v_phase, v_undoing, v_deadline
    FROM ${s}.workflow w LEFT JOIN ${s}.ownership o ON o.workflow_id = w.workflow_id WHERE w.workflow_id = v_id;
    IF NOT FOUND THEN
      RETURN QUERY SELECT v_id, 'unknown', NULL::text;
      CONTINUE;
    END IF;
    IF v_blocked AND v_phase = 'compensate' THEN
      -- goes on with its rollbacks, its status and reason kept
      UPDATE ${s}.ownership o SET epoch = o.epoch + 1, attempts = 0, blocked = false WHERE o.workflow_id = v_id;
      UPDATE ${s}.mailbox m SET wake_at = v_now, waits = NULL WHERE m.workflow_id = v_id;
      RETURN QUERY SELECT v_id, 'resumed', v_status;
      CONTINUE;
    END IF;
    IF v_status NOT IN ('CANCELLED', 'DEAD_LETTER', 'BLOCKED') THEN
      RETURN QUERY SELECT v_id, 'refused', v_status;
      CONTINUE;
    END IF;
    PERFORM 1 FROM ${s}.step t WHERE t.workflow_id = v_id AND t.kind = 'rollback';
    IF FOUND THEN
      RETURN QUERY SELECT v_id, 'compensated', v_status;
      CONTINUE;
    END IF;
    IF v_undoing THEN
      -- somebody is at its rollbacks, or was when it lost its lease: one may have run that nobody has recorded
      RETURN QUERY SELECT v_id, 'refused', v_status;
      CONTINUE;
    END IF;

    IF v_owned THEN
      UPDATE ${s}.ownership o SET epoch = o.epoch + 1, executor = NULL, attempts = 0, blocked = false,
        phase = 'run'
      WHERE o.workflow_id = v_id;
    ELSE
      INSERT INTO ${s}.ownership (workflow_id, name, version, epoch, ended_epoch, phase)
      SELECT w.workflow_id, w.name, w.version, w.epoch + 1, w.ended_epoch, 'run'
      FROM ${s}.workflow w WHERE w.workflow_id = v_id;
    END IF;
    -- its counter goes on after the messages that it has
    INSERT INTO ${s}.mailbox (workflow_id, name, version, wake_at, inbox)
    SELECT w.workflow_id, w.name, w.version, v_now,
      coalesce((SELECT m.seq FROM ${s}.message m WHERE m.workflow_id = v_id ORDER BY m.seq DESC LIMIT 1), 0)
    FROM ${s}.workflow w WHERE w.workflow_id = v_id
    ON CONFLICT (workflow_id) DO UPDATE SET wake_at = excluded.wake_at, waits = NULL;
    IF v_deadline > v_now THEN
      INSERT INTO ${s}.deadline (workflow_id, at) VALUES (v_id, v_deadline) ON CONFLICT (workflow_id) DO NOTHING;
    ELSE
      DELETE FROM ${s}.deadline d WHERE d.workflow_id = v_id;
    END IF;
    UPDATE ${s}.workflow w SET status = 'PENDING', reason = NULL, output = NULL, completed_at = NULL,
      recovery_attempts = 0, deadline_at = CASE WHEN v_deadline > v_now THEN v_deadline END
    WHERE w.workflow_id = v_id;
    RETURN QUERY SELECT v_id, 'resumed', 'PENDING';
  END LOOP;
END`
  })
