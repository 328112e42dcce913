/** Carrying a workflow's history to another store, for people to look at and for code to be tried on. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ArchivedEvent, EventPlace, History, MessageRow, StoreError, StreamEntry, WorkflowRow } from "../Store.ts"
import { fromStoreError, InvalidArgument, WorkflowConflict, WorkflowError } from "../WorkflowError.ts"
import type { Core } from "./core.ts"
import { invalid } from "./invalid.ts"
import { notFound } from "./managing.ts"
import { checkTargetId, checkWorkflowName } from "./names.ts"
import { attemptSync } from "./starting.ts"

// -----------------------------------------------------------------------------
// exporting
// -----------------------------------------------------------------------------

/** Some of a history: its state, or rows of one kind. A page of rows at the most. */
export type HistoryPart = Partial<History>

/**
 * The state first, then all that is stored, page by page. What is recorded meanwhile may be there, or not; a workflow that
 * began anew or was deleted meanwhile has two pasts, and fails.
 */
export const streamHistory = (core: Core, workflowId: string): Stream.Stream<HistoryPart, WorkflowError> =>
  Stream.unwrap(Effect.map(stateOf(core, workflowId), (workflow) =>
    Stream.make<[HistoryPart]>({ workflow }).pipe(
      Stream.concat(Stream.mapError(rowsOf(core, workflowId), fromStoreError)),
      Stream.concat(Stream.fromEffectDrain(stillSame(core, workflow)))
    )))

/** All of it at once. */
export const exportHistory = (core: Core, workflowId: string): Effect.Effect<History, WorkflowError> =>
  Effect.map(Stream.runCollect(streamHistory(core, workflowId)), (parts) => ({
    // The first part is the state.
    workflow: parts[0]!.workflow!,
    records: parts.flatMap(({ records = [] }) => records),
    attempts: parts.flatMap(({ attempts = [] }) => attempts),
    messages: parts.flatMap(({ messages = [] }) => messages),
    events: parts.flatMap(({ events = [] }) => events),
    entries: parts.flatMap(({ entries = [] }) => entries)
  }))

const stateOf = ({ store }: Core, workflowId: string): Effect.Effect<WorkflowRow, WorkflowError> =>
  Effect.flatMap(
    Effect.mapError(store.get(workflowId), fromStoreError),
    (workflow) => workflow === null ? Effect.fail(notFound(workflowId)) : Effect.succeed(workflow)
  )

const stillSame = (core: Core, { continuations, workflowId }: WorkflowRow): Effect.Effect<void, WorkflowError> =>
  Effect.flatMap(stateOf(core, workflowId), (now) =>
    now.continuations === continuations
      ? Effect.void
      : Effect.fail(invalid("workflow", `"${workflowId}" began anew while it was exported`, "Export it again.")))

const rowsOf = ({ store }: Core, workflowId: string): Stream.Stream<HistoryPart, StoreError> => {
  const records = Stream.paginate(
    -1,
    (after) =>
      Effect.map(store.history(workflowId, after), ({ attempts, more, records }) => [
        [{ records, attempts }],
        more ? Option.some(records.at(-1)!.stepId) : Option.none()
      ])
  )
  const messages = paged<number, MessageRow>(
    0,
    (after, limit) => store.messages(workflowId, { topic: null, limit, consumed: true, after }),
    ({ seq }) => seq,
    ({ payload }) => payload.length
  )
  const events = paged<EventPlace | null, ArchivedEvent & EventPlace>(
    null,
    (after, limit) => store.eventWrites(workflowId, { after, limit }),
    ({ key, n }) => ({ key, n }),
    ({ value }) => value.length
  )
  const entriesOf = (key: string) =>
    paged<number, StreamEntry>(
      0,
      (from, limit) => Effect.map(store.readStreams([{ workflowId, key, from, limit }]), ([answer]) => answer!.entries),
      ({ offset }) => offset + 1,
      ({ value }) => value?.length ?? 0
    ).pipe(Stream.map((entries): HistoryPart => ({ entries: entries.map((entry) => ({ ...entry, key })) })))
  return records.pipe(
    Stream.concat(Stream.map(messages, (messages) => ({ messages }))),
    Stream.concat(Stream.map(events, (events) => ({ events: events.map(({ n: _, ...event }) => event) }))),
    Stream.concat(Stream.flatMap(Stream.fromIterableEffect(store.streams(workflowId)), ({ key }) => entriesOf(key)))
  )
}

