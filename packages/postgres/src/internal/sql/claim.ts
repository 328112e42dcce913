import { createFunction, readCommitted } from "./function.ts"
import { occupied, servedPairs } from "./occupied.ts"
import { workflowRow } from "./rows.ts"
import { latestVersion } from "./versions.ts"

/**
 * What is due of one queue (`''`: of none): oldest first over one probe per served name and version, so rows that nobody
 * here can run never stand in the way. The ids that are locked and due go to `v_ids`, in order; null: none.
 *
 * Locks: ownership rows in due order, skipping locked ones, only as many as are taken. Nobody makes one less due without
 * that lock, so its mailbox is only read, in a later snapshot: claimed and suspended again since the probe?
 */
export const pickDue = (s: string, queue: string, limit: string): string => `
    SELECT array_agg(l.id) INTO v_ids FROM (
      SELECT c.workflow_id AS id
      FROM (
        SELECT d.workflow_id, d.wake_at
        FROM (SELECT DISTINCT p.name, p.version FROM unnest(p_names, p_versions) AS p(name, version)) p
        CROSS JOIN LATERAL (
          SELECT m.workflow_id, m.wake_at FROM ${s}.mailbox m
          WHERE m.queue = ${queue} AND m.name = p.name AND m.version = p.version
            AND m.wake_at IS NOT NULL AND m.wake_at <= v_now
          ORDER BY m.wake_at, m.workflow_id LIMIT (${limit}) * 4 + 16
        ) d
        ORDER BY d.wake_at, d.workflow_id
      ) c
      CROSS JOIN LATERAL (
        SELECT o.workflow_id FROM ${s}.ownership o
        WHERE o.workflow_id = c.workflow_id AND o.executor IS NULL FOR NO KEY UPDATE SKIP LOCKED
      ) o
      LIMIT ${limit}
    ) l;
    IF v_ids IS NOT NULL THEN${stillDue(s)}
    END IF;`

/** Of `v_ids`, which are locked, those that are due in this later snapshot too. */
export const stillDue = (s: string): string => `
      SELECT array_agg(k.id ORDER BY k.n) INTO v_ids
      FROM unnest(v_ids) WITH ORDINALITY k(id, n)
      CROSS JOIN LATERAL (
        SELECT 1 FROM ${s}.mailbox m WHERE m.workflow_id = k.id AND m.wake_at <= v_now OFFSET 0
      ) m;`

/**
 * Makes an incarnation the owner of what is locked: the epoch is raised, and what had not begun has begun. What was of no
 * version yet is of this executor's from here on. Of the long row nothing changes where it was this executor's already.
 */
export const own = (s: string, executor: string, version: string): string => `
      UPDATE ${s}.ownership o SET epoch = o.epoch + 1, executor = p_incarnation, undoing = o.phase = 'compensate',
        version = CASE WHEN o.version = '' THEN ${version} ELSE o.version END
      WHERE o.workflow_id = ANY (v_ids);
      UPDATE ${s}.workflow w SET
        status = CASE WHEN w.status IN ('ENQUEUED', 'DELAYED') THEN 'PENDING' ELSE w.status END,
        started_at = coalesce(w.started_at, v_now), executor_id = ${executor},
        version = CASE WHEN w.version = '' THEN ${version} ELSE w.version END
      WHERE w.workflow_id = ANY (v_ids)
        AND (w.status IN ('ENQUEUED', 'DELAYED') OR w.started_at IS NULL OR w.executor_id IS DISTINCT FROM ${executor}
          OR w.version = '');`

/** Each queue of an array variable once, in an order of chance. */
const shuffled = (queues: string): string => `
    IF cardinality(${queues}) > 1 THEN
      SELECT array_agg(q.queue ORDER BY random()) INTO ${queues}
      FROM (SELECT DISTINCT q.queue FROM unnest(${queues}) q(queue)) q;
    END IF;`

/**
 * Takes due workflows: first what is due outside of queues, then what queues have admitted before, then what they admit
 * now. Queues come in an order of chance, so that none is always the last one when the limit binds.
 *
 * The epoch is raised in one statement and the history read in a later one: a flush that committed in between is seen.
 * A lapsed, dead or unknown incarnation takes nothing; its row is read, never locked. One that is not of the latest version
 * takes nothing that is of none, whatever it serves: which is the latest is read once, at the beginning.
 *
 * Locks, in this order: ownership rows, skipping (`pickDue`), and their workflow rows; of each queue its row, skipping, and
 * ownership rows and what belongs to them and to items (`claim_queue_1`); then all mailboxes by id, waiting; waiter rows,
 * skipping.
 */
