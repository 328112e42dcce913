import { dropOperations } from "./drop.ts"
import { ageing } from "./enqueue.ts"
import { createFunction } from "./function.ts"

/**
 * Starts that cannot be: in a queue that is not registered, or under a deduplication id that another workflow has. Who
 * has one is decided by the unique key of its row, taken before the workflow is inserted; the keys are inserted in their
 * order, so two flushes that share some wait in one order. A start whose id was used before is answered by that id,
 * whatever its deduplication id has come to.
 */

const unknown = (s: string): string => `NOT EXISTS (SELECT FROM ${s}.workflow w WHERE w.workflow_id = x.id OFFSET 0)`

/** Queues of the batch that are not registered: none, most times. */
export const findUnregistered = (s: string): string => `
    IF cardinality(s_queue) > 0 THEN
      SELECT array_agg(n.name) INTO v_unregistered
      FROM (SELECT DISTINCT k.name COLLATE "C" AS name FROM unnest(s_queue) k(name) WHERE k.name IS NOT NULL) n
      WHERE NOT EXISTS (SELECT FROM ${s}.queue q WHERE q.name = n.name OFFSET 0);
    END IF;`

/**
 * Whose delay is over does not stand in the way of who comes now. Within an application's transaction nothing that was there
 * before is locked: it does until it is claimed.
 */
export const giveWay = (s: string): string => `
    IF cardinality(s_dedup) > 0 AND p_lock_ms IS NOT NULL THEN
      PERFORM ${s}.free_overdue_1(s_queue, s_dedup, v_now);
    END IF;`

/** Before starts of their own are inserted: `v_refused` are those that are not to be, `v_held` those of them that are duplicates. */
export const gateStarts = (s: string): string => `
    IF cardinality(s_queue) > 0 THEN
      IF v_unregistered IS NOT NULL THEN
        SELECT coalesce(array_agg(x.op), '{}') INTO v_refused
        FROM unnest(s_op, s_child, s_id, s_queue) AS x(op, child, id, queue)
        WHERE x.child IS NULL AND x.queue = ANY (v_unregistered) AND ${unknown(s)};
        RETURN QUERY
          SELECT x.op::integer, 0, 'NoQueue', x.queue, NULL::boolean, NULL::bigint
          FROM unnest(s_op, s_child, s_queue) AS x(op, child, queue)
          WHERE x.child IS NULL AND x.op = ANY (v_refused);
      END IF;
      IF cardinality(s_debounce) > 0 THEN
        SELECT array_agg(x.op), array_agg(b.workflow_id) INTO v_open, v_targets
        FROM unnest(s_op, s_child, s_token, s_debounce) AS x(op, child, token, debounce)
        CROSS JOIN LATERAL (
          SELECT b.workflow_id FROM ${s}.debounced b WHERE b.token = x.token OFFSET 0
        ) b
        WHERE x.child IS NULL AND x.debounce IS NOT NULL AND x.op <> ALL (v_refused);
        IF v_open IS NOT NULL THEN
          v_refused := v_refused || v_open;
          RETURN QUERY
            SELECT b.op::integer, NULL::integer, 'Debounced', b.id, NULL::boolean, NULL::bigint
            FROM unnest(v_open, v_targets) AS b(op, id);
        END IF;
      END IF;
      IF cardinality(s_dedup) > 0 THEN
        INSERT INTO ${s}.deduplication (queue, deduplication_id, workflow_id)
        SELECT DISTINCT ON (x.queue COLLATE "C", x.dedup COLLATE "C") x.queue, x.dedup, x.id
        FROM unnest(s_op, s_child, s_id, s_queue, s_dedup) AS x(op, child, id, queue, dedup)
        WHERE x.child IS NULL AND x.dedup IS NOT NULL AND x.op <> ALL (v_refused) AND ${unknown(s)}
        ORDER BY x.queue COLLATE "C", x.dedup COLLATE "C", x.op
        ON CONFLICT (queue, deduplication_id) DO NOTHING;
        -- later snapshot: mine, or another's
        SELECT array_agg(x.op) INTO v_held
        FROM unnest(s_op, s_child, s_id, s_queue, s_dedup) AS x(op, child, id, queue, dedup)
        LEFT JOIN LATERAL (
          SELECT u.workflow_id FROM ${s}.deduplication u
          WHERE u.queue = x.queue AND u.deduplication_id = x.dedup OFFSET 0
        ) u ON true
        WHERE x.child IS NULL AND x.dedup IS NOT NULL AND x.op <> ALL (v_refused) AND u.workflow_id IS DISTINCT FROM x.id
          AND ${unknown(s)};
        v_refused := v_refused || coalesce(v_held, '{}');
        -- who had one of the ids may have ended meanwhile
        v_now := ${s}.now_ms();
      END IF;
    END IF;`

