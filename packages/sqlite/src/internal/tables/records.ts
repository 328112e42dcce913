/** What a workflow has done: only ever inserted. */
export const recordTables = `
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
`
