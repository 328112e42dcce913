import { dropOperations } from "./drop.ts"

/**
 * Tells which suspensions come too late, because what they wait for has happened or never will, and which cannot be
 * made now. Locks the targets' ownership rows FOR KEY SHARE, skipping, by id: from here on none of them ends, sets an
 * event or appends to a stream before the waiter row is there. Whether it has happened before is read in later
 * snapshots.
 */
export const checkAwaits = (s: string): string => `
  IF cardinality(w_target) > 0 THEN
    WITH l AS MATERIALIZED (
      SELECT w.op, w.target, o.found
      FROM (
        SELECT * FROM unnest(w_op, w_target) AS w(op, target)
        WHERE w.op = ANY (v_ok) ORDER BY w.target COLLATE "C"
      ) w LEFT JOIN LATERAL (
        SELECT true AS found FROM ${s}.ownership o WHERE o.workflow_id = w.target FOR KEY SHARE SKIP LOCKED
      ) o ON true
    )
    SELECT array_agg(l.op), array_agg(l.target) INTO v_open, v_targets FROM l WHERE l.found IS NULL;
    IF v_open IS NOT NULL THEN
      -- not locked: held by somebody, done, unknown, or a child that this very operation creates
      SELECT coalesce(array_agg(w.op) FILTER (WHERE o.workflow_id IS NOT NULL), '{}'),
        coalesce(array_agg(w.op) FILTER (WHERE o.workflow_id IS NULL AND NOT w.mine), '{}')
      INTO v_busy, v_late
      FROM (
        SELECT u.op, u.target, f.workflow_id IS NULL AND EXISTS (
          SELECT FROM unnest(s_op, s_child, s_id) AS x(op, child, id)
          WHERE x.op = u.op AND x.child IS NOT NULL AND x.id = u.target
        ) AS mine
        FROM unnest(v_open, v_targets) AS u(op, target)
        LEFT JOIN LATERAL (
          SELECT f.workflow_id FROM ${s}.workflow f WHERE f.workflow_id = u.target OFFSET 0
        ) f ON true
      ) w
      LEFT JOIN LATERAL (
        SELECT o.workflow_id FROM ${s}.ownership o WHERE o.workflow_id = w.target OFFSET 0
      ) o ON true;
    END IF;
    IF cardinality(array_remove(w_topic, '')) > 0 THEN
      SELECT coalesce(v_late, '{}') || coalesce(array_agg(w.op), '{}') INTO v_late
      FROM (
        SELECT w.op, w.target, left(w.topic, 1) AS kind, substr(w.topic, 2) AS key, w.start
        FROM unnest(w_op, w_target, w_topic, w_from) AS w(op, target, topic, start)
        WHERE w.topic <> '' AND w.op = ANY (v_ok)
      ) w
      WHERE CASE w.kind
        WHEN 'e' THEN EXISTS (
          SELECT FROM ${s}.event e WHERE e.workflow_id = w.target AND e.key = w.key OFFSET 0
        )
        ELSE EXISTS (
          SELECT FROM ${s}.stream x
          WHERE x.workflow_id = w.target AND x.key = w.key AND x.position >= w.start::bigint OFFSET 0
        ) END;
    END IF;
    IF cardinality(v_busy) > 0 OR cardinality(v_late) > 0 THEN
      RETURN QUERY
        SELECT a.op::integer, NULL::integer, CASE WHEN a.op = ANY (v_late) THEN 'Stirred' ELSE 'Busy' END,
          NULL::text, NULL::boolean, coalesce(m.inbox, 0)
        FROM unnest(a_op, a_id) AS a(op, id)
        LEFT JOIN LATERAL (
          SELECT m.inbox FROM ${s}.mailbox m WHERE m.workflow_id = a.id OFFSET 0
        ) m ON true
        WHERE a.op = ANY (v_busy || v_late);
${dropOperations("v_busy || v_late")}
    END IF;
  END IF;`

/** Tells which suspensions have not seen all that came in. The counter is read under its lock, in a later snapshot. */
export const checkInboxes = (s: string): string => `
  IF 'suspend' = ANY (a_end) THEN
    SELECT array_agg(a.op) INTO v_late
    FROM unnest(a_op, a_id, a_end, a_inbox) AS a(op, id, ending, inbox)
    CROSS JOIN LATERAL (
      SELECT m.inbox FROM ${s}.mailbox m WHERE m.workflow_id = a.id OFFSET 0
    ) m
    WHERE a.ending = 'suspend' AND (v_all OR a.op = ANY (v_ok)) AND m.inbox <> a.inbox::bigint;
    IF v_late IS NOT NULL THEN
      RETURN QUERY
        SELECT a.op::integer, NULL::integer, 'Stirred', NULL::text, NULL::boolean, m.inbox
        FROM unnest(a_op, a_id) AS a(op, id)
        CROSS JOIN LATERAL (
          SELECT m.inbox FROM ${s}.mailbox m WHERE m.workflow_id = a.id OFFSET 0
        ) m
        WHERE a.op = ANY (v_late);
${dropOperations("v_late")}
    END IF;
  END IF;`
