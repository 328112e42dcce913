import { dropOperations } from "./drop.ts"
import { rowsOf } from "./groups.ts"

/**
 * Tells which operations cannot send what they want to. Runs under the lock of the destinations' mailboxes, in a later
 * snapshot: every message that there is is seen, for none is written without that lock.
 *
 * A message that is there already is delivered, whatever has become of its destination since. Of two operations of a
 * batch with one message, the second looks again.
 */
export const checkSends = (s: string): string => `
  IF v_m > 0 THEN
    -- of each destination: 0 ready, 1 somebody holds it, 2 unknown, 3 ended
    SELECT array_agg(CASE
      WHEN o.phase = 'run' THEN CASE WHEN v_inbox[d.n] < 0 THEN 1 ELSE 0 END
      WHEN o.phase IS NOT NULL OR w.found THEN 3 ELSE 2 END ORDER BY d.n)
    INTO v_state
    FROM unnest(d_id) WITH ORDINALITY d(id, n)
    LEFT JOIN LATERAL (
      SELECT o.phase FROM ${s}.ownership o WHERE o.workflow_id = d.id OFFSET 0
    ) o ON true
    LEFT JOIN LATERAL (
      SELECT true AS found FROM ${s}.workflow w WHERE w.workflow_id = d.id AND o.phase IS NULL OFFSET 0
    ) w ON true;

    WITH t AS MATERIALIZED (
      SELECT m.op, m.part, CASE
        WHEN x.same THEN 'there'
        WHEN NOT x.same THEN 'conflict'
        WHEN m.first_op <> m.op THEN 'busy'
        WHEN m.first_topic <> m.topic OR m.first_payload <> m.payload OR m.first_codec <> m.codec THEN 'conflict'
        WHEN v_state[m.dest] = 0 THEN 'new'
        WHEN v_state[m.dest] = 1 THEN 'busy'
        WHEN v_state[m.dest] = 3 THEN 'ended'
        ELSE coalesce((
          SELECT CASE WHEN bool_or(c.op = m.op) THEN 'new' ELSE 'busy' END
          FROM unnest(s_op, s_child, s_id) AS c(op, child, id)
          WHERE c.id = m.target AND c.child IS NOT NULL HAVING count(*) > 0
        ), 'unknown') END AS verdict
      FROM (
        SELECT m.*, first_value(m.op) OVER w AS first_op, first_value(m.topic) OVER w AS first_topic,
          first_value(m.payload) OVER w AS first_payload, first_value(m.codec) OVER w AS first_codec
        FROM ${rowsOf("m")}
        WHERE v_all OR m.op = ANY (v_ok)
        WINDOW w AS (PARTITION BY m.dest, m.message_id COLLATE "C" ORDER BY m.op, m.part)
      ) m
      LEFT JOIN LATERAL (
        SELECT x.topic = m.topic AND x.payload = m.payload AND x.codec = m.codec AS same
        FROM ${s}.message x WHERE x.workflow_id = m.target AND x.message_id = m.message_id OFFSET 0
      ) x ON true
    ), r AS (
      SELECT DISTINCT ON (t.op) t.op, t.part, t.verdict FROM t WHERE t.verdict NOT IN ('there', 'new')
      ORDER BY t.op, t.verdict = 'busy', t.part
    )
    SELECT array_agg(r.op), array_agg(r.part), array_agg(r.verdict), (SELECT bool_or(t.verdict = 'there') FROM t)
    INTO v_late, v_parts, v_verdicts, v_there FROM r;
    IF v_late IS NOT NULL THEN
      RETURN QUERY
        SELECT r.op::integer, CASE r.verdict WHEN 'busy' THEN NULL ELSE r.part::integer END,
          CASE r.verdict WHEN 'busy' THEN 'Busy' ELSE 'SendRefused' END, r.verdict, NULL::boolean, NULL::bigint
        FROM unnest(v_late, v_parts, v_verdicts) AS r(op, part, verdict);
${dropOperations("v_late")}
    END IF;
  END IF;`

