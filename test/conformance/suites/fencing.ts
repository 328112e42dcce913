/**
 * The class of bug hunted here: a database that was restored hands out an epoch that somebody still has, from after the
 * copy was made, so that two write for one workflow.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Suite, Target } from "../Backend.ts"
import { advance, block, record, start, succeed, suspend } from "../builders.ts"
import { limits, queued } from "../queues.ts"
import { claimIds, claimUntil, historyOf, join, lapse, leaseMs, startOwned, submit, sweep } from "../verbs.ts"

/** Puts a workflow's ownership back to what it was in the copy. */
const ownershipOf = (sql: SqlClient, target: Target) => {
  const table = target.kind === "sqlite" ? "perdure_ownership" : `"${target.schema}".ownership`
  return {
    copy: Effect.orDie(sql.unsafe(`CREATE TABLE copied AS SELECT * FROM ${table}`)),
    restore: Effect.orDie(Effect.andThen(
      sql.unsafe(`DELETE FROM ${table}`),
      sql.unsafe(`INSERT INTO ${table} SELECT * FROM copied`)
    )),
    drop: Effect.orDie(sql.unsafe("DROP TABLE copied"))
  }
}

export const fencing: Suite = (claim) => {
  claim(
    "after a restore nobody who owned a workflow after the copy was made can write for it",
    (given) =>
      Effect.gen(function*() {
        const { sql, store, target } = given
        const ownership = ownershipOf(sql, target)
        yield* join(store, "before")
        yield* startOwned(store, "w", "before")
        yield* ownership.copy
        yield* lapse(store)
        yield* join(store, "survivor")
        yield* sweep(store)
        const survivor = (yield* claimUntil(store, "survivor", "w")).row.epoch
        yield* ownership.restore
        yield* ownership.drop

        assert.deepStrictEqual(yield* store.fence, { executors: 1, workflows: 1 })
        assert.isFalse((yield* store.heartbeat("survivor", leaseMs)).alive)
        for (const epoch of [1, survivor]) {
          assert.strictEqual((yield* submit(store, advance("w", epoch, { records: [record(0)] })))._tag, "Fenced")
        }
        yield* join(store, "after")
        yield* sweep(store)
        const after = (yield* claimUntil(store, "after", "w")).row.epoch
        assert.isAbove(after, survivor)
        assert.strictEqual((yield* submit(store, advance("w", survivor, { records: [record(0)] })))._tag, "Fenced")
        assert.strictEqual((yield* submit(store, advance("w", after, { records: [record(0)] })))._tag, "Recorded")
        assert.lengthOf(yield* historyOf(store, "w"), 1)
      })
  )

  claim("what rests when everybody is fenced goes on from there", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "before")
      for (const id of ["suspended", "blocked", "running"]) yield* startOwned(store, id, "before")
      yield* submit(store, start({ workflowId: "waiting" }))
      yield* store.registerQueue("q", limits())
      yield* submit(store, queued("queued"))
      yield* submit(store, advance("suspended", 1, { end: suspend({ wakeAt: 1 }) }))
      yield* submit(store, advance("blocked", 1, { end: block }))
      assert.deepStrictEqual(yield* store.fence, { executors: 1, workflows: 5 })
      assert.deepStrictEqual(yield* store.strays(9), [])
      assert.deepStrictEqual(yield* claimIds(store, "before"), [])

      yield* join(store, "after")
      yield* sweep(store)
      assert.sameMembers(yield* claimIds(store, "after"), ["suspended", "running", "waiting", "queued"])
      yield* store.resume(["blocked"])
      const { row } = yield* claimUntil(store, "after", "blocked")
      yield* submit(store, advance("blocked", row.epoch, { end: succeed }))
      assert.strictEqual((yield* store.get("blocked"))?.status, "SUCCESS")
      assert.deepStrictEqual(yield* store.fence, { executors: 1, workflows: 4 })
    }))
}
