import { rowsOf } from "./groups.ts"

/**
 * Tells those who wait for an event that was set, or for a stream that has come so far. Their mailboxes are locked
 * already: `lockMailboxes` has found the same waiters, but for those that this very flush has entered, whose mailboxes
 * are its own.
 */
export const tellWaiters = (s: string): string => `
  IF (v_e > 0 OR v_g > 0) AND (v_waiters IS NOT NULL OR cardinality(w_target) > 0) THEN
    PERFORM ${s}.tell_1(array_agg(t.id), array_agg(t.topic), array_agg(t.reached), v_now)
    FROM (
      SELECT e.id, 'e' || e.key AS topic, 1::bigint AS reached
      FROM ${rowsOf("e")}
      WHERE e.last = 1 AND (v_all OR e.op = ANY (v_ok))
      UNION ALL
      SELECT g.id, 's' || g.key, l.position + 1
      FROM ${rowsOf("g")}
      CROSS JOIN LATERAL (
        SELECT l.position FROM ${s}.stream l WHERE l.workflow_id = g.id AND l.key = g.key
        ORDER BY l.position DESC LIMIT 1
      ) l
      WHERE v_all OR g.op = ANY (v_ok)
    ) t
    HAVING count(*) > 0;
  END IF;`

/**
 * Whether an operation `c` that has events or entries and no record is there already, from an earlier submission. Only
 * asked about an epoch that is over.
 */
export const told = (s: string): string =>
  `(
          NOT EXISTS (
            SELECT FROM ${rowsOf("e")}
            WHERE e.op = c.op AND e.last = 1 AND NOT EXISTS (
              SELECT FROM ${s}.event p
              WHERE p.workflow_id = e.id AND p.key = e.key AND p.value = e.value AND p.step_id = e.step::integer
                AND p.epoch = e.epoch::bigint OFFSET 0
            )
          )
          AND NOT EXISTS (
            SELECT FROM ${rowsOf("g")}
            WHERE g.op = c.op AND NOT EXISTS (
              SELECT FROM ${s}.stream p
              WHERE p.workflow_id = g.id AND p.key = g.key AND p.step_id = g.step::integer
                AND p.epoch = g.epoch::bigint AND p.number = g.number::integer
                AND p.attempt IS NOT DISTINCT FROM g.attempt::integer OFFSET 0
            )
          )
        )`
