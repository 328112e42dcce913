import { createFunction } from "./function.ts"

/**
 * How many wait before a workflow in its queue, or in its partition; null: it does not wait. Counted up to `p_limit`, by
 * range over the index that claims go by: it leads with name and version, so each of those that wait is counted apart.
 */
export const position = (s: string): string =>
  createFunction({
    name: `${s}.position_1`,
    parameters: ["p_id text", "p_limit integer"],
    returns: "bigint",
    volatility: "STABLE",
    body: `
DECLARE
  v_item record;
  v_kind record;
  v_count bigint := 0;
  v_some bigint;
BEGIN
  SELECT i.queue, i.partition_key, i.rank, i.seq INTO v_item
  FROM ${s}.queue_item i WHERE i.workflow_id = p_id AND i.state = 'waiting';
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF v_item.partition_key IS NOT NULL THEN
    SELECT count(*) INTO v_count FROM (
      SELECT FROM ${s}.queue_item i
      WHERE i.state = 'waiting' AND i.queue = v_item.queue AND i.partition_key = v_item.partition_key
        AND (i.rank, i.seq) < (v_item.rank, v_item.seq)
      LIMIT p_limit
    ) b;
    RETURN v_count;
  END IF;
  FOR v_kind IN
    WITH RECURSIVE k AS (
      (SELECT i.name, i.version FROM ${s}.queue_item i
       WHERE i.state = 'waiting' AND i.partition_key IS NULL AND i.queue = v_item.queue
       ORDER BY i.name, i.version LIMIT 1)
      UNION ALL
      SELECT n.name, n.version FROM k CROSS JOIN LATERAL (
        SELECT i.name, i.version FROM ${s}.queue_item i
        WHERE i.state = 'waiting' AND i.partition_key IS NULL AND i.queue = v_item.queue
          AND (i.name, i.version) > (k.name, k.version)
        ORDER BY i.name, i.version LIMIT 1
      ) n
    )
    SELECT k.name, k.version FROM k
  LOOP
    SELECT count(*) INTO v_some FROM (
      SELECT FROM ${s}.queue_item i
      WHERE i.state = 'waiting' AND i.partition_key IS NULL AND i.queue = v_item.queue
        AND i.name = v_kind.name AND i.version = v_kind.version AND (i.rank, i.seq) < (v_item.rank, v_item.seq)
      LIMIT p_limit - v_count
    ) b;
    v_count := v_count + v_some;
    EXIT WHEN v_count >= p_limit;
  END LOOP;
  RETURN v_count;
END`
  })
