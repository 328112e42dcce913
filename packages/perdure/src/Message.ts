/**
 * Messages: sent to one workflow under a topic, received by it once, in the order in which they came.
 *
 * A definition is a topic and a schema, apart from who sends and who receives:
 *
 * ```ts
 * const Approval = Message.make("approval", { payload: Schema.Struct({ by: Schema.String }) })
 *
 * yield* Approval.send("order-42", { by: "ada" })                  // from anywhere
 * const approval = yield* Approval.receive({ timeout: "1 hour" })  // in the body of a workflow
 * ```
 *
 * **Guarantees.** A message that was sent is kept until the workflow receives it or ends, whether the workflow runs,
 * waits, is suspended or has not begun. Of what one sender sends one after another, the first is received first. A
 * message is received once: its consumption and the record of it are one write.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Engine } from "./Engine.ts"
import * as Codec from "./internal/codec.ts"
import { extendable } from "./internal/extendable.ts"
import { checkKey, checkTargetId } from "./internal/names.ts"
import * as Receiving from "./internal/receiving.ts"
import * as Sending from "./internal/sending.ts"
import { attemptSync } from "./internal/starting.ts"
import type { InWorkflow } from "./WorkflowContext.ts"
import type { WorkflowError } from "./WorkflowError.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** A schema whose values can be stored: its codec needs no services. */
export type Storable = Schema.ConstraintCodec<any, any, never, never>

/** How one message is sent. */
export interface SendOptions {
  /**
   * Sent again under the same key, to the same workflow, with the same topic and payload, a message is there once; with
   * another topic or payload it fails with `MessageConflict`. 1 to 256 bytes. Default: a key of its own.
   */
  readonly idempotencyKey?: string | undefined
  /** In a body: identity of the send in its branch, where several forked fibers send under one topic. */
  readonly key?: string | undefined
}

/** One of several messages that are sent together. */
export type Addressed<A> =
  & { readonly workflowId: string; readonly idempotencyKey?: string | undefined }
  & ([A] extends [void] ? { readonly value?: A | undefined } : { readonly value: A })

/** How a message is received. */
export interface ReceiveOptions {
  /** Identity of the receive in its branch, where several forked fibers receive one topic. */
  readonly key?: string | undefined
}

/** How a message is received by a time. */
export interface ReceiveWithin extends ReceiveOptions {
  /** Counted on the workflow's clock from the call. Zero: whatever is there already. */
  readonly timeout: Duration.Input
}

/** The definition of a message. May be extended by a class of one's own. */
export interface Message<Topic extends string, A> {
  new(_: never): {}

  readonly topic: Topic

  /**
   * Sends the message to a workflow. Succeeds when it is durable.
   *
   * *Details*
   *
   * Fails with `MessageUndeliverable` when there is no such workflow (`unknown`) or it will receive nothing more
   * (`ended`), with `MessageConflict` for an idempotency key that stands for another message, with `Unencodable`,
   * `PayloadTooLarge` or `InvalidArgument` before anything is sent.
   *
   * **Durability.** In a body the message and its record are one write: it is sent exactly once. In a step it is sent
   * before the step is recorded, so a step that runs again sends again: what is the same as before, under an id made of
   * workflow, its start, step and occurrence, is there once. Outside a workflow, give an `idempotencyKey` to make it safe
   * to call again. In `Transaction.within` it is sent when the transaction commits, and not otherwise.
   */
  readonly send: (
    workflowId: string,
    ...args: [A] extends [void] ? [value?: A, options?: SendOptions] : [value: A, options?: SendOptions]
  ) => Effect.Effect<void, WorkflowError, Engine>

  /** Sends several messages: all of them, or none. Otherwise like {@link Message.send}. */
  readonly sendMany: (
    messages: ReadonlyArray<Addressed<A>>,
    options?: { readonly key?: string | undefined }
  ) => Effect.Effect<void, WorkflowError, Engine>

  /**
   * Waits for the next message of this topic, in the body of a workflow. With a `timeout` it is an `Option`: none, when
   * none came in time.
   *
   * *Details*
   *
   * Several that wait for one topic are served in the order in which they asked. One that loses a race, or is
   * interrupted, consumes nothing. A message that does not fit the schema is consumed, and fails with `Undecodable`,
   * which names it.
   *
   * **Durability.** The message and its consumption are recorded in one write, and so is that there was none in time: a
   * replay gets the same. While nothing else runs in it, the workflow may be suspended. The limit goes on while no
   * process is there, and what was sent within it is received afterwards.
   *
   * *Gotchas*
   *
   * In a step, or in what a step calls, it fails with `OutsideWorkflow`.
   */
  readonly receive: {
    (options: ReceiveWithin): Effect.Effect<Option.Option<A>, WorkflowError, InWorkflow>
    (options?: ReceiveOptions): Effect.Effect<A, WorkflowError, InWorkflow>
  }
}

type PayloadOf<P> = P extends Schema.Struct.Fields ? Schema.Struct<P>["Type"]
  : P extends { readonly "Type": infer A } ? A
  : void

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * Defines a message.
 *
 * - `topic`: 1 to 256 bytes; what sender and receiver agree on.
 * - `payload`: fields or a schema. Default: no payload.
 *
 * Throws a `WorkflowError` (`InvalidArgument`) for a topic that is none.
 */
export const make = <const Topic extends string, P extends Storable | Schema.Struct.Fields | undefined = undefined>(
  topic: Topic,
  options: { readonly payload?: P | undefined } = {}
): Message<Topic, PayloadOf<P>> => {
  checkKey(topic, "topic")
  const codec = options.payload === undefined ? Codec.nothing : Codec.make<any>(schemaOf(options.payload))
  const outgoing = (workflowId: string, value: unknown, idempotencyKey: string | undefined): Sending.Outgoing => ({
    to: checkTargetId(workflowId),
    payload: codec.encode(value, `message of topic "${topic}"`),
    idempotencyKey: idempotencyKey === undefined ? undefined : checkKey(idempotencyKey, "idempotency key")
  })
  const sendAll = (messages: () => ReadonlyArray<Sending.Outgoing>, key: string | undefined) =>
    Effect.flatMap(Engine, ({ core }) =>
      Effect.flatMap(
        attemptSync(() => ({ messages: messages(), key: key === undefined ? undefined : checkKey(key) })),
        (checked) => Sending.send(core, topic, checked.messages, checked.key)
      ))
  // `any`: the interface above is the typed side.
  return extendable({
    topic,
    send: (workflowId: string, value?: unknown, options: SendOptions = {}) =>
      sendAll(() => [outgoing(workflowId, value, options.idempotencyKey)], options.key),
    sendMany: (messages: ReadonlyArray<Addressed<any>>, options: { readonly key?: string | undefined } = {}) =>
      sendAll(
        () => messages.map(({ idempotencyKey, value, workflowId }) => outgoing(workflowId, value, idempotencyKey)),
        options.key
      ),
    receive: (options: Receiving.ReceiveOptions = {}) => Receiving.receive(topic, codec, options)
  }) as any
}

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

const schemaOf = (payload: Storable | Schema.Struct.Fields): Storable =>
  Schema.isSchema(payload)
    ? payload as Storable
    : Schema.Struct(payload as Schema.Struct.Fields) as unknown as Storable
