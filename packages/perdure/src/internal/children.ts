/** Children: a workflow started by another's body. Its row and the parent's record commit together. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { EnqueueOptions } from "../EnqueueOptions.ts"
import type { StepRecord } from "../Store.ts"
import * as WorkflowContext from "../WorkflowContext.ts"
import type { WorkflowError } from "../WorkflowError.ts"
import * as WorkflowId from "../WorkflowId.ts"
import { giveUpAfter } from "./answering.ts"
import { resultOperation } from "./awaiting.ts"
import { errors, performBirths } from "./births.ts"
import type { Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import { placeOf } from "./enqueuing.ts"
import { tell } from "./hearing.ts"
import { untilItPasses } from "./journal.ts"
import { childWorkflowId } from "./names.ts"
import type { Call, Completed, Operation } from "./operation.ts"
import type { QueueDefinition } from "./queueDefinition.ts"
import type { Run } from "./run.ts"
import { type Parent, startOf, type StartOptions } from "./starting.ts"

export interface ChildOptions extends StartOptions, EnqueueOptions {
  /** Identity of the start in its branch, where the workflow's name is not unique. */
  readonly key?: string | undefined
}

/** Starts the child, or enqueues it; the answer is its id, once its row and this record are durable. */
export const startChild = (
  core: Core,
  run: Run,
  definition: Definition,
  payload: unknown,
  options: ChildOptions,
  queue?: QueueDefinition,
  unclaimed: Pick<Operation, "onUnclaimed"> = {}
): Effect.Effect<string, WorkflowError> =>
  Effect.withFiber((fiber) => {
    const given = takenId(definition, payload, options, fiber.context)
    const identified = given === undefined ? options : { ...options, workflowId: given }
    return run.ask({
      ...describe(definition, options),
      ...unclaimed,
      replay: replayOf<string>,
      perform: (call) =>
        performBirths(core, run, call, () => {
          const place = queue === undefined ? undefined : placeOf(queue, call.context, options)
          const parent = parentOf(run, call, childWorkflowId(run.workflowId, call.stepId))
          return {
            starts: [startOf(core, call.context, definition, payload, identified, parent, place)],
            queue,
            onDuplicate: place?.onDuplicate ?? "attach",
            completed: ([workflowId]) => ({ ...succeeded(workflowId), childId: workflowId! })
          }
        })
    })
  })

/** The id that the call or its scope gives. Taken by recorded starts too: a replay must give the next one the same. */
export const takenId = (
  definition: Definition,
  payload: unknown,
  options: StartOptions,
  context: Context.Context<never>
): string | undefined => {
  const slot = Context.get(context, WorkflowId.Current)
  if (options.workflowId !== undefined || slot === undefined) return options.workflowId
  try {
    return WorkflowId.take(slot, definition.name, definition.payload.encode(payload))
  } catch {
    // It will be refused where it is started.
    return undefined
  }
}

/** The operation of a start, as a step of its parent. */
export const describe = (definition: Definition, options: { readonly key?: string | undefined }) => ({
  kind: "child" as const,
  name: definition.name,
  identity: options.key ?? definition.name
})

/** The answer out of a record: an id, or the ids of many. */
export const replayOf = <A>(record: StepRecord): Exit.Exit<A, WorkflowError> =>
  record.outcome === "success" ? Exit.succeed(JSON.parse(record.value) as A) : Exit.fail(errors.decode(record.value))

export const succeeded = (answer: unknown): Completed => ({
  outcome: "success",
  value: JSON.stringify(answer),
  exit: Exit.succeed(answer),
  attempts: 1
})

export const parentOf = (run: Run, call: Call, childId: string): Parent => ({
  workflowId: run.workflowId,
  stepId: call.stepId,
  deadlineAt: Context.get(call.context, WorkflowContext.Current)?.deadline,
  childId
})

/**
 * Starts the child and waits for it. Interrupting the wait in a workflow that goes on cancels the child, also when it is
 * started and the body has not been told yet.
 */
export const executeChild = (
  core: Core,
  run: Run,
  definition: Definition,
  payload: unknown,
  options: ChildOptions
): Effect.Effect<any, any> =>
  Effect.flatMap(
    startChild(core, run, definition, payload, options, undefined, {
      onUnclaimed: (record) => {
        const started = replayOf<string>(record)
        if (Exit.isSuccess(started)) cancelChild(core, run, started.value)
      }
    }),
    (workflowId) =>
      run.ask(resultOperation(core, workflowId, definition, { onAbandoned: () => cancelChild(core, run, workflowId) }))
  )

/** What was there already is whoever's started it, and a detached one is nobody's. */
const cancelChild = (core: Core, run: Run, workflowId: string): void => {
  const reason = JSON.stringify({ _tag: "Cancelled", by: "parent", detail: "its parent no longer waits for it" })
  const cancel = core.store.cancel([workflowId], { reason, childReason: reason, children: true }).pipe(
    // A large family takes its time.
    giveUpAfter(300_000),
    // Wherever it runs it ends at once; in a queue it leaves its place to the next.
    Effect.andThen(tell(core, [{ _tag: "Revoked", incarnation: "*" }]))
  )
  run.afterwards(
    Effect.flatMap(
      core.store.get(workflowId),
      (row) => row?.parentId === run.workflowId && !row.detached ? cancel : Effect.void
    ).pipe(
      Effect.retry(untilItPasses),
      Effect.orDie
    ),
    core.fork
  )
}