/**
 * After they are inserted: an id that was there at the look may have been deleted by then, so that nobody has asked for what
 * its start needs besides. The whole batch looks again.
 */
export const checkInserted = (s: string): string => `
    IF v_count > 0 AND (cardinality(s_dedup) > 0 OR v_unregistered IS NOT NULL) THEN
      PERFORM 1
      FROM unnest(s_op, s_child, s_id, s_queue, s_dedup) AS x(op, child, id, queue, dedup)
      WHERE x.child IS NULL AND x.op <> ALL (v_refused) AND (v_new IS NULL OR x.id = ANY (v_new))
        AND (x.queue = ANY (v_unregistered) OR x.dedup IS NOT NULL AND NOT EXISTS (
          SELECT FROM ${s}.deduplication u
          WHERE u.queue = x.queue AND u.deduplication_id = x.dedup AND u.workflow_id = x.id OFFSET 0
        ));
      IF FOUND THEN
        RAISE EXCEPTION 'an id was deleted while it was started anew' USING ERRCODE = 'PD002';
      END IF;
    END IF;`

/**
 * After they are inserted: what became of duplicates. A debounced one moves the holder, which may have been inserted by
 * this very flush; in the order of the batch, so that the last payload counts.
 */
export const answerHeld = (s: string): string => `
    IF cardinality(s_dedup) > 0 AND v_count + cardinality(v_refused) < cardinality(array_positions(s_child, NULL)) THEN
      -- an id that was taken between the look and the insertion, by another start or by an earlier submission of this one:
      -- its deduplication id was taken for nothing. Who holds one has it in its item, too; who has ended since has none,
      -- and would never give it free
      DELETE FROM ${s}.deduplication u USING (
        SELECT y.tid
        FROM unnest(s_child, s_id, s_queue, s_dedup) AS x(child, id, queue, dedup)
        CROSS JOIN LATERAL (
          SELECT y.ctid AS tid FROM ${s}.deduplication y
          WHERE y.queue = x.queue AND y.deduplication_id = x.dedup AND y.workflow_id = x.id OFFSET 0
        ) y
        WHERE x.child IS NULL AND x.dedup IS NOT NULL AND NOT EXISTS (
          SELECT FROM ${s}.queue_item i
          WHERE i.workflow_id = x.id AND i.queue = x.queue AND i.deduplication_id = x.dedup OFFSET 0
        )
      ) y WHERE u.ctid = y.tid;
    END IF;
    IF v_held IS NOT NULL THEN
      FOR v_start IN
        SELECT x.*, u.workflow_id AS holder, w.name AS holder_name
        FROM unnest(s_op, s_token, s_name, s_payload, s_codec, s_queue, s_dedup, s_debounce, s_delay)
          AS x(op, token, name, payload, codec, queue, dedup, debounce, delay)
        LEFT JOIN LATERAL (
          SELECT u.workflow_id FROM ${s}.deduplication u
          WHERE u.queue = x.queue AND u.deduplication_id = x.dedup OFFSET 0
        ) u ON true
        LEFT JOIN LATERAL (
          SELECT w.name FROM ${s}.workflow w WHERE w.workflow_id = u.workflow_id OFFSET 0
        ) w ON true
        WHERE x.op = ANY (v_held)
        ORDER BY x.op
      LOOP
        v_tag := CASE
          WHEN v_start.holder_name IS NULL THEN 'Busy'
          -- within an application's transaction nothing that was there before is locked
          WHEN v_start.debounce IS NULL OR p_lock_ms IS NULL THEN 'Duplicate'
          ELSE ${s}.debounce_1(v_start.holder, v_start.token, v_start.name, v_start.payload, v_start.codec,
            v_start.delay::bigint, v_now) END;
        RETURN QUERY SELECT v_start.op::integer, NULL::integer, v_tag, v_start.holder::text, NULL::boolean, NULL::bigint;
        IF v_tag = 'Duplicate' THEN
          RETURN QUERY SELECT v_start.op::integer, NULL::integer, 'Holder', v_start.holder_name::text, NULL::boolean,
            NULL::bigint;
        END IF;
      END LOOP;
    END IF;`

