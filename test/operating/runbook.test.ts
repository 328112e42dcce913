/**
 * docs/operating/runbook.md, tried: each situation is made with real processes on a real database, its commands are typed, and
 * what they say is what the page shows. Hunts for a page that was true once.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import { delimiter } from "node:path"
import { Client } from "perdure"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import { eventually } from "../crash/harness/eventually.ts"
import * as Lab from "../crash/harness/Lab.ts"
import type { Program } from "../crash/harness/Program.ts"
import { Approval, Mail, mails, Order } from "../crash/roles/shop.ts"
import { onServer } from "../postgres/database.ts"
import { executable, findPrograms } from "../postgres/programs.ts"
import { type Postgres, startPostgres } from "../postgres/server.ts"
import { type Entry, headings, openEntry } from "./page.ts"

interface Shop extends Entry {
  readonly lab: Lab.Lab
  /** An executor, once it runs. */
  readonly executor: (
    executorId: string,
    version: string,
    charge?: "works" | "hangs" | "kills" | "renamed",
    lease?: string
  ) => Effect.Effect<Program, never, Scope.Scope>
  readonly order: (workflowId: string, item: string, version: string) => Effect.Effect<unknown, unknown, any>
  readonly become: (workflowId: string, status: WorkflowStatus) => Effect.Effect<unknown, unknown, any>
  readonly sql: (statement: string) => Effect.Effect<ReadonlyArray<unknown>>
}

/** Where one that is lost for no other reason than a slow machine would be another situation. */
const unhurried = "10 seconds"

const tried: Array<string> = []

let machines = 0

const shopOn = (lab: Lab.Lab, heading: string, store: string): Shop => ({
  ...openEntry(heading, lab.folder, store),
  lab,
  executor: (executorId, version, charge = "works", lease) =>
    Effect.tap(
      // Each on a machine of its own: there are no short ways between them.
      lab.run("shop", { executorId, version, charge, lease, machine: `machine ${++machines}` }),
      // One that dies of its work may do so before it is ready.
      (program) => charge === "kills" ? Effect.void : program.hear("ready")
    ),
  order: (workflowId, item, version) => Order.start({ item }, { workflowId, version }),
  become: (workflowId, status) =>
    eventually(
      `${workflowId} to be ${status}`,
      Effect.map(Client.get(workflowId), (info) => info.status === status || undefined)
    ),
  sql: (statement) => onServer(store, statement)
})

/** Tries an entry on a database of its own. */
const entry = (
  heading: string,
  try_: (shop: Shop) => Effect.Effect<unknown, unknown, any>,
  { kind = "postgres", needs }: { readonly kind?: Lab.Kind; readonly needs?: string } = {}
): void => {
  tried.push(heading)
  it.live.skipIf(needs !== undefined && !has(needs))(heading, () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make(kind)
      const { place } = lab
      const shop = shopOn(lab, heading, place.kind === "sqlite" ? `sqlite:${place.filename}` : place.url)
      yield* Effect.provide(Effect.andThen(try_(shop), shop.ends), lab.client) as Effect.Effect<void>
    }))
}

/** Clients do not come with every server. */
const has = (program: string): boolean =>
  [...findPrograms().map(({ bin }) => bin), ...(process.env["PATH"] ?? "").split(delimiter)].some((folder) =>
    existsSync(executable(folder, program))
  )

const urlOf = ({ place }: Lab.Lab): string => {
  if (place.kind !== "postgres") throw new Error("it has no address")
  return place.url
}

const server: Effect.Effect<Postgres, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => startPostgres({ fsync: true })),
  (server) => Effect.promise(() => server.close())
)

entry("Stuck", ({ become, executor, order, types }) =>
  Effect.gen(function*() {
    const good = yield* executor("shop-1", "v1", "works", unhurried)
    yield* order("order-7", "made to measure", "v1")
    yield* types
    yield* types
    yield* good.kill
    const hanging = yield* executor("shop-1", "v1", "hangs", unhurried)
    yield* order("order-8", "book", "v1")
    yield* hanging.hear("holding")
    yield* types
    yield* types
    yield* become("order-8", "PENDING")
    yield* hanging.hear("holding")
    yield* hanging.kill
    yield* types
    yield* executor("shop-2", "v2", "works", unhurried)
    yield* types
    yield* types
  }))

entry("Slow", ({ become, executor, lab, order, types }) =>
  Effect.gen(function*() {
    const one = yield* executor("shop-1", "v1", "hangs")
    for (const workflowId of ["mail-1", "mail-2", "mail-3"]) yield* mails.enqueue(Mail, undefined, { workflowId })
    yield* one.hear("holding")
    yield* types
    yield* types
    yield* types
    yield* one.hear("holding")
    yield* one.hear("holding")
    yield* executor("shop-2", "v2")
    const report = yield* PgConnection.make({ url: Redacted.make(urlOf(lab)), applicationName: "report" })
    yield* report.query("BEGIN")
    yield* report.query("LOCK TABLE perdure.step IN SHARE MODE")
    yield* order("order-9", "book", "v2")
    yield* types
    yield* report.query("ROLLBACK")
    yield* become("order-9", "SUCCESS")
  }), { needs: "psql" })

entry("Blocked", ({ become, executor, hears, order, types }) =>
  Effect.gen(function*() {
    const before = yield* executor("shop-1", "v1")
    yield* order("order-7", "made to measure", "v1")
    yield* eventually(
      "the order to wait",
      Effect.map(Client.explain("order-7"), ({ why }) => why._tag === "Suspended" || undefined)
    )
    yield* before.kill
    const after = yield* executor("shop-1", "v1", "renamed")
    yield* Approval.send("order-7", { by: "ada" })
    yield* become("order-7", "BLOCKED")
    yield* hears(after)
    yield* types
    yield* after.kill
    yield* executor("shop-1", "v1")
    yield* types
  }))

