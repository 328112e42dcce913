/**
 * The tables. All are prefixed, since the application's own live in the same file.
 *
 * What lives long (workflow, step, attempt, message, event, entry) has few indexes, and none that is written when a
 * workflow ends well. What changes often is in narrow rows that come and go with the work (ownership, mailbox, deadline,
 * waiter, queue item, partition, deduplication): the phase `done` is their absence.
 * Times are milliseconds on the store's clock. No foreign keys: the fence guarantees the parent.
 */
import { executorTables } from "./tables/executors.ts"
import { messageTables } from "./tables/messages.ts"
import { ownershipTables } from "./tables/ownerships.ts"
import { queueTables } from "./tables/queues.ts"
import { recordTables } from "./tables/records.ts"
import { scheduleTables } from "./tables/schedules.ts"
import { workflowTables } from "./tables/workflows.ts"

const meta = `
CREATE TABLE perdure_meta (
  only_row        INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
  store_id        TEXT    NOT NULL,
  schema_version  INTEGER NOT NULL CHECK (schema_version > 0),
  clock_offset_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
`

export const initial = [
  meta,
  workflowTables,
  ownershipTables,
  recordTables,
  messageTables,
  executorTables,
  queueTables,
  scheduleTables
].join("")