/**
 * The same for children, whose parent's write is made whole or not at all: those that cannot be are refused with it. One
 * that names whom it expects to move starts nothing.
 */
export const gateChildren = (s: string): string => `
    IF cardinality(s_queue) > 0 THEN
      IF v_unregistered IS NOT NULL THEN
        SELECT array_agg(x.op), array_agg(x.child), array_agg(x.queue) INTO v_late, v_parts, v_verdicts
        FROM (
          SELECT DISTINCT ON (x.op) x.op, x.child, x.queue
          FROM unnest(s_op, s_child, s_id, s_queue) AS x(op, child, id, queue)
          WHERE x.child IS NOT NULL AND x.op = ANY (v_ok) AND x.queue = ANY (v_unregistered) AND ${unknown(s)}
          ORDER BY x.op, x.child
        ) x;
        IF v_late IS NOT NULL THEN
          RETURN QUERY
            SELECT r.op::integer, r.part::integer, 'NoQueue', r.queue, NULL::boolean, NULL::bigint
            FROM unnest(v_late, v_parts, v_verdicts) AS r(op, part, queue);
${dropOperations("v_late")}
        END IF;
      END IF;
      IF cardinality(s_dedup) > 0 THEN
        v_late := NULL;
        FOR v_start IN
          SELECT x.op, x.child, x.holder, x.holder_name, x.movable
          FROM (
            SELECT x.op, x.child, x.expected, coalesce(u.workflow_id, x.sibling) AS holder,
              coalesce(w.name, CASE WHEN u.workflow_id IS NULL AND x.sibling IS NOT NULL THEN x.sibling_name END)
                AS holder_name,
              x.debounce IS NOT NULL AND CASE
                WHEN u.workflow_id IS NOT NULL THEN coalesce(i.movable AND w.name = x.name, false)
                ELSE x.sibling IS NOT NULL AND x.sibling_name = x.name AND x.sibling_debounce IS NOT NULL END AS movable
            FROM (
              SELECT x.*,
                CASE WHEN first_value(x.child) OVER f < x.child THEN first_value(x.id) OVER f END AS sibling,
                first_value(x.name) OVER f AS sibling_name, first_value(x.debounce) OVER f AS sibling_debounce
              FROM unnest(s_op, s_child, s_id, s_name, s_queue, s_dedup, s_debounce, s_expected)
                AS x(op, child, id, name, queue, dedup, debounce, expected)
              WHERE x.child IS NOT NULL AND x.op = ANY (v_ok) AND x.dedup IS NOT NULL AND ${unknown(s)}
                AND (x.expected IS NULL OR x.op <> ALL (v_before))
              WINDOW f AS (
                PARTITION BY x.op, x.queue COLLATE "C", x.dedup COLLATE "C" ORDER BY x.expected IS NOT NULL, x.child
              )
            ) x
            LEFT JOIN LATERAL (
              SELECT u.workflow_id FROM ${s}.deduplication u
              WHERE u.queue = x.queue AND u.deduplication_id = x.dedup OFFSET 0
            ) u ON true
            LEFT JOIN LATERAL (
              SELECT w.name FROM ${s}.workflow w WHERE w.workflow_id = u.workflow_id OFFSET 0
            ) w ON true
            LEFT JOIN LATERAL (
              SELECT i.state = 'delayed' AND i.debounce_limit IS NOT NULL AS movable
              FROM ${s}.queue_item i WHERE i.workflow_id = u.workflow_id OFFSET 0
            ) i ON true
          ) x
          WHERE CASE WHEN x.expected IS NULL THEN x.holder IS NOT NULL
            ELSE x.holder IS DISTINCT FROM x.expected OR NOT x.movable END
          UNION ALL
          -- its id is taken: it moves nobody, and its parent's record would say that it does
          SELECT x.op, x.child, NULL, NULL, false
          FROM unnest(s_op, s_child, s_id, s_expected) AS x(op, child, id, expected)
          WHERE x.child IS NOT NULL AND x.op = ANY (v_ok) AND x.expected IS NOT NULL AND x.op <> ALL (v_before)
            AND NOT (${unknown(s)})
          ORDER BY op, child
        LOOP
          v_late := v_late || v_start.op;
          RETURN QUERY SELECT v_start.op::integer, v_start.child::integer, 'ChildDuplicate', v_start.holder::text,
            v_start.movable, NULL::bigint;
          RETURN QUERY SELECT v_start.op::integer, v_start.child::integer, 'Holder', v_start.holder_name::text,
            NULL::boolean, NULL::bigint;
        END LOOP;
        IF v_late IS NOT NULL THEN
${dropOperations("v_late")}
        END IF;
        WITH x AS MATERIALIZED (
          SELECT x.queue, x.dedup, x.id
          FROM unnest(s_op, s_child, s_id, s_queue, s_dedup, s_expected) AS x(op, child, id, queue, dedup, expected)
          WHERE x.child IS NOT NULL AND x.op = ANY (v_ok) AND x.dedup IS NOT NULL AND x.expected IS NULL
            AND ${unknown(s)}
        ), u AS (
          INSERT INTO ${s}.deduplication (queue, deduplication_id, workflow_id)
          SELECT x.queue, x.dedup, x.id FROM x ORDER BY x.queue COLLATE "C", x.dedup COLLATE "C"
          ON CONFLICT (queue, deduplication_id) DO NOTHING
          RETURNING 1
        )
        SELECT (SELECT count(*) FROM x) - (SELECT count(*) FROM u) INTO v_count;
        IF v_count > 0 THEN
          RAISE EXCEPTION 'a deduplication id was taken elsewhere meanwhile' USING ERRCODE = 'PD002';
        END IF;
        v_now := ${s}.now_ms();
      END IF;
    END IF;`

