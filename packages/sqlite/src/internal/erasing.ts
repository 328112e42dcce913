/**
 * Deleting by operators, one by one or with children. A family is looked at on the connection that reads; what is locked for
 * writing is only ever a batch, looked at again.
 */
import * as Effect from "effect/Effect"
import { type DeleteAnswer, type Done, groupsOf, type ManagementStore, packed, type StoreError } from "perdure/Store"
import type { Connections } from "./connections.ts"
import * as Erase from "./erase.ts"
import { turn } from "./lock.ts"

/** So many workflows in one transaction: everybody else who writes waits for it. */
const batch = 1_000
/** How often what changed between a look and a deletion is looked at again. */
const looks = 10

export const erasing = (connections: Connections): Pick<ManagementStore, "delete"> => {
  /** The deepest first. */
  const look = Effect.fnUntraced(function*(root: string, children: boolean) {
    const { members, more } = Erase.familyOf(root, children)
    while (yield* connections.read("look at a family", more)) yield* Effect.yieldNow
    return members.reverse()
  })

  const erase = (groups: ReadonlyArray<ReadonlyArray<Done>>) =>
    connections.write("delete workflows", (database) => Erase.groups(database, groups))

  /** A family beyond a batch goes from its leaves up: what is left can be deleted again. */
  const eraseLarge = Effect.fnUntraced(function*(family: ReadonlyArray<Done>) {
    for (let from = 0; from < family.length; from += batch) {
      if (from > 0) yield* turn
      if ((yield* erase([family.slice(from, from + batch)])).size === 0) return false
    }
    return true
  })

  const deleteSome = Effect.fnUntraced(function*(
    workflowIds: ReadonlyArray<string>,
    children: boolean,
    tries = looks
  ): Effect.fn.Return<ReadonlyArray<DeleteAnswer>, StoreError> {
    const families = groupsOf((yield* Effect.forEach(workflowIds, (workflowId) => look(workflowId, children))).flat())
    const answers = new Map(workflowIds.map((workflowId): [string, DeleteAnswer] => {
      const status = families.running.get(workflowId)
      return [workflowId, status ? { workflowId, result: "running", status } : { workflowId, result: "unknown" }]
    }))
    const changed: Array<string> = []
    for (const [index, part] of packed(families.done, batch).entries()) {
      if (index > 0) yield* turn
      const erased = part.length === 1 && part[0]!.members.length > batch
        ? new Set((yield* eraseLarge(part[0]!.members)) ? [0] : [])
        : yield* erase(part.map((family) => family.members))
      part.forEach(({ roots }, i) => {
        for (const root of roots) {
          if (erased.has(i)) answers.set(root, { workflowId: root, result: "deleted" })
          else changed.push(root)
        }
      })
    }
    // Resumed, or deleted by somebody else, since the look.
    if (changed.length > 0 && tries > 0) {
      for (const answer of yield* deleteSome(changed, children, tries - 1)) answers.set(answer.workflowId, answer)
    }
    return [...answers.values()]
  })

  return {
    delete: (workflowIds, { children }) =>
      Effect.gen(function*() {
        const answers = new Map<string, DeleteAnswer>()
        const distinct = [...new Set(workflowIds)]
        for (let from = 0; from < distinct.length; from += batch) {
          if (from > 0) yield* turn
          for (const answer of yield* deleteSome(distinct.slice(from, from + batch), children)) {
            answers.set(answer.workflowId, answer)
          }
        }
        return workflowIds.map((workflowId) => answers.get(workflowId)!)
      })
  }
}
