/**
 * Streams: a body writes an entry with the record of having done so, a step writes fenced and without a record. Of the
 * attempts of a step one counts: the recorded one, and until then the one that wrote last. Anybody reads from an offset, a
 * body chunk by recorded chunk.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { StreamAnswer, StreamEntry } from "../Store.ts"
import { EngineStopped, InvalidArgument, StreamClosed, WorkflowError, WorkflowNotFound } from "../WorkflowError.ts"
import { type AttemptScope, supersededBy } from "./attemptScope.ts"
import * as Codec from "./codec.ts"
import type { Core } from "./core.ts"
import { checkTargetId } from "./names.ts"
import type { Completed, Operation } from "./operation.ts"
import { decoded, failed, replayed, succeeded } from "./outcomes.ts"
import { CurrentStreams, type OwnStreams } from "./ownStreams.ts"
import { outside, placed, running } from "./placing.ts"
import { attemptSync } from "./starting.ts"
import { beside } from "./transactions.ts"

// -----------------------------------------------------------------------------
// writing
// -----------------------------------------------------------------------------

/** Appends to the stream of the workflow that the current fiber belongs to; `text` null: closes it. */
export const write = (
  streamKey: string,
  encode: () => string | null,
  key: string | undefined
): Effect.Effect<void, WorkflowError> =>
  placed(`writing to the stream "${streamKey}"`, (place, fiber) => {
    const own = fiber.getRef(CurrentStreams)
    if (place._tag === "Outside" || own === undefined) return nowhere(streamKey)
    return Effect.flatMap(attemptSync(encode), (text) =>
      place._tag === "Body"
        ? place.run.ask(writeOperation(own, streamKey, text, key))
        : writeInStep(own, streamKey, text, place.scope))
  })

const nowhere = (streamKey: string) =>
  outside(`writing to the stream "${streamKey}"`, "there is no workflow here", "Write to it in the workflow.")

const closedError = (key: string): WorkflowError => new WorkflowError({ reason: new StreamClosed({ key }) })

const writeOperation = (
  own: OwnStreams,
  streamKey: string,
  text: string | null,
  key: string | undefined
): Operation => {
  let closing = false
  return {
    kind: "stream",
    name: streamKey,
    identity: key ?? `${text === null ? "close" : "write"} ${streamKey}`,
    replay: (record) => replayed(record, () => undefined),
    perform: (call) =>
      Effect.map(own.closerOf(streamKey), (closer): Completed => {
        if (closer !== undefined) {
          return text === null ? succeeded("null", undefined) : failed(closedError(streamKey))
        }
        if (text === null) {
          own.close(streamKey, call.stepId, null)
          closing = true
        }
        const entry = { key: streamKey, value: text, codec: Codec.CODEC, stepId: call.stepId, attempt: null, index: 0 }
        return succeeded(text ?? "null", undefined, { entries: [entry] })
      }),
    // It lost a race after all.
    onAbandoned: () => {
      if (closing) own.reopen(streamKey)
    }
  }
}

const writeInStep = (
  own: OwnStreams,
  streamKey: string,
  text: string | null,
  scope: AttemptScope
): Effect.Effect<void, WorkflowError> =>
  Effect.gen(function*() {
    yield* running(scope, `writing to the stream "${streamKey}"`)
    const { attempt, call, entries } = scope
    const supersedes = entries.size === 0 ? supersededBy(call, attempt) : []
    const closer = yield* own.closerOf(streamKey, supersedes)
    if (closer !== undefined) return yield* (text === null ? Effect.void : Effect.fail(closedError(streamKey)))
    if (text === null) own.close(streamKey, call.stepId, attempt)
    yield* call.writeAlong(() => {
      const index = entries.get(streamKey) ?? 0
      entries.set(streamKey, index + 1)
      const entry = { key: streamKey, value: text, codec: Codec.CODEC, stepId: call.stepId, attempt, index }
      return { entries: [entry], supersedes }
    })
  })

// -----------------------------------------------------------------------------
// reading
// -----------------------------------------------------------------------------

export interface ReadOptions {
  readonly from?: number | undefined
  readonly superseded?: boolean | undefined
  readonly key?: string | undefined
}

interface Chunk {
  readonly entries: ReadonlyArray<StreamEntry>
  /** Nothing follows. */
  readonly ended: boolean
}

/** Entries of one look. */
const chunkEntries = 100
/** Characters of one recorded chunk, unless a single entry has more. */
const chunkLength = 1_000_000

