/** What the process ends with. Scripts may rely on these numbers. */
import type { StoreError } from "perdure/Store"
import type { Reason } from "perdure/WorkflowError"

/** It was done. */
export const done = 0
/** It was done, and the answer is no: the workflow did not end well, the doctor found something. */
export const negative = 1
/** The command line makes no sense. Nothing was done. */
export const usage = 2
/** What is named does not exist. */
export const notFound = 3
/** The state of things forbids it, or nobody confirmed it. */
export const refused = 4
/** The database cannot be reached or is busy. Try again later. */
export const unavailable = 5
/** A person has to mend something first: a right, a password, the schema. */
export const misconfigured = 6
/** It had not happened when the time was over. */
export const timeout = 7
/** A mistake in this program. */
export const internal = 70
/** Ended by a signal. */
export const interrupted = 130

/** Of a failure of the store. */
export const ofStore = ({ reason }: StoreError): number =>
  reason._tag === "StoreUnavailable" ? unavailable : misconfigured

/** Of what the engine fails with. */
export const ofReason = (reason: Reason): number => {
  switch (reason._tag) {
    case "WorkflowNotFound":
    case "ScheduleNotFound":
      return notFound
    case "QueueRefused":
      return reason.why === "unknown" ? notFound : refused
    case "MessageUndeliverable":
      return reason.why === "unknown" ? notFound : refused
    case "InvalidArgument":
    case "Unencodable":
    case "PayloadTooLarge":
      return usage
    case "WorkflowCancelled":
    case "WorkflowFailed":
    case "WorkflowDeadLettered":
    case "WorkflowBlocked":
    case "EventNeverSet":
      return negative
    case "ResultTimeout":
      return timeout
    case "StoreFailed":
      return reason.retryable ? unavailable : misconfigured
    default:
      return refused
  }
}
