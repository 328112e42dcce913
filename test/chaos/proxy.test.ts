/** The proxy itself: a fault that is not there shows nothing. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import { eventually } from "../crash/harness/eventually.ts"
import type { When } from "../crash/harness/faults.ts"
import * as Lab from "../crash/harness/Lab.ts"
import { Job } from "../crash/workflows/jobs.ts"
import { freshDatabase } from "../postgres/database.ts"
import { Messages, Proxy } from "./proxy.ts"

const client = (address: string) =>
  Effect.map(
    Layer.build(Layer.fresh(PgClient.layer({ url: Redacted.make(address), maxConnections: 2 }))),
    Context.get(PgClient.PgClient)
  )

const proxied = Effect.gen(function*() {
  const url = yield* freshDatabase
  const proxy = yield* Effect.acquireRelease(
    Effect.promise(() => Proxy.before(url)),
    (proxy) => Effect.promise(() => proxy.close())
  )
  const through = client(proxy.through(url))
  return { proxy, through, sql: yield* through, direct: yield* client(url) }
})

it("messages are whole, however their bytes come", () => {
  const message = (type: string, body: string) => {
    const bytes = Buffer.alloc(5 + body.length)
    bytes.write(type, 0)
    bytes.writeInt32BE(4 + body.length, 1)
    bytes.write(body, 5)
    return bytes
  }
  const all = [message("A", "one"), message("B", ""), message("C", "three")]
  // The first one of a client has no type.
  const first = message("-", "startup").subarray(1)
  for (const [of, whole] of [["server", all], ["client", [first, ...all]]] as const) {
    const bytes = Buffer.concat(whole)
    for (let size = 1; size <= bytes.length; size++) {
      const messages = new Messages(of)
      const seen: Array<Buffer> = []
      for (let at = 0; at < bytes.length; at += size) seen.push(...messages.take(bytes.subarray(at, at + size)))
      assert.deepStrictEqual(seen.map(String), whole.map(String))
    }
  }
})

it.live("a statement whose answer is withheld has been done, and its client learns that the connection is gone", () =>
  Effect.gen(function*() {
    const { direct, proxy, sql } = yield* proxied
    yield* sql`CREATE TABLE t (id INTEGER)`
    proxy.answers = false
    const insert = yield* Effect.forkChild(Effect.exit(sql`INSERT INTO t VALUES (1)`), { startImmediately: true })
    yield* eventually("the row to be there", Effect.map(direct`SELECT id FROM t`, (rows) => rows.length === 1))
    proxy.reset()
    proxy.answers = true
    assert.strictEqual((yield* Fiber.join(insert))._tag, "Failure")
    assert.isAbove(proxy.counts.withheld, 0)
    assert.lengthOf(yield* sql`SELECT id FROM t`, 1)
  }))

it.live("notifications disappear while it says so, and nothing else does", () =>
  Effect.gen(function*() {
    const { direct, proxy, sql } = yield* proxied
    const heard: Array<string> = []
    yield* Effect.forkScoped(
      Effect.scoped(Effect.flatMap(sql.listen("news"), (notifications) =>
        Effect.forever(Effect.map(Queue.take(notifications), ({ payload }) =>
          heard.push(payload)))))
    )
    const say = (what: string) =>
      direct`SELECT pg_notify('news', ${what})`
    yield* eventually("the listener to hear", Effect.map(say("before"), () => heard.length > 0))
    // They come in order: none of the earlier ones can be dropped in place of the one that is to be.
    yield* say("last before")
    yield* eventually("it to hear the last", Effect.sync(() => heard.includes("last before")))
    proxy.notifies = false
    yield* say("meanwhile")
    yield* eventually("it to be dropped", Effect.sync(() => proxy.counts.notificationsDropped > 0))
    assert.lengthOf(yield* sql`SELECT 1`, 1)
    proxy.notifies = true
    yield* say("after")
    yield* eventually("the listener to hear again", Effect.sync(() => heard.includes("after")))
    assert.notInclude(heard, "meanwhile")
  }))

/** Cuts at one message after another, until a statement is through before its turn. What became of each statement. */
const cutAtEach = Effect.fnUntraced(function*(when: When) {
  const { direct, proxy, through } = yield* proxied
  yield* direct`CREATE TABLE t (id INTEGER)`
  const became: Array<{ readonly answered: boolean; readonly done: boolean }> = []
  for (let at = 1;; at++) {
    proxy.arm(at, when, "cut")
    const exit = yield* Effect.exit(Effect.scoped(Effect.flatMap(through, (sql) => sql`INSERT INTO t VALUES (${at})`)))
    if (proxy.disarm()) return became
    // What was sent arrives, also where nobody is there any more to be told.
    yield* eventually(
      "the session to be over",
      Effect.map(
        direct`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
        (others) => others.length === 0
      )
    )
    const rows = yield* direct`SELECT id FROM t WHERE id = ${at}`
    became.push({ answered: exit._tag === "Success", done: rows.length === 1 })
  }
})

for (const when of ["before", "after"] as const) {
  it.live(`cut ${when} each message in turn, a statement is done or not, and is not answered unless it was done`, () =>
    Effect.gen(function*() {
      const became = yield* cutAtEach(when)
      assert.deepStrictEqual(became.filter(({ answered, done }) => answered && !done), [])
      // What was not sent yet, and what was done and nobody was told.
      assert.isNotEmpty(became.filter(({ answered, done }) => !answered && !done))
      assert.isNotEmpty(became.filter(({ answered, done }) => !answered && done))
    }))
}

it.live("a process is killed at a message, and what it had not begun is for the next one", () =>
  Effect.gen(function*() {
    const lab = yield* Lab.onDatabase(yield* freshDatabase)
    const { place } = lab
    if (place.kind !== "postgres") return assert.fail()
    const proxy = yield* Effect.acquireRelease(
      Effect.promise(() => Proxy.before(place.url)),
      (proxy) => Effect.promise(() => proxy.close())
    )
    yield* Effect.gen(function*() {
      for (const when of ["before", "after"] as const) {
        const workflowId = `killed ${when}`
        const program = yield* lab.run("executor", { place: { ...place, url: proxy.through(place.url) } })
        yield* program.hear("ready")
        yield* Job.start({ steps: 3, workMs: 0 }, { workflowId })
        proxy.arm(20, when, () => program.signal("SIGKILL"))
        assert.strictEqual((yield* program.exit()).signal, "SIGKILL")
        const next = yield* lab.run("executor", { place: { ...place, url: proxy.through(place.url) } })
        assert.lengthOf(yield* Job.handle(workflowId).result, 3)
        yield* next.kill
      }
    }).pipe(Effect.provide(lab.client))
  }))

it.live("connections whose peer has vanished are silent both ways and stay open, and new ones are good", () =>
  Effect.gen(function*() {
    const { direct, proxy, sql } = yield* proxied
    yield* sql`CREATE TABLE t (id INTEGER)`
    const before = proxy.counts.connections
    proxy.vanish()
    const lost = yield* Effect.forkChild(Effect.exit(sql`INSERT INTO t VALUES (1)`), { startImmediately: true })
    // On the second connection of the pool, which is made now.
    yield* sql`INSERT INTO t VALUES (2)`
    assert.strictEqual(proxy.counts.connections, before + 1)
    assert.isUndefined(lost.pollUnsafe())
    assert.deepStrictEqual(yield* direct`SELECT id FROM t`, [{ id: 2 }])
    proxy.reset()
    assert.strictEqual((yield* Fiber.join(lost))._tag, "Failure")
    yield* eventually("a statement to pass", Effect.map(Effect.exit(sql`SELECT 1`), ({ _tag }) => _tag === "Success"))
    assert.isAbove(proxy.counts.reconnections, 0)
  }))
