/** What really happened: a file to which each step appends a line, on the disk before the step goes on. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs"

export interface SideEffect {
  readonly workflowId: string
  readonly step: string
  readonly pid: number
  /** Of this machine, all processes alike, milliseconds. */
  readonly at: number
}

export const append = (file: string, workflowId: string, step: string): void => {
  const handle = openSync(file, "a")
  try {
    writeSync(handle, `${JSON.stringify({ workflowId, step, pid: process.pid, at: Date.now() })}\n`)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** In the order in which they happened. */
export const read = (file: string): ReadonlyArray<SideEffect> =>
  !existsSync(file)
    ? []
    : readFileSync(file, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as SideEffect)
