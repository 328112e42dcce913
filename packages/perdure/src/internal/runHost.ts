/** What surrounds a run: what it begins with, what takes time for it, and how it leaves memory. */
import type * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type { Advance, Answer, AttemptRecord, Renew, StepRecord } from "../Store.ts"
import type { Fibers } from "./ending.ts"
import type { Write } from "./unsaved.ts"

/** What a run needs from the engine (or from a test). */
export interface RunHost {
  /** The database's clock, as this process knows it. */
  readonly now: () => number
  /** Whether steps may start: the lease is good for a while yet. When that changes, the host calls `kick`. */
  readonly mayStart: () => boolean
  /**
   * Writes, in order; answers in order. `Busy`, lost connections and the like are the host's business. `contested`: goes with
   * nothing else, as {@link Write.contested} says.
   */
  readonly submit: (advance: Advance, answered: (answer: Answer) => void, contested: boolean) => void
  /** Ends this life in the store and begins the next, then stops the run; everything before is durable. */
  readonly renew: (next: Pick<Renew, "payload" | "firstStepId">) => void
  /** The context of the world outside the body: real clock, scheduler and randomness, no run, no branch. */
  readonly outside: (context: Context.Context<never>) => Context.Context<never>
  /** Asks for `kick` when the database's clock reaches this time; replaces what was asked before. */
  readonly wakeAt: (due: number | undefined) => void
  /** The body ended by itself, everything before is submitted. The host decides what that means. */
  // `any`: what the host has made of the body's result.
  readonly bodyEnded: (exit: Exit.Exit<any, unknown>) => void
  /** The recorded part of a workflow in phase `compensate` has been replayed: nothing more of the body is to run. */
  readonly bodyCut: () => void
  /** The run has left the state `running`, for good. `performed`: what it ran for the body, interrupted just now. */
  readonly stopped: (why: Stopped, performed: Fibers) => void
  /** A write was refused for good. */
  readonly refused: (detail: string) => void
}

/** How a run left memory. */
export type Stopped =
  | { readonly _tag: "Done" }
  | { readonly _tag: "Suspended" }
  | { readonly _tag: "Released" }
  | { readonly _tag: "Renewed" }
  | { readonly _tag: "Fenced" }
  | { readonly _tag: "Blocked"; readonly expected: string; readonly actual: string; readonly detail: string }

export interface RunOptions {
  readonly workflowId: string
  readonly epoch: number
  readonly phase: "run" | "compensate"
  /** When the workflow began, database clock: where the body's clock starts. */
  readonly startedAt: number
  /** When it was claimed (or started here), database clock. */
  readonly liveAt: number
  /** How often it has begun anew, and where the ids of its steps begin. */
  readonly continuations: number
  readonly firstStepId: number
  readonly records: ReadonlyArray<StepRecord>
  readonly attempts: ReadonlyArray<AttemptRecord>
  /** Most durable operations that the body may begin. */
  readonly maxSteps: number
  /** How long a replay waits, in real time, for plain asynchronous work before it gives its verdict. Milliseconds. */
  readonly replayGraceMs: number
  readonly host: RunHost
}
