/** Process starts, the versions that they had, and what was taken from them. */
export const executorTables = `
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

-- What an incarnation lost and has not said to have ended, and the epoch that is over.
CREATE TABLE perdure_revoked (
  incarnation TEXT    NOT NULL,
  workflow_id TEXT    NOT NULL,
  epoch       INTEGER NOT NULL,
  PRIMARY KEY (incarnation, workflow_id)
) STRICT, WITHOUT ROWID;
`
