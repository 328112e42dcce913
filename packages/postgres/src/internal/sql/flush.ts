import { checkAwaits, checkInboxes } from "./awaits.ts"
import {
  answerHeld,
  checkInserted,
  findUnregistered,
  gateChildren,
  gateStarts,
  giveWay,
  movedBefore,
  moveExpected
} from "./deduplicate.ts"
import { dropOperations } from "./drop.ts"
import { enqueue } from "./enqueue.ts"
import { setEvents } from "./events.ts"
import { allUpdated, lossesOf } from "./finish.ts"
import { createFunction, readCommitted } from "./function.ts"
import { groupCounts, groupParameters } from "./groups.ts"
import { lockMailboxes } from "./mailboxes.ts"
import { checkSends, consumeMessages, insertMessages } from "./messages.ts"
import { putInOutbox } from "./outbox.ts"
import { appendEntries, supersedeEntries } from "./streams.ts"
import { tellWaiters, told } from "./telling.ts"

/**
 * The parameters of `flush_1`, in order. Groups of arrays of equal length: `s` starts and children, `a` advances,
 * `w` awaited targets, `r` records, `t` failed attempts; and those of `groups.ts`. `op` is the operation's position in the batch. Numbers come as
 * double precision, the one numeric type that a driver can send in bulk without a conversion per value, and are cast
 * here, where a bad one fails with a class 22 of its own.
 */
export const flushParameters = [
  ["p_lock_ms", "integer"],
  ["p_owner", "text"],
  ["s_op", "double precision[]"],
  // position among the children of the advance `op`; null: a start of its own
  ["s_child", "double precision[]"],
  ["s_id", "text[]"],
  ["s_token", "text[]"],
  ["s_epoch", "double precision[]"],
  ["s_name", "text[]"],
  ["s_version", "text[]"],
  ["s_payload", "text[]"],
  ["s_codec", "text[]"],
  ["s_owned", "boolean[]"],
  ["s_started", "double precision[]"],
  ["s_user", "text[]"],
  ["s_roles", "text[]"],
  ["s_assumed", "text[]"],
  ["s_parent", "text[]"],
  ["s_parent_step", "double precision[]"],
  ["s_detached", "boolean[]"],
  ["s_timeout", "double precision[]"],
  ["s_deadline", "double precision[]"],
  ["s_max", "double precision[]"],
  // sparse from here on: missing at the end are nulls
  ["s_queue", "text[]"],
  ["s_priority", "double precision[]"],
  ["s_partition", "text[]"],
  ["s_dedup", "text[]"],
  // milliseconds; null: not debounced
  ["s_debounce", "double precision[]"],
  ["s_expected", "text[]"],
  ["s_delay", "double precision[]"],
  // JSON text; null: none
  ["s_attributes", "text[]"],
  ["s_schedule", "text[]"],
  ["s_scheduled", "double precision[]"],
  ["s_trace", "text[]"],
  ["a_op", "double precision[]"],
  ["a_id", "text[]"],
  ["a_epoch", "double precision[]"],
  // null, 'SUCCESS', 'ERROR', 'CANCELLED' (these three settle), 'suspend', 'block', 'release'
  ["a_end", "text[]"],
  ["a_inbox", "double precision[]"],
  ["a_wake", "double precision[]"],
  // output, waits, or reason
  ["a_text", "text[]"],
  ["w_op", "double precision[]"],
  ["w_id", "text[]"],
  ["w_target", "text[]"],
  // '' for the end, e and the key of an event, s and the key of a stream
  ["w_topic", "text[]"],
  ["w_from", "double precision[]"],
  ["r_op", "double precision[]"],
  ["r_id", "text[]"],
  ["r_epoch", "double precision[]"],
  ["r_step", "double precision[]"],
  ["r_seq", "double precision[]"],
  ["r_asked", "double precision[]"],
  ["r_key", "text[]"],
  ["r_name", "text[]"],
  ["r_kind", "text[]"],
  ["r_outcome", "text[]"],
  ["r_value", "text[]"],
  ["r_attempts", "double precision[]"],
  ["r_started", "double precision[]"],
  ["r_at", "double precision[]"],
  ["r_child", "text[]"],
  ["r_rollback", "boolean[]"],
  ["t_op", "double precision[]"],
  ["t_id", "text[]"],
  ["t_epoch", "double precision[]"],
  ["t_step", "double precision[]"],
  ["t_key", "text[]"],
  ["t_name", "text[]"],
  ["t_attempt", "double precision[]"],
  ["t_error", "text[]"],
  ["t_at", "double precision[]"],
  ["t_retry", "double precision[]"],
  // whom the messages go to, each once
  ["d_id", "text[]"],
  ...groupParameters
] as const

