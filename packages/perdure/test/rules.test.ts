/** What a schedule's rule may be, and how a wrong one is refused. */
import { describe, expect, it } from "vitest"
import { checkMissed, checkOverlap, checkRule, type RuleOptions } from "../src/internal/rules.ts"
import { checkScheduleName } from "../src/internal/scheduling.ts"
import type { WorkflowError } from "../src/WorkflowError.ts"
import * as WorkflowSchedule from "../src/WorkflowSchedule.ts"

const refusal = (f: () => unknown): { readonly argument: string; readonly detail: string } => {
  try {
    f()
  } catch (error) {
    const { reason } = error as WorkflowError
    if (reason?._tag === "InvalidArgument") return reason
    throw error
  }
  throw new Error("it was accepted")
}

describe("a rule", () => {
  it.each<[RuleOptions, object]>([
    [{ cron: "30 9 * * mon-fri" }, { cron: "30 9 * * mon-fri", timeZone: "UTC" }],
    [{ cron: "  0  0 29 2 *  ", timeZone: "Europe/Berlin" }, { cron: "0 0 29 2 *", timeZone: "Europe/Berlin" }],
    [{ cron: "*/10 * * * * *", timeZone: "+05:45" }, { cron: "*/10 * * * * *", timeZone: "+05:45" }],
    [{ cron: "0 0 * JAN,jul 7", timeZone: "Etc/GMT+5" }, { cron: "0 0 * JAN,jul 7", timeZone: "Etc/GMT+5" }],
    [{ interval: "90 minutes" }, { intervalMs: 5_400_000, anchorMs: 0 }],
    [{ interval: { days: 100_000 }, anchor: new Date(7) }, { intervalMs: 8_640_000_000_000, anchorMs: 7 }]
  ])("is %j", (options, rule) => {
    expect(checkRule(options)).toEqual(rule)
  })

  it.each([
    ["", /empty/],
    ["* * * *", /4 fields/],
    ["* * * * * * *", /7 fields/],
    ["@reboot", /@daily/],
    ["31 2 *", /3 fields/],
    ["60 * * * *", /minute "60" at position 0/],
    ["*/0 * * * *", /minute "\*\/0" at position 0/],
    ["0 24 * * *", /hour "24" at position 2/],
    ["0 0 L * *", /day of the month "L" at position 4/],
    ["0 0 15W * *", /day of the month "15W" at position 4/],
    ["0 0 * * 5#2", /day of the week "5#2" at position 8/],
    ["0 0 * fri *", /month "fri" at position 6/],
    ["0 0 * * * 8", /day of the week "8" at position 10/],
    ["5-1 * * * *", /minute "5-1"/],
    ["1,,2 * * * *", /minute "1,,2"/],
    ["0x1 * * * *", /minute "0x1"/],
    ["0 0 31 2 *", /no date fits/],
    ["0 0 30,31 2 *", /no date fits/],
    ["0 0 31 4,6,9,11 *", /no date fits/],
    ["* * * * *; DROP TABLE", /7 fields/],
    ["* * * * *\n", /control character/],
    [`${"1,".repeat(200)}1 * * * *`, /bytes long/]
  ])("is refused with the place of what is wrong: %j", (cron, detail) => {
    const reason = refusal(() => checkRule({ cron }))
    expect(reason.argument).toBe("cron")
    expect(reason.detail).toMatch(detail)
  })

  it.each(["Mars/Base", "", "UTC+25", "+25:00", "CEST", "EST", "PST", "Europe/Berlin; DROP", "Local", " UTC"])(
    "is refused in an unknown time zone: %j",
    (timeZone) => {
      expect(refusal(() => checkRule({ cron: "* * * * *", timeZone })).argument).toBe("timeZone")
    }
  )

  it.each<[RuleOptions, string]>([
    [{}, "rule of a schedule"],
    [{ cron: "* * * * *", interval: "1 hour" }, "rule of a schedule"],
    [{ cron: "* * * * *", anchor: new Date(0) }, "anchor"],
    [{ interval: "1 hour", timeZone: "UTC" }, "timeZone"],
    [{ interval: 0 }, "interval"],
    [{ interval: "999 millis" }, "interval"],
    [{ interval: Number.NaN }, "interval"],
    [{ interval: Number.POSITIVE_INFINITY }, "interval"],
    [{ interval: "1 fortnight" as any }, "interval"],
    [{ interval: "1 hour", anchor: new Date(Number.NaN) }, "anchor"]
  ])("is refused: %j", (options, argument) => {
    expect(refusal(() => checkRule(options)).argument).toBe(argument)
  })
})

describe("a schedule", () => {
  it.each(["", "a/b", "x".repeat(257), "a\u0000b", 7 as any])("has no such name: %j", (name) => {
    expect(refusal(() => checkScheduleName(name)).argument).toBe("schedule name")
  })

  it.each([{ all: 0 }, { all: 1001 }, { all: 1.5 }, "none" as any, null as any])(
    "has no such policy for missed ticks: %j",
    (missed) => {
      expect(refusal(() => checkMissed(missed)).argument).toBe("missed")
    }
  )

  it("has no such policy for overlapping", () => {
    expect(refusal(() => checkOverlap("queue" as any)).argument).toBe("overlap")
  })

  it("tells its next ticks, at most a thousand", () => {
    const daily = WorkflowSchedule.make("daily", { workflow: "W", cron: "0 9 * * *", timeZone: "America/New_York" })
    expect(daily.next(new Date("2026-03-07T14:00Z"), 2).map((tick) => tick.toISOString())).toEqual([
      "2026-03-08T13:00:00.000Z",
      "2026-03-09T13:00:00.000Z"
    ])
    for (const count of [0, 1001, 1.5, Number.NaN]) {
      expect(refusal(() => daily.next(new Date(), count)).argument).toBe("count")
    }
    expect(refusal(() => daily.next(new Date(Number.NaN))).argument).toBe("after")
    expect(WorkflowSchedule.next({ interval: "1 hour" }, new Date(0))).toEqual([new Date(3_600_000)])
  })
})
