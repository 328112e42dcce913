/** What tests do with a store again and again. */
import * as Effect from "effect/Effect"
import type { Advance, Answer, CancelAnswer, Claimed, Operation, Start, StepRecord, StoreService } from "perdure/Store"
import { advance, cancelled, start, succeed } from "./builders.ts"

export const leaseMs = 60_000

const order = { name: "Order", version: "1" }

/** Fails the test with the state at hand instead of turning for ever. */
const tries = 10_000

/**
 * Writes a batch as the journal does: what was `Busy` is submitted again until it is answered otherwise.
 */
export const write = Effect.fnUntraced(function*(store: StoreService, batch: ReadonlyArray<Operation>) {
  const answers: Array<Answer> = [...yield* store.write(batch)]
  for (let round = 0; round < tries; round++) {
    const busy = answers.flatMap((answer, index) => answer._tag === "Busy" ? [index] : [])
    if (busy.length === 0) return answers
    const again = yield* store.write(busy.map((index) => batch[index]!))
    busy.forEach((index, position) => answers[index] = again[position]!)
  }
  return yield* Effect.die(new Error(`still busy: ${JSON.stringify(answers)}`))
})

/** Writes one operation; its answer. */
export const submit = Effect.fnUntraced(function*(store: StoreService, operation: Operation) {
  const [answer] = yield* write(store, [operation])
  return answer!
})

/** Writes what must be recorded. */
export const recorded = Effect.fnUntraced(function*(store: StoreService, operation: Advance) {
  const answer = yield* submit(store, operation)
  if (answer._tag !== "Recorded") return yield* Effect.die(new Error(`not recorded: ${JSON.stringify(answer)}`))
  return answer
})

/** Registers an incarnation; its executor id is `executor of <incarnation>`. */
export const join = (store: StoreService, incarnation: string) =>
  Effect.as(
    store.join({ incarnation, executorId: `executor of ${incarnation}`, version: "1" }, leaseMs),
    incarnation
  )

/** Starts a workflow that an incarnation runs at once, at epoch 1. */
export const startOwned = Effect.fnUntraced(function*(
  store: StoreService,
  workflowId: string,
  owner: string,
  given: Partial<Start> = {}
) {
  const answer = yield* submit(store, start({ ...given, workflowId, owner }))
  if (answer._tag !== "Started") return yield* Effect.die(new Error(`not started: ${JSON.stringify(answer)}`))
})

/** One claim of what is due under the name `Order`, version 1. */
export const claim = (
  store: StoreService,
  incarnation: string,
  options: {
    readonly limit?: number
    readonly served?: ReadonlyArray<{ name: string; version: string }>
    readonly queues?: ReadonlyArray<string> | null
  } = {}
) =>
  store.claim({
    incarnation,
    served: options.served ?? [order],
    queues: options.queues ?? null,
    limit: options.limit ?? 1_000
  })

/** The ids of what one claim takes, in its order. */
export const claimIds = (...args: Parameters<typeof claim>) =>
  Effect.map(claim(...args), ({ claimed }) => claimed.map(({ row }) => row.workflowId))

/** Claims until it has this very workflow. */
export const claimUntil = Effect.fnUntraced(function*(
  store: StoreService,
  incarnation: string,
  workflowId: string
): Effect.fn.Return<Claimed, unknown> {
  for (let round = 0; round < tries; round++) {
    const { claimed } = yield* claim(store, incarnation)
    const found = claimed.find(({ row }) => row.workflowId === workflowId)
    if (found) return found
  }
  return yield* Effect.die(new Error(`never due: ${JSON.stringify(yield* store.get(workflowId))}`))
})

/** All records of a workflow, page by page. */
export const historyOf = Effect.fnUntraced(function*(
  store: StoreService,
  workflowId: string,
  after = -1
): Effect.fn.Return<ReadonlyArray<StepRecord>, unknown> {
  const all: Array<StepRecord> = []
  let last = after
  while (true) {
    const page = yield* store.history(workflowId, last)
    all.push(...page.records)
    last = Math.max(last, ...page.records.map(({ stepId }) => stepId), ...page.attempts.map(({ stepId }) => stepId))
    if (!page.more) return all
  }
})

/** Sweeps until a round was not full; everything that it did. */
export const sweep = Effect.fnUntraced(function*(store: StoreService, limit = 1_000) {
  const all = { released: 0, deadLettered: [] as Array<string>, expired: [] as Array<string> }
  for (let round = 0; round < tries; round++) {
    const swept = yield* store.sweep(limit)
    all.released += swept.released
    all.deadLettered.push(...swept.deadLettered)
    all.expired.push(...swept.expired)
    if (!swept.more) return all
  }
  return yield* Effect.die(new Error(`the sweep never ends: ${JSON.stringify(all)}`))
})

/** Lets every lease end that was taken or renewed before. */
export const lapse = (store: StoreService) => store.adjustClock(leaseMs + 1_000)

/** Loses the lease of a fresh incarnation that has claimed this workflow: one recovery attempt. */
export const loseOnce = Effect.fnUntraced(function*(store: StoreService, workflowId: string, incarnation: string) {
  yield* join(store, incarnation)
  const claimed = yield* claimUntil(store, incarnation, workflowId)
  yield* lapse(store)
  return { claimed, swept: yield* sweep(store) }
})

export const cancel = (
  store: StoreService,
  workflowIds: ReadonlyArray<string>,
  children = true
): Effect.Effect<ReadonlyArray<CancelAnswer>, unknown> =>
  store.cancel(workflowIds, { reason: cancelled("user"), childReason: cancelled("parent"), children })

/** What a living owner does about its losses: one heartbeat tells it of them, the next one says that they have ended. */
export const acknowledge = (store: StoreService, incarnation: string, forMs = leaseMs) =>
  Effect.flatMap(
    store.heartbeat(incarnation, forMs, []),
    ({ revoked }) => store.heartbeat(incarnation, forMs, revoked)
  )

/** Starts an unowned workflow and ends it. */
export const startDone = Effect.fnUntraced(function*(store: StoreService, workflowId: string, owner: string) {
  yield* startOwned(store, workflowId, owner)
  yield* recorded(store, advance(workflowId, 1, { end: succeed }))
})

/** Whether a workflow could be claimed now. */
export const isDue = Effect.fnUntraced(function*(store: StoreService, workflowId: string) {
  const row = yield* store.get(workflowId)
  return row !== null && row.phase !== "done" && row.wakeAt !== null && row.wakeAt <= (yield* store.now)
})

/** Two effects at the same time, the later one by a few turns, another number of them in each round. */
export const race = <A, E, B, E2>(round: number, left: Effect.Effect<A, E>, right: Effect.Effect<B, E2>) => {
  const turns = Effect.forEach(Array.from({ length: Math.floor(round / 2) % 8 }), () => Effect.yieldNow)
  const [first, second] = round % 2 === 0 ? [left, Effect.andThen(turns, right)] : [Effect.andThen(turns, left), right]
  return Effect.all([first as Effect.Effect<A, E>, second as Effect.Effect<B, E2>], { concurrency: "unbounded" })
}

/** The rounds of a race. */
export const rounds = (count: number) => Array.from({ length: count }, (_, round) => round)
