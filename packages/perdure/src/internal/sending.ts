/**
 * Sending messages. From a body the messages and their record are one write, so they are sent exactly once. From a step
 * they are sent at least once, under ids that an attempt that is made again gives again. From outside they are sent
 * when the call returns, under the caller's idempotency key or one of their own; as a part of the application's
 * transaction, when that commits.
 */
import * as Effect from "effect/Effect"
import type { Answer, Send } from "../Store.ts"
import * as WorkflowContext from "../WorkflowContext.ts"
import {
  EngineStopped,
  InvalidArgument,
  MessageConflict,
  MessageUndeliverable,
  WorkflowError
} from "../WorkflowError.ts"
import type { AttemptScope } from "./attemptScope.ts"
import { CODEC } from "./codec.ts"
import type { Core } from "./core.ts"
import { STORED_ID_BYTES } from "./names.ts"
import type { Call, Completed, Operation, Slot } from "./operation.ts"
import { failed, replayed, succeeded } from "./outcomes.ts"
import { placed, running } from "./placing.ts"
import { byteLength } from "./text.ts"
import { beside, isPart } from "./transactions.ts"
import { sendWithin } from "./within.ts"

/** A message, checked and encoded. */
export interface Outgoing {
  readonly to: string
  readonly payload: string
  readonly idempotencyKey: string | undefined
}

/** Sends all of the messages, or none. `key`: identity of the operation in its branch. */
export const send = (
  core: Core,
  topic: string,
  messages: ReadonlyArray<Outgoing>,
  key: string | undefined
): Effect.Effect<void, WorkflowError> =>
  messages.length === 0 ? Effect.void : placed(`sending a message of topic "${topic}"`, (place, fiber) => {
    switch (place._tag) {
      case "Body":
        return place.run.ask(sendOperation(topic, messages, key, place.run.workflowId))
      case "Step": {
        if (isPart(fiber.context)) {
          return sendPart(core, topic, messages, fiber.getRef(WorkflowContext.Current)?.workflowId ?? null)
        }
        const senderId = fiber.getRef(WorkflowContext.Current)?.workflowId ?? ""
        return Effect.andThen(
          running(place.scope, `sending a message of topic "${topic}"`),
          sendInStep(topic, messages, place.scope, senderId)
        )
      }
      case "Outside": {
        if (isPart(fiber.context)) return sendPart(core, topic, messages, null)
        return beside(
          core,
          "a message",
          deliver(core, messages.map((message) => sendOf(topic, message, crypto.randomUUID(), null)))
        )
      }
    }
  })

/** As a part of the application's transaction: see `Transaction.within`. */
const sendPart = (
  core: Core,
  topic: string,
  messages: ReadonlyArray<Outgoing>,
  senderId: string | null
): Effect.Effect<void, WorkflowError> => {
  const sends = messages.map((message) => sendOf(topic, message, crypto.randomUUID(), senderId))
  return Effect.flatMap(sendWithin(core, sends), (answers) => {
    const index = answers.findIndex((why) => why !== null)
    return index < 0 ? Effect.void : Effect.fail(refusal({ _tag: "SendRefused", index, why: answers[index]! }, sends))
  })
}

const sendOf = (topic: string, message: Outgoing, messageId: string, senderId: string | null): Send => ({
  to: message.to,
  messageId: message.idempotencyKey ?? messageId,
  topic,
  payload: message.payload,
  codec: CODEC,
  senderId
})

// -----------------------------------------------------------------------------
// in a body
// -----------------------------------------------------------------------------

const sendOperation = (
  topic: string,
  messages: ReadonlyArray<Outgoing>,
  key: string | undefined,
  senderId: string
): Operation => ({
  kind: "send",
  name: topic,
  identity: key ?? `send ${topic}`,
  replay: (record) => replayed(record, () => undefined),
  perform: (call) =>
    Effect.flatMap(call.sharedSlot, (slot) => {
      const sends = messages.map((message) => sendOf(topic, message, crypto.randomUUID(), senderId))
      return Effect.uninterruptible(write(slot, sends))
    })
})

