/**
 * Every `ts` block of the documentation does what its page says. Programs with a file name are run as a reader runs them, in
 * programs.test.ts; the others are modules, of which each is loaded here and used, with an engine on a file of its own.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { afterAll, assert, describe, it, vi } from "@effect/vitest"
import * as PostgresStore from "@perdure/postgres/PostgresStore"
import * as AdminAccess from "@perdure/server/AdminAccess"
import * as SqliteStore from "@perdure/sqlite/SqliteStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client, Engine, Message, Step, Store, Workflow, WorkflowQueue, WorkflowSchedule } from "perdure"
import { options } from "../engine/harness.ts"
import { eventually, reaches, stepsOf } from "../engine/observing.ts"
import { freshDatabase } from "../postgres/database.ts"
import { freePort } from "../postgres/server.ts"
import { type Block, blocks } from "./blocks.ts"

const files = mkdtempSync(join(tmpdir(), "perdure-docs-"))
// Inside the repository, so that the packages are found.
const folder = mkdtempSync(join(import.meta.dirname, "running-"))
afterAll(() => {
  for (const path of [files, folder]) rmSync(path, { recursive: true, force: true })
})

// -----------------------------------------------------------------------------
// loading
// -----------------------------------------------------------------------------

/** What a reader's machine has under these names, and this one elsewhere: each port, file and token. */
type Places = Readonly<Record<string, string>>

/** What a block exports. `any`: each block something else, which the pages' own compilation has checked. */
type Module = Readonly<Record<string, any>>

let number = 0

/** `given`: what the block declares and does not have. */
const load = ({ code }: Block, places: Places = {}, given: Readonly<Record<string, unknown>> = {}): Promise<Module> => {
  for (const [name, value] of Object.entries(given)) vi.stubGlobal(name, value)
  const file = join(folder, `s${number++}.ts`)
  writeFileSync(
    file,
    Object.entries(places).reduce((text, [there, here]) => {
      assert.include(text, there)
      return text.replaceAll(there, here)
    }, code)
  )
  return import(/* @vite-ignore */ file)
}

// -----------------------------------------------------------------------------
// using
// -----------------------------------------------------------------------------

type Needs = Engine.Engine | Store.Store | SqlClient | Scope.Scope

/** Uses a block: `block` loads it, `other` one of its page by its place there. */
type Use = (
  block: (places?: Places, given?: Readonly<Record<string, unknown>>) => Effect.Effect<Module>,
  other: (index: number, places?: Places) => Effect.Effect<Module>
) => Effect.Effect<unknown, unknown, Needs>

/** With bodies, or whatever else is a layer on an engine. */
const having = <A, E>(live: Layer.Layer<never, any, any>, effect: Effect.Effect<A, E, any>) =>
  Effect.provide(effect, live) as Effect.Effect<A, unknown, Needs>

const token = "a token that is long enough"
const access = AdminAccess.layerToken({ token: Redacted.make(token) })

/** Serves what adds routes; where. */
const served = Effect.fnUntraced(function*(routes: Layer.Layer<never, any, any>) {
  const server = yield* Layer.build(
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 0 }))
    ) as Layer.Layer<HttpServer.HttpServer, unknown, Engine.Engine>
  )
  const { address } = Context.get(server, HttpServer.HttpServer)
  if (address._tag === "UnixPathAddress") throw new Error("not on TCP")
  return `http://127.0.0.1:${address.port}`
})

/** Status and text. */
const fetched = (url: string, init?: RequestInit) =>
  Effect.promise(async () => {
    const response = await fetch(url, init)
    return [response.status, await response.text()] as const
  })

const json = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", "idempotency-key": "k", "x-user": "ada" },
  body: JSON.stringify(body)
})

/** The admin server of its page beside an application, on a PostgreSQL store of its own; where, and the block's places. */
const adminServer = Effect.fnUntraced(function*(main: (places: Places) => Effect.Effect<Module>) {
  const url = yield* freshDatabase
  const port = String(yield* Effect.promise(freePort))
  const { main: server } = yield* main({
    "process.env[\"ADMIN_TOKEN\"] ?? \"\"": JSON.stringify(token),
    "4400": port,
    "postgres://localhost/shop": url
  })
  const serving = yield* Effect.forkScoped(server as Effect.Effect<never, unknown>)
  const address = `http://127.0.0.1:${port}`
  const answered = Effect.option(Effect.tryPromise(() => fetch(address)))
  yield* Effect.raceFirst(Fiber.join(serving), eventually("an answer", answered, ({ _tag }) => _tag === "Some"))
  return { address, url }
})

// -----------------------------------------------------------------------------
// pages
// -----------------------------------------------------------------------------