/** The entries, gapless, until the stream is closed or its writer is done. */
export const read = (
  core: Core,
  workflowId: string,
  streamKey: string,
  codec: Codec.ValueCodec<any>,
  options: ReadOptions
): Stream.Stream<any, WorkflowError> =>
  Stream.unwrap(Effect.map(
    attemptSync(() => {
      checkTargetId(workflowId)
      return offset(options.from ?? 0)
    }),
    (from) =>
      Stream.paginate(from, (at) =>
        Effect.gen(function*() {
          const chunk = yield* chunkFrom(core, workflowId, streamKey, at, options.key)
          const shown = chunk.entries.filter((entry) =>
            entry.value !== null && (options.superseded === true || !entry.superseded)
          )
          const last = chunk.entries[chunk.entries.length - 1]
          const next = last === undefined ? at : last.offset + 1
          return [shown, chunk.ended ? Option.none<number>() : Option.some(next)] as const
        })).pipe(Stream.mapEffect((entry) => entryOf(workflowId, streamKey, codec, entry)))
  ))

const entryOf = (workflowId: string, streamKey: string, codec: Codec.ValueCodec<any>, entry: StreamEntry) =>
  Effect.map(
    decoded(codec, entry.value!, `entry ${entry.offset} of stream "${streamKey}" of workflow "${workflowId}"`),
    (value) => ({
      offset: entry.offset,
      value,
      stepId: entry.stepId,
      attempt: entry.attempt ?? undefined,
      superseded: entry.superseded,
      at: new Date(entry.at)
    })
  )

const offset = (from: number): number => {
  if (Number.isSafeInteger(from) && from >= 0) return from
  throw new WorkflowError({
    reason: new InvalidArgument({ argument: "from", detail: `it is ${from}`, remedy: "Give a whole number from 0." })
  })
}

const chunkFrom = (
  core: Core,
  workflowId: string,
  streamKey: string,
  from: number,
  key: string | undefined
): Effect.Effect<Chunk, WorkflowError> => {
  const question = { workflowId, key: streamKey, from, limit: chunkEntries }
  const what = `reading the stream "${streamKey}"`
  const next = beside(core, what, core.watching.streams.awaiting(question), "waits")
  return placed(what, (place) =>
    place._tag === "Body"
      ? place.run.ask(readOperation(core, question, key))
      : Effect.flatMap(next, (answer): Effect.Effect<Chunk, WorkflowError> => {
        if (answer === undefined) {
          return Effect.fail(new WorkflowError({ reason: new EngineStopped({ detail: "its scope was closed" }) }))
        }
        return answer.state === "unknown" ? Effect.fail(notFound(workflowId)) : Effect.succeed(chunkOf(answer))
      }))
}

type Question = Parameters<Core["watching"]["streams"]["awaiting"]>[0]

const readOperation = (core: Core, question: Question, key: string | undefined): Operation => ({
  kind: "read stream",
  name: question.key,
  identity: key ?? `read ${question.key} of ${question.workflowId}`,
  replay: (record) => replayed(record, (value) => JSON.parse(value)),
  perform: (call) =>
    Effect.suspend(() => {
      const { from, key: streamKey, workflowId } = question
      call.wait({
        until: undefined,
        awaiting: { workflowId, on: "stream", key: streamKey, from },
        what: `stream "${streamKey}" of "${workflowId}"`,
        mayCome: true
      })
      return Effect.flatMap(core.watching.streams.awaiting(question), (answer): Effect.Effect<Completed> => {
        // Nothing to record: the next owner waits on.
        if (answer === undefined) return Effect.never
        if (answer.state === "unknown") return Effect.succeed(failed(notFound(workflowId)))
        const chunk = chunkOf(answer, chunkLength)
        return Effect.succeed(succeeded(JSON.stringify(chunk), chunk))
      })
    })
})

const notFound = (workflowId: string): WorkflowError =>
  new WorkflowError({ reason: new WorkflowNotFound({ workflowId }) })

/** What an answer holds up to its end, or so many characters of it. */
const chunkOf = (answer: StreamAnswer, length = Infinity): Chunk => {
  const entries: Array<StreamEntry> = []
  for (const entry of answer.entries) {
    if (entries.length > 0 && (length -= entry.value?.length ?? 0) < 0) return { entries, ended: false }
    entries.push(entry)
    if (entry.value === null && !entry.superseded) return { entries, ended: true }
  }
  return { entries, ended: answer.state === "done" }
}
