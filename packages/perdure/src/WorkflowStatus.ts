/**
 * The states of a workflow, as users see them.
 *
 * ```
 *            start (a client)                claim                        settle
 *   ----------------------------> ENQUEUED ---------> PENDING -----------------------------> SUCCESS | ERROR
 *            start (an executor)                      |  ^  |
 *   --------------------------------------------------   |  +-- cancel, deadline ----------> CANCELLED
 *                                                        |  +-- recovery attempts used up -> DEAD_LETTER
 *                        resume (from the three below)   |  +-- code and history disagree -> BLOCKED
 *                                                        +-- CANCELLED, DEAD_LETTER, BLOCKED
 * ```
 *
 * A suspended workflow is `PENDING`. `BLOCKED` is not terminal: deploy code that fits, then resume it.
 */
import * as Schema from "effect/Schema"

/** The states of a workflow. `DELAYED` is an enqueued one whose time has not come. */
export const WorkflowStatus = Schema.Literals([
  "ENQUEUED",
  "DELAYED",
  "PENDING",
  "SUCCESS",
  "ERROR",
  "CANCELLED",
  "DEAD_LETTER",
  "BLOCKED"
])
export type WorkflowStatus = typeof WorkflowStatus.Type

/** Whether it has ended. `BLOCKED` has not. */
export const isTerminal = (status: WorkflowStatus): boolean =>
  status === "SUCCESS" || status === "ERROR" || status === "CANCELLED" || status === "DEAD_LETTER"
