import { own, pickDue, stillDue } from "./claim.ts"
import { ageing } from "./enqueue.ts"
import { createFunction } from "./function.ts"
import { servedIn } from "./loose.ts"
import { runsKeyless } from "./partition.ts"

const parameters = [
  "p_queue text",
  "p_incarnation text",
  "p_executor text",
  "p_version text",
  "p_names text[]",
  "p_versions text[]",
  "p_limit integer"
]

/** Whether a claim counts anything there. */
const counts = (limits: string): string => `${limits} - 'ageingMs' @? '$.* ? (@ != null)'`

/**
 * The limits of a queue, and its row's lock: where it has any, whoever holds it is the only one who admits or wakes there,
 * so what is counted in a later snapshot stays true until the commit. Where it has none, a claim keeps out only those that
 * count, because it was given limits meanwhile. Somebody else has it: `contended_`, look again. A queue that is not there
 * (any more) has no limits.
 */
const lockQueue = (s: string): string => `
  SELECT q.limits INTO v_limits FROM ${s}.queue q WHERE q.name = p_queue;
  IF FOUND THEN
    IF ${counts("v_limits")} THEN
      SELECT q.limits, q.paused INTO v_limits, v_paused
      FROM ${s}.queue q WHERE q.name = p_queue FOR UPDATE SKIP LOCKED;
    ELSE
      SELECT q.limits, q.paused INTO v_limits, v_paused
      FROM ${s}.queue q WHERE q.name = p_queue AND NOT (${counts("q.limits")})
      FOR KEY SHARE SKIP LOCKED;
    END IF;
    IF NOT FOUND THEN
      ids_ := '{}';
      contended_ := true;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;
  v_now := ${s}.now_ms();
  v_own := (v_limits ->> 'executorConcurrency')::bigint;`

/** What this executor may still have in memory: `v_budget`. */
const withinExecutor = (s: string): string => `
  IF v_own IS NOT NULL THEN
    SELECT least(v_budget, v_own - count(*)) INTO v_budget
    FROM ${s}.ownership o WHERE o.executor = p_incarnation AND o.queue = p_queue AND o.queue > '';
  END IF;`

