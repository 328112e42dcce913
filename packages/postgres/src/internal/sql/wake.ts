import { createFunction } from "./function.ts"

/**
 * Tells everybody who waits for `p_targets` that they are done.
 *
 * Runs after the targets' ownership rows are deleted, in a later snapshot of that transaction. A suspension locks its
 * targets' rows FOR KEY SHARE, which the deletion conflicts with: either its waiter row is visible here, or it finds
 * the target done. Whether the waiter is suspended is decided by its own mailbox row alone (`waits`), in the update.
 *
 * Locks: the waiters' mailbox rows, by id, waiting. Waiter rows are skipped when locked: a claim is deleting them.
 */
export const wake = (s: string): string =>
  createFunction({
    name: `${s}.wake_1`,
    parameters: ["p_targets text[]", "p_now bigint"],
    returns: "void",
    volatility: "VOLATILE",
    body: `DECLARE
  v_waiters text[];
BEGIN
  SELECT array_agg(DISTINCT x.waiter_id) INTO v_waiters
  FROM unnest(p_targets) t(id) CROSS JOIN LATERAL (
    SELECT x.waiter_id FROM ${s}.waiter x WHERE x.target_id = t.id OFFSET 0
  ) x;
  IF v_waiters IS NULL THEN
    RETURN;
  END IF;
  PERFORM 1 FROM ${s}.mailbox m WHERE m.workflow_id = ANY (v_waiters) ORDER BY m.workflow_id FOR NO KEY UPDATE;
  UPDATE ${s}.mailbox m SET
    inbox = m.inbox + n.count,
    wake_at = CASE WHEN m.waits IS NULL THEN m.wake_at ELSE least(coalesce(m.wake_at, p_now), p_now) END
  FROM (
    SELECT p.tid, c.count
    FROM (
      SELECT x.waiter_id, count(*) AS count
      FROM unnest(p_targets) t(id) CROSS JOIN LATERAL (
        SELECT x.waiter_id FROM ${s}.waiter x WHERE x.target_id = t.id OFFSET 0
      ) x
      WHERE x.waiter_id = ANY (v_waiters)
      GROUP BY x.waiter_id
    ) c CROSS JOIN LATERAL (
      SELECT p.ctid AS tid FROM ${s}.mailbox p WHERE p.workflow_id = c.waiter_id OFFSET 0
    ) p
  ) n
  WHERE m.ctid = n.tid;
  DELETE FROM ${s}.waiter x USING (
    SELECT y.tid FROM unnest(p_targets) t(id) CROSS JOIN LATERAL (
      SELECT z.ctid AS tid FROM ${s}.waiter z WHERE z.target_id = t.id FOR UPDATE SKIP LOCKED
    ) y
  ) d WHERE x.ctid = d.tid;
END`
  })
