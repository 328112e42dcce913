/**
 * When a schedule is due: pure functions of a rule and of times, all in milliseconds since 1970.
 *
 * A cron rule names local times. Each of them is one instant: the first at which the zone's clock shows that time or a
 * later one. So a time that a clock put back shows twice is due once, the first time; and a time that a clock put
 * forward leaves out is due at the moment of the change, together with what else is due then.
 */
import * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import { LATEST_TIME } from "./names.ts"

/** What is stored of a rule. */
export type Rule =
  | { readonly cron: string; readonly timeZone: string }
  /** Due at `anchorMs` and at every multiple of `intervalMs` after it. */
  | { readonly intervalMs: number; readonly anchorMs: number }

/** What becomes of ticks that passed while nobody looked: none of them, the newest, or so many of the newest. */
export type Missed = "skip" | "latest" | { readonly all: number }

/** What becomes of a tick while the schedule's latest workflow is not done. */
export type Overlap = "allow" | "skip" | "cancel"

/** A rule that can be asked. */
export interface Ticks {
  /** The first tick after `after`; null: there is none. */
  readonly next: (after: number) => number | null
  /** The last tick at or before `at`; null: there is none. */
  readonly last: (at: number) => number | null
}

/** A tick that is found no later than this was not missed. */
export const onTimeMs = 60_000

// -----------------------------------------------------------------------------
// rules
// -----------------------------------------------------------------------------

/** The ticks of a rule. Throws for one that was not checked before, or that this machine's time zones do not know. */
export const ticksOf = (rule: Rule): Ticks =>
  "cron" in rule ? ofCron(rule.cron, zoneOf(rule.timeZone)) : ofInterval(rule.intervalMs, rule.anchorMs)

const zoneOf = (name: string): DateTime.TimeZone => {
  const zone = DateTime.zoneFromString(name)
  if (zone._tag === "Some") return zone.value
  throw new Error(`There is no time zone "${name}" on this machine`)
}

const ofInterval = (intervalMs: number, anchorMs: number): Ticks => {
  const within = (tick: number): number | null => tick > LATEST_TIME ? null : tick
  return {
    next: (after) => within(after < anchorMs ? anchorMs : after + intervalMs - (after - anchorMs) % intervalMs),
    last: (at) => at < anchorMs ? null : at - (at - anchorMs) % intervalMs
  }
}

const ofCron = (expression: string, zone: DateTime.TimeZone): Ticks => {
  // Over local times, as if they were UTC: days have no gaps and no repetitions there.
  const cron = Cron.parseUnsafe(expression, "UTC")
  const local = localTime(zone)
  const found = (search: typeof Cron.next, time: number): number | null => {
    try {
      const match = search(cron, new Date(time)).getTime()
      return Number.isNaN(match) ? null : match
    } catch {
      return null
    }
  }
  const instantOf = (time: number | null): number | null => time === null ? null : local.first(time)
  return {
    next: (after) => instantOf(found(Cron.next, local.shown(after))),
    // One more than a whole millisecond: that one counts too.
    last: (at) => instantOf(found(Cron.prev, local.shown(at) + 1))
  }
}

// -----------------------------------------------------------------------------
// local time
// -----------------------------------------------------------------------------

const hour = 3_600_000

/**
 * - `shown(instant)`: the latest local time that clocks have shown until then.
 * - `first(time)`: the first instant at which they show this local time, or a later one.
 *
 * Offsets are from -12 to +14 hours, and clocks change at most once in 28 hours.
 */
const localTime = (zone: DateTime.TimeZone) => {
  const offsets = offsetsOf(zone)
  return {
    shown: (instant: number): number => {
      const now = instant + offsets.at(instant)
      const changed = offsets.change(instant - 28 * hour, instant)
      return changed === undefined ? now : Math.max(now, changed - 1 + offsets.at(changed - 1))
    },
    first: (time: number): number => {
      const from = time - 15 * hour
      const changed = offsets.change(from, time + 13 * hour)
      const before = time - offsets.at(from)
      return changed === undefined || before < changed ? before : Math.max(changed, time - offsets.at(changed))
    }
  }
}

/** Asking the platform for an offset takes 0.1 ms, so it is asked every so often, and in between where they differ. */
const cellMs = 7 * hour

