/** Many enqueues at once: all of them or none, in one commit, with one answer each. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { EnqueueOptions } from "../EnqueueOptions.ts"
import type { Answer, Start, StartAnswer } from "../Store.ts"
import { InvalidArgument, WorkflowError } from "../WorkflowError.ts"
import * as WorkflowId from "../WorkflowId.ts"
import { performBirths } from "./births.ts"
import { describe, parentOf, replayOf, succeeded, takenId } from "./children.ts"
import type { Core } from "./core.ts"
import type { Definition } from "./definition.ts"
import { placeOf } from "./enqueuing.ts"
import { childWorkflowId } from "./names.ts"
import type { QueueDefinition } from "./queueDefinition.ts"
import { enqueueWith } from "./queuing.ts"
import { CurrentRun } from "./run.ts"
import {
  announce,
  attemptSync,
  conflict,
  duplicate,
  idFrom,
  type Parent,
  startOf,
  type StartOptions,
  submitted,
  unexpected
} from "./starting.ts"
import { isPart } from "./transactions.ts"
import { startWithin } from "./within.ts"

/** Most workflows of one bulk. */
export const maxBulk = 10_000

/** What one of them is started with. */
export interface Item {
  readonly payload: unknown
  readonly options: StartOptions & EnqueueOptions
}

/** The starts without those that are the same as an earlier one, and for each item the index of its start. */
interface Folded {
  readonly starts: ReadonlyArray<Start>
  readonly indexes: ReadonlyArray<number>
  readonly onDuplicate: "attach" | "fail"
}

/** Enqueues all of them, or none. The ids are those of the workflows, in the order of the items. */
export const enqueueMany = (
  core: Core,
  queue: QueueDefinition,
  definition: Definition,
  items: ReadonlyArray<Item>,
  options: { readonly key?: string | undefined; readonly onDuplicate?: "attach" | "fail" | undefined }
): Effect.Effect<ReadonlyArray<string>, WorkflowError> =>
  Effect.withFiber((fiber) => {
    if (items.length === 0) return Effect.succeed([])
    // Only the first one takes the id of the scope, on a replay as well.
    const first = takenId(definition, items[0]!.payload, items[0]!.options, fiber.context)
    const prepare = (caller: Context.Context<never>, parentAt: (index: number) => Parent | undefined): Folded => {
      if (items.length > maxBulk) throw tooMany(items.length)
      const context = Context.add(caller, WorkflowId.Current, undefined)
      const onDuplicate = placeOf(queue, context, { ...items[0]?.options, ...given(options) }).onDuplicate
      const starts = items.map((item, index) => {
        const place = placeOf(queue, context, item.options)
        const options = index === 0 && first !== undefined ? { ...item.options, workflowId: first } : item.options
        return startOf(core, context, definition, item.payload, options, parentAt(index), place)
      })
      return fold(starts, onDuplicate)
    }
    const run = fiber.getRef(CurrentRun)
    if (run !== undefined) {
      return run.ask({
        ...describe(definition, options),
        replay: replayOf<ReadonlyArray<string>>,
        perform: (call) =>
          performBirths(core, run, call, () => {
            const base = childWorkflowId(run.workflowId, call.stepId)
            const folded = prepare(call.context, (index) => parentOf(run, call, `${base}-${index}`))
            return { ...folded, queue, completed: (ids) => succeeded(folded.indexes.map((index) => ids[index])) }
          })
      })
    }
    const within = isPart(fiber.context)
    return Effect.flatMap(
      attemptSync(() => prepare(fiber.context, () => undefined)),
      (folded) =>
        Effect.map(
          within ? writeWithin(core, queue, folded) : write(core, queue, folded),
          (ids) => folded.indexes.map((index) => ids[index]!)
        )
    )
  })

const given = (options: { readonly onDuplicate?: "attach" | "fail" | undefined }) =>
  options.onDuplicate === undefined ? {} : { onDuplicate: options.onDuplicate }

const write = (
  core: Core,
  queue: QueueDefinition,
  folded: Folded
): Effect.Effect<ReadonlyArray<string>, WorkflowError> =>
  enqueueWith(
    core,
    queue,
    submitted(core, {
      _tag: "StartMany",
      starts: folded.starts,
      refuseDuplicates: folded.onDuplicate === "fail"
    }),
    (answer) => {
      switch (answer._tag) {
        case "StartedMany":
          return Effect.as(
            announce(core, folded.starts.filter((_, index) => answer.starts[index]?._tag === "Started")),
            answer.starts.map((one, index) => idOf(folded.starts[index]!, one))
          )
        case "StartRefused":
          return Effect.fail(refusalOf(folded.starts[answer.index]!, answer.answer))
        default:
          return Effect.map(idFrom(core, folded.starts[0]!, answer, folded.onDuplicate), (id) => [id])
      }
    }
  )

const writeWithin = (
  core: Core,
  queue: QueueDefinition,
  folded: Folded
): Effect.Effect<ReadonlyArray<string>, WorkflowError> =>
  Effect.flatMap(
    startWithin(core, folded.starts, queue),
    (answers) =>
      Effect.forEach(answers, (answer, index) => idFrom(core, folded.starts[index]!, answer, folded.onDuplicate))
  )

const idOf = (start: Start, answer: StartAnswer): string =>
  answer._tag === "Duplicate" ? answer.workflowId : start.workflowId

const refusalOf = (start: Start, answer: StartAnswer): WorkflowError =>
  answer._tag === "Exists"
    ? conflict(start, answer.name)
    : answer._tag === "Duplicate"
    ? duplicate(start, answer.workflowId, answer.name)
    : unexpected(answer satisfies Answer)

/**
 * Two items of one workflow id are one, if they say the same. Two of one deduplication id are what two enqueues one after
 * the other would be.
 */
const fold = (all: ReadonlyArray<Start>, onDuplicate: "attach" | "fail"): Folded => {
  const starts: Array<Start> = []
  const byId = new Map<string, number>()
  const byDeduplicationId = new Map<string, number>()
  const indexes = all.map((start) => {
    const same = byId.get(start.workflowId)
    if (same !== undefined) {
      if (starts[same]!.payload === start.payload) return same
      throw conflict(start, start.name)
    }
    const deduplicationId = start.queue?.deduplicationId ?? null
    const holder = deduplicationId === null ? undefined : byDeduplicationId.get(deduplicationId)
    if (holder !== undefined) {
      if (onDuplicate === "attach") return holder
      throw duplicate(start, starts[holder]!.workflowId, start.name)
    }
    const index = starts.push(start) - 1
    byId.set(start.workflowId, index)
    if (deduplicationId !== null) byDeduplicationId.set(deduplicationId, index)
    return index
  })
  return { starts, indexes, onDuplicate }
}

const tooMany = (count: number): WorkflowError =>
  new WorkflowError({
    reason: new InvalidArgument({
      argument: "payloads",
      detail: `there are ${count}`,
      remedy: `Enqueue at most ${maxBulk} at once.`
    })
  })