/** By page, its blocks in their order. */
const uses: Readonly<Record<string, ReadonlyArray<Use>>> = {
  "docs/concepts/guarantees.md": [
    Effect.fnUntraced(function*(block) {
      const gateway = { charge: (amount: number, key: string) => Effect.succeed(`${amount} under ${key}`) }
      const { charge } = yield* block({}, { gateway })
      const Charging = Workflow.make("Charging", { success: Schema.String })
      const charged = Charging.execute(undefined, { workflowId: "w" })
      assert.strictEqual(yield* having(Charging.toLayer(() => charge(5)), charged), "5 under w-0")
    })
  ],
  "docs/guides/admin.md": [
    Effect.fnUntraced(function*(block) {
      const port = String(yield* Effect.promise(freePort))
      const { ServerLive } = yield* block({
        "process.env[\"ADMIN_TOKEN\"] ?? \"\"": JSON.stringify(token),
        "port: 3000": `port: ${port}`,
        "shop.db": join(files, "admin.db")
      })
      yield* Layer.build(ServerLive as Layer.Layer<never>)
      assert.deepStrictEqual(yield* fetched(`http://127.0.0.1:${port}/`), [200, "the shop"])
      assert.strictEqual((yield* fetched(`http://127.0.0.1:${port}/admin/health`))[0], 403)
    }),
    Effect.fnUntraced(function*(block) {
      const { address } = yield* adminServer(block)
      assert.strictEqual((yield* fetched(`${address}/health`))[0], 200)
    }),
    Effect.fnUntraced(function*(block, other) {
      const { address, url } = yield* adminServer((places) => other(1, places))
      const { program } = yield* block({
        "http://127.0.0.1:4400": address,
        "\"the token\"": JSON.stringify(token)
      })
      yield* Effect.gen(function*() {
        yield* Client.start("Order", { workflowId: "order-42" })
        yield* program as Effect.Effect<void>
        yield* reaches("order-42", "CANCELLED")
      }).pipe(
        Effect.provide(Engine.layerClient()),
        Effect.provide(PostgresStore.layer({ url: Redacted.make(url) }))
      )
    }),
    Effect.fnUntraced(function*(block) {
      const { Access } = yield* block({}, {
        userOf: (cookie: string | undefined) => cookie === "ada's" ? { name: "ada", operator: true } : undefined
      })
      const { authenticate, permits } = Context.get(
        yield* Layer.build(Access as typeof access),
        AdminAccess.AdminAccess
      )
      const ada = yield* authenticate({ cookies: { session: "ada's" } } as any)
      assert.deepStrictEqual(ada, { user: "ada", roles: ["operator"] })
      assert.deepStrictEqual([yield* permits(ada, "view"), yield* permits({ user: "eve", roles: [] }, "cancel")], [
        true,
        false
      ])
      assert.strictEqual((yield* Effect.exit(authenticate({ cookies: {} } as any)))._tag, "Failure")
    }),
    Effect.fnUntraced(function*(block) {
      const { Admin } = yield* block()
      const url = yield* served(Layer.provide(Admin, access))
      assert.strictEqual((yield* fetched(`${url}/admin/health`))[0], 200)
    }),
    Effect.fnUntraced(function*(block) {
      const turned = (text: string) => [...text].reverse().join("")
      const { Login } = yield* block({}, { seal: turned, unseal: turned })
      const LoginLive = Login.toLayer(({ password, user }: any) =>
        Effect.sync(() => assert.deepStrictEqual([user, Redacted.value(password)], ["ada", "secret"]))
      )
      yield* having(LoginLive, Login.execute({ user: "ada", password: Redacted.make("secret") }, { workflowId: "w" }))
      assert.deepStrictEqual((yield* Client.get("w")).payload, { user: "ada", password: "terces" })
    })
  ],
  "docs/guides/communication.md": [
    Effect.fnUntraced(function*(block) {
      const { program, PublishLive } = yield* block()
      const published = Effect.gen(function*() {
        yield* Client.start("Publish", { workflowId: "publish-1", payload: { text: "one\ntwo" } })
        return [yield* program, yield* Client.result("publish-1")]
      })
      assert.deepStrictEqual(yield* having(PublishLive, published), [0.5, true])
    }),
    Effect.fnUntraced(function*(block) {
      const { outcome } = yield* block()
      const Selling = Workflow.make("Selling", { success: Schema.String })
      const sold = Effect.gen(function*() {
        const handle = yield* Selling.start()
        yield* Message.make("paid", { payload: { amount: Schema.Number } }).send(handle.workflowId, { amount: 7 })
        return yield* handle.result
      })
      assert.strictEqual(yield* having(Selling.toLayer(() => outcome), sold), "paid 7")
    })
  ],
  "docs/guides/dashboard.md": [
    Effect.fnUntraced(function*(block) {
      const { Admin } = yield* block()
      const url = yield* served(Layer.provide(Admin, access))
      const [status, page] = yield* fetched(`${url}/admin/`)
      assert.strictEqual(status, 200)
      assert.match(page, /<html/)
    })
  ],
  "docs/guides/http.md": [
    Effect.fnUntraced(function*(block) {
      const { routes } = yield* block()
      const url = yield* served(routes)
      for (const _ of [1, 2]) {
        const [status, body] = yield* fetched(`${url}/orders`, json(null))
        assert.deepStrictEqual([status, JSON.parse(body)], [202, { workflowId: "ada:k" }])
      }
      assert.strictEqual((yield* Client.get("ada:k")).user, "ada")
    }),
    Effect.fnUntraced(function*(block) {
      const { ApiLive } = yield* block()
      const url = yield* served(ApiLive)
      assert.deepStrictEqual(yield* fetched(`${url}/Order`, json({ sku: "a" })), [202, "{\"workflowId\":\"k\"}"])
      assert.strictEqual((yield* fetched(`${url}/Refund`, json({ orderId: "k" })))[0], 403)
      assert.strictEqual((yield* fetched(`${url}/openapi.json`))[0], 200)
    })
  ],
  "docs/guides/loops.md": [
    Effect.fnUntraced(function*(block) {
      const { AccountLive } = yield* block()
      const { sendMany } = Message.make("deposit", { payload: Schema.Int })
      const turned = Effect.gen(function*() {
        yield* Client.start("Account", { workflowId: "a", payload: { balance: 5 } })
        yield* sendMany(Array.from({ length: 100 }, () => ({ workflowId: "a", value: 1 })))
        return yield* eventually("the next life", Client.get("a"), ({ continuations }) => continuations === 1)
      })
      assert.deepStrictEqual((yield* having(AccountLive, turned)).payload, { balance: 105 })
    })
  ],
  "docs/guides/managing.md": [
    Effect.fnUntraced(function*(block) {
      const { program } = yield* block()
      const Order = Workflow.make("Order")
      const OrderLive = Order.toLayer(() => Effect.andThen(Step.run("price", Effect.succeed(1)), Effect.die("no")))
      yield* having(
        OrderLive,
        Effect.gen(function*() {
          yield* Order.start(undefined, { workflowId: "order-42" })
          yield* reaches("order-42", "ERROR")
          yield* program
        })
      )
    })
  ],
  "docs/guides/queues.md": [
    Effect.fnUntraced(function*(block) {
      const { program } = yield* block()
      const sent: Array<string> = []
      const SendMail = Workflow.make("SendMail", { payload: { to: Schema.String } })
      const SendMailLive = SendMail.toLayer(({ to }) => Step.run("send", Effect.sync(() => void sent.push(to))))
      yield* having(
        SendMailLive,
        Effect.andThen(program, eventually("all mails", Effect.sync(() => sent), ({ length }) => length === 4))
      )
      assert.sameMembers(sent, ["ada", "bob", "eve", "urgent"].map((name) => `${name}@example.org`))
    }),
    Effect.fnUntraced(function*(block) {
      const { program } = yield* block()
      yield* having(WorkflowQueue.make("mails", { concurrency: 10 }).layer, program)
      const { limits, paused } = yield* Client.queues.get("mails")
      assert.deepStrictEqual([limits.concurrency, paused], [10, false])
    }),
    Effect.fnUntraced(function*(block) {
      const { edited } = yield* block()
      const revisions: Array<number> = []
      const Reindex = Workflow.make("Reindex", { payload: { document: Schema.String, revision: Schema.Int } })
      const indexed = Effect.gen(function*() {
        const first = yield* edited("doc", 1)
        const second = yield* edited("doc", 2)
        assert.strictEqual(first.workflowId, second.workflowId)
        yield* (yield* Store.Store).adjustClock(10_000)
        yield* second.result
      })
      yield* having(Reindex.toLayer(({ revision }) => Effect.sync(() => void revisions.push(revision))), indexed)
      assert.deepStrictEqual(revisions, [2])
    })
  ],
  "docs/guides/roles.md": [
    Effect.fnUntraced(function*(block) {
      const { AccountsLive, program } = yield* block()
      assert.strictEqual(yield* having(AccountsLive, program), "the account of ada")
      const { workflows } = yield* Client.list()
      assert.sameDeepMembers(workflows.map(({ assumedRole, name, user }) => [name, user, assumedRole]), [
        ["accounts.view", "ada", "user"],
        ["accounts.delete", "eve", "support"]
      ])
    })
  ],
  "docs/guides/schedules.md": [
    Effect.fnUntraced(function*(block) {
      const { nightly, ReportLive } = yield* block()
      yield* having(
        Layer.merge(ReportLive, nightly.layer),
        Effect.flatMap(Client.schedules.trigger("nightly"), (id) => Client.result(id))
      )
    }),
    Effect.fnUntraced(function*(block) {
      const { catchUp } = yield* block()
      const nightly = WorkflowSchedule.make("nightly", { workflow: "Report", cron: "30 2 * * *" })
      assert.strictEqual(yield* having(nightly.layer, catchUp), 7)
    })
  ],
  "docs/guides/tracing.md": [
    Effect.fnUntraced(function*(block) {
      const exported = new Set<string>()
      const collector = yield* served(
        HttpRouter.add("*", "/*", (request) =>
          Effect.sync(() => {
            exported.add(request.url)
            return HttpServerResponse.empty()
          }))
      )
      const { MainLive } = yield* block({
        "http://localhost:4318": collector,
        "shop.db": join(files, "tracing.db")
      })
      yield* Effect.scoped(Effect.gen(function*() {
        const main = yield* Layer.build(MainLive as Layer.Layer<Engine.Engine>)
        const shipped = Effect.flatMap(Client.start("Order"), (id) => Client.result(id))
        yield* Effect.provideContext(shipped, main)
      }))
      assert.includeMembers([...exported], ["/v1/traces", "/v1/metrics"])
    })
  ],
  "docs/guides/transactions.md": [
    Effect.fnUntraced(function*(block) {
      const { debit } = yield* block()
      const sql = yield* SqlClient
      yield* sql`CREATE TABLE account (id TEXT, balance INTEGER)`
      yield* sql`INSERT INTO account VALUES ('a', 10)`
      const Paying = Workflow.make("Paying")
      const paid = Paying.execute(undefined, { workflowId: "w" })
      yield* having(Paying.toLayer(() => Effect.asVoid(debit("a", 3))), Effect.andThen(paid, paid))
      assert.deepStrictEqual(yield* sql`SELECT balance FROM account`, [{ balance: 7 }])
      assert.deepStrictEqual(yield* stepsOf("w"), ["0 transaction debit"])
    }),
    Effect.fnUntraced(function*(block) {
      const elsewhere = Context.get(
        yield* Layer.build(SqliteStore.layer({ filename: join(files, "ledger.db") })),
        SqlClient
      )
      yield* elsewhere`CREATE TABLE ledger (amount INTEGER)`
      const { enter, LedgerLive, tidy } = yield* block({}, { LedgerClient: Layer.succeed(SqlClient, elsewhere) })
      const Entering = Workflow.make("Entering")
      const entered = Entering.execute()
      yield* having(
        Layer.provideMerge(Entering.toLayer(() => enter(5)) as Layer.Layer<never, never, any>, LedgerLive),
        Effect.andThen(entered, tidy)
      )
      assert.deepStrictEqual(yield* elsewhere`SELECT amount FROM ledger`, [{ amount: 5 }])
    })
  ],
  "docs/guides/versions.md": [
    Effect.fnUntraced(function*(block) {
      const { EngineLive } = yield* block()
      const version = Effect.map(Engine.Engine, ({ version }) => version)
      assert.strictEqual(yield* having(Layer.fresh(EngineLive), version), "2026-11-25")
    })
  ]
}