/**
 * Inserts the starts that `filter` picks, by id, so that two flushes that share ids wait in one order. An id that is
 * taken is skipped and told apart later, in a snapshot of its own. Everything else is inserted *from* what was.
 */
const insertStarts = (s: string, filter: string, all: string): string => `
    WITH inserted AS (
      INSERT INTO ${s}.workflow (workflow_id, token, name, version, status, epoch, payload, codec, parent_id,
        parent_step_id, detached, user_id, roles, assumed_role, created_at, started_at, deadline_at, executor_id,
        max_recovery_attempts, queue, priority, partition_key, deduplication_id, debounced, attributes, schedule_name,
        scheduled_at, trace)
      SELECT x.id, x.token, x.name, x.version,
        CASE WHEN x.owned THEN 'PENDING' WHEN x.delay > 0 THEN 'DELAYED' ELSE 'ENQUEUED' END, x.epoch::bigint,
        x.payload, x.codec, x.parent, x.parent_step::integer, x.detached, x.usr, x.roles, x.assumed, v_now,
        CASE WHEN x.owned THEN x.started::bigint END,
        least(x.deadline::bigint, v_now + x.timeout::bigint),
        CASE WHEN x.owned THEN v_executor END, x.max::integer, x.queue, coalesce(x.priority::integer, 0), x.partition,
        x.dedup, x.debounce IS NOT NULL, x.attributes, x.schedule, x.scheduled::bigint, x.trace
      FROM unnest(s_op, s_child, s_id, s_token, s_epoch, s_name, s_version, s_payload, s_codec, s_owned, s_started, s_user,
        s_roles, s_assumed, s_parent, s_parent_step, s_detached, s_timeout, s_deadline, s_max, s_queue, s_priority, s_partition,
        s_dedup, s_debounce, s_expected, s_delay, s_attributes, s_schedule, s_scheduled, s_trace)
        AS x(op, child, id, token, epoch, name, version, payload, codec, owned, started, usr, roles, assumed,
          parent, parent_step, detached, timeout, deadline, max, queue, priority, partition, dedup, debounce, expected, delay,
          attributes, schedule, scheduled, trace)
      WHERE ${filter}
      ORDER BY x.id COLLATE "C"
      ON CONFLICT (workflow_id) DO NOTHING
      RETURNING workflow_id, name, version, status, epoch, deadline_at, queue
    ), owned AS (
      INSERT INTO ${s}.ownership (workflow_id, name, version, epoch, phase, executor, queue)
      SELECT i.workflow_id, i.name, i.version, i.epoch, 'run', CASE WHEN i.status = 'PENDING' THEN p_owner END,
        coalesce(i.queue, '')
      FROM inserted i
    ), due AS (
      INSERT INTO ${s}.mailbox (workflow_id, name, version, wake_at)
      SELECT i.workflow_id, i.name, i.version, v_now FROM inserted i WHERE i.status <> 'PENDING' AND i.queue IS NULL
    ), timed AS (
      INSERT INTO ${s}.deadline (workflow_id, at)
      SELECT i.workflow_id, i.deadline_at FROM inserted i WHERE i.deadline_at IS NOT NULL
    )
    SELECT count(*), CASE WHEN count(*) < ${all} THEN array_agg(i.workflow_id) END INTO v_count, v_new FROM inserted i;
${enqueue(s, filter)}`

