/** What a workflow is, for as long as it is kept. Of the indexes one names a status: what ends well is never in it. */
export const workflowTables = `
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
  trace          TEXT,
  continuations  INTEGER NOT NULL DEFAULT 0 CHECK (continuations >= 0),
  life_payload   TEXT    CHECK ((life_payload IS NOT NULL) = (continuations > 0)), -- payload stays that of the start
  first_step_id  INTEGER NOT NULL DEFAULT 0 CHECK (first_step_id >= 0)
) STRICT;
CREATE INDEX perdure_workflow_created ON perdure_workflow (created_at, workflow_id);
CREATE INDEX perdure_workflow_name ON perdure_workflow (name, created_at, workflow_id);
CREATE INDEX perdure_workflow_parent ON perdure_workflow (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX perdure_workflow_fork ON perdure_workflow (forked_from) WHERE forked_from IS NOT NULL;
CREATE INDEX perdure_workflow_queue ON perdure_workflow (queue, created_at, workflow_id) WHERE queue IS NOT NULL;
CREATE INDEX perdure_workflow_schedule ON perdure_workflow (schedule_name, created_at, workflow_id)
  WHERE schedule_name IS NOT NULL;
-- Those that did not end well: few among very many, and what is looked for first.
CREATE INDEX perdure_workflow_failed ON perdure_workflow (created_at, workflow_id)
  WHERE status IN ('ERROR', 'CANCELLED', 'DEAD_LETTER');
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
`
