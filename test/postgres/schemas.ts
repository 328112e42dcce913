/**
 * Schemas with empty tables for the tests of one file, one after the other. To make one takes sixty times as long as to
 * empty one, so a schema that a test has left as it was, but for the rows, is emptied for the next.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PostgresStore from "@perdure/postgres/PostgresStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"

export interface Schemas {
  /** The name of one, until the scope closes. Nobody else may be using the database at that time. */
  readonly take: Effect.Effect<string, never, Scope.Scope>
}

/** Every object of the schema, and the transaction that last changed it: another text when anything was altered. */
const objectsOf = (schema: string): string => `
  WITH relation AS (SELECT oid, xmin FROM pg_class WHERE relnamespace = '${schema}'::regnamespace),
    object (id, changed) AS (
      SELECT oid::text, xmin::text FROM relation
      UNION ALL SELECT a.attrelid || '.' || a.attnum, a.xmin::text FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid
      UNION ALL SELECT t.oid::text, t.xmin::text FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
      UNION ALL SELECT c.oid::text, c.xmin::text FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
      UNION ALL SELECT oid::text, xmin::text FROM pg_proc WHERE pronamespace = '${schema}'::regnamespace
    )
  SELECT md5(string_agg(id || ' ' || changed, ',' ORDER BY id, changed)) FROM object`

/** As the migration leaves it. */
const emptying = (schema: string): string =>
  `DO $$
  DECLARE
    relation pg_class;
  BEGIN
    FOR relation IN SELECT * FROM pg_class WHERE relnamespace = '${schema}'::regnamespace LOOP
      IF relation.relkind = 'r' AND relation.relname <> 'meta' THEN
        EXECUTE format('DELETE FROM ${schema}.%I', relation.relname);
      ELSIF relation.relkind = 'S' THEN
        PERFORM setval(seqrelid, seqstart, false) FROM pg_sequence WHERE seqrelid = relation.oid;
      END IF;
    END LOOP;
    WITH made AS (DELETE FROM ${schema}.meta RETURNING schema_version)
    INSERT INTO ${schema}.meta (schema_version) SELECT schema_version FROM made;
  END $$`

/** What a test has left behind may still be at work, a killed process's session above all. */
const endOthers = `SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`

export const make = Effect.fnUntraced(function*(url: string): Effect.fn.Return<Schemas, never, Scope.Scope> {
  const connection = yield* Effect.orDie(PgConnection.make({ url: Redacted.make(url) }))
  const one = (sql: string) => Effect.orDie(Effect.map(connection.queryValues(sql, [], false), (rows) => rows[0]?.[0]))
  let made = 0
  let left: { readonly schema: string; readonly objects: unknown } | undefined
  const create = Effect.gen(function*() {
    const schema = `perdure_${++made}`
    const layer = Layer.fresh(PostgresStore.layer({ url: Redacted.make(url), schema }))
    yield* Effect.orDie(Effect.scoped(Layer.build(layer)))
    return { schema, objects: yield* one(objectsOf(schema)) }
  })
  return {
    take: Effect.gen(function*() {
      yield* one(endOthers)
      const again = left !== undefined && (yield* one(objectsOf(left.schema))) === left.objects ? left : undefined
      left = undefined
      if (again !== undefined) yield* one(emptying(again.schema))
      const taken = again ?? (yield* create)
      yield* Effect.addFinalizer(() => Effect.sync(() => (left = taken)))
      return taken.schema
    })
  }
})
