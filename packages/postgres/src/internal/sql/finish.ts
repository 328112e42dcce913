/**
 * Ends the workflows in the array variable `ids` from outside: their rows are locked, their epoch is raised past the
 * owner's, and only the long-lived row stays. Waiters are woken by the caller, in a later statement.
 */
export const finish = (s: string, ids: string, status: string, reason: string, epoch: string): string => `
      UPDATE ${s}.workflow w SET status = ${status}, completed_at = v_now, epoch = x.epoch,
        ended_epoch = greatest(w.ended_epoch, x.ended_epoch), recovery_attempts = x.attempts, reason = x.reason
      FROM (
        SELECT p.tid, ${epoch} AS epoch, o.ended_epoch, o.attempts, ${reason} AS reason
        FROM unnest(${ids}) k(id)
        CROSS JOIN LATERAL (
          SELECT o.epoch, o.ended_epoch, o.attempts FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0
        ) o
        CROSS JOIN LATERAL (
          SELECT p.ctid AS tid, p.max_recovery_attempts FROM ${s}.workflow p WHERE p.workflow_id = k.id OFFSET 0
        ) p
      ) x WHERE w.ctid = x.tid;
      DELETE FROM ${s}.ownership o WHERE o.workflow_id = ANY (${ids});
      DELETE FROM ${s}.mailbox m WHERE m.workflow_id = ANY (${ids});
      DELETE FROM ${s}.deadline d WHERE d.workflow_id = ANY (${ids});`
