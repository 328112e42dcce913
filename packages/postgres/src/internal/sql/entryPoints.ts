/**
 * The two functions for triggers and for programs in other languages. They run in their caller's transaction: what they
 * do is there when it commits, and not otherwise; they lock nothing that was there before, and tell the executors by a
 * notification, which PostgreSQL sends with the commit.
 */
import { flushParameters } from "./flush.ts"
import { createFunction, quoteLiteral } from "./function.ts"

/** The channel of `internal/hints.ts`, by the schema's name. */
const notify = (s: string, payload: string): string => `
    PERFORM pg_notify('perdure_' || left(encode(sha256(convert_to(n.nspname, 'UTF8')), 'hex'), 40), ${payload})
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ${quoteLiteral(`${s}.meta`)}::regclass;`

/** Ids, names and keys as the engine takes them (`perdure/src/internal/names.ts`). */
const check = (name: string, value: string, bytes: number, nullable: boolean): string => `
  IF ${
  nullable ? "" : `${value} IS NULL OR `
}${value} = '' OR octet_length(${value}) > ${bytes} OR ${value} ~ '[\\u0001-\\u001f\\u007f-\\u009f]' THEN
    RAISE EXCEPTION '${name} must have 1 to ${bytes} bytes and no control characters' USING ERRCODE = '22023';
  END IF;`

/** A call of `flush_1` for an application's transaction, with the columns that have something. */
const flushWith = (s: string, columns: Readonly<Record<string, string>>): string =>
  `${s}.flush_1(${
    flushParameters.map(([name, type], i) => i < 2 ? `NULL::${type}` : `${columns[name] ?? "'{}'"}::${type}`).join(", ")
  })`

const comment = (s: string, signature: string, text: string): string =>
  `COMMENT ON FUNCTION ${s}.${signature} IS ${quoteLiteral(text)}`

/** A column of one value; without one it is empty. */
const one = (value: string): string => `CASE WHEN ${value} IS NULL THEN '{}' ELSE ARRAY[${value}] END`

const milliseconds = (interval: string): string => `ceil(extract(epoch FROM ${interval}) * 1000)::double precision`

