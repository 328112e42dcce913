/**
 * Workflows seen and steered from outside, whatever their definition. The same from an engine that runs workflows and
 * from one that does not.
 *
 * **In a workflow's body** nothing here is recorded, so a replay might see another answer: `result`, `waitFirst` and
 * `waitAll` are durable operations there, everything else fails with `NotInBody`. In a step it works as anywhere:
 *
 * ```ts
 * const status = yield* Step.run("look", Effect.map(Client.get(id), (info) => info.status))
 * ```
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Engine } from "./Engine.ts"
import type { EnqueueOptions } from "./EnqueueOptions.ts"
import * as Archiving from "./internal/archiving.ts"
import type { HistoryPart } from "./internal/archiving.ts"
import * as Awaiting from "./internal/awaiting.ts"
import * as Bulk from "./internal/bulkManaging.ts"
import type { BulkOptions, BulkResult } from "./internal/bulkManaging.ts"
import type { Core } from "./internal/core.ts"
import * as Erasing from "./internal/erasing.ts"
import type { RetainOptions } from "./internal/erasing.ts"
import * as Events from "./internal/events.ts"
import type { EventInfo, EventOptions } from "./internal/events.ts"
import { type ExecutorInfo, executorOf } from "./internal/executorInfo.ts"
import type { Explanation } from "./internal/explaining.ts"
import * as Filtering from "./internal/filtering.ts"
import { cursorOf, type Filter, listFilterOf, lookOf, type PageOptions } from "./internal/filtering.ts"
import * as Forking from "./internal/forking.ts"
import { explainById } from "./internal/gathering.ts"
import { outsideBody } from "./internal/inBody.ts"
import { invalid } from "./internal/invalid.ts"
import * as Managing from "./internal/managing.ts"
import type { WorkflowInfo } from "./internal/managing.ts"
import { checkKey, checkTargetId } from "./internal/names.ts"
import * as Naming from "./internal/naming.ts"
import type { DefinitionInfo, DefinitionSchemas } from "./internal/naming.ts"
import * as Observing from "./internal/observing.ts"
import type { Activity, Names, SpanOptions } from "./internal/observing.ts"
import * as Paging from "./internal/paging.ts"
import * as Placing from "./internal/replacing.ts"
import { attemptSync } from "./internal/starting.ts"
import type { StepInfo } from "./internal/stepInfo.ts"
import * as Told from "./internal/told.ts"
import type { MessageInfo, MessageOptions, StreamInfo, StreamPage } from "./internal/told.ts"
import * as Waiting from "./internal/waitingFor.ts"
import type { Json } from "./Json.ts"
import type { Hint, History, ProgressRow } from "./Store.ts"
import type { ExecuteOptions, Workflow } from "./Workflow.ts"
import { fromStoreError, type WorkflowError } from "./WorkflowError.ts"
import * as WorkflowHandle from "./WorkflowHandle.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

export * as queues from "./client/queues.ts"
export * as schedules from "./client/schedules.ts"
export * as versions from "./client/versions.ts"
export type { HistoryPart } from "./internal/archiving.ts"
export type { BulkOptions, BulkResult } from "./internal/bulkManaging.ts"
export type { RetainOptions } from "./internal/erasing.ts"
export type { EventInfo, EventOptions } from "./internal/events.ts"
export type { ExecutorInfo } from "./internal/executorInfo.ts"
export type { Explanation, Hold, Living, Wait, Why } from "./internal/explaining.ts"
export type { Filter } from "./internal/filtering.ts"
export type { WorkflowInfo } from "./internal/managing.ts"
export type { DefinitionInfo, DefinitionSchemas } from "./internal/naming.ts"
export type { Activity, Bucket, Names, SpanOptions } from "./internal/observing.ts"
export type { FailedAttempt, StepInfo } from "./internal/stepInfo.ts"
export type { MessageInfo, MessageOptions, StreamEntryInfo, StreamInfo, StreamPage } from "./internal/told.ts"

/** Which workflows a list shows, and how it is cut. */
export interface ListOptions extends Filter, PageOptions {}