/**
 * Children that move the one that their parent expects. Somebody is at that one just now, or has taken the child's id since
 * it was looked for: the whole batch looks again.
 */
export const moveExpected = (s: string): string => `
    IF cardinality(s_expected) > 0 THEN
      FOR v_start IN
        SELECT x.*, ${unknown(s)} AS unknown
        FROM unnest(s_op, s_child, s_id, s_name, s_payload, s_codec, s_delay, s_expected)
          AS x(op, child, id, name, payload, codec, delay, expected)
        WHERE x.child IS NOT NULL AND x.op = ANY (v_ok) AND x.expected IS NOT NULL
        ORDER BY x.expected, x.op, x.child
      LOOP
        IF v_start.op = ANY (v_before) THEN
          CONTINUE WHEN NOT v_start.unknown;
        ELSIF NOT v_start.unknown OR ${s}.debounce_1(v_start.expected, NULL, v_start.name, v_start.payload,
          v_start.codec, v_start.delay::bigint, v_now) <> 'Debounced' THEN
          RAISE EXCEPTION 'a child cannot move the one it is to any more' USING ERRCODE = 'PD002';
        END IF;
        RETURN QUERY SELECT v_start.op::integer, v_start.child::integer, 'Debounced', v_start.expected::text,
          NULL::boolean, NULL::bigint;
      END LOOP;
    END IF;`

