/** Workflows and queues that are known by their names alone, since their definitions are not at hand. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Json } from "../Json.ts"
import type { Answer } from "../Store.ts"
import { fromStoreError, type WorkflowError } from "../WorkflowError.ts"
import type { Attributes } from "./attributes.ts"
import * as Codec from "./codec.ts"
import type { Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import { type Place, placeOf } from "./enqueuing.ts"
import { invalid } from "./invalid.ts"
import { checkWorkflowName } from "./names.ts"
import type { QueueDefinition } from "./queueDefinition.ts"
import type { CallOptions } from "./queuing.ts"
import { attemptSync, idFrom, startOf, submitted } from "./starting.ts"
import { isPart } from "./transactions.ts"
import { startWithin } from "./within.ts"

/** A workflow whose definition is not at hand: its payload is plain JSON, which its own code checks when it starts. */
export const untyped = (name: string): Definition => ({
  name: checkWorkflowName(name),
  payload: Codec.make<any>(),
  payloadSchema: undefined,
  success: Codec.make<any>(),
  successSchema: undefined,
  error: undefined,
  requiredRoles: [],
  maxRecoveryAttempts: 5,
  timeoutMs: undefined
})

/** A queue that the store knows, with the limits that it has there. */
export const queueNamed = (core: Core, name: string): Effect.Effect<QueueDefinition, WorkflowError> =>
  Effect.flatMap(Effect.mapError(core.store.queues([name]), fromStoreError), ([row]) =>
    row === undefined
      ? Effect.fail(invalid("queue", `there is none named ${JSON.stringify(name)}`, "Declare it first."))
      : Effect.succeed({ name: row.name, limits: row.limits }))

/** Throws a `WorkflowError` for what is said of a place in a queue where there is no queue. */
export const refusePlace = (
  options: Readonly<Partial<Record<"priority" | "partitionKey" | "deduplicationId", unknown>>>
): void => {
  for (const argument of ["priority", "partitionKey", "deduplicationId"] as const) {
    if (options[argument] === undefined) continue
    throw invalid(argument, "it is of a queue, and there is none", "Give a queue, or leave it out.")
  }
}

// -----------------------------------------------------------------------------
// starting
// -----------------------------------------------------------------------------

export interface NamedStart extends Omit<CallOptions, "detached" | "key" | "attributes"> {
  readonly payload?: Json | undefined
  readonly queue?: string | undefined
  readonly attributes?: Attributes | undefined
}

/** Succeeds with the id once the start is durable. */
export const start = (core: Core, name: string, options: NamedStart): Effect.Effect<string, WorkflowError> =>
  Effect.gen(function*() {
    const queue = options.queue === undefined ? undefined : yield* queueNamed(core, options.queue)
    const context = yield* Effect.context<never>()
    const call = { ...options, version: options.version ?? "" }
    const { onDuplicate, start } = yield* attemptSync(() => {
      if (queue === undefined) refusePlace(options)
      const place: Place | undefined = queue === undefined ? undefined : placeOf(queue, context, call)
      const definition = definitionFor(core, name, options.payload)
      return {
        start: startOf(core, context, definition, options.payload, call, undefined, place),
        onDuplicate: place?.onDuplicate ?? "attach"
      } as const
    })
    const answer: Answer = isPart(context)
      ? (yield* startWithin(core, [start], undefined))[0]!
      : yield* submitted(core, start)
    if (answer._tag === "NoQueue") {
      return yield* Effect.fail(invalid("queue", `"${answer.queue}" is not there any more`, "Declare it again."))
    }
    return yield* idFrom(core, start, answer, onDuplicate)
  })

/**
 * The definition with its roles and limits where it is at hand, for a payload that is encoded already. Throws a
 * `WorkflowError` for a payload that its schema does not read.
 */
export const definitionFor = (core: Core, name: string, payload: Json | undefined): Definition => {
  const known = core.executor?.registered(name)?.definition
  if (known === undefined) return untyped(name)
  checkPayload(known, payload)
  return { ...known, payload: Codec.make<any>() }
}

/** Throws a `WorkflowError` for an encoded payload that the definition's schema does not read. */
export const checkPayload = (definition: Definition, payload: Json | undefined): void => {
  const text = Codec.make<any>().encode(payload, "payload")
  try {
    definition.payload.decode(text)
  } catch (error) {
    if (!(error instanceof Codec.Undecodable)) throw error
    throw invalid(
      error.path === "" ? "payload" : `payload at ${error.path}`,
      `the schema of "${definition.name}" does not read it: ${error.detail}`,
      "Give the encoded payload as its schema describes it."
    )
  }
}

// -----------------------------------------------------------------------------
// looking
// -----------------------------------------------------------------------------

/** A workflow of which an engine has the code. */
export interface DefinitionInfo {
  readonly name: string
  readonly requiredRoles: ReadonlyArray<string>
  /** JSON Schema (draft 2020-12) of the encoded payload. Undefined: it has none, or none can be told. */
  readonly payloadSchema: Json | undefined
}

/** What a workflow stores, as its code has it. Undefined: it has none, or stores plain JSON. */
export interface DefinitionSchemas {
  readonly payload: Codec.StorableSchema<any> | undefined
  readonly success: Codec.StorableSchema<any> | undefined
  readonly error: Codec.StorableSchema<any> | undefined
}

export const schemasOf = ({ error, payloadSchema, successSchema }: Definition): DefinitionSchemas => ({
  payload: payloadSchema,
  success: successSchema,
  error
})

export const infoOf = (definition: Definition): DefinitionInfo => ({
  name: definition.name,
  requiredRoles: definition.requiredRoles,
  payloadSchema: definition.payloadSchema === undefined ? undefined : jsonSchemaOf(definition.payloadSchema)
})

// Some schemas have no JSON Schema; a form for people must not fail over that.
const jsonSchemaOf = (schema: Codec.StorableSchema<any>): Json | undefined => {
  try {
    const { definitions, schema: root } = Schema.toJsonSchemaDocument(schema)
    const defs = Object.keys(definitions).length === 0 ? {} : { $defs: definitions }
    return JSON.parse(JSON.stringify({ ...root, ...defs })) as Json
  } catch {
    return undefined
  }
}
