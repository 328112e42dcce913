/** What went wrong, as the problem that a request is answered with. Pure. */
import type { WorkflowError } from "perdure/WorkflowError"
import {
  Conflict,
  Failed,
  Forbidden,
  InvalidRequest,
  NotFound,
  type Problem,
  TooLarge,
  TooMany,
  Unauthenticated,
  Unavailable
} from "../api/problems.ts"

const quote = (text: string): string => JSON.stringify(text)

/** For a request that makes no sense before anything else is asked. */
export const invalid = (reason: string, problem: string, detail: string, remedy: string): InvalidRequest =>
  new InvalidRequest({ reason, problem, detail, remedy })

export const unauthenticated = (detail: string, remedy: string): Unauthenticated =>
  new Unauthenticated({ reason: "Unauthenticated", problem: "It is not known who asks", detail, remedy })

export const forbidden = (reason: string, problem: string, detail: string, remedy: string): Forbidden =>
  new Forbidden({ reason, problem, detail, remedy })

export const noSuchPath = (method: string): NotFound =>
  new NotFound({
    reason: "NoSuchPath",
    problem: "There is nothing here",
    detail: `the admin API answers no ${method} under this path`,
    remedy: "Check the path and the method; the OpenAPI document lists them."
  })

export const tooLarge = (detail: string): TooLarge =>
  new TooLarge({
    reason: "BodyTooLarge",
    problem: "The request is too large",
    detail,
    remedy: "Send less, or raise the limit of the server."
  })

export const tooMany = (detail: string): TooMany =>
  new TooMany({
    reason: "TooMany",
    problem: "This server is busy",
    detail,
    remedy: "Try again later, close what is not needed, or raise the limit of the server."
  })

export const tooSlow = (detail: string): Unavailable =>
  new Unavailable({
    reason: "Timeout",
    problem: "The answer takes too long",
    detail,
    remedy:
      "Ask for less (a narrower filter), or try again later. Whether an act was done is unknown; it may be repeated."
  })

/** What is not the caller's business stays in the log. */
export const failed: Failed = new Failed({
  reason: "Internal",
  problem: "The server failed",
  detail: "it met something that it did not expect",
  remedy: "Its log says what."
})

/** The problem that a `WorkflowError` is. */
export const problemOf = ({ message, reason }: WorkflowError): Problem => {
  const tag = reason._tag
  switch (tag) {
    case "WorkflowNotFound":
      return new NotFound({
        reason: tag,
        problem: "There is no such workflow",
        detail: `none has the id ${quote(reason.workflowId)}`,
        remedy: "Check the id; it may have been deleted."
      })
    case "ScheduleNotFound":
      return new NotFound({
        reason: tag,
        problem: "There is no such schedule",
        detail: `none has the name ${quote(reason.name)}`,
        remedy: "Check the name; it may have been deleted."
      })
    case "ScheduleExists":
      return new Conflict({
        reason: tag,
        problem: "The name of the schedule is taken",
        detail: `there is one named ${quote(reason.name)} already`,
        remedy: "Choose another name, or delete that one first."
      })
    case "QueueRefused":
      return reason.why === "unknown"
        ? new NotFound({
          reason: tag,
          problem: "There is no such queue",
          detail: `none has the name ${quote(reason.name)}`,
          remedy: "Check the name; it may have been deleted."
        })
        : new Conflict({
          reason: tag,
          problem: "The queue is not empty",
          detail: `something waits or runs in ${quote(reason.name)}`,
          remedy: "Let its workflows end, or cancel them."
        })
    case "WorkflowConflict":
      return new Conflict({
        reason: tag,
        problem: "The workflow id is taken",
        detail: `${quote(reason.workflowId)} is another start of ${quote(reason.name)}: ${reason.detail}`,
        remedy: "Use an id of its own for each input."
      })
    case "DuplicateEnqueued":
      return new Conflict({
        reason: tag,
        problem: "The deduplication id is taken",
        detail: `${quote(reason.workflowId)} has ${quote(reason.deduplicationId)} in the queue ${quote(reason.queue)}`,
        remedy: "Wait until that workflow has ended, or use another id."
      })
    case "MessageUndeliverable":
      return reason.why === "unknown"
        ? new NotFound({
          reason: tag,
          problem: "There is no such workflow",
          detail: `the message of topic ${quote(reason.topic)} is for ${
            quote(reason.workflowId)
          }, which does not exist`,
          remedy: "Check the id, and start the workflow before sending to it."
        })
        : new Conflict({
          reason: tag,
          problem: "The workflow receives nothing more",
          detail: `${quote(reason.workflowId)} has ended, or only its rollbacks are left`,
          remedy: "Look at it again; fork it, or start another, and send to that one."
        })
    case "MessageConflict":
      return new Conflict({
        reason: tag,
        problem: "The key of the message is taken",
        detail: `${quote(reason.workflowId)} has another message with the key ${quote(reason.idempotencyKey)}`,
        remedy: "Use a key of its own for each message; the same message under its key is there once."
      })
    case "NotResumable":
      return new Conflict({
        reason: tag,
        problem: "The workflow cannot be resumed",
        detail: `${quote(reason.workflowId)} is ${reason.status}: ${reason.detail}`,
        remedy: "Look at it again; fork it where it cannot go on."
      })
    case "NotDeletable":
      return new Conflict({
        reason: tag,
        problem: "The workflow is not done",
        detail: `${quote(reason.workflowId)} or one of its family is ${reason.status}`,
        remedy: "Cancel it first, and wait until its rollbacks have run."
      })
    case "InvalidArgument":
      return invalid(tag, `Invalid ${reason.argument}`, reason.detail, reason.remedy)
    case "Unencodable":
      return invalid(
        tag,
        `The ${reason.what} cannot be stored`,
        reason.path === "" ? reason.detail : `at ${reason.path}: ${reason.detail}`,
        "Give values that can be."
      )
    case "PayloadTooLarge":
      return new TooLarge({
        reason: tag,
        problem: `The ${reason.what} is too large`,
        detail: `it is ${reason.sizeBytes} bytes or more, the limit is ${reason.limitBytes}`,
        remedy: "Keep large data elsewhere and store a reference to it."
      })
    case "WorkflowUnauthorized":
      return forbidden(
        tag,
        "The workflow asks for a role",
        `${quote(reason.name)} may be started by: ${reason.requiredRoles.join(", ")}`,
        "Ask somebody who has one of them."
      )
    case "StoreFailed":
      return new Unavailable({
        reason: tag,
        problem: "The store failed",
        // What the database says may name hosts and users.
        detail: reason.retryable ? "it cannot be reached, or is overloaded" : "it needs a person",
        remedy: "Try again later; the server's log says more."
      })
    case "EngineStopped":
      return new Unavailable({
        reason: tag,
        problem: "The engine has stopped",
        detail: reason.detail,
        remedy: "Try again later."
      })
    default:
      return new Failed({
        reason: tag,
        problem: "It could not be done",
        detail: message,
        remedy: "The server's log says more."
      })
  }
}
