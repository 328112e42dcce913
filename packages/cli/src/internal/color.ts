/** The few colours of this program, by meaning. */
import type { WorkflowStatus } from "perdure/WorkflowStatus"

export type Color = "dim" | "bold" | "red" | "green" | "yellow" | "blue" | "magenta" | "cyan"

const codes: Record<Color, number> = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36
}

export const paint = (text: string, color: Color | undefined, colors: boolean): string =>
  color === undefined || !colors || text === "" ? text : `\u001b[${codes[color]}m${text}\u001b[0m`

const ofStatus: Record<WorkflowStatus, Color> = {
  ENQUEUED: "blue",
  DELAYED: "blue",
  PENDING: "cyan",
  SUCCESS: "green",
  ERROR: "red",
  CANCELLED: "yellow",
  DEAD_LETTER: "red",
  BLOCKED: "magenta"
}

/** A status, in its colour. */
export const status = (status: WorkflowStatus): { readonly text: string; readonly color: Color } => ({
  text: status,
  color: ofStatus[status]
})