/** Wakes what the queue has admitted before, as far as this executor has places in memory. */
export const wakeQueue = (s: string): string =>
  createFunction({
    name: `${s}.wake_queue_1`,
    parameters,
    returns: "TABLE (ids_ text[], next_ bigint, contended_ boolean)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_limits jsonb;
  v_paused boolean;
  v_own bigint;
  v_budget bigint := p_limit;
  v_ids text[];
BEGIN${lockQueue(s)}${withinExecutor(s)}
  IF v_budget > 0 THEN
    v_own := (v_limits -> 'partitioned' ->> 'executorConcurrency')::bigint;
    IF v_own IS NULL THEN${pickDue(s, "p_queue", "v_budget")}
    ELSE
      IF ${runsKeyless(s)} THEN
        -- also where nothing waits, so that nobody else counts here
        PERFORM ${s}.digest_1(p_queue, v_limits -> 'partitioned', p_names, p_versions, v_now);
      END IF;${pickDueOfKeys(s)}
    END IF;
    IF v_ids IS NOT NULL THEN
${own(s, "p_executor", "p_version")}
    END IF;
  END IF;
  RETURN QUERY SELECT coalesce(v_ids, '{}'), NULL::bigint, false;
END`
  })

/** Sleepers that are looked at where partitions limit what an executor has in memory. */
const looked = 1_000

/**
 * Like {@link pickDue}, of each partition no more than `v_own` with what this executor has of it in memory. Only whoever
 * holds the queue's row makes an executor the owner of more, so what is counted is never too little.
 */
const pickDueOfKeys = (s: string): string => `
    WITH due AS MATERIALIZED (
      SELECT d.workflow_id, d.wake_at, i.key,
        row_number() OVER (PARTITION BY i.key ORDER BY d.wake_at, d.workflow_id) AS n
      FROM (
        SELECT d.workflow_id, d.wake_at
        FROM (SELECT DISTINCT p.name, p.version FROM unnest(p_names, p_versions) AS p(name, version)) p
        CROSS JOIN LATERAL (
          SELECT m.workflow_id, m.wake_at FROM ${s}.mailbox m
          WHERE m.queue = p_queue AND m.name = p.name AND m.version = p.version
            AND m.wake_at IS NOT NULL AND m.wake_at <= v_now
          ORDER BY m.wake_at, m.workflow_id LIMIT ${looked}
        ) d
        ORDER BY d.wake_at, d.workflow_id LIMIT ${looked}
      ) d
      CROSS JOIN LATERAL (
        SELECT i.partition_key AS key FROM ${s}.queue_item i WHERE i.workflow_id = d.workflow_id OFFSET 0
      ) i
    ), counted AS (
      SELECT d.*, sum(m.count) OVER (PARTITION BY d.key) AS mine
      FROM due d CROSS JOIN LATERAL (
        SELECT count(*) FROM ${s}.queue_item i CROSS JOIN LATERAL (
          SELECT FROM ${s}.ownership o WHERE o.workflow_id = i.workflow_id AND o.executor = p_incarnation OFFSET 0
        ) o
        WHERE d.n = 1 AND i.queue = p_queue AND i.state = 'running' AND i.partition_key = d.key
      ) m
    )
    SELECT array_agg(l.id) INTO v_ids FROM (
      SELECT c.workflow_id AS id
      FROM (
        SELECT d.workflow_id FROM counted d WHERE d.n <= v_own - d.mine ORDER BY d.wake_at, d.workflow_id
      ) c
      CROSS JOIN LATERAL (
        SELECT 1 FROM ${s}.ownership o
        WHERE o.workflow_id = c.workflow_id AND o.executor IS NULL FOR NO KEY UPDATE SKIP LOCKED
      ) o
      LIMIT v_budget
    ) l;
    IF v_ids IS NOT NULL THEN${stillDue(s)}
    END IF;`

/**
 * Admits from one queue what its limits allow: lock, count, claim, each in a snapshot of its own.
 *
 * Invariants: nobody else admits in a queue with limits while its row is locked here, and everybody else only ever gives
 * places free. So a limit is never exceeded, and what is counted too much is counted right by the next claim. Of a
 * partition only a gapless row of first ones is admitted.
 *
 * Locks: the queue's row, skipping (FOR KEY SHARE where it has no limits); ownership rows in the queue's order, skipping;
 * then what belongs to them.
 */
export const claimQueue = (s: string): string =>
  createFunction({
    name: `${s}.claim_queue_1`,
    parameters,
    returns: "TABLE (ids_ text[], next_ bigint, contended_ boolean, waiting_ boolean)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_limits jsonb;
  v_paused boolean;
  v_own bigint;
  v_concurrency bigint;
  v_rate jsonb;
  v_keyed jsonb;
  v_budget bigint := p_limit;
  v_room bigint;
  v_ids text[];
  v_keys text[];
  v_taken text[];
  v_next bigint;
  v_again boolean := false;
BEGIN${lockQueue(s)}
  v_concurrency := (v_limits ->> 'concurrency')::bigint;
  v_rate := nullif(v_limits -> 'rateLimit', 'null');
  v_keyed := nullif(v_limits -> 'partitioned', 'null');

  v_again := ${s}.promote_1(p_queue, '{}', ${ageing("v_limits")}, v_now);
  IF v_keyed IS NULL THEN
    v_again := ${s}.unkey_1(p_queue) OR v_again;
  ELSE
    v_again := ${s}.digest_1(p_queue, v_keyed, p_names, p_versions, v_now) OR v_again;
  END IF;
${withinExecutor(s)}
  IF v_concurrency IS NOT NULL AND v_budget > 0 THEN
    SELECT least(v_budget, v_concurrency - count(*)) INTO v_budget FROM (
      SELECT FROM ${s}.queue_item i WHERE i.queue = p_queue AND i.state = 'running' LIMIT v_concurrency
    ) i;
  END IF;

  IF v_budget > 0 AND v_paused IS NOT TRUE THEN
    v_room := v_budget;
    IF v_rate IS NOT NULL THEN
      SELECT least(v_budget, r.left_) INTO v_budget
      FROM ${s}.rate_left_1(p_queue, '', (v_rate ->> 'limit')::bigint, (v_rate ->> 'periodMs')::bigint, v_budget, v_now) r;
    END IF;
    IF v_budget > 0 AND v_keyed IS NULL THEN${pickWaiting(s)}
    ELSIF v_budget > 0 THEN
      SELECT l.ids_, l.keys_ INTO v_ids, v_keys
      FROM ${s}.pick_heads_1(p_queue, p_incarnation, p_names, p_versions, v_keyed, v_budget, v_now) l;
    END IF;
  END IF;

  IF v_ids IS NOT NULL THEN
    -- later snapshot, under the locks: admitted or gone since
    WITH u AS (
      UPDATE ${s}.queue_item i SET state = 'running',
        version = CASE WHEN i.version = '' THEN p_version ELSE i.version END
      WHERE i.workflow_id = ANY (v_ids) AND i.state = 'waiting'
      RETURNING i.workflow_id
    )
    SELECT array_agg(u.workflow_id) INTO v_taken FROM u;
    IF cardinality(v_ids) IS DISTINCT FROM cardinality(v_taken) THEN
      SELECT array_agg(k.id ORDER BY k.n), array_agg(k.key ORDER BY k.n) INTO v_ids, v_keys
      FROM unnest(v_ids, v_keys) WITH ORDINALITY k(id, key, n) WHERE k.id = ANY (v_taken);
    END IF;
  END IF;
  IF v_ids IS NOT NULL THEN
    -- it begins after everything that was seen to have ended
    v_now := ${s}.now_ms();
${own(s, "p_executor", "p_version")}
    IF v_rate IS NOT NULL OR v_keyed ->> 'rateLimit' IS NOT NULL THEN
      PERFORM ${s}.rate_started_1(p_queue,
        CASE WHEN v_rate IS NOT NULL THEN array_fill(''::text, ARRAY[cardinality(v_ids)]) ELSE '{}' END
        || CASE WHEN v_keyed ->> 'rateLimit' IS NOT NULL
          THEN ARRAY(SELECT 'k' || k.key FROM unnest(v_keys) k(key)) ELSE '{}' END,
        greatest((v_rate ->> 'periodMs')::bigint, (v_keyed -> 'rateLimit' ->> 'periodMs')::bigint), v_now);
    END IF;
    IF v_keyed IS NOT NULL THEN
      PERFORM ${s}.partition_1(p_queue, v_keys, v_keyed, v_now);
    END IF;
  END IF;
  -- also where what was just taken used the rate up: nobody else tells when the rest may start
  IF v_rate IS NOT NULL AND v_room > coalesce(cardinality(v_ids), 0) AND ${waits(s)} THEN
    SELECT r.next_ INTO v_next
    FROM ${s}.rate_left_1(p_queue, '', (v_rate ->> 'limit')::bigint, (v_rate ->> 'periodMs')::bigint, 1, v_now) r;
  END IF;
  IF v_keyed ->> 'rateLimit' IS NOT NULL THEN
    SELECT least(v_next, min(b.at)) INTO v_next
    FROM (SELECT DISTINCT p.name, p.version FROM unnest(p_names, p_versions) AS p(name, version)) p
    CROSS JOIN LATERAL (
      SELECT t.blocked_until AS at FROM ${s}.partition t
      WHERE t.queue = p_queue AND t.name = p.name AND t.version = p.version AND t.blocked_until IS NOT NULL
      ORDER BY t.blocked_until LIMIT 1
    ) b WHERE b.at > v_now;
  END IF;
  RETURN QUERY SELECT coalesce(v_ids, '{}'), v_next, v_again, ${leavesWaiting(s)};
END`
  })

