/**
 * Events: a body sets one with the record of having done so, a step sets one fenced and without a record; anybody waits
 * for the value, a body as a recorded operation.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { EventAnswer, EventWrite } from "../Store.ts"
import { EngineStopped, EventNeverSet, fromStoreError, WorkflowError, WorkflowNotFound } from "../WorkflowError.ts"
import * as Codec from "./codec.ts"
import type { Core } from "./core.ts"
import { lastLook } from "./lastLook.ts"
import { checkKey, checkTargetId, durationMs } from "./names.ts"
import type { Completed, Operation } from "./operation.ts"
import { completedBy, decoded, failed, foundText, replayed, succeeded, textFound } from "./outcomes.ts"
import * as Paging from "./paging.ts"
import { outside, placed, running } from "./placing.ts"
import { readable } from "./readable.ts"
import { attemptSync } from "./starting.ts"
import { beside } from "./transactions.ts"

// -----------------------------------------------------------------------------
// setting
// -----------------------------------------------------------------------------

/** Sets the event of the workflow that the current fiber belongs to. */
export const set = (
  eventKey: string,
  codec: Codec.ValueCodec<any>,
  value: unknown,
  key: string | undefined
): Effect.Effect<void, WorkflowError> =>
  placed(`setting the event "${eventKey}"`, (place) =>
    Effect.flatMap(
      attemptSync(() => codec.encode(value, `value of event "${eventKey}"`)),
      (text): Effect.Effect<void, WorkflowError> => {
        const write = (stepId: number): EventWrite => ({ key: eventKey, value: text, codec: Codec.CODEC, stepId })
        switch (place._tag) {
          case "Body":
            return place.run.ask(setOperation(eventKey, key, text, write))
          case "Step":
            return Effect.andThen(
              running(place.scope, `setting the event "${eventKey}"`),
              place.scope.call.writeAlong(() => ({ events: [write(place.scope.call.stepId)] }))
            )
          case "Outside":
            return outside(`setting the event "${eventKey}"`, "there is no workflow here", "Set it in the workflow.")
        }
      }
    ))

const setOperation = (
  eventKey: string,
  key: string | undefined,
  text: string,
  write: (stepId: number) => EventWrite
): Operation => ({
  kind: "event",
  name: eventKey,
  identity: key ?? `set ${eventKey}`,
  replay: (record) => replayed(record, () => undefined),
  perform: (call) => Effect.sync(() => succeeded(text, undefined, { events: [write(call.stepId)] }))
})

// -----------------------------------------------------------------------------
// getting
// -----------------------------------------------------------------------------

export interface GetOptions {
  readonly timeout?: Duration.Input | undefined
  readonly key?: string | undefined
}

interface Asked {
  readonly core: Core
  readonly workflowId: string
  readonly eventKey: string
  readonly codec: Codec.ValueCodec<any>
  /** A value that comes in time is an `Option`. */
  readonly limited: boolean
}

/** The event's value, as soon as it has one. */
export const get = (
  core: Core,
  workflowId: string,
  eventKey: string,
  codec: Codec.ValueCodec<any>,
  options: GetOptions
): Effect.Effect<any, WorkflowError> =>
  placed(`getting the event "${eventKey}"`, (place) =>
    Effect.gen(function*() {
      const limited = options.timeout !== undefined
      const ms = yield* attemptSync(() => {
        checkTargetId(workflowId)
        return limited ? durationMs("timeout", options.timeout!) : undefined
      })
      const asked: Asked = { core, workflowId, eventKey, codec, limited }
      if (place._tag !== "Body") return yield* beside(core, whatOf(asked), plainly(asked, ms), "waits")
      const due = ms === undefined ? undefined : place.run.scheduler.time + ms
      return yield* place.run.ask(getOperation(asked, options.key, due))
    }))

const plainly = (asked: Asked, ms: number | undefined): Effect.Effect<any, WorkflowError> =>
  Effect.flatMap(
    ms === undefined ? look(asked) : Effect.raceFirst(look(asked), Effect.andThen(Effect.sleep(ms), last(asked))),
    (answer): Effect.Effect<any, WorkflowError> => {
      if (answer === undefined) {
        return Effect.fail(new WorkflowError({ reason: new EngineStopped({ detail: "its scope was closed" }) }))
      }
      switch (answer._tag) {
        case "Set":
          return Effect.map(decoded(asked.codec, answer.value, whatOf(asked)), wrapOf(asked))
        case "Open":
          return Effect.succeed(Option.none())
        default:
          return Effect.fail(missing(asked, answer._tag))
      }
    }
  )

