import { ageing, rank } from "./enqueue.ts"
import { createFunction, quoteLiteral, readCommitted } from "./function.ts"

/**
 * How items leave and come back. The caller holds the ownership rows of `p_ids`, which is what an item is changed under;
 * nothing here waits for anybody.
 *
 * A partition's row is never touched: whoever changes what it tells leaves a mark, to be digested by the next claim.
 */
const marked = (s: string, changed: string): string => `
  INSERT INTO ${s}.partition_mark (queue, partition_key)
  SELECT DISTINCT c.queue, c.partition_key FROM ${changed} c WHERE c.partition_key IS NOT NULL`

/** For good: settled, cancelled, dead. Their deduplication ids are free. */
export const leaveQueue = (s: string): string =>
  createFunction({
    name: `${s}.leave_queue_1`,
    parameters: ["p_ids text[]"],
    returns: "void",
    volatility: "VOLATILE",
    body: `
BEGIN
  WITH d AS (
    DELETE FROM ${s}.queue_item i WHERE i.workflow_id = ANY (p_ids)
    RETURNING i.workflow_id, i.queue, i.partition_key, i.deduplication_id
  ), f AS (
    DELETE FROM ${s}.deduplication u USING (
      SELECT x.tid FROM d CROSS JOIN LATERAL (
        SELECT y.ctid AS tid FROM ${s}.deduplication y
        WHERE y.queue = d.queue AND y.deduplication_id = d.deduplication_id AND y.workflow_id = d.workflow_id OFFSET 0
      ) x WHERE d.deduplication_id IS NOT NULL
    ) x WHERE u.ctid = x.tid
  )${marked(s, "d")};
END`
  })

/**
 * `p_state` `waiting`: what was running waits in its old place, and is ENQUEUED; `parked`: it has no place. Those of
 * `p_ids` that are in no queue are passed over.
 */
export const moveItems = (s: string): string =>
  createFunction({
    name: `${s}.move_items_1`,
    parameters: ["p_ids text[]", "p_state text"],
    returns: "void",
    volatility: "VOLATILE",
    body: `
BEGIN
  WITH d AS (
    UPDATE ${s}.queue_item i SET state = p_state WHERE i.workflow_id = ANY (p_ids) AND i.state = 'running'
    RETURNING i.workflow_id, i.queue, i.partition_key
  ), w AS (
    UPDATE ${s}.workflow w SET status = 'ENQUEUED' FROM (
      SELECT p.tid FROM d CROSS JOIN LATERAL (
        SELECT p.ctid AS tid FROM ${s}.workflow p WHERE p.workflow_id = d.workflow_id OFFSET 0
      ) p WHERE p_state = 'waiting'
    ) p WHERE w.ctid = p.tid
  )${marked(s, "d")};
END`
  })

/**
 * Lets delayed items whose time has come wait, in the order of their times, behind what waits; a debounced one's
 * deduplication id is free. However many there are, those of `p_ids` (of this queue) are among them. Returns whether there
 * may be more.
 *
 * Locks: ownership rows, skipping locked ones, whose holders are changing just that.
 */
export const promote = (s: string): string =>
  createFunction({
    name: `${s}.promote_1`,
    parameters: ["p_queue text", "p_ids text[]", "p_ageing numeric", "p_now bigint"],
    returns: "boolean",
    volatility: "VOLATILE",
    body: `
DECLARE
  v_ids text[];
BEGIN
  SELECT array_agg(l.workflow_id) INTO v_ids FROM (
    SELECT c.workflow_id
    FROM (
      (SELECT i.workflow_id FROM ${s}.queue_item i
       WHERE i.state = 'delayed' AND i.queue = p_queue AND i.due_at <= p_now
       ORDER BY i.due_at, i.seq LIMIT ${promoted})
      UNION
      SELECT k.id FROM unnest(p_ids) k(id)
    ) c CROSS JOIN LATERAL (
      SELECT 1 FROM ${s}.ownership o WHERE o.workflow_id = c.workflow_id FOR NO KEY UPDATE SKIP LOCKED
    ) o
  ) l;
  IF v_ids IS NULL THEN
    RETURN false;
  END IF;
  -- later snapshot, under the locks: moved or gone since
  WITH x AS MATERIALIZED (
    SELECT y.*, nextval(${quoteLiteral(`${s}.queue_place`)}) AS place
    FROM (
      SELECT i.ctid AS tid, i.workflow_id, i.queue, i.partition_key, i.due_at, i.deduplication_id, i.debounce_limit,
        w.priority::bigint AS priority, w.tid AS long
      FROM unnest(v_ids) k(id)
      CROSS JOIN LATERAL (
        SELECT i.ctid, i.* FROM ${s}.queue_item i
        WHERE i.workflow_id = k.id AND i.state = 'delayed' AND i.due_at <= p_now OFFSET 0
      ) i
      CROSS JOIN LATERAL (
        SELECT w.ctid AS tid, w.priority FROM ${s}.workflow w WHERE w.workflow_id = k.id OFFSET 0
      ) w
      ORDER BY i.due_at, i.seq
    ) y
  ), i AS (
    UPDATE ${s}.queue_item i SET state = 'waiting', seq = x.place, enqueued_at = x.due_at, due_at = NULL,
      rank = ${rank("x.priority", "x.due_at", "p_ageing")}, debounce_limit = NULL,
      deduplication_id = CASE WHEN x.debounce_limit IS NULL THEN x.deduplication_id END
    FROM x WHERE i.ctid = x.tid
  ), w AS (
    UPDATE ${s}.workflow w SET status = 'ENQUEUED' FROM x WHERE w.ctid = x.long
  ), f AS (
    DELETE FROM ${s}.deduplication u USING (
      SELECT y.tid FROM x CROSS JOIN LATERAL (
        SELECT y.ctid AS tid FROM ${s}.deduplication y
        WHERE y.queue = x.queue AND y.deduplication_id = x.deduplication_id AND y.workflow_id = x.workflow_id OFFSET 0
      ) y WHERE x.debounce_limit IS NOT NULL
    ) y WHERE u.ctid = y.tid
  )${marked(s, "x")};
  RETURN cardinality(v_ids) >= ${promoted};
END`
  })