/** The first that wait, over the names that wait and are served; locked, as many as there is room for. */
const pickWaiting = (s: string): string => `
      SELECT array_agg(l.id) INTO v_ids FROM (
        WITH RECURSIVE ${
  servedIn(s, "waiting", "queue_item", "t.state = 'waiting' AND t.partition_key IS NULL", "p_queue")
}
        SELECT c.workflow_id AS id
        FROM (
          SELECT w.workflow_id, w.rank, w.seq
          FROM waiting d
          CROSS JOIN LATERAL (
            SELECT i.workflow_id, i.rank, i.seq FROM ${s}.queue_item i
            WHERE i.state = 'waiting' AND i.partition_key IS NULL
              AND i.queue = p_queue AND i.name = d.name AND i.version = d.version
            ORDER BY i.rank, i.seq LIMIT v_budget * 4 + 16
          ) w
          WHERE EXISTS (
            SELECT FROM unnest(p_names, p_versions) AS p(name, version) WHERE p.name = d.name AND p.version = d.version
          )
          ORDER BY w.rank, w.seq
        ) c
        CROSS JOIN LATERAL (
          SELECT 1 FROM ${s}.ownership o
          WHERE o.workflow_id = c.workflow_id AND o.executor IS NULL FOR NO KEY UPDATE SKIP LOCKED
        ) o
        LIMIT v_budget
      ) l;`

/** Whether anything waits here, whoever can run it and for whatever reason. */
const leavesWaiting = (s: string): string =>
  ["IS NULL", "IS NOT NULL"].map((key) =>
    `EXISTS (
        SELECT FROM ${s}.queue_item i
        WHERE i.state = 'waiting' AND i.partition_key ${key} AND i.queue = p_queue OFFSET 0
      )`
  ).join(" OR ")

/** Whether anything waits here that could start. */
const waits = (s: string): string =>
  `EXISTS (
        SELECT FROM unnest(p_names, p_versions) AS p(name, version)
        WHERE EXISTS (
          SELECT FROM ${s}.queue_item i
          WHERE i.state = 'waiting' AND i.partition_key IS NULL AND i.queue = p_queue
            AND i.name = p.name AND i.version = p.version OFFSET 0
        ) OR EXISTS (
          SELECT FROM ${s}.partition t
          WHERE t.ready AND t.queue = p_queue AND t.name = p.name AND t.version = p.version OFFSET 0
        )
      )`