/** Waits until there is something to tell; `undefined`: the engine has stopped. */
const look = ({ core, eventKey, workflowId }: Asked): Effect.Effect<EventAnswer | undefined> =>
  core.watching.events.awaiting({ workflowId, key: eventKey })

/** What there is when the time is over. */
const last = ({ core, eventKey, workflowId }: Asked): Effect.Effect<EventAnswer, WorkflowError> =>
  Effect.map(
    Effect.mapError(core.store.eventValues([{ workflowId, key: eventKey }]), fromStoreError),
    ([answer]) => answer ?? { _tag: "Open" }
  )

const getOperation = (asked: Asked, key: string | undefined, due: number | undefined): Operation => ({
  kind: "get event",
  name: asked.eventKey,
  identity: key ?? `get ${asked.eventKey} of ${asked.workflowId}`,
  due,
  replay: (record) => replayed(record, (value) => read(asked, value)),
  perform: (call) =>
    Effect.suspend(() => {
      const { eventKey, workflowId } = asked
      call.wait({
        until: due,
        awaiting: { workflowId, on: "event", key: eventKey },
        what: `event "${eventKey}" of "${workflowId}"`,
        mayCome: true
      })
      const answered = Effect.flatMap(look(asked), (answer) =>
        // The engine has stopped: nothing to record, the next owner waits on.
        answer === undefined ? Effect.never : completedOf(asked, answer))
      const late = (due: number) =>
        Effect.flatMap(lastLook(call, due, last(asked)), (answer) => completedOf(asked, answer))
      return due === undefined ? answered : Effect.raceFirst(answered, late(due))
    })
})

const completedOf = (asked: Asked, answer: EventAnswer): Effect.Effect<Completed> => {
  switch (answer._tag) {
    case "Set":
      return completedBy(asked.codec, answer.value, {
        what: whatOf(asked),
        value: foundText(answer.value),
        result: wrapOf(asked)
      })
    case "Open":
      return Effect.succeed(succeeded(foundText(undefined), Option.none()))
    default:
      return Effect.succeed(failed(missing(asked, answer._tag)))
  }
}

const read = (asked: Asked, value: string): unknown => {
  const text = textFound(value)
  if (text !== undefined) return wrapOf(asked)(asked.codec.decode(text))
  if (!asked.limited) throw new Error("it was asked for with a timeout, which the code does not give any more")
  return Option.none()
}

const wrapOf = ({ limited }: Asked) => (value: unknown): unknown => limited ? Option.some(value) : value

const whatOf = ({ eventKey, workflowId }: Asked): string => `event "${eventKey}" of workflow "${workflowId}"`

const missing = ({ eventKey, workflowId }: Asked, why: "Done" | "Unknown"): WorkflowError =>
  new WorkflowError({
    reason: why === "Unknown"
      ? new WorkflowNotFound({ workflowId })
      : new EventNeverSet({ workflowId, key: eventKey })
  })

// -----------------------------------------------------------------------------
// all of a workflow
// -----------------------------------------------------------------------------

/** An event, as stored. */
export interface EventInfo {
  readonly key: string
  /** The encoded value. */
  readonly value: unknown
  /** When it got this value. */
  readonly at: Date
}

/** Which events of a workflow. */
export interface EventOptions {
  /** Only those with a key after this one. Default: from the first. */
  readonly after?: string | undefined
  /** At most so many, from 1. Default: all. */
  readonly limit?: number | undefined
}

const pageOf = ({ after, limit = Paging.all }: EventOptions) => ({
  after: after === undefined ? null : checkKey(after, "after"),
  limit: Paging.checkLimit(limit)
})

export const all = (
  core: Core,
  workflowId: string,
  options: EventOptions
): Effect.Effect<ReadonlyArray<EventInfo>, WorkflowError> =>
  Effect.gen(function*() {
    const page = yield* attemptSync(() => pageOf(options))
    const rows = yield* core.store.events(workflowId, page)
    if (rows.length === 0 && (yield* core.store.get(workflowId)) === null) {
      return yield* Effect.fail(new WorkflowError({ reason: new WorkflowNotFound({ workflowId }) }))
    }
    return rows.map(({ at, key, value }) => ({ key, value: readable(value), at: new Date(at) }))
  }).pipe(Effect.mapError((error) => error._tag === "StoreError" ? fromStoreError(error) : error))
