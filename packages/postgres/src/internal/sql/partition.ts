import { createFunction } from "./function.ts"
import { servedIn } from "./loose.ts"

/** Marks that one claim digests, and items that it gives or takes a key, at most. */
const batch = 1_000

/**
 * Writes the rows of these partitions anew: what is first, how many run, whether one may start. The caller holds the
 * queue's row and has taken the marks away in an earlier statement: a change that is not seen here leaves another one.
 */
export const partition = (s: string): string =>
  createFunction({
    name: `${s}.partition_1`,
    parameters: ["p_queue text", "p_keys text[]", "p_limits jsonb", "p_now bigint"],
    returns: "void",
    volatility: "VOLATILE",
    body: `
DECLARE
  v_concurrency bigint := (p_limits ->> 'concurrency')::bigint;
  v_limit bigint := (p_limits -> 'rateLimit' ->> 'limit')::bigint;
  v_period bigint := (p_limits -> 'rateLimit' ->> 'periodMs')::bigint;
BEGIN
  WITH k AS MATERIALIZED (
    SELECT d.key, h.*, r.running, b.until
    FROM (SELECT DISTINCT u.key COLLATE "C" AS key FROM unnest(p_keys) u(key)) d
    LEFT JOIN LATERAL (
      SELECT i.name, i.version, i.rank, i.seq FROM ${s}.queue_item i
      WHERE i.state = 'waiting' AND i.partition_key IS NOT NULL AND i.queue = p_queue AND i.partition_key = d.key
      ORDER BY i.rank, i.seq LIMIT 1
    ) h ON true
    CROSS JOIN LATERAL (
      SELECT count(*) AS running FROM ${s}.queue_item i
      WHERE i.queue = p_queue AND i.state = 'running' AND i.partition_key = d.key
    ) r
    LEFT JOIN LATERAL (
      SELECT l.next_ AS until FROM ${s}.rate_left_1(p_queue, 'k' || d.key, v_limit, v_period, 1, p_now) l
      WHERE v_limit IS NOT NULL AND h.seq IS NOT NULL
    ) b ON true
  ), gone AS (
    DELETE FROM ${s}.partition p USING (
      SELECT x.tid FROM k CROSS JOIN LATERAL (
        SELECT x.ctid AS tid FROM ${s}.partition x WHERE x.queue = p_queue AND x.partition_key = k.key OFFSET 0
      ) x WHERE k.seq IS NULL AND k.running = 0
    ) x WHERE p.ctid = x.tid
  )
  INSERT INTO ${s}.partition AS p (queue, partition_key, running, name, version, rank, seq, ready, blocked_until)
  SELECT p_queue, k.key, k.running, k.name, k.version, k.rank, k.seq,
    k.seq IS NOT NULL AND k.running < v_concurrency AND k.until IS NULL, k.until
  FROM k WHERE k.seq IS NOT NULL OR k.running > 0
  ON CONFLICT (queue, partition_key) DO UPDATE SET running = excluded.running, name = excluded.name,
    version = excluded.version, rank = excluded.rank, seq = excluded.seq, ready = excluded.ready,
    blocked_until = excluded.blocked_until;
END`
  })

/** Whether anything runs that began when the queue was not partitioned. */
export const runsKeyless = (s: string): string =>
  `EXISTS (
        SELECT FROM ${s}.queue_item i
        WHERE i.queue = p_queue AND i.state = 'running' AND i.partition_key IS NULL OFFSET 0
      )`

/**
 * Brings the partitions of a queue up to date: those that are marked, and those whose rate limit lets them go on. Items
 * without a key, from a time when the queue was not partitioned, get theirs. Returns whether there may be more to do.
 *
 * The caller holds the queue's row. Marks are only ever inserted, so nobody is waited for; one that is not visible yet is
 * digested by a later claim.
 */
