import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { StoreError, StoreMisconfigured, StoreUnavailable } from "../src/Store.ts"
import * as Errors from "../src/WorkflowError.ts"

const detail = { tag: "TypeError", message: "bug", fields: {} }

/** One of each. */
const reasons: ReadonlyArray<Errors.Reason> = [
  new Errors.WorkflowNotFound({ workflowId: "w" }),
  new Errors.WorkflowConflict({ workflowId: "w", name: "Other", detail: "the input differs" }),
  new Errors.WorkflowCancelled({ workflowId: "w", by: "timeout", detail: "" }),
  new Errors.WorkflowFailed({ workflowId: "w", name: "W", kind: "defect", cause: detail }),
  new Errors.WorkflowDeadLettered({ workflowId: "w", attempts: 3, detail: "" }),
  new Errors.WorkflowBlocked({ workflowId: "w", expected: "step a", actual: "step b", detail: "" }),
  new Errors.WorkflowUnauthorized({ name: "W", user: null, requiredRoles: ["admin"] }),
  new Errors.InvalidArgument({ argument: "timeout", detail: "it is zero", remedy: "Give a positive duration." }),
  new Errors.Unencodable({ what: "result", path: "a", detail: "a function" }),
  new Errors.PayloadTooLarge({ what: "result", sizeBytes: 2, limitBytes: 1 }),
  new Errors.NameRepeated({ name: "a", branch: "", detail: "both in one fiber" }),
  new Errors.ResultTimeout({ workflowId: "w" }),
  new Errors.DuplicateEnqueued({ queue: "q", deduplicationId: "d", workflowId: "w", name: "W", detail: "" }),
  new Errors.ScheduleNotFound({ name: "s" }),
  new Errors.ScheduleExists({ name: "s" }),
  new Errors.QueueRefused({ name: "q", why: "occupied" }),
  new Errors.NotInBody({ operation: "Client.list" }),
  new Errors.TooManySteps({ operation: "step \"a\"", limit: 100_000 }),
  new Errors.NotDeletable({ workflowId: "w", status: "PENDING" }),
  new Errors.NotWaiting({ workflowId: "w", detail: "it has started" }),
  new Errors.OutsideWorkflow({
    operation: "Message.receive",
    detail: "this is a step",
    remedy: "Receive in the body."
  }),
  new Errors.MessageUndeliverable({ workflowId: "w", topic: "t", why: "ended" }),
  new Errors.MessageConflict({ workflowId: "w", topic: "t", idempotencyKey: "k" }),
  new Errors.Undecodable({ what: "message", path: "a", detail: "not a number" }),
  new Errors.EventNeverSet({ workflowId: "w", key: "k" }),
  new Errors.StreamClosed({ key: "k" }),
  new Errors.NotResumable({ workflowId: "w", status: "SUCCESS", detail: "it is done" }),
  new Errors.TransactionMisused({ why: "nested", detail: "a transaction is open" }),
  new Errors.StoreFailed({ detail: "no connection", retryable: true }),
  new Errors.EngineStopped({ detail: "its lease lapsed" }),
  new Errors.AlreadyRegistered({ name: "W" })
]

describe("WorkflowError", () => {
  it("has one reason of each kind in this test", () => {
    expect(new Set(reasons.map((reason) => reason._tag)).size).toBe(Errors.Reason.members.length)
  })

  it.each(reasons.map((reason) => [reason._tag, reason] as const))(
    "says what is wrong, in sentences: %s",
    (_, reason) => {
      const error = new Errors.WorkflowError({ reason })
      expect(error.message).toBe(reason.message)
      expect(error.message).toMatch(/^[A-Z].*/)
      expect(error.message).not.toMatch(/undefined|\[object|\.\.$/)
      expect(error.isRetryable).toBe(["ResultTimeout", "StoreFailed", "EngineStopped"].includes(reason._tag))
      expect(Errors.isWorkflowError(error)).toBe(true)
      expect(Errors.isWorkflowError(reason)).toBe(false)
    }
  )

  it.each(reasons.map((reason) => [reason._tag, reason] as const))(
    "comes back as itself through JSON: %s",
    (_, reason) => {
      const codec = Schema.toCodecJson(Errors.WorkflowError)
      const error = new Errors.WorkflowError({ reason })
      const text = JSON.stringify(Schema.encodeUnknownSync(codec)(error))
      const back = Schema.decodeUnknownSync(codec)(JSON.parse(text))
      expect(back).toBeInstanceOf(Errors.WorkflowError)
      expect(back.reason).toStrictEqual(reason)
      expect(back.message).toBe(error.message)
    }
  )

  it("is caught by its reason", () => {
    const program = Effect.fail(new Errors.WorkflowError({ reason: new Errors.WorkflowNotFound({ workflowId: "w" }) }))
      .pipe(
        Effect.catchReason("WorkflowError", "WorkflowNotFound", (reason) => Effect.succeed(reason.workflowId))
      )
    expect(Effect.runSync(Effect.orDie(program))).toBe("w")
  })

  it("is made of a store's failure, retryable when that may pass", () => {
    const down = new StoreError({ reason: new StoreUnavailable({ message: "no connection" }) })
    const broken = new StoreError({ reason: new StoreMisconfigured({ message: "read-only" }) })
    expect(Errors.fromStoreError(down)).toMatchObject({ isRetryable: true, reason: { detail: "no connection" } })
    expect(Errors.fromStoreError(broken)).toMatchObject({ isRetryable: false, reason: { detail: "read-only" } })
  })
})
