/** What a check-up reads. */

/** Everything of the schema, by kind and name; of functions their body, of columns their type, of indexes how they are. */
export const catalogStatement = `
  SELECT 'table', c.relname, '' FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1::text AND c.relkind IN ('r', 'p')
  UNION ALL
  SELECT 'column', c.relname || '.' || a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1::text AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT 'index', c.relname,
    CASE WHEN NOT i.indisvalid OR NOT i.indisready THEN 'invalid' WHEN i.indisunique THEN 'unique' ELSE '' END
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1::text
  UNION ALL
  SELECT 'trigger', c.relname || '.' || t.tgname, CASE WHEN t.tgenabled = 'D' THEN 'disabled' ELSE 'enabled' END
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1::text AND NOT t.tgisinternal
  UNION ALL
  SELECT 'function', p.proname, p.prosrc
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1::text`

/** What rows must be, one JSON text each. Not null is a constraint of its own only since PostgreSQL 18. */
export const constraintsStatement = `
  SELECT json_build_object('table', c.relname, 'type', k.contype, 'definition', pg_catalog.pg_get_constraintdef(k.oid),
    'valid', k.convalidated, 'columns', coalesce((
      SELECT json_agg(a.attname ORDER BY u.n)
      FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, n)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
    ), '[]'))::text
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1::text AND k.contype IN ('p', 'c', 'u', 'f', 'x')
  UNION ALL
  SELECT json_build_object('table', c.relname, 'type', 'n', 'definition', '', 'valid', true,
    'columns', json_build_array(a.attname))::text
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1::text AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull`

/**
 * One statement, so one snapshot: what a workflow is done by takes all its rows with it in one commit. The one part that
 * reads every workflow is the first.
 */
export const straysStatement = (s: string): string => `
  WITH resting AS (
    SELECT o.workflow_id, m.wake_at, m.waits
    FROM ${s}.ownership o LEFT JOIN ${s}.mailbox m ON m.workflow_id = o.workflow_id
    WHERE o.executor IS NULL AND NOT o.blocked
  )
  SELECT f.workflow_id, w.status, min(f.why) FROM (
    SELECT w.workflow_id, 'lost' AS why FROM ${s}.workflow w
    WHERE w.status IN ('ENQUEUED', 'DELAYED', 'PENDING', 'BLOCKED')
      AND NOT EXISTS (SELECT FROM ${s}.ownership o WHERE o.workflow_id = w.workflow_id)
    UNION ALL
    SELECT o.workflow_id, 'leftover' FROM ${s}.ownership o
    WHERE NOT EXISTS (SELECT FROM ${s}.workflow w WHERE w.workflow_id = o.workflow_id)
    UNION ALL
    SELECT r.workflow_id, 'asleep' FROM resting r
    WHERE r.wake_at IS NULL AND r.waits IS NULL AND NOT EXISTS (
      SELECT FROM ${s}.queue_item i WHERE i.workflow_id = r.workflow_id AND i.state IN ('waiting', 'delayed')
    )
    UNION ALL
    SELECT r.workflow_id, 'missed' FROM resting r JOIN ${s}.waiter x ON x.waiter_id = r.workflow_id AND x.topic = ''
    WHERE r.wake_at IS NULL AND r.waits IS NOT NULL
      AND NOT EXISTS (SELECT FROM ${s}.ownership o WHERE o.workflow_id = x.target_id)
  ) f LEFT JOIN ${s}.workflow w ON w.workflow_id = f.workflow_id
  GROUP BY f.workflow_id, w.status ORDER BY f.workflow_id LIMIT $1::integer`

export const needsStatement = (s: string): string => `
  SELECT o.name, o.version, count(*), min(o.workflow_id) FROM ${s}.ownership o
  WHERE o.executor IS NULL AND NOT o.blocked GROUP BY o.name, o.version ORDER BY o.name, o.version`