const offsetsOf = (zone: DateTime.TimeZone) => {
  const edges = new Map<number, number>()
  const changes = new Map<number, number>()
  const ask = (instant: number): number => DateTime.zonedOffset(DateTime.makeZonedUnsafe(instant, { timeZone: zone }))

  const edge = (cell: number): number => {
    const known = edges.get(cell)
    if (known !== undefined) return known
    if (edges.size > 1000) edges.clear()
    const offset = ask(cell * cellMs)
    edges.set(cell, offset)
    return offset
  }

  /** The first instant in the cell of the offset that it ends with; undefined: it begins with it. */
  const changeIn = (cell: number): number | undefined => {
    const before = edge(cell)
    if (before === edge(cell + 1)) return undefined
    const known = changes.get(cell)
    if (known !== undefined) return known
    let low = cell * cellMs
    let high = low + cellMs
    while (high - low > 1) {
      const middle = low + Math.floor((high - low) / 2)
      if (ask(middle) === before) low = middle
      else high = middle
    }
    changes.set(cell, high)
    return high
  }

  return {
    at: (instant: number): number => {
      const cell = Math.floor(instant / cellMs)
      const changed = changeIn(cell)
      return edge(changed === undefined || instant < changed ? cell : cell + 1)
    },
    /** When the offset changes, after `from` and up to `to`. */
    change: (from: number, to: number): number | undefined => {
      for (let cell = Math.floor(from / cellMs); cell * cellMs < to; cell++) {
        const changed = changeIn(cell)
        if (changed !== undefined && changed > from && changed <= to) return changed
      }
      return undefined
    }
  }
}

// -----------------------------------------------------------------------------
// many ticks
// -----------------------------------------------------------------------------

/** The ticks in `[from, to)`, the first `limit` of them. */
export const between = (ticks: Ticks, from: number, to: number, limit: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let tick = ticks.next(from - 1); tick !== null && tick < to && found.length < limit; tick = ticks.next(tick)) {
    found.push(tick)
  }
  return found
}

/** The ticks in `[from, to]`, the last `limit` of them, in order. */
export const lastOf = (ticks: Ticks, from: number, to: number, limit: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let tick = ticks.last(to); tick !== null && tick >= from && found.length < limit; tick = ticks.last(tick - 1)) {
    found.push(tick)
  }
  return found.reverse()
}

// -----------------------------------------------------------------------------
// firing
// -----------------------------------------------------------------------------

/** What to do about a schedule that is due. */
export interface Plan {
  /** The ticks to start a workflow for, in order. */
  readonly fire: ReadonlyArray<number>
  /** When it is due next; null: never again. */
  readonly next: number | null
  /** Whether its latest workflow is to be cancelled first. */
  readonly cancel: boolean
  /** How many ticks are passed over, counted up to {@link countLimit}, and why. */
  readonly passed: { readonly count: number; readonly why: "missed" | "overlap" } | undefined
}

/** So far passed ticks are counted. */
export const countLimit = 1000

/**
 * What to do about a schedule whose next tick was `nextFireAt`, at `now`. `running`: its latest workflow is not done.
 * Unless overlapping is allowed at most one workflow is started.
 */
export const plan = (
  ticks: Ticks,
  policy: { readonly missed: Missed; readonly overlap: Overlap },
  at: { readonly nextFireAt: number; readonly now: number; readonly running: boolean }
): Plan => {
  if (at.nextFireAt > at.now) return { fire: [], next: at.nextFireAt, cancel: false, passed: undefined }
  const next = ticks.next(at.now)
  const due = lastOf(ticks, at.nextFireAt, at.now, countLimit)
  const wanted = caughtUp(due, policy.missed, at.now)
  const kept = policy.overlap === "allow"
    ? wanted
    : policy.overlap === "skip" && at.running
    ? []
    : wanted.slice(-1)
  const count = due.length - kept.length
  return {
    fire: kept,
    next,
    cancel: policy.overlap === "cancel" && at.running && kept.length > 0,
    passed: count === 0 ? undefined : { count, why: kept.length < wanted.length ? "overlap" : "missed" }
  }
}

const caughtUp = (due: ReadonlyArray<number>, missed: Missed, now: number): ReadonlyArray<number> => {
  if (missed === "skip") return due.slice(-1).filter((tick) => now - tick <= onTimeMs)
  return due.slice(missed === "latest" ? -1 : -missed.all)
}
