/** What runs within an attempt of a step, a transaction or a rollback, as the things that it writes need it. */
import * as Context from "effect/Context"
import type { Supersede } from "../Store.ts"
import type { Call } from "./operation.ts"

/** One attempt. */
export interface AttemptScope {
  readonly call: Call
  /** From 0. */
  readonly attempt: number
  /** Messages sent in it. */
  sends: number
  /** Entries written in it, by stream. */
  readonly entries: Map<string, number>
  /** It has ended: what it left running writes no more. */
  over: boolean
}

/** The attempt that the current fiber belongs to; undefined: none. */
export const CurrentAttempt = Context.Reference<AttemptScope | undefined>("perdure/CurrentAttempt", {
  defaultValue: () => undefined
})

export const makeAttemptScope = (call: Call, attempt: number): AttemptScope => ({
  call,
  attempt,
  sends: 0,
  entries: new Map(),
  over: false
})

/** What an attempt supersedes: those before it, and those of an owner that was lost. */
export const supersededBy = (call: Call, attempt: number): ReadonlyArray<Supersede> =>
  attempt > 0 || call.again ? [{ stepId: call.stepId, attempt }] : []
