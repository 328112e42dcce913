/**
 * Deleting by operators, one by one or with children. A family is looked at on the connection that reads; what is locked for
 * writing is only ever a batch, looked at again.
 */
import * as Effect from "effect/Effect"
import { deleting, type ManagementStore } from "perdure/Store"
import type { Connections } from "./connections.ts"
import * as Erase from "./erase.ts"
import { turn } from "./lock.ts"

/** After so many in one transaction it is the turn of others who write. */
const many = 500

export const erasing = (connections: Connections): Pick<ManagementStore, "delete"> => {
  /** The deepest first. */
  const look = Effect.fnUntraced(function*(root: string, children: boolean) {
    const { members, more } = Erase.familyOf(root, children)
    while (yield* connections.read("look at a family", more)) yield* Effect.yieldNow
    return members.reverse()
  })

  return {
    delete: deleting({
      look: (workflowIds, children) =>
        Effect.map(
          Effect.forEach(workflowIds, (workflowId) => look(workflowId, children)),
          (members) => members.flat()
        ),
      erase: (groups) =>
        Effect.tap(
          connections.write("delete workflows", (database) => Erase.groups(database, groups)),
          () => groups.reduce((sum, group) => sum + group.length, 0) < many ? Effect.void : turn
        )
    })
  }
}
