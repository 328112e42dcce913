/** Forking: a new workflow that starts from another's records up to a step. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Json } from "../Json.ts"
import type { Fork } from "../Store.ts"
import { fromStoreError, WorkflowConflict, WorkflowError } from "../WorkflowError.ts"
import * as Codec from "./codec.ts"
import type { Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import { tell } from "./hearing.ts"
import { invalid } from "./invalid.ts"
import { untilItPasses } from "./journal.ts"
import * as Managing from "./managing.ts"
import { checkKey, checkTargetId, checkWorkflowId, positiveDurationMs } from "./names.ts"
import { checkPayload } from "./naming.ts"
import { attemptSync } from "./starting.ts"

export interface ForkOptions {
  readonly fromStep?: number | undefined
  readonly workflowId?: string | undefined
  readonly version?: string | undefined
  readonly payload?: unknown
  readonly timeout?: Duration.Input | undefined
}

const anything = Codec.make<any>()

const forkOf = (core: Core, sourceId: string, options: ForkOptions, definition: Definition | undefined): Fork => {
  const fromStep = options.fromStep ?? 0
  if (!Number.isInteger(fromStep) || fromStep < 0 || fromStep > 2_147_483_647) {
    throw invalid("fromStep", `it is ${fromStep}`, "Give the id of a step: a whole number from 0.")
  }
  if (options.payload !== undefined && fromStep > 0) {
    throw invalid(
      "payload",
      `the fork begins at step ${fromStep}, after others that had another payload`,
      "Fork from step 0."
    )
  }
  const codec = definition?.payload ?? anything
  const what = definition === undefined ? "payload of a fork" : `payload of workflow "${definition.name}"`
  return {
    sourceId: checkTargetId(sourceId),
    workflowId: options.workflowId === undefined ? crypto.randomUUID() : checkWorkflowId(options.workflowId),
    token: crypto.randomUUID(),
    epoch: core.clock.firstEpoch(),
    fromStep,
    version: options.version === undefined || options.version === ""
      ? options.version ?? null
      : checkKey(options.version, "version"),
    payload: options.payload === undefined ? null : codec.encode(options.payload, what),
    timeoutMs: options.timeout === undefined ? null : positiveDurationMs("timeout", options.timeout)
  }
}

/** Succeeds with the fork's id. `definition`: what the source has to be of. */
export const fork = (
  core: Core,
  sourceId: string,
  options: ForkOptions,
  definition: Definition | undefined
): Effect.Effect<string, WorkflowError> =>
  Effect.gen(function*() {
    const asked = yield* attemptSync(() => forkOf(core, sourceId, options, definition))
    if (definition !== undefined || asked.payload !== null) {
      const { name } = yield* Managing.get(core, sourceId)
      if (definition === undefined) yield* readable(core, name, options.payload)
      else if (name !== definition.name) return yield* Effect.fail(otherName(sourceId, name, definition.name))
    }
    // The same keyed fork again: whether the first was made is unknown.
    const answer = yield* core.store.fork(asked).pipe(
      Effect.retry({ schedule: untilItPasses, times: 5, while: (error) => error.isRetryable }),
      Effect.mapError(fromStoreError)
    )
    switch (answer._tag) {
      case "Forked":
        yield* tell(core, [{ _tag: "Due", name: answer.name }])
        return asked.workflowId
      case "Unknown":
        return yield* Effect.fail(Managing.notFound(sourceId))
      case "Exists":
        return yield* Effect.fail(yield* taken(core, asked.workflowId))
      case "NoSuchStep":
        return yield* Effect.fail(beyond(asked, answer.steps))
    }
  })

/** An encoded payload is checked where its code is at hand; else by the code that runs it. */
const readable = (core: Core, name: string, payload: unknown): Effect.Effect<void, WorkflowError> => {
  const known = core.executor?.registered(name)?.definition
  // It has been encoded as plain JSON.
  return known === undefined ? Effect.void : attemptSync(() => checkPayload(known, payload as Json))
}

const otherName = (workflowId: string, name: string, wanted: string): WorkflowError =>
  invalid("workflow", `"${workflowId}" is of "${name}", not of "${wanted}"`, "Fork it by its own definition.")

const taken = (core: Core, workflowId: string): Effect.Effect<WorkflowError, WorkflowError> =>
  Effect.map(Managing.find(core, workflowId), (info) =>
    new WorkflowError({
      reason: new WorkflowConflict({ workflowId, name: info?.name ?? "", detail: "a fork needs an id of its own" })
    }))

const beyond = (fork: Fork, steps: number): WorkflowError =>
  invalid(
    "fromStep",
    `it is ${fork.fromStep}, and "${fork.sourceId}" has ${steps} steps`,
    `Give a whole number from 0 to ${steps}.`
  )

/** The two ways to call a fork: with a definition in front, or without. */
// `any`: what each gives is said by the overloads of the public side.
export const dual = (
  make: (definition: Definition | undefined, workflowId: string, options: ForkOptions) => Effect.Effect<any, any, any>
) =>
(
  ...args:
    | [workflow: { readonly definition: Definition }, workflowId: string, options?: ForkOptions | undefined]
    | [workflowId: string, options?: ForkOptions | undefined]
): Effect.Effect<any, any, any> =>
  typeof args[0] === "string"
    ? make(undefined, args[0], (args[1] ?? {}) as ForkOptions)
    : make(args[0].definition, args[1] as string, args[2] ?? {})
