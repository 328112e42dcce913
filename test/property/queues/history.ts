/**
 * What happened to queues, as those know it who did it: nothing but observations, for {@link file://./rules.ts} to judge.
 *
 * Each is a span of a counter, from when it was asked for until it was answered. It took effect in between, nobody knows
 * when; in a history of one caller at a time no two spans overlap, and everything is known.
 */
import * as Effect from "effect/Effect"
import type { QueueLimits } from "perdure/Store"

export interface Span {
  readonly from: number
  readonly to: number
}

/** An observation. Times (`at`, ...) are the database's. */
export type What =
  | { readonly _tag: "Limits"; readonly queue: string; readonly limits: QueueLimits }
  | { readonly _tag: "Paused"; readonly queue: string; readonly paused: boolean }
  | Enqueued
  /** Nothing was enqueued: this workflow has the deduplication id. */
  | { readonly _tag: "Duplicate"; readonly queue: string; readonly deduplicationId: string; readonly holder: string }
  | Claimed
  /** Out of memory; its place in the queue stays. */
  | { readonly _tag: "Suspended"; readonly id: string }
  /** Due again after a suspension. */
  | { readonly _tag: "Awoken"; readonly id: string }
  /** It waits in its old place again: handed back, or its executor was lost. */
  | { readonly _tag: "PutBack"; readonly id: string }
  /** Its executor was lost while it may have been there: where it is now is not known. */
  | { readonly _tag: "Lost"; readonly id: string }
  /** Blocked: it has no place. */
  | { readonly _tag: "Parked"; readonly id: string }
  | { readonly _tag: "Ended"; readonly id: string; readonly how: "settled" | "cancelled" }
  /** An operator resumed it: as if enqueued between these times. */
  | {
    readonly _tag: "Resumed"
    readonly id: string
    readonly was: "cancelled" | "parked"
    readonly after: number
    readonly before: number
  }
  | { readonly _tag: "Priority"; readonly id: string; readonly priority: number }
  /** Somebody tried something, in vain; its row may have been locked meanwhile. */
  | { readonly _tag: "Touched"; readonly id: string }
  /** A write of its owner was refused. */
  | { readonly _tag: "Refused"; readonly id: string }

export interface Enqueued {
  readonly _tag: "Enqueued"
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly partitionKey: string | null
  /** 0: none. */
  readonly priority: number
  readonly deduplicationId: string | null
  /** When the row was made. */
  readonly at: number
  readonly delayMs: number
  /** Its place among those of the same call; -1: not known. */
  readonly index: number
}

export interface Claimed {
  readonly _tag: "Claimed"
  readonly executor: string
  /** The names that it serves. */
  readonly names: ReadonlyArray<string>
  readonly limit: number
  /** When it took, at the earliest and at the latest. */
  readonly at: number
  readonly until: number
  readonly took: ReadonlyArray<string>
  readonly nextDueAt: number | null
  readonly contended: boolean
  /** Where a claim itself is not seen, only that it was made before: since when it may have been made. */
  readonly since?: number
}

export type Fact = What & Span

export class History {
  /** In the order of the answers. */
  readonly facts: Array<Fact> = []
  private ticks = 0

  readonly tick = (): number => ++this.ticks

  /** Makes a call, and notes what it comes to. */
  readonly call = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    told: (answer: A) => ReadonlyArray<What> | Effect.Effect<ReadonlyArray<What>, unknown, never>
  ): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const from = ++this.ticks
      return Effect.tap(effect, (answer) => {
        const to = ++this.ticks
        const note = (whats: ReadonlyArray<What>) =>
          void this.facts.push(...whats.map((what) => ({ ...what, from, to })))
        const whats = told(answer)
        return Effect.isEffect(whats) ? Effect.map(Effect.orDie(whats), note) : Effect.sync(() => note(whats))
      })
    })
}
