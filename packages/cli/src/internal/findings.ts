/** What a check-up finds, from what was read: pure. Each finding says what is wrong and what to do. */
import type { Explanation } from "perdure/Client"
import type { ExecutorRow, NeedRow, QueueRow, SchemaProblem, Stray } from "perdure/Store"
import { argument } from "./shell.ts"
import { lengthOf } from "./times.ts"

export interface Finding {
  readonly check: Check
  readonly problem: string
  readonly remedy: string
}

export type Check = (typeof checks)[number]

/** In the order in which they are shown. */
export const checks = ["schema", "clock", "executors", "workflows", "queues"] as const

/** So many strays, and so many stopped workflows of a kind, are read: there may be more. */
export const mostRead = 100

/** What was read, at one time as nearly as can be. */
export interface Facts {
  readonly kind: "sqlite" | "postgres"
  readonly schema: ReadonlyArray<SchemaProblem>
  /** How far this machine's clock is ahead of the database's, and how long the question took. */
  readonly clock: { readonly aheadMs: number; readonly askedMs: number }
  /** The database's time. */
  readonly now: number
  readonly executors: ReadonlyArray<ExecutorRow>
  readonly needs: ReadonlyArray<NeedRow>
  readonly strays: ReadonlyArray<Stray>
  readonly blocked: ReadonlyArray<string>
  readonly deadLettered: ReadonlyArray<string>
  /** Queues in which something waits, with what is said of the first. */
  readonly heads: ReadonlyArray<{ readonly queue: Pick<QueueRow, "name">; readonly head: Explanation }>
  /** What could not be read, as the schema is. */
  readonly unread: ReadonlyArray<string>
}

const quote = (text: string): string => JSON.stringify(text)
const count = (n: number, one: string): string => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`
/** Of what is read up to {@link mostRead}. */
const counted = (n: number, one: string): string => n < mostRead ? count(n, one) : `At least ${count(n, one)}`
const some = (ids: ReadonlyArray<string>): string =>
  `${ids.slice(0, 3).map(quote).join(", ")}${ids.length > 3 ? ", ..." : ""}`
const versionOf = (version: string): string => version === "" ? "of no version" : `of version ${quote(version)}`

/** Everything that was found, check by check. */
export const findingsOf = (facts: Facts): ReadonlyArray<Finding> => [
  ...facts.schema.map((problem) => schemaFinding(facts.kind, problem)),
  ...facts.unread.map((what): Finding => ({
    check: "schema",
    problem: `The ${what} could not be read, so nothing is said of them`,
    remedy: "Mend the schema first."
  })),
  ...clockFindings(facts),
  ...leaseFindings(facts),
  ...needFindings(facts),
  ...strayFindings(facts),
  ...stoppedFindings(facts),
  ...headFindings(facts)
]

// -----------------------------------------------------------------------------
// one check each
// -----------------------------------------------------------------------------

const schemaFinding = (kind: Facts["kind"], { detail, object, problem }: SchemaProblem): Finding => {
  const says = `The ${object} is ${problem}: ${detail}`
  switch (problem) {
    case "damaged":
      return { check: "schema", problem: `The file is damaged: ${detail}`, remedy: "Restore it from a backup." }
    case "invalid":
      return {
        check: "schema",
        problem: says,
        remedy: `Run REINDEX INDEX CONCURRENTLY on it, or drop it where it is not Perdure's.`
      }
    default:
      return {
        check: "schema",
        problem: says,
        remedy: `Make it as perdure migrate print --from 0 says${
          kind === "sqlite" ? "" : "; with functions and indexes that needs no pause"
        }.`
      }
  }
}

/** Leases are counted on the database's clock by both sides, so a difference is a nuisance and no danger. */
const clockToleranceMs = 2_000

const clockFindings = ({ clock: { aheadMs, askedMs } }: Facts): ReadonlyArray<Finding> =>
  Math.abs(aheadMs) <= clockToleranceMs + askedMs ? [] : [{
    check: "clock",
    problem: `This machine's clock is ${lengthOf(Math.abs(aheadMs))} ${
      aheadMs > 0 ? "ahead of" : "behind"
    } the database's`,
    remedy: "Set the clocks by NTP; times that are given here are otherwise not what they seem."
  }]

/** A sweep gives them back within seconds. */
const sweepToleranceMs = 60_000

