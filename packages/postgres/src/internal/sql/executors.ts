/** What people see of executors. */

/** Written by the executor itself, when it changes: the lease's row stays its own. */
export const serveStatement = (s: string): string => `
  UPDATE ${s}.executor e SET served = $2::text, queues = $3::text
  WHERE e.incarnation = $1::text AND (e.served, e.queues) IS DISTINCT FROM ($2::text, $3::text)`

/** How long a lapsed executor that owns nothing is shown. The sweep forgets it then. */
export const shownForMs = 3_600_000

/** One that is leaving is alive as long as its lease. What each owns is counted in the index of owners. */
export const executorsStatement = (s: string): string => `
  SELECT e.incarnation, e.executor_id, e.version,
    CASE WHEN e.state <> 'dead' AND e.lease_until > n.now THEN 'alive' ELSE 'lapsed' END,
    e.lease_until, o.owned, e.served, e.queues
  FROM (SELECT ${s}.now_ms() AS now OFFSET 0) n
  CROSS JOIN ${s}.executor e
  CROSS JOIN LATERAL (
    SELECT count(*) AS owned FROM ${s}.ownership o WHERE o.executor = e.incarnation OFFSET 0
  ) o
  WHERE (e.state <> 'dead' AND e.lease_until > n.now) OR o.owned > 0 OR e.lease_until > n.now - ${shownForMs}
  ORDER BY e.executor_id, e.incarnation`
