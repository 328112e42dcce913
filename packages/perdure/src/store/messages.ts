/** What workflows tell each other and the world: messages, events, streams. */
import type * as Effect from "effect/Effect"
import type { StoreError } from "../Store.ts"

// -----------------------------------------------------------------------------
// messages
// -----------------------------------------------------------------------------

/** A message to one workflow. */
export interface Send {
  readonly to: string
  /** Unique per destination: sent again with the same content it is the same message. */
  readonly messageId: string
  readonly topic: string
  readonly payload: string
  readonly codec: string
  /** The workflow that sends it. */
  readonly senderId: string | null
}

/**
 * Delivers messages to workflows from outside: all of them or none. One that is there already is delivered, whatever has
 * become of its destination.
 */
export interface Deliver {
  readonly _tag: "Deliver"
  readonly sends: ReadonlyArray<Send>
}

/**
 * Why a send was refused. `unknown`: no such workflow. `ended`: it is done (or only its rollbacks are left) and will
 * receive nothing more. `conflict`: the destination has another message with this id.
 */
export type SendRefusal = "unknown" | "ended" | "conflict"

/** A message as its destination has it. */
export interface MessageRow {
  /** Order at the destination. */
  readonly seq: number
  readonly messageId: string
  readonly topic: string
  readonly payload: string
  readonly codec: string
  readonly senderId: string | null
  readonly sentAt: number
  /** The step that received it; null: none yet. */
  readonly consumedBy: number | null
}

/** The owner consumes the message that it names, in the step that it names. */
export interface Consume {
  readonly seq: number
  readonly stepId: number
}

// -----------------------------------------------------------------------------
// events
// -----------------------------------------------------------------------------

/** The new value of an event. Of two of one key in one write the later one counts. */
export interface EventWrite {
  readonly key: string
  readonly value: string
  readonly codec: string
  /** The step that sets it, or in which it is set: a fork keeps what steps below its first one have set. */
  readonly stepId: number
}

export interface EventRow {
  readonly key: string
  readonly value: string
  readonly codec: string
  /** When it got this value; set to the same again, it keeps the time. */
  readonly at: number
}

/** `done`: the workflow is done, and the event will never be set. */
export type EventAnswer =
  | { readonly _tag: "Set"; readonly value: string }
  | { readonly _tag: "Open" }
  | { readonly _tag: "Done" }
  | { readonly _tag: "Unknown" }

// -----------------------------------------------------------------------------
// streams
// -----------------------------------------------------------------------------

/** Appends to a stream of the workflow, in the order given. */
export interface StreamWrite {
  readonly key: string
  /** Null closes the stream: nothing is written after it (the owner sees to that). */
  readonly value: string | null
  readonly codec: string
  readonly stepId: number
  /** Of the step that writes, from 0; null: the body writes, as a recorded operation. */
  readonly attempt: number | null
  /**
   * How many entries this attempt (or, where it is null, this step) has written to this stream before. With the epoch,
   * the key by which an entry that is submitted again is recognised.
   */
  readonly index: number
}

/**
 * Of what a step writes to streams one attempt counts, this one. What it wrote before, in earlier attempts or under
 * earlier owners, is marked superseded in every stream.
 */
export interface Supersede {
  readonly stepId: number
  readonly attempt: number
}

export interface StreamEntry {
  /** From 0, gapless in the stream, superseded ones included. */
  readonly offset: number
  /** Null: closed. */
  readonly value: string | null
  readonly codec: string
  readonly stepId: number
  readonly attempt: number | null
  /** Written by an attempt that does not count: tried again, or lost with its process. */
  readonly superseded: boolean
  readonly at: number
}

/** From `from` on, at most `limit` entries. */
export interface StreamRead {
  readonly workflowId: string
  readonly key: string
  readonly from: number
  readonly limit: number
}

/** `done`: the workflow is done, so nothing follows the last entry; only said when there is no entry beyond these. */
export interface StreamAnswer {
  readonly entries: ReadonlyArray<StreamEntry>
  readonly state: "open" | "done" | "unknown"
}

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/** Which messages, and how many at the most. */
export interface MessageOptions {
  readonly topic: string | null
  readonly limit: number
  readonly consumed?: boolean
  readonly after?: number
}

export interface MessageStore {
  /**
   * Messages of the workflow that are not consumed, oldest first; of one topic, or of all. `consumed`: also those that
   * were. `after`: only those with a greater `seq`.
   */
  readonly messages: (
    workflowId: string,
    options: MessageOptions
  ) => Effect.Effect<ReadonlyArray<MessageRow>, StoreError>

  /** How much has come in for these workflows; those that are done or unknown are left out. One statement for all. */
  readonly inboxes: (
    workflowIds: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyMap<string, number>, StoreError>

  /** One answer per pair, in order. One statement for all. */
  readonly eventValues: (
    events: ReadonlyArray<{ readonly workflowId: string; readonly key: string }>
  ) => Effect.Effect<ReadonlyArray<EventAnswer>, StoreError>

  /** The events of a workflow by key. `page`: only keys after one, at most so many. Default: all. */
  readonly events: (
    workflowId: string,
    page?: { readonly after: string | null; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<EventRow>, StoreError>

  /** One answer per read, in order. One statement for all. */
  readonly readStreams: (
    reads: ReadonlyArray<StreamRead>
  ) => Effect.Effect<ReadonlyArray<StreamAnswer>, StoreError>

  /** The keys of the streams of a workflow, with the number of their entries and whether they are closed. */
  readonly streams: (
    workflowId: string
  ) => Effect.Effect<
    ReadonlyArray<{ readonly key: string; readonly entries: number; readonly closed: boolean }>,
    StoreError
  >
}
