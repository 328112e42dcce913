import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, release, start, succeed } from "../builders.ts"
import { claimUntil, join, race, recorded, rounds, submit, write } from "../verbs.ts"

const started = { _tag: "Started" } as const

export const starting: Suite = (claim) => {
  claim(
    "a start without an owner is ENQUEUED at epoch 0, with all that it was given",
    ({ store }) =>
      Effect.gen(function*() {
        const before = yield* store.now
        const given = start({ workflowId: "w", user: "ada", roles: ["admin", "clerk"], assumedRole: "clerk" })
        assert.deepStrictEqual(yield* store.write([given]), [started])
        const { createdAt, wakeAt, ...row } = (yield* store.get("w"))!
        assert.isAtLeast(createdAt, before)
        assert.isNotNull(wakeAt)
        assert.deepStrictEqual(row, {
          workflowId: "w",
          name: "Order",
          version: "1",
          status: "ENQUEUED",
          phase: "run",
          epoch: 0,
          payload: "{\"item\":1}",
          codec: "json",
          output: null,
          reason: null,
          parentId: null,
          parentStepId: null,
          detached: false,
          user: "ada",
          roles: ["admin", "clerk"],
          assumedRole: "clerk",
          startedAt: null,
          completedAt: null,
          deadlineAt: null,
          executorId: null,
          recoveryAttempts: 0,
          maxRecoveryAttempts: 100,
          waits: null,
          queue: null,
          priority: 0,
          partitionKey: null,
          deduplicationId: null,
          attributes: {},
          scheduleName: null,
          scheduledAt: null,
          forkedFrom: null,
          trace: null,
          continuations: 0,
          firstStepId: 0
        })
      })
  )

  claim("a start with an owner is PENDING at epoch 1, owned and not due", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* store.write([start({ workflowId: "w", owner: "i" })])
      const row = (yield* store.get("w"))!
      assert.deepStrictEqual(
        [row.status, row.phase, row.epoch, row.executorId, row.wakeAt],
        ["PENDING", "run", 1, "executor of i", null]
      )
    }))

  claim(
    "a start with an owner keeps the time that it was given; another gets it from the first claim, once",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* store.write([
          start({ workflowId: "owned", owner: "i", startedAt: 123 }),
          start({ workflowId: "enqueued", startedAt: 456 })
        ])
        assert.strictEqual((yield* store.get("owned"))!.startedAt, 123)
        assert.isNull((yield* store.get("enqueued"))!.startedAt)
        const before = yield* store.now
        const { row } = yield* claimUntil(store, "i", "enqueued")
        assert.isAtLeast(row.startedAt!, before)
        for (const [id, epoch, startedAt] of [["owned", 1, 123], ["enqueued", 1, row.startedAt]] as const) {
          yield* recorded(store, advance(id, epoch, { end: release }))
          yield* store.adjustClock(10)
          assert.strictEqual((yield* claimUntil(store, "i", id)).row.startedAt, startedAt)
        }
      })
  )

  claim(
    "the same start submitted again, after a lost answer, is Started again and is there once",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        const given = start({ workflowId: "w", owner: "i" })
        assert.deepStrictEqual(yield* store.write([given]), [started])
        assert.deepStrictEqual(yield* store.write([given]), [started])
        yield* recorded(store, advance("w", 1, { end: succeed }))
        assert.deepStrictEqual(yield* store.write([given]), [started])
        assert.strictEqual((yield* store.get("w"))!.status, "SUCCESS")
        assert.lengthOf(yield* store.list({ order: "asc", limit: 10 }), 1)
      })
  )

  claim(
    "another start of a taken id is told whether it is the same by name and payload",
    ({ store }) =>
      Effect.gen(function*() {
        yield* store.write([start({ workflowId: "w", payload: "1" })])
        const again = (given: { name?: string; payload?: string; version?: string }) =>
          submit(store, start({ workflowId: "w", payload: "1", ...given }))
        const exists = (same: boolean) => ({ _tag: "Exists", same, name: "Order" }) as const
        assert.deepStrictEqual(yield* again({}), exists(true))
        assert.deepStrictEqual(yield* again({ version: "2" }), exists(true))
        assert.deepStrictEqual(yield* again({ payload: "2" }), exists(false))
        assert.deepStrictEqual(yield* again({ name: "Other" }), exists(false))
        const row = (yield* store.get("w"))!
        assert.deepStrictEqual([row.name, row.version, row.payload], ["Order", "1", "1"])
      })
  )

  claim("a batch answers each start in its order, new and taken ones mixed", ({ store }) =>
    Effect.gen(function*() {
      yield* store.write(["c", "a"].map((workflowId) => start({ workflowId })))
      const answers = yield* write(store, ["d", "a", "b", "c", "e"].map((workflowId) => start({ workflowId })))
      assert.deepStrictEqual(answers.map(({ _tag }) => _tag), ["Started", "Exists", "Started", "Exists", "Started"])
    }))

  claim("an empty batch writes nothing and answers nothing", ({ store }) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* store.write([]), [])
    }))

  claim(
    "a timeout counts from the insertion, and the earlier of timeout and deadline counts",
    ({ store }) =>
      Effect.gen(function*() {
        const now = yield* store.now
        const hour = 3_600_000
        yield* store.write([
          start({ workflowId: "timeout", timeoutMs: hour }),
          start({ workflowId: "deadline", deadlineAt: now + hour }),
          start({ workflowId: "timeout first", timeoutMs: hour, deadlineAt: now + 100 * hour }),
          start({ workflowId: "deadline first", timeoutMs: 100 * hour, deadlineAt: now + hour })
        ])
        const deadlineOf = (id: string) => Effect.map(store.get(id), (row) => row!.deadlineAt!)
        assert.strictEqual(yield* deadlineOf("deadline"), now + hour)
        assert.strictEqual(yield* deadlineOf("deadline first"), now + hour)
        for (const id of ["timeout", "timeout first"]) {
          assert.isAtLeast(yield* deadlineOf(id), now + hour)
          assert.isBelow(yield* deadlineOf(id), now + 2 * hour)
        }
      })
  )

  claim(
    "of two starts of one id at the same time one is Started and the other told that it Exists",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        for (const round of rounds(100)) {
          const workflowId = `w${round}`
          const filler = (who: string) => start({ workflowId: `${round}-${who}` })
          const [left, right] = yield* race(
            round,
            write(given.store, [start({ workflowId }), filler("left")]),
            write(other.store, [filler("right"), start({ workflowId })])
          )
          assert.deepStrictEqual([left[1]!._tag, right[0]!._tag], ["Started", "Started"])
          assert.deepStrictEqual([left[0]!._tag, right[1]!._tag].sort(), ["Exists", "Started"])
        }
      })
  )

  claim(
    "two batches that start the same ids in opposite orders both end, each id started once",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        for (const round of rounds(20)) {
          const ids = Array.from({ length: 40 }, (_, index) => `w${round}-${index}`)
          const batch = ids.map((workflowId) => start({ workflowId }))
          const [left, right] = yield* race(
            round,
            write(given.store, batch),
            write(other.store, ids.toReversed().map((workflowId) => start({ workflowId })))
          )
          const winners = ids.map((_, index) =>
            [left[index]!, right.toReversed()[index]!].map(({ _tag }) => _tag).sort()
          )
          assert.deepStrictEqual(winners, ids.map(() => ["Exists", "Started"]))
        }
      })
  )

  claim("the same start submitted twice at the same time is Started for both", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      for (const round of rounds(50)) {
        const same = start({ workflowId: `w${round}` })
        const answers = yield* race(round, submit(given.store, same), submit(other.store, same))
        assert.deepStrictEqual(answers, [started, started])
      }
    }))
}
