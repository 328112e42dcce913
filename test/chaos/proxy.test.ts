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
import { freshDatabase } from "../postgres/database.ts"
import { Messages, Proxy } from "./proxy.ts"

const proxied = Effect.gen(function*() {
  const url = yield* freshDatabase
  const proxy = yield* Effect.acquireRelease(
    Effect.promise(() => Proxy.before(url)),
    (proxy) => Effect.promise(() => proxy.close())
  )
  const client = (address: string) =>
    Effect.map(
      Layer.build(Layer.fresh(PgClient.layer({ url: Redacted.make(address), maxConnections: 2 }))),
      Context.get(PgClient.PgClient)
    )
  return { proxy, sql: yield* client(proxy.through(url)), direct: yield* client(url) }
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
  const bytes = Buffer.concat(all)
  for (let size = 1; size <= bytes.length; size++) {
    const messages = new Messages()
    const seen: Array<Buffer> = []
    for (let at = 0; at < bytes.length; at += size) seen.push(...messages.take(bytes.subarray(at, at + size)))
    assert.deepStrictEqual(seen.map(String), all.map(String))
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
    proxy.notifies = false
    yield* say("meanwhile")
    yield* eventually("it to be dropped", Effect.sync(() => proxy.counts.notificationsDropped > 0))
    assert.lengthOf(yield* sql`SELECT 1`, 1)
    proxy.notifies = true
    yield* say("after")
    yield* eventually("the listener to hear again", Effect.sync(() => heard.includes("after")))
    assert.notInclude(heard, "meanwhile")
  }))
