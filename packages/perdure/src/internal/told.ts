/** What a workflow has been told, and what it has written to streams, for people to see. */
import * as Effect from "effect/Effect"
import type { MessageRow } from "../Store.ts"
import { fromStoreError, type WorkflowError } from "../WorkflowError.ts"
import type { Core } from "./core.ts"
import { invalid } from "./invalid.ts"
import * as Managing from "./managing.ts"
import { checkKey } from "./names.ts"
import { checkLimit } from "./paging.ts"
import { readable } from "./readable.ts"
import { attemptSync } from "./starting.ts"

/** A message to a workflow, as stored. */
export interface MessageInfo {
  /** Order at the destination. */
  readonly seq: number
  readonly messageId: string
  readonly topic: string
  /** The encoded payload. */
  readonly payload: unknown
  /** The workflow that sent it; undefined: it came from outside. */
  readonly senderId: string | undefined
  readonly sentAt: Date
  /** The step that received it; undefined: none yet. */
  readonly receivedBy: number | undefined
}

/** A stream of a workflow. */
export interface StreamInfo {
  readonly key: string
  readonly entries: number
  readonly closed: boolean
}

/** Entries of a stream, and where to read on. */
export interface StreamPage {
  readonly entries: ReadonlyArray<StreamEntryInfo>
  /** The offset after the last of them. */
  readonly next: number
  /** Nothing follows: it was closed, or its workflow has ended. */
  readonly done: boolean
}

/** One entry of a stream, as stored. */
export interface StreamEntryInfo {
  /** From 0, gapless, superseded ones included. */
  readonly offset: number
  /** The encoded value; undefined: the stream was closed here. */
  readonly value: unknown
  readonly stepId: number
  /** Written by an attempt that does not count. */
  readonly superseded: boolean
  readonly at: Date
}

/** Which messages of a workflow. */
export interface MessageOptions {
  readonly topic?: string | undefined
  /** Also those that it has received. Default: false. */
  readonly received?: boolean | undefined
  /** Only those with a greater `seq`. Default: from the oldest. */
  readonly after?: number | undefined
  /** At most so many: 1 to 1,000. Default: 1,000. */
  readonly limit?: number | undefined
}

const pageOf = ({ after = 0, limit = 1000, received, topic }: MessageOptions) => {
  if (!Number.isSafeInteger(after) || after < 0) throw invalid("after", `it is ${after}`, "Give the seq of a message.")
  return {
    topic: topic === undefined ? null : checkKey(topic, "topic"),
    consumed: received === true,
    after,
    limit: checkLimit(limit, 1000)
  }
}

const infoOf = (row: MessageRow): MessageInfo => ({
  seq: row.seq,
  messageId: row.messageId,
  topic: row.topic,
  payload: readable(row.payload),
  senderId: row.senderId ?? undefined,
  sentAt: new Date(row.sentAt),
  receivedBy: row.consumedBy ?? undefined
})

export const messages = (
  core: Core,
  workflowId: string,
  options: MessageOptions
): Effect.Effect<ReadonlyArray<MessageInfo>, WorkflowError> =>
  Effect.gen(function*() {
    const page = yield* attemptSync(() => pageOf(options))
    yield* Managing.get(core, workflowId)
    const rows = yield* Effect.mapError(core.store.messages(workflowId, page), fromStoreError)
    return rows.map(infoOf)
  })

/** `from` below 0: so many before the end. */
export const stream = (
  core: Core,
  workflowId: string,
  key: string,
  { from, limit }: { readonly from: number; readonly limit: number }
): Effect.Effect<StreamPage, WorkflowError> =>
  Effect.gen(function*() {
    const known = from >= 0 ? [] : yield* streams(core, workflowId)
    const entries = known.find((one) => one.key === key)?.entries ?? 0
    const start = from >= 0 ? from : Math.max(0, entries + from)
    const [answer] = yield* Effect.mapError(
      core.store.readStreams([{ workflowId, key, from: start, limit }]),
      fromStoreError
    )
    if (answer === undefined || answer.state === "unknown") return yield* Effect.fail(Managing.notFound(workflowId))
    const last = answer.entries.at(-1)
    return {
      entries: answer.entries.map(({ at, offset, stepId, superseded, value }) => ({
        offset,
        value: value === null ? undefined : readable(value),
        stepId,
        superseded,
        at: new Date(at)
      })),
      next: last === undefined ? start : last.offset + 1,
      done: answer.state === "done" || (last !== undefined && last.value === null && !last.superseded)
    }
  })

export const streams = (core: Core, workflowId: string): Effect.Effect<ReadonlyArray<StreamInfo>, WorkflowError> =>
  Effect.andThen(
    Managing.get(core, workflowId),
    Effect.mapError(core.store.streams(workflowId), fromStoreError)
  )
