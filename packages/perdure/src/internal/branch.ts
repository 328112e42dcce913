/**
 * The identity of durable operations: branch, name and, for a name that repeats, its occurrence. It never depends on
 * which of two fibers came first.
 *
 * A branch belongs to the fiber that entered it. In that fiber names may repeat (a loop): the fiber's own order counts
 * them. Any other fiber that runs with the branch in its context (a plain fork, a race, `Effect.all`) has no order
 * against the rest, so there a name must be unique in the branch, and a second use is refused on the first run,
 * whatever the timing.
 */
import type * as Fiber from "effect/Fiber"
import { NameRepeated, WorkflowError } from "../WorkflowError.ts"

export interface Branch {
  /** Prefix of every key in it; empty for the body. */
  readonly path: string
  readonly owner: Fiber.Fiber<unknown, unknown>
  /** Names used by the owner, with how often. */
  readonly own: Map<string, number>
  /** Names used by other fibers. */
  readonly foreign: Set<string>
}

export const make = (path: string, owner: Fiber.Fiber<any, any>): Branch => ({
  path,
  owner,
  own: new Map(),
  foreign: new Set()
})

const escape = (name: string): string => /[%/#~]/.test(name) ? percent(name) : name
const percent = (name: string): string =>
  name.replace(/[%/#~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

const keyAt = (path: string, name: string, occurrence: number): string =>
  occurrence === 0 ? path + escape(name) : `${path}${escape(name)}#${occurrence}`

export type Named =
  | { readonly _tag: "Key"; readonly key: string; readonly formerKey: string | undefined }
  | { readonly _tag: "Repeated" }

/** Takes the next key of `name` in the branch. */
export const take = (
  branch: Branch,
  fiber: Fiber.Fiber<any, any>,
  name: string,
  renamed: string | undefined
): Named => {
  let occurrence = 0
  if (fiber === branch.owner) {
    if (branch.foreign.has(name)) return { _tag: "Repeated" }
    occurrence = branch.own.get(name) ?? 0
    branch.own.set(name, occurrence + 1)
  } else {
    if (branch.foreign.has(name) || branch.own.has(name)) return { _tag: "Repeated" }
    branch.foreign.add(name)
  }
  return {
    _tag: "Key",
    key: keyAt(branch.path, name, occurrence),
    formerKey: renamed === undefined ? undefined : keyAt(branch.path, renamed, occurrence)
  }
}

/** The path of a labelled branch below the operation `key`. */
export const pathOf = (key: string, label: string | number): string => `${key}/${escape(String(label))}/`

/** What the path of a key is made of, for people. */
export const branchOf = (key: string): ReadonlyArray<string> => key.split("/").slice(0, -1).map(unescape)

const unescape = (segment: string): string =>
  segment.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

/**
 * A name is used twice where it must be unique. A defect: which of the two comes second is a matter of timing, so that
 * nobody may go on from there.
 */
export const repeated = (name: string, branch: string): WorkflowError =>
  new WorkflowError({
    reason: new NameRepeated({ name, branch, detail: "forked fibers use it, whose order is not known" })
  })