/** Delayed items that one call lets wait, beside those that it names. */
const promoted = 1_000

/**
 * How many of `p_want` starts a rate limit allows now, and, where it is none, from when on it does.
 *
 * Starts are numbered without a gap and their times never decrease, so the start that must have left the window is found
 * by its number. The caller holds the queue's row.
 */
export const rateLeft = (s: string): string =>
  createFunction({
    name: `${s}.rate_left_1`,
    parameters: ["p_queue text", "p_scope text", "p_limit bigint", "p_period bigint", "p_want bigint", "p_now bigint"],
    returns: "TABLE (left_ bigint, next_ bigint)",
    volatility: "STABLE",
    body: `
DECLARE
  v_first bigint;
  v_n bigint;
  v_at bigint;
BEGIN
  SELECT t.n - p_limit + 1 INTO v_first
  FROM ${s}.queue_start t WHERE t.queue = p_queue AND t.scope = p_scope ORDER BY t.n DESC LIMIT 1;
  SELECT t.n, t.at INTO v_n, v_at
  FROM ${s}.queue_start t
  WHERE t.queue = p_queue AND t.scope = p_scope AND t.n >= v_first AND t.n < v_first + least(p_want, p_limit)
    AND t.at > p_now - p_period
  ORDER BY t.n LIMIT 1;
  RETURN QUERY SELECT coalesce(v_n - v_first, least(p_want, p_limit)), CASE WHEN v_n = v_first THEN v_at + p_period END;
END`
  })

/** Writes down starts under rate limits, and forgets those that no window holds any more. The caller holds the queue's row. */
export const rateStarted = (s: string): string =>
  createFunction({
    name: `${s}.rate_started_1`,
    parameters: ["p_queue text", "p_scopes text[]", "p_keep bigint", "p_now bigint"],
    returns: "void",
    volatility: "VOLATILE",
    body: `
BEGIN
  INSERT INTO ${s}.queue_start (queue, scope, n, at)
  SELECT p_queue, k.scope, coalesce(t.n, 0) + row_number() OVER (PARTITION BY k.scope), greatest(t.at, p_now)
  FROM unnest(p_scopes) k(scope)
  LEFT JOIN LATERAL (
    SELECT t.n, t.at FROM ${s}.queue_start t
    WHERE t.queue = p_queue AND t.scope = k.scope ORDER BY t.n DESC LIMIT 1
  ) t ON true;
  DELETE FROM ${s}.queue_start t WHERE t.ctid = ANY (ARRAY(
    SELECT y.ctid FROM ${s}.queue_start y WHERE y.queue = p_queue AND y.at <= p_now - p_keep
    ORDER BY y.at LIMIT cardinality(p_scopes) * 2 + 100
  ));
END`
  })

/**
 * What code declares, or an operator sets; returns whether the ageing is another now, or null: there is no such queue.
 *
 * `p_mode` `declare`: made when missing, and not even locked where it is like this already; `set`: an operator's; `restore`:
 * the declared ones again; `keep`: only the pause is changed.
 *
 * Locks, waiting: the queue's row. What is derived from the limits (ready partitions, the rank) follows in later statements.
 */
