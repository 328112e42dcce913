import { rowsOf } from "./groups.ts"

const settling = "a.ending IN ('SUCCESS', 'ERROR', 'CANCELLED')"

/** How long a flush waits for the mailboxes that it needs: only functions of ours hold them, for the time of a commit. */
const waitMs = 1000

/**
 * Locks every mailbox that this flush will write: of destinations, of who suspends, ends or hands over here, and of who
 * waits for what happens here. All in one pass, by id, waiting: since nothing else waits while it holds one, flushes
 * that send to each other queue up instead of deadlocking, and a chatty sender cannot starve its destination, which a
 * skipped lock would. Nobody's open transaction ever holds a mailbox.
 *
 * Invariant: whether a message comes before a suspension, or a suspension before a message, is decided by this lock
 * alone: whoever is second sees what the first has written. A workflow that has no mailbox yet (it never waited and
 * never got anything) is given one first, with its ownership row locked FOR KEY SHARE, so that it cannot end before.
 *
 * Waiters are complete: a suspension holds its targets' ownership rows FOR KEY SHARE, and whoever ends, sets an event or
 * appends to a stream in this flush has its own FOR UPDATE.
 *
 * Sets `v_waiters`, and `v_inbox`: for each of `d_id` its counter, -1 where there is no mailbox, or none to be had.
 */
export const lockMailboxes = (s: string): string => `
  IF v_m > 0 OR v_e > 0 OR v_g > 0 OR cardinality(array_remove(a_end, NULL)) > 0 THEN
    IF v_settling THEN
      SELECT array_agg(x.waiter_id) INTO v_waiters
      FROM unnest(a_op, a_id, a_end) AS a(op, id, ending)
      CROSS JOIN LATERAL (
        SELECT x.waiter_id FROM ${s}.waiter x WHERE x.target_id = a.id OFFSET 0
      ) x
      WHERE ${settling} AND (v_all OR a.op = ANY (v_ok));
    END IF;
    IF v_e > 0 OR v_g > 0 THEN
      SELECT v_waiters || array_agg(x.waiter_id) INTO v_waiters
      FROM (
        SELECT e.op, e.id, 'e' || e.key AS topic FROM ${rowsOf("e")} WHERE e.last = 1
        UNION ALL
        SELECT g.op, g.id, 's' || g.key FROM ${rowsOf("g")}
      ) t
      CROSS JOIN LATERAL (
        SELECT x.waiter_id FROM ${s}.waiter x WHERE x.target_id = t.id AND x.topic = t.topic OFFSET 0
      ) x
      WHERE v_all OR t.op = ANY (v_ok);
    END IF;

    PERFORM set_config('lock_timeout', '${waitMs}', true);
    IF v_m > 0 OR a_end && ARRAY['suspend', 'release', 'block'] THEN
      SELECT array_agg(k.id) INTO v_boxless
      FROM (
        SELECT d.id FROM unnest(d_id) d(id)
        UNION
        SELECT a.id FROM unnest(a_op, a_id, a_end) AS a(op, id, ending)
        WHERE a.ending IN ('suspend', 'release', 'block') AND (v_all OR a.op = ANY (v_ok))
      ) k
      LEFT JOIN LATERAL (
        SELECT true AS found FROM ${s}.mailbox m WHERE m.workflow_id = k.id OFFSET 0
      ) m ON true
      WHERE m.found IS NULL;
    END IF;
    IF v_boxless IS NOT NULL THEN
      WITH l AS MATERIALIZED (
        SELECT o.workflow_id, o.name, o.version, o.queue
        FROM (SELECT u.id FROM unnest(v_boxless) u(id) ORDER BY u.id COLLATE "C") k
        CROSS JOIN LATERAL (
          SELECT * FROM ${s}.ownership o WHERE o.workflow_id = k.id FOR KEY SHARE SKIP LOCKED
        ) o
      )
      INSERT INTO ${s}.mailbox (workflow_id, name, version, queue)
      SELECT l.workflow_id, l.name, l.version, l.queue FROM l ORDER BY l.workflow_id
      ON CONFLICT (workflow_id) DO NOTHING;
    END IF;
    SELECT array_agg(l.inbox ORDER BY l.n) FILTER (WHERE l.n > 0) INTO v_inbox
    FROM (
      SELECT k.n, coalesce(m.inbox, -1) AS inbox
      FROM (
        SELECT u.id, max(u.n) AS n
        FROM (
          SELECT d.id COLLATE "C" AS id, d.n FROM unnest(d_id) WITH ORDINALITY d(id, n)
          UNION ALL
          SELECT x.id COLLATE "C", 0 FROM unnest(v_waiters) x(id)
          UNION ALL
          SELECT a.id COLLATE "C", 0 FROM unnest(a_op, a_id, a_end) AS a(op, id, ending)
          WHERE a.ending IS NOT NULL AND (v_all OR a.op = ANY (v_ok))
        ) u
        GROUP BY u.id ORDER BY u.id
      ) k
      LEFT JOIN LATERAL (
        SELECT m.inbox FROM ${s}.mailbox m WHERE m.workflow_id = k.id FOR NO KEY UPDATE
      ) m ON true
    ) l;
    PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  END IF;`

/**
 * The same for who ends workflows or gives them back from outside: the mailboxes of `ids`, and of all who wait for the end of
 * `ended`. Waiters are complete, since the ownership rows of these are locked FOR UPDATE.
 */
export const lockMailboxesOf = (s: string, ids: string, ended: string): string => `
    PERFORM 1 FROM ${s}.mailbox m
    WHERE m.workflow_id = ANY (${ids} || ARRAY(
      SELECT x.waiter_id FROM unnest(${ended}) k(id) CROSS JOIN LATERAL (
        SELECT x.waiter_id FROM ${s}.waiter x WHERE x.target_id = k.id OFFSET 0
      ) x
    )) ORDER BY m.workflow_id FOR NO KEY UPDATE;`
