import { rowsOf } from "./groups.ts"

/**
 * Appends to streams: positions go on from the greatest there is, read in a later snapshot than the lock of the owner's
 * row, the only writer. A stream whose last entry is the last of this operation (same epoch, step, attempt and number)
 * has got all of them by an earlier submission, for only the latest operation is ever submitted again.
 */
export const appendEntries = (s: string): string => `
  IF v_g > 0 THEN
    v_now := ${s}.now_ms();
    -- where each goes on; -1: nothing to append
    SELECT array_agg(CASE
      WHEN NOT (v_all OR g.op = ANY (v_ok)) THEN -1
      WHEN l.position IS NULL THEN 0
      WHEN l.epoch = g.epoch::bigint AND l.step_id = g.step::integer AND l.number = g.number::integer
        AND l.attempt IS NOT DISTINCT FROM g.attempt::integer THEN -1
      ELSE l.position + 1 END ORDER BY g.ordinal)
    INTO v_base
    FROM (SELECT g.*, row_number() OVER () AS ordinal FROM ${rowsOf("g")}) g
    LEFT JOIN LATERAL (
      SELECT * FROM ${s}.stream l WHERE l.workflow_id = g.id AND l.key = g.key ORDER BY l.position DESC LIMIT 1
    ) l ON true;
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
