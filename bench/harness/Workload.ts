/** One row, or a few that belong together. One file in `workloads/` is one: its default export. */
import { setTimeout } from "node:timers/promises"
import type { Ability, Driver, Tally } from "./Engine.ts"

/** One number of one round. */
export interface Measurement {
  readonly row: string
  readonly unit: string
  readonly better: "less" | "more"
  readonly value: number
}

/** A process of the engine that is measured. */
export interface Process {
  readonly can: (ability: Ability) => boolean
  /** Runs a part of the workload there. */
  readonly call: <A>(part: string, args?: object) => Promise<A>
  /** `kill -9`. */
  readonly kill: () => Promise<void>
  /** Closes the engine, then the process. */
  readonly end: () => Promise<void>
}

/** What a workload measures one engine with, in one round. */
export interface Lab {
  /** Starts a process and opens the engine there, on this round's backend. */
  readonly start: (options?: {
    readonly executor?: string
    readonly runs?: boolean
    readonly concurrency?: number
    readonly holds?: boolean
  }) => Promise<Process>
  /** So many, or fewer in a short run: `--scale`. */
  readonly count: (full: number) => number
  /** As of the backend; null where the engine is not on PostgreSQL. */
  readonly countStatements: () => Promise<(() => Promise<number>) | null>
}

/** Parts run in the engine's process. They must not outlive it: it may be killed. */
export type Part = (driver: Required<Driver>, args: any) => Promise<unknown>

export interface Workload {
  readonly title: string
  /** What an engine must be able to do to have a place here. */
  readonly needs: ReadonlyArray<Ability>
  readonly parts: Readonly<Record<string, Part>>
  readonly measure: (lab: Lab) => Promise<ReadonlyArray<Measurement>>
}

/** An engine did not do what it was asked to, so what it took does not count. */
export class WorkNotDone extends Error {
  override readonly name = "WorkNotDone"
}

export const expectEqual = (what: string, actual: unknown, expected: unknown): void => {
  if (actual !== expected) throw new WorkNotDone(`${what}: ${String(actual)} instead of ${String(expected)}`)
}

/** What a workflow of so many steps returns: step `i` returns `i`. */
export const sumOf = (steps: number): number => steps * (steps - 1) / 2

export const expectTally = (actual: Tally, expected: { readonly done: number; readonly steps: number }): void => {
  expectEqual("workflows done", actual.done, expected.done)
  if (actual.steps !== null) expectEqual("steps recorded", actual.steps, expected.steps)
}

export const idsOf = (prefix: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

/** Does it for 0 to `count` - 1, so many at a time. */
export const eachOf = async (count: number, atOnce: number, work: (i: number) => Promise<unknown>): Promise<void> => {
  let next = 0
  const lane = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane))
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >>> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Milliseconds on a clock that all processes of the machine share. */
export const machineTime = (): number => Number(process.hrtime.bigint()) / 1e6

/** Collects garbage; once more for what the first time has set free. */
export const collect = async (): Promise<void> => {
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.()
    await setTimeout(10)
  }
}
