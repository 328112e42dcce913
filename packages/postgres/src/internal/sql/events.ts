import { rowsOf } from "./groups.ts"

/**
 * Sets events. What steps have set one after the other stays, a row each, so that a fork can take what the steps below
 * its first one have set; one step that sets an event again and again has one row. The row with the greatest `n` is the
 * value. A set that is there already (its record is, or the same value of the same step and epoch) is an earlier submission's
 * and changes nothing; another one to the value that it has keeps the time.
 *
 * One writer: the owner's row is locked FOR UPDATE, which a suspension that waits for the event conflicts with.
 */
export const setEvents = (s: string): string => `
  IF v_e > 0 THEN
    v_now := ${s}.now_ms();
    WITH t AS MATERIALIZED (
      SELECT e.*, coalesce(c.n, 0) AS base, c.step_id AS current_step, c.at AS since,
        bool_and(c.value = e.value AND c.codec = e.codec) OVER (PARTITION BY e.op, e.key COLLATE "C" ORDER BY e.n) AS kept,
        first_value(e.step) OVER (PARTITION BY e.op, e.key COLLATE "C" ORDER BY e.n) AS first_step,
        bool_or(e.last = 1 AND coalesce(
          c.value = e.value AND c.codec = e.codec AND c.step_id = e.step::integer AND c.epoch = e.epoch::bigint, false
        )) OVER (PARTITION BY e.op, e.key COLLATE "C") AS there
      FROM ${rowsOf("e")}
      LEFT JOIN LATERAL (
        SELECT * FROM ${s}.event c WHERE c.workflow_id = e.id AND c.key = e.key ORDER BY c.n DESC LIMIT 1
      ) c ON true
      WHERE (v_all OR e.op = ANY (v_ok)) AND e.op <> ALL (v_before)
    )
    INSERT INTO ${s}.event (workflow_id, key, n, step_id, value, codec, at, epoch)
    SELECT t.id, t.key,
      t.base + t.n::bigint + CASE WHEN t.current_step = t.first_step::integer THEN 0 ELSE 1 END,
      t.step::integer, t.value, t.codec, CASE WHEN t.kept THEN t.since ELSE v_now END, t.epoch::bigint
    FROM t WHERE NOT t.there
    ON CONFLICT (workflow_id, key, n) DO UPDATE SET
      value = excluded.value, codec = excluded.codec, at = excluded.at, epoch = excluded.epoch;
  END IF;`