// -----------------------------------------------------------------------------
// running
// -----------------------------------------------------------------------------

/** A whole test, which is run as one of this file. */
const testing = "docs/guides/testing.md"

const modules = Map.groupBy(blocks.filter(({ file }) => file === undefined), ({ page }) => page)

describe("blocks of the documentation", () => {
  it("are run, every one of them", () => {
    const used = Object.fromEntries(Object.entries(uses).map(([page, { length }]) => [page, length]))
    const found = Object.fromEntries([...modules].map(([page, { length }]) => [page, length]))
    assert.deepStrictEqual(found, { ...used, [testing]: 1 })
    const programs = readFileSync(join(import.meta.dirname, "programs.test.ts"), "utf8")
    const unrun = blocks.filter(({ file, page }) =>
      file !== undefined && !(programs.includes(`inFolderOf("${page}"`) && programs.includes(`${file}"`))
    )
    assert.deepStrictEqual(unrun, [])
  })

  for (const [page, found] of modules) {
    for (const [index, use] of (uses[page] ?? []).entries()) {
      const block = found[index]
      if (block === undefined) continue
      it.live(block.where, () =>
        use(
          (places, given) => Effect.promise(() => load(block, places, given)),
          (other, places) => Effect.promise(() => load(found[other]!, places))
        ).pipe(
          Effect.scoped,
          Effect.provide(Layer.fresh(Engine.layer(options))),
          Effect.provide(
            SqliteStore.layer({
              filename: join(files, `${block.where.replaceAll(/\W/g, "-")}.db`),
              synchronous: "NORMAL"
            })
          ),
          Effect.provideService(References.MinimumLogLevel, "None"),
          Effect.ensuring(Effect.sync(() => vi.unstubAllGlobals()))
        ))
    }
  }
})

await load(modules.get(testing)![0]!)
