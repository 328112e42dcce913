/** Who may write for a workflow that is not done, when it is due, what it waits for: rows that come and go with it. */
export const ownershipTables = `
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
`
