/**
 * A recursive query `name(name, version)`: the distinct pairs that an index of `table` has in one queue, found by one probe
 * each, however many rows have the same.
 */
export const servedIn = (s: string, name: string, table: string, where: string, queue: string): string =>
  `${name}(name, version) AS (
      (SELECT t.name, t.version FROM ${s}.${table} t WHERE ${where} AND t.queue = ${queue}
        ORDER BY t.name, t.version LIMIT 1)
      UNION ALL
      SELECT n.name, n.version FROM ${name} d CROSS JOIN LATERAL (
        SELECT t.name, t.version FROM ${s}.${table} t
        WHERE ${where} AND t.queue = ${queue} AND (t.name, t.version) > (d.name, d.version)
        ORDER BY t.name, t.version LIMIT 1
      ) n
    )`
