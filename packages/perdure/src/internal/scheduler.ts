/**
 * Starts what schedules say, when they say it. Every executor looks; the store lets one of them move a schedule on and
 * start its workflows, in one commit, so a tick is neither lost nor doubled whatever becomes of whom.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type { DueSchedule, Start, StoreError } from "../Store.ts"
import type { Core } from "./core.ts"
import * as Managing from "./managing.ts"
import * as Metrics from "./metrics.ts"
import { readRow, startOfSchedule, type StoredStart, tickId } from "./scheduling.ts"
import { announce } from "./starting.ts"
import { countLimit, type Plan, plan } from "./ticks.ts"

/** Schedules that are read at once. */
const batch = 100

export class Scheduler {
  private readonly core: Core
  private readonly signal: Queue.Queue<void>
  private timer: ReturnType<typeof setTimeout> | undefined
  /** Those that could not be fired, as they were then: said once. */
  private readonly stuck = new Map<string, string>()

  constructor(core: Core, signal: Queue.Queue<void>) {
    this.core = core
    this.signal = signal
  }

  readonly lookNow = (): void => void Queue.offerUnsafe(this.signal, undefined)

  readonly close: Effect.Effect<void> = Effect.sync(() => clearTimeout(this.timer))

  /** One round: everything that is due as it begins is looked at once, and fired, by this executor or another. */
  readonly fireDue: Effect.Effect<void, StoreError> = Effect.gen({ self: this }, function*() {
    let failed: Exit.Failure<boolean, StoreError> | undefined
    let page = yield* this.core.store.dueSchedules(batch, null)
    const begunAt = page.now
    for (;;) {
      const { due, now } = page
      // One that fails, for whatever reason, holds up no other.
      const exits = yield* Effect.forEach(due, (row) => Effect.exit(this.fire(row, now)))
      failed ??= exits.find(Exit.isFailure)
      if (due.length < batch) break
      const last = due[batch - 1]
      if (last.nextFireAt > begunAt) {
        // More has become due meanwhile: for the next round, which begins with the oldest again.
        this.lookNow()
        break
      }
      // What was fired comes later now. What could not be stays the oldest, so the way to the others leads past it.
      page = yield* this.core.store.dueSchedules(batch, last)
    }
    if (failed !== undefined) return yield* failed
    this.lookAt(page.nextDueAt, page.now)
  })

  /** What is due and was not fired waits for the next poll. */
  private lookAt(nextDueAt: number | null, now: number): void {
    clearTimeout(this.timer)
    if (nextDueAt === null || nextDueAt <= now) return
    this.timer = setTimeout(this.lookNow, Math.min(nextDueAt - now + 1, 86_400_000))
  }

  /** False: it was not this executor that moved it on. */
  private fire(row: DueSchedule, now: number): Effect.Effect<boolean, StoreError> {
    const { nextFireAt } = row
    let read
    try {
      read = readRow(row)
    } catch (error) {
      return this.isStuck(row, `it cannot be read here: ${String(error)}`)
    }
    const { stored } = read
    const planned = plan(read.ticks, stored, { nextFireAt, now, running: row.running })
    const starts = planned.fire.map((tick) => startOfSchedule(this.core, row, stored, tickId(row.name, tick), tick))
    return Effect.gen({ self: this }, function*() {
      if (starts.length > 0 && !(yield* this.hasQueue(stored))) {
        return yield* this.isStuck(row, `its queue "${stored.queue?.queue}" is not there any more`)
      }
      // First: whoever comes after a crash here finds the tick due, and this one cancelled. A tick that is due again, by
      // a change of the rule, starts nothing: its workflow is the one that runs.
      const again = starts.some(({ workflowId }) => workflowId === row.lastWorkflowId)
      if (planned.cancel && !again) yield* this.cancelLatest(row)
      const { next } = planned
      if (!(yield* this.core.store.fire({ name: row.name, expected: nextFireAt, next, starts }))) return false
      this.stuck.delete(row.name)
      yield* Effect.andThen(announce(this.core, starts), tell(row, planned, starts))
      return true
    })
  }

  /** The queue of a schedule that code declares may have been deleted, and is made again. */
  private hasQueue(stored: StoredStart): Effect.Effect<boolean, StoreError> {
    const { limits, queue } = stored
    if (queue === null) return Effect.succeed(true)
    return Effect.flatMap(this.core.store.queues([queue.queue]), (rows) => {
      if (rows.length > 0) return Effect.succeed(true)
      return limits === null
        ? Effect.succeed(false)
        : Effect.as(this.core.store.registerQueue(queue.queue, limits), true)
    })
  }

  /**
   * One that is not there any more need not be, nor one that had the deduplication id and is not of this schedule. While the
   * store cannot, nothing starts beside it: it is due still.
   */
  private cancelLatest({ lastWorkflowId, name }: DueSchedule): Effect.Effect<void, StoreError> {
    if (lastWorkflowId === null) return Effect.void
    const detail = `the schedule "${name}" starts its next workflow`
    return Effect.flatMap(this.core.store.get(lastWorkflowId), (latest) =>
      latest?.scheduleName === name
        ? Effect.asVoid(Managing.cancelStored(this.core, [lastWorkflowId], { detail }))
        : Effect.void)
  }

  /** It stays due: when what is wrong is mended, its policy for missed ticks decides. The others go on. */
  private isStuck(row: DueSchedule, why: string): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const seen = `${row.updatedAt} ${why}`
      if (this.stuck.get(row.name) === seen) return Effect.succeed(false)
      this.stuck.set(row.name, seen)
      return Effect.as(Effect.logError(`The schedule "${row.name}" is due and cannot start anything: ${why}`), false)
    })
  }
}

const tell = (row: DueSchedule, planned: Plan, starts: ReadonlyArray<Start>): Effect.Effect<void> => {
  const counted = starts.length === 0 ? Effect.void : Metrics.count(Metrics.scheduledStarts, starts.length)
  const { passed } = planned
  if (passed === undefined) return counted
  const many = passed.count >= countLimit ? `${countLimit} or more ticks` : `${passed.count} of its ticks`
  const why = passed.why === "missed" ? "they were missed" : "its latest workflow was not done"
  return Effect.andThen(
    counted,
    Effect.logWarning(`The schedule "${row.name}" passed over ${many} (by its policy): ${why}`)
  )
}