/** Those of an earlier submission. */
export const movedBefore = (s: string): string => `
  IF v_applied IS NOT NULL AND cardinality(s_expected) > 0 THEN
    RETURN QUERY
      SELECT x.op::integer, x.child::integer, 'Debounced', x.expected, NULL::boolean, NULL::bigint
      FROM unnest(s_op, s_child, s_id, s_expected) AS x(op, child, id, expected)
      WHERE x.child IS NOT NULL AND x.op = ANY (v_applied) AND x.expected IS NOT NULL AND ${unknown(s)};
  END IF;`

/** For so long a start that has moved another is known by its token. */
const knownForMs = 3_600_000

/**
 * Gives a payload to a delayed, debounced workflow and moves it. `Busy`: somebody is at it, or it has just become due;
 * the next try finds its id free.
 *
 * Locks: its ownership row, skipping, then what belongs to it.
 */
export const debounce = (s: string): string =>
  createFunction({
    name: `${s}.debounce_1`,
    parameters: [
      "p_holder text",
      "p_token text",
      "p_name text",
      "p_payload text",
      "p_codec text",
      "p_delay bigint",
      "p_now bigint"
    ],
    returns: "text",
    volatility: "VOLATILE",
    body: `
DECLARE
  v_item ${s}.queue_item;
BEGIN
  PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = p_holder FOR NO KEY UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN 'Busy';
  END IF;
  SELECT * INTO v_item FROM ${s}.queue_item i WHERE i.workflow_id = p_holder;
  IF v_item.deduplication_id IS NULL THEN
    RETURN 'Busy';
  END IF;
  IF v_item.state <> 'delayed' OR v_item.debounce_limit IS NULL OR v_item.name <> p_name THEN
    RETURN 'Duplicate';
  END IF;
  IF v_item.due_at <= p_now THEN
    RETURN 'Busy';
  END IF;
  UPDATE ${s}.workflow w SET payload = p_payload, codec = p_codec WHERE w.workflow_id = p_holder;
  UPDATE ${s}.queue_item i SET due_at = least(p_now + p_delay, i.debounce_limit) WHERE i.workflow_id = p_holder;
  IF p_token IS NOT NULL THEN
    INSERT INTO ${s}.debounced (token, workflow_id, at) VALUES (p_token, p_holder, p_now) ON CONFLICT DO NOTHING;
    DELETE FROM ${s}.debounced b WHERE b.ctid = ANY (ARRAY(
      SELECT y.ctid FROM ${s}.debounced y WHERE y.at < p_now - ${knownForMs} ORDER BY y.at LIMIT 4
      FOR UPDATE SKIP LOCKED
    ));
  END IF;
  RETURN 'Debounced';
END`
  })

/**
 * Of the workflows that have one of these deduplication ids, those that are debounced and whose time has come wait in their
 * queues from here on, and their ids are free: it is the time that ends a delay, not the claim that comes after it. What else
 * is due there comes along, so that all keep their order.
 *
 * Locks: as `promote_1`, ownership rows, skipping; one that is skipped has its id until the next try.
 */
export const freeOverdue = (s: string): string =>
  createFunction({
    name: `${s}.free_overdue_1`,
    parameters: ["p_queues text[]", "p_ids text[]", "p_now bigint"],
    returns: "void",
    volatility: "VOLATILE",
    body: `
BEGIN
  PERFORM ${s}.promote_1(d.queue, d.ids, (SELECT ${ageing("q.limits")} FROM ${s}.queue q WHERE q.name = d.queue), p_now)
  FROM (
    SELECT i.queue, array_agg(i.workflow_id) AS ids
    FROM unnest(p_queues, p_ids) AS k(queue, id)
    CROSS JOIN LATERAL (
      SELECT u.workflow_id FROM ${s}.deduplication u WHERE u.queue = k.queue AND u.deduplication_id = k.id OFFSET 0
    ) u
    CROSS JOIN LATERAL (
      SELECT i.queue, i.workflow_id FROM ${s}.queue_item i
      WHERE i.workflow_id = u.workflow_id AND i.state = 'delayed' AND i.due_at <= p_now AND i.debounce_limit IS NOT NULL
      OFFSET 0
    ) i
    GROUP BY i.queue
  ) d;
END`
  })
