/**
 * The class of bug hunted here: what is started and sent by SQL alone, out of a trigger or another language, and is not
 * the same as what is started and sent in code.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { Hint } from "perdure/Store"
import { advance, deliver, send, start, succeed } from "../../../test/conformance/builders.ts"
import { claimIds, join, recorded, startOwned, submit, sweep } from "../../../test/conformance/verbs.ts"
import { freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

const given = Effect.gen(function*() {
  const opened = yield* open(freshSchema())
  const other = yield* session
  const call = (text: string) =>
    Effect.map(other.query(`SELECT ${opened.schema}.${text} AS answer`), ({ rows }) => rows[0]!.answer as string)
  const refused = (text: string) =>
    Effect.map(Effect.flip(call(text)), ({ reason }) => {
      // an error of the driver, which has the server's code
      const { code, message } = reason.cause as { readonly code: string; readonly message: string }
      return { code, message }
    })
  return { ...opened, other, call, refused }
})

describe("enqueue_workflow", () => {
  it.live("starts a workflow that is like one that was started in code", () =>
    Effect.gen(function*() {
      const { call, store } = yield* given
      yield* join(store, "i")
      const id = yield* call(
        `enqueue_workflow('Order', '{"item": 1}', version => '1', timeout => interval '1 hour', workflow_id => 'w')`
      )
      assert.strictEqual(id, "w")
      const row = (yield* store.get("w"))!
      assert.deepStrictEqual(
        [row.status, row.payload, row.codec, row.version, row.roles, row.deadlineAt! - row.createdAt],
        ["ENQUEUED", "{\"item\":1}", "json", "1", [], 3_600_000]
      )
      assert.deepStrictEqual(
        yield* submit(store, start({ workflowId: "w" })),
        { _tag: "Exists", same: true, name: "Order" }
      )
      assert.deepStrictEqual(yield* claimIds(store, "i"), ["w"])
      const generated = yield* call("enqueue_workflow('Order')")
      assert.strictEqual((yield* store.get(generated))!.payload, " null")
      yield* call("enqueue_workflow('Order', delay => interval '1 day', workflow_id => 'later')")
      assert.strictEqual((yield* store.get("later"))!.status, "DELAYED")
    }))

  it.live("an id that is taken by the same is returned, by another it is an error that says so", () =>
    Effect.gen(function*() {
      const { call, refused, store } = yield* given
      yield* submit(store, start({ workflowId: "w", payload: "{\"b\":[1.5,-0,1e+21,\"é\\n\"],\"a\":null}" }))
      assert.strictEqual(
        yield* call(`enqueue_workflow('Order', '{"b" : [ 1.50, -0.0, 1E21, "\\u00e9\\n" ] , "a": null}', 'w')`),
        "w"
      )
      const { code, message } = yield* refused("enqueue_workflow('Order', '1', 'w')")
      assert.deepStrictEqual([code, message], [
        "23505",
        "workflow id w is taken by a workflow Order with another payload"
      ])
      assert.strictEqual((yield* refused("enqueue_workflow('Other', '1', 'w')")).code, "23505")
    }))

  it.live("what the engine would refuse is refused", () =>
    Effect.gen(function*() {
      const { refused } = yield* given
      for (
        const text of [
          "enqueue_workflow('')",
          "enqueue_workflow(NULL)",
          "enqueue_workflow(E'a\\nb')",
          "enqueue_workflow('a', workflow_id => repeat('é', 201))",
          "enqueue_workflow('a', priority => 1)",
          "enqueue_workflow('a', timeout => interval '0')",
          "enqueue_workflow('a', delay => interval '-1 second')",
          "enqueue_workflow('a', queue => '')"
        ]
      ) assert.strictEqual((yield* refused(text)).code, "22023", text)
    }))

  it.live("in a queue it waits like any other, once per deduplication id; a queue that is not there is an error", () =>
    Effect.gen(function*() {
      const { call, refused, store } = yield* given
      yield* join(store, "i")
      const limits = {
        concurrency: null,
        executorConcurrency: null,
        rateLimit: null,
        partitioned: null,
        ageingMs: null
      }
      yield* store.registerQueue("plain", limits)
      yield* store.registerQueue("keyed", {
        ...limits,
        partitioned: { concurrency: 1, executorConcurrency: null, rateLimit: null }
      })
      const enqueue = (id: string, more: string) =>
        call(`enqueue_workflow('Order', '1', '${id}', version => '1', ${more})`)
      yield* enqueue("low", "queue => 'plain', priority => 1")
      yield* enqueue("high", "queue => 'plain', priority => 9, deduplication_id => 'd'")
      assert.strictEqual(yield* enqueue("twice", "queue => 'plain', deduplication_id => 'd'"), "high")
      assert.isNull(yield* store.get("twice"))
      yield* enqueue("key", "queue => 'keyed', partition_key => 'k'")
      const codes = yield* Effect.forEach([
        "queue => 'none'",
        "queue => 'keyed'",
        "queue => 'plain', partition_key => 'k'"
      ], (more) => Effect.map(refused(`enqueue_workflow('Order', ${more})`), ({ code }) => code))
      assert.deepStrictEqual(codes, ["22023", "22023", "22023"])
      assert.deepStrictEqual((yield* claimIds(store, "i")).toSorted(), ["high", "key", "low"])
      assert.deepStrictEqual([(yield* store.get("high"))!.priority, (yield* store.get("key"))!.partitionKey], [9, "k"])
    }))

  it.live("in a trigger, it is a part of the change that set it off, and tells the executors with the commit", () =>
    Effect.gen(function*() {
      const { other, schema, store } = yield* given
      const heard = yield* Effect.forkChild(
        store.hints("a").pipe(Stream.filter((hint) => hint._tag === "Due"), Stream.runHead)
      )
      yield* other.query(`CREATE TABLE ${schema}.purchase (id text PRIMARY KEY, amount numeric)`)
      yield* other.query(`
        CREATE FUNCTION ${schema}.purchased() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          PERFORM ${schema}.enqueue_workflow('Order', json_build_object('id', NEW.id, 'amount', NEW.amount), NEW.id);
          RETURN NEW;
        END $$`)
      yield* other.query(
        `CREATE TRIGGER purchased AFTER INSERT ON ${schema}.purchase FOR EACH ROW EXECUTE FUNCTION ${schema}.purchased()`
      )
      yield* other.query("BEGIN")
      yield* other.query(`INSERT INTO ${schema}.purchase VALUES ('lost', 1)`)
      yield* other.query("ROLLBACK")
      assert.isNull(yield* store.get("lost"))
      let n = 0
      yield* Effect.raceFirst(
        Fiber.join(heard),
        Effect.forever(Effect.suspend(() => other.query(`INSERT INTO ${schema}.purchase VALUES ('w${n++}', 12.50)`)))
      )
      assert.strictEqual((yield* store.get("w0"))!.payload, "{\"id\":\"w0\",\"amount\":12.5}")
    }))
})

describe("send_message", () => {
  it.live("sends once per id, after the commit, on a hint or with the sweep", () =>
    Effect.gen(function*() {
      const { call, other, store } = yield* given
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* other.query("BEGIN")
      assert.strictEqual(yield* call(`send_message('w', 'approval', '{ "by": "ada" }', 'm')`), "m")
      yield* call("send_message('w', 'approval')")
      yield* sweep(store)
      assert.deepStrictEqual(yield* store.messages("w", { topic: null, limit: 10 }), [])
      yield* other.query("COMMIT")
      const [first, second] = yield* Effect.repeat(
        Effect.andThen(sweep(store), store.messages("w", { topic: "approval", limit: 10 })),
        { until: ({ length }) => length === 2 }
      )
      assert.deepStrictEqual([first!.messageId, first!.payload, first!.codec, first!.senderId, second!.payload], [
        "m",
        "{\"by\":\"ada\"}",
        "json",
        null,
        " null"
      ])
      assert.deepStrictEqual(
        yield* submit(store, deliver(send("w", "m", { topic: "approval", payload: "{\"by\":\"ada\"}" }))),
        { _tag: "Delivered" }
      )
      assert.strictEqual(yield* call(`send_message('w', 'approval', '{"by":"ada"}', 'm')`), "m")
      // heard by whoever listens, without a sweep
      const listening = yield* Effect.forkChild(Stream.runDrain(store.hints("a")))
      let n = 0
      yield* Effect.repeat(
        Effect.andThen(
          Effect.suspend(() => call(`send_message('w', 'heard', '1', 'h${n++}')`)),
          store.messages("w", { topic: "heard", limit: 10 })
        ),
        { until: (rows) => rows.length > 0 }
      )
      yield* Fiber.interrupt(listening)
    }))

  it.live("to nobody, to one that has ended, or under another's id, it is an error", () =>
    Effect.gen(function*() {
      const { refused, store } = yield* given
      yield* join(store, "i")
      for (const id of ["w", "done"]) yield* startOwned(store, id, "i")
      yield* recorded(store, advance("done", 1, { end: succeed }))
      yield* submit(store, deliver(send("w", "m")))
      const codes = yield* Effect.forEach([
        "send_message('nobody', 't')",
        "send_message('done', 't')",
        "send_message('w', 't', '1', 'm')",
        "send_message('w', '')"
      ], (text) => Effect.map(refused(text), ({ code }) => code))
      assert.deepStrictEqual(codes, ["P0002", "55000", "23505", "22023"])
    }))
})

describe("JSON given in SQL", () => {
  it.live("is stored as JavaScript writes it", () =>
    Effect.gen(function*() {
      const { other, schema } = yield* given
      const texts = [
        " null ",
        "true",
        "[ ]",
        "{ }",
        "{\"b\":1, \"a\" : {\"10\":1,\"9\":2,\"x\":3,\"01\":4,\"4294967295\":5,\"4294967294\":6}}",
        "{\"a\":1,\"b\":2,\"a\":3}",
        "\"\\u00e9\\/\\\"\\\\ \\u0001\\u001f\\b\\f\\n\\r\\t\u007f\u2028\\ud83d\\ude80\"",
        "\"plain \u{1F680} text\"",
        ...[
          "0",
          "-0",
          "-0.0",
          "1",
          "1.0",
          "-1.50",
          "1e3",
          "1E+20",
          "123456789012345678901",
          "1e21",
          "1.5e300",
          "5e-324"
        ],
        ...[
          "0.1",
          "0.000001",
          "0.0000001",
          "1.2e-6",
          "1.25e-7",
          "9007199254740993",
          "1e15",
          "123456.789e3",
          "100000000000000000000"
        ],
        ...["0.30000000000000004", "1.7976931348623157e308", "4.35", "2e-7", "12e-8", "41844623382035696", "-2e22"],
        ...Array.from(
          { length: 2_000 },
          () => String((Math.random() - 0.5) * 10 ** Math.floor(Math.random() * 60 - 30))
        )
      ]
      const { rows } = yield* other.query(
        `SELECT ${schema}.json_text(t::json) AS text FROM unnest($1::text[]) WITH ORDINALITY AS k(t, n) ORDER BY k.n`,
        [texts]
      )
      const written = (value: unknown): string => Object.is(value, -0) ? "-0" : JSON.stringify(value)
      assert.deepStrictEqual(rows.map(({ text }) => text), texts.map((text) => written(JSON.parse(text))))
    }))
})

describe("hints", () => {
  it.live("many at once all arrive", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* given
      const other = yield* open(schema)
      const all = Array.from({ length: 500 }, (_, i): Hint => ({ _tag: "Inbox", workflowId: `w${i}` }))
      const heard = new Set<string>()
      const listening = yield* Effect.forkChild(
        other.store.hints("a").pipe(
          Stream.tap((hint) => Effect.sync(() => hint._tag === "Inbox" && heard.add(hint.workflowId))),
          Stream.takeUntil(() => heard.size === all.length),
          Stream.runDrain
        )
      )
      const sending = yield* Effect.forkChild(Effect.forever(Effect.andThen(store.hint(all, ""), Effect.sleep(5))))
      yield* Fiber.join(listening)
      yield* Fiber.interrupt(sending)
    }))
})
