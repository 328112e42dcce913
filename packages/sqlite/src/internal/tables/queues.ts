/** What waits in queues and who has a place there. */
export const queueTables = `
CREATE TABLE perdure_queue (
  name       TEXT    NOT NULL PRIMARY KEY,
  limits     TEXT    NOT NULL, -- JSON of the contract's QueueLimits
  declared   TEXT    NOT NULL, -- those that code declares, for when an operator's are given up
  overridden INTEGER NOT NULL DEFAULT 0 CHECK (overridden IN (0, 1)),
  paused     INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1))
) STRICT, WITHOUT ROWID;

-- What is enqueued or delayed and not done. A delayed workflow of no queue has an item of the queue ''.
-- running: admitted; it has a place until it is done, also while it is suspended. parked: blocked, without a place.
-- partition_key: not null exactly while the queue is partitioned; '': it was enqueued without one.
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
  debounce_limit INTEGER, -- it may be moved up to here while it is delayed
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
CREATE INDEX perdure_queue_start_old ON perdure_queue_start (queue, at);

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
`
