/** Carrying a workflow's history to another store, for people to look at and for code to be tried on. */
import * as Effect from "effect/Effect"
import type { ArchivedEntry, History, StoreError, StreamEntry, WorkflowRow } from "../Store.ts"
import { fromStoreError, InvalidArgument, WorkflowConflict, WorkflowError } from "../WorkflowError.ts"
import type { Core } from "./core.ts"
import { notFound } from "./managing.ts"
import { checkTargetId, checkWorkflowName } from "./names.ts"
import { attemptSync } from "./starting.ts"

// -----------------------------------------------------------------------------
// exporting
// -----------------------------------------------------------------------------

const all = 2_147_483_647
const page = 1000

/** The state comes last: what is recorded meanwhile is rather missing from the records than from the state. */
export const exportHistory = (core: Core, workflowId: string): Effect.Effect<History, WorkflowError> =>
  Effect.flatMap(
    Effect.mapError(read(core, workflowId), fromStoreError),
    (history) => history === undefined ? Effect.fail(notFound(workflowId)) : Effect.succeed(history)
  )

const read = ({ store }: Core, workflowId: string): Effect.Effect<History | undefined, StoreError> =>
  Effect.gen(function*() {
    const records: Array<History["records"][number]> = []
    const attempts: Array<History["attempts"][number]> = []
    let more = true
    while (more) {
      const read = yield* store.history(workflowId, records.at(-1)?.stepId ?? -1)
      records.push(...read.records)
      attempts.push(...read.attempts)
      more = read.more
    }
    const messages = yield* store.messages(workflowId, { topic: null, limit: all, consumed: true })
    const events = yield* store.eventWrites(workflowId)
    const entries: Array<ArchivedEntry> = []
    for (const { key } of yield* store.streams(workflowId)) {
      let read: ReadonlyArray<StreamEntry>
      let from = 0
      do {
        const [answer] = yield* store.readStreams([{ workflowId, key, from, limit: page }])
        read = answer!.entries
        entries.push(...read.map((entry) => ({ ...entry, key })))
        from += read.length
      } while (read.length > 0)
    }
    const workflow = yield* store.get(workflowId)
    return workflow === null ? undefined : { workflow, records, attempts, messages, events, entries }
  })

// -----------------------------------------------------------------------------
// importing
// -----------------------------------------------------------------------------

/**
 * The row as it arrives. What was not done is blocked: the store that it comes from may still run it, and what it does must
 * not be done twice because somebody wanted to look at it. Places in queues, deadlines and owners stay behind. Pure.
 */
export const arriving = (row: WorkflowRow, epoch: number): WorkflowRow => {
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
  return stopped ? unplaced : {
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
    const workflow = arriving(checked.workflow, core.clock.firstEpoch())
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
