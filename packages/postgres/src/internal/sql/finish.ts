/**
 * After an update of workflow rows by `ctid`, with `v_count` those that it has passed over: somebody has changed them just
 * now without their ownership row's lock, by hand perhaps. Nothing is written then, and the whole is sent again.
 */
export const allUpdated = `
      IF v_count > 0 THEN
        RAISE EXCEPTION 'somebody has changed a workflow without its lock' USING ERRCODE = 'PD002';
      END IF;`

/**
 * How often `ownership o` was lost since the last new record: one made since they were counted has set them back to none.
 * Null where there is no such row; then nothing is counted.
 */
export const lossesOf = (s: string, id: string): string =>
  `CASE WHEN coalesce(o.attempts, 0) > 0
      AND (SELECT count(*) FROM ${s}.step t WHERE t.workflow_id = ${id}) > o.progress THEN 0
    ELSE o.attempts END`

/**
 * Ends the workflows in the array variable `ids` from outside: their rows are locked, their epoch is raised past the
 * owner's, and only the long-lived row stays. Waiters are woken by the caller, in a later statement.
 */
export const finish = (s: string, ids: string, status: string, reason: string, epoch: string): string => `
      WITH x AS MATERIALIZED (
        SELECT p.tid, ${epoch} AS epoch, o.ended_epoch, ${lossesOf(s, "k.id")} AS attempts, ${reason} AS reason
        FROM unnest(${ids}) k(id)
        CROSS JOIN LATERAL (
          SELECT o.epoch, o.ended_epoch, o.attempts, o.progress FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0
        ) o
        CROSS JOIN LATERAL (
          SELECT p.ctid AS tid, p.max_recovery_attempts FROM ${s}.workflow p WHERE p.workflow_id = k.id OFFSET 0
        ) p
      ), w AS (
        UPDATE ${s}.workflow w SET status = ${status}, completed_at = v_now, epoch = x.epoch,
          ended_epoch = greatest(w.ended_epoch, x.ended_epoch), recovery_attempts = x.attempts, reason = x.reason
        FROM x WHERE w.ctid = x.tid
        RETURNING 1
      )
      SELECT (SELECT count(*) FROM x) - (SELECT count(*) FROM w) INTO v_count;${allUpdated}
      DELETE FROM ${s}.ownership o WHERE o.workflow_id = ANY (${ids});
      DELETE FROM ${s}.mailbox m WHERE m.workflow_id = ANY (${ids});
      DELETE FROM ${s}.deadline d WHERE d.workflow_id = ANY (${ids});`
