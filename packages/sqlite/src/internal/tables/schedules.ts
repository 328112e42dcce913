/** Rules that start workflows. */
export const scheduleTables = `
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
