/**
 * A real PgBouncer in transaction mode, with fewer connections to the server than there are to it: everything works, from
 * the migration to the engine's loops, and nobody has to say that it is there.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import * as Engine from "perdure/Engine"
import { Store } from "perdure/Store"
import { pgbouncer, startPooler } from "../../../test/postgres/pooler.ts"
import * as PostgresStore from "../src/PostgresStore.ts"
import { add, addingLive, queue, sum } from "./adding.ts"
import { freshSchema, url, useDatabase } from "./given.ts"

useDatabase()

/** Two, so that whoever kept something in a session would soon meet another's. */
const connections = 2

const pooled = Effect.acquireRelease(
  Effect.promise(() => startPooler(pgbouncer!, url(), connections)),
  (pooler) => Effect.promise(pooler.close)
)

const warnings: Array<string> = []
const collecting = Logger.layer([Logger.make(({ logLevel, message }) => {
  if (logLevel === "Warn") warnings.push(String(message))
})])

const engineOn = (options: PostgresStore.Options) =>
  Layer.mergeAll(queue.layer, addingLive).pipe(
    Layer.provideMerge(Engine.layer({ suspendAfter: "20 millis", poll: "100 millis" })),
    Layer.provideMerge(Layer.fresh(PostgresStore.layer(options))),
    Layer.provide(collecting)
  )

describe.skipIf(pgbouncer === undefined)("behind PgBouncer", () => {
  for (const pooler of [undefined, true]) {
    it.live(`two engines do their work${pooler ? "" : ", unasked, and warn of it once each"}`, () =>
      Effect.gen(function*() {
        warnings.length = 0
        const { url } = yield* pooled
        const options = { url: Redacted.make(url), schema: freshSchema(), pooler } as const
        const [first, second] = yield* Effect.all([Layer.build(engineOn(options)), Layer.build(engineOn(options))], {
          concurrency: "unbounded"
        })
        const sql = Context.get(first!, SqlClient)
        yield* sql`DROP TABLE IF EXISTS saved`
        yield* sql`CREATE TABLE saved (n integer)`
        const numbers = Array.from({ length: 40 }, (_, n) => n)
        const results = yield* Effect.forEach(
          numbers,
          (n) => Effect.provideContext(add(n), n % 3 === 0 ? second! : first!),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(results, numbers.map(sum))
        const rows = yield* sql<{ n: number }>`SELECT n FROM saved ORDER BY n`
        assert.deepStrictEqual(rows.map(({ n }) => n), numbers)
        const warned = warnings.filter((warning) => warning.includes("pooler"))
        assert.strictEqual(warned.length, pooler ? 0 : 2, warnings.join("\n"))
      }))
  }

  it.live("told that there is none, the store fails, and says so", () =>
    Effect.gen(function*() {
      const { url } = yield* pooled
      const options = { url: Redacted.make(url), schema: freshSchema(), pooler: false }
      const exit = yield* Effect.exit(Layer.build(Layer.fresh(PostgresStore.layer(options))))
      assert.strictEqual(exit._tag, "Failure")
      if (exit._tag === "Failure") assert.match(Cause.pretty(exit.cause), /pooler: true/)
    }))

  it.live("a schema is made once by many that migrate at the same time", () =>
    Effect.gen(function*() {
      const { url } = yield* pooled
      const options = { url: Redacted.make(url), schema: freshSchema(), pooler: true }
      const stores = yield* Effect.all(
        Array.from({ length: 10 }, () => Layer.build(Layer.fresh(PostgresStore.layer(options)))),
        { concurrency: "unbounded" }
      )
      for (const store of stores) assert.isAbove(yield* Context.get(store, Store).now, 0)
    }))
})