/**
 * Writes the messages, numbered on from their destination's counter, which was read under its lock. Whoever waits there
 * is due. One update per destination, however many messages.
 */
export const insertMessages = (s: string): string => `
  IF v_m > 0 THEN
    v_now := ${s}.now_ms();
    IF 2 = ANY (v_state) THEN
      -- children of this very operation, inserted a moment ago: one that is owned has no mailbox yet
      INSERT INTO ${s}.mailbox (workflow_id, name, version, queue)
      SELECT o.workflow_id, o.name, o.version, o.queue
      FROM unnest(d_id) WITH ORDINALITY d(id, n)
      CROSS JOIN LATERAL (
        SELECT * FROM ${s}.ownership o WHERE o.workflow_id = d.id OFFSET 0
      ) o
      WHERE v_state[d.n] = 2
      ON CONFLICT (workflow_id) DO NOTHING;
    END IF;
    WITH f AS MATERIALIZED (
      SELECT m.*, count(*) OVER (PARTITION BY m.dest) AS total,
        row_number() OVER (PARTITION BY m.dest ORDER BY m.op, m.part) AS n
      FROM (
        SELECT m.*, row_number() OVER (PARTITION BY m.dest, m.message_id COLLATE "C" ORDER BY m.op, m.part) AS twin
        FROM ${rowsOf("m")}
        WHERE v_all OR m.op = ANY (v_ok)
      ) m
      WHERE m.twin = 1 AND (NOT v_there OR NOT EXISTS (
        SELECT FROM ${s}.message x WHERE x.workflow_id = m.target AND x.message_id = m.message_id OFFSET 0
      ))
    ), b AS (
      UPDATE ${s}.mailbox b SET inbox = b.inbox + p.total,
        wake_at = CASE WHEN b.waits IS NULL THEN b.wake_at ELSE least(coalesce(b.wake_at, v_now), v_now) END
      FROM (
        SELECT f.total, p.tid FROM f CROSS JOIN LATERAL (
          SELECT p.ctid AS tid FROM ${s}.mailbox p WHERE p.workflow_id = f.target OFFSET 0
        ) p
        WHERE f.n = 1
      ) p
      WHERE b.ctid = p.tid
    )
    INSERT INTO ${s}.message (workflow_id, seq, message_id, topic, payload, codec, sender_id, sent_at)
    SELECT f.target, greatest(v_inbox[f.dest], 0) + f.n, f.message_id, f.topic, f.payload, f.codec, f.sender, v_now
    FROM f;
  END IF;`

/**
 * The owner consumes what it names, in the step that it names: under its ownership lock, so nobody else does. A message
 * that this step has consumed already is an earlier submission's; one that is another's, or not there, is refused.
 */
export const consumeMessages = (s: string): string => `
  IF v_c > 0 THEN
    UPDATE ${s}.message m SET consumed_by = k.step::integer
    FROM (
      SELECT c.step, p.tid
      FROM ${rowsOf("c")}
      CROSS JOIN LATERAL (
        SELECT p.ctid AS tid FROM ${s}.message p
        WHERE p.workflow_id = c.id AND p.seq = c.seq::bigint AND p.consumed_by IS NULL OFFSET 0
      ) p
      WHERE v_all OR c.op = ANY (v_ok)
    ) k
    WHERE m.ctid = k.tid;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count < v_c THEN
      PERFORM 1
      FROM ${rowsOf("c")}
      LEFT JOIN LATERAL (
        SELECT p.consumed_by FROM ${s}.message p WHERE p.workflow_id = c.id AND p.seq = c.seq::bigint OFFSET 0
      ) p ON true
      WHERE (v_all OR c.op = ANY (v_ok)) AND p.consumed_by IS DISTINCT FROM c.step::integer;
      IF FOUND THEN
        RAISE EXCEPTION 'a message that was consumed does not exist, or another step has consumed it'
          USING ERRCODE = 'PD003';
      END IF;
    END IF;
  END IF;`