/** Whose row is locked so that no suspension waits for it meanwhile: who ends, sets an event, appends to a stream. */
const exclusive = "a.ending IN ('SUCCESS', 'ERROR', 'CANCELLED') OR a.op = ANY (v_telling)"

/** Whether a record that is there is the one that is to be written. */
const sameRecord =
  `(t.epoch = r.epoch AND t.key = r.key AND t.kind = r.kind AND t.outcome = r.outcome AND t.value = r.value)`

/** The starts, children included, each with the workflow that has its id now (columns null: none). */
const taken = (s: string): string =>
  `(
            SELECT x.op, x.child, x.token, x.name, x.payload, x.expected, w.workflow_id AS found,
              w.token AS found_token, w.name AS found_name, w.payload AS found_payload
            FROM unnest(s_op, s_child, s_id, s_token, s_name, s_payload, s_expected)
              AS x(op, child, id, token, name, payload, expected)
            LEFT JOIN LATERAL (
              SELECT * FROM ${s}.workflow w WHERE w.workflow_id = x.id OFFSET 0
            ) w ON true
          ) x`

/**
 * The journal's write: a batch of operations on distinct workflows, in one statement and one commit.
 *
 * Returns a row only for what is not plain: a start that is not `Started`, an advance that is not `Recorded`, a child
 * (`part` is its position) that exists already.
 *
 * Invariants: nothing is written for an advance whose ownership row is not locked here with its epoch, unended. An
 * advance is written whole or not at all. Whoever is not written is told why from a later snapshot.
 *
 * Locks, in this order: ownership rows of debounced workflows whose delay is over, skipping; workflow keys being inserted,
 * by id (they can wait for a stranger: `lock_timeout`); ownership rows, skipping locked ones, FOR UPDATE when settling or
 * telling others something, else FOR NO KEY UPDATE; awaited ownership rows (FOR KEY SHARE), skipping; mailboxes, all in one
 * pass by id, waiting (`mailboxes.ts`); children's keys; at last workflow, step and narrow rows of what is locked, for which
 * nobody waits.
 */