export const enqueueWorkflow = (s: string): ReadonlyArray<string> => [
  createFunction({
    name: `${s}.enqueue_workflow`,
    parameters: [
      "workflow_name text",
      "payload json DEFAULT NULL",
      "workflow_id text DEFAULT NULL",
      "queue text DEFAULT NULL",
      "priority integer DEFAULT 0",
      "deduplication_id text DEFAULT NULL",
      "partition_key text DEFAULT NULL",
      "version text DEFAULT ''",
      "delay interval DEFAULT NULL",
      "timeout interval DEFAULT NULL"
    ],
    returns: "text",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_name text := enqueue_workflow.workflow_name;
  v_id text := coalesce(enqueue_workflow.workflow_id, gen_random_uuid()::text);
  v_queue text := enqueue_workflow.queue;
  v_priority integer := coalesce(enqueue_workflow.priority, 0);
  v_deduplication text := enqueue_workflow.deduplication_id;
  v_partition text := enqueue_workflow.partition_key;
  v_version text := coalesce(enqueue_workflow.version, '');
  v_delay interval := enqueue_workflow.delay;
  v_timeout interval := enqueue_workflow.timeout;
  -- the text of no value at all is null with a space before it
  v_payload text := coalesce(${s}.json_text(enqueue_workflow.payload), ' null');
  v_partitioned boolean;
  v_answer record;
BEGIN${check("workflow_name", "v_name", 256, false)}${check("workflow_id", "v_id", 400, false)}${
      check("queue", "v_queue", 256, true)
    }${check("deduplication_id", "v_deduplication", 256, true)}${check("partition_key", "v_partition", 256, true)}
  IF v_queue IS NULL AND (v_priority <> 0 OR v_deduplication IS NOT NULL OR v_partition IS NOT NULL) THEN
    RAISE EXCEPTION 'priority, deduplication_id and partition_key need a queue' USING ERRCODE = '22023';
  END IF;
  IF v_priority < 0 OR v_delay < interval '0' OR v_timeout <= interval '0' THEN
    RAISE EXCEPTION 'priority and delay must not be negative, and timeout must be positive' USING ERRCODE = '22023';
  END IF;
  SELECT coalesce(jsonb_typeof(q.limits -> 'partitioned') = 'object', false) INTO v_partitioned
  FROM ${s}.queue q WHERE q.name = v_queue;
  IF v_partitioned <> (v_partition IS NOT NULL) THEN
    RAISE EXCEPTION 'queue % is partitioned and needs a partition_key, or is not and takes none', v_queue
      USING ERRCODE = '22023';
  END IF;
  SELECT f.tag_, f.name_, f.same_ INTO v_answer
  FROM ${
      flushWith(s, {
        s_op: "ARRAY[0]",
        s_child: "ARRAY[NULL]",
        s_id: "ARRAY[v_id]",
        s_token: "ARRAY[gen_random_uuid()::text]",
        // as `DatabaseClock.firstEpoch` has it
        s_epoch: `ARRAY[floor((${s}.now_ms() + random()) * 100)]`,
        s_name: "ARRAY[v_name]",
        s_version: "ARRAY[v_version]",
        s_payload: "ARRAY[v_payload]",
        s_codec: "ARRAY['json']",
        s_owned: "ARRAY[false]",
        s_started: "ARRAY[NULL]",
        s_user: "ARRAY[NULL]",
        s_roles: "ARRAY['[]']",
        s_assumed: "ARRAY[NULL]",
        s_parent: "ARRAY[NULL]",
        s_parent_step: "ARRAY[NULL]",
        s_detached: "ARRAY[false]",
        s_timeout: `ARRAY[${milliseconds("v_timeout")}]`,
        s_deadline: "ARRAY[NULL]",
        s_max: "ARRAY[5]",
        s_queue: one("v_queue"),
        s_priority: "CASE WHEN v_queue IS NULL THEN '{}' ELSE ARRAY[v_priority] END",
        s_partition: one("v_partition"),
        s_dedup: one("v_deduplication"),
        s_delay: `CASE WHEN v_delay > interval '0' THEN ARRAY[${milliseconds("v_delay")}] ELSE '{}' END`
      })
    } f
  WHERE f.tag_ <> 'Holder' LIMIT 1;
  IF v_answer.tag_ IS NULL THEN${notify(s, "CASE WHEN v_queue IS NULL THEN 'd' || v_name ELSE 'q' || v_queue END")}
    RETURN v_id;
  END IF;
  CASE v_answer.tag_
    WHEN 'Exists' THEN
      IF v_answer.same_ THEN
        RETURN v_id;
      END IF;
      RAISE EXCEPTION 'workflow id % is taken by a workflow % with % payload', v_id, v_answer.name_,
        CASE WHEN v_answer.name_ = v_name THEN 'another' ELSE 'its own' END
        USING ERRCODE = '23505', HINT = 'Use an id of its own, or give the same name and payload.';
    WHEN 'Duplicate' THEN
      RETURN v_answer.name_;
    WHEN 'NoQueue' THEN
      RAISE EXCEPTION 'queue % is not registered', v_queue
        USING ERRCODE = '22023', HINT = 'Start an executor that declares it, or register it by a client.';
    ELSE
      RAISE EXCEPTION 'workflow id % or its deduplication id is in the middle of a change', v_id USING ERRCODE = '40001';
  END CASE;
END`
  }),
  comment(
    s,
    "enqueue_workflow(text, json, text, text, integer, text, text, text, interval, interval)",
    `Starts a workflow with the caller's transaction and returns its id. Usable in triggers. The payload is stored as `
      + `JavaScript would write it, its keys in the order given (that of the schema). An id that is taken by the same `
      + `name and payload is returned, by others it is an error (23505); a deduplication_id that a workflow of the queue `
      + `has returns that workflow's id. priority: 0 none, else 1 to 2147483647, higher first. version: '' runs on the `
      + `latest one.`
  )
]

export const sendMessage = (s: string): ReadonlyArray<string> => [
  createFunction({
    name: `${s}.send_message`,
    parameters: ["workflow_id text", "topic text", "payload json DEFAULT NULL", "message_id text DEFAULT NULL"],
    returns: "text",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_to text := send_message.workflow_id;
  v_topic text := send_message.topic;
  v_id text := coalesce(send_message.message_id, gen_random_uuid()::text);
  v_payload text := coalesce(${s}.json_text(send_message.payload), ' null');
  v_why text;
BEGIN${check("workflow_id", "v_to", 512, false)}${check("topic", "v_topic", 256, false)}${
      check("message_id", "v_id", 256, false)
    }
  SELECT f.name_ INTO v_why
  FROM ${
      flushWith(s, {
        d_id: "ARRAY[v_to]",
        m_n: "ARRAY[0, 0, 1]",
        m_t: "ARRAY[v_to, v_id, v_topic, v_payload, 'json', NULL]"
      })
    } f;
  IF v_why IS NULL THEN${notify(s, "'o'")}
    RETURN v_id;
  END IF;
  CASE v_why
    WHEN 'unknown' THEN
      RAISE EXCEPTION 'there is no workflow %', v_to USING ERRCODE = 'P0002';
    WHEN 'ended' THEN
      RAISE EXCEPTION 'workflow % has ended and receives nothing more', v_to USING ERRCODE = '55000';
    ELSE
      RAISE EXCEPTION 'workflow % has another message with the id %', v_to, v_id USING ERRCODE = '23505';
  END CASE;
END`
  }),
  comment(
    s,
    "send_message(text, text, json, text)",
    `Sends a message to a workflow with the caller's transaction and returns the message's id; it goes out after the `
      + `commit. Usable in triggers. Sent again with the same id, topic and payload it is the same message. Errors: P0002 `
      + `no such workflow, 55000 it has ended, 23505 it has another message with this id.`
  )
]
