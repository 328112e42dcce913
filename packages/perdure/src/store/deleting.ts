/** Deleting by operators, one by one or with children: the same in every store. */
import * as Effect from "effect/Effect"
import type { StoreError } from "../Store.ts"
import { type Done, groupsOf, type Member, packed } from "./families.ts"
import type { DeleteAnswer, ManagementStore } from "./management.ts"

/** So many workflows in one transaction. */
const batch = 1_000
/** How often what changed between a look and a deletion is looked at again. */
const looks = 10

/** What a store has to be able to do for it. */
export interface Erasing {
  /** The workflows, and with `children` theirs, however deep: of each root the deepest first. */
  readonly look: (
    workflowIds: ReadonlyArray<string>,
    children: boolean
  ) => Effect.Effect<ReadonlyArray<Member>, StoreError>
  /** Deletes in one transaction each group of which all is as it was seen. Which are gone, by position. */
  readonly erase: (groups: ReadonlyArray<ReadonlyArray<Done>>) => Effect.Effect<ReadonlySet<number>, StoreError>
}

/**
 * Each root goes with its family or not at all, but for a family beyond a batch. All are looked at before any is deleted: one
 * that is in another's family is deleted, too.
 */
export const deleting = ({ erase, look }: Erasing): ManagementStore["delete"] => {
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
    const families = groupsOf(yield* look(workflowIds, children))
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
    // Resumed, or deleted by somebody else, since the look.
    if (changed.length > 0 && tries > 0) {
      for (const answer of yield* deleteSome(changed, children, tries - 1)) answers.set(answer.workflowId, answer)
    }
    return [...answers.values()]
  })

  return (workflowIds, { children }) =>
    Effect.gen(function*() {
      const distinct = [...new Set(workflowIds)]
      const answers = new Map<string, DeleteAnswer>()
      for (let from = 0; from < distinct.length; from += batch) {
        for (const answer of yield* deleteSome(distinct.slice(from, from + batch), children)) {
          answers.set(answer.workflowId, answer)
        }
      }
      return workflowIds.map((id) => answers.get(id)!)
    })
}
