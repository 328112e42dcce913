/** Nobody owns anything any more: for a database that knows less than those who write to it. */
import * as Effect from "effect/Effect"
import type { Fenced, StoreError } from "perdure/Store"
import type { Database } from "./database.ts"

/**
 * The rows of a copy hold epochs that were handed out again after it was made, one more with each takeover. First epochs are
 * the time, a hundred to the millisecond, and so are these: what was handed out before is less. Owners stay, so that a
 * sweep gives their workflows back as it does with those of the dead. What is done in the copy and can be resumed may have
 * been resumed after it was made, so the epoch that a resume goes on from is raised as well.
 *
 * Invariant: what was over for its last owner stays over. Locks: executor rows, ownership rows, workflow rows.
 */
const fenceStatement = (s: string): string => `
  WITH n AS MATERIALIZED (SELECT ${s}.now_ms() AS now), e AS (
    UPDATE ${s}.executor e SET state = 'dead', lease_until = least(e.lease_until, n.now) FROM n
    WHERE e.state <> 'dead' RETURNING 1
  ), o AS (
    UPDATE ${s}.ownership o SET epoch = greatest(o.epoch + 1000000, n.now * 100),
      ended_epoch = CASE
        WHEN o.ended_epoch = o.epoch THEN greatest(o.epoch + 1000000, n.now * 100) ELSE o.ended_epoch
      END
    FROM n RETURNING 1
  ), w AS (
    UPDATE ${s}.workflow w SET epoch = greatest(w.epoch + 1000000, n.now * 100) FROM n
    WHERE w.workflow_id IN (SELECT f.workflow_id FROM ${s}.failure f WHERE f.status IN ('CANCELLED', 'DEAD_LETTER'))
      AND NOT EXISTS (SELECT FROM ${s}.ownership o WHERE o.workflow_id = w.workflow_id)
  )
  SELECT (SELECT count(*) FROM e), (SELECT count(*) FROM o)`

export const fence = (database: Database): Effect.Effect<Fenced, StoreError> =>
  Effect.map(
    database.query(fenceStatement(database.s), []),
    ([row]) => ({ executors: Number(row![0]), workflows: Number(row![1]) })
  )
