import { createFunction, readCommitted } from "./function.ts"

/**
 * Replaces the attributes of a workflow; false: there is none. Of two at once the second finds what the first has written.
 *
 * A workflow's row is only ever changed by who holds its ownership row: others find it by its place (`ctid`), and miss one
 * that is moved under them. One that is done has no such row, and while this holds its own nobody can resume it.
 *
 * Locks, waiting: the ownership row, or else the workflow's.
 */
export const setAttributes = (s: string): string =>
  createFunction({
    name: `${s}.set_attributes_1`,
    parameters: ["p_lock_ms integer", "p_id text", "p_attributes text"],
    returns: "boolean",
    volatility: "VOLATILE",
    body: `
BEGIN${readCommitted}
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = p_id FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    PERFORM 1 FROM ${s}.workflow w WHERE w.workflow_id = p_id FOR NO KEY UPDATE;
    PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = p_id;
    IF FOUND THEN
      RAISE EXCEPTION 'the workflow has just been resumed' USING ERRCODE = 'PD002';
    END IF;
  END IF;
  UPDATE ${s}.workflow w SET attributes = p_attributes WHERE w.workflow_id = p_id;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  DELETE FROM ${s}.attribute a WHERE a.workflow_id = p_id;
  INSERT INTO ${s}.attribute (workflow_id, key, value)
  SELECT p_id, e.key, e.value::text FROM json_each(p_attributes::json) e;
  RETURN true;
END`
  })
