import { createFunction } from "./function.ts"
import { attemptRecord, stepRecord } from "./rows.ts"

/** A page of history: at most this many records, and no more after this many bytes of values. */
const pageRecords = 1000
const pageBytes = 8_000_000

/**
 * One page of records and attempts after `p_after`, as JSON. Attempts come with the page that their step id falls in.
 * Reads only: after a claim no older epoch can write any more, so later pages need no lock.
 */
export const history = (s: string): string =>
  createFunction({
    name: `${s}.history_1`,
    parameters: ["p_id text", "p_after integer"],
    returns: "json",
    volatility: "STABLE",
    body: `
#variable_conflict use_column
DECLARE
  v_records json;
  v_attempts json;
  v_last integer;
  v_taken bigint;
  v_found bigint;
BEGIN
  WITH p AS MATERIALIZED (
    SELECT q.*, count(*) OVER w AS rank, sum(octet_length(q.value)) OVER w - octet_length(q.value) AS before
    FROM (
      SELECT * FROM ${s}.step WHERE workflow_id = p_id AND step_id > p_after ORDER BY step_id LIMIT ${pageRecords + 1}
    ) q WINDOW w AS (ORDER BY q.step_id)
  ), t AS (
    SELECT * FROM p WHERE p.rank <= ${pageRecords} AND p.before < ${pageBytes}
  )
  SELECT (SELECT count(*) FROM p), count(*), max(t.step_id),
    coalesce(json_agg(${stepRecord} ORDER BY t.step_id), '[]')
  INTO v_found, v_taken, v_last, v_records FROM t;
  SELECT coalesce(json_agg(${attemptRecord} ORDER BY a.step_id, a.attempt), '[]') INTO v_attempts
  FROM ${s}.attempt a
  WHERE a.workflow_id = p_id AND a.step_id > p_after AND (v_taken = v_found OR a.step_id <= v_last);
  RETURN json_build_object('records', v_records, 'attempts', v_attempts, 'more', v_taken < v_found);
END`
  })