export const flush = (s: string): string =>
  createFunction({
    name: `${s}.flush_1`,
    parameters: flushParameters.map(([name, type]) => `${name} ${type}`),
    returns: "TABLE (op_ integer, part_ integer, tag_ text, name_ text, same_ boolean, inbox_ bigint)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_executor text;
  v_count bigint;
  v_new text[];
  -- starts of their own that are not to be; those of them that are duplicates
  v_refused double precision[] := '{}';
  v_held double precision[];
  -- advances whose records are there: an earlier submission has moved whom they move, and told what they tell; more may have
  -- come since
  v_before double precision[] := '{}';
  v_unregistered text[];
  v_start record;
  v_tag text;
  v_queued text[];
  v_parked text[];
  v_known bigint := 0;
  v_all boolean := true;
  v_settling boolean := a_end && ARRAY['SUCCESS', 'ERROR', 'CANCELLED'];
  v_ok double precision[] := '{}';
  -- those that are answered already
  v_answered double precision[] := '{}';
  v_late double precision[];
  v_busy double precision[];
  v_applied double precision[];
  v_open double precision[];
  v_targets text[];
  v_settled text[];
  v_waiters text[];
  v_boxless text[];
  v_inbox bigint[];
  v_state integer[];
  v_parts double precision[];
  v_verdicts text[];
  v_there boolean;
  v_base bigint[];
  v_send record;
${groupCounts}
  v_telling double precision[] := e_n[1:v_e] || g_n[1:v_g];
  v_delivers boolean := v_m > 0 AND NOT m_n[1:v_m] <@ a_op;
BEGIN
  -- null: in an application's transaction, whose settings and isolation level are its own
  IF p_lock_ms IS NOT NULL THEN${readCommitted}
    PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  END IF;

  IF cardinality(s_id) > 0 THEN
    v_now := ${s}.now_ms();
    IF p_owner IS NOT NULL THEN
      SELECT e.executor_id INTO v_executor FROM ${s}.executor e WHERE e.incarnation = p_owner;
    END IF;
${findUnregistered(s)}${giveWay(s)}
    IF cardinality(array_positions(s_child, NULL)) > 0 THEN${gateStarts(s)}${
      insertStarts(
        s,
        "x.child IS NULL AND x.op <> ALL (v_refused)",
        "cardinality(array_positions(s_child, NULL)) - cardinality(v_refused)"
      )
    }${checkInserted(s)}${answerHeld(s)}
      IF v_count + cardinality(v_refused) < cardinality(array_positions(s_child, NULL)) THEN
        -- later snapshot: mine by the token, another's by name and payload, gone again since: try again
        RETURN QUERY
          SELECT x.op::integer, NULL::integer, CASE WHEN x.found IS NULL THEN 'Busy' ELSE 'Exists' END,
            x.found_name::text, x.found_name = x.name AND x.found_payload = x.payload, NULL::bigint
          FROM ${taken(s)}
          WHERE x.child IS NULL AND x.found_token IS DISTINCT FROM x.token AND x.op <> ALL (v_refused);
      END IF;
    END IF;
  END IF;

${putInOutbox(s)}
  IF cardinality(a_id) = 0 AND v_m = 0 THEN
    RETURN;
  END IF;

  -- the fence: one probe per id, the epoch compared outside of it
  IF cardinality(a_id) > 0 THEN
    WITH exclusive AS MATERIALIZED (
      SELECT a.op, a.epoch AS want, o.epoch, o.ended_epoch
      FROM (
        SELECT a.op, a.id, a.epoch FROM unnest(a_op, a_id, a_epoch, a_end) AS a(op, id, epoch, ending)
        WHERE ${exclusive} ORDER BY a.id COLLATE "C"
      ) a CROSS JOIN LATERAL (
        SELECT o.epoch, o.ended_epoch FROM ${s}.ownership o WHERE o.workflow_id = a.id FOR UPDATE SKIP LOCKED
      ) o
    ), shared AS MATERIALIZED (
      SELECT a.op, a.epoch AS want, o.epoch, o.ended_epoch
      FROM (
        SELECT a.op, a.id, a.epoch FROM unnest(a_op, a_id, a_epoch, a_end) AS a(op, id, epoch, ending)
        WHERE (${exclusive}) IS NOT TRUE ORDER BY a.id COLLATE "C"
      ) a CROSS JOIN LATERAL (
        SELECT o.epoch, o.ended_epoch FROM ${s}.ownership o WHERE o.workflow_id = a.id FOR NO KEY UPDATE SKIP LOCKED
      ) o
    )
    SELECT coalesce(array_agg(l.op), '{}') INTO v_ok
    FROM (SELECT * FROM exclusive UNION ALL SELECT * FROM shared) l
    WHERE l.epoch = l.want AND l.ended_epoch < l.epoch;
    v_all := cardinality(v_ok) = cardinality(a_id);
  END IF;
  IF v_m > 0 AND v_delivers THEN
    SELECT v_ok || array_agg(DISTINCT k.op) INTO v_ok
    FROM unnest(m_n[1:v_m]) k(op) WHERE k.op <> ALL (a_op);
  END IF;
${checkAwaits(s)}
${lockMailboxes(s)}
${checkInboxes(s)}
${checkSends(s)}

  IF cardinality(r_id) > 0 AND (cardinality(s_expected) > 0 OR cardinality(v_telling) > 0) THEN
    SELECT coalesce(array_agg(r.op), '{}') INTO v_before
    FROM unnest(r_op, r_id, r_epoch, r_step) AS r(op, id, epoch, step)
    CROSS JOIN LATERAL (
      SELECT t.epoch FROM ${s}.step t WHERE t.workflow_id = r.id AND t.step_id = r.step::integer OFFSET 0
    ) t
    WHERE r.op = ANY (v_ok) AND t.epoch = r.epoch::bigint;
  END IF;

  IF array_position(s_child, 0::double precision) IS NOT NULL THEN
    SELECT array_agg(DISTINCT x.op) FILTER (WHERE x.found_name <> x.name OR x.found_payload <> x.payload), array_agg(x.op)
    INTO v_busy, v_open
    FROM ${taken(s)}
    WHERE x.child IS NOT NULL AND x.op = ANY (v_ok) AND x.found_token <> x.token;
    IF v_busy IS NOT NULL THEN
${dropOperations("v_busy")}
      RETURN QUERY
        SELECT DISTINCT ON (x.op) x.op::integer, x.child::integer, 'ChildConflict', x.found_name::text, false,
          NULL::bigint
        FROM ${taken(s)}
        WHERE x.op = ANY (v_busy) AND x.child IS NOT NULL AND x.found_token <> x.token
          AND (x.found_name <> x.name OR x.found_payload <> x.payload)
        ORDER BY x.op, x.child;
    END IF;
    IF v_open IS NOT NULL AND (2 = ANY (v_state) OR cardinality(w_target) > 0) THEN
      -- it was not there when the mailboxes were locked, and the rows that are waited for: the whole batch looks again
      PERFORM 1
      FROM ${taken(s)}
      WHERE x.child IS NOT NULL AND x.op = ANY (v_ok) AND x.found_token <> x.token AND (
        x.found IN (SELECT d.id FROM unnest(d_id) WITH ORDINALITY d(id, n) WHERE v_state[d.n] = 2)
        OR cardinality(w_target) > 0 AND x.found = ANY (v_targets)
      );
      IF FOUND THEN
        RAISE EXCEPTION 'a child that is sent to, or waited for, was started elsewhere meanwhile' USING ERRCODE = 'PD002';
      END IF;
    END IF;
${gateChildren(s)}
    -- as that look had it: for who is there since, a deduplication id may have been taken as for one that is not
    SELECT count(*) INTO v_known FROM unnest(v_open) k(op) WHERE k.op = ANY (v_ok);
${insertStarts(s, "x.child IS NOT NULL AND x.op = ANY (v_ok) AND x.expected IS NULL", "cardinality(s_id)")}
    -- somebody took a child's id between the look and the insertion: the whole batch looks again
    SELECT count(*) INTO v_count
    FROM ${taken(s)}
    WHERE x.child IS NOT NULL AND x.op = ANY (v_ok)
      AND (x.found_token <> x.token OR x.found IS NULL AND x.expected IS NULL);
    IF v_count <> v_known THEN
      RAISE EXCEPTION 'a child was started elsewhere meanwhile' USING ERRCODE = 'PD002';
    END IF;${moveExpected(s)}
  END IF;

  IF cardinality(r_id) > 0 THEN
    INSERT INTO ${s}.step (workflow_id, step_id, seq, asked, key, name, kind, outcome, value, attempts, started_at, at,
      child_id, rollback, epoch)
    SELECT r.id, r.step::integer, r.seq::integer, r.asked::integer, r.key, r.name, r.kind, r.outcome, r.value,
      r.attempts::integer, r.started::bigint, r.at::bigint, r.child, r.rollback, r.epoch::bigint
    FROM unnest(r_op, r_id, r_epoch, r_step, r_seq, r_asked, r_key, r_name, r_kind, r_outcome, r_value, r_attempts,
      r_started, r_at, r_child, r_rollback)
      AS r(op, id, epoch, step, seq, asked, key, name, kind, outcome, value, attempts, started, at, child, rollback)
    WHERE v_all OR r.op = ANY (v_ok)
    ON CONFLICT (workflow_id, step_id) DO NOTHING;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count < cardinality(r_id) THEN
      -- the same is there already: an earlier submission. Anything else is never written over
      PERFORM 1
      FROM unnest(r_op, r_id, r_epoch, r_step, r_key, r_kind, r_outcome, r_value)
        AS r(op, id, epoch, step, key, kind, outcome, value)
      CROSS JOIN LATERAL (
        SELECT * FROM ${s}.step t WHERE t.workflow_id = r.id AND t.step_id = r.step::integer OFFSET 0
      ) t
      WHERE r.op = ANY (v_ok) AND NOT ${sameRecord};
      IF FOUND THEN
        RAISE EXCEPTION 'a record with this step id exists, of another outcome, key or epoch'
          USING ERRCODE = 'PD003';
      END IF;
    END IF;
  END IF;

  IF cardinality(t_id) > 0 THEN
    INSERT INTO ${s}.attempt (workflow_id, step_id, key, name, attempt, error, at, retry_at, epoch)
    SELECT t.id, t.step::integer, t.key, t.name, t.attempt::integer, t.error, t.at::bigint, t.retry::bigint,
      t.epoch::bigint
    FROM unnest(t_op, t_id, t_epoch, t_step, t_key, t_name, t_attempt, t_error, t_at, t_retry)
      AS t(op, id, epoch, step, key, name, attempt, error, at, retry)
    WHERE v_all OR t.op = ANY (v_ok)
    ON CONFLICT (workflow_id, step_id, attempt) DO NOTHING;
  END IF;

  IF 'suspend' = ANY (a_end) OR 'release' = ANY (a_end) OR 'block' = ANY (a_end) THEN
    v_now := ${s}.now_ms();
    IF 'release' = ANY (a_end) OR 'block' = ANY (a_end) THEN
      SELECT array_agg(a.id) FILTER (WHERE a.ending = 'release'), array_agg(a.id) FILTER (WHERE a.ending = 'block')
      INTO v_queued, v_parked
      FROM unnest(a_op, a_id, a_end) AS a(op, id, ending)
      CROSS JOIN LATERAL (
        SELECT o.queue FROM ${s}.ownership o WHERE o.workflow_id = a.id OFFSET 0
      ) o
      WHERE a.ending IN ('release', 'block') AND a.op = ANY (v_ok) AND o.queue > '';
      IF v_queued IS NOT NULL THEN
        PERFORM ${s}.move_items_1(v_queued, 'waiting');
      END IF;
      IF v_parked IS NOT NULL THEN
        PERFORM ${s}.move_items_1(v_parked, 'parked');
      END IF;
    END IF;
    WITH e AS MATERIALIZED (
      SELECT a.id, a.ending, a.wake::bigint AS wake, a.txt, o.tid, o.name, o.version, o.phase, o.queue
      FROM unnest(a_op, a_id, a_end, a_wake, a_text) AS a(op, id, ending, wake, txt)
      CROSS JOIN LATERAL (
        SELECT o.ctid AS tid, o.name, o.version, o.phase, o.queue FROM ${s}.ownership o WHERE o.workflow_id = a.id OFFSET 0
      ) o
      WHERE a.ending IN ('suspend', 'release', 'block') AND a.op = ANY (v_ok)
    ), o AS (
      UPDATE ${s}.ownership o SET executor = NULL, ended_epoch = o.epoch, blocked = e.ending = 'block'
      FROM e WHERE o.ctid = e.tid
    ), m AS (
      INSERT INTO ${s}.mailbox (workflow_id, name, version, wake_at, waits, queue)
      SELECT e.id, e.name, e.version,
        CASE WHEN e.ending = 'suspend' THEN e.wake WHEN e.ending = 'release' AND e.queue = '' THEN v_now END,
        CASE e.ending WHEN 'suspend' THEN e.txt END, e.queue
      FROM e
      ON CONFLICT (workflow_id) DO UPDATE SET wake_at = excluded.wake_at, waits = excluded.waits,
        version = excluded.version
    ), b AS MATERIALIZED (
      SELECT e.txt, p.tid FROM e CROSS JOIN LATERAL (
        SELECT p.ctid AS tid FROM ${s}.workflow p WHERE p.workflow_id = e.id OFFSET 0
      ) p
      WHERE e.ending = 'block' AND e.phase = 'run'
    ), w AS (
      UPDATE ${s}.workflow w SET status = 'BLOCKED', reason = b.txt FROM b WHERE w.ctid = b.tid
      RETURNING 1
    )
    SELECT (SELECT count(*) FROM b) - (SELECT count(*) FROM w) INTO v_count;${allUpdated}
    IF cardinality(w_target) > 0 THEN
      INSERT INTO ${s}.waiter (target_id, topic, waiter_id, start)
      SELECT w.target, w.topic, w.id, min(w.start::bigint)
      FROM unnest(w_op, w_id, w_target, w_topic, w_from) AS w(op, id, target, topic, start)
      WHERE w.op = ANY (v_ok)
      GROUP BY w.target, w.topic, w.id
      ON CONFLICT (target_id, topic, waiter_id) DO UPDATE SET start = excluded.start;
    END IF;
  END IF;
${insertMessages(s)}
${consumeMessages(s)}
${setEvents(s)}
${appendEntries(s)}
${supersedeEntries(s)}
${tellWaiters(s)}

  IF v_settling THEN
    v_now := ${s}.now_ms();
    WITH e AS MATERIALIZED (
      SELECT a.ending, a.txt, o.epoch, p.tid, ${lossesOf(s, "a.id")} AS attempts
      FROM unnest(a_op, a_id, a_end, a_text) AS a(op, id, ending, txt)
      CROSS JOIN LATERAL (
        SELECT o.epoch, o.attempts, o.progress FROM ${s}.ownership o WHERE o.workflow_id = a.id OFFSET 0
      ) o
      CROSS JOIN LATERAL (
        SELECT p.ctid AS tid FROM ${s}.workflow p WHERE p.workflow_id = a.id OFFSET 0
      ) p
      WHERE a.ending IN ('SUCCESS', 'ERROR', 'CANCELLED') AND (v_all OR a.op = ANY (v_ok))
    ), w AS (
      UPDATE ${s}.workflow w SET
        status = CASE e.ending WHEN 'CANCELLED' THEN w.status ELSE e.ending END,
        output = e.txt, completed_at = v_now, epoch = e.epoch, ended_epoch = e.epoch, recovery_attempts = e.attempts
      FROM e WHERE w.ctid = e.tid
      RETURNING w.workflow_id
    )
    SELECT array_agg(w.workflow_id), (SELECT count(*) FROM e) - count(*) INTO v_settled, v_count FROM w;${allUpdated}
    IF v_settled IS NOT NULL THEN
      WITH d AS (
        DELETE FROM ${s}.ownership o WHERE o.workflow_id = ANY (v_settled) RETURNING o.workflow_id, o.queue
      )
      SELECT array_agg(d.workflow_id) INTO v_queued FROM d WHERE d.queue > '';
      IF v_queued IS NOT NULL THEN
        PERFORM ${s}.leave_queue_1(v_queued);
      END IF;
      DELETE FROM ${s}.mailbox m WHERE m.workflow_id = ANY (v_settled);
      DELETE FROM ${s}.deadline d WHERE d.workflow_id = ANY (v_settled);
      IF v_waiters IS NOT NULL OR cardinality(w_target) > 0 THEN
        PERFORM ${s}.wake_1(v_settled, v_now);
      END IF;
    END IF;
  END IF;

  IF NOT v_all THEN
    -- later snapshot: an earlier submission of the same, over for good, or held by somebody
    WITH c AS (
      SELECT a.op, a.id, a.epoch::bigint AS epoch, a.ending, o.epoch AS current,
        greatest(o.ended_epoch, w.ended_epoch) AS ended,
        EXISTS (SELECT FROM unnest(r_op) r(op) WHERE r.op = a.op) AS records,
        EXISTS (SELECT FROM unnest(t_op) r(op) WHERE r.op = a.op) AS attempts,
        a.op = ANY (v_telling) AS telling
      FROM unnest(a_op, a_id, a_epoch, a_end) AS a(op, id, epoch, ending)
      LEFT JOIN LATERAL (
        SELECT o.epoch, o.ended_epoch FROM ${s}.ownership o WHERE o.workflow_id = a.id OFFSET 0
      ) o ON true
      LEFT JOIN LATERAL (
        SELECT w.ended_epoch FROM ${s}.workflow w WHERE w.workflow_id = a.id OFFSET 0
      ) w ON true
      WHERE a.op <> ALL (v_ok) AND a.op <> ALL (v_answered)
    ), j AS MATERIALIZED (
      SELECT c.op, (c.records OR c.attempts OR c.telling OR c.ending IS NOT NULL)
        AND (c.ending IS NULL OR coalesce(c.ended = c.epoch OR (c.ended > c.epoch AND c.records), false))
        AND NOT EXISTS (
          SELECT FROM unnest(r_op, r_id, r_epoch, r_step, r_key, r_kind, r_outcome, r_value)
            AS r(op, id, epoch, step, key, kind, outcome, value)
          WHERE r.op = c.op AND (
            SELECT ${sameRecord}
            FROM ${s}.step t WHERE t.workflow_id = r.id AND t.step_id = r.step::integer
          ) IS NOT TRUE
        )
        AND NOT EXISTS (
          SELECT FROM unnest(t_op, t_id, t_epoch, t_step, t_attempt) AS r(op, id, epoch, step, attempt)
          WHERE r.op = c.op AND (
            SELECT t.epoch = r.epoch FROM ${s}.attempt t
            WHERE t.workflow_id = r.id AND t.step_id = r.step::integer AND t.attempt = r.attempt::integer
          ) IS NOT TRUE
        )
        AND (c.records OR NOT c.telling OR ${told(s)})
        AS applied,
        coalesce(c.current = c.epoch AND c.ended < c.epoch, false) AS held
      FROM c
    )
    SELECT array_agg(j.op) FILTER (WHERE j.applied), array_agg(j.op) FILTER (WHERE NOT j.applied AND j.held),
      array_agg(j.op) FILTER (WHERE NOT j.applied AND NOT j.held)
    INTO v_applied, v_busy, v_late FROM j;
    RETURN QUERY
      SELECT k.op::integer, NULL::integer, 'Busy', NULL::text, NULL::boolean, NULL::bigint FROM unnest(v_busy) k(op)
      UNION ALL
      SELECT k.op::integer, NULL::integer, 'Fenced', NULL::text, NULL::boolean, NULL::bigint FROM unnest(v_late) k(op);
    v_ok := v_ok || v_applied;
  END IF;

  IF v_known > 0 OR (v_applied IS NOT NULL AND array_position(s_child, 0::double precision) IS NOT NULL) THEN
    RETURN QUERY
      SELECT x.op::integer, x.child::integer, 'Exists', x.found_name::text,
        x.found_name = x.name AND x.found_payload = x.payload, NULL::bigint
      FROM ${taken(s)}
      WHERE x.child IS NOT NULL AND x.op = ANY (v_ok) AND x.found_token <> x.token;
  END IF;${movedBefore(s)}
END`
  })