/** A page of workflows. */
export interface Page {
  readonly workflows: ReadonlyArray<WorkflowInfo>
  /** For the next page; undefined: this was the last. */
  readonly cursor: string | undefined
  /** With `look`: looking stopped at one that was created then, before the page was full. */
  readonly lookedTo: Date | undefined
}

/** How to cancel. */
export interface CancelOptions {
  /** Also the children that are not detached, however deep. Default: true. */
  readonly children?: boolean | undefined
  /** Stored with the workflow, for people. */
  readonly detail?: string | undefined
}

/** How to delete. */
export interface DeleteOptions {
  /**
   * Also all children, however deep, detached ones too. Default: false: they stay, and a workflow that has the id of their
   * parent again finds them.
   */
  readonly children?: boolean | undefined
}

/** How a fork differs from its source. */
export interface ForkOptions<Payload> {
  /**
   * The first step that it does for itself: the records of those before are copied, with their times. So a limit that began
   * before it (`Workflow.timeout` around it, a sleep beside it) may be over as the fork starts. Default: 0, none.
   */
  readonly fromStep?: number | undefined
  /** Default: a random UUID. */
  readonly workflowId?: string | undefined
  /** Default: the source's; `""`: the latest when it starts. */
  readonly version?: string | undefined
  /** Another payload; only from step 0. Default: the source's. */
  readonly payload?: Payload | undefined
  /** From the fork's start to its end. Default: none. */
  readonly timeout?: Duration.Input | undefined
}

// -----------------------------------------------------------------------------
// looking
// -----------------------------------------------------------------------------

/** One workflow. Fails with `WorkflowNotFound`. */
export const get = (workflowId: string): Effect.Effect<WorkflowInfo, WorkflowError, Engine> =>
  ofOne("get", workflowId, Managing.get)

/** A page of workflows, by creation and id, so that a page is never cut or doubled by what is started meanwhile. */
export const list = (options: ListOptions = {}): Effect.Effect<Page, WorkflowError, Engine> =>
  managed("list", (core) =>
    Effect.gen(function*() {
      const filter = yield* attemptSync(() => listFilterOf(options))
      const look = options.look === undefined ? undefined : yield* attemptSync(() => lookOf(options.look!))
      const { lookedTo, workflows } = yield* Managing.list(core, filter, look)
      const last = workflows[workflows.length - 1]
      const cursor = lookedTo !== null
        ? cursorOf(lookedTo.createdAt, lookedTo.workflowId)
        : last === undefined || workflows.length < filter.limit
        ? undefined
        : cursorOf(last.createdAt.getTime(), last.workflowId)
      return { workflows, cursor, lookedTo: lookedTo === null ? undefined : new Date(lookedTo.createdAt) }
    }))

/** How many workflows fit, counted up to `limit`: 1 to 10,000,000. Default: 100,000. */
export const count = (
  filter: Filter = {},
  options: { readonly limit?: number | undefined } = {}
): Effect.Effect<number, WorkflowError, Engine> =>
  managed("count", (core) =>
    Effect.flatMap(
      attemptSync(() => ({
        ...listFilterOf({ ...filter, limit: 1 }),
        limit: Paging.checkLimit(options.limit ?? 100_000, Bulk.countLimit)
      })),
      (restricted) => Effect.mapError(core.store.count(restricted), fromStoreError)
    ))

/**
 * As {@link count}, but at most `look` workflows are looked at where no index finds what fits, the newest. `complete`:
 * false where it stopped there, or at `limit`: then there are at least so many.
 */
export const countWithin = (
  filter: Filter,
  options: { readonly limit?: number | undefined; readonly look: number }
): Effect.Effect<{ readonly count: number; readonly complete: boolean }, WorkflowError, Engine> =>
  managed("countWithin", (core) =>
    Effect.flatMap(
      attemptSync(() => ({
        restricted: {
          ...listFilterOf({ ...filter, limit: 1 }),
          limit: Paging.checkLimit(options.limit ?? 100_000, Bulk.countLimit)
        },
        look: lookOf(options.look)
      })),
      ({ look, restricted }) => Effect.mapError(core.store.countWithin(restricted, look), fromStoreError)
    ))

/**
 * The recorded steps of a workflow, in the order of calls. Fails with `WorkflowNotFound`.
 *
 * - `after`: only those with a greater id. Default: from the first.
 * - `limit`: at most so many, from 1. Default: all.
 */
