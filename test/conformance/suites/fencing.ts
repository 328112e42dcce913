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
import { cancel, claim as claimDue, claimIds, claimUntil, historyOf, join, lapse, leaseMs } from "../verbs.ts"
import { startOwned, submit, sweep } from "../verbs.ts"

/** Puts workflows back to what they were in the copy. */
const workflowsOf = (sql: SqlClient, target: Target) => {
  const prefix = target.kind === "sqlite" ? "perdure_" : `"${target.schema}".`
  const each = (...statements: ReadonlyArray<(name: string) => string>) =>
    Effect.orDie(
      Effect.forEach(["workflow", "ownership", "mailbox"], (name) =>
        Effect.forEach(statements, (statement) => sql.unsafe(statement(name))))
    )
  return {
    copy: each((name) => `CREATE TABLE copied_${name} AS SELECT * FROM ${prefix}${name}`),
    restore: each(
      (name) => `DELETE FROM ${prefix}${name}`,
      (name) => `INSERT INTO ${prefix}${name} SELECT * FROM copied_${name}`,
      (name) => `DROP TABLE copied_${name}`
    )
  }
}

export const fencing: Suite = (claim) => {
  claim(
    "after a restore nobody who owned a workflow after the copy was made can write for it",
    (given) =>
      Effect.gen(function*() {
        const { sql, store, target } = given
        const workflows = workflowsOf(sql, target)
        yield* join(store, "before")
        yield* startOwned(store, "w", "before")
        yield* workflows.copy
        yield* lapse(store)
        yield* join(store, "survivor")
        yield* sweep(store)
        const survivor = (yield* claimUntil(store, "survivor", "w")).row.epoch
        yield* workflows.restore

        assert.deepStrictEqual(yield* store.fence, { executors: 1, workflows: 1 })
        assert.isFalse((yield* store.heartbeat("survivor", leaseMs, [])).alive)
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

  claim(
    "nor can who owned one that was over in the copy, and was resumed after it was made",
    (given) =>
      Effect.gen(function*() {
        const { sql, store, target } = given
        const workflows = workflowsOf(sql, target)
        const ids = ["cancelled", "dead"]
        const resumedBy = Effect.fnUntraced(function*(incarnation: string) {
          yield* join(store, incarnation)
          yield* store.resume(ids)
          const { claimed } = yield* claimDue(store, incarnation)
          return new Map(claimed.map(({ row }) => [row.workflowId, row.epoch]))
        })
        for (const id of ids) yield* startOwned(store, id, "vanished", { maxRecoveryAttempts: 0 })
        yield* cancel(store, ["cancelled"])
        assert.deepStrictEqual((yield* sweep(store)).deadLettered, ["dead"])
        yield* workflows.copy
        const survivor = yield* resumedBy("survivor")
        yield* workflows.restore

        assert.deepStrictEqual(yield* store.fence, { executors: 1, workflows: 0 })
        const after = yield* resumedBy("after")
        for (const id of ids) {
          assert.isAbove(after.get(id)!, survivor.get(id)!)
          assert.strictEqual(
            (yield* submit(store, advance(id, survivor.get(id)!, { records: [record(0)] })))._tag,
            "Fenced"
          )
          assert.strictEqual((yield* submit(store, advance(id, after.get(id)!, { end: succeed })))._tag, "Recorded")
        }
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
