/**
 * Hunts for ticks that come at another time than the rule says, twice, or never: around changes of clocks (an hour, half
 * an hour, three hours, a whole day; at midnight), on leap days, where both day fields are restricted.
 *
 * The other calculation shares nothing with the first: it looks at a wall clock (`Intl.DateTimeFormat`) minute by minute,
 * and remembers the latest time that it has shown. `PERDURE_SEED=n` runs one seed,
 * `PERDURE_RULES=n` so many rules at each change.
 */
import { describe, expect, it } from "vitest"
import {
  between,
  lastOf,
  type Missed,
  onTimeMs,
  type Overlap,
  plan,
  type Ticks,
  ticksOf
} from "../src/internal/ticks.ts"
import { generator } from "./replay/memory.ts"

const minute = 60_000
const day = 86_400_000
const seed = Number(process.env["PERDURE_SEED"] ?? Math.floor(Math.random() * 1e9))
const random = generator(seed)
const { pick } = random

// -----------------------------------------------------------------------------
// the other calculation
// -----------------------------------------------------------------------------

interface Field {
  readonly text: string
  readonly values: ReadonlySet<number>
}

interface CronRule {
  readonly text: string
  readonly minute: Field
  readonly hour: Field
  readonly date: Field
  readonly month: Field
  readonly weekday: Field
}

const range = (from: number, to: number, step = 1): ReadonlyArray<number> => {
  const values: Array<number> = []
  for (let value = from; value <= to; value += step) values.push(value)
  return values
}

const field = (min: number, max: number, free: number, names: ReadonlyArray<string> = []): Field => {
  if (random.int(100) < free) return { text: "*", values: new Set(range(min, max)) }
  const part = (): { readonly text: string; readonly values: ReadonlyArray<number> } => {
    const low = min + random.int(max - min + 1)
    const high = low + random.int(max - low + 1)
    const step = 1 + random.int(Math.min(7, max))
    switch (random.int(6)) {
      case 0:
        return { text: `*/${step}`, values: range(min, max, step) }
      case 1:
        return { text: `${low}-${high}`, values: range(low, high) }
      case 2:
        return { text: `${low}-${high}/${step}`, values: range(low, high, step) }
      case 3:
        return names.length > 0
          ? { text: names[low - min]!, values: [low] }
          : { text: `${low}/${step}`, values: range(low, max, step) }
      default:
        return { text: `${low}`, values: [low] }
    }
  }
  const parts = range(0, random.int(3)).map(part)
  return { text: parts.map(({ text }) => text).join(","), values: new Set(parts.flatMap(({ values }) => [...values])) }
}

const months = ["jan", "FEB", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
const weekdays = ["sun", "mon", "Tue", "wed", "thu", "fri", "sat", "sun"]

const cronRule = (): CronRule => {
  const rule = {
    minute: field(0, 59, 20),
    hour: field(0, 23, 40),
    date: field(1, 31, 50),
    month: field(1, 12, 70, months),
    weekday: field(0, 7, 50, weekdays)
  }
  const texts = [rule.minute, rule.hour, rule.date, rule.month, rule.weekday].map(({ text }) => text)
  return { ...rule, text: texts.join(" ") }
}

/** A local minute, counted as if it were UTC. */
const fits = (rule: CronRule, localMinute: number): boolean => {
  const date = new Date(localMinute * minute)
  if (!rule.minute.values.has(date.getUTCMinutes()) || !rule.hour.values.has(date.getUTCHours())) return false
  if (!rule.month.values.has(date.getUTCMonth() + 1)) return false
  const onDate = rule.date.values.has(date.getUTCDate())
  const weekday = date.getUTCDay()
  const onWeekday = rule.weekday.values.has(weekday) || weekday === 0 && rule.weekday.values.has(7)
  // Vixie's rule: either is enough when both are restricted.
  const either = !rule.date.text.startsWith("*") && !rule.weekday.text.startsWith("*")
  return either ? onDate || onWeekday : onDate && onWeekday
}

/** What the wall clock shows at each minute from `from` to `to`, counted as if it were UTC. */
const wallClock = (timeZone: string, from: number, to: number): ReadonlyArray<number> => {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit"
  })
  return range(from, to - 1, minute).map((instant) => {
    // 03/08/2026, 01:59
    const [month, date, year, hour, min] = format.format(instant).match(/\d+/g)!.map(Number)
    return Date.UTC(year!, month! - 1, date, hour, min) / minute
  })
}