export const steps = (
  workflowId: string,
  options: { readonly after?: number | undefined; readonly limit?: number | undefined } = {}
): Effect.Effect<ReadonlyArray<StepInfo>, WorkflowError, Engine> =>
  ofOne(
    "steps",
    workflowId,
    (core, id) => Effect.flatMap(attemptSync(() => stepsPageOf(options)), (page) => Managing.steps(core, id, page))
  )

/**
 * The events that a workflow has set, by key, whatever their definitions; with one at hand use its `get`. Fails with
 * `WorkflowNotFound`.
 */
export const events = (
  workflowId: string,
  options: EventOptions = {}
): Effect.Effect<ReadonlyArray<EventInfo>, WorkflowError, Engine> =>
  ofOne("events", workflowId, (core, id) => Events.all(core, id, options))

/** The messages that a workflow has been sent, oldest first, a page of them. Fails with `WorkflowNotFound`. */
export const messages = (
  workflowId: string,
  options: MessageOptions = {}
): Effect.Effect<ReadonlyArray<MessageInfo>, WorkflowError, Engine> =>
  ofOne("messages", workflowId, (core, id) => Told.messages(core, id, options))

/** The streams of a workflow, by key; their entries are read with `WorkflowStream`. Fails with `WorkflowNotFound`. */
export const streams = (workflowId: string): Effect.Effect<ReadonlyArray<StreamInfo>, WorkflowError, Engine> =>
  ofOne("streams", workflowId, Told.streams)

/**
 * Entries of a stream of a workflow, whatever its definition: from an offset (below 0: so many before the end; default: 0),
 * at most `limit` (1 to 1,000; default: 100). Fails with `WorkflowNotFound`. A stream that nobody has written to is empty.
 */
export const stream = (
  workflowId: string,
  key: string,
  options: { readonly from?: number | undefined; readonly limit?: number | undefined } = {}
): Effect.Effect<StreamPage, WorkflowError, Engine> =>
  ofOne("stream", workflowId, (core, id) =>
    Effect.flatMap(
      attemptSync(() => ({ key: checkKey(key, "stream key"), page: streamPageOf(options) })),
      ({ key, page }) => Told.stream(core, id, key, page)
    ))

/**
 * What a workflow waits for, since when, and what would wake it: as data, and in words. Fails with `WorkflowNotFound`.
 *
 * It is put together from several reads, so it may be out of date by what happened between them.
 */
export const explain = (workflowId: string): Effect.Effect<Explanation, WorkflowError, Engine> =>
  ofOne("explain", workflowId, explainById)

/** The executors that are alive, and those that lapsed and still own something or lapsed within the hour. */
export const executors: Effect.Effect<ReadonlyArray<ExecutorInfo>, WorkflowError, Engine> = managed(
  "executors",
  (core) =>
    Effect.mapBoth(core.store.executors, { onFailure: fromStoreError, onSuccess: (rows) => rows.map(executorOf) })
)

/** The store that this engine uses, which it asks for the time: so it is there. */
export const store: Effect.Effect<
  { readonly name: "sqlite" | "postgres"; readonly now: Date },
  WorkflowError,
  Engine
> = managed(
  "store",
  (core) =>
    Effect.map(
      Effect.mapError(core.store.now, fromStoreError),
      (now) => ({ name: core.store.name, now: new Date(now) })
    )
)

/** The process start of this engine, as {@link executors} lists it. Undefined: it runs no workflows. */
export const incarnation: Effect.Effect<string | undefined, WorkflowError, Engine> = managed(
  "incarnation",
  (core) => Effect.sync(() => core.executor?.incarnation())
)

/**
 * How many workflows were created over time, and what became of them by now: in so many `buckets` (1 to 1,000; default: 60)
 * of the range. Its cost is bounded by `limit`: where there are more, the newest are looked at.
 */
export const activity = (
  options: SpanOptions & { readonly buckets?: number | undefined } = {}
): Effect.Effect<Activity, WorkflowError, Engine> => managed("activity", (core) => Observing.activity(core, options))

