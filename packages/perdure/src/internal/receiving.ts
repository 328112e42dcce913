/**
 * Receiving a message: an operation of the body that waits for the next one of a topic. The record and the consumption
 * are one write. A limit counts from the workflow's time of asking, so it is the same after a crash, and what came in
 * within it is received however long nobody was there to look.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { MessageRow } from "../Store.ts"
import type { WorkflowError } from "../WorkflowError.ts"
import type { ValueCodec } from "./codec.ts"
import { CurrentInbox, type Inbox } from "./inbox.ts"
import { durationMs } from "./names.ts"
import type { Call, Completed, Operation } from "./operation.ts"
import { completedBy, foundText, replayed, succeeded, textFound } from "./outcomes.ts"
import { outside, placed } from "./placing.ts"
import { attemptSync } from "./starting.ts"

export interface ReceiveOptions {
  readonly timeout?: Duration.Input | undefined
  readonly key?: string | undefined
}

/** The next message of the topic; with a limit, an `Option` of it. */
export const receive = (
  topic: string,
  codec: ValueCodec<any>,
  options: ReceiveOptions
): Effect.Effect<any, WorkflowError> =>
  placed(what(topic), (place, fiber) => {
    const inbox = fiber.getRef(CurrentInbox)
    if (place._tag !== "Body" || inbox === undefined) {
      return outside(
        what(topic),
        place._tag === "Step" ? "a step has no inbox" : "there is no workflow here",
        "Receive in the body of a workflow, and pass the value on."
      )
    }
    const { run } = place
    if (options.timeout === undefined) return run.ask(receiveOperation(topic, codec, inbox, options.key, undefined))
    // The time that this fiber knows, as a sleep would count from.
    const asked = run.scheduler.time
    return Effect.flatMap(
      attemptSync(() => durationMs("timeout", options.timeout!)),
      (ms) => run.ask(receiveOperation(topic, codec, inbox, options.key, { due: asked + ms, once: ms === 0 }))
    )
  })

const what = (topic: string) => `receiving a message of topic "${topic}"`

interface Limit {
  readonly due: number
  /** Looks once, and takes whatever is there. */
  readonly once: boolean
}

const receiveOperation = (
  topic: string,
  codec: ValueCodec<any>,
  inbox: Inbox,
  key: string | undefined,
  limit: Limit | undefined
): Operation => {
  const wrap = (value: unknown) => limit === undefined ? value : Option.some(value)
  let handed: MessageRow | undefined
  const receiving = (call: Call): Effect.Effect<MessageRow | undefined> =>
    Effect.callback((resume) => {
      let silence = () => {}
      if (limit !== undefined && !limit.once) silence = call.alarm(limit.due, () => inbox.recount())
      const stop = inbox.receive({
        topic,
        until: latest(call, limit),
        since: call.again ? undefined : call.startedAt,
        due: limit?.once === true ? -Infinity : limit?.due,
        waits: () => {
          if (call.waiting !== undefined) return
          call.wait({ until: limit?.due, awaiting: undefined, what: `message "${topic}"`, mayCome: true })
        },
        tell: (message) => {
          silence()
          handed = message
          resume(Effect.succeed(message))
        }
      })
      return Effect.sync(() => {
        silence()
        stop()
      })
    })
  return {
    kind: "receive",
    name: topic,
    identity: key ?? `receive ${topic}`,
    due: limit?.due,
    replay: (record) => replayed(record, (value) => read(codec, value, limit)),
    perform: (call) =>
      Effect.flatMap(receiving(call), (message): Effect.Effect<Completed> =>
        message === undefined
          ? Effect.succeed(succeeded(foundText(undefined), Option.none()))
          : completedBy(codec, message.payload, {
            what: `message "${message.messageId}" of topic "${topic}"`,
            value: foundText(message.payload),
            result: wrap,
            along: { consumes: [{ seq: message.seq, stepId: call.stepId }] }
          })),
    onAbandoned: () => {
      if (handed !== undefined) inbox.giveBack(handed)
    }
  }
}

/**
 * The latest time of sending. Where an earlier owner may have waited before, the limit itself: what came in later while
 * nobody was there came too late.
 */
const latest = (call: Call, limit: Limit | undefined): number => {
  if (limit === undefined || limit.once) return Infinity
  return call.again ? limit.due : Math.max(limit.due, call.startedAt)
}

const read = (codec: ValueCodec<any>, value: string, limit: Limit | undefined): unknown => {
  const text = textFound(value)
  if (text !== undefined) return limit === undefined ? codec.decode(text) : Option.some(codec.decode(text))
  if (limit === undefined) throw new Error("it was received with a timeout, which the code does not give any more")
  return Option.none()
}
