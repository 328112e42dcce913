/**
 * The tables. All are prefixed, since the application's own live in the same file.
 *
 * What lives long (workflow, step, attempt, message, event, entry) has few indexes and none that names a status. What
 * changes often is in narrow rows that come and go with the work (ownership, mailbox, deadline, waiter, queue item,
 * partition, deduplication): the phase `done` is their absence.
 * Times are milliseconds on the store's clock. No foreign keys: the fence guarantees the parent.
 */
export const initial = `
CREATE TABLE perdure_meta (
  only_row        INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
  store_id        TEXT    NOT NULL,
  schema_version  INTEGER NOT NULL CHECK (schema_version > 0),
  clock_offset_ms INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE perdure_workflow (
  workflow_id    TEXT    NOT NULL PRIMARY KEY,
  token          TEXT    NOT NULL,
  name           TEXT    NOT NULL,
  version        TEXT    NOT NULL,
  status         TEXT    NOT NULL CHECK (status IN
    ('ENQUEUED', 'DELAYED', 'PENDING', 'SUCCESS', 'ERROR', 'CANCELLED', 'DEAD_LETTER', 'BLOCKED')),
  payload        TEXT    NOT NULL,
  codec          TEXT    NOT NULL,
  output         TEXT    CHECK (output IS NULL OR status IN ('SUCCESS', 'ERROR')),
  reason         TEXT    CHECK ((reason IS NOT NULL) = (status IN ('CANCELLED', 'BLOCKED', 'DEAD_LETTER'))),
  parent_id      TEXT,
  parent_step_id INTEGER CHECK (parent_step_id IS NULL OR parent_id IS NOT NULL),
  detached       INTEGER NOT NULL CHECK (detached IN (0, 1)),
  user           TEXT,
  roles          TEXT    NOT NULL CHECK (json_type(roles) = 'array'),
  assumed_role   TEXT,
  created_at     INTEGER NOT NULL,
  started_at     INTEGER,
  completed_at   INTEGER CHECK (CASE status
    WHEN 'CANCELLED' THEN 1 -- its rollbacks may be still to run
    ELSE (completed_at IS NOT NULL) = (status IN ('SUCCESS', 'ERROR', 'DEAD_LETTER')) END),
  deadline_at    INTEGER,
  executor_id    TEXT,
  max_recovery_attempts INTEGER NOT NULL CHECK (max_recovery_attempts >= 0),
  -- Of the ownership that ended last; while there is an ownership row, that one counts.
  epoch          INTEGER NOT NULL DEFAULT 0,
  recovery_attempts INTEGER NOT NULL DEFAULT 0,
  -- As it was enqueued, also when it has left its queue.
  queue          TEXT,
  priority       INTEGER NOT NULL DEFAULT 0 CHECK (priority = 0 OR queue IS NOT NULL),
  partition_key  TEXT CHECK (partition_key IS NULL OR queue IS NOT NULL),
  deduplication_id TEXT CHECK (deduplication_id IS NULL OR queue IS NOT NULL),
  debounced      INTEGER NOT NULL DEFAULT 0 CHECK (debounced IN (0, 1)), -- the id counts only while it is delayed
  schedule_name  TEXT,
  scheduled_at   INTEGER CHECK ((scheduled_at IS NULL) = (schedule_name IS NULL)),
  forked_from    TEXT,
  trace          TEXT
) STRICT;
CREATE INDEX perdure_workflow_created ON perdure_workflow (created_at, workflow_id);
CREATE INDEX perdure_workflow_name ON perdure_workflow (name, created_at, workflow_id);
CREATE INDEX perdure_workflow_parent ON perdure_workflow (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX perdure_workflow_fork ON perdure_workflow (forked_from) WHERE forked_from IS NOT NULL;
CREATE INDEX perdure_workflow_queue ON perdure_workflow (queue, created_at, workflow_id) WHERE queue IS NOT NULL;
CREATE INDEX perdure_workflow_schedule ON perdure_workflow (schedule_name, created_at, workflow_id)
  WHERE schedule_name IS NOT NULL;
-- For retention: of each name the oldest first.
CREATE INDEX perdure_workflow_completed ON perdure_workflow (name, completed_at, workflow_id)
  WHERE completed_at IS NOT NULL;

-- The value is JSON, so that a number, a boolean and a text are distinct.
CREATE TABLE perdure_attribute (
  workflow_id TEXT NOT NULL,
  key         TEXT NOT NULL,
  value       TEXT NOT NULL CHECK (json_type(value) IN ('text', 'integer', 'real', 'true', 'false')),
  PRIMARY KEY (workflow_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX perdure_attribute_search ON perdure_attribute (key, value, workflow_id);

-- Who may write for a workflow that is not done. Owned, or at rest for a reason: never both, never neither.
CREATE TABLE perdure_ownership (
  workflow_id TEXT    NOT NULL PRIMARY KEY,
  name        TEXT    NOT NULL,
  version     TEXT    NOT NULL,
  epoch       INTEGER NOT NULL CHECK (epoch >= 0),
  phase       TEXT    NOT NULL CHECK (phase IN ('run', 'compensate')),
  executor    TEXT, -- the incarnation
  rest        TEXT    CHECK (rest IN ('suspend', 'block', 'release')),
  attempts    INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- leases lost since the last new record
  undoing     INTEGER NOT NULL DEFAULT 0 CHECK (undoing = 0 OR (undoing = 1 AND phase = 'compensate')),
  queue       TEXT    NOT NULL DEFAULT '', -- that it has an item in; '': in none. Rollbacks run outside of queues.
  CHECK ((executor IS NULL) = (rest IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX perdure_ownership_executor ON perdure_ownership (executor) WHERE executor IS NOT NULL;

CREATE TABLE perdure_mailbox (
  workflow_id TEXT    NOT NULL PRIMARY KEY,
  name        TEXT    NOT NULL,
  version     TEXT    NOT NULL,
  inbox       INTEGER NOT NULL DEFAULT 0 CHECK (inbox >= 0),
  wake_at     INTEGER,
  waits       TEXT,
  queue       TEXT    NOT NULL DEFAULT '' -- the ownership row's
) STRICT, WITHOUT ROWID;
CREATE INDEX perdure_mailbox_due ON perdure_mailbox (queue, name, version, wake_at) WHERE wake_at IS NOT NULL;

-- What a suspended workflow waits for at another: its end, that an event has a value, that a stream has come so far.
CREATE TABLE perdure_waiter (
  target_id TEXT    NOT NULL,
  topic     TEXT    NOT NULL CHECK (topic IN ('end', 'event', 'stream')),
  key       TEXT    NOT NULL CHECK (topic <> 'end' OR key = ''),
  waiter_id TEXT    NOT NULL,
  from_offset INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (target_id, topic, key, waiter_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX perdure_waiter_waiter ON perdure_waiter (waiter_id);

CREATE TABLE perdure_deadline (
  workflow_id TEXT    NOT NULL PRIMARY KEY,
  at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX perdure_deadline_at ON perdure_deadline (at);

CREATE TABLE perdure_step (
  workflow_id TEXT    NOT NULL,
  step_id     INTEGER NOT NULL CHECK (step_id >= 0),
  seq         INTEGER NOT NULL CHECK (seq >= 1),
  asked       INTEGER NOT NULL CHECK (asked >= 0),
  key         TEXT    NOT NULL,
  name        TEXT    NOT NULL,
  kind        TEXT    NOT NULL CHECK (kind IN
    ('step', 'transaction', 'child', 'result', 'race', 'patch', 'now', 'uuid', 'rollback', 'send', 'receive', 'event',
     'get event', 'stream', 'read stream')),
  outcome     TEXT    NOT NULL CHECK (outcome IN ('success', 'failure')),
  value       TEXT    NOT NULL,
  attempts    INTEGER NOT NULL CHECK (attempts >= 1),
  started_at  INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  child_id    TEXT,
  rollback    INTEGER NOT NULL CHECK (rollback IN (0, 1)),
  epoch       INTEGER NOT NULL, -- that it was written under
  PRIMARY KEY (workflow_id, step_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE perdure_attempt (
  workflow_id TEXT    NOT NULL,
  step_id     INTEGER NOT NULL CHECK (step_id >= 0),
  attempt     INTEGER NOT NULL CHECK (attempt >= 0),
  key         TEXT    NOT NULL,
  name        TEXT    NOT NULL,
  error       TEXT    NOT NULL,
  at          INTEGER NOT NULL,
  retry_at    INTEGER NOT NULL,
  PRIMARY KEY (workflow_id, step_id, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE perdure_message (
  workflow_id TEXT    NOT NULL,
  seq         INTEGER NOT NULL CHECK (seq >= 1), -- of the destination's inbox
  message_id  TEXT    NOT NULL,
  topic       TEXT    NOT NULL,
  payload     TEXT    NOT NULL,
  codec       TEXT    NOT NULL,
  sender_id   TEXT,
  sent_at     INTEGER NOT NULL,
  consumed_by INTEGER CHECK (consumed_by IS NULL OR consumed_by >= 0),
  PRIMARY KEY (workflow_id, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX perdure_message_id ON perdure_message (workflow_id, message_id);
CREATE INDEX perdure_message_unread ON perdure_message (workflow_id, topic, seq) WHERE consumed_by IS NULL;

-- The value that each step has set last. The greatest ordinal of a key is the event's value.
CREATE TABLE perdure_event (
  workflow_id TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  step_id     INTEGER NOT NULL CHECK (step_id >= 0),
  ordinal     INTEGER NOT NULL CHECK (ordinal >= 1),
  value       TEXT    NOT NULL,
  codec       TEXT    NOT NULL,
  at          INTEGER NOT NULL,
  PRIMARY KEY (workflow_id, key, step_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX perdure_event_latest ON perdure_event (workflow_id, key, ordinal);

-- Of streams. Epoch, step, attempt and number are the writer's key, by which an entry sent again is known.
CREATE TABLE perdure_entry (
  workflow_id TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  offset     INTEGER NOT NULL CHECK (offset >= 0),
  value       TEXT, -- NULL: closed
  codec       TEXT    NOT NULL,
  step_id     INTEGER NOT NULL CHECK (step_id >= 0),
  attempt     INTEGER NOT NULL CHECK (attempt >= -1), -- -1: the body
  number      INTEGER NOT NULL CHECK (number >= 0), -- among those of the attempt
  epoch       INTEGER NOT NULL,
  superseded  INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1)),
  at          INTEGER NOT NULL,
  PRIMARY KEY (workflow_id, key, offset)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX perdure_entry_writer ON perdure_entry (workflow_id, key, step_id, epoch, attempt, number);

CREATE TABLE perdure_executor (
  incarnation TEXT    NOT NULL PRIMARY KEY,
  executor_id TEXT    NOT NULL,
  version     TEXT    NOT NULL,
  lease_until INTEGER NOT NULL,
  dead        INTEGER NOT NULL DEFAULT 0 CHECK (dead IN (0, 1)),
  served      TEXT    NOT NULL DEFAULT '[]', -- JSON, for people
  queues      TEXT -- JSON, NULL: all
) STRICT, WITHOUT ROWID;

-- The greatest latest_at is the latest.
CREATE TABLE perdure_version (
  version    TEXT    NOT NULL PRIMARY KEY,
  created_at INTEGER NOT NULL,
  latest_at  INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

-- What an incarnation lost since its last heartbeat, and the epoch that ended.
CREATE TABLE perdure_revoked (
  incarnation TEXT    NOT NULL,
  workflow_id TEXT    NOT NULL,
  epoch       INTEGER NOT NULL,
  PRIMARY KEY (incarnation, workflow_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE perdure_queue (
  name       TEXT    NOT NULL PRIMARY KEY,
  limits     TEXT    NOT NULL, -- JSON of the contract's QueueLimits
  declared   TEXT    NOT NULL, -- those that code declares, for when an operator's are given up
  overridden INTEGER NOT NULL DEFAULT 0 CHECK (overridden IN (0, 1)),
  paused     INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1))
) STRICT, WITHOUT ROWID;

-- What is enqueued or delayed and not done. A delayed workflow of no queue has an item of the queue ''.
-- running: admitted; it has a place until it is done, also while it is suspended. parked: blocked, without a place.
CREATE TABLE perdure_queue_item (
  seq           INTEGER PRIMARY KEY, -- of two of one rank, the lower first
  workflow_id   TEXT    NOT NULL UNIQUE,
  queue         TEXT    NOT NULL,
  name          TEXT    NOT NULL,
  version       TEXT    NOT NULL,
  state         TEXT    NOT NULL CHECK (state IN ('delayed', 'waiting', 'running', 'parked')),
  priority      INTEGER NOT NULL,
  rank          REAL    NOT NULL, -- lower first, then seq
  partition_key TEXT,
  enqueued_at   INTEGER NOT NULL,
  due_at        INTEGER CHECK ((due_at IS NOT NULL) = (state = 'delayed')),
  executor      TEXT    CHECK (executor IS NULL OR state = 'running'), -- in whose memory it is
  CHECK (queue <> '' OR state = 'delayed')
) STRICT;
CREATE INDEX perdure_queue_item_delayed ON perdure_queue_item (due_at) WHERE state = 'delayed';
CREATE INDEX perdure_queue_item_next ON perdure_queue_item (name, version, due_at) WHERE state = 'delayed';
CREATE INDEX perdure_queue_item_claim ON perdure_queue_item (queue, name, version, rank, seq)
  WHERE state = 'waiting' AND partition_key IS NULL;
CREATE INDEX perdure_queue_item_head ON perdure_queue_item (queue, partition_key, rank, seq)
  WHERE state = 'waiting' AND partition_key IS NOT NULL;
CREATE INDEX perdure_queue_item_order ON perdure_queue_item (queue, rank, seq) WHERE state = 'waiting';
CREATE INDEX perdure_queue_item_queue ON perdure_queue_item (queue, state, enqueued_at);
CREATE INDEX perdure_queue_item_running ON perdure_queue_item (queue, partition_key) WHERE state = 'running';
CREATE INDEX perdure_queue_item_executor ON perdure_queue_item (executor, queue, partition_key)
  WHERE executor IS NOT NULL;

-- A partition with something waiting: its head, and whether it may start. limited: not before free_at.
CREATE TABLE perdure_partition (
  queue         TEXT    NOT NULL,
  partition_key TEXT    NOT NULL,
  state         TEXT    NOT NULL CHECK (state IN ('ready', 'full', 'limited')),
  name          TEXT    NOT NULL,
  version       TEXT    NOT NULL,
  rank          REAL    NOT NULL,
  seq           INTEGER NOT NULL,
  free_at       INTEGER CHECK ((free_at IS NOT NULL) = (state = 'limited')),
  PRIMARY KEY (queue, partition_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX perdure_partition_ready ON perdure_partition (queue, name, version, rank, seq) WHERE state = 'ready';
CREATE INDEX perdure_partition_free ON perdure_partition (queue, free_at) WHERE state = 'limited';

-- Starts that a rate limit still counts.
CREATE TABLE perdure_queue_start (
  id            INTEGER PRIMARY KEY,
  queue         TEXT    NOT NULL,
  partition_key TEXT, -- NULL: of the queue's own limit
  at            INTEGER NOT NULL
) STRICT;
CREATE INDEX perdure_queue_start_at ON perdure_queue_start (queue, partition_key, at);

CREATE TABLE perdure_deduplication (
  queue            TEXT NOT NULL,
  deduplication_id TEXT NOT NULL,
  workflow_id      TEXT NOT NULL,
  PRIMARY KEY (queue, deduplication_id)
) STRICT, WITHOUT ROWID;

-- A start that was debounced into another workflow, remembered for a while: sent again, it is not a new one.
CREATE TABLE perdure_debounced (
  token       TEXT    NOT NULL PRIMARY KEY,
  workflow_id TEXT    NOT NULL,
  at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX perdure_debounced_at ON perdure_debounced (at);

CREATE TABLE perdure_schedule (
  name             TEXT    NOT NULL PRIMARY KEY,
  workflow_name    TEXT    NOT NULL,
  rule             TEXT    NOT NULL,
  start            TEXT    NOT NULL,
  origin           TEXT    NOT NULL CHECK (origin IN ('code', 'runtime')),
  paused           INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
  next_fire_at     INTEGER,
  last_fire_at     INTEGER,
  last_workflow_id TEXT,
  created_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX perdure_schedule_due ON perdure_schedule (next_fire_at) WHERE paused = 0 AND next_fire_at IS NOT NULL;
`