/** How workflows have ended and how long they took, by name, of those that were created in the range. Bounded like {@link activity}. */
export const names = (options: SpanOptions = {}): Effect.Effect<Names, WorkflowError, Engine> =>
  managed("names", (core) => Observing.names(core, options))

/** How far workflows are, those that exist: cheap enough to be asked for every second. At most 1,000 ids. */
export const progress = (
  workflowIds: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<ProgressRow>, WorkflowError, Engine> =>
  managed("progress", (core) =>
    Effect.flatMap(
      attemptSync(() => {
        if (workflowIds.length <= 1000) return workflowIds.map(checkTargetId)
        throw invalid("workflow ids", `there are ${workflowIds.length}`, "Give at most 1,000 at a time.")
      }),
      (ids) => Effect.mapError(core.store.progress(ids), fromStoreError)
    ))

/**
 * Hints that something has changed, as this engine hears them: time to look again. They may be lost, doubled or late, and on
 * some stores say only that anything may have changed: poll too.
 */
export const changes: Stream.Stream<Hint, never, Engine> = Stream.unwrap(
  Effect.map(Engine, ({ core }) => Observing.changes(core))
)

/** The workflows of which this engine has the code, by name. None for one that runs no workflows. */
export const definitions: Effect.Effect<ReadonlyArray<DefinitionInfo>, WorkflowError, Engine> = managed(
  "definitions",
  (core) =>
    Effect.sync(() => (core.executor?.definitions() ?? []).map(Naming.infoOf).sort((a, b) => a.name < b.name ? -1 : 1))
)

/**
 * The schemas of the workflows that this engine has the code of, by name. Of those whose code is elsewhere nothing is known
 * but what they have stored.
 */
export const schemas: Effect.Effect<ReadonlyMap<string, DefinitionSchemas>, WorkflowError, Engine> = managed(
  "schemas",
  (core) =>
    Effect.sync(() => new Map((core.executor?.definitions() ?? []).map((one) => [one.name, Naming.schemasOf(one)])))
)

// -----------------------------------------------------------------------------
// steering
// -----------------------------------------------------------------------------

/**
 * Cancels workflows: running steps are interrupted, wherever they run, nothing more of the body runs, rollbacks run.
 *
 * *Details*
 *
 * Workflows that are done stay as they are. Fails with `WorkflowNotFound` when one does not exist; the others are
 * cancelled.
 *
 * **Durability.** Once this succeeds it cannot be taken back: no step of theirs starts later than a heartbeat from now.
 */
export const cancel = (
  workflowIds: string | ReadonlyArray<string>,
  options: CancelOptions = {}
): Effect.Effect<void, WorkflowError, Engine> =>
  ofMany("cancel", workflowIds, (core, ids) => Effect.asVoid(Managing.cancel(core, ids, options)))

/**
 * Makes cancelled, dead-lettered and blocked workflows due again; recorded steps are not run again.
 *
 * One that was running when it was cancelled is resumed when its steps have ended where it ran, or have been interrupted for
 * two seconds, so that none runs beside itself: this waits until that executor says so or has lost its lease, mostly for no
 * more than a moment. One with rollbacks is undone then instead, and cannot be resumed.
 *
 * Fails with `WorkflowNotFound`, or with `NotResumable` for one that is not in such a state, whose rollbacks have begun,
 * or whose deduplication id another has now; the others are resumed.
 */
export const resume = (workflowIds: string | ReadonlyArray<string>): Effect.Effect<void, WorkflowError, Engine> =>
  ofMany("resume", workflowIds, Managing.resume)

/**
 * Deletes workflows that are done, with everything that is stored of them: their ids are free again.
 *
 * Fails with `WorkflowNotFound`, or with `NotDeletable` for one that is not done; the others are deleted.
 */
const delete_ = (
  workflowIds: string | ReadonlyArray<string>,
  options: DeleteOptions = {}
): Effect.Effect<void, WorkflowError, Engine> =>
  ofMany("delete", workflowIds, (core, ids) => Erasing.deleteAll(core, ids, options))

export { delete_ as delete }

/**
 * Starts a new workflow from another's records up to a step: to try again from there with mended code, or in another
 * version. The source stays as it is, in whatever state. Succeeds with the fork's handle, or, where no definition is given,
 * with its id; without the definition a payload is given encoded.
 *
 * *Details*
 *
 * What the copied steps did is not done again. The fork is of the same name, user, roles and attributes; it has no
 * parent, queue, deadline or messages. Rollbacks of copied steps are the source's. Fails with `WorkflowNotFound`, with
 * `WorkflowConflict` where the id is taken, with `InvalidArgument` for a step that the source does not have.
 *
 * **Durability.** Its row and the copied records commit together.
 */
export const fork: {
  <Payload, Success, Error>(
    workflow: Workflow<string, Payload, Success, Error>,
    workflowId: string,
    options?: ForkOptions<NoInfer<Payload>>
  ): Effect.Effect<WorkflowHandle.WorkflowHandle<Success, Error>, WorkflowError, Engine>
  (workflowId: string, options?: ForkOptions<Json>): Effect.Effect<string, WorkflowError, Engine>
} = Forking.dual((definition, workflowId, options) => {
  const forked = managed("fork", (core) => Forking.fork(core, workflowId, options, definition))
  return definition === undefined ? forked : Effect.map(forked, (id) => WorkflowHandle.make(id, definition))
})

/**
 * Starts a workflow by its name, where its definition is not at hand. Succeeds with its id once the start is durable.
 *
 * *Details*
 *
 * `payload` is the encoded one, plain JSON: checked against the schema where this engine has the code, else by the code that
 * runs it. `queue` is the name of one that the store knows; `priority`, `partitionKey` and `deduplicationId` are of it.
 * Default of `version`: `""`, the latest when it starts. Otherwise like the `start` of a definition.
 *
 * *Gotchas*
 *
 * Where this engine does not have the code, what the definition says beside its payload is not known: no `requiredRoles` are
 * asked for, `maxRecoveryAttempts` is 5, and there is no timeout but one that is given.
 */
export const start = (
  name: string,
  options: Omit<ExecuteOptions, "key" | "detached"> & Omit<EnqueueOptions, "version" | "delay"> & {
    readonly payload?: Json | undefined
    readonly queue?: string | undefined
  } = {}
): Effect.Effect<string, WorkflowError, Engine> => managed("start", (core) => Naming.start(core, name, options))

/**
 * Whether a filter leaves anything out, which `cancelAll`, `resumeAll` and `deleteAll` ask for: `""` as a prefix and no
 * attributes do not. Fails with `InvalidArgument` for one that makes no sense.
 */
export const restricts = (filter: Filter): Effect.Effect<boolean, WorkflowError> =>
  attemptSync(() => Filtering.restricts(filter))

/** Cancels all that fit and are not done. Those that are started meanwhile are left alone. */
export const cancelAll = (
  filter: Filter,
  options: CancelOptions & BulkOptions = {}
): Effect.Effect<BulkResult, WorkflowError, Engine> =>
  inBulk(
    "cancelAll",
    filter,
    options,
    (core, ids) =>
      Effect.map(
        Managing.cancelEach(core, ids, options),
        // Of those that were asked for: children that go along are none of them.
        (answers) => answers.slice(0, ids.length).filter(({ result }) => result === "cancelled").length
      )
  )

/** Resumes all that fit and can be resumed. */
export const resumeAll = (
  filter: Filter,
  options: BulkOptions = {}
): Effect.Effect<BulkResult, WorkflowError, Engine> =>
  inBulk(
    "resumeAll",
    filter,
    options,
    (core, ids) =>
      Effect.map(
        Managing.resumeEach(core, ids),
        (answers) => answers.filter(({ result }) => result === "resumed").length
      )
  )

/** Deletes all that fit and are done. */
export const deleteAll = (
  filter: Filter,
  options: DeleteOptions & BulkOptions = {}
): Effect.Effect<BulkResult, WorkflowError, Engine> =>
  inBulk(
    "deleteAll",
    filter,
    options,
    (core, ids) =>
      Effect.map(
        Erasing.deleteEach(core, ids, options),
        (answers) => answers.filter(({ result }) => result === "deleted").length
      )
  )

/**
 * Deletes workflows that are done and older than an age, beyond the newest so many of each name, or both; in batches, until
 * there are no more. Succeeds with how many. A child stays while its parent is not done.
 */
export const retain = (options: RetainOptions): Effect.Effect<number, WorkflowError, Engine> =>
  managed("retain", (core) => Erasing.retain(core, options))

/**
 * Moves the start of a `DELAYED` workflow: to so long from now, or to a time; what is past is due at once. Fails with
 * `NotWaiting` for one that is not delayed any more, with `WorkflowNotFound`.
 */
export const setDelay = (
  workflowId: string,
  delay: Duration.Input | Date
): Effect.Effect<void, WorkflowError, Engine> =>
  ofOne("setDelay", workflowId, (core, id) => Placing.setDelay(core, id, delay))

/**
 * Gives a workflow that waits in a queue, or is delayed for one, another priority: 1 to 2,147,483,647. Its place among
 * equals stays by when it was enqueued. Fails with `NotWaiting`, with `WorkflowNotFound`.
 */
export const setPriority = (workflowId: string, priority: number): Effect.Effect<void, WorkflowError, Engine> =>
  ofOne("setPriority", workflowId, (core, id) => Placing.setPriority(core, id, priority))

/** Replaces the attributes of a workflow, in whatever state. Fails with `WorkflowNotFound`. */
export const setAttributes = (
  workflowId: string,
  attributes: Readonly<Record<string, string | number | boolean>>
): Effect.Effect<void, WorkflowError, Engine> =>
  ofOne("setAttributes", workflowId, (core, id) => Placing.setAttributes(core, id, attributes))

// -----------------------------------------------------------------------------
// carrying
// -----------------------------------------------------------------------------

/**
 * Everything that is stored of a workflow, to be kept as a file or given to {@link importHistory} on another store. Fails with
 * `WorkflowNotFound`. It is put together from several reads: of one that runs, what happens between may be missing.
 */
export const exportHistory = (workflowId: string): Effect.Effect<History, WorkflowError, Engine> =>
  ofOne("exportHistory", workflowId, Archiving.exportHistory)

/**
 * The same as a stream, in parts of which each is a page of rows at the most: the state first, then records with attempts,
 * messages, values of events, entries of streams. For histories that are not to be held in memory. Fails besides with
 * `InvalidArgument` when the workflow began anew meanwhile; what came until then is of no use.
 */
export const streamHistory = (workflowId: string): Stream.Stream<HistoryPart, WorkflowError, Engine> =>
  Stream.unwrap(ofOne("streamHistory", workflowId, (core, id) => Effect.succeed(Archiving.streamHistory(core, id))))

/**
 * Writes a history into this store, under its own id, to look at it, to fork from it, or to try code on it.
 *
 * *Details*
 *
 * Nothing is overwritten: where the id is taken it fails with `WorkflowConflict`. A workflow that was not done arrives
 * `BLOCKED`, since the store that it comes from may still run it: nothing of it runs here before it is resumed. It is in no
 * queue and has no deadline here. Its children are not brought along. One that was cancelled is done here, also if it was
 * still at its rollbacks: they are left to the other store.
 *
 * **Durability.** All of it is there in one commit.
 */
export const importHistory = (history: History): Effect.Effect<void, WorkflowError, Engine> =>
  managed("importHistory", (core) => Archiving.importHistory(core, history))

// -----------------------------------------------------------------------------
// waiting
// -----------------------------------------------------------------------------

/**
 * The encoded result of a workflow whose definition is not at hand; with it, use its handle.
 *
 * Waits until it is done, or for `timeout`: then it fails with `ResultTimeout`. A workflow that ended otherwise than in
 * success fails as its handle would, with undeclared errors only.
 *
 * **Durability.** In a body it is recorded.
 */
export const result = (
  workflowId: string,
  options: { readonly timeout?: Duration.Input | undefined } = {}
): Effect.Effect<unknown, WorkflowError, Engine> =>
  Effect.flatMap(
    Engine,
    ({ core }) =>
      Effect.flatMap(attemptSync(() => checkTargetId(workflowId)), (id) =>
        options.timeout === undefined
          ? Awaiting.result(core, id, untyped)
          : Awaiting.resultWithin(core, id, untyped, options.timeout))
  )

/** A workflow, by its id or by its handle. */
export type Reference = string | { readonly workflowId: string }

/**
 * Waits until the first of the workflows is done, however it ended, and returns its id. One that is done already counts.
 * Fails with `InvalidArgument` for an empty list and for an id given twice, with `WorkflowNotFound` for an unknown one.
 *
 * **Durability.** In a body it is recorded which was the first.
 */
export const waitFirst = (workflows: ReadonlyArray<Reference>): Effect.Effect<string, WorkflowError, Engine> =>
  Effect.flatMap(
    Engine,
    ({ core }) =>
      Effect.flatMap(attemptSync(() => distinct(idsOf(workflows))), (ids) => Waiting.first(core, ids, untyped))
  )

/**
 * Waits until all of the workflows are done, however they ended; what each came to is then its result. Fails with
 * `WorkflowNotFound` for an unknown one.
 *
 * **Durability.** In a body it is recorded.
 */
export const waitAll = (workflows: ReadonlyArray<Reference>): Effect.Effect<void, WorkflowError, Engine> =>
  Effect.flatMap(
    Engine,
    ({ core }) =>
      Effect.flatMap(attemptSync(() => idsOf(workflows)), (ids) => Waiting.all(core, [...new Set(ids)], untyped))
  )

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

const untyped = Naming.untyped("workflow")

function managed<A>(
  operation: string,
  f: (core: Core) => Effect.Effect<A, WorkflowError>
): Effect.Effect<A, WorkflowError, Engine> {
  return Effect.flatMap(Engine, ({ core }) => outsideBody(`Client.${operation}`, () => f(core)))
}

function ofOne<A>(
  operation: string,
  workflowId: string,
  f: (core: Core, workflowId: string) => Effect.Effect<A, WorkflowError>
): Effect.Effect<A, WorkflowError, Engine> {
  return managed(operation, (core) => Effect.flatMap(attemptSync(() => checkTargetId(workflowId)), (id) => f(core, id)))
}

function ofMany(
  operation: string,
  workflowIds: string | ReadonlyArray<string>,
  f: (core: Core, workflowIds: ReadonlyArray<string>) => Effect.Effect<void, WorkflowError>
): Effect.Effect<void, WorkflowError, Engine> {
  return managed(operation, (core) =>
    Effect.flatMap(
      attemptSync(() => (typeof workflowIds === "string" ? [workflowIds] : workflowIds).map(checkTargetId)),
      (ids) => Managing.inBatches(ids, (batch) => f(core, batch))
    ))
}

function inBulk(
  operation: string,
  filter: Filter,
  options: BulkOptions,
  act: (core: Core, workflowIds: ReadonlyArray<string>) => Effect.Effect<number, WorkflowError>
): Effect.Effect<BulkResult, WorkflowError, Engine> {
  return managed(operation, (core) => Bulk.each(core, filter, options, (ids) => act(core, ids)))
}

const streamPageOf = (
  { from = 0, limit = 100 }: { readonly from?: number | undefined; readonly limit?: number | undefined }
): { readonly from: number; readonly limit: number } => {
  if (!Number.isSafeInteger(from)) throw invalid("from", `it is ${from}`, "Give a whole number.")
  return { from, limit: Paging.checkLimit(limit, 1000) }
}

/** Ids of steps are 32-bit numbers. */
const lastStepId = 2_147_483_647

const stepsPageOf = (
  { after = -1, limit = Paging.all }: { readonly after?: number | undefined; readonly limit?: number | undefined }
): { readonly after: number; readonly limit: number } => {
  if (!Number.isInteger(after) || after < -1 || after > lastStepId) {
    throw invalid("after", `it is ${after}`, "Give the id of a step.")
  }
  return { after, limit: Paging.checkLimit(limit) }
}

const idsOf = (workflows: ReadonlyArray<Reference>): ReadonlyArray<string> =>
  workflows.map((workflow) => checkTargetId(typeof workflow === "string" ? workflow : workflow.workflowId))

const distinct = (workflowIds: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (workflowIds.length === 0) throw invalid("workflow ids", "there are none", "Give at least one.")
  if (new Set(workflowIds).size < workflowIds.length) {
    throw invalid("workflow ids", "one is there twice", "Give each once.")
  }
  return workflowIds
}
