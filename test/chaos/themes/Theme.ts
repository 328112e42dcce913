/** One kind of work that goes on while executors die: what runs it, what a client does, and what must hold at the end. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Engine } from "perdure"
import type { SideEffect } from "../../crash/harness/sideEffects.ts"
import type { World } from "../../crash/workflows/World.ts"
import type { Stop, Up } from "../figures.ts"

export type Outside = Engine.Engine | SqlClient

export interface Theme {
  readonly name: string
  /** What the executors run. */
  readonly live: Layer.Layer<never, unknown, Outside | World>
  /** What each executor does besides, as long as it lives. */
  readonly within?: Effect.Effect<never, unknown, Outside | World>
  /** Before there are executors. */
  readonly prepare?: Effect.Effect<unknown, unknown, Outside>
  /** What a client does, again and again, numbered from 0; it succeeds when all that it has started has ended. */
  readonly act: (index: number) => Effect.Effect<unknown, unknown, Outside>
  /** When everything has ended: what is wrong, in words. */
  readonly check: (seen: Seen) => Effect.Effect<ReadonlyArray<string>, unknown, Outside>
  /** And how bad it was: milliseconds, by what they are of. */
  readonly figures?: (seen: Seen) => Effect.Effect<Readonly<Record<string, number>>, unknown, Outside>
  /** Names of workflows that are to be dead-lettered, whatever becomes of others. */
  readonly deadLetters?: ReadonlyArray<string>
}

export interface Seen {
  /** How many there were. */
  readonly acts: number
  readonly sideEffects: ReadonlyArray<SideEffect>
  /** Process ids of executors that were without a lease at some time. */
  readonly lapsed: ReadonlySet<number>
  readonly stops: ReadonlyArray<Stop>
  readonly ups: ReadonlyArray<Up>
}

/** What is wrong with any of them. */
export const ofEach = <A, E, R>(
  items: Iterable<A>,
  check: (item: A) => Effect.Effect<ReadonlyArray<string>, E, R>
): Effect.Effect<ReadonlyArray<string>, E, R> => Effect.map(Effect.forEach(items, check), (wrong) => wrong.flat())