const expected = (rule: CronRule, window: Window): ReadonlyArray<number> => {
  const ticks: Array<number> = []
  let latest = window.shown[0]! - 1
  window.shown.forEach((local, index) => {
    let reached = false
    for (; latest < local; latest++) reached ||= fits(rule, latest + 1)
    const instant = window.from + index * minute
    if (reached && instant >= window.counted) ticks.push(instant)
  })
  return ticks
}

interface Window {
  readonly timeZone: string
  readonly from: number
  /** Ticks count from here on: before, the latest time shown is not known yet. */
  readonly counted: number
  readonly to: number
  readonly shown: ReadonlyArray<number>
  /** When the wall clock was set. */
  readonly changes: ReadonlyArray<number>
}

const windowOf = (timeZone: string, start: string, days: number): Window => {
  const counted = Date.parse(`${start}T00:00Z`)
  const from = counted - 2 * day
  const to = counted + days * day
  const shown = wallClock(timeZone, from, to)
  const changes = shown.flatMap((local, index) =>
    index > 0 && local !== shown[index - 1]! + 1 ? [from + index * minute] : []
  )
  return { timeZone, from, counted, to, shown, changes }
}

// -----------------------------------------------------------------------------
// claims
// -----------------------------------------------------------------------------

const changes: ReadonlyArray<readonly [zone: string, start: string]> = [
  ["UTC", "2024-02-27"],
  ["UTC", "2100-02-26"],
  ["America/New_York", "2026-03-06"],
  ["America/New_York", "2026-10-30"],
  ["Europe/Dublin", "2026-03-27"],
  ["Europe/Dublin", "2026-10-23"],
  ["Australia/Lord_Howe", "2026-04-03"],
  ["Australia/Lord_Howe", "2026-10-02"],
  ["America/Santiago", "2026-04-03"],
  ["America/Santiago", "2026-09-04"],
  ["Pacific/Apia", "2011-12-28"],
  ["Pacific/Apia", "2010-09-24"],
  ["Pacific/Kwajalein", "1993-08-19"],
  ["Antarctica/Casey", "2010-03-03"],
  ["America/St_Johns", "2006-10-27"],
  ["Asia/Kathmandu", "2024-12-30"],
  ["Africa/Cairo", "2024-10-29"]
]

const rules = Number(process.env["PERDURE_RULES"] ?? 8)
const most = 300

const iso = (times: ReadonlyArray<number>) => times.map((time) => new Date(time).toISOString())

const compare = (window: Window, rule: CronRule): void => {
  const ticks = ticksOf({ cron: rule.text, timeZone: window.timeZone })
  const wanted = expected(rule, window)
  // Of a dense rule a stretch.
  const start = random.int(Math.max(1, wanted.length - most))
  const stretch = wanted.slice(start, start + most)
  const note = `${rule.text} in ${window.timeZone} from ${new Date(window.counted).toISOString()}, seed ${seed}`
  const from = start === 0 ? window.counted : wanted[start - 1]! + 1
  expect(iso(between(ticks, from, window.to, stretch.length)), note).toEqual(iso(stretch))
  if (wanted.length === 0) {
    expect(between(ticks, window.counted, window.to, 1), note).toEqual([])
    return
  }
  const anywhere = range(1, 5).map(() => window.counted + random.int(window.to - window.counted))
  // After a clock is put back it shows for a while what it has shown before.
  const aroundChanges = window.changes.flatMap((change) =>
    range(1, 5).map(() => change + (random.int(180) - 60) * minute)
  )
  for (const at of [...anywhere, ...aroundChanges]) {
    if (at < window.counted || at >= window.to) continue
    const before = wanted.findLast((tick) => tick <= at)
    if (before !== undefined) expect(ticks.last(at), `last at ${at} of ${note}`).toBe(before)
    const after = wanted.find((tick) => tick > at)
    if (after !== undefined) expect(ticks.next(at), `next after ${at} of ${note}`).toBe(after)
  }
  expect(iso(lastOf(ticks, window.counted, window.to - 1, 50)), note).toEqual(iso(wanted.slice(-50)))
}

