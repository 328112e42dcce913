import { createFunction, readCommitted } from "./function.ts"

/** How long a consumed message stands for its idempotency key, in a workflow that begins anew. */
const rememberedMs = 86_400_000
/** Messages that one renewal forgets, besides one for each record of the life that ends. */
const spare = 1_000

/**
 * The next life of a workflow: see `Renew` in the contract. It goes on in no executor's memory, due at once; in a queue it
 * keeps its place.
 *
 * The oldest messages that were consumed are forgotten. A life consumes no more of them than it has records, so more are
 * forgotten than come, and it costs no more than what the life itself did.
 *
 * Invariant: as in a flush, nothing is written unless its ownership row is locked here with the epoch, unended.
 *
 * Locks: its ownership row, skipping; its mailbox, waiting; then what belongs to it, for which nobody waits.
 */
export const renew = (s: string): string =>
  createFunction({
    name: `${s}.renew_1`,
    parameters: [
      "p_lock_ms integer",
      "p_id text",
      "p_epoch bigint",
      "p_payload text",
      "p_codec text",
      "p_first integer"
    ],
    returns: "text",
    volatility: "VOLATILE",
    body: `
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_owner ${s}.ownership;
  v_records integer;
BEGIN${readCommitted}
  SELECT * INTO v_owner FROM ${s}.ownership o WHERE o.workflow_id = p_id FOR NO KEY UPDATE SKIP LOCKED;
  IF NOT FOUND OR v_owner.epoch <> p_epoch OR v_owner.ended_epoch >= p_epoch THEN
    -- later snapshot: over for good, or held by somebody
    PERFORM 1 FROM ${s}.ownership o WHERE o.workflow_id = p_id AND o.epoch = p_epoch AND o.ended_epoch < p_epoch;
    RETURN CASE WHEN FOUND THEN 'busy' ELSE 'fenced' END;
  END IF;
  PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  v_now := ${s}.now_ms();
  UPDATE ${s}.ownership o SET executor = NULL, ended_epoch = o.epoch, attempts = 0, progress = 0
  WHERE o.workflow_id = p_id;
  INSERT INTO ${s}.mailbox (workflow_id, name, version, wake_at, queue)
  VALUES (p_id, v_owner.name, v_owner.version, v_now, v_owner.queue)
  ON CONFLICT (workflow_id) DO UPDATE SET wake_at = excluded.wake_at, waits = NULL, version = excluded.version;
  UPDATE ${s}.workflow w SET life_payload = p_payload, codec = p_codec, started_at = v_now, first_step_id = p_first,
    continuations = w.continuations + 1
  WHERE w.workflow_id = p_id;
  DELETE FROM ${s}.step t WHERE t.workflow_id = p_id;
  GET DIAGNOSTICS v_records = ROW_COUNT;
  DELETE FROM ${s}.attempt t WHERE t.workflow_id = p_id;
  -- no fork can ask for earlier values
  DELETE FROM ${s}.event e WHERE e.workflow_id = p_id
    AND EXISTS (SELECT FROM ${s}.event l WHERE l.workflow_id = p_id AND l.key = e.key AND l.n > e.n OFFSET 0);
  DELETE FROM ${s}.message m WHERE m.workflow_id = p_id AND m.seq = ANY (ARRAY(
    SELECT k.seq FROM ${s}.message k
    WHERE k.workflow_id = p_id AND k.consumed_by IS NOT NULL AND k.sent_at < v_now - ${rememberedMs}
    ORDER BY k.sent_at LIMIT v_records + ${spare}
  ));
  RETURN 'renewed';
END`
  })
