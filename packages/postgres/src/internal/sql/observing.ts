/** What is looked at again and again. Every look is bounded: by an index, or by how many of the newest rows it reads. */
import { servedIn } from "./loose.ts"

export const progressStatement = (s: string): string => `
  SELECT w.workflow_id, w.status, t.count, a.count
  FROM unnest($1::text[]) AS k(id)
  CROSS JOIN LATERAL (SELECT w.workflow_id, w.status FROM ${s}.workflow w WHERE w.workflow_id = k.id OFFSET 0) w
  CROSS JOIN LATERAL (SELECT count(*) FROM ${s}.step t WHERE t.workflow_id = k.id OFFSET 0) t
  CROSS JOIN LATERAL (SELECT count(*) FROM ${s}.attempt a WHERE a.workflow_id = k.id OFFSET 0) a
  ORDER BY w.workflow_id`

/** So many partitions are looked at. */
const maxPartitions = 1_000

/**
 * The first by rank: of those without a partition one probe per name and version, as claims do; else one per partition
 * key. Not by the partitions' own rows: they are brought up to date by claims, and what nobody claims is asked for here.
 */
export const queueHeadStatement = (s: string): string => `
  WITH RECURSIVE ${servedIn(s, "k", "queue_item", "t.state = 'waiting' AND t.partition_key IS NULL", "$1::text")},
  p(workflow_id, partition_key, rank, seq) AS (
    (SELECT t.workflow_id, t.partition_key, t.rank, t.seq FROM ${s}.queue_item t
      WHERE t.state = 'waiting' AND t.partition_key IS NOT NULL AND t.queue = $1::text
      ORDER BY t.partition_key, t.rank, t.seq LIMIT 1)
    UNION ALL
    SELECT n.* FROM p CROSS JOIN LATERAL (
      SELECT t.workflow_id, t.partition_key, t.rank, t.seq FROM ${s}.queue_item t
      WHERE t.state = 'waiting' AND t.partition_key IS NOT NULL AND t.queue = $1::text
        AND t.partition_key > p.partition_key
      ORDER BY t.partition_key, t.rank, t.seq LIMIT 1
    ) n
  )
  SELECT x.workflow_id FROM (
    SELECT i.workflow_id, i.rank, i.seq FROM k CROSS JOIN LATERAL (
      SELECT t.workflow_id, t.rank, t.seq FROM ${s}.queue_item t
      WHERE t.state = 'waiting' AND t.partition_key IS NULL AND t.queue = $1::text
        AND t.name = k.name AND t.version = k.version
      ORDER BY t.rank, t.seq LIMIT 1
    ) i
    UNION ALL
    SELECT o.workflow_id, o.rank, o.seq FROM (SELECT * FROM p LIMIT ${maxPartitions}) o
  ) x ORDER BY x.rank, x.seq LIMIT 1`

/** The newest of a span (`$1` to `$2`, at most `$3`, of the name `$4` or of all), by the index of creation or of names. */
const newest = (s: string, named: boolean): string => `
    SELECT w.workflow_id, w.name, w.status, w.created_at, w.started_at, w.completed_at FROM ${s}.workflow w
    WHERE w.created_at >= $1::bigint AND w.created_at < $2::bigint${named ? " AND w.name = $4::text" : ""}
    ORDER BY w.created_at DESC, w.workflow_id DESC LIMIT $3::integer`

/** `$5` (`$4` without a name) is how long a stretch is. */
export const activityStatement = (s: string, named: boolean): string => `
  SELECT (w.created_at - $1::bigint) / $${named ? 5 : 4}::bigint, w.status, count(*), min(w.created_at)
  FROM (${newest(s, named)}) w GROUP BY 1, 2`

/** `rank` numbers those of a name by how long they took, so that the one at nineteen twentieths is the percentile. */
export const namesStatement = (s: string, named: boolean): string => `
  SELECT r.name, r.ended, count(*) FILTER (WHERE r.status <> 'SUCCESS'), avg(r.ms)::float8,
    max(r.ms) FILTER (WHERE r.rank = (r.ended * 19 + 19) / 20), max(r.ms),
    max(r.workflow_id) FILTER (WHERE r.rank = r.ended)
  FROM (
    SELECT w.name, w.status, w.workflow_id, w.completed_at - w.started_at AS ms,
      row_number() OVER (PARTITION BY w.name ORDER BY w.completed_at - w.started_at, w.workflow_id) AS rank,
      count(*) OVER (PARTITION BY w.name) AS ended
    FROM (${newest(s, named)}) w WHERE w.completed_at IS NOT NULL AND w.started_at IS NOT NULL
  ) r
  GROUP BY r.name, r.ended`
