/**
 * The tables. All are prefixed, since the application's own live in the same file.
 *
 * What lives long (workflow, step, attempt) has few indexes and none that names a status. What changes often is in
 * narrow rows that come and go with the work (ownership, mailbox, deadline, waiter): the phase `done` is their absence.
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
  recovery_attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX perdure_workflow_created ON perdure_workflow (created_at, workflow_id);
CREATE INDEX perdure_workflow_name ON perdure_workflow (name, created_at, workflow_id);
CREATE INDEX perdure_workflow_parent ON perdure_workflow (parent_id) WHERE parent_id IS NOT NULL;

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
  CHECK ((executor IS NULL) = (rest IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX perdure_ownership_executor ON perdure_ownership (executor) WHERE executor IS NOT NULL;

CREATE TABLE perdure_mailbox (
  workflow_id TEXT    NOT NULL PRIMARY KEY,
  name        TEXT    NOT NULL,
  version     TEXT    NOT NULL,
  inbox       INTEGER NOT NULL DEFAULT 0 CHECK (inbox >= 0),
  wake_at     INTEGER,
  waits       TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX perdure_mailbox_due ON perdure_mailbox (name, version, wake_at) WHERE wake_at IS NOT NULL;

CREATE TABLE perdure_waiter (
  target_id TEXT NOT NULL,
  waiter_id TEXT NOT NULL,
  PRIMARY KEY (target_id, waiter_id)
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
    ('step', 'transaction', 'child', 'result', 'race', 'patch', 'now', 'uuid', 'rollback')),
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

CREATE TABLE perdure_executor (
  incarnation TEXT    NOT NULL PRIMARY KEY,
  executor_id TEXT    NOT NULL,
  version     TEXT    NOT NULL,
  lease_until INTEGER NOT NULL,
  dead        INTEGER NOT NULL DEFAULT 0 CHECK (dead IN (0, 1))
) STRICT, WITHOUT ROWID;

-- What an incarnation lost since its last heartbeat, and the epoch that ended.
CREATE TABLE perdure_revoked (
  incarnation TEXT    NOT NULL,
  workflow_id TEXT    NOT NULL,
  epoch       INTEGER NOT NULL,
  PRIMARY KEY (incarnation, workflow_id)
) STRICT, WITHOUT ROWID;
`
