import { createFunction } from "./function.ts"

/**
 * Wakes the waiters that `waiters` finds: raises their inbox, sets their time if they are suspended, forgets what they
 * were entered for.
 *
 * Whether a waiter is suspended is decided by its own mailbox row alone (`waits`), in the update.
 *
 * The second look may find fewer than the first, for a claim takes some away, and none that the first has not locked: by
 * then none can be entered. So it is not compared with the first, which would cost the square of many that wait for one.
 *
 * Locks: the waiters' mailbox rows, by id, waiting. Waiter rows are skipped when locked: a claim is deleting them.
 */
const wakeThem = (s: string, waiters: (columns: string, ending: string) => string): string =>
  `DECLARE
  v_waiters text[];
BEGIN
  SELECT array_agg(DISTINCT x.waiter_id) INTO v_waiters FROM ${waiters("x.waiter_id", "OFFSET 0")};
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
      SELECT x.waiter_id, count(*) AS count FROM ${waiters("x.waiter_id", "OFFSET 0")}
      GROUP BY x.waiter_id
    ) c CROSS JOIN LATERAL (
      SELECT p.ctid AS tid FROM ${s}.mailbox p WHERE p.workflow_id = c.waiter_id OFFSET 0
    ) p
  ) n
  WHERE m.ctid = n.tid;
  DELETE FROM ${s}.waiter d USING (
    SELECT x.tid FROM ${waiters("x.ctid AS tid", "FOR UPDATE SKIP LOCKED")}
  ) x WHERE d.ctid = x.tid;
END`

/**
 * Tells everybody who waits for anything of `p_targets` that they are done.
 *
 * Runs after the targets' ownership rows are deleted, in a later snapshot of that transaction. A suspension locks its
 * targets' rows FOR KEY SHARE, which the deletion conflicts with: either its waiter row is visible here, or it finds
 * the target done.
 */
export const wake = (s: string): string =>
  createFunction({
    name: `${s}.wake_1`,
    parameters: ["p_targets text[]", "p_now bigint"],
    returns: "void",
    volatility: "VOLATILE",
    body: wakeThem(s, (columns, ending) =>
      `unnest(p_targets) t(id) CROSS JOIN LATERAL (
      SELECT ${columns} FROM ${s}.waiter x WHERE x.target_id = t.id ${ending}
    ) x`)
  })

/**
 * Tells those who wait for one topic of a target, and for no more of it than is there now. The targets' ownership rows
 * are locked FOR UPDATE by the caller, so no waiter is entered meanwhile.
 */
export const tell = (s: string): string =>
  createFunction({
    name: `${s}.tell_1`,
    parameters: ["p_targets text[]", "p_topics text[]", "p_reached bigint[]", "p_now bigint"],
    returns: "void",
    volatility: "VOLATILE",
    body: wakeThem(s, (columns, ending) =>
      `unnest(p_targets, p_topics, p_reached) AS t(id, topic, reached) CROSS JOIN LATERAL (
      SELECT ${columns} FROM ${s}.waiter x
      WHERE x.target_id = t.id AND x.topic = t.topic AND x.start < t.reached ${ending}
    ) x`)
  })
