import { createFunction, readCommitted } from "./function.ts"

/** Everything that is stored of a workflow besides its own row, by the workflow's id. */
const belongings: ReadonlyArray<readonly [table: string, column: string]> = [
  ["step", "workflow_id"],
  ["attempt", "workflow_id"],
  ["attribute", "workflow_id"],
  ["message", "workflow_id"],
  ["event", "workflow_id"],
  ["stream", "workflow_id"],
  ["waiter", "target_id"],
  ["waiter", "waiter_id"]
]

/** No parent may still ask for its result. */
const unasked = (s: string): string =>
  `w.parent_id IS NULL OR NOT EXISTS (
            SELECT FROM ${s}.ownership o WHERE o.workflow_id = w.parent_id
          )`

/**
 * Deletes done workflows and everything that is stored of them, in groups: a group goes whole, or stays whole where one of
 * it is not as it was seen (`p_completed`), or has a parent that may ask for it if `p_unasked_only`. Returns the numbers of
 * the groups that are gone.
 *
 * Invariant: a workflow is done exactly while its row has `completed_at`, and only a resumption ends that, under this
 * row's lock. So what is locked here with the time that was seen has no owner, no mailbox, and nobody writes for it.
 *
 * Locks: workflow rows by id, only those that are done; what belongs to them has no other user.
 */
export const erase = (s: string): string =>
  createFunction({
    name: `${s}.erase_1`,
    parameters: [
      "p_lock_ms integer",
      "p_groups integer[]",
      "p_ids text[]",
      "p_completed bigint[]",
      "p_unasked_only boolean"
    ],
    returns: "TABLE (group_ integer)",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_groups integer[];
  v_ids text[];
BEGIN${readCommitted}
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  WITH l AS MATERIALIZED (
    SELECT k.grp
    FROM (
      SELECT * FROM unnest(p_groups, p_ids, p_completed) AS k(grp, id, completed) ORDER BY k.id COLLATE "C"
    ) k CROSS JOIN LATERAL (
      SELECT 1 FROM ${s}.workflow w
      WHERE w.workflow_id = k.id AND w.completed_at = k.completed
        AND (NOT p_unasked_only OR ${unasked(s)})
      FOR UPDATE
    ) w
  )
  SELECT array_agg(g.grp) INTO v_groups
  FROM (SELECT k.grp, count(*) AS count FROM unnest(p_groups) k(grp) GROUP BY k.grp) g
  WHERE g.count = (SELECT count(*) FROM l WHERE l.grp = g.grp);
  IF v_groups IS NULL THEN
    RETURN;
  END IF;
  SELECT array_agg(k.id) INTO v_ids FROM unnest(p_groups, p_ids) AS k(grp, id) WHERE k.grp = ANY (v_groups);
${belongings.map(([table, column]) => `  DELETE FROM ${s}.${table} x WHERE x.${column} = ANY (v_ids);`).join("\n")}
  DELETE FROM ${s}.workflow w WHERE w.workflow_id = ANY (v_ids);
  RETURN QUERY SELECT unnest(v_groups);
END`
  })

/**
 * Each of `$1` with its descendants if `$2`, however deep, detached ones too: root, id, status, when it was done; the
 * deepest first. Ids that were used again can make a circle of parents.
 */
export const familyStatement = (s: string): string => `
  WITH RECURSIVE f AS (
    SELECT k.id AS root, w.workflow_id AS id, 0 AS depth, w.status, w.completed_at
    FROM unnest($1::text[]) AS k(id)
    CROSS JOIN LATERAL (SELECT * FROM ${s}.workflow w WHERE w.workflow_id = k.id OFFSET 0) w
    UNION ALL
    SELECT f.root, w.workflow_id, f.depth + 1, w.status, w.completed_at
    FROM f CROSS JOIN LATERAL (
      SELECT * FROM ${s}.workflow w WHERE w.parent_id = f.id OFFSET 0
    ) w
    WHERE $2::boolean
  ) CYCLE id SET again USING path
  SELECT f.root, f.id, f.status, f.completed_at FROM f WHERE NOT f.again ORDER BY f.root, f.depth DESC, f.id`

/**
 * Done workflows that may go, of each name the oldest first. A child stays while its parent is not done: the parent may
 * still ask for its result.
 *
 * There is no index by completion (it would be written at every end), so this reads what is old enough by creation, and
 * all of a name of which some stay. That is why its caller asks for many at once.
 */
export const retainable = (s: string): string =>
  createFunction({
    name: `${s}.retainable_1`,
    parameters: ["p_name text", "p_older_ms bigint", "p_keep integer", "p_limit integer"],
    returns: "TABLE (id_ text, completed_ bigint)",
    volatility: "STABLE",
    body: `
#variable_conflict use_column
DECLARE
  v_before bigint := ${s}.now_ms() - p_older_ms;
  v_name text := coalesce(p_name, (SELECT w.name FROM ${s}.workflow w ORDER BY w.name LIMIT 1));
  v_left integer := p_limit;
  v_count integer;
  v_at bigint;
  v_id text;
BEGIN
  WHILE v_name IS NOT NULL AND v_left > 0 LOOP
    v_at := NULL;
    IF p_keep > 0 THEN
      SELECT w.completed_at, w.workflow_id INTO v_at, v_id
      FROM ${s}.workflow w WHERE w.name = v_name AND w.completed_at IS NOT NULL
      ORDER BY w.completed_at DESC, w.workflow_id DESC OFFSET p_keep - 1 LIMIT 1;
    END IF;
    IF coalesce(p_keep, 0) = 0 OR v_at IS NOT NULL THEN
      RETURN QUERY
        SELECT w.workflow_id, w.completed_at FROM ${s}.workflow w
        WHERE w.name = v_name AND w.completed_at IS NOT NULL
          AND w.created_at < coalesce(v_before, 9223372036854775807)
          AND w.completed_at < coalesce(v_before, 9223372036854775807)
          AND (v_at IS NULL OR (w.completed_at, w.workflow_id) < (v_at, v_id))
          AND (${unasked(s)})
        ORDER BY w.created_at, w.workflow_id LIMIT v_left;
      GET DIAGNOSTICS v_count = ROW_COUNT;
      v_left := v_left - v_count;
    END IF;
    EXIT WHEN p_name IS NOT NULL;
    v_name := (SELECT w.name FROM ${s}.workflow w WHERE w.name > v_name ORDER BY w.name LIMIT 1);
  END LOOP;
END`
  })
