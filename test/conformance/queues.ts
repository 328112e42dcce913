/** What tests do with queues again and again. */
import * as Effect from "effect/Effect"
import type { Enqueued, QueueLimits, Start, StoreService } from "perdure/Store"
import type { Client, Given } from "./Backend.ts"
import { advance, start, succeed } from "./builders.ts"
import { claim, join, recorded, rounds, write } from "./verbs.ts"

/** No limits but those given. */
export const limits = (given: Partial<QueueLimits> = {}): QueueLimits => ({
  concurrency: null,
  executorConcurrency: null,
  rateLimit: null,
  partitioned: null,
  ageingMs: null,
  ...given
})

/** Partitioned, one of a key at a time, unless said otherwise. */
export const perKey = (given: Partial<NonNullable<QueueLimits["partitioned"]>> = {}): QueueLimits["partitioned"] => ({
  concurrency: 1,
  executorConcurrency: null,
  rateLimit: null,
  ...given
})

/** A place in the queue `q`. */
export const place = (given: Partial<Enqueued> = {}): Enqueued => ({
  queue: "q",
  priority: 0,
  partitionKey: null,
  deduplicationId: null,
  debounce: null,
  ...given
})

/** A start in the queue `q`. */
export const queued = (workflowId: string, given: Partial<Enqueued> = {}, rest: Partial<Start> = {}): Start =>
  start({ workflowId, queue: place(given), ...rest })

/** Enqueues them in this order in one write; all must be started. */
export const enqueue = Effect.fnUntraced(function*(store: StoreService, starts: ReadonlyArray<Start>) {
  const answers = yield* write(store, starts)
  if (answers.some(({ _tag }) => _tag !== "Started")) {
    return yield* Effect.die(new Error(`not started: ${JSON.stringify(answers)}`))
  }
})

/** One claim; again while somebody else was at a queue. */
export const claimQueued = Effect.fnUntraced(function*(...args: Parameters<typeof claim>) {
  while (true) {
    const answer = yield* claim(...args)
    if (!answer.contended || answer.claimed.length > 0) return answer
    yield* Effect.yieldNow
  }
})

/** The ids of what one claim takes, in its order. */
export const takeIds = (...args: Parameters<typeof claim>) =>
  Effect.map(claimQueued(...args), ({ claimed }) => claimed.map(({ row }) => row.workflowId))

/** Ends what this incarnation runs. */
export const finish = Effect.fnUntraced(
  function*(store: StoreService, incarnation: string, ids: ReadonlyArray<string>) {
    const owned = new Map((yield* store.owned(incarnation)).map(({ epoch, workflowId }) => [workflowId, epoch]))
    for (const id of ids) yield* recorded(store, advance(id, owned.get(id) ?? -1, { end: succeed }))
  }
)

/** A fresh queue `q` with these limits, and `i` who claims. */
export const withQueue = Effect.fnUntraced(function*(store: StoreService, given: Partial<QueueLimits> = {}) {
  yield* join(store, "i")
  yield* store.registerQueue("q", limits(given))
})

/** Several executors, `i0` and so on, each with a client of its own. */
export const executorsOf = Effect.fnUntraced(function*(given: Given, count: number) {
  const clients: Array<Client> = [given]
  while (clients.length < count) clients.push(yield* given.another)
  for (const index of rounds(count)) yield* join(given.store, `i${index}`)
  return clients
})

/**
 * Claimers at the same time until all `total` are done: each claims, notes what it began, and ends it in a later write.
 * `began` is called between the claim and the end, `ended` before the end is written: what is between them was admitted.
 */
export const drain = Effect.fnUntraced(function*(
  clients: ReadonlyArray<Client>,
  total: number,
  note: { readonly began: (id: string) => void; readonly ended: (id: string) => void },
  limit = 7
) {
  let left = total
  const work = Effect.fnUntraced(function*(store: StoreService, incarnation: string) {
    for (let empty = 0; left > 0; empty++) {
      if (empty > 20_000) return yield* Effect.die(new Error(`${left} of ${total} are left waiting`))
      const { claimed } = yield* claim(store, incarnation, { limit })
      if (claimed.length === 0) {
        yield* Effect.yieldNow
        continue
      }
      empty = 0
      for (const { row } of claimed) note.began(row.workflowId)
      yield* Effect.yieldNow
      for (const { row } of claimed) note.ended(row.workflowId)
      const answers = yield* write(
        store,
        claimed.map(({ row }) => advance(row.workflowId, row.epoch, { end: succeed }))
      )
      for (const answer of answers) {
        if (answer._tag !== "Recorded") return yield* Effect.die(new Error(JSON.stringify(answer)))
      }
      left -= claimed.length
    }
  })
  yield* Effect.forEach(clients, ({ store }, index) => work(store, `i${index}`), { concurrency: "unbounded" })
})
