/** The status of a workflow: a word and a colour, never a colour alone. */
import type { WorkflowSummary } from "@perdure/server/AdminApi"

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

const shown: Record<WorkflowStatus, { readonly tone: string; readonly label: string; readonly mark: string }> = {
  BLOCKED: { tone: "warn", label: "Blocked", mark: "■" },
  DEAD_LETTER: { tone: "bad", label: "Dead letter", mark: "✝" },
  ERROR: { tone: "bad", label: "Error", mark: "✕" },
  PENDING: { tone: "live", label: "Pending", mark: "▶" },
  ENQUEUED: { tone: "idle", label: "Enqueued", mark: "≡" },
  DELAYED: { tone: "idle", label: "Delayed", mark: "◷" },
  SUCCESS: { tone: "ok", label: "Success", mark: "✓" },
  CANCELLED: { tone: "idle", label: "Cancelled", mark: "⊘" }
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
    <span aria-hidden="true" className="badge-mark">
      {suspended && status === "PENDING" ? "⏸" : shown[status].mark}
    </span>
    {suspended && status === "PENDING" ? "Waiting" : shown[status].label}
  </span>
)
