/** The rows of a timeline: recorded steps, and what goes on now. Pure. */
import type { Explanation, StepInfo, WorkflowDetail } from "@perdure/server/AdminApi"
import type { Span } from "./timeline.ts"

export type Tone = "step" | "wait" | "child" | "undo" | "failed" | "told" | "now"

export interface TimelineRow extends Span {
  readonly key: string
  /** Undefined: it goes on, or is waited for, and is not recorded yet. */
  readonly step: StepInfo | undefined
  readonly name: string
  readonly branch: ReadonlyArray<string>
  readonly tone: Tone
  /** It has no end yet. */
  readonly open: boolean
  /** Each from when an attempt failed until the next was due, within the row. */
  readonly pauses: ReadonlyArray<Span>
}

const tones: Record<StepInfo["kind"], Tone> = {
  step: "step",
  transaction: "step",
  child: "child",
  result: "wait",
  race: "wait",
  patch: "told",
  now: "told",
  uuid: "told",
  rollback: "undo",
  send: "told",
  receive: "wait",
  event: "told",
  "get event": "wait",
  stream: "told",
  "read stream": "wait"
}

/** Which kinds of steps are shown together under one colour; for the legend. */
export const legend: ReadonlyArray<readonly [Tone, string]> = [
  ["step", "step, transaction"],
  ["wait", "wait"],
  ["child", "child"],
  ["told", "send, event, stream"],
  ["undo", "rollback"],
  ["failed", "failed"],
  ["now", "now"]
]

/** What branches are called where nobody gave them a name: it says nothing that the bars do not show. */
const structural: ReadonlySet<string> = new Set(["all", "forEach", "race", "select", "timeout", "~rollback"])

/** Of a step that is to be tried again the last pause goes on until now, whenever the next attempt is due. */
const pausesOf = ({ failedAttempts }: StepInfo, end: number): ReadonlyArray<Span> =>
  failedAttempts.map(({ at, retryAt }) => ({
    start: Math.min(at.getTime(), end),
    end: Math.min(retryAt.getTime(), end)
  }))

const rowOf = (step: StepInfo, now: number): TimelineRow => ({
  key: `step ${step.stepId}`,
  step,
  name: step.name,
  branch: step.branch.filter((label) => !structural.has(label)),
  tone: step.outcome === "failure" ? "failed" : tones[step.kind],
  start: step.startedAt.getTime(),
  end: step.completedAt?.getTime() ?? now,
  open: step.completedAt === undefined,
  pauses: pausesOf(step, step.completedAt?.getTime() ?? now)
})

/**
 * A wait is recorded when it is over; it began when its branch had nothing else to do. A child lasts until its result is
 * there.
 */
const waited = (rows: ReadonlyArray<TimelineRow>, begin: number): ReadonlyArray<TimelineRow> => {
  const resting = new Map<string, number>()
  const results = new Map<string, number>()
  for (const { end, step } of rows) {
    if (step?.kind === "result" && step.childId !== undefined) results.set(step.childId, end)
  }
  return rows.map((row) => {
    const { step } = row
    if (step === undefined) return row
    const branch = step.branch.join("/")
    const since = restingSince(resting, step.branch) ?? begin
    resting.set(branch, Math.max(row.end, since))
    if (row.tone === "wait") return { ...row, start: Math.min(row.start, since) }
    if (step.kind === "child" && step.childId !== undefined) {
      return { ...row, end: Math.max(row.end, results.get(step.childId) ?? row.end) }
    }
    return row
  })
}

/** When the last thing before ended, in this branch or in those around it. */
const restingSince = (resting: ReadonlyMap<string, number>, branch: ReadonlyArray<string>): number | undefined => {
  for (let depth = branch.length; depth >= 0; depth--) {
    const since = resting.get(branch.slice(0, depth).join("/"))
    if (since !== undefined) return since
  }
  return undefined
}

/** In the order of calls; at the end what goes on now, as far as that is known. */
export const rowsOf = (
  steps: ReadonlyArray<StepInfo>,
  info: WorkflowDetail,
  why: Explanation["why"] | undefined,
  now: number
): ReadonlyArray<TimelineRow> => {
  const rows = waited(steps.map((step) => rowOf(step, now)), (info.startedAt ?? info.createdAt).getTime())
  if (why === undefined || info.completedAt !== undefined) return rows
  let last = (info.startedAt ?? info.createdAt).getTime()
  for (const row of rows) if (!row.open) last = Math.max(last, row.end)
  const ongoing = (key: string, name: string): TimelineRow => ({
    key,
    step: undefined,
    name,
    branch: [],
    tone: "now",
    start: Math.min(last, now),
    end: now,
    open: true,
    pauses: []
  })
  if (why._tag === "Suspended") {
    const waits = info.waits.length === 0 ? [{ what: "the time" }] : info.waits
    return [...rows, ...waits.map(({ what }, index) => ongoing(`wait ${index}`, `waits for ${what}`))]
  }
  if (why._tag === "Running" && !rows.some((row) => row.open)) return [...rows, ongoing("running", "running")]
  return rows
}
