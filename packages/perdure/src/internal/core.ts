/** What the parts of an engine share. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Hint, StoreService } from "../Store.ts"
import type { DatabaseClock } from "./databaseClock.ts"
import type { Definition } from "./definition.ts"
import type { Journal } from "./journal.ts"
import type { Queues } from "./queues.ts"
import type { Waiters } from "./waiters.ts"
import type { Watching } from "./watching.ts"

/** A workflow that this engine can run: its body and the services that `toLayer` captured. */
export interface Registration {
  readonly definition: Definition
  // `any`: bodies of all types are kept in one registry; the typed side is Workflow.toLayer.
  readonly body: (payload: any) => Effect.Effect<unknown, unknown>
  readonly context: Context.Context<never>
}

export interface EngineSettings {
  readonly executorId: string
  readonly version: string
  readonly leaseMs: number
  readonly heartbeatMs: number
  readonly pollMs: number
  readonly suspendAfterMs: number
  readonly replayGraceMs: number
  readonly shutdownMs: number
  readonly maxRunning: number
  readonly maxSteps: number
  /** Other versions that this code can run. */
  readonly compatible: ReadonlyArray<string>
  /** The queues that this executor serves; null: all. */
  readonly queues: ReadonlyArray<string> | null
}

/** The side of an engine that runs workflows. Absent in one that only talks to the store. */
export interface Executor {
  /** Changes when a lapsed lease is followed by a new one. */
  readonly incarnation: () => string
  readonly registered: (name: string) => Registration | undefined
  /** All that it has the code of. */
  readonly definitions: () => ReadonlyArray<Definition>
  readonly register: (registration: Registration) => Effect.Effect<void, unknown>
  readonly unregister: (name: string) => Effect.Effect<void>
  /** Runs a workflow that has just been started with this incarnation as its owner. */
  readonly began: (begun: Begun) => void
  readonly isRunning: (workflowId: string) => boolean
  /** How many new workflows may be started with this process as their owner. */
  readonly room: () => number
  /** Looks for revoked workflows now. */
  readonly heartbeatNow: () => void
  /** Looks whether something that runs here has been ended from outside. Writes nothing. */
  readonly lookAtRunning: () => void
  readonly claimNow: () => void
  /** A place of the queue is free, in it or in an executor. */
  readonly placeIsFree: (queue: string) => void
}

/** A fresh workflow, as its starter knows it. */
export interface Begun {
  readonly workflowId: string
  readonly name: string
  readonly incarnation: string
  readonly epoch: number
  readonly payload: string
  readonly startedAt: number
  readonly deadlineAt: number | null
  readonly user: string | null
  readonly roles: ReadonlyArray<string>
  readonly assumedRole: string | null
  readonly parentId: string | null
  readonly trace: string | null
}

export interface Core {
  readonly store: StoreService
  readonly clock: DatabaseClock
  readonly journal: Journal
  readonly waiters: Waiters
  readonly watching: Watching
  readonly queues: Queues
  readonly settings: EngineSettings
  readonly executor: Executor | undefined
  /** Its name among those that hear the store's hints. */
  readonly listener: string
  /** Who wants to know of every hint that this process hears. */
  readonly hearers: Set<(hint: Hint) => void>
  /** Looks now for whatever is waited for in this process. */
  readonly pollNow: () => void
  /** Looks for due schedules now, where this process does. */
  readonly schedulesNow: () => void
  /** The context the engine was built in: the live clock, the logger, the tracer. */
  readonly context: Context.Context<never>
  /** Runs an effect in the engine's own scope. */
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
}

/** The engine of the run that the current fiber belongs to. */
export const CurrentCore: Context.Reference<Core | undefined> = Context.Reference("perdure/CurrentCore", {
  defaultValue: (): Core | undefined => undefined
})