const leaseFindings = ({ executors, now }: Facts): ReadonlyArray<Finding> => {
  const living = executors.filter(({ state }) => state === "alive")
  return executors
    .filter(({ leaseUntil, owned, state }) =>
      state === "lapsed" && owned > 0 && (living.length === 0 || now - leaseUntil > sweepToleranceMs)
    )
    .map(({ executorId, leaseUntil, owned }) => ({
      check: "executors",
      problem: `The executor ${quote(executorId)} died ${lengthOf(now - leaseUntil)} ago and still owns ${
        count(owned, "workflow")
      }`,
      remedy: living.length === 0
        ? "No executor lives: start one, and it takes them over."
        : "Those that live have not taken them over: look for errors in their logs, and at their connections."
    }))
}

const needFindings = ({ executors, needs }: Facts): ReadonlyArray<Finding> => {
  const living = executors.filter(({ state }) => state === "alive")
  return needs
    .filter((need) =>
      !living.some(({ served }) => served.some(({ name, version }) => name === need.name && version === need.version))
    )
    .map((need) => {
      const versions = [
        ...new Set(
          living.flatMap(({ served }) =>
            served.filter(({ name, version }) => name === need.name && version !== "").map(({ version }) => version)
          )
        )
      ]
      return {
        check: "workflows",
        problem: `${count(need.workflows, "workflow")} ${quote(need.name)} ${
          versionOf(need.version)
        } can be run by no living executor (as ${quote(need.workflowId)})`,
        remedy: living.length === 0
          ? "No executor lives: start one."
          : versions.length === 0
          ? "Start an executor that has this name, or cancel them."
          : `Executors have this name in ${
            versions.map(quote).join(", ")
          }: start one of this version or one that calls ` +
            "itself compatible, or fork them to another version."
      } as const
    })
}

const strayWords: Record<Stray["why"], string> = {
  lost: "is not done, and nobody may own it",
  leftover: "is not there any more, but rows of it are",
  asleep: "is suspended, and nothing will wake it",
  missed: "waits for a workflow that is done"
}

const strayFindings = ({ strays }: Facts): ReadonlyArray<Finding> => [
  ...strays.map(({ status, why, workflowId }): Finding => ({
    check: "workflows",
    problem: `The workflow ${quote(workflowId)}${status === null ? "" : ` (${status})`} ${strayWords[why]}`,
    remedy: "Rows were changed by hand, or this is a mistake of Perdure's: export its history, and report it. " +
      (why === "asleep" || why === "missed" ? "Cancel and resume it, and it is due again." : "Restore its rows.")
  })),
  ...strays.length < mostRead ? [] : [
    {
      check: "workflows",
      problem: `There may be more than the ${mostRead} that are named`,
      remedy: "Mend these, and look again."
    } as const
  ]
]

const stoppedFindings = ({ blocked, deadLettered }: Facts): ReadonlyArray<Finding> => [
  ...blocked.length === 0 ? [] : [
    {
      check: "workflows",
      problem: `${counted(blocked.length, "workflow")} blocked: code and history disagree (${some(blocked)})`,
      remedy: "See why with perdure workflow explain, deploy code that fits, then perdure workflow resume."
    } as const
  ],
  ...deadLettered.length === 0 ? [] : [
    {
      check: "workflows",
      problem: `${counted(deadLettered.length, "dead letter")}: their executors died again and again (${
        some(deadLettered)
      })`,
      remedy: "Find out what ends the executors, then perdure workflow resume."
    } as const
  ]
]

const headFindings = ({ heads }: Facts): ReadonlyArray<Finding> =>
  heads.flatMap(({ head, queue }): ReadonlyArray<Finding> => {
    if (head.why._tag === "NoExecutor") {
      return [{
        check: "queues",
        problem: `The head of the queue ${quote(queue.name)}, ${quote(head.workflowId)}, cannot run: ${
          head.text.replace(/\.$/, "")
        }`,
        remedy: "Until then nothing of its partition, or of its code, starts."
      }]
    }
    return head.why._tag === "Queued" && head.why.holds.includes("paused")
      ? [{
        check: "queues",
        problem: `The queue ${quote(queue.name)} is paused, and ${count(head.why.waiting, "workflow")} ${
          head.why.waiting === 1 ? "waits" : "wait"
        } in it`,
        remedy: `If that is not meant: perdure queue resume ${argument(queue.name)}`
      }]
      : []
  })
