/**
 * Schedules: each call one statement, which decides from the row that it locks.
 *
 * Locks: the schedule's row, and nothing after it; only a fire goes on to insert workflows.
 */

/** Columns of a `ScheduleRow`, in order. */
export const scheduleColumns = `c.name, c.workflow_name, c.rule, c.start, c.origin, c.paused, c.next_fire_at,
  c.last_fire_at, c.last_workflow_id, c.created_at, c.updated_at`

const insert = (s: string, origin: string): string => `
  WITH n AS MATERIALIZED (SELECT ${s}.now_ms() AS now)
  INSERT INTO ${s}.schedule AS c (name, workflow_name, rule, start, origin, next_fire_at, created_at, updated_at)
  SELECT $1::text, $2::text, $3::text, $4::text, ${origin}, $5::bigint, n.now, n.now FROM n`

/** No row: it is like this already. Of ten processes that declare the same, one makes it and nine find it so. */
export const declareStatement = (s: string): string =>
  `${insert(s, "'code'")}
  ON CONFLICT (name) DO UPDATE SET
    workflow_name = excluded.workflow_name, rule = excluded.rule, start = excluded.start, origin = excluded.origin,
    next_fire_at = CASE WHEN c.rule = excluded.rule THEN c.next_fire_at ELSE excluded.next_fire_at END,
    updated_at = excluded.updated_at
  WHERE (c.workflow_name, c.rule, c.start, c.origin)
    IS DISTINCT FROM (excluded.workflow_name, excluded.rule, excluded.start, excluded.origin)
  RETURNING 1`

/** No row: the name is taken. */
export const createStatement = (s: string): string =>
  `${insert(s, "'runtime'")}
  ON CONFLICT (name) DO NOTHING
  RETURNING 1`

/** No row: there is none. */
export const updateStatement = (s: string): string => `
  UPDATE ${s}.schedule c SET workflow_name = $2::text, rule = $3::text, start = $4::text, next_fire_at = $5::bigint,
    updated_at = n.now
  FROM (SELECT ${s}.now_ms() AS now OFFSET 0) n WHERE c.name = $1::text
  RETURNING 1`

/** The next fire is taken only by one that is paused: going on twice moves nothing. */
export const pauseStatement = (s: string): string => `
  UPDATE ${s}.schedule c SET paused = $2::boolean,
    next_fire_at = CASE WHEN c.paused AND NOT $2::boolean THEN $3::bigint ELSE c.next_fire_at END,
    updated_at = CASE WHEN c.paused = $2::boolean THEN c.updated_at ELSE n.now END
  FROM (SELECT ${s}.now_ms() AS now OFFSET 0) n WHERE c.name = $1::text
  RETURNING 1`

export const deleteStatement = (s: string): string => `DELETE FROM ${s}.schedule c WHERE c.name = $1::text RETURNING 1`

/** The clock and the next due time are on every row; without one due there is one row with a null name. */
export const dueStatement = (s: string): string => `
  SELECT n.now, (
    SELECT c.next_fire_at FROM ${s}.schedule c WHERE c.next_fire_at IS NOT NULL AND NOT c.paused
    ORDER BY c.next_fire_at, c.name LIMIT 1
  ), o.running IS NOT NULL, ${scheduleColumns}
  FROM (SELECT ${s}.now_ms() AS now OFFSET 0) n
  LEFT JOIN LATERAL (
    SELECT * FROM ${s}.schedule c WHERE c.next_fire_at <= n.now AND c.next_fire_at IS NOT NULL AND NOT c.paused
    ORDER BY c.next_fire_at, c.name LIMIT $1::integer
  ) c ON true
  LEFT JOIN LATERAL (
    SELECT true AS running FROM ${s}.ownership o WHERE o.workflow_id = c.last_workflow_id OFFSET 0
  ) o ON true
  ORDER BY c.next_fire_at, c.name`
