/** What really happened: a file to which each step appends a line, which a kill of the process cannot take back. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs"

export interface SideEffect {
  readonly workflowId: string
  readonly step: string
  readonly pid: number
  /** Of this machine, all processes alike, whatever their own clocks say; milliseconds. */
  readonly at: number
}

/** What {@link SideEffect.at} is by. */
export const now = (): number => Math.round(performance.timeOrigin + performance.now())

/** `sync`: on the disk when it returns, so that the step is as slow as a real one. */
export const append = (file: string, workflowId: string, step: string, sync: boolean): void => {
  const handle = openSync(file, "a")
  try {
    writeSync(handle, `${JSON.stringify({ workflowId, step, pid: process.pid, at: now() })}\n`)
    if (sync) fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** In the order in which they happened. What is being written is none yet: it is not whole. */
export const read = (file: string): ReadonlyArray<SideEffect> =>
  !existsSync(file)
    ? []
    : readFileSync(file, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line) as SideEffect)
