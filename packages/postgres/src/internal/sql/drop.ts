/**
 * Takes the operations in `which` out of the flush: they are answered, and nothing of them is written.
 */
export const dropOperations = (which: string): string => `
      v_all := false;
      v_answered := v_answered || ${which};
      SELECT coalesce(array_agg(k.op), '{}') INTO v_ok FROM unnest(v_ok) k(op) WHERE k.op <> ALL (v_answered);`