export const changeQueue = (s: string): string =>
  createFunction({
    name: `${s}.change_queue_1`,
    parameters: ["p_lock_ms integer", "p_name text", "p_mode text", "p_limits jsonb", "p_paused boolean"],
    returns: "boolean",
    volatility: "VOLATILE",
    body: `
DECLARE
  v_old ${s}.queue;
  v_new jsonb;
BEGIN${readCommitted}
  IF p_mode = 'declare' THEN
    PERFORM 1 FROM ${s}.queue q
    WHERE q.name = p_name AND q.declared = p_limits AND (q.overridden OR q.limits = p_limits);
    IF FOUND THEN
      RETURN false;
    END IF;
    PERFORM set_config('lock_timeout', p_lock_ms::text, true);
    INSERT INTO ${s}.queue (name, limits, declared) VALUES (p_name, p_limits, p_limits) ON CONFLICT (name) DO NOTHING;
    IF FOUND THEN
      RETURN false;
    END IF;
  END IF;
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  SELECT * INTO v_old FROM ${s}.queue q WHERE q.name = p_name FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  v_new := CASE p_mode
    WHEN 'set' THEN p_limits
    WHEN 'restore' THEN v_old.declared
    WHEN 'declare' THEN CASE WHEN v_old.overridden THEN v_old.limits ELSE p_limits END
    ELSE v_old.limits END;
  UPDATE ${s}.queue q SET
    limits = v_new,
    declared = CASE p_mode WHEN 'declare' THEN p_limits ELSE q.declared END,
    overridden = CASE p_mode WHEN 'set' THEN true WHEN 'restore' THEN false ELSE q.overridden END,
    paused = coalesce(p_paused, q.paused),
    reorder_at = CASE WHEN v_new -> 'ageingMs' IS DISTINCT FROM v_old.limits -> 'ageingMs'
      THEN ${s}.now_ms() + ${againAfterMs} ELSE q.reorder_at END
  WHERE q.name = p_name;
  IF v_new = v_old.limits THEN
    RETURN false;
  END IF;
  INSERT INTO ${s}.partition_mark (queue, partition_key)
  SELECT p.queue, p.partition_key FROM ${s}.partition p WHERE p.queue = p_name;
  RETURN v_old.limits -> 'ageingMs' IS DISTINCT FROM v_new -> 'ageingMs';
END`
  })

/** What has read the old ageing is through by then: a start, a priority, the end of a delay. */
const againAfterMs = 60_000

/** The second time that a queue is ordered anew, by one of all that sweep. */
export const reorderStatement = (s: string): string => `
  WITH d AS (
    UPDATE ${s}.queue q SET reorder_at = NULL
    FROM (SELECT ${s}.now_ms() AS now OFFSET 0) n WHERE q.reorder_at <= n.now
    RETURNING q.name
  )
  SELECT ${s}.rerank_1(d.name) FROM d`

/**
 * Orders anew what waits in a queue, or may wait there again in its old place, after its ageing was changed by a statement
 * that is committed; and once more later, for what was under way.
 *
 * Locks: item rows, skipping those that are locked or have moved: they are leaving, or being given a rank just now.
 */
export const rerank = (s: string): string =>
  createFunction({
    name: `${s}.rerank_1`,
    parameters: ["p_name text"],
    returns: "void",
    volatility: "VOLATILE",
    body: `
DECLARE
  v_ageing numeric := (SELECT ${ageing("q.limits")} FROM ${s}.queue q WHERE q.name = p_name);
BEGIN${readCommitted}
${
      reranked.map((which) => `
  WITH u AS (
    UPDATE ${s}.queue_item i SET rank = x.rank FROM (
      SELECT i.tid, i.rank AS old, ${rank("w.priority", "i.enqueued_at", "v_ageing")} AS rank
      FROM (
        SELECT i.ctid AS tid, i.* FROM ${s}.queue_item i
        WHERE i.queue = p_name AND ${which} FOR UPDATE SKIP LOCKED
      ) i CROSS JOIN LATERAL (
        SELECT w.priority::bigint AS priority FROM ${s}.workflow w WHERE w.workflow_id = i.workflow_id OFFSET 0
      ) w
    ) x WHERE i.ctid = x.tid AND x.rank <> x.old
    RETURNING i.queue, i.partition_key
  )${marked(s, "u")};`).join("")
    }
END`
  })

/** As the indexes have them. */
const reranked = [
  "i.state = 'waiting' AND i.partition_key IS NULL",
  "i.state = 'waiting' AND i.partition_key IS NOT NULL",
  "i.state = 'running'"
]

