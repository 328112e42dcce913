/**
 * The tables. What lives long (`workflow`, `step`, `attempt`) has few indexes, none naming a status, so that an update
 * of the status stays on its page (HOT). What changes often is in narrow rows that come and go.
 *
 * Keys collate "C": ids compare as bytes, the same on every server. No foreign keys: the fence guarantees the parent.
 * Times are milliseconds since 1970 on the database's clock.
 */
const churn = "WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000)"

export const tables = (s: string): ReadonlyArray<string> => [
  // one row: which store this is, what its schema is, and how far tests have moved its clock
  `CREATE TABLE ${s}.meta (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    store_id uuid NOT NULL DEFAULT gen_random_uuid(),
    schema_version integer NOT NULL CHECK (schema_version >= 0),
    clock_offset_ms bigint NOT NULL DEFAULT 0,
    analyzed boolean NOT NULL DEFAULT false
  )`,

  // fillfactor: a row is updated once in most lives, with many of its page at once, and all of them shall fit
  // epoch: of the start, and again once the workflow is done; in between the ownership row has the current one
  // ended_epoch: the highest epoch whose owner ended it itself (settled, suspended, blocked, released)
  `CREATE TABLE ${s}.workflow (
    workflow_id text COLLATE "C" PRIMARY KEY,
    token text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN
      ('ENQUEUED', 'DELAYED', 'PENDING', 'SUCCESS', 'ERROR', 'CANCELLED', 'DEAD_LETTER', 'BLOCKED')),
    epoch bigint NOT NULL CHECK (epoch >= 0),
    ended_epoch bigint NOT NULL DEFAULT -1 CHECK (ended_epoch <= epoch),
    payload text NOT NULL,
    codec text COLLATE "C" NOT NULL,
    output text CHECK (output IS NULL OR status IN ('SUCCESS', 'ERROR')),
    reason text,
    parent_id text COLLATE "C",
    parent_step_id integer CHECK (parent_step_id IS NULL OR parent_id IS NOT NULL),
    detached boolean NOT NULL,
    user_id text COLLATE "C",
    roles text NOT NULL,
    assumed_role text,
    created_at bigint NOT NULL,
    started_at bigint,
    completed_at bigint,
    deadline_at bigint,
    executor_id text,
    recovery_attempts integer NOT NULL DEFAULT 0 CHECK (recovery_attempts >= 0),
    max_recovery_attempts integer NOT NULL,
    -- how it was enqueued: stays when it has left the queue; debounced: its deduplication id was free once it was due
    queue text COLLATE "C",
    priority integer NOT NULL DEFAULT 0 CHECK (priority >= 0),
    partition_key text COLLATE "C",
    deduplication_id text COLLATE "C" CHECK (deduplication_id IS NULL OR queue IS NOT NULL),
    debounced boolean NOT NULL DEFAULT false CHECK (NOT debounced OR deduplication_id IS NOT NULL),
    -- JSON text; null: none
    attributes text,
    schedule_name text COLLATE "C",
    scheduled_at bigint CHECK ((scheduled_at IS NULL) = (schedule_name IS NULL)),
    forked_from text COLLATE "C",
    trace text,
    -- how often it has begun anew, with what (payload stays that of the start); ids of steps count from first_step_id
    continuations integer NOT NULL DEFAULT 0 CHECK (continuations >= 0),
    life_payload text CHECK ((life_payload IS NOT NULL) = (continuations > 0)),
    first_step_id integer NOT NULL DEFAULT 0 CHECK (first_step_id >= 0),
    CHECK ((reason IS NOT NULL) = (status IN ('CANCELLED', 'BLOCKED', 'DEAD_LETTER'))),
    CHECK (CASE WHEN status IN ('SUCCESS', 'ERROR', 'DEAD_LETTER') THEN completed_at IS NOT NULL
                WHEN status = 'CANCELLED' THEN true ELSE completed_at IS NULL END)
  ) WITH (fillfactor = 45)`,
  `CREATE INDEX workflow_created ON ${s}.workflow (created_at, workflow_id)`,
  `CREATE INDEX workflow_name ON ${s}.workflow (name, created_at, workflow_id)`,
  `CREATE INDEX workflow_parent ON ${s}.workflow (parent_id, created_at, workflow_id)
    WHERE parent_id IS NOT NULL`,
  // for lists; only those that have it pay, and none of it ever changes
  `CREATE INDEX workflow_fork ON ${s}.workflow (forked_from, created_at, workflow_id) WHERE forked_from IS NOT NULL`,
  `CREATE INDEX workflow_queue ON ${s}.workflow (queue, created_at, workflow_id) WHERE queue IS NOT NULL`,
  `CREATE INDEX workflow_schedule ON ${s}.workflow (schedule_name, created_at, workflow_id)
    WHERE schedule_name IS NOT NULL`,
  `CREATE INDEX workflow_user ON ${s}.workflow (user_id, created_at, workflow_id) WHERE user_id IS NOT NULL`,

  // attributes again, one by one, to search by; value is JSON text
  `CREATE TABLE ${s}.attribute (
    workflow_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    PRIMARY KEY (workflow_id, key)
  )`,
  `CREATE INDEX attribute_value ON ${s}.attribute (key, value, workflow_id)`,

  // a row exactly while the workflow is not done; an owned one has not ended its epoch
  // progress: how many records there were when attempts was last counted; undoing: somebody has been at its rollbacks
  // queue: whose item it has; '': none
  `CREATE TABLE ${s}.ownership (
    workflow_id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL CHECK (epoch >= 0),
    ended_epoch bigint NOT NULL DEFAULT -1 CHECK (ended_epoch <= epoch),
    phase text COLLATE "C" NOT NULL CHECK (phase IN ('run', 'compensate')),
    executor text COLLATE "C" CHECK (executor IS NULL OR ended_epoch < epoch),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    progress bigint NOT NULL DEFAULT 0 CHECK (progress >= 0),
    blocked boolean NOT NULL DEFAULT false CHECK (NOT blocked OR executor IS NULL),
    undoing boolean NOT NULL DEFAULT false CHECK (NOT undoing OR phase = 'compensate'),
    queue text COLLATE "C" NOT NULL DEFAULT '' CHECK (queue = '' OR phase = 'run')
  ) ${churn}`,
  `CREATE INDEX ownership_executor ON ${s}.ownership (executor, workflow_id) WHERE executor IS NOT NULL`,
  // what of a queue is in memory in one executor
  `CREATE INDEX ownership_queue ON ${s}.ownership (executor, queue) WHERE executor IS NOT NULL AND queue > ''`,

  // queue: as in its ownership row. What waits in a queue has no wake_at
  // waits is set exactly while suspended: a wake-up needs no other row to know
  `CREATE TABLE ${s}.mailbox (
    workflow_id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    inbox bigint NOT NULL DEFAULT 0 CHECK (inbox >= 0),
    wake_at bigint,
    waits text,
    queue text COLLATE "C" NOT NULL DEFAULT ''
  ) ${churn}`,
  `CREATE INDEX mailbox_due ON ${s}.mailbox (queue, name, version, wake_at, workflow_id) WHERE wake_at IS NOT NULL`,

  `CREATE TABLE ${s}.step (
    workflow_id text COLLATE "C" NOT NULL,
    step_id integer NOT NULL CHECK (step_id >= 0),
    seq integer NOT NULL CHECK (seq >= 1),
    asked integer NOT NULL CHECK (asked >= 0),
    key text COLLATE "C" NOT NULL,
    name text NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind IN
      ('step', 'transaction', 'child', 'result', 'race', 'patch', 'now', 'uuid', 'rollback', 'send', 'receive', 'event',
        'get event', 'stream', 'read stream')),
    outcome text COLLATE "C" NOT NULL CHECK (outcome IN ('success', 'failure')),
    value text NOT NULL,
    attempts integer NOT NULL CHECK (attempts >= 0),
    started_at bigint NOT NULL,
    at bigint NOT NULL,
    child_id text COLLATE "C",
    rollback boolean NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (workflow_id, step_id)
  )`,
  `CREATE TABLE ${s}.attempt (
    workflow_id text COLLATE "C" NOT NULL,
    step_id integer NOT NULL CHECK (step_id >= 0),
    attempt integer NOT NULL CHECK (attempt >= 0),
    key text COLLATE "C" NOT NULL,
    name text NOT NULL,
    error text NOT NULL,
    at bigint NOT NULL,
    retry_at bigint NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (workflow_id, step_id, attempt)
  )`,

  // the lease is the executor's, in a row that nothing else locks; one that leaves gives back by itself while its lease
  // lasts, and never comes back
  `CREATE TABLE ${s}.executor (
    incarnation text COLLATE "C" PRIMARY KEY,
    executor_id text NOT NULL,
    version text NOT NULL,
    lease_until bigint NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'alive' CHECK (state IN ('alive', 'leaving', 'dead')),
    -- JSON, for people; queues null: every queue
    served text NOT NULL DEFAULT '[]',
    queues text
  ) WITH (fillfactor = 50)`,
  // what an incarnation has lost and has not said to have ended; the epoch tells a second loss from the first
  `CREATE TABLE ${s}.revoked (
    incarnation text COLLATE "C" NOT NULL,
    workflow_id text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (incarnation, workflow_id)
  ) ${churn}`,
  `CREATE TABLE ${s}.deadline (
    workflow_id text COLLATE "C" PRIMARY KEY,
    at bigint NOT NULL
  ) ${churn}`,
  `CREATE INDEX deadline_at ON ${s}.deadline (at, workflow_id)`,
  // waiter_id is suspended until something happens at target_id: '' its end (which wakes all of them), e and a key that
  // event, s and a key that stream has an entry at start
  `CREATE TABLE ${s}.waiter (
    target_id text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    waiter_id text COLLATE "C" NOT NULL,
    start bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (target_id, topic, waiter_id)
  ) ${churn}`,
  `CREATE INDEX waiter_waiter ON ${s}.waiter (waiter_id, target_id)`,

  // seq goes on from the destination's inbox counter; a message stays when it is consumed
  `CREATE TABLE ${s}.message (
    workflow_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL CHECK (seq >= 1),
    message_id text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    payload text NOT NULL,
    codec text COLLATE "C" NOT NULL,
    sender_id text COLLATE "C",
    sent_at bigint NOT NULL,
    consumed_by integer CHECK (consumed_by >= 0),
    PRIMARY KEY (workflow_id, seq)
  ) WITH (fillfactor = 90)`,
  `CREATE UNIQUE INDEX message_id ON ${s}.message (workflow_id, message_id)`,
  `CREATE INDEX message_unread ON ${s}.message (workflow_id, topic, seq) WHERE consumed_by IS NULL`,
  // to be forgotten by a workflow that begins anew, which has unread ones that are older
  `CREATE INDEX message_consumed ON ${s}.message (workflow_id, sent_at) WHERE consumed_by IS NOT NULL`,

  // the row with the greatest n is the value; those before it are what earlier steps have set, for a fork
  `CREATE TABLE ${s}.event (
    workflow_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    n bigint NOT NULL CHECK (n >= 1),
    step_id integer NOT NULL CHECK (step_id >= 0),
    value text NOT NULL,
    codec text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (workflow_id, key, n)
  ) WITH (fillfactor = 90)`,

  // position is gapless; epoch, step_id, attempt and number are the key by which an entry submitted again is recognised
  // value null: the stream is closed
  `CREATE TABLE ${s}.stream (
    workflow_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    position bigint NOT NULL CHECK (position >= 0),
    value text,
    codec text COLLATE "C" NOT NULL,
    step_id integer NOT NULL CHECK (step_id >= 0),
    attempt integer CHECK (attempt >= 0),
    number integer NOT NULL CHECK (number >= 0),
    superseded boolean NOT NULL,
    at bigint NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (workflow_id, key, position)
  )`,
  // what a step wrote before is looked for when it is tried again
  `CREATE INDEX stream_step ON ${s}.stream (workflow_id, step_id, key, position)`
]
