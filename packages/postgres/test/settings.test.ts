/**
 * PostgreSQL as people run it: a role or a database with settings of its own that end statements, look for names
 * elsewhere or allow few connections. Hunts for work that is lost, or stays undone, where the server refuses for a while.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { randomBytes } from "node:crypto"
import * as Client from "perdure/Client"
import * as Engine from "perdure/Engine"
import type { StoreError } from "perdure/Store"
import type { WorkflowError } from "perdure/WorkflowError"
import { eventually } from "../../../test/engine/observing.ts"
import { freshDatabase, onServer } from "../../../test/postgres/database.ts"
import * as PostgresStore from "../src/PostgresStore.ts"
import { add, addingLive, queue, sum } from "./adding.ts"

const numbers = (from: number) => Array.from({ length: 6 }, (_, i) => from + i)

type Opened = Context.Context<Engine.Engine | SqlClient>

const open = (options: PostgresStore.Options): Effect.Effect<Opened, StoreError | WorkflowError, Scope.Scope> =>
  Layer.build(
    Layer.mergeAll(queue.layer, addingLive).pipe(
      Layer.provideMerge(Engine.layer({ suspendAfter: "20 millis", poll: "100 millis", heartbeat: "200 millis" })),
      Layer.provideMerge(Layer.fresh(PostgresStore.layer(options)))
    )
  )

/** Another database, of a role that is no superuser, and its address as that role. */
const place = Effect.gen(function*() {
  const address = new URL(yield* freshDatabase)
  const role = `hosted_${randomBytes(6).toString("hex")}`
  const database = address.pathname.slice(1)
  const admin = (statement: string) => onServer(address.toString(), statement)
  yield* admin(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`)
  yield* Effect.addFinalizer(() => Effect.andThen(admin(`DROP OWNED BY ${role} CASCADE`), admin(`DROP ROLE ${role}`)))
  yield* admin(`GRANT CREATE ON DATABASE ${database} TO ${role}`)
  yield* admin(`CREATE TABLE public.saved (n integer PRIMARY KEY)`)
  yield* admin(`GRANT ALL ON public.saved TO ${role}`)
  const url = new URL(address)
  url.username = role
  url.password = "secret"
  return { url: Redacted.make(url.toString()), address: address.toString(), admin, role, database }
})

/** Everything that is asked for is done, once. */
const works = (opened: Opened, { admin }: Effect.Success<typeof place>, from: number) =>
  Effect.gen(function*() {
    assert.deepStrictEqual(
      yield* Effect.forEach(numbers(from), (n) => add(n, { workflowId: `w${n}` }), { concurrency: "unbounded" }),
      numbers(from).map(sum)
    )
    const rows = yield* admin(`SELECT n FROM public.saved WHERE n BETWEEN ${from} AND ${from + 9} ORDER BY n`)
    assert.deepStrictEqual(rows, numbers(from).map((n) => ({ n })))
  }).pipe(Effect.provideContext(opened))

const quietly = Effect.provideService(References.MinimumLogLevel, "None")

describe("a server", () => {
  it.live("whose search_path is somebody's else changes nothing", () =>
    Effect.gen(function*() {
      const there = yield* place
      const { admin, database, url } = there
      yield* admin(`CREATE SCHEMA evil`)
      yield* admin(`GRANT USAGE ON SCHEMA evil TO PUBLIC`)
      for (const table of ["meta", "workflow", "ownership", "step", "queue", "item", "message", "executor"]) {
        yield* admin(`CREATE TABLE evil.${table} (nothing integer)`)
      }
      const functions = [
        ["now()", "timestamptz"],
        ["clock_timestamp()", "timestamptz"],
        ["set_config(text, text, boolean)", "text"],
        ["current_setting(text, boolean)", "text"],
        ["pg_notify(text, text)", "void"],
        ["hashtextextended(text, bigint)", "bigint"],
        ["now_ms()", "bigint"]
      ]
      for (const [signature, returns] of functions) {
        yield* admin(
          `CREATE FUNCTION evil.${signature} RETURNS ${returns} LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil'; END $$`
        )
      }
      for (const [n, path] of ["''", "evil", "evil, pg_catalog"].entries()) {
        yield* admin(`ALTER DATABASE ${database} SET search_path = ${path}`)
        yield* Effect.scoped(Effect.flatMap(open({ url }), (opened) => works(opened, there, n * 10)))
      }
      // Where a pooler is between, the path cannot be said beforehand.
      yield* works(yield* open({ url, pooler: true }), there, 100)
    }).pipe(quietly))

  it.live("that ends statements after a second says so, and what was ended is done when it can be", () =>
    Effect.gen(function*() {
      const there = yield* place
      const { address, admin, role, url } = there
      yield* Effect.scoped(open({ url }))
      yield* admin(`ALTER ROLE ${role} SET statement_timeout = '1s'`)
      // A machine that does ten things at once may be slower than that.
      const opened = yield* Effect.eventually(open({ url }))
      yield* works(opened, there, 0)
      const stranger = yield* PgConnection.make({ url: Redacted.make(address) })
      yield* stranger.query("BEGIN")
      yield* stranger.query("LOCK TABLE perdure.workflow IN ACCESS EXCLUSIVE MODE")
      // Whoever looks is told, and whoever writes waits.
      const told = yield* Effect.flip(Effect.provideContext(Client.get("w0"), opened))
      assert.deepInclude(told.reason, { _tag: "StoreFailed", retryable: true })
      assert.include(told.message, "statement timeout")
      const results = yield* Effect.forkChild(works(opened, there, 100))
      yield* Effect.flip(Effect.provideContext(Client.get("w0"), opened))
      yield* stranger.query("ROLLBACK")
      yield* Fiber.join(results)
    }).pipe(quietly))

  it.live("that has no connection left says so, and what was asked for is done when it has", () =>
    Effect.gen(function*() {
      const there = yield* place
      const { address, admin, role, url } = there
      const session = yield* PgConnection.make({ url: Redacted.make(address) })
      yield* admin(`ALTER ROLE ${role} CONNECTION LIMIT 0`)
      const refused = yield* Effect.flip(Effect.scoped(open({ url })))
      assert.strictEqual(refused.isRetryable, true, refused.message)
      assert.match(refused.message, /too many connections/)
      // Enough to begin with, and others come.
      yield* admin(`ALTER ROLE ${role} CONNECTION LIMIT -1`)
      const opened = yield* open({ url })
      yield* works(opened, there, 0)
      yield* admin(`ALTER ROLE ${role} CONNECTION LIMIT 1`)
      yield* admin(
        `SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = '${role}'`
      )
      const results = yield* Effect.forkChild(works(opened, there, 100))
      yield* eventually(
        "the server to refuse connections",
        Effect.exit(onServer(Redacted.value(url), "SELECT 1")),
        (exit) => exit._tag === "Failure"
      )
      yield* session.query(`ALTER ROLE ${role} CONNECTION LIMIT -1`)
      yield* Fiber.join(results)
      yield* works(opened, there, 200)
    }).pipe(quietly))
})