entry("Dead letters", ({ become, executor, order, types }) =>
  Effect.gen(function*() {
    yield* order("order-9", "book", "v1")
    for (let death = 0; death < 3; death++) {
      const { signal } = yield* (yield* executor("shop-1", "v1", "kills", unhurried)).exit()
      assert.strictEqual(signal, "SIGKILL")
    }
    yield* executor("shop-1", "v1", "works", unhurried)
    yield* become("order-9", "DEAD_LETTER")
    yield* types
    yield* types
  }))

/** Until `program` gives up a heartbeat, after a third of its lease of 2 seconds; and as long as the server lives. */
const silence = (url: string, program: Program) =>
  Effect.gen(function*() {
    const holder = yield* PgConnection.make({ url: Redacted.make(url) })
    yield* holder.query("BEGIN")
    yield* holder.query("LOCK TABLE perdure.executor")
    yield* eventually(
      "a heartbeat to be given up",
      Effect.sync(() => program.tail.includes("StoreError: The database did not answer within 667 ms"))
    )
  })

tried.push("A lost database")
for (const silent of [false, true]) {
  it.live(`A lost database${silent ? ", silent before it is gone" : ""}`, () =>
    Effect.gen(function*() {
      const postgres = yield* server
      const lab = yield* Lab.onDatabase(postgres.url)
      const { ends, executor, hears, types } = shopOn(lab, "A lost database", postgres.url)
      const one = yield* executor("shop-1", "v1")
      if (silent) yield* silence(postgres.url, one)
      yield* Effect.promise(() => postgres.stop("immediate"))
      yield* types
      yield* hears(one)
      // As long as a lease.
      yield* Effect.sleep("2500 millis")
      yield* Effect.promise(() => postgres.start())
      yield* hears(one)
      yield* types
      yield* ends
    }))
}

/** What was there when the backup was made, and two executors since: one that died, and one that lives on, frozen. */
const livedOn = ({ executor, order, types }: Shop) =>
  Effect.gen(function*() {
    const before = yield* executor("shop-1", "v1", "hangs", unhurried)
    yield* order("order-7", "book", "v1")
    yield* before.hear("holding")
    yield* types
    yield* before.kill
    const survivor = yield* executor("shop-2", "v1", "hangs", unhurried)
    yield* survivor.hear("holding")
    yield* order("order-8", "book", "v1")
    yield* survivor.hear("holding")
    survivor.signal("SIGSTOP")
    return survivor
  })

/** How often a step of a workflow has run. */
const runs = ({ lab }: Shop, workflowId: string, step: string): number =>
  lab.sideEffects().filter((effect) => effect.workflowId === workflowId && effect.step === step).length

entry("A restored backup", (shop) =>
  Effect.gen(function*() {
    const { become, executor, hears, types } = shop
    const survivor = yield* livedOn(shop)
    yield* types
    yield* types
    yield* executor("shop-3", "v1", "works", unhurried)
    yield* become("order-7", "SUCCESS")
    survivor.signal("SIGCONT")
    yield* hears(survivor)
    assert.strictEqual(runs(shop, "order-7", "reserve"), 1, "recorded before the backup")
    assert.strictEqual(runs(shop, "order-7", "charge"), 3, "once for each that had it")
    assert.strictEqual(runs(shop, "order-7", "ship"), 1)
  }), { needs: "pg_restore" })

entry("A restored SQLite file", (shop) =>
  Effect.gen(function*() {
    const { executor, types } = shop
    const survivor = yield* livedOn(shop)
    yield* survivor.kill
    yield* types
    yield* executor("shop-3", "v1")
  }), { kind: "sqlite", needs: "sqlite3" })

const shiftClock = ({ sql }: Shop, byMs: number) =>
  sql(`UPDATE perdure.meta SET clock_offset_ms = clock_offset_ms + ${byMs}`)

entry("Clock trouble", (shop) =>
  Effect.gen(function*() {
    const { executor, hears, order, types } = shop
    const one = yield* executor("shop-1", "v1", "hangs")
    yield* shiftClock(shop, 600_000)
    yield* types
    yield* hears(one)
    yield* order("order-7", "book", "v1")
    yield* one.hear("holding")
    yield* one.kill
    // Its last heartbeat may be under way in the server yet.
    const active = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'perdure' AND state = 'active'"
    yield* eventually(
      "its last statements to end",
      Effect.map(shop.sql(active), (rows) => rows.length === 0 || undefined)
    )
    yield* shiftClock(shop, -1_200_000)
    yield* executor("shop-2", "v1")
    yield* types
    yield* types
  }))

entry("Deploy", ({ executor, order, types }) =>
  Effect.gen(function*() {
    const before = yield* executor("shop-1", "v1")
    yield* order("order-7", "made to measure", "v1")
    yield* executor("shop-2", "v2")
    yield* types
    yield* types
    yield* types
    before.signal("SIGTERM")
    yield* before.exit()
  }))

entry("Upgrade", ({ hears, lab, sql, types }) =>
  Effect.gen(function*() {
    yield* types
    // as a newer release does
    yield* sql("UPDATE perdure.meta SET schema_version = 2")
    const older = yield* lab.run("shop", { executorId: "shop-1", version: "v1" })
    yield* older.exit()
    yield* hears(older)
    yield* types
  }))

it("every entry is tried", () => {
  assert.deepStrictEqual(tried, headings)
})
