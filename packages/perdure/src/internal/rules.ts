/** What a schedule's rule and policies may be. Refused before anything durable happens, as `InvalidArgument`. */
import * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import { invalid } from "./invalid.ts"
import { checkKey, positiveDurationMs } from "./names.ts"
import { countLimit, type Missed, type Overlap, type Rule } from "./ticks.ts"

/** A rule as a caller gives it: one of the two kinds. */
export interface RuleOptions {
  readonly cron?: string | undefined
  readonly timeZone?: string | undefined
  readonly interval?: Duration.Input | undefined
  readonly anchor?: Date | undefined
}

/** The rule, checked. Throws a `WorkflowError`. */
export const checkRule = (options: RuleOptions): Rule => {
  const { anchor, cron, interval, timeZone } = options
  if ((cron === undefined) === (interval === undefined)) {
    throw invalid("rule of a schedule", cron === undefined ? "there is none" : "there are two", oneOfThem)
  }
  if (cron !== undefined) {
    if (anchor !== undefined) throw invalid("anchor", "it is of an interval, and this rule is a cron", oneOfThem)
    return { cron: checkCron(cron), timeZone: checkTimeZone(timeZone ?? "UTC") }
  }
  if (timeZone !== undefined) throw invalid("timeZone", "it is of a cron, and this rule is an interval", oneOfThem)
  const intervalMs = positiveDurationMs("interval", interval!)
  if (intervalMs < 1000) throw invalid("interval", `it is ${intervalMs} ms`, "Give at least a second.")
  const anchorMs = anchor === undefined ? 0 : anchor.getTime()
  if (Number.isNaN(anchorMs)) throw invalid("anchor", "it is not a valid date", "Give a valid Date.")
  return { intervalMs, anchorMs }
}

const oneOfThem = "Give a cron (with a timeZone, if any), or an interval (with an anchor, if any)."

// -----------------------------------------------------------------------------
// cron
// -----------------------------------------------------------------------------

const fieldNames = ["second", "minute", "hour", "day of the month", "month", "day of the week"]
const example = "Give five fields (minute, hour, day of the month, month, day of the week) or six (a second first), " +
  "such as \"30 9 * * mon-fri\"."

const checkCron = (value: unknown): string => {
  const expression = checkKey(value, "cron")
  const fields = [...expression.matchAll(/\S+/g)]
  if (fields.length < 5 || fields.length > 6) {
    const what = fields.length === 1 && expression.trim().startsWith("@") ? "a name such as @daily" : undefined
    throw invalid("cron", what === undefined ? `it has ${fields.length} fields` : `it is ${what}`, example)
  }
  for (const [index, field] of fields.entries()) {
    const name = fieldNames[index + 6 - fields.length]
    const parsed = Cron.parse(fields.map((_, other) => other === index ? field[0] : "*").join(" "))
    if (parsed._tag === "Success") continue
    const detail = parsed.failure.message.replace(/^E/, "e").replace(/^I/, "i")
    throw invalid("cron", `the ${name} "${field[0]}" at position ${field.index} is refused: ${detail}`, example)
  }
  const normal = fields.map((field) => field[0]).join(" ")
  try {
    Cron.next(Cron.parseUnsafe(normal, "UTC"), new Date(0))
  } catch {
    throw invalid("cron", `no date fits "${normal}"`, "Give a day that at least one of the months has.")
  }
  return normal
}

// An abbreviation is of several zones, and which of them a machine takes differs.
const checkTimeZone = (value: unknown): string => {
  const name = checkKey(value, "timeZone")
  const isFixed = /^[+-](?:0\d|1[0-4]):[0-5]\d$/.test(name)
  const isNamed = name === "UTC" || name.includes("/")
  if ((isFixed || isNamed) && DateTime.zoneFromString(name)._tag === "Some") return name
  throw invalid("timeZone", `"${name}" is not known`, "Give one like \"Europe/Berlin\", or \"UTC\", or \"+02:00\".")
}

// -----------------------------------------------------------------------------
// policies
// -----------------------------------------------------------------------------

/** The policy for missed ticks, checked. Throws a `WorkflowError`. */
export const checkMissed = (missed: Missed): Missed => {
  if (missed === "skip" || missed === "latest") return missed
  const all = typeof missed === "object" && missed !== null ? missed.all : undefined
  if (Number.isInteger(all) && all! >= 1 && all! <= countLimit) return { all: all! }
  throw invalid(
    "missed",
    `it is ${JSON.stringify(missed)}`,
    `Give "skip", "latest" or { all: n }, with n from 1 to ${countLimit}.`
  )
}

/** The policy for overlapping runs, checked. Throws a `WorkflowError`. */
export const checkOverlap = (overlap: Overlap): Overlap => {
  if (overlap === "allow" || overlap === "skip" || overlap === "cancel") return overlap
  throw invalid("overlap", `it is ${JSON.stringify(overlap)}`, "Give \"allow\", \"skip\" or \"cancel\".")
}