/** Locks, waiting: the queue's row. An item that a start inserts meanwhile makes it a queue without limits. */
export const deleteQueue = (s: string): string =>
  createFunction({
    name: `${s}.delete_queue_1`,
    parameters: ["p_lock_ms integer", "p_name text"],
    returns: "text",
    volatility: "VOLATILE",
    body: `
BEGIN${readCommitted}
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  PERFORM 1 FROM ${s}.queue q WHERE q.name = p_name FOR UPDATE;
  IF NOT FOUND THEN
    RETURN 'unknown';
  END IF;
  IF EXISTS (SELECT FROM ${s}.queue_item i WHERE i.queue = p_name AND i.state = 'waiting' AND i.partition_key IS NULL)
    OR EXISTS (SELECT FROM ${s}.queue_item i WHERE i.queue = p_name AND i.state = 'waiting' AND i.partition_key IS NOT NULL)
    OR EXISTS (SELECT FROM ${s}.queue_item i WHERE i.queue = p_name AND i.state = 'delayed')
    OR EXISTS (SELECT FROM ${s}.queue_item i WHERE i.queue = p_name AND i.state IN ('running', 'parked')) THEN
    RETURN 'occupied';
  END IF;
  DELETE FROM ${s}.queue q WHERE q.name = p_name;
  DELETE FROM ${s}.partition p WHERE p.queue = p_name;
  DELETE FROM ${s}.partition_mark p WHERE p.queue = p_name;
  DELETE FROM ${s}.queue_start t WHERE t.queue = p_name;
  RETURN 'deleted';
END`
  })

/**
 * The new priority of what waits or is delayed. Its place among equals is by when it was enqueued: `seq` stays.
 *
 * Locks, waiting: its ownership row, then what belongs to it.
 */
export const setPriority = (s: string): string =>
  createFunction({
    name: `${s}.set_priority_1`,
    parameters: ["p_lock_ms integer", "p_id text", "p_priority integer"],
    returns: "text",
    volatility: "VOLATILE",
    body: `
DECLARE
  v_item ${s}.queue_item;
  v_ageing numeric;
BEGIN${readCommitted}
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = p_id FOR NO KEY UPDATE;
  IF FOUND THEN
    SELECT * INTO v_item FROM ${s}.queue_item i WHERE i.workflow_id = p_id AND i.state IN ('waiting', 'delayed');
  END IF;
  IF NOT FOUND THEN
    RETURN ${unchanged(s)};
  END IF;
  v_ageing := (SELECT ${ageing("q.limits")} FROM ${s}.queue q WHERE q.name = v_item.queue);
  -- what it is now: a claim may have given it a key since
  UPDATE ${s}.queue_item i SET rank = ${rank("p_priority::bigint", "i.enqueued_at", "v_ageing")}
  WHERE i.workflow_id = p_id
  RETURNING i.* INTO v_item;
  UPDATE ${s}.workflow w SET priority = p_priority WHERE w.workflow_id = p_id;
  IF v_item.state = 'waiting' AND v_item.partition_key IS NOT NULL THEN
    INSERT INTO ${s}.partition_mark (queue, partition_key) VALUES (v_item.queue, v_item.partition_key);
  END IF;
  RETURN 'changed';
END`
  })

/**
 * Moves the start of a delayed one, in a queue or outside. Once its time has come it is not delayed any more, claimed or not.
 * Locks as `set_priority_1`.
 */
export const setDelay = (s: string): string =>
  createFunction({
    name: `${s}.set_delay_1`,
    parameters: ["p_lock_ms integer", "p_id text", "p_delay bigint"],
    returns: "text",
    volatility: "VOLATILE",
    body: `
DECLARE
  v_now bigint;
BEGIN${readCommitted}
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = p_id FOR NO KEY UPDATE;
  IF FOUND THEN
    PERFORM 1 FROM ${s}.workflow w WHERE w.workflow_id = p_id AND w.status = 'DELAYED';
  END IF;
  IF FOUND THEN
    v_now := ${s}.now_ms();
    UPDATE ${s}.queue_item i SET due_at = v_now + p_delay
    WHERE i.workflow_id = p_id AND i.state = 'delayed' AND i.due_at > v_now;
    IF NOT FOUND THEN
      UPDATE ${s}.mailbox m SET wake_at = v_now + p_delay
      WHERE m.workflow_id = p_id AND m.queue = '' AND m.wake_at > v_now;
    END IF;
  END IF;
  RETURN CASE WHEN FOUND THEN 'changed' ELSE ${unchanged(s)} END;
END`
  })

const unchanged = (s: string): string =>
  `CASE WHEN EXISTS (SELECT FROM ${s}.workflow w WHERE w.workflow_id = p_id) THEN 'started' ELSE 'unknown' END`
