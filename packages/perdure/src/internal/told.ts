/** What a workflow has been told, and what it has written to streams, for people to see. */
import * as Effect from "effect/Effect"
import type { MessageRow } from "../Store.ts"
import { fromStoreError, type WorkflowError } from "../WorkflowError.ts"
import type { Core } from "./core.ts"
import * as Managing from "./managing.ts"
import { checkKey } from "./names.ts"
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

const limit = 1000

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
  options: { readonly topic?: string; readonly received?: boolean }
): Effect.Effect<ReadonlyArray<MessageInfo>, WorkflowError> =>
  Effect.gen(function*() {
    const topic = yield* attemptSync(() => options.topic === undefined ? null : checkKey(options.topic, "topic"))
    yield* Managing.get(core, workflowId)
    const rows = yield* Effect.mapError(
      core.store.messages(workflowId, { topic, limit, consumed: options.received === true }),
      fromStoreError
    )
    return rows.map(infoOf)
  })

export const streams = (core: Core, workflowId: string): Effect.Effect<ReadonlyArray<StreamInfo>, WorkflowError> =>
  Effect.andThen(
    Managing.get(core, workflowId),
    Effect.mapError(core.store.streams(workflowId), fromStoreError)
  )
