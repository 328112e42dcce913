/**
 * The clock of one body. It shows the time of the events that the reading fiber has seen: an outcome's recorded time, a
 * timer's due time. So whatever the body reads from it is the same on replay, and a sleep needs no record: its due time
 * follows from recorded ones.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { LATEST_TIME } from "./names.ts"

export interface TimeOfRun {
  readonly scheduler: { readonly time: number }
  readonly sleepUntil: (due: number) => Effect.Effect<void>
}

/** What is due after the last time of all is never due: no store could keep when, and nobody could say it. */
const dueAfter = (time: number, ms: number): number => time + ms > LATEST_TIME ? Infinity : time + ms

export const make = (run: TimeOfRun): Clock.Clock => {
  const millis = () => run.scheduler.time
  const nanos = () => BigInt(Math.trunc(run.scheduler.time)) * 1_000_000n
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) => {
      const ms = Math.ceil(Duration.toMillis(duration))
      return ms <= 0 ? Effect.yieldNow : Effect.suspend(() => run.sleepUntil(dueAfter(run.scheduler.time, ms)))
    }
  }
}
