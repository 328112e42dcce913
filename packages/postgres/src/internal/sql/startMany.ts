import { createFunction } from "./function.ts"

/**
 * What a flush had to say about many starts of which all are to be made, or none: `$1` whether a deduplication id that is
 * taken refuses them, then the flush's parameters. One that cannot be refuses them all, and undoes what was written.
 */
export const startManyStatement = (s: string, flush: (s: string, before: number) => string): string => `
  SELECT r.op_, r.part_, r.tag_, r.name_, r.same_, r.inbox_
  FROM (
    SELECT array_agg(f.op_) AS ops, array_agg(f.tag_) AS tags, array_agg(f.name_) AS names, array_agg(f.same_) AS same
    FROM ${flush(s, 1)} f
  ) a CROSS JOIN LATERAL ${s}.started_many_1($1::boolean, a.ops, a.tags, a.names, a.same) r`

/** Refuses by raising `PD005`, with the first refusal as JSON in the message. */
export const startedMany = (s: string): string =>
  createFunction({
    name: `${s}.started_many_1`,
    parameters: ["p_refuse boolean", "p_ops integer[]", "p_tags text[]", "p_names text[]", "p_same boolean[]"],
    returns: "TABLE (op_ integer, part_ integer, tag_ text, name_ text, same_ boolean, inbox_ bigint)",
    volatility: "VOLATILE",
    body: `
DECLARE
  v_one record;
BEGIN
  IF 'Busy' = ANY (p_tags) THEN
    RAISE EXCEPTION 'somebody holds what one of many starts needs' USING ERRCODE = 'PD002';
  END IF;
  SELECT k.op, k.tag, k.name, h.name AS holder INTO v_one
  FROM unnest(p_ops, p_tags, p_names, p_same) AS k(op, tag, name, same)
  LEFT JOIN LATERAL (
    SELECT h.name FROM unnest(p_ops, p_tags, p_names) AS h(op, tag, name)
    WHERE h.op = k.op AND h.tag = 'Holder' AND k.tag = 'Duplicate' LIMIT 1
  ) h ON true
  WHERE k.tag = 'NoQueue' OR (k.tag = 'Exists' AND NOT k.same) OR (k.tag = 'Duplicate' AND p_refuse)
  ORDER BY k.op LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'PD005', MESSAGE =
      json_build_object('index', v_one.op, 'tag', v_one.tag, 'name', v_one.name, 'holder', v_one.holder)::text;
  END IF;
  RETURN QUERY
    SELECT k.op, NULL::integer, k.tag, k.name, k.same, NULL::bigint
    FROM unnest(p_ops, p_tags, p_names, p_same) AS k(op, tag, name, same);
END`
  })
