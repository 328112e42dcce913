/**
 * A workflow on a store in memory, with a clock of its own and answers after a random number of turns: the replay core
 * alone, under a crash anywhere.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as BodyClock from "../../src/internal/bodyClock.ts"
import { nextTurn } from "../../src/internal/bodyScheduler.ts"
import { CurrentInbox, Inbox } from "../../src/internal/inbox.ts"
import { CurrentBranch, CurrentRun, Run } from "../../src/internal/run.ts"
import type { Stopped } from "../../src/internal/runHost.ts"
import type { MessageRow, StepRecord } from "../../src/Store.ts"

/** A small seeded generator (mulberry32): the seed is the whole of a test's randomness. */
export const generator = (seed: number) => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return {
    next,
    int: (n: number) => Math.floor(next() * n),
    pick: <A>(items: ReadonlyArray<A>): A => items[Math.floor(next() * items.length)],
    chance: (p: number) => next() < p
  }
}
export type Generator = ReturnType<typeof generator>

/** Resolves after `n` turns of the event loop. */
export const turns = (n: number): Promise<void> =>
  new Promise((resolve) => {
    const go = (left: number) => left <= 0 ? resolve() : nextTurn(() => go(left - 1))
    go(n)
  })

/** What survives a crash. */
export interface Disk {
  now: number
  records: Array<StepRecord>
  /** In the order of their arrival; `consumedBy` is set by the owner. */
  messages: Array<MessageRow>
  /** The value of each event, as set last. */
  events: Map<string, string>
}

/** The topics that come in by themselves, now and then. */
export const topics = ["x", "y"] as const

export type Ended =
  | { readonly _tag: "Crashed" }
  | { readonly _tag: "Finished"; readonly exit: Exit.Exit<unknown, unknown> }
  | { readonly _tag: "Stopped"; readonly why: Stopped }
  | { readonly _tag: "Refused"; readonly detail: string }
  | { readonly _tag: "Stuck" }

export interface LifeOptions {
  readonly disk: Disk
  readonly random: Generator
  /** Crash at this event (a write asked for, a write made, a step begun); undefined: never. */
  readonly crashAt: number | undefined
  readonly body: Effect.Effect<unknown, unknown>
  /** Called for each event. */
  readonly event?: (what: string) => void
  readonly replayGraceMs?: number
}

/** One life of the workflow's process: from a claim to its end, or to the crash. */
export const live = (
  options: LifeOptions
): Promise<{ readonly ended: Ended; readonly events: number; readonly run: Run }> =>
  new Promise((resolve) => {
    const { disk, random } = options
    let events = 0
    let over = false
    let timer: number | undefined
    let outcome: Exit.Exit<unknown, unknown> | undefined
    const finish = (ended: Ended) => {
      if (over) return
      over = true
      clearTimeout(watchdog)
      resolve({ ended, events, run })
    }
    const watchdog = setTimeout(() => finish({ _tag: "Stuck" }), 60_000)
    const event = (what: string): boolean => {
      if (over) return false
      options.event?.(what)
      if (options.crashAt === events++) {
        finish({ _tag: "Crashed" })
        run.stop({ _tag: "Released" })
        return false
      }
      return true
    }
    /** Somebody outside sends. */
    const comeIn = () => {
      const seq = disk.messages.length + 1
      disk.messages.push({
        seq,
        messageId: `m${seq}`,
        topic: random.pick(topics),
        payload: JSON.stringify(`m${seq}`),
        codec: "json",
        senderId: null,
        sentAt: disk.now,
        consumedBy: null
      })
      if (random.chance(0.7)) inbox.look()
      else inbox.counted(seq, disk.now)
    }
    const inbox: Inbox = new Inbox("w", disk.messages.length, {
      messages: (_, { limit, topic }) =>
        Effect.promise(() => turns(random.int(3))).pipe(
          Effect.map(() =>
            disk.messages.filter((row) => row.topic === topic && row.consumedBy === null).slice(0, limit)
          ),
          Effect.tap(() => Effect.promise(() => turns(random.int(2))))
        ),
      now: () => disk.now,
      fork: (effect) => void Effect.runFork(effect),
      opened: () => {},
      closed: () => {},
      count: () => {
        const asked = disk.now
        void turns(random.int(3)).then(() => over ? undefined : inbox.counted(disk.messages.length, asked))
      }
    })
    const tick = () => {
      if (over) return
      if (random.chance(0.2)) comeIn()
      if (timer !== undefined) {
        disk.now = Math.max(disk.now, random.chance(0.3) ? timer : Math.min(timer, disk.now + 1 + random.int(20)))
        run.kick()
      }
      void turns(1 + random.int(3)).then(tick)
    }
    let writing: Promise<void> = Promise.resolve()
    const run: Run = new Run({
      workflowId: "w",
      epoch: 1,
      phase: "run",
      startedAt: 1000,
      liveAt: disk.now,
      continuations: 0,
      firstStepId: 0,
      maxSteps: Infinity,
      records: disk.records.slice(),
      attempts: [],
      replayGraceMs: options.replayGraceMs ?? 2000,
      host: {
        now: () => disk.now,
        mayStart: () => true,
        outside: (context) =>
          context.pipe(
            Context.add(CurrentRun, undefined),
            Context.add(CurrentBranch, undefined),
            Context.omit(Clock.Clock, Scheduler.Scheduler)
          ) as Context.Context<never>,
        submit: (advance, answered) => {
          if (!event("write")) return
          writing = writing.then(() => turns(random.int(4))).then(() => {
            if (over) return
            disk.now += random.int(3)
            for (const record of advance.records) {
              if (disk.records.some((other) => other.key === record.key || other.seq === record.seq)) {
                return finish({ _tag: "Refused", detail: `recorded twice: ${record.key}` })
              }
              disk.records.push(JSON.parse(JSON.stringify(record)))
            }
            for (const { seq, stepId } of advance.consumes) {
              const row = disk.messages[seq - 1]
              if (row.consumedBy !== null) return finish({ _tag: "Refused", detail: `consumed twice: ${seq}` })
              disk.messages[seq - 1] = { ...row, consumedBy: stepId }
            }
            for (const { key, value } of advance.events) disk.events.set(key, value)
            if (event("written")) answered({ _tag: "Recorded", children: [] })
          })
        },
        renew: () => finish({ _tag: "Refused", detail: "none of these programs continues as new" }),
        wakeAt: (due) => {
          timer = due
        },
        bodyEnded: (exit) => {
          outcome = exit
          run.settle("SUCCESS", null)
        },
        bodyCut: () => {},
        stopped: (why) =>
          finish(
            why._tag === "Done" && outcome !== undefined
              ? { _tag: "Finished", exit: outcome }
              : { _tag: "Stopped", why }
          ),
        refused: (detail) => finish({ _tag: "Refused", detail })
      }
    })
    event("begin")
    if (over) return
    const context = Context.empty().pipe(
      Context.add(Scheduler.Scheduler, run.scheduler),
      Context.add(Clock.Clock, BodyClock.make(run)),
      Context.add(CurrentInbox, inbox)
    ) as Context.Context<never>
    run.begin(Effect.provideService(options.body, Random.Random, Context.get(Context.empty(), Random.Random)), context)
    void turns(1).then(tick)
  })