// -----------------------------------------------------------------------------
// pages
// -----------------------------------------------------------------------------

/** Rows of a page: few at first, since a row may be of many megabytes. */
const firstRows = 10
const mostRows = 1000
/** Characters of values that a page shall have. */
const room = 4_000_000

/** How many rows to ask for after a page of so many characters. Pure. */
export const nextLimit = (limit: number, size: number): number =>
  size > room ? Math.max(1, limit >> 2) : size * 4 <= room ? Math.min(mostRows, limit * 4) : limit

/** Rows in pages, each from where the one before ended. */
const paged = <Place, Row>(
  start: Place,
  read: (after: Place, limit: number) => Effect.Effect<ReadonlyArray<Row>, StoreError>,
  placeOf: (row: Row) => Place,
  sizeOf: (row: Row) => number
): Stream.Stream<ReadonlyArray<Row>, StoreError> =>
  Stream.paginate({ after: start, limit: firstRows }, ({ after, limit }) =>
    Effect.map(read(after, limit), (rows) => [
      rows.length === 0 ? [] : [rows],
      rows.length < limit ? Option.none() : Option.some({
        after: placeOf(rows.at(-1)!),
        limit: nextLimit(limit, rows.reduce((sum, row) => sum + sizeOf(row), 0))
      })
    ]))

// -----------------------------------------------------------------------------
// importing
// -----------------------------------------------------------------------------

/**
 * The row as it arrives. What was not done is blocked: the store that it comes from may still run it, and what it does must
 * not be done twice because somebody wanted to look at it. Rollbacks that were still to run are left to that store: here
 * nobody owns the workflow, so it is done. Places in queues, deadlines and owners stay behind. Pure.
 */
export const arriving = (row: WorkflowRow, epoch: number, now: number): WorkflowRow => {
  const ended = row.status === "SUCCESS" || row.status === "ERROR"
  const stopped = row.status === "CANCELLED" || row.status === "DEAD_LETTER"
  const common = { ...row, epoch: Math.max(epoch, row.epoch), wakeAt: null, waits: null, phase: "done" } as const
  if (ended) return common
  // It may be resumed, and would wait in a queue that nobody knows here.
  const unplaced = {
    ...common,
    queue: null,
    priority: 0,
    partitionKey: null,
    deduplicationId: null,
    deadlineAt: null,
    executorId: null
  }
  return stopped ? { ...unplaced, completedAt: row.completedAt ?? now } : {
    ...unplaced,
    phase: "run",
    status: "BLOCKED",
    completedAt: null,
    output: null,
    reason: JSON.stringify({
      _tag: "Blocked",
      expected: "a workflow of this store",
      actual: "an imported one",
      detail: `it was ${row.status} when it was exported, and the store that it comes from may still run it`
    })
  }
}

/** Succeeds when it is there. Fails with `WorkflowConflict` where the id is taken: nothing is ever overwritten. */
export const importHistory = (core: Core, history: History): Effect.Effect<void, WorkflowError> =>
  Effect.gen(function*() {
    const checked = yield* attemptSync(() => checkHistory(history))
    const now = yield* Effect.mapError(core.store.now, fromStoreError)
    const workflow = arriving(checked.workflow, core.clock.firstEpoch(), now)
    const put = yield* Effect.mapError(core.store.putHistory({ ...checked, workflow }), fromStoreError)
    if (!put) return yield* Effect.fail(taken(workflow))
  })

const taken = ({ name, workflowId }: WorkflowRow): WorkflowError =>
  new WorkflowError({
    reason: new WorkflowConflict({ workflowId, name, detail: "an import overwrites nothing" })
  })

const checkHistory = (history: History): History => {
  const { records, workflow } = history
  checkTargetId(workflow.workflowId)
  checkWorkflowName(workflow.name)
  const ids = new Set(records.map(({ stepId }) => stepId))
  if (ids.size === records.length) return history
  throw new WorkflowError({
    reason: new InvalidArgument({
      argument: "history",
      detail: `of "${workflow.workflowId}" a step is there twice`,
      remedy: "Export it again."
    })
  })
}
