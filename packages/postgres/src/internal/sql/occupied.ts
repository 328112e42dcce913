/**
 * Which queues a claim has to look into, as a part of its body: `v_waking`, what was admitted there before is due;
 * `v_queues`, something waits there, or a claim has to look (marks, delays that are over); `v_next`, when there will be.
 *
 * Each index is walked from one distinct prefix to the next, a probe each, so it costs how many queues and names there are
 * in it, not how many wait. Loops, since starting one plan of all these walks costs more than ten probes.
 */
export const occupied = (s: string): string =>
  [
    walkNames(s, "mailbox", "t.wake_at IS NOT NULL", [
      lookAhead(s, "mailbox", "wake_at", "v_waking")
    ]),
    walkNames(s, "queue_item", "t.state = 'waiting' AND t.partition_key IS NULL", [admits]),
    walkNames(s, "partition", "t.ready", [admits]),
    walkNames(s, "partition", "t.blocked_until IS NOT NULL", [
      lookAhead(s, "partition", "blocked_until", "v_queues")
    ]),
    walkQueues(s, "partition_mark", "true", [admits]),
    walkQueues(s, "queue_item", "t.state = 'delayed'", [delayed(s)])
  ].join("\n")

/** Before every queue, and after what is of none: names and versions hold no control characters. */
const first = "E'\\x01'"
const separator = "E'\\x1f'"

const admits = "v_queues := v_queues || v_queue;"

const isAsked = "(p_queues IS NULL OR v_queue = ANY (p_queues))"

/** The distinct queues, names and versions that an index of `table` begins with, those that are served and asked for. */
const walkNames = (s: string, table: string, where: string, then: ReadonlyArray<string>): string => `
    v_queue := ${first};
    v_name := '';
    v_of := '';
    LOOP
      SELECT t.queue, t.name, t.version INTO v_queue, v_name, v_of FROM ${s}.${table} t
      WHERE ${where} AND (t.queue, t.name, t.version) > (v_queue, v_name, v_of)
      ORDER BY t.queue, t.name, t.version LIMIT 1;
      EXIT WHEN NOT FOUND;
      IF v_name || ${separator} || v_of = ANY (v_served) AND ${isAsked} THEN
        ${then.join("\n        ")}
      END IF;
    END LOOP;`

/** The distinct queues. */
const walkQueues = (s: string, table: string, where: string, then: ReadonlyArray<string>): string => `
    v_queue := ${first};
    LOOP
      SELECT t.queue INTO v_queue FROM ${s}.${table} t
      WHERE ${where} AND t.queue > v_queue ORDER BY t.queue LIMIT 1;
      EXIT WHEN NOT FOUND;
      IF ${isAsked} THEN
        ${then.join("\n        ")}
      END IF;
    END LOOP;`

/** Every served pair, as one text. */
export const servedPairs =
  `ARRAY(SELECT p.name || ${separator} || p.version FROM unnest(p_names, p_versions) p(name, version))`

/** Of a queue, name and version: whether something is due, and when the next one will be. */
const lookAhead = (s: string, table: string, column: string, due: string): string =>
  whenDue(
    (which) =>
      `SELECT t.${column} FROM ${s}.${table} t
          WHERE t.queue = v_queue AND t.name = v_name AND t.version = v_of AND t.${column} ${which}
          ORDER BY t.${column} LIMIT 1`,
    due
  )

const delayed = (s: string): string =>
  whenDue(
    (which) =>
      `SELECT t.due_at FROM ${s}.queue_item t
          WHERE t.state = 'delayed' AND t.queue = v_queue AND t.due_at ${which} ORDER BY t.due_at LIMIT 1`,
    "v_queues"
  )

const whenDue = (soonest: (which: string) => string, due: string): string =>
  `v_at := (
          ${soonest("IS NOT NULL")}
        );
        IF v_at <= v_now THEN
          ${due} := ${due} || v_queue;
          v_at := (
          ${soonest("> v_now")}
        );
        END IF;
        v_next := least(v_next, v_at);`