export const claim = (s: string): string =>
  createFunction({
    name: `${s}.claim_1`,
    parameters: ["p_incarnation text", "p_names text[]", "p_versions text[]", "p_queues text[]", "p_limit integer"],
    returns: "TABLE (now_ bigint, next_ bigint, contended_ boolean, waiting_ boolean, claimed_ json)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint := ${s}.now_ms();
  v_next bigint;
  v_executor text;
  v_version text;
  v_superseded boolean;
  v_ids text[];
  v_all text[] := '{}';
  v_contended boolean := false;
  v_waiting boolean := false;
  v_served text[];
  v_queues text[] := '{}';
  v_waking text[] := '{}';
  v_queue text;
  v_name text;
  v_of text;
  v_at bigint;
  v_one record;
BEGIN${readCommitted}
  SELECT e.executor_id, e.version, '' = ANY (p_versions) AND e.version NOT IN ('', ${latestVersion(s)})
    INTO v_executor, v_version, v_superseded
  FROM ${s}.executor e WHERE e.incarnation = p_incarnation AND e.state = 'alive' AND e.lease_until > v_now;

  IF v_superseded THEN
    SELECT coalesce(array_agg(p.name), '{}'), coalesce(array_agg(p.version), '{}') INTO p_names, p_versions
    FROM unnest(p_names, p_versions) p(name, version) WHERE p.version <> '';
  END IF;

  IF v_executor IS NOT NULL THEN${pickDue(s, "''", "p_limit")}
    IF v_ids IS NOT NULL THEN
${own(s, "v_executor", "v_version")}
      v_all := v_ids;
    END IF;
  END IF;

  -- who has no queues pays nothing for them
  IF (p_queues IS NULL OR cardinality(p_queues) > 0)
    AND (EXISTS (SELECT FROM ${s}.queue) OR EXISTS (SELECT FROM ${s}.queue_item)) THEN
    v_served := ${servedPairs};
${occupied(s)}
${shuffled("v_queues")}
${shuffled("v_waking")}
    IF v_executor IS NOT NULL THEN
      -- an executor that has no place for all that wakes is not told apart
      v_waiting := cardinality(v_waking) > 0;
      FOREACH v_queue IN ARRAY v_waking LOOP
        SELECT * INTO v_one FROM ${s}.wake_queue_1(v_queue, p_incarnation, v_executor, v_version, p_names, p_versions,
          p_limit - cardinality(v_all));
        v_all := v_all || v_one.ids_;
        v_contended := v_contended OR v_one.contended_;
      END LOOP;
      FOREACH v_queue IN ARRAY v_queues LOOP
        SELECT * INTO v_one FROM ${s}.claim_queue_1(v_queue, p_incarnation, v_executor, v_version, p_names, p_versions,
          p_limit - cardinality(v_all));
        v_all := v_all || v_one.ids_;
        v_contended := v_contended OR v_one.contended_;
        v_waiting := v_waiting OR coalesce(v_one.waiting_, true);
        v_next := least(v_next, v_one.next_);
      END LOOP;
    END IF;
  END IF;

  IF cardinality(v_all) > 0 THEN
    -- waited for: one that gets messages without end would be skipped without end, and who holds a mailbox waits for
    -- nothing that is locked here
    PERFORM set_config('lock_timeout', '1000', true);
    PERFORM 1 FROM ${s}.mailbox m WHERE m.workflow_id = ANY (v_all) ORDER BY m.workflow_id FOR NO KEY UPDATE;
    UPDATE ${s}.mailbox m SET wake_at = NULL, waits = NULL,
      version = CASE WHEN m.version = '' THEN v_version ELSE m.version END
    WHERE m.workflow_id = ANY (v_all);
    DELETE FROM ${s}.waiter x USING (
      SELECT z.tid FROM unnest(v_all) k(id) CROSS JOIN LATERAL (
        SELECT y.ctid AS tid FROM ${s}.waiter y WHERE y.waiter_id = k.id FOR UPDATE SKIP LOCKED
      ) z
    ) d WHERE x.ctid = d.tid;
  END IF;

  -- when what was not taken is due: what was taken has no time any more
  SELECT least(v_next, min(d.wake_at)) INTO v_next
  FROM (SELECT DISTINCT p.name, p.version FROM unnest(p_names, p_versions) AS p(name, version)) p
  CROSS JOIN LATERAL (
    SELECT m.wake_at FROM ${s}.mailbox m
    WHERE m.queue = '' AND m.name = p.name AND m.version = p.version AND m.wake_at IS NOT NULL
    ORDER BY m.wake_at, m.workflow_id LIMIT 1
  ) d;

  IF cardinality(v_all) = 0 THEN
    RETURN QUERY SELECT v_now, v_next, v_contended, v_waiting, NULL::json;
  ELSE
    RETURN QUERY
      SELECT v_now, v_next, v_contended, v_waiting,
        json_build_object('row', ${workflowRow(s)}, 'inbox', coalesce(m.inbox, 0), 'page', ${s}.history_1(k.id, -1))
      FROM unnest(v_all) WITH ORDINALITY k(id, n)
      CROSS JOIN LATERAL (SELECT * FROM ${s}.workflow w WHERE w.workflow_id = k.id OFFSET 0) w
      CROSS JOIN LATERAL (SELECT * FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0) o
      LEFT JOIN LATERAL (SELECT * FROM ${s}.mailbox m WHERE m.workflow_id = k.id OFFSET 0) m ON true
      ORDER BY k.n;
  END IF;
END`
  })
