/**
 * How every function of the schema is declared.
 *
 * - `search_path` is pinned, and every name of ours is qualified: nobody can slip a table or an operator under it.
 * - VOLATILE PL/pgSQL at READ COMMITTED takes a new snapshot per statement. Rules 1, 2 and 8 depend on it, so each
 *   function that writes refuses another isolation level (`PD001`) instead of being quietly wrong.
 * - Plans are generic and only ever probe indexes: a plan made on an empty table must still be right at a million rows,
 *   and a custom plan per call costs more than the statement. `jit` is off because the price of a forbidden sequential
 *   scan would set it off.
 * - No settings forbid a join that walks a whole index because the table had one row when it was analyzed (seen: 1.7 s
 *   for a flush of 200). So rows are found by `LATERAL (... OFFSET 0)`, which a plan cannot turn around, or by
 *   `= ANY (ids)`; an update of each row with values of its own joins the `ctid` that such a probe found. That passes over
 *   a row that somebody has changed since the snapshot, so an earlier statement has locked it, or the lock it goes by.
 */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll("\"", "\"\"")}"`

/** A string literal; the migration runs with `standard_conforming_strings` on. */
export const quoteLiteral = (text: string): string => `'${text.replaceAll("'", "''")}'`

export interface FunctionDefinition {
  /** Schema-qualified and quoted. */
  readonly name: string
  readonly parameters: ReadonlyArray<string>
  readonly returns: string
  readonly volatility: "VOLATILE" | "STABLE"
  /** Beside those that every function has. */
  readonly settings?: ReadonlyArray<string>
  readonly body: string
}

const settings = [
  "search_path = pg_catalog, pg_temp",
  "plan_cache_mode = force_generic_plan",
  "enable_seqscan = off",
  "enable_mergejoin = off",
  "enable_hashjoin = off",
  "jit = off"
]

export const createFunction = (definition: FunctionDefinition): string =>
  [
    `CREATE FUNCTION ${definition.name}(${definition.parameters.join(", ")})`,
    `RETURNS ${definition.returns} LANGUAGE plpgsql ${definition.volatility}`,
    ...[...settings, ...definition.settings ?? []].map((setting) => `SET ${setting}`),
    `AS ${quoteLiteral(definition.body)}`
  ].join("\n")

/** Refuses to run where a statement would not get a snapshot of its own. */
export const readCommitted = `
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'perdure needs READ COMMITTED' USING ERRCODE = 'PD001';
  END IF;`