describe(`cron, seed ${seed}`, () => {
  for (const [zone, start] of changes) {
    it(`is due when the wall clock of ${zone} first shows the time, from ${start}`, () => {
      const window = windowOf(zone, start, 5)
      for (let n = 0; n < rules; n++) compare(window, cronRule())
    })
  }

  it("is due on the right days of whole years", () => {
    for (
      const window of [windowOf("America/New_York", "2023-12-01", 130), windowOf("Europe/Dublin", "2027-12-30", 370)]
    ) {
      for (let n = 0; n < rules; n++) compare(window, cronRule())
    }
  })
})

describe("what is documented of cron", () => {
  const local = (cron: string, timeZone: string, from: string, count: number) => {
    const ticks = ticksOf({ cron, timeZone })
    return iso(between(ticks, Date.parse(from), Infinity, count))
  }

  it("a time that is left out is due when the clock is put forward", () => {
    expect(local("30 2 * * *", "America/New_York", "2026-03-07T12:00Z", 2)).toEqual([
      "2026-03-08T07:00:00.000Z",
      "2026-03-09T06:30:00.000Z"
    ])
  })

  it("several times that are left out are one tick", () => {
    expect(local("*/15 * * * *", "America/New_York", "2026-03-08T06:45Z", 3)).toEqual([
      "2026-03-08T06:45:00.000Z",
      "2026-03-08T07:00:00.000Z",
      "2026-03-08T07:15:00.000Z"
    ])
  })

  it("a time that is shown twice is due once, the first time", () => {
    expect(local("30 1 * * *", "America/New_York", "2026-10-31T12:00Z", 2)).toEqual([
      "2026-11-01T05:30:00.000Z",
      "2026-11-02T06:30:00.000Z"
    ])
  })

  it("a day that is left out is due at its end", () => {
    expect(local("0 9 * * *", "Pacific/Apia", "2011-12-29T12:00Z", 3)).toEqual([
      "2011-12-29T19:00:00.000Z",
      "2011-12-30T10:00:00.000Z",
      "2011-12-30T19:00:00.000Z"
    ])
  })

  it("29 February is due in leap years, and not in 2100", () => {
    expect(local("0 0 29 2 *", "UTC", "2095-01-01T00:00Z", 2)).toEqual([
      "2096-02-29T00:00:00.000Z",
      "2104-02-29T00:00:00.000Z"
    ])
  })

  it("of a restricted day of the month and a restricted weekday either is enough", () => {
    expect(local("0 0 13 * fri", "UTC", "2026-02-01T00:00Z", 3)).toEqual([
      "2026-02-06T00:00:00.000Z",
      "2026-02-13T00:00:00.000Z",
      "2026-02-20T00:00:00.000Z"
    ])
  })

  it("a sixth field in front is the second", () => {
    expect(local("*/20 30 9 * * *", "UTC", "2026-02-01T00:00Z", 4)).toEqual([
      "2026-02-01T09:30:00.000Z",
      "2026-02-01T09:30:20.000Z",
      "2026-02-01T09:30:40.000Z",
      "2026-02-02T09:30:00.000Z"
    ])
  })
})

describe("interval", () => {
  it("is due at the anchor and at every multiple after it, and never before", () => {
    for (let n = 0; n < 2000; n++) {
      const intervalMs = 1000 + random.int(10 * day)
      const anchorMs = random.int(2_000_000_000_000)
      const ticks = ticksOf({ intervalMs, anchorMs })
      const at = anchorMs + random.int(100 * day) - 10 * day
      const next = ticks.next(at)!
      expect(next > at && (next - anchorMs) % intervalMs === 0 && next >= anchorMs).toBe(true)
      expect(next === anchorMs || next - intervalMs <= at).toBe(true)
      const last = ticks.last(at)
      expect(last).toBe(at < anchorMs ? null : Math.floor((at - anchorMs) / intervalMs) * intervalMs + anchorMs)
    }
  })
})

