import { rowsOf } from "./groups.ts"

/**
 * Messages that were sent within the transaction of an application, until they are delivered. Inserting one locks
 * nothing that was there before; `n` keeps the order of each sender.
 */
export const outboxTable = (s: string): ReadonlyArray<string> => [
  `CREATE TABLE ${s}.outbox (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    destination text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    payload text NOT NULL,
    codec text COLLATE "C" NOT NULL,
    sender_id text COLLATE "C"
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000)`
]

/** The part of a flush for messages of an application's own transaction (`p_lock_ms` null): why not, by plain reads. */
export const putInOutbox = (s: string): string => `
  IF p_lock_ms IS NULL THEN
    IF v_m > 0 THEN
      FOR v_send IN
        SELECT m.*, CASE
          WHEN x.same THEN 'there'
          WHEN NOT x.same THEN 'conflict'
          WHEN o.phase = 'run' THEN 'new'
          WHEN o.phase IS NOT NULL OR w.found THEN 'ended'
          ELSE 'unknown' END AS verdict
        FROM ${rowsOf("m")}
        LEFT JOIN LATERAL (
          SELECT x.topic = m.topic AND x.payload = m.payload AND x.codec = m.codec AS same
          FROM ${s}.message x WHERE x.workflow_id = m.target AND x.message_id = m.message_id OFFSET 0
        ) x ON true
        LEFT JOIN LATERAL (
          SELECT o.phase FROM ${s}.ownership o WHERE o.workflow_id = m.target OFFSET 0
        ) o ON true
        LEFT JOIN LATERAL (
          SELECT true AS found FROM ${s}.workflow w WHERE w.workflow_id = m.target OFFSET 0
        ) w ON true
        ORDER BY m.op, m.part
      LOOP
        IF v_send.verdict = 'new' THEN
          INSERT INTO ${s}.outbox (destination, message_id, topic, payload, codec, sender_id)
          VALUES (v_send.target, v_send.message_id, v_send.topic, v_send.payload, v_send.codec, v_send.sender);
        ELSIF v_send.verdict <> 'there' THEN
          RETURN QUERY SELECT v_send.op::integer, v_send.part::integer, 'SendRefused', v_send.verdict, NULL::boolean,
            NULL::bigint;
        END IF;
      END LOOP;
    END IF;
    RETURN;
  END IF;`

const maxRows = 500
const maxBytes = 2_000_000

/** The oldest that are there, but for the destinations `$1`; at most so many, and no more after so many bytes. */
export const outboxStatement = (s: string): string => `
  SELECT b.n, b.destination, b.message_id, b.topic, b.payload, b.codec, b.sender_id
  FROM (
    SELECT b.*, sum(octet_length(b.payload)) OVER (ORDER BY b.n) - octet_length(b.payload) AS before
    FROM (
      SELECT * FROM ${s}.outbox b WHERE b.destination <> ALL ($1::text[]) ORDER BY b.n LIMIT ${maxRows}
    ) b
  ) b WHERE b.before < ${maxBytes} ORDER BY b.n`

/** Two that drain at once delete the same: neither waits for the other. */
export const emptyStatement = (s: string): string => `
  DELETE FROM ${s}.outbox b USING (
    SELECT y.tid FROM unnest($1::text[]) k(n) CROSS JOIN LATERAL (
      SELECT y.ctid AS tid FROM ${s}.outbox y WHERE y.n = k.n::bigint FOR UPDATE SKIP LOCKED
    ) y
  ) d WHERE b.ctid = d.tid`
