/**
 * The one write by which a body starts others: their rows, their places in a queue, and the parent's record of them, in
 * one commit. What the store refuses is recorded as the failure that the body gets.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Answer, Start } from "../Store.ts"
import { InvalidArgument, WorkflowError } from "../WorkflowError.ts"
import * as Codec from "./codec.ts"
import type { Core } from "./core.ts"
import type { Call, Completed, Slot } from "./operation.ts"
import type { QueueDefinition } from "./queueDefinition.ts"
import type { Run } from "./run.ts"
import { announce, began, conflict, duplicate, unexpected } from "./starting.ts"

/** What a body starts at once. */
export interface Births {
  readonly starts: ReadonlyArray<Start>
  readonly queue: QueueDefinition | undefined
  readonly onDuplicate: "attach" | "fail"
  /** The outcome, with the ids of the workflows that were started or are attached to. */
  readonly completed: (workflowIds: ReadonlyArray<string>) => Completed
}

export const errors = Codec.make(WorkflowError)

const failed = (error: WorkflowError): Completed => ({
  outcome: "failure",
  value: errors.encode(error),
  exit: Exit.fail(error),
  attempts: 1
})

/** `prepare` may throw a `WorkflowError`, for what is refused. */
export const performBirths = (core: Core, run: Run, call: Call, prepare: () => Births): Effect.Effect<Completed> =>
  Effect.suspend((): Effect.Effect<Completed, WorkflowError> => {
    let births: Births
    try {
      births = prepare()
      if (births.starts.some((start) => start.workflowId === run.workflowId)) throw ownId(run.workflowId)
    } catch (error) {
      return error instanceof WorkflowError ? Effect.fail(error) : Effect.die(error)
    }
    if (births.starts.length === 0) return Effect.succeed(births.completed([]))
    return Effect.andThen(
      births.queue === undefined ? Effect.void : core.queues.registered(births.queue, true),
      Effect.flatMap(call.sharedSlot, (slot) => Effect.uninterruptible(write(core, slot, births)))
    )
  }).pipe(Effect.catch((error) => Effect.succeed(failed(error))))

const ownId = (workflowId: string): WorkflowError =>
  new WorkflowError({
    reason: new InvalidArgument({
      argument: "workflow id of a child",
      detail: `"${workflowId}" is the id of the workflow that starts it`,
      remedy: "Give the child another id, or none."
    })
  })

/** One of the starts: still to be written, or another workflow that it turned out to be. */
interface Birth {
  readonly start: Start
  readonly holder: string | undefined
}

/** Nothing but a whole answer is recorded; so after each refusal of one it is written anew. */
const write = (core: Core, slot: Slot, births: Births): Effect.Effect<Completed> =>
  Effect.gen(function*() {
    const all: Array<Birth> = births.starts.map((start) => ({ start, holder: undefined }))
    while (true) {
      const completed = births.completed(all.map(({ holder, start }) => holder ?? idOf(start)))
      const record = slot.record(completed)
      const children = all.flatMap(({ holder, start }) => holder === undefined ? [start] : [])
      const answer = yield* slot.write(record, children)
      if (!isRefusal(answer)) {
        slot.release(record)
        return completed
      }
      for (const refusal of refusalsOf(answer)) {
        const index = all.findIndex(({ start }) => start === children[refusal.index])
        const next = yield* amend(core, births, all[index].start, refusal)
        if (next instanceof WorkflowError) return yield* refuse(slot, next)
        all[index] = next
      }
    }
  })

/** A debounced start that is expected to move another is that other one. */
const idOf = (start: Start): string => start.queue?.debounce?.expected ?? start.workflowId

type Refusal = Answer & { readonly _tag: "ChildConflict" | "ChildDuplicate" | "NoQueue" }

const isRefusal = (answer: Answer): answer is Refusal =>
  answer._tag === "ChildConflict" || answer._tag === "ChildDuplicate" || answer._tag === "NoQueue"

const refusalsOf = (answer: Refusal): ReadonlyArray<Refusal> =>
  answer._tag === "ChildDuplicate"
    ? [answer, ...(answer.more ?? []).map((held) => ({ _tag: answer._tag, ...held }))]
    : [answer]

/** What becomes of a start that was refused. */
const amend = (
  core: Core,
  births: Births,
  start: Start,
  answer: Refusal
): Effect.Effect<Birth | WorkflowError> =>
  Effect.suspend(() => {
    if (answer._tag === "ChildConflict") return Effect.succeed(conflict(start, answer.name))
    if (answer._tag === "NoQueue") {
      if (births.queue === undefined) return Effect.succeed(unexpected(answer))
      core.queues.forget(births.queue.name)
      return Effect.match(core.queues.registered(births.queue, true), {
        onFailure: (error): WorkflowError => error,
        onSuccess: (): Birth => ({ start, holder: undefined })
      })
    }
    const { movable, name, workflowId } = answer
    const { queue } = start
    if (queue !== null && queue.debounce !== null && (movable || workflowId === null)) {
      const moved: Start = { ...start, queue: { ...queue, debounce: { ...queue.debounce, expected: workflowId } } }
      return Effect.succeed<Birth>({ start: moved, holder: undefined })
    }
    if (workflowId === null) return Effect.succeed<Birth>({ start, holder: undefined })
    const attaches = births.onDuplicate === "attach" && queue?.debounce === null && name === start.name
    return Effect.succeed(
      attaches ? { start, holder: workflowId } : duplicate(start, workflowId, name ?? start.name)
    )
  })

/** What follows from the answer to a write with these children, whatever becomes of the body that started them. */
export const born = (
  core: Core,
  children: ReadonlyArray<Start>,
  answers: (Answer & { readonly _tag: "Recorded" })["children"]
): void => {
  if (children.length === 0) return
  children.forEach((child, index) => {
    if (answers[index]?._tag === "Started") began(core, child)
  })
  core.fork(announce(core, children.filter((_, index) => answers[index]?._tag !== "Exists")))
}

const refuse = (slot: Slot, error: WorkflowError): Effect.Effect<Completed> =>
  Effect.gen(function*() {
    const refused = failed(error)
    const record = slot.record(refused)
    yield* slot.write(record, [])
    slot.release(record)
    return refused
  })
