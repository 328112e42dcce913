/**
 * The class of bug hunted here: a tick that happens twice, or not at all, because of who else was at its schedule.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { StoreService } from "perdure/Store"
import { start } from "../../../test/conformance/builders.ts"
import { quoteIdentifier } from "../src/internal/sql/function.ts"
import { dueStatement } from "../src/internal/sql/schedules.ts"
import { freshSchema, open, session, useDatabase } from "./given.ts"

useDatabase()

const definition = { name: "nightly", workflowName: "Order", rule: "{\"every\":1}", start: "{}" }

const tick = (at: number) =>
  start({ workflowId: `nightly-${at}`, schedule: { name: "nightly", at }, payload: `{"at":${at}}` })

const fire = (store: StoreService, at: number) =>
  store.fire({ name: "nightly", expected: at, next: at + 1, starts: [tick(at)] })

const ids = (store: StoreService) =>
  Effect.map(store.list({ order: "asc", limit: 10_000 }), (rows) => rows.map((row) => row.workflowId))

describe("a fire", () => {
  it.live("of two executors that fire a hundred ticks at once happens a hundred times, once each", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* open(freshSchema())
      const { store: other } = yield* open(schema)
      yield* store.writeSchedule("create", definition, 0)
      for (let at = 0; at < 100; at++) {
        const fired = yield* Effect.all([fire(store, at), fire(other, at), fire(store, at), fire(other, at)], {
          concurrency: "unbounded"
        })
        assert.lengthOf(fired.filter(Boolean), 1, `tick ${at}`)
      }
      const started = yield* store.list({ order: "asc", limit: 10_000, scheduleName: "nightly" })
      assert.deepStrictEqual(started.map((row) => row.scheduledAt), Array.from({ length: 100 }, (_, at) => at))
      assert.deepInclude((yield* store.schedules({}))[0], {
        nextFireAt: 100,
        lastFireAt: 99,
        lastWorkflowId: "nightly-99"
      })
    }))

  it.live("whose start cannot be written yet leaves its schedule as it is, and happens when it can", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* open(freshSchema())
      yield* store.writeSchedule("create", definition, 5)
      // somebody's open transaction is starting a workflow of this very id
      const connection = yield* session
      yield* connection.query("BEGIN")
      yield* connection.query(
        `INSERT INTO ${schema}.workflow (workflow_id, token, name, version, status, epoch, payload, codec, detached, roles,
          created_at, max_recovery_attempts)
         VALUES ('nightly-5', 'theirs', 'Order', '1', 'ENQUEUED', 0, '{"at":5}', 'json', false, '[]', 0, 1)`
      )
      const failure = yield* Effect.flip(fire(store, 5))
      assert.isTrue(failure.isRetryable)
      assert.strictEqual((yield* store.schedules({}))[0]!.nextFireAt, 5)
      yield* connection.query("ROLLBACK")
      assert.isTrue(yield* fire(store, 5))
      assert.isFalse(yield* fire(store, 5))
      assert.deepStrictEqual(yield* ids(store), ["nightly-5"])
      assert.lengthOf(yield* sql.unsafe(`SELECT 1 FROM ${schema}.mailbox WHERE workflow_id = 'nightly-5'`), 1)
    }))

  it.live("and a pause or a change at the same moment: nothing starts after it", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* open(freshSchema())
      const { store: other } = yield* open(schema)
      yield* store.writeSchedule("create", definition, 0)
      for (let at = 0; at < 40; at++) {
        const [fired] = yield* Effect.all([
          fire(store, at),
          at % 2 === 0
            ? other.pauseSchedule("nightly", { paused: true })
            : other.writeSchedule("update", { ...definition, rule: `{"every":${at + 1}}` }, 1_000_000)
        ], { concurrency: 2 })
        assert.strictEqual((yield* ids(store)).includes(`nightly-${at}`), fired, `tick ${at}`)
        const now = (yield* store.schedules({}))[0]!
        if (at % 2 === 0) {
          assert.deepStrictEqual([now.paused, now.nextFireAt], [true, fired ? at + 1 : at])
          assert.isFalse(yield* fire(store, fired ? at + 1 : at))
          yield* store.pauseSchedule("nightly", { paused: false, nextFireAt: at + 1 })
        } else {
          assert.strictEqual(now.nextFireAt, 1_000_000)
          yield* store.writeSchedule("update", definition, at + 1)
        }
      }
    }))
})

describe("schedules", () => {
  it.live("that are due are read page by page, each no more than itself", () =>
    Effect.gen(function*() {
      const { schema, sql, store } = yield* open(freshSchema())
      const many = Array.from({ length: 5_000 }, (_, n) => ({
        definition: { ...definition, name: `s${String(n).padStart(4, "0")}` },
        nextFireAt: 7
      }))
      yield* store.applySchedules(many)
      // What a backend has read is known at once to itself only.
      const connection = yield* session
      const read = Effect.map(
        connection.queryValues(
          `SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables
           WHERE schemaname = $1::text AND relname = 'schedule'`,
          [schema]
        ),
        ([row]) => Number(row![0])
      )
      yield* sql.unsafe(`ANALYZE ${schema}.schedule`)
      for (const after of ["", "s2500", "s4900"]) {
        yield* connection.query("BEGIN")
        const before = yield* read
        yield* connection.queryValues(dueStatement(quoteIdentifier(schema)), ["100", "7", after])
        assert.isAtMost((yield* read) - before, 200, `after "${after}"`)
        yield* connection.query("COMMIT")
      }
    }))

  it.live("declared by ten processes at once are made once", () =>
    Effect.gen(function*() {
      const { schema, store } = yield* open(freshSchema())
      const others = yield* Effect.forEach(Array.from({ length: 4 }), () => open(schema))
      const writes = yield* Effect.forEach(
        Array.from({ length: 10 }, (_, i) => others[i % 4]!.store),
        (one) => one.writeSchedule("declare", definition, 7),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(writes.toSorted(), [...Array.from({ length: 9 }, () => "same"), "written"])
      assert.lengthOf(yield* store.schedules({}), 1)
    }))
})
