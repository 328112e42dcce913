import { createFunction, readCommitted } from "./function.ts"

/**
 * Replaces the attributes of a workflow; false: there is none. The row is locked first, so that of two at once the
 * second finds what the first has written.
 *
 * Locks: the workflow's row; its attributes have no other writer but its insertion.
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
