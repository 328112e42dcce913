/** Children: a workflow started by another's body. Its row and the parent's record commit together. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as WorkflowContext from "../WorkflowContext.ts"
import { InvalidArgument, WorkflowError } from "../WorkflowError.ts"
import * as WorkflowId from "../WorkflowId.ts"
import { resultOperation } from "./awaiting.ts"
import * as Codec from "./codec.ts"
import type { Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import { untilItPasses } from "./journal.ts"
import { childWorkflowId } from "./names.ts"
import type { Call, Completed, Slot } from "./operation.ts"
import type { Run } from "./run.ts"
import { began, conflict, startOf, type StartOptions } from "./starting.ts"

export interface ChildOptions extends StartOptions {
  /** Identity of the start in its branch, where the workflow's name is not unique. */
  readonly key?: string | undefined
}

const errors = Codec.make(WorkflowError)

const failed = (error: WorkflowError): Completed => ({
  outcome: "failure",
  value: errors.encode(error),
  exit: Exit.fail(error),
  attempts: 1
})

/** Starts the child; the answer is its id, once its row and this record are durable. */
export const startChild = (
  core: Core,
  run: Run,
  definition: Definition,
  payload: unknown,
  options: ChildOptions
): Effect.Effect<string, WorkflowError> =>
  Effect.withFiber((fiber) => {
    const given = idOf(definition, payload, options, fiber.context)
    return ask(core, run, definition, payload, given === undefined ? options : { ...options, workflowId: given })
  })

/** The id that the call or its scope gives. Taken by recorded starts too: a replay must give the next one the same. */
const idOf = (
  definition: Definition,
  payload: unknown,
  options: ChildOptions,
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

const ask = (
  core: Core,
  run: Run,
  definition: Definition,
  payload: unknown,
  options: ChildOptions
): Effect.Effect<string, WorkflowError> =>
  run.ask({
    kind: "child",
    name: definition.name,
    identity: options.key ?? definition.name,
    replay: (record) =>
      record.outcome === "success"
        ? Exit.succeed(JSON.parse(record.value) as string)
        : Exit.fail(errors.decode(record.value)),
    perform: (call) => perform(core, run, call, definition, payload, options)
  })

const perform = (
  core: Core,
  run: Run,
  call: Call,
  definition: Definition,
  payload: unknown,
  options: ChildOptions
): Effect.Effect<Completed> =>
  Effect.suspend(() => {
    let start
    try {
      start = startOf(core, call.context, definition, payload, options, {
        workflowId: run.workflowId,
        stepId: call.stepId,
        deadlineAt: Context.get(call.context, WorkflowContext.Current)?.deadline,
        childId: childWorkflowId(run.workflowId, call.stepId)
      })
      if (start.workflowId === run.workflowId) throw ownId(run.workflowId)
    } catch (error) {
      return error instanceof WorkflowError ? Effect.succeed(failed(error)) : Effect.die(error)
    }
    return Effect.flatMap(call.slot, (slot) => Effect.uninterruptible(write(core, slot, start)))
  })

const ownId = (workflowId: string): WorkflowError =>
  new WorkflowError({
    reason: new InvalidArgument({
      argument: "workflow id of a child",
      detail: `"${workflowId}" is the id of the workflow that starts it`,
      remedy: "Give the child another id, or none."
    })
  })

const write = (core: Core, slot: Slot, start: ReturnType<typeof startOf>): Effect.Effect<Completed> =>
  Effect.gen(function*() {
    const { workflowId } = start
    const started: Completed = {
      outcome: "success",
      value: JSON.stringify(workflowId),
      exit: Exit.succeed(workflowId),
      attempts: 1,
      childId: workflowId
    }
    const record = slot.record(started)
    const answer = yield* slot.write(record, [start])
    if (answer._tag !== "ChildConflict") {
      if (answer._tag === "Recorded" && answer.children[0]?._tag === "Started") began(core, start)
      slot.release(record)
      return started
    }
    const refused = failed(conflict(start, answer.name))
    const refusal = slot.record(refused)
    yield* slot.write(refusal, [])
    slot.release(refusal)
    return refused
  })

/** Starts the child and waits for it. Interrupting the wait in a workflow that goes on cancels the child. */
export const executeChild = (
  core: Core,
  run: Run,
  definition: Definition,
  payload: unknown,
  options: ChildOptions
): Effect.Effect<any, any> =>
  Effect.flatMap(
    startChild(core, run, definition, payload, options),
    (workflowId) => run.ask(resultOperation(core, workflowId, definition, () => cancelChild(core, workflowId)))
  )

const cancelChild = (core: Core, workflowId: string): void => {
  const reason = JSON.stringify({ _tag: "Cancelled", by: "parent", detail: "its parent no longer waits for it" })
  core.fork(
    core.store.cancel([workflowId], { reason, childReason: reason, children: true }).pipe(
      Effect.retry(untilItPasses),
      Effect.tap(() => Effect.sync(() => core.executor?.heartbeatNow())),
      Effect.orDie
    )
  )
}
