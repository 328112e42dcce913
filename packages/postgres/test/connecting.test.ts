/**
 * Every way to say where a server is, on one of our own that listens in all of them: rows I50 and I51 of the table of bad
 * input (test/engine/badInput.test.ts). Hunts for an address that is read in another way than by libpq, and for a number
 * of connections with which the store waits for ever.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { networkInterfaces, tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import * as Engine from "perdure/Engine"
import * as Step from "perdure/Step"
import { Store } from "perdure/Store"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import { onServer } from "../../../test/postgres/database.ts"
import { type Postgres, startPostgres } from "../../../test/postgres/server.ts"
import * as PostgresStore from "../src/PostgresStore.ts"

const password = "p@ss:w/o?r#d %41&=+é"
const encoded = encodeURIComponent(password)
const database = "odd db/#?%"

let server: Postgres
let sockets: string
let port: string
let schemas = 0

beforeAll(async () => {
  sockets = mkdtempSync(join(tmpdir(), "perdure-sockets-"))
  // The server may run as somebody else.
  chmodSync(sockets, 0o777)
  server = await startPostgres({
    settings: { unix_socket_directories: sockets, listen_addresses: hasIpv6 ? "127.0.0.1,::1" : "127.0.0.1" }
  })
  port = new URL(server.url).port
  for (
    const statement of [
      `CREATE ROLE "o d:d" LOGIN PASSWORD '${password}'`,
      `CREATE DATABASE "${database}" OWNER "o d:d"`
    ]
  ) await Effect.runPromise(onServer(server.url, statement))
})
afterAll(async () => {
  await server.close()
  rmSync(sockets, { recursive: true, force: true })
})

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"))

const open = (options: PostgresStore.Options) =>
  Effect.map(
    Layer.build(
      Layer.fresh(PostgresStore.layer({ schema: `store_${++schemas}`, connectTimeout: "2 minutes", ...options }))
    ),
    (context) => Context.get(context, Store)
  )

const opens = (options: PostgresStore.Options) =>
  Effect.scoped(Effect.flatMap(open(options), (store) => Effect.map(store.now, (now) => assert.isAbove(now, 0))))

/** Refused, in words, without the password. */
const refused = (options: PostgresStore.Options) =>
  Effect.map(Effect.flip(Effect.scoped(open(options))), (error) => {
    const shown = `${inspect(error, { depth: 10, showHidden: true })} ${JSON.stringify(error)}`
    for (const secret of [password, encoded]) assert.notInclude(shown, secret)
    return error
  })

const at = (authority: string, query = "") =>
  Redacted.make(`postgres://${authority}/${encodeURIComponent(database)}${query}`)
const who = () => `o%20d%3Ad:${encoded}`
const user = { username: "o d:d", password: Redacted.make(password) }

describe("a server is reached", () => {
  it.live("by a URL whose user, password and database are percent-encoded; by each of them apart", () =>
    Effect.gen(function*() {
      yield* opens({ url: at(`${who()}@127.0.0.1:${port}`) })
      yield* opens({ host: "127.0.0.1", port: Number(port), database, ...user })
      // What is given beside the URL wins.
      yield* opens({ url: at(`somebody:else@127.0.0.1:${port}`), ...user })
      const query = new URLSearchParams({ host: "127.0.0.1", port, user: "o d:d", password, dbname: database })
      yield* opens({ url: Redacted.make(`postgresql:///?${query}`) })
      const wrong = yield* refused({ url: at(`o%20d%3Ad:wrong@127.0.0.1:${port}`) })
      assert.deepStrictEqual([wrong.isRetryable, wrong.reason.code], [false, "28P01"])
      assert.match((yield* refused({ url: at(`o%20d%3Ad@127.0.0.1:${port}`) })).message, /password/)
    }))

  it.live("through a unix socket, said as a host, in a URL, or in its query", () =>
    Effect.gen(function*() {
      yield* opens({ host: sockets, port: Number(port), database, ...user })
      yield* opens({ url: at(`${who()}@${encodeURIComponent(sockets)}:${port}`) })
      yield* opens({ url: at("", `?host=${encodeURIComponent(sockets)}&port=${port}`), ...user })
      const away = yield* refused({ host: `${sockets}/nowhere`, port: Number(port), database, ...user })
      assert.strictEqual(away.isRetryable, true)
    }))

  it.live.skipIf(!hasIpv6)("by an IPv6 address", () =>
    Effect.gen(function*() {
      yield* opens({ url: at(`${who()}@[::1]:${port}`) })
      yield* opens({ host: "::1", port: Number(port), database, ...user })
    }))

  it.live("without TLS, where the server has none and the mode allows it; else it is refused, in words", () =>
    Effect.gen(function*() {
      const mode = (sslmode: string) => ({ url: at(`${who()}@127.0.0.1:${port}`, `?sslmode=${sslmode}`) })
      for (const sslmode of ["disable", "allow", "prefer"]) yield* opens(mode(sslmode))
      for (const sslmode of ["require", "verify-ca", "verify-full"]) {
        assert.match((yield* refused(mode(sslmode))).message, /TLS|SSL/, sslmode)
      }
      assert.match((yield* refused({ ...mode("disable"), ssl: true })).message, /TLS|SSL/)
      assert.match((yield* refused(mode("sometimes"))).message, /sslmode.*"sometimes"/)
    }))
})

describe("connections", () => {
  const here = () => ({ url: at(`${who()}@127.0.0.1:${port}`) })

  it.live("in a number that is none are refused", () =>
    Effect.gen(function*() {
      for (const option of ["maxConnections", "storeConnections"] as const) {
        for (const count of [0, -1, 1.5, Number.NaN, Infinity, "3" as never]) {
          const error = yield* refused({ ...here(), [option]: count })
          assert.strictEqual(error.reason._tag, "StoreMisconfigured", `${option} ${count}`)
          assert.include(error.message, option)
        }
      }
    }))

  it.live("are enough if there is one of each", () =>
    Effect.gen(function*() {
      const Subject = Workflow.make("Subject")
      const live = Subject.toLayer(() =>
        Effect.andThen(
          Workflow.all([
            Step.run("a", Effect.void),
            Transaction.run("b", Effect.void),
            Transaction.run("c", Effect.void)
          ]),
          Effect.sleep("50 millis")
        )
      )
      const context = yield* Layer.build(Layer.provideMerge(
        live,
        Layer.provideMerge(
          Engine.layer({ suspendAfter: "10 millis" }),
          Layer.fresh(PostgresStore.layer({ ...here(), schema: "few", maxConnections: 1, storeConnections: 1 }))
        )
      ))
      yield* Effect.forEach(Array.from({ length: 10 }), () => Subject.execute(), { concurrency: "unbounded" }).pipe(
        Effect.provideContext(context)
      )
    }))
})
