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
  FROM unnest(p_targets) t(id) JOIN ${s}.waiter x ON x.target_id = t.id;
  IF v_waiters IS NULL THEN
    RETURN;
  END IF;
  PERFORM 1 FROM ${s}.mailbox m WHERE m.workflow_id = ANY (v_waiters) ORDER BY m.workflow_id FOR NO KEY UPDATE;
  UPDATE ${s}.mailbox m SET
    inbox = m.inbox + n.count,
    wake_at = CASE WHEN m.waits IS NULL THEN m.wake_at ELSE least(coalesce(m.wake_at, p_now), p_now) END
  FROM (
    SELECT x.waiter_id, count(*) AS count
    FROM unnest(p_targets) t(id) JOIN ${s}.waiter x ON x.target_id = t.id
    GROUP BY x.waiter_id
  ) n
  WHERE m.workflow_id = n.waiter_id;
  DELETE FROM ${s}.waiter x USING (
    SELECT y.target_id, y.waiter_id
    FROM unnest(p_targets) t(id)
    CROSS JOIN LATERAL (
      SELECT z.target_id, z.waiter_id FROM ${s}.waiter z WHERE z.target_id = t.id FOR UPDATE SKIP LOCKED
    ) y
  ) d WHERE x.target_id = d.target_id AND x.waiter_id = d.waiter_id;
END`
  })