export const digest = (s: string): string =>
  createFunction({
    name: `${s}.digest_1`,
    parameters: ["p_queue text", "p_limits jsonb", "p_names text[]", "p_versions text[]", "p_now bigint"],
    returns: "boolean",
    volatility: "VOLATILE",
    body: `
DECLARE
  v_keys text[];
  v_count bigint;
  v_more boolean := false;
BEGIN
  IF EXISTS (
    SELECT FROM ${s}.queue_item i
    WHERE i.state = 'waiting' AND i.partition_key IS NULL AND i.queue = p_queue OFFSET 0
  ) THEN
    WITH u AS (
      UPDATE ${s}.queue_item i SET partition_key = x.key FROM (
        SELECT i.ctid AS tid, coalesce(w.partition_key, '') AS key
        FROM (
          SELECT i.ctid, i.workflow_id FROM ${s}.queue_item i
          WHERE i.state = 'waiting' AND i.partition_key IS NULL AND i.queue = p_queue
          ORDER BY i.name, i.version, i.rank, i.seq LIMIT ${batch} FOR UPDATE SKIP LOCKED
        ) i CROSS JOIN LATERAL (
          SELECT w.partition_key FROM ${s}.workflow w WHERE w.workflow_id = i.workflow_id OFFSET 0
        ) w
      ) x WHERE i.ctid = x.tid RETURNING x.key
    )
    SELECT array_agg(DISTINCT u.key), count(*) INTO v_keys, v_count FROM u;
    v_more := v_count >= ${batch};
  END IF;
  WITH d AS (
    DELETE FROM ${s}.partition_mark p WHERE p.ctid = ANY (ARRAY(
      SELECT y.ctid FROM ${s}.partition_mark y WHERE y.queue = p_queue ORDER BY y.n LIMIT ${batch}
    )) RETURNING p.partition_key
  )
  SELECT v_keys || array_agg(DISTINCT d.partition_key), count(*) INTO v_keys, v_count FROM d;
  v_more := v_more OR v_count >= ${batch};
  -- it began when the queue was not partitioned, and counts by its key from here on, before anything starts; also what
  -- somebody is ending, who may yet give up. No mark tells of it: it would stand behind those of all keys
  IF ${runsKeyless(s)} THEN
    WITH u AS (
      UPDATE ${s}.queue_item i SET partition_key = coalesce(
        (SELECT w.partition_key FROM ${s}.workflow w WHERE w.workflow_id = i.workflow_id), ''
      ) WHERE i.queue = p_queue AND i.state = 'running' AND i.partition_key IS NULL
      RETURNING i.partition_key
    )
    SELECT v_keys || array_agg(DISTINCT u.partition_key) INTO v_keys FROM u;
  END IF;
  IF p_limits ->> 'rateLimit' IS NOT NULL THEN
    SELECT v_keys || array_agg(b.partition_key) INTO v_keys
    FROM (SELECT DISTINCT p.name, p.version FROM unnest(p_names, p_versions) AS p(name, version)) p
    CROSS JOIN LATERAL (
      SELECT t.partition_key FROM ${s}.partition t
      WHERE t.blocked_until IS NOT NULL AND t.queue = p_queue AND t.name = p.name AND t.version = p.version
        AND t.blocked_until <= p_now
      ORDER BY t.blocked_until LIMIT ${batch}
    ) b;
  END IF;
  IF v_keys IS NOT NULL THEN
    PERFORM ${s}.partition_1(p_queue, v_keys, p_limits, p_now);
  END IF;
  RETURN v_more;
END`
  })

/**
 * A queue that is not partitioned (any more): what waits in it with a key goes into the common order. Where it has become
 * partitioned since the claim has read its limits, each statement leaves alone what that has left for the next claim.
 */
export const unkey = (s: string): string =>
  createFunction({
    name: `${s}.unkey_1`,
    parameters: ["p_queue text"],
    returns: "boolean",
    volatility: "VOLATILE",
    body: `
DECLARE
  v_count bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM ${s}.partition_mark p WHERE p.queue = p_queue OFFSET 0) THEN
    RETURN false;
  END IF;
  DELETE FROM ${s}.partition_mark p WHERE p.ctid = ANY (ARRAY(
    SELECT y.ctid FROM ${s}.partition_mark y WHERE y.queue = p_queue AND ${unpartitioned(s)}
    ORDER BY y.n LIMIT ${batch}
    FOR UPDATE SKIP LOCKED
  ));
  DELETE FROM ${s}.partition p WHERE p.ctid = ANY (ARRAY(
    SELECT y.ctid FROM ${s}.partition y WHERE y.queue = p_queue AND ${unpartitioned(s)}
    ORDER BY y.partition_key LIMIT ${batch}
    FOR UPDATE SKIP LOCKED
  ));
  UPDATE ${s}.queue_item i SET partition_key = NULL WHERE i.ctid = ANY (ARRAY(
    SELECT y.ctid FROM ${s}.queue_item y
    WHERE y.state = 'waiting' AND y.partition_key IS NOT NULL AND y.queue = p_queue AND ${unpartitioned(s)}
    ORDER BY y.partition_key, y.rank, y.seq LIMIT ${batch} FOR UPDATE SKIP LOCKED
  ));
  GET DIAGNOSTICS v_count = ROW_COUNT;
  -- beyond the batch, or held by somebody who may yet give up: a mark brings the next claim back to it
  IF EXISTS (
    SELECT FROM ${s}.queue_item y
    WHERE y.state = 'waiting' AND y.partition_key IS NOT NULL AND y.queue = p_queue OFFSET 0
  ) THEN
    INSERT INTO ${s}.partition_mark (queue, partition_key) VALUES (p_queue, '');
  END IF;
  RETURN v_count >= ${batch};
END`
  })

const unpartitioned = (s: string): string =>
  `NOT EXISTS (
      SELECT FROM ${s}.queue q WHERE q.name = p_queue AND q.limits ->> 'partitioned' IS NOT NULL OFFSET 0
    )`