describe("the plan of a schedule that is due", () => {
  const everyMinute = ticksOf({ cron: "* * * * *", timeZone: "UTC" })
  const start = Date.parse("2026-01-01T00:00Z")
  const of = (missed: Missed, overlap: Overlap, lateMs: number, running = false, ticks: Ticks = everyMinute) =>
    plan(ticks, { missed, overlap }, { nextFireAt: start, now: start + lateMs, running })

  it("fires the tick, and is due at the next one", () => {
    for (const missed of ["skip", "latest", { all: 3 }] as const) {
      expect(of(missed, "allow", 20)).toEqual({ fire: [start], next: start + minute, cancel: false, passed: undefined })
    }
  })

  it("is not due before its time", () => {
    expect(of("latest", "allow", -1)).toEqual({ fire: [], next: start, cancel: false, passed: undefined })
  })

  it("after an outage skips, takes the newest, or as many of the newest as it may, and never fires a tick twice", () => {
    for (let n = 0; n < 100; n++) {
      const lateMs = random.int(3 * 60 * minute)
      const missed = pick<Missed>(["skip", "latest", { all: 1 + random.int(200) }])
      const due = Math.floor(lateMs / minute) + 1
      const { fire, next, passed } = of(missed, "allow", lateMs)
      const newest = start + (due - 1) * minute
      const most = missed === "skip"
        ? lateMs - (newest - start) <= onTimeMs ? 1 : 0
        : missed === "latest"
        ? 1
        : missed.all
      expect(fire).toEqual(range(newest - (Math.min(most, due) - 1) * minute, newest, minute))
      expect(next).toBe(newest + minute)
      expect(passed?.count ?? 0).toBe(due - fire.length)
    }
  })

  it("skips a tick that is more than a minute late, where missed ticks are skipped", () => {
    const daily = ticksOf({ cron: "0 0 * * *", timeZone: "UTC" })
    expect(of("skip", "allow", onTimeMs, false, daily).fire).toEqual([start])
    expect(of("skip", "allow", onTimeMs + 1, false, daily)).toEqual({
      fire: [],
      next: start + day,
      cancel: false,
      passed: { count: 1, why: "missed" }
    })
  })

  it("starts nothing, or cancels, while the latest workflow goes on, where overlapping is not allowed", () => {
    expect(of({ all: 5 }, "skip", 3 * minute, true).fire).toEqual([])
    expect(of({ all: 5 }, "skip", 3 * minute, true).passed).toEqual({ count: 4, why: "overlap" })
    expect(of({ all: 5 }, "skip", 3 * minute, false).fire).toEqual([start + 3 * minute])
    expect(of({ all: 5 }, "cancel", 3 * minute, true)).toMatchObject({ fire: [start + 3 * minute], cancel: true })
    expect(of("latest", "cancel", 0, false)).toMatchObject({ fire: [start], cancel: false })
    expect(of({ all: 5 }, "allow", 3 * minute, true).fire).toHaveLength(4)
  })

  it("is limited after the longest outage", () => {
    const everySecond = ticksOf({ intervalMs: 1000, anchorMs: 0 })
    const { fire } = of({ all: 1000 }, "allow", 3650 * day, false, everySecond)
    expect(fire).toHaveLength(1000)
    expect(fire.at(-1)).toBe(start + 3650 * day)
  })

  it("ends when the rule has no more ticks", () => {
    const ticks = ticksOf({ intervalMs: 1000, anchorMs: 8_640_000_000_000_000 })
    expect(plan(ticks, { missed: "latest", overlap: "allow" }, {
      nextFireAt: 8_640_000_000_000_000,
      now: 8_640_000_000_000_000,
      running: false
    })).toEqual({ fire: [8_640_000_000_000_000], next: null, cancel: false, passed: undefined })
  })
})
