/** Deleting: by operators, one by one or with children, and by retention, in batches. */
import * as Effect from "effect/Effect"
import { type DeleteAnswer, type Done, groupsOf, packed, type Retention, type StoreError } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import { retryLocks } from "./locks.ts"
import { familyStatement } from "./sql/erase.ts"

/** An operator waits for a flush, not for a stranger: then the whole call is tried again. */
const lockMs = 500
/** So many workflows in one commit. */
const batch = 1_000
/** So many are looked for at once, since looking may read all that is old; and how long what was found is good for. */
const lookFor = 20_000
const goodForMs = 60_000
/** How often what changed between a look and a deletion is looked at again. */
const looks = 10

export const make = (database: Database) => {
  const s = database.s
  const eraseSql = `SELECT group_ FROM ${s}.erase_1($1::integer, $2::integer[], $3::text[], $4::bigint[])`
  const familySql = familyStatement(s)
  const retainableSql = `SELECT id_, completed_ FROM ${s}.retainable_1($1::text, $2::bigint, $3::integer, $4::integer)`

  /** Which of the groups are gone, by position. */
  const erase = (groups: ReadonlyArray<ReadonlyArray<Done>>): Effect.Effect<ReadonlySet<number>, StoreError> =>
    Effect.map(
      retryLocks(database.run(eraseSql, [
        lockMs,
        groups.flatMap((group, i) => group.map(() => i)),
        groups.flatMap((group) => group.map(({ workflowId }) => workflowId)),
        groups.flatMap((group) => group.map(({ completedAt }) => String(completedAt)))
      ])),
      (rows) => new Set(rows.map(([group]) => Number(group)))
    )

  /** A family beyond a batch goes from its leaves up: what is left can be deleted again. */
  const eraseLarge = Effect.fnUntraced(function*(family: ReadonlyArray<Done>) {
    for (let from = 0; from < family.length; from += batch) {
      if ((yield* erase([family.slice(from, from + batch)])).size === 0) return false
    }
    return true
  })

  const deleteSome = Effect.fnUntraced(function*(
    workflowIds: ReadonlyArray<string>,
    children: boolean,
    tries = looks
  ): Effect.fn.Return<ReadonlyArray<DeleteAnswer>, StoreError> {
    const families = groupsOf(
      (yield* database.query(familySql, [workflowIds, children])).map(([root, workflowId, status, completedAt]) => ({
        root: root as string,
        workflowId: workflowId as string,
        status: status as WorkflowStatus,
        completedAt: completedAt === null ? null : Number(completedAt)
      }))
    )
    const answers = new Map(workflowIds.map((workflowId): [string, DeleteAnswer] => {
      const status = families.running.get(workflowId)
      return [workflowId, status ? { workflowId, result: "running", status } : { workflowId, result: "unknown" }]
    }))
    const changed: Array<string> = []
    for (const part of packed(families.done, batch)) {
      const erased = part.length === 1 && part[0]!.members.length > batch
        ? new Set((yield* eraseLarge(part[0]!.members)) ? [0] : [])
        : yield* erase(part.map(({ members }) => members))
      part.forEach(({ roots }, i) => {
        for (const root of roots) {
          if (erased.has(i)) answers.set(root, { workflowId: root, result: "deleted" })
          else changed.push(root)
        }
      })
    }
    // resumed or deleted by somebody else since the look
    if (changed.length > 0 && tries > 0) {
      for (const answer of yield* deleteSome(changed, children, tries - 1)) answers.set(answer.workflowId, answer)
    }
    return [...answers.values()]
  })

  const remove = (
    workflowIds: ReadonlyArray<string>,
    options: { readonly children: boolean }
  ): Effect.Effect<ReadonlyArray<DeleteAnswer>, StoreError> =>
    Effect.gen(function*() {
      const distinct = [...new Set(workflowIds)]
      const answers = new Map<string, DeleteAnswer>()
      for (let from = 0; from < distinct.length; from += batch) {
        for (const answer of yield* deleteSome(distinct.slice(from, from + batch), options.children)) {
          answers.set(answer.workflowId, answer)
        }
      }
      return workflowIds.map((id) => answers.get(id)!)
    })

  /** What the last look found and nobody has deleted yet, for the retention that is going on. */
  let found: { readonly key: string; readonly until: number; readonly done: Array<Done> } | undefined

  const look = (retention: Retention) =>
    Effect.map(
      database.query(retainableSql, [
        retention.name,
        retention.olderThanMs === null ? null : String(Math.round(retention.olderThanMs)),
        retention.keep === null ? null : String(Math.max(0, Math.trunc(retention.keep))),
        lookFor
      ]),
      (rows): Array<Done> =>
        rows.map(([workflowId, completedAt]) => ({
          workflowId: workflowId as string,
          completedAt: Number(completedAt)
        }))
    )

  const retain = (retention: Retention, limit: number): Effect.Effect<number, StoreError> =>
    Effect.gen(function*() {
      const key = JSON.stringify([retention.name, retention.olderThanMs, retention.keep])
      if (found?.key !== key || found.until < Date.now()) found = undefined
      let deleted = 0
      while (deleted < limit) {
        let looked = false
        if (found === undefined || found.done.length === 0) {
          looked = true
          found = { key, until: Date.now() + goodForMs, done: yield* look(retention) }
          if (found.done.length === 0) break
        }
        const some: Array<Done> = found.done.splice(0, Math.min(batch, limit - deleted))
        const erased = (yield* erase(some.map((one) => [one]))).size
        deleted += erased
        // what was just seen is somebody else's by now
        if (looked && erased === 0) break
      }
      if (deleted < limit) found = undefined
      return deleted
    })

  return { delete: remove, retain }
}
