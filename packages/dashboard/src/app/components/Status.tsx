/** The status of a workflow: a word and a colour, never a colour alone. */
import type { WorkflowSummary } from "@perdure/server/AdminApi"
import { Icon, type IconName } from "./Icon.tsx"

export type WorkflowStatus = WorkflowSummary["status"]

/** In the order in which people want to see them. */
export const statuses: ReadonlyArray<WorkflowStatus> = [
  "BLOCKED",
  "DEAD_LETTER",
  "ERROR",
  "PENDING",
  "ENQUEUED",
  "DELAYED",
  "SUCCESS",
  "CANCELLED"
]

const shown: Record<WorkflowStatus, { readonly tone: string; readonly label: string; readonly mark: IconName }> = {
  BLOCKED: { tone: "warn", label: "Blocked", mark: "stop" },
  DEAD_LETTER: { tone: "bad", label: "Dead letter", mark: "dead" },
  ERROR: { tone: "bad", label: "Error", mark: "cross" },
  PENDING: { tone: "live", label: "Pending", mark: "play" },
  ENQUEUED: { tone: "idle", label: "Enqueued", mark: "lines" },
  DELAYED: { tone: "idle", label: "Delayed", mark: "clock" },
  SUCCESS: { tone: "ok", label: "Success", mark: "check" },
  CANCELLED: { tone: "idle", label: "Cancelled", mark: "ban" }
}

export const labelOf = (status: WorkflowStatus): string => shown[status].label
export const toneOf = (status: WorkflowStatus): string => shown[status].tone

export const isDone = (status: WorkflowStatus): boolean =>
  status === "SUCCESS" || status === "ERROR" || status === "CANCELLED" || status === "DEAD_LETTER"
export const isResumable = (status: WorkflowStatus): boolean =>
  status === "CANCELLED" || status === "DEAD_LETTER" || status === "BLOCKED"

/** A suspended workflow is pending, but nothing of it runs: it says so. */
export const Status = ({ status, suspended = false }: {
  readonly status: WorkflowStatus
  readonly suspended?: boolean
}) => (
  <span className={`badge ${suspended && status === "PENDING" ? "idle" : shown[status].tone}`}>
    <Icon name={suspended && status === "PENDING" ? "pause" : shown[status].mark} size={12} />
    {suspended && status === "PENDING" ? "Waiting" : shown[status].label}
  </span>
)
