/** What workflows tell each other and the world. */
export const messageTables = `
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
-- To be forgotten by a workflow that begins anew, which has unread ones that are older.
CREATE INDEX perdure_message_consumed ON perdure_message (workflow_id, sent_at) WHERE consumed_by IS NOT NULL;

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
CREATE UNIQUE INDEX perdure_entry_writer ON perdure_entry (workflow_id, step_id, epoch, attempt, key, number);
`
