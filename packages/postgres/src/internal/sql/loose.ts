/**
 * A recursive query `name(queue, name, version)`: the distinct triples that an index of `table` begins with, found by one
 * probe each, however many rows have the same.
 */
export const served = (s: string, name: string, table: string, where: string, from = "true"): string =>
  `${name}(queue, name, version) AS (
      (SELECT t.queue, t.name, t.version FROM ${s}.${table} t WHERE ${where} AND ${from}
        ORDER BY t.queue, t.name, t.version LIMIT 1)
      UNION ALL
      SELECT n.queue, n.name, n.version FROM ${name} d CROSS JOIN LATERAL (
        SELECT t.queue, t.name, t.version FROM ${s}.${table} t
        WHERE ${where} AND (t.queue, t.name, t.version) > (d.queue, d.name, d.version)
        ORDER BY t.queue, t.name, t.version LIMIT 1
      ) n
    )`

/** The same within one queue: `name(name, version)`. */
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