const write = (slot: Slot, sends: ReadonlyArray<Send>): Effect.Effect<Completed> =>
  Effect.gen(function*() {
    const sent = succeeded(JSON.stringify(sends.map(({ messageId, to }) => ({ to, messageId }))), undefined)
    const record = slot.record(sent)
    const answer = yield* slot.write(record, [], sends)
    if (answer._tag !== "SendRefused") {
      slot.release(record)
      return sent
    }
    const refused = failed(refusal(answer, sends))
    const instead = slot.record(refused)
    yield* slot.write(instead, [])
    slot.release(instead)
    return refused
  })

// -----------------------------------------------------------------------------
// in a step, and outside
// -----------------------------------------------------------------------------

/**
 * An attempt that is made again sends the same under the same id, and then it is there once. A workflow that has the id of
 * one that was deleted began at another time: what it sends is another message, where the former's is kept.
 */
const sendInStep = (
  topic: string,
  messages: ReadonlyArray<Outgoing>,
  scope: AttemptScope,
  senderId: string
): Effect.Effect<void, WorkflowError> =>
  Effect.gen(function*() {
    const occurrence = scope.sends++
    const base = yield* shortened(`${senderId}/${scope.call.lifeAt}/${scope.call.stepId}/${occurrence}`)
    const under = (id: string) =>
      sendFenced(
        scope.call,
        messages.map((message, index) => sendOf(topic, message, index === 0 ? id : `${id}.${index}`, senderId))
      )
    yield* Effect.catchIf(
      under(base),
      // An earlier attempt has sent something else here. This is another message, and it must not get lost.
      (error) =>
        error.reason._tag === "MessageConflict" &&
        messages.every(({ idempotencyKey }) => idempotencyKey !== (error.reason as MessageConflict).idempotencyKey),
      () => under(crypto.randomUUID())
    )
  })

/** An id that the store holds, with room for an index; another one for another text. */
const shortened = (text: string): Effect.Effect<string> =>
  byteLength(text) <= STORED_ID_BYTES - 12
    ? Effect.succeed(text)
    : Effect.map(
      Effect.promise(() => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
      (hash) => [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
    )

/** By a step of a run, which sends nothing more once another owns its workflow. */
const sendFenced = (call: Call, sends: ReadonlyArray<Send>): Effect.Effect<void, WorkflowError> =>
  Effect.flatMap(call.send(sends), (answer) =>
    // The run is over, and its step is being interrupted: a finalizer, too, goes on to its end.
    answer._tag === "Fenced" ? Effect.interrupt : resultOf(answer, sends))

const deliver = (core: Core, sends: ReadonlyArray<Send>): Effect.Effect<void, WorkflowError> =>
  Effect.flatMap(
    Effect.callback<Answer>((resume) => {
      core.journal.submit({ _tag: "Deliver", sends }, (answer) => {
        // Here, whether or not the caller still waits.
        if (answer._tag === "Delivered") core.watching.wrote({ workflowId: "", sends, events: [], entries: [] })
        resume(Effect.succeed(answer))
      })
    }),
    (answer) => resultOf(answer, sends)
  )

const resultOf = (answer: Answer, sends: ReadonlyArray<Send>): Effect.Effect<void, WorkflowError> => {
  switch (answer._tag) {
    case "Delivered":
    case "Recorded":
      return Effect.void
    case "SendRefused":
      return Effect.fail(refusal(answer, sends))
    case "Rejected":
      return Effect.fail(
        new WorkflowError({
          reason: new InvalidArgument({
            argument: "message",
            detail: `the database refuses it: ${answer.detail}`,
            remedy: "Give values that it can hold."
          })
        })
      )
    default:
      return Effect.fail(new WorkflowError({ reason: new EngineStopped({ detail: "its scope was closed" }) }))
  }
}

const refusal = (answer: Answer & { readonly _tag: "SendRefused" }, sends: ReadonlyArray<Send>): WorkflowError => {
  const { messageId, to: workflowId, topic } = sends[answer.index]
  return new WorkflowError({
    reason: answer.why === "conflict"
      ? new MessageConflict({ workflowId, topic, idempotencyKey: messageId })
      : new MessageUndeliverable({ workflowId, topic, why: answer.why })
  })
}
