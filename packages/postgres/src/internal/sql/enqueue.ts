/**
 * What the starts that a flush has inserted (`v_new`; null: all of them) have besides their rows: an item in a queue, in the order of the
 * batch, since places in a queue are given in the order of the calls; a delay; attributes. Plain starts pay one test.
 *
 * Locks nothing that was there before.
 */
export const enqueue = (s: string, filter: string): string => `
    IF v_count > 0 AND cardinality(s_queue) > 0 THEN
      WITH q AS MATERIALIZED (
        SELECT n.name, ${ageing("q.limits")} AS ageing
        FROM (SELECT DISTINCT k.name FROM unnest(s_queue) k(name)) n
        CROSS JOIN LATERAL (SELECT q.limits FROM ${s}.queue q WHERE q.name = n.name OFFSET 0) q
        WHERE q.limits ->> 'ageingMs' IS NOT NULL
      ), x AS MATERIALIZED (
        SELECT x.*, coalesce(x.priority::bigint, 0) AS points, v_now + coalesce(x.delay::bigint, 0) AS at,
          (SELECT q.ageing FROM q WHERE q.name = x.queue) AS ageing
        FROM unnest(s_op, s_child, s_id, s_name, s_version, s_queue, s_priority, s_partition, s_dedup, s_debounce, s_expected,
          s_delay)
          AS x(op, child, id, name, version, queue, priority, partition, dedup, debounce, expected, delay)
        WHERE x.queue IS NOT NULL AND (v_new IS NULL OR x.id = ANY (v_new)) AND ${filter}
      ), items AS (
        INSERT INTO ${s}.queue_item (workflow_id, queue, name, version, state, rank, enqueued_at, due_at, partition_key,
          deduplication_id, debounce_limit)
        SELECT x.id, x.queue, x.name, x.version, CASE WHEN x.delay > 0 THEN 'delayed' ELSE 'waiting' END,
          ${rank("x.points", "x.at", "x.ageing")}, x.at, CASE WHEN x.delay > 0 THEN x.at END, x.partition, x.dedup,
          v_now + x.debounce::bigint
        FROM x ORDER BY x.op, x.child
      )
      INSERT INTO ${s}.partition_mark (queue, partition_key)
      SELECT DISTINCT x.queue, x.partition FROM x WHERE x.partition IS NOT NULL AND (x.delay > 0) IS NOT TRUE;
    END IF;
    IF v_count > 0 AND cardinality(s_delay) > 0 THEN
      UPDATE ${s}.mailbox m SET wake_at = v_now + x.delay
      FROM (
        SELECT p.tid, x.delay::bigint AS delay
        FROM unnest(s_op, s_child, s_id, s_queue, s_expected, s_delay) AS x(op, child, id, queue, expected, delay)
        CROSS JOIN LATERAL (SELECT p.ctid AS tid FROM ${s}.mailbox p WHERE p.workflow_id = x.id OFFSET 0) p
        WHERE x.delay > 0 AND x.queue IS NULL AND (v_new IS NULL OR x.id = ANY (v_new)) AND ${filter}
      ) x WHERE m.ctid = x.tid;
    END IF;
    IF v_count > 0 AND cardinality(s_attributes) > 0 THEN
      INSERT INTO ${s}.attribute (workflow_id, key, value)
      SELECT x.id, e.key, e.value::text
      FROM unnest(s_op, s_child, s_id, s_expected, s_attributes) AS x(op, child, id, expected, attributes)
      CROSS JOIN LATERAL json_each(x.attributes::json) e
      WHERE x.attributes IS NOT NULL AND (v_new IS NULL OR x.id = ANY (v_new)) AND ${filter};
    END IF;`

/** The ageing of a queue, from its limits; null: none. */
export const ageing = (limits: string): string => `(${limits} ->> 'ageingMs')::numeric`

/** The place in a queue, lower first; among equals comes what was enqueued first. Any numbers: it saturates. */
export const rank = (priority: string, at: string, ageing: string): string =>
  `CASE WHEN ${ageing} IS NULL THEN -${priority} ELSE greatest(${at} - ${priority} * ${ageing}, -9e18) END::bigint`
