/**
 * Streams: ordered lists of values that a workflow publishes entry by entry, and anybody reads from any offset.
 *
 * ```ts
 * const Tokens = WorkflowStream.make("tokens", { value: Schema.String })
 *
 * yield* Tokens.write("Hello")                                   // in a workflow, in its body or in a step
 * yield* Tokens.close
 * yield* Stream.runForEach(Tokens.read("chat-7"), Console.log)   // anywhere
 * ```
 *
 * **Guarantees.** Offsets count from 0 without a gap, in the order written; a reader that goes on from an offset misses
 * nothing and gets nothing twice. What a body writes is there exactly once. What a step writes is there as soon as it is
 * written. Of its attempts one counts: the recorded one (of a step that fails for good, the last), and until there is an
 * outcome the one that wrote last. What the others wrote is *superseded*, and left out by readers that come to it later,
 * unless they ask for it.
 */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Engine } from "./Engine.ts"
import * as Codec from "./internal/codec.ts"
import { extendable } from "./internal/extendable.ts"
import { checkKey } from "./internal/names.ts"
import * as Streams from "./internal/streams.ts"
import type { InWorkflow } from "./WorkflowContext.ts"
import type { WorkflowError } from "./WorkflowError.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** A schema whose values can be stored: its codec needs no services. */
export type Storable = Schema.ConstraintCodec<any, any, never, never>

/** How an entry is written. */
export interface WriteOptions {
  /** In a body: identity of the write in its branch, where several forked fibers write to one stream. */
  readonly key?: string | undefined
}

/** How a stream is read. */
export interface ReadOptions {
  /** The first offset. Default: 0. */
  readonly from?: number | undefined
  /** Also what attempts of steps wrote that do not count. Default: false. */
  readonly superseded?: boolean | undefined
  /** In a body: identity of the reads in their branch, where several forked fibers read one stream. */
  readonly key?: string | undefined
}

/** An entry, with what is known of it. */
export interface Entry<A> {
  /** Read on with `from: offset + 1`. */
  readonly offset: number
  readonly value: A
  /** The step that wrote it. */
  readonly stepId: number
  /** Which attempt of the step, from 0; undefined: the body wrote it. */
  readonly attempt: number | undefined
  /** Written by an attempt that does not count: it was tried again, or was lost with its process. */
  readonly superseded: boolean
  readonly at: Date
}

/** The definition of a stream. May be extended by a class of one's own. */
export interface WorkflowStream<Key extends string, A> {
  new(_: never): {}

  readonly key: Key

  /**
   * Appends a value to the stream of the workflow in which this runs, in its body or in one of its steps.
   *
   * Fails with `StreamClosed` after a `close`, with `Unencodable` or `PayloadTooLarge` before anything is written.
   *
   * **Durability.** In a body the entry and its record are one write, durable before the next durable operation starts:
   * it is there once. In a step it is durable when this returns; an attempt that runs again writes again, and its first
   * entry, or else the step's outcome, marks what was written before it as superseded.
   */
  readonly write: (value: A, options?: WriteOptions) => Effect.Effect<void, WorkflowError, InWorkflow>

  /**
   * Ends the stream for its readers. Closing it again does nothing. It need not be closed: for readers a stream ends with
   * its workflow too.
   *
   * **Durability.** Like {@link WorkflowStream.write}.
   */
  readonly close: Effect.Effect<void, WorkflowError, InWorkflow>

  /**
   * The values of a workflow's stream, from an offset, as they come; it ends when the stream is closed or the workflow
   * has ended, however it did.
   *
   * *Details*
   *
   * Fails at once with `WorkflowNotFound` for an unknown id, with `InvalidArgument` for an offset that is none, and with
   * `Undecodable` at a value that does not fit the schema. All who wait in a process share one look at the store.
   *
   * **Durability.** In a body every chunk that was read is recorded; the workflow may be suspended while it waits for the
   * next. In a step and outside a workflow nothing is recorded: go on from an offset of {@link WorkflowStream.readEntries}.
   */
  readonly read: (workflowId: string, options?: ReadOptions) => Stream.Stream<A, WorkflowError, Engine>

  /** Like {@link WorkflowStream.read}, with offsets and attempts, for readers that go on later. */
  readonly readEntries: (workflowId: string, options?: ReadOptions) => Stream.Stream<Entry<A>, WorkflowError, Engine>
}

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * Defines a stream.
 *
 * - `key`: 1 to 256 bytes; its name among the streams of a workflow.
 * - `value`: a schema of its entries.
 *
 * Throws a `WorkflowError` (`InvalidArgument`) for a key that is none.
 */
export const make = <const Key extends string, V extends Storable>(
  key: Key,
  options: { readonly value: V }
): WorkflowStream<Key, V["Type"]> => {
  checkKey(key, "stream key")
  const codec = Codec.make<any>(options.value)
  const readEntries = (workflowId: string, options: Streams.ReadOptions = {}) =>
    Stream.unwrap(Effect.map(Engine, ({ core }) => Streams.read(core, workflowId, key, codec, options)))
  // `any`: the interface above is the typed side.
  return extendable({
    key,
    write: (value: unknown, options: WriteOptions = {}) =>
      Streams.write(key, () => codec.encode(value, `entry of stream "${key}"`), options.key),
    close: Streams.write(key, () => null, undefined),
    read: (workflowId: string, options?: Streams.ReadOptions) =>
      Stream.map(readEntries(workflowId, options), (entry) => entry.value),
    readEntries
  }) as any
}