/**
 * The first of ready partitions, in the order of the queue: of each as many as its limits allow, as long as they are
 * served, without a gap. The caller holds the queue's row.
 *
 * Locks: ownership rows in that order, skipping: behind one that somebody holds (it is being cancelled, or moved) nothing
 * of its partition is taken.
 */
export const pickHeads = (s: string): string =>
  createFunction({
    name: `${s}.pick_heads_1`,
    parameters: [
      "p_queue text",
      "p_incarnation text",
      "p_names text[]",
      "p_versions text[]",
      "p_limits jsonb",
      "p_budget bigint",
      "p_now bigint"
    ],
    returns: "TABLE (ids_ text[], keys_ text[])",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_concurrency bigint := (p_limits ->> 'concurrency')::bigint;
  v_own bigint := (p_limits ->> 'executorConcurrency')::bigint;
  v_limit bigint := (p_limits -> 'rateLimit' ->> 'limit')::bigint;
  v_period bigint := (p_limits -> 'rateLimit' ->> 'periodMs')::bigint;
  -- partitions that are ready, but not for this executor, may stand before the others
  v_heads bigint := p_budget + CASE WHEN v_own IS NULL THEN 0 ELSE (
    SELECT count(*) FROM ${s}.ownership o WHERE o.executor = p_incarnation AND o.queue = p_queue AND o.queue > ''
  ) END;
  v_ids text[];
  v_keys text[];
BEGIN
  WITH RECURSIVE ${servedIn(s, "ready", "partition", "t.ready", "p_queue")}, heads AS MATERIALIZED (
    SELECT h.partition_key AS key, h.running
    FROM ready d CROSS JOIN LATERAL (
      SELECT p.partition_key, p.running, p.rank, p.seq FROM ${s}.partition p
      WHERE p.ready AND p.queue = p_queue AND p.name = d.name AND p.version = d.version
      ORDER BY p.rank, p.seq LIMIT v_heads
    ) h
    WHERE EXISTS (
      SELECT FROM unnest(p_names, p_versions) AS p(name, version) WHERE p.name = d.name AND p.version = d.version
    )
    ORDER BY h.rank, h.seq LIMIT v_heads
  ), room AS MATERIALIZED (
    SELECT h.key, least(p_budget, v_concurrency - h.running, r.allowed, v_own - m.mine) AS room
    FROM heads h
    LEFT JOIN LATERAL (
      SELECT l.left_ AS allowed
      FROM ${s}.rate_left_1(p_queue, 'k' || h.key, v_limit, v_period, p_budget, p_now) l WHERE v_limit IS NOT NULL
    ) r ON true
    LEFT JOIN LATERAL (
      SELECT count(*) AS mine
      FROM ${s}.queue_item i CROSS JOIN LATERAL (
        SELECT FROM ${s}.ownership o WHERE o.workflow_id = i.workflow_id AND o.executor = p_incarnation OFFSET 0
      ) o
      WHERE v_own IS NOT NULL AND i.queue = p_queue AND i.state = 'running' AND i.partition_key = h.key
    ) m ON true
  ), first AS (
    SELECT i.workflow_id, r.key, i.rank, i.seq, bool_and(EXISTS (
        SELECT FROM unnest(p_names, p_versions) AS p(name, version) WHERE p.name = i.name AND p.version = i.version
      )) OVER (PARTITION BY r.key ORDER BY i.rank, i.seq) AS runnable
    FROM room r CROSS JOIN LATERAL (
      SELECT i.workflow_id, i.name, i.version, i.rank, i.seq FROM ${s}.queue_item i
      WHERE i.state = 'waiting' AND i.partition_key IS NOT NULL AND i.queue = p_queue AND i.partition_key = r.key
      ORDER BY i.rank, i.seq LIMIT greatest(r.room, 0)
    ) i
  )
  SELECT array_agg(l.workflow_id ORDER BY l.rank, l.seq), array_agg(l.key ORDER BY l.rank, l.seq) INTO v_ids, v_keys
  FROM (SELECT * FROM first f WHERE f.runnable ORDER BY f.rank, f.seq LIMIT p_budget) l;
  IF v_ids IS NOT NULL THEN
    SELECT array_agg(l.id ORDER BY l.n), array_agg(l.key ORDER BY l.n) INTO v_ids, v_keys
    FROM (
      SELECT k.id, k.key, k.n, bool_and(o.free IS NOT NULL) OVER (PARTITION BY k.key ORDER BY k.n) AS gapless
      FROM unnest(v_ids, v_keys) WITH ORDINALITY k(id, key, n)
      LEFT JOIN LATERAL (
        SELECT true AS free FROM ${s}.ownership o
        WHERE o.workflow_id = k.id AND o.executor IS NULL FOR NO KEY UPDATE SKIP LOCKED
      ) o ON true
    ) l WHERE l.gapless;
  END IF;
  RETURN QUERY SELECT v_ids, v_keys;
END`
  })
