import { createFunction } from "./function.ts"

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

/** A row for each that was made or changed. In the order of their names, so that two applications do not deadlock. */
export const applyStatement = (s: string): string => `
  WITH n AS MATERIALIZED (SELECT ${s}.now_ms() AS now)
  INSERT INTO ${s}.schedule AS c (name, workflow_name, rule, start, origin, next_fire_at, created_at, updated_at)
  SELECT x.name, x.workflow_name, x.rule, x.start, 'runtime', x.next_fire_at, n.now, n.now
  FROM n CROSS JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    AS x(name, workflow_name, rule, start, next_fire_at)
  ORDER BY x.name COLLATE "C"
  ON CONFLICT (name) DO UPDATE SET
    workflow_name = excluded.workflow_name, rule = excluded.rule, start = excluded.start,
    next_fire_at = CASE WHEN c.rule = excluded.rule THEN c.next_fire_at ELSE excluded.next_fire_at END,
    updated_at = excluded.updated_at
  WHERE (c.workflow_name, c.rule, c.start) IS DISTINCT FROM (excluded.workflow_name, excluded.rule, excluded.start)
  RETURNING c.name`

/** No row: the name is taken. */
export const createStatement = (s: string): string =>
  `${insert(s, "'runtime'")}
  ON CONFLICT (name) DO NOTHING
  RETURNING 1`

/** No row: there is none. */
export const updateStatement = (s: string): string => `
  UPDATE ${s}.schedule c SET workflow_name = $2::text, rule = $3::text, start = $4::text,
    next_fire_at = CASE WHEN c.rule = $3::text THEN c.next_fire_at ELSE $5::bigint END,
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

/**
 * `$1` so many, those after `$2` and `$3`: a time and a name. The clock and the next due time are on every row; without
 * one due there is one row with a null name.
 */
export const dueStatement = (s: string): string => `
  SELECT n.now, (
    SELECT c.next_fire_at FROM ${s}.schedule c WHERE c.next_fire_at IS NOT NULL AND NOT c.paused
    ORDER BY c.next_fire_at, c.name LIMIT 1
  ), o.running IS NOT NULL, ${scheduleColumns}
  FROM (SELECT ${s}.now_ms() AS now OFFSET 0) n
  LEFT JOIN LATERAL (
    SELECT * FROM ${s}.schedule c WHERE c.next_fire_at <= n.now AND c.next_fire_at IS NOT NULL AND NOT c.paused
      AND (c.next_fire_at, c.name) > ($2::bigint, $3::text)
    ORDER BY c.next_fire_at, c.name LIMIT $1::integer
  ) c ON true
  LEFT JOIN LATERAL (
    SELECT true AS running FROM ${s}.ownership o WHERE o.workflow_id = c.last_workflow_id OFFSET 0
  ) o ON true
  ORDER BY c.next_fire_at, c.name`

/**
 * One fire: `$2` the time that is expected, `$3` the next, `$4` the latest tick, `$5` and `$6` the last start's id and
 * position; then the parameters of a flush of the starts. No row: somebody else has fired, or changed it.
 *
 * One statement, one commit: of two executors at one tick the second waits for the first and finds another time. The
 * flush is called from the row that was moved, so nothing starts without it, and what it cannot write undoes the move.
 */
export const fireStatement = (s: string, flush: (s: string, before: number) => string): string => `
  WITH moved AS (
    UPDATE ${s}.schedule c SET next_fire_at = $3::bigint, last_fire_at = $4::bigint,
      last_workflow_id = coalesce($5::text, c.last_workflow_id)
    WHERE c.name = $1::text AND c.next_fire_at = $2::bigint AND NOT c.paused
    RETURNING 1
  )
  SELECT ${s}.fired_1($1::text, f.tag_, f.op_ = $6::integer, f.name_)
  FROM moved LEFT JOIN LATERAL ${flush(s, 6)} f ON true`

/**
 * What the flush had to say about a start of a fire. One that cannot be written now, or not at all, undoes the fire: a
 * tick is never passed over without a word. One whose deduplication id is taken came to the workflow that has it.
 */
export const fired = (s: string): string =>
  createFunction({
    name: `${s}.fired_1`,
    parameters: ["p_schedule text", "p_tag text", "p_last boolean", "p_name text"],
    returns: "void",
    volatility: "VOLATILE",
    body: `
BEGIN
  IF p_tag = 'Busy' THEN
    RAISE EXCEPTION 'somebody holds what a start of schedule % needs', p_schedule USING ERRCODE = 'PD002';
  ELSIF p_tag = 'NoQueue' THEN
    RAISE EXCEPTION 'schedule % did not fire: its queue % is not registered', p_schedule, p_name
      USING ERRCODE = 'PD004';
  ELSIF p_tag IN ('Duplicate', 'Debounced') AND p_last THEN
    UPDATE ${s}.schedule c SET last_workflow_id = p_name WHERE c.name = p_schedule;
  END IF;
END`
  })
