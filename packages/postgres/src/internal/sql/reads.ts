/** What others read of a workflow's messages, events and streams: one statement each, whatever the number asked. */

/** Of the workflow `$1` at most `$2`; of the topic `$3`, or of any; also those that are consumed, or not. */
export const messagesStatement = (s: string, consumed: boolean, topic: boolean, after: boolean): string => `
  SELECT json_build_object('seq', m.seq, 'messageId', m.message_id, 'topic', m.topic, 'payload', m.payload,
    'codec', m.codec, 'senderId', m.sender_id, 'sentAt', m.sent_at, 'consumedBy', m.consumed_by)::text
  FROM ${s}.message m
  WHERE m.workflow_id = $1::text${consumed ? "" : " AND m.consumed_by IS NULL"}${
  topic ? " AND m.topic = $3::text" : ""
}${after ? ` AND m.seq > $${topic ? 4 : 3}::bigint` : ""}
  ORDER BY m.seq LIMIT $2::integer`

export const inboxesStatement = (s: string): string => `
  SELECT k.id, coalesce(m.inbox, 0)
  FROM unnest($1::text[]) AS k(id)
  CROSS JOIN LATERAL (SELECT 1 FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0) o
  LEFT JOIN LATERAL (SELECT m.inbox FROM ${s}.mailbox m WHERE m.workflow_id = k.id OFFSET 0) m ON true`

export const eventValuesStatement = (s: string): string => `
  SELECT e.value, o.open, w.known
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(id, key, n)
  LEFT JOIN LATERAL (
    SELECT e.value FROM ${s}.event e WHERE e.workflow_id = k.id AND e.key = k.key ORDER BY e.n DESC LIMIT 1
  ) e ON true
  LEFT JOIN LATERAL (
    SELECT true AS open FROM ${s}.ownership o WHERE o.workflow_id = k.id AND e.value IS NULL OFFSET 0
  ) o ON true
  LEFT JOIN LATERAL (
    SELECT true AS known FROM ${s}.workflow w WHERE w.workflow_id = k.id AND e.value IS NULL OFFSET 0
  ) w ON true
  ORDER BY k.n`

/** The keys after $2 that a workflow has in a table, $3 at the most, by one probe each however many rows a key has. */
const keysOf = (s: string, table: string): string => `
  WITH RECURSIVE k AS (
    (SELECT t.key, 1 AS n FROM ${s}.${table} t
      WHERE t.workflow_id = $1::text AND t.key > $2::text ORDER BY t.key LIMIT 1)
    UNION ALL
    SELECT
      (SELECT t.key FROM ${s}.${table} t WHERE t.workflow_id = $1::text AND t.key > k.key ORDER BY t.key LIMIT 1),
      k.n + 1
    FROM k WHERE k.key IS NOT NULL AND k.n < $3::integer
  )`

export const eventsStatement = (s: string): string =>
  `${keysOf(s, "event")}
  SELECT e.key, e.value, e.codec, e.at
  FROM k CROSS JOIN LATERAL (
    SELECT * FROM ${s}.event e WHERE e.workflow_id = $1::text AND e.key = k.key ORDER BY e.n DESC LIMIT 1
  ) e
  WHERE k.key IS NOT NULL ORDER BY k.key`

export const streamsStatement = (s: string): string =>
  `${keysOf(s, "stream")}
  SELECT k.key, l.position + 1, l.value IS NULL AND NOT l.superseded
  FROM k CROSS JOIN LATERAL (
    SELECT * FROM ${s}.stream l WHERE l.workflow_id = $1::text AND l.key = k.key ORDER BY l.position DESC LIMIT 1
  ) l
  WHERE k.key IS NOT NULL ORDER BY k.key`

/** One entry more than asked tells whether these are the last. */
export const readStreamsStatement = (s: string): string => `
  SELECT coalesce(x.entries, '[]')::text, o.open, w.known
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS k(id, key, start, most, n)
  LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object('offset', x.position, 'value', x.value, 'codec', x.codec, 'stepId', x.step_id,
      'attempt', x.attempt, 'superseded', x.superseded, 'at', x.at) ORDER BY x.position) AS entries
    FROM (
      SELECT * FROM ${s}.stream x
      WHERE x.workflow_id = k.id AND x.key = k.key AND x.position >= k.start::bigint
      ORDER BY x.position LIMIT k.most::bigint + 1
    ) x
  ) x ON true
  LEFT JOIN LATERAL (
    SELECT true AS open FROM ${s}.ownership o WHERE o.workflow_id = k.id OFFSET 0
  ) o ON true
  LEFT JOIN LATERAL (
    SELECT true AS known FROM ${s}.workflow w WHERE w.workflow_id = k.id AND o.open IS NULL OFFSET 0
  ) w ON true
  ORDER BY k.n`

export const awaitedStatement = (s: string): string => `
  SELECT x.target_id, left(x.topic, 1), substr(x.topic, 2), w.status
  FROM ${s}.waiter x
  LEFT JOIN LATERAL (SELECT w.status FROM ${s}.workflow w WHERE w.workflow_id = x.target_id OFFSET 0) w ON true
  WHERE x.waiter_id = $1::text ORDER BY x.target_id, x.topic`
