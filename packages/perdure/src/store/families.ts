/** Which of the workflows to delete can go, and which go together: pure, and the same in every store. */
import type { WorkflowStatus } from "../WorkflowStatus.ts"

/** A workflow that is done, as it was seen. */
export interface Done {
  readonly workflowId: string
  readonly completedAt: number
}

/** One member of the family of a workflow that is to be deleted; deepest first, the root last. */
export interface Member {
  readonly root: string
  readonly workflowId: string
  readonly status: WorkflowStatus
  /** Null: it is not done. */
  readonly completedAt: number | null
}

export interface Family {
  /** The workflows that are deleted with it, of those that were asked for. */
  readonly roots: Array<string>
  readonly members: Array<Done>
}

/**
 * Families of which all members are done, and of each other root the status of one that is not. A root that is a member
 * of another family goes with it, so that every workflow is in one family.
 */
export const groupsOf = (
  rows: ReadonlyArray<Member>
): { readonly done: ReadonlyArray<Family>; readonly running: ReadonlyMap<string, WorkflowStatus> } => {
  const byRoot = new Map<string, Array<Member>>()
  for (const row of rows) {
    const members = byRoot.get(row.root)
    if (members === undefined) byRoot.set(row.root, [row])
    else members.push(row)
  }
  const running = new Map<string, WorkflowStatus>()
  const familyOf = new Map<string, Family>()
  const done = new Set<Family>()
  // the largest first: one that contains another comes before it
  for (const [root, members] of [...byRoot].sort(([, a], [, b]) => b.length - a.length)) {
    const active = members.find(({ completedAt, workflowId }) => completedAt === null && workflowId === root)
      ?? members.find(({ completedAt }) => completedAt === null)
    if (active !== undefined) {
      running.set(root, active.status)
      continue
    }
    const within = familyOf.get(root)
    if (within !== undefined) {
      within.roots.push(root)
      continue
    }
    const family: Family = { roots: [root], members: [] }
    done.add(family)
    for (const { completedAt, workflowId } of members) {
      familyOf.set(workflowId, family)
      family.members.push({ workflowId, completedAt: completedAt! })
    }
  }
  return { done: [...done], running }
}

/** Families that fit in one batch together; a larger one is alone. */
export const packed = (families: ReadonlyArray<Family>, limit: number): ReadonlyArray<ReadonlyArray<Family>> => {
  const parts: Array<Array<Family>> = []
  let room = 0
  for (const family of families) {
    if (parts.length === 0 || family.members.length > room) {
      parts.push([])
      room = limit
    }
    parts.at(-1)!.push(family)
    room -= family.members.length
  }
  return parts
}
