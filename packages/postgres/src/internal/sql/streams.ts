import { rowsOf } from "./groups.ts"

/**
 * Appends to streams: positions go on from the greatest there is, read in a later snapshot than the lock of the owner's
 * row, the only writer. Where a step's last entry in a stream is the last of this operation (by epoch, attempt and number)
 * or a later one, all of them are there by an earlier submission, which may come late: more may have been written since.
 */
export const appendEntries = (s: string): string => `
  IF v_g > 0 THEN
    v_now := ${s}.now_ms();
    -- where each goes on; -1: nothing to append
    SELECT array_agg(CASE
      WHEN NOT (v_all OR g.op = ANY (v_ok)) OR g.op = ANY (v_before) THEN -1
      WHEN (p.epoch, coalesce(p.attempt, -1), p.number)
        >= (g.epoch::bigint, coalesce(g.attempt::integer, -1), g.number::integer) THEN -1
      ELSE coalesce(l.position + 1, 0) END ORDER BY g.ordinal)
    INTO v_base
    FROM (SELECT g.*, row_number() OVER () AS ordinal FROM ${rowsOf("g")}) g
    LEFT JOIN LATERAL (
      SELECT l.position FROM ${s}.stream l WHERE l.workflow_id = g.id AND l.key = g.key ORDER BY l.position DESC LIMIT 1
    ) l ON true
    LEFT JOIN LATERAL (
      SELECT p.epoch, p.attempt, p.number FROM ${s}.stream p
      WHERE p.workflow_id = g.id AND p.step_id = g.step::integer AND p.key = g.key ORDER BY p.position DESC LIMIT 1
    ) p ON true;
    INSERT INTO ${s}.stream (workflow_id, key, position, value, codec, step_id, attempt, number, superseded, at, epoch)
    SELECT x.id, x.key, v_base[x.grp] + x.n::bigint, x.value, x.codec, x.step::integer, x.attempt::integer,
      x.number::integer, false, v_now, x.epoch::bigint
    FROM ${rowsOf("x")}
    WHERE v_base[x.grp] >= 0;
  END IF;`

/** Marks what a step has written before the attempt that counts: in earlier attempts, or under earlier owners. */
export const supersedeEntries = (s: string): string => `
  IF v_u > 0 THEN
    UPDATE ${s}.stream t SET superseded = true
    FROM (
      SELECT DISTINCT p.tid
      FROM ${rowsOf("u")}
      CROSS JOIN LATERAL (
        SELECT p.ctid AS tid FROM ${s}.stream p
        WHERE p.workflow_id = u.id AND p.step_id = u.step::integer
          AND p.attempt IS NOT NULL AND (p.epoch, p.attempt) < (u.epoch::bigint, u.attempt::integer)
          AND NOT p.superseded OFFSET 0
      ) p
      WHERE v_all OR u.op = ANY (v_ok)
    ) d
    WHERE t.ctid = d.tid;
  END IF;`
